/// Where a layer stands in the stack, outermost first. The wiring check knows which of two places
/// belongs outside, and what happens if it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Place {
    /// Makes the request context.
    Context,
    /// Writes the record of the request.
    Audit,
    /// Sets headers on every response.
    SecurityHeaders,
    /// Answers preflights, and lets an allowed origin read every response.
    Cors,
    /// Turns foreign errors and panics into problem documents.
    Problem,
    /// Lets in by address.
    IpFilter,
    /// Refuses plain text.
    RequireHttps,
    /// Finds out which version is asked for.
    ApiVersion,
    /// Finds out who calls.
    Auth,
    /// Limits speed.
    RateLimit,
    /// Checks what the caller may do.
    Scope,
    /// Bounds what a query may cost.
    GraphQl,
    /// Meters the plan's allowance.
    Quota,
    /// Checks the shape of what was sent.
    Validation,
    /// Verifies a webhook.
    Webhook,
    /// Has no place of its own: gates of third parties.
    Anywhere,
}

impl Place {
    pub(crate) const fn bit(self) -> u32 {
        match self {
            Self::Anywhere => 0,
            placed => 1 << placed as u32,
        }
    }
}
