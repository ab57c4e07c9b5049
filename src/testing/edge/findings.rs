use std::borrow::Cow;

use crate::lint::{Lint, Lints, Report};

/// More places of one finding are only counted.
const PLACES: usize = 16;

/// What was found, one finding for all answers that show it.
#[derive(Default)]
pub(super) struct Findings(Vec<Finding>);

struct Finding {
    lint: &'static Lint,
    message: Cow<'static, str>,
    value: Option<String>,
    places: Vec<String>,
}

impl Findings {
    /// `value` is what was seen, where that says more than the message.
    pub(super) fn add(
        &mut self,
        lint: &'static Lint,
        place: String,
        message: impl Into<Cow<'static, str>>,
        value: Option<&str>,
    ) {
        let message = message.into();
        match self.0.iter_mut().find(|finding| finding.lint.code == lint.code && finding.message == message) {
            Some(finding) if finding.places.contains(&place) => {}
            Some(finding) => finding.places.push(place),
            None => {
                let value = value.map(str::to_owned);
                self.0.push(Finding { lint, message, value, places: vec![place] });
            }
        }
    }

    pub(super) fn report(self, mut lints: Lints) -> Report {
        for Finding { lint, message, value, places } in self.0 {
            let more = places.len().saturating_sub(PLACES);
            let mut place = places.into_iter().take(PLACES).collect::<Vec<_>>().join("; ");
            if more > 0 {
                place = format!("{place}; and {more} more");
            }
            lints.add(lint, place, message, value.as_deref());
        }
        lints.report()
    }
}
