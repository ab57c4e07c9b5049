//! What a signature must cover, and which of several is meant.

use std::time::Duration;

use super::input::Input;
use crate::{
    auth::signed::{
        refused::Refused,
        sigv4::{authorization::MAX_KEY_ID, time::is_within},
    },
    time::Timestamp,
};

/// Longer ones are nobody's.
const MAX_NONCE: usize = 256;

/// The parameters of a signature (RFC 9421 §2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) key_id: String,
    pub(super) created: Timestamp,
    pub(super) expires: Option<Timestamp>,
    pub(super) algorithm: Option<String>,
    pub(super) nonce: Option<String>,
}

/// The one signature that is meant: with this label and tag, where there are such.
pub(super) fn choose(inputs: Vec<Input>, label: Option<&str>, tag: Option<&str>) -> Result<Input, Refused> {
    let is_tagged = |input: &Input, tag: &str| {
        input.parameter("tag").and_then(|held| held.as_string()).is_some_and(|held| held.as_str() == tag)
    };
    let mut fitting = inputs
        .into_iter()
        .filter(|input| label.is_none_or(|label| input.label == label) && tag.is_none_or(|tag| is_tagged(input, tag)));
    match (fitting.next(), fitting.next()) {
        (Some(input), None) => Ok(input),
        (None, _) => Err(Refused::Malformed("There is no signature with the label or tag that is expected here.")),
        (Some(_), Some(_)) => {
            Err(Refused::Malformed("There are several signatures, and nobody can tell which is meant."))
        }
    }
}

pub(super) fn terms(input: &Input) -> Result<Terms, Refused> {
    const TYPE: Refused = Refused::Malformed("A parameter of the signature is missing, or has the wrong type.");
    let text = |name: &str| match input.parameter(name) {
        None => Ok(None),
        Some(value) => value.as_string().map(|text| Some(text.as_str().to_owned())).ok_or(TYPE),
    };
    let time = |name: &str| match input.parameter(name) {
        None => Ok(None),
        Some(value) => {
            let seconds = value.as_integer().and_then(|integer| u64::try_from(i64::from(integer)).ok()).ok_or(TYPE)?;
            Ok(Some(Timestamp::from_secs(seconds)))
        }
    };
    let nonce = text("nonce")?;
    if nonce.as_ref().is_some_and(|nonce| nonce.is_empty() || nonce.len() > MAX_NONCE) {
        return Err(Refused::Malformed("A nonce has 1 to 256 characters."));
    }
    Ok(Terms {
        // What can be no key's is not asked for, nor written into logs.
        key_id: text("keyid")?.filter(|id| (1..=MAX_KEY_ID).contains(&id.len())).ok_or(TYPE)?,
        created: time("created")?.ok_or(TYPE)?,
        expires: time("expires")?,
        algorithm: text("alg")?,
        nonce,
    })
}

impl Terms {
    pub(super) fn check_time(&self, now: Timestamp, window: Duration) -> Result<(), Refused> {
        let over = self.expires.is_some_and(|expires| now >= expires);
        if over || !is_within(self.created, now, window, window) {
            return Err(Refused::Stale { signed: self.created });
        }
        Ok(())
    }

    /// For how long the signature could be sent again.
    pub(super) fn remaining(&self, now: Timestamp, window: Duration) -> Duration {
        let end = self.created.saturating_add(window);
        let end = self.expires.map_or(end, |expires| expires.min(end));
        // The first moment at which it no longer counts.
        end.since(now).saturating_add(Duration::from_micros(1))
    }
}

/// Whether a field is covered whole: one member of it (`key`) is not enough.
fn covers(input: &Input, name: &str) -> bool {
    input.components.iter().any(|component| component.name == name && component.parameter("key").is_none())
}

