use std::time::Duration;

use super::Decision;

/// What comes of a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Passed,
    /// It would pass after so long.
    Refused(Duration),
    /// It asks for more than there ever is.
    Never,
}

impl Verdict {
    pub(super) fn decision(self, limit: u64, remaining: u64) -> Decision {
        match self {
            Self::Passed => Decision::passed(limit, remaining),
            Self::Refused(wait) => Decision::refused(limit, remaining, wait),
            Self::Never => Decision::never(limit, remaining),
        }
    }
}

/// Refused if there is a wait.
impl From<Option<Duration>> for Verdict {
    fn from(wait: Option<Duration>) -> Self {
        wait.map_or(Self::Passed, Self::Refused)
    }
}
