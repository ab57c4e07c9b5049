/// What a customer has bought: a name and an allowance for each calendar month (UTC).
///
/// ```
/// use portcullis::quota::Plan;
///
/// let free = Plan::new("free").monthly(10_000);
/// let enterprise = Plan::new("enterprise").unlimited();
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Plan {
    name: String,
    allowance: Option<Allowance>,
}

/// What a plan allows in a month.
#[derive(Clone, Copy, Debug)]
pub(super) enum Allowance {
    Monthly(u64),
    Unlimited,
}

impl Plan {
    /// A plan by the name that principals carry. It needs an allowance, too.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), allowance: None }
    }

    /// So many units in each calendar month. Zero lets nothing through.
    pub fn monthly(mut self, units: u64) -> Self {
        self.allowance = Some(Allowance::Monthly(units));
        self
    }

    /// Metered, but without limit.
    pub fn unlimited(mut self) -> Self {
        self.allowance = Some(Allowance::Unlimited);
        self
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn allowance(&self) -> Option<Allowance> {
        self.allowance
    }
}