/// The method, the whole target, and the fields.
pub(super) fn check_coverage<'a>(
    input: &Input,
    has_query: bool,
    fields: impl IntoIterator<Item = &'a str>,
) -> Result<(), Refused> {
    let covered = |name| covers(input, name);
    let local = covered("@request-target") || (covered("@path") && (!has_query || covered("@query")));
    if !covered("@method") || !(covered("@target-uri") || (covered("@authority") && local)) {
        return Err(Refused::Uncovered(
            "The signature must cover @method, and @target-uri or @authority, @path and @query.",
        ));
    }
    if !fields.into_iter().all(covered) {
        return Err(Refused::Uncovered("The signature does not cover a header field that it must cover."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::signed::message::input::parse_input;

    fn input(text: &str) -> Input {
        parse_input(format!("a={text}").as_bytes()).unwrap().remove(0)
    }

    #[test]
    fn the_target_is_covered_in_one_of_three_ways() {
        let covers = |text: &str, query: bool| check_coverage(&input(text), query, ["date"]).is_ok();
        assert!(covers(r#"("@method" "@target-uri" "date")"#, true));
        assert!(covers(r#"("@method" "@authority" "@path" "@query" "date")"#, true));
        assert!(covers(r#"("@method" "@authority" "@request-target" "date";bs)"#, true));
        assert!(covers(r#"("@method" "@authority" "@path" "date")"#, false));
        for bad in [
            r#"("@method" "@authority" "@path" "date")"#,
            r#"("@method" "@path" "@query" "date")"#,
            r#"("@target-uri" "date")"#,
            r#"("@method" "@target-uri")"#,
            r#"("@method" "@target-uri" "date";key="a")"#,
            r#"("@method" "@authority" "@path" "@query-param";name="a" "date")"#,
            "()",
        ] {
            assert!(!covers(bad, true), "{bad}");
        }
    }

    #[test]
    fn one_signature_is_meant_or_none() {
        let inputs = || parse_input(br#"a=();tag="x", b=();tag="y", c=();tag="y";created=1"#).unwrap();
        let label = |label, tag| choose(inputs(), label, tag).ok().map(|input| input.label);
        assert_eq!(label(None, None), None);
        assert_eq!(label(Some("b"), None).as_deref(), Some("b"));
        assert_eq!(label(None, Some("x")).as_deref(), Some("a"));
        assert_eq!(label(None, Some("y")), None);
        assert_eq!(label(Some("c"), Some("y")).as_deref(), Some("c"));
        assert_eq!(label(Some("c"), Some("x")), None);
    }

    #[test]
    fn times_have_their_borders() {
        let terms = |text: &str| super::terms(&input(text));
        let minute = Duration::from_secs(60);
        let at = |text: &str, now: u64| terms(text).unwrap().check_time(Timestamp::from_secs(now), minute).is_ok();
        assert!(at(r#"();created=100;keyid="k""#, 160) && !at(r#"();created=100;keyid="k""#, 161));
        assert!(at(r#"();created=100;keyid="k""#, 40) && !at(r#"();created=100;keyid="k""#, 39));
        assert!(at(r#"();created=100;expires=110;keyid="k""#, 109));
        assert!(!at(r#"();created=100;expires=110;keyid="k""#, 110));
        for bad in [
            "()",
            r#"();keyid="k""#,
            "();created=1",
            r#"();created=-1;keyid="k""#,
            r#"();created="1";keyid="k""#,
            r#"();created=1.0;keyid="k""#,
            "();created=1;keyid=k",
            r#"();created=1;keyid="k";nonce="""#,
            r#"();created=1;keyid="k";nonce=:AA==:"#,
            r#"();created=1;keyid="k";expires="2""#,
            r#"();created=1;keyid="k";alg=ed25519"#,
            r#"();created=1;keyid="""#,
            &format!("();created=1;keyid=\"{}\"", "k".repeat(257)),
        ] {
            assert!(terms(bad).is_err(), "{bad}");
        }
        let text = r#"();created=100;expires=110;keyid="k""#;
        let left = terms(text).unwrap().remaining(Timestamp::from_secs(105), minute);
        assert_eq!(left, Duration::from_micros(5_000_001));
    }
}
