/// What a rule does while its store cannot answer: it is down, cut off, full, or too slow.
///
/// Nothing is known of the callers then. Which mistake is the smaller one depends on what the rule
/// protects, so each rule says it for itself:
///
/// | the rule protects | choose | because |
/// |---|---|---|
/// | log-ins, one-time passwords, payments | [`Closed`](Self::Closed) | guessing must not become free by overloading the store |
/// | reads that cost little | [`Open`](Self::Open) | an outage of the counter need not be one of the service |
/// | everything else | [`Local`](Self::Local) | each process goes on counting, for its own part of the limit |
///
/// The rules of a layer are asked together, and lost together: one that is `Closed` turns the
/// request away, whatever the others say.
///
/// ```
/// use portcullis::rate_limit::OnStoreLoss;
///
/// assert_eq!(OnStoreLoss::default(), OnStoreLoss::Closed);
/// let _a_quarter_each = OnStoreLoss::Local { share: 4 };
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnStoreLoss {
    /// The request is answered 503. The default: what cannot be counted is not let in.
    #[default]
    Closed,
    /// The request passes as if the rule were not there: it gets no header fields of the rule.
    Open,
    /// This process decides by its own memory, and lets through the limit divided by `share`, which
    /// is how many processes serve: together they let through the limit and no more. At least one
    /// unit at once, however many they are.
    ///
    /// What was charged before the loss is not known here, and what is charged here is not told to
    /// the store afterwards: a caller may use up what the store had left and this share, once for
    /// each loss.
    Local {
        /// How many processes share the limit. Not zero.
        share: u32,
    },
}
