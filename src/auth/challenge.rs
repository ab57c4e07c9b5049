//! The challenges of RFC 6750 §3, written once when the layer is built.

use std::sync::Arc;

use http::{HeaderValue, StatusCode};

use super::{ProtectedResource, credentials::Via};
use crate::rejection::{Rejection, RejectionKind};

/// Every `WWW-Authenticate` line that a layer can send.
#[derive(Debug)]
pub(super) struct Challenges {
    /// The lines without an error: nothing was sent, or a scheme that is not accepted.
    bare: Arc<[HeaderValue]>,
    /// The lines that name an error, for each kind that has one.
    refused: Vec<Refused>,
}

#[derive(Debug)]
struct Refused {
    kind: RejectionKind,
    bearer: HeaderValue,
    api_key: HeaderValue,
}

impl Challenges {
    /// `realm` must be fit for a quoted string; the builder saw to it. `others` are whole lines.
    pub(super) fn new(
        realm: &str,
        api_keys: bool,
        others: Vec<HeaderValue>,
        metadata: Option<&ProtectedResource>,
    ) -> Self {
        let line = |scheme: &str, error: &str| {
            let metadata = metadata.filter(|_| scheme == "Bearer");
            let metadata =
                metadata.map(|of| format!(", resource_metadata=\"{}\"", of.metadata_url())).unwrap_or_default();
            let text = format!("{scheme} realm=\"{realm}\"{error}{metadata}");
            HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("Bearer"))
        };
        let mut bare = vec![line("Bearer", "")];
        if api_keys {
            bare.push(line("ApiKey", ""));
        }
        bare.extend(others);
        let refused = RejectionKind::ALL.iter().filter_map(|kind| {
            let error =
                format!(", error=\"{}\", error_description=\"{}\"", error_code(*kind)?, description(kind.detail()));
            Some(Refused { kind: *kind, bearer: line("Bearer", &error), api_key: line("ApiKey", &error) })
        });
        Self { bare: bare.into(), refused: refused.collect() }
    }

    pub(super) fn bare(&self) -> &Arc<[HeaderValue]> {
        &self.bare
    }

    /// Adds the lines that RFC 6750 §3 wants to a refusal: one for each accepted scheme, the error
    /// on the line of the scheme that was used, and none for an outage.
    pub(super) fn attach(&self, rejection: Rejection, via: Option<Via>) -> Rejection {
        let kind = rejection.kind();
        if !matches!(kind.status(), StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST) {
            return rejection;
        }
        let refused = via.and_then(|_| self.refused.iter().find(|refused| refused.kind == kind));
        // What is wrong with the request as a whole is said in the scheme that has a word for it.
        let at = match via {
            Some(Via::ApiKey) if kind != RejectionKind::InvalidRequest => 1,
            _ => 0,
        };
        self.bare.iter().enumerate().fold(rejection, |rejection, (index, bare)| {
            let line = match refused {
                Some(refused) if index == at && at == 0 => &refused.bearer,
                Some(refused) if index == at => &refused.api_key,
                _ => bare,
            };
            rejection.with_challenge(line.clone())
        })
    }
}

/// RFC 6750 §3.1. A request without a credential gets no error code.
fn error_code(kind: RejectionKind) -> Option<&'static str> {
    match kind.status() {
        _ if kind == RejectionKind::MissingCredentials => None,
        StatusCode::UNAUTHORIZED => Some("invalid_token"),
        StatusCode::BAD_REQUEST => Some("invalid_request"),
        _ => None,
    }
}

/// RFC 6750 §3: only `%x20-21 / %x23-5B / %x5D-7E`. The texts are our own and never repeat what was
/// sent, but one of them may be changed by somebody who does not know this rule.
fn description(detail: &str) -> String {
    detail.chars().filter(|c| matches!(c, '\x20'..='\x21' | '\x23'..='\x5B' | '\x5D'..='\x7E')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_keep_to_the_charset() {
        assert_eq!(description("a \"b\" \\ c\r\n\u{e9}\u{7f}!"), "a b  c!");
    }

    #[test]
    fn every_401_and_400_has_its_lines_and_an_outage_has_none() {
        let challenges = Challenges::new("api", true, Vec::new(), None);
        for kind in RejectionKind::ALL {
            for via in [None, Some(Via::Bearer), Some(Via::ApiKey)] {
                let rejection = challenges.attach((*kind).into(), via);
                let lines: Vec<_> = rejection.headers().iter().map(|(_, line)| line.to_str().unwrap()).collect();
                match kind.status().as_u16() {
                    400 | 401 => {
                        assert_eq!(lines.len(), 2, "{kind:?}");
                        assert!(
                            lines[0].starts_with("Bearer realm=\"api\"")
                                && lines[1].starts_with("ApiKey realm=\"api\"")
                        );
                        let errors = lines.iter().filter(|line| line.contains("error=")).count();
                        assert_eq!(errors, usize::from(via.is_some() && *kind != RejectionKind::MissingCredentials));
                    }
                    _ => assert!(lines.is_empty(), "{kind:?}"),
                }
            }
        }
    }
}
