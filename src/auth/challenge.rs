//! The challenges of RFC 6750 §3, written once when the layer is built.

use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};

use super::credentials::Via;
use crate::rejection::{Lines, Rejection, RejectionKind};

/// Every `WWW-Authenticate` line that a layer can send.
#[derive(Debug)]
pub(super) struct Challenges {
    /// The lines without an error: nothing was sent, or a scheme that is not accepted.
    bare: Arc<[HeaderValue]>,
    /// The same as header fields.
    lines: Arc<Lines>,
    /// The schemes of the first lines.
    schemes: Vec<Scheme>,
}

#[derive(Debug)]
struct Scheme {
    via: Via,
    /// For each kind by its place in the table, the fields of which this scheme's names the error; if
    /// the kind has one.
    refused: Vec<Option<Arc<Lines>>>,
}

/// Which schemes are offered beside `Bearer`.
#[derive(Clone, Debug, Default)]
pub(super) struct Offered {
    /// The algorithms of proofs, where the scheme `DPoP` is offered (RFC 9449 §7.1).
    pub(super) dpop: Option<String>,
    pub(super) api_keys: bool,
    /// Whole lines of other authenticators.
    pub(super) others: Vec<HeaderValue>,
    /// Where the document of RFC 9728 lies, which goes with the schemes of OAuth.
    pub(super) metadata: Option<String>,
}

impl Challenges {
    /// `realm` must be fit for a quoted string; the builder saw to it.
    pub(super) fn new(realm: &str, offered: Offered) -> Self {
        let metadata =
            offered.metadata.as_ref().map(|url| format!(", resource_metadata=\"{url}\"")).unwrap_or_default();
        let line = |scheme: &str, error: &str, end: &str| {
            let text = format!("{scheme} realm=\"{realm}\"{error}{end}");
            HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("Bearer"))
        };
        let algorithms = offered.dpop.as_ref().map(|list| format!(", algs=\"{list}\"{metadata}"));
        let named = [
            Some(("Bearer", Via::Bearer, metadata.as_str())),
            algorithms.as_deref().map(|algorithms| ("DPoP", Via::Dpop, algorithms)),
            offered.api_keys.then_some(("ApiKey", Via::ApiKey, "")),
        ];
        let named: Vec<_> = named.into_iter().flatten().collect();
        let bare = named.iter().map(|(scheme, _, end)| line(scheme, "", end)).chain(offered.others);
        let lines: Lines = bare.map(|line| (header::WWW_AUTHENTICATE, line)).collect();
        let scheme = |(at, (scheme, via, end)): (usize, &(&str, Via, &str))| {
            let refused = RejectionKind::ALL.iter().map(|kind| {
                let (code, text) = (error_code(*kind)?, description(kind.detail()));
                let error = format!(", error=\"{code}\", error_description=\"{text}\"");
                let mut lines = lines.clone();
                lines.get_mut(at)?.1 = line(scheme, &error, end);
                Some(Arc::new(lines))
            });
            Scheme { via: *via, refused: refused.collect() }
        };
        let schemes = named.iter().enumerate().map(scheme).collect();
        Self { bare: lines.iter().map(|(_, line)| line.clone()).collect(), lines: Arc::new(lines), schemes }
    }

    pub(super) fn bare(&self) -> &Arc<[HeaderValue]> {
        &self.bare
    }

    /// Adds the lines that RFC 6750 §3 wants to a refusal: one for each accepted scheme, the error
    /// on the line of the scheme that was used (if that is one of the layer's own), and none for an outage.
    pub(super) fn attach(&self, rejection: Rejection, via: Option<Via>) -> Rejection {
        let kind = rejection.kind();
        if !matches!(kind.status(), StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST) {
            return rejection;
        }
        // The line of another authenticator is its own: no other line may speak for it.
        let used = via.filter(|via| *via != Via::Other).map(|via| match via {
            // What is wrong with the request as a whole is said in the scheme that has a word for it.
            Via::ApiKey if kind == RejectionKind::InvalidRequest => 0,
            via => self.schemes.iter().position(|scheme| scheme.via == via).unwrap_or(0),
        });
        let refused = used.and_then(|at| self.schemes.get(at)?.refused.get(kind.index())?.as_ref());
        rejection.with_lines(refused.unwrap_or(&self.lines))
    }
}

/// RFC 6750 §3.1. A request without a credential gets no error code.
fn error_code(kind: RejectionKind) -> Option<&'static str> {
    match kind.status() {
        _ if kind == RejectionKind::MissingCredentials => None,
        // RFC 9449 §7.1 and §9 have words of their own.
        _ if matches!(kind, RejectionKind::InvalidDpopProof | RejectionKind::UseDpopNonce) => Some(kind.code()),
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
    fn descriptions_keep_to_the_charset_rfc6750_3() {
        assert_eq!(description("a \"b\" \\ c\r\n\u{e9}\u{7f}!"), "a b  c!");
    }

    #[test]
    fn every_401_and_400_has_its_lines_and_an_outage_has_none_rfc6750_3() {
        let challenges = Challenges::new("api", Offered { api_keys: true, ..Offered::default() });
        for kind in RejectionKind::ALL {
            for via in [None, Some(Via::Bearer), Some(Via::WebSocket), Some(Via::ApiKey), Some(Via::Other)] {
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
                        let named = !matches!(via, None | Some(Via::Other));
                        assert_eq!(errors, usize::from(named && *kind != RejectionKind::MissingCredentials));
                    }
                    _ => assert!(lines.is_empty(), "{kind:?}"),
                }
            }
        }
    }
}
