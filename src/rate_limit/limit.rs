use std::{fmt, sync::Arc};

use super::{Algorithm, FixedWindow, LeakyBucket, Rate, SlidingCounter, SlidingLog, TokenBucket, Windows};
use crate::config_error::ConfigError;

/// How much a rule allows: a [`Rate`], an [`Algorithm`] of yours, or everything.
///
/// Rules take `impl Into<Limit>`, so a `Rate` or an `Arc` of an algorithm can be given as it is.
#[derive(Clone, Debug)]
pub struct Limit(pub(super) Amount);

#[derive(Clone, Debug)]
pub(super) enum Amount {
    Rate(Rate),
    Custom(Arc<dyn Algorithm>),
    Unlimited,
}

impl Limit {
    /// No limit: for a plan or endpoint to which the rule does not apply.
    pub const fn unlimited() -> Self {
        Self(Amount::Unlimited)
    }
}

impl From<Rate> for Limit {
    fn from(rate: Rate) -> Self {
        Self(Amount::Rate(rate))
    }
}

impl<A: Algorithm> From<Arc<A>> for Limit {
    fn from(algorithm: Arc<A>) -> Self {
        Self(Amount::Custom(algorithm))
    }
}

impl From<Arc<dyn Algorithm>> for Limit {
    fn from(algorithm: Arc<dyn Algorithm>) -> Self {
        Self(Amount::Custom(algorithm))
    }
}

/// What a rule makes of its rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    TokenBucket,
    LeakyBucket,
    FixedWindow(Windows),
    SlidingLog,
    SlidingCounter,
}

impl Family {
    /// `overdraft` is how much more than the bucket a key may owe; windows count whatever was used.
    pub(super) fn algorithm(self, rate: Rate, overdraft: u64) -> Result<Arc<dyn Algorithm>, ConfigError> {
        Ok(match self {
            Self::TokenBucket => Arc::new(TokenBucket::new(rate)?.overdraft(overdraft)),
            Self::LeakyBucket => Arc::new(LeakyBucket::new(rate)?),
            Self::SlidingLog => Arc::new(SlidingLog::new(rate)?),
            Self::SlidingCounter => Arc::new(SlidingCounter::new(rate)?),
            Self::FixedWindow(windows) => Arc::new(FixedWindow::new(rate)?.windows(windows)),
        })
    }
}

impl fmt::Display for Amount {
    /// For the detail of a refusal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(rate) => write!(f, "Rate limit of {rate} exceeded"),
            Self::Custom(_) | Self::Unlimited => f.write_str("Rate limit exceeded"),
        }
    }
}
