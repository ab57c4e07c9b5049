//! What is doubtful about headers.

use http::{HeaderName, HeaderValue};

use super::{
    csp::{Csp, Directive, Source},
    permissions::PermissionsPolicy,
};
use crate::lint::{Lint, Lints, Severity};

const CSP: &str = "https://www.w3.org/TR/CSP3/";
const OWASP: &str = "https://cheatsheetseries.owasp.org/cheatsheets/HTTP_Headers_Cheat_Sheet.html";
const OWASP_CSP: &str = "https://cheatsheetseries.owasp.org/cheatsheets/Content_Security_Policy_Cheat_Sheet.html";

const fn lint(code: &'static str, severity: Severity, fix: &'static str, spec: &'static str) -> Lint {
    Lint { code, severity, fix, spec }
}

const CONSTANT_NONCE: Lint =
    lint("csp-constant-nonce", Severity::High, "use Source::NONCE, which the layer makes anew for each response", CSP);
const SCRIPT_UNSAFE_INLINE: Lint = lint(
    "csp-script-unsafe-inline",
    Severity::Medium,
    "use Source::NONCE and put the nonce on the page's scripts",
    OWASP_CSP,
);
const SCRIPT_UNSAFE_EVAL: Lint =
    lint("csp-script-unsafe-eval", Severity::Medium, "change the scripts that run text as script", OWASP_CSP);
const SCRIPT_BROAD: Lint =
    lint("csp-script-any-host", Severity::Medium, "name the hosts that scripts come from, or use nonces", OWASP_CSP);
const SCRIPT_UNRESTRICTED: Lint =
    lint("csp-script-unrestricted", Severity::Medium, "set default-src or script-src", OWASP_CSP);
const OBJECT_UNRESTRICTED: Lint =
    lint("csp-object-unrestricted", Severity::Medium, "set default-src, or object-src 'none'", OWASP_CSP);
const BASE_URI: Lint = lint("csp-base-uri-missing", Severity::Medium, "set base-uri 'none' or 'self'", CSP);
const FORM_ACTION: Lint = lint("csp-form-action-missing", Severity::Low, "set form-action 'self' or 'none'", CSP);
const STRICT_DYNAMIC: Lint = lint(
    "csp-strict-dynamic-alone",
    Severity::Medium,
    "add Source::NONCE: without a nonce or a hash no script runs",
    CSP,
);
const INSECURE_SOURCE: Lint = lint("csp-insecure-source", Severity::Medium, "name it with https: or wss:", CSP);
const FRAMES_OPEN: Lint =
    lint("framing-unrestricted", Severity::Medium, "set frame-ancestors, or X-Frame-Options", OWASP);
const FRAMES_DIFFER: Lint = lint(
    "framing-contradictory",
    Severity::Low,
    "let frame-ancestors and X-Frame-Options say the same: browsers follow the first",
    CSP,
);
const CSP_ABSENT: Lint =
    lint("csp-missing", Severity::Medium, "set content_security_policy, if only default-src 'none'", OWASP);
const SNIFFING: Lint = lint("content-type-sniffing", Severity::Medium, "send X-Content-Type-Options: nosniff", OWASP);
const HSTS_ABSENT: Lint = lint(
    "hsts-missing",
    Severity::Medium,
    "send Strict-Transport-Security",
    "https://www.rfc-editor.org/rfc/rfc6797#section-7.2",
);
const HSTS_SHORT: Lint = lint(
    "hsts-short",
    Severity::Medium,
    "use 31536000 s once everything works over HTTPS",
    "https://www.rfc-editor.org/rfc/rfc6797#section-11.2",
);
const HSTS_SUBDOMAINS: Lint = lint(
    "hsts-without-subdomains",
    Severity::Low,
    "use include_subdomains(): a subdomain over plain HTTP can set cookies for this host",
    "https://www.rfc-editor.org/rfc/rfc6797#section-14.4",
);
const HSTS_PRELOAD: Lint = lint(
    "hsts-preload",
    Severity::Info,
    "leave preload() out, unless every subdomain speaks HTTPS and will for years",
    "https://hstspreload.org/#opt-in",
);
const HSTS_ASSUMED: Lint = lint(
    "https-assumed",
    Severity::Info,
    "name the proxies in trusted_proxies, so that the scheme is known",
    "https://www.rfc-editor.org/rfc/rfc6797#section-7.2",
);
const XSS_FILTER: Lint = lint(
    "legacy-xss-protection",
    Severity::Medium,
    "leave it out: browsers have removed the filter, and it opened holes of its own",
    OWASP,
);
const RESOURCE_OPEN: Lint =
    lint("resource-policy-cross-origin", Severity::Info, "use SameOrigin, unless other sites embed this", OWASP);
const UNKNOWN_FEATURE: Lint = lint(
    "permissions-unknown-feature",
    Severity::Low,
    "check the spelling",
    "https://github.com/w3c/webappsec-permissions-policy/blob/main/features.md",
);
const OPEN_FEATURE: Lint = lint(
    "permissions-open-feature",
    Severity::Medium,
    "name the origins that may use it",
    "https://www.w3.org/TR/permissions-policy/",
);

/// Six months, and a white lie in the Observatory's favour.
const SHORT_HSTS: u64 = 15_552_000;

/// What the lints look at in a list of headers.
pub(super) struct View<'a> {
    pub(super) hsts: Option<super::Hsts>,
    pub(super) csp: Option<&'a Csp>,
    pub(super) report_only: Option<&'a Csp>,
    pub(super) permissions: Option<&'a PermissionsPolicy>,
    pub(super) constant: &'a [(HeaderName, HeaderValue)],
}

impl<'a> View<'a> {
    /// The constant value of a header.
    fn value(&self, name: &str) -> Option<&'a str> {
        self.constant.iter().find(|(held, _)| held.as_str() == name).and_then(|(_, value)| value.to_str().ok())
    }
}

/// Looks at a list of headers; `field` makes a field's name out of a setter's.
pub(super) fn look(view: &View<'_>, field: &dyn Fn(&str) -> String, lints: &mut Lints) {
    transport(view, field, lints);
    framing(view, field, lints);
    match view.csp {
        Some(csp) => policy(csp, &field("content_security_policy"), lints),
        None => lints.add(&CSP_ABSENT, field("content_security_policy"), "no policy is sent", None),
    }
    if let Some(csp) = view.report_only {
        constant_nonces(csp, &field("content_security_policy_report_only"), lints);
    }
    if view.value("x-content-type-options").is_none() {
        lints.add(&SNIFFING, field("without"), "browsers may guess what a response is", Some("x-content-type-options"));
    }
    if let Some(value) = view.value("x-xss-protection").filter(|value| value.starts_with('1')) {
        lints.add(&XSS_FILTER, field("legacy_xss_protection"), "switches a filter on that leaks", Some(value));
    }
    if let Some(value) = view.value("cross-origin-resource-policy").filter(|value| *value == "cross-origin") {
        lints.add(&RESOURCE_OPEN, field("resource_policy"), "any site may embed the responses", Some(value));
    }
    if let Some(permissions) = view.permissions {
        for feature in permissions.unknown() {
            lints.add(&UNKNOWN_FEATURE, field("permissions_policy"), "is no feature that is known", Some(feature));
        }
        for feature in permissions.open() {
            lints.add(&OPEN_FEATURE, field("permissions_policy"), "frames of any site may use it", Some(feature));
        }
    }
}

/// The layer sends HSTS where nobody knows the scheme.
pub(super) fn assumed_https(lints: &mut Lints) {
    lints.add(&HSTS_ASSUMED, "assume_https", "HSTS is sent also where the scheme is unknown", None);
}

fn transport(view: &View<'_>, field: &dyn Fn(&str) -> String, lints: &mut Lints) {
    let Some(hsts) = view.hsts else {
        lints.add(&HSTS_ABSENT, field("without"), "browsers may come by plain HTTP", Some("strict-transport-security"));
        return;
    };
    let field = field("strict_transport_security");
    let text = hsts.to_string();
    if hsts.max_age < SHORT_HSTS {
        lints.add(&HSTS_SHORT, field.clone(), "is forgotten within six months", Some(&text));
    }
    if !hsts.include_subdomains {
        lints.add(&HSTS_SUBDOMAINS, field.clone(), "leaves the subdomains out", Some(&text));
    }
    if hsts.preload {
        lints.add(&HSTS_PRELOAD, field, "whoever sees it may enter the domain into the browsers' list", Some(&text));
    }
}

fn framing(view: &View<'_>, field: &dyn Fn(&str) -> String, lints: &mut Lints) {
    let ancestors = view.csp.and_then(|csp| csp.sources(Directive::FrameAncestors));
    let field = field("frame_options");
    match (view.value("x-frame-options"), ancestors) {
        (None, None) => lints.add(&FRAMES_OPEN, field, "any site may show the responses in a frame", None),
        (Some(options), Some(ancestors)) => {
            let same = match options {
                "DENY" => ancestors == [Source::NONE],
                _ => ancestors.contains(&Source::SELF),
            };
            if !same {
                lints.add(&FRAMES_DIFFER, field, "frame-ancestors says something else", Some(options));
            }
        }
        _ => {}
    }
}

fn policy(csp: &Csp, field: &str, lints: &mut Lints) {
    constant_nonces(csp, field, lints);
    let mut add = |lint: &Lint, message: &'static str, value: Option<&str>| {
        lints.add(lint, field.to_owned(), message, value);
    };
    let Some(scripts) = csp.effective(Directive::ScriptSrc) else {
        add(&SCRIPT_UNRESTRICTED, "scripts of any host may run", None);
        return;
    };
    if csp.effective(Directive::ObjectSrc).is_none() {
        add(&OBJECT_UNRESTRICTED, "plug-ins of any host may run", None);
    }
    let runs_scripts = scripts != [Source::NONE];
    if runs_scripts && csp.sources(Directive::BaseUri).is_none() {
        add(&BASE_URI, "an injected <base> sends relative scripts elsewhere", None);
    }
    if runs_scripts && csp.sources(Directive::FormAction).is_none() {
        add(&FORM_ACTION, "an injected form sends what is typed elsewhere", None);
    }
    let insecure = csp.rules.iter().flat_map(|rule| match rule {
        super::csp::Rule::Sources(_, sources) => &**sources,
        super::csp::Rule::Other(..) => &[],
    });
    for source in insecure.filter(|source| source.is_insecure()) {
        add(&INSECURE_SOURCE, "comes without TLS", Some(source.as_str()));
    }
    let mut told = Vec::new();
    for directive in [Directive::ScriptSrc, Directive::ScriptSrcElem, Directive::ScriptSrcAttr] {
        let sources = csp.effective(directive).unwrap_or(&[]);
        if !told.contains(&sources) {
            told.push(sources);
            script_sources(sources, &mut add);
        }
    }
}

fn script_sources(sources: &[Source], add: &mut impl FnMut(&Lint, &'static str, Option<&str>)) {
    let has = |keyword: &Source| sources.iter().any(|source| source.is(keyword));
    let tied = sources.iter().any(Source::is_tied);
    if has(&Source::UNSAFE_INLINE) && !tied {
        add(&SCRIPT_UNSAFE_INLINE, "what somebody injects runs as script", Some("'unsafe-inline'"));
    }
    if has(&Source::UNSAFE_EVAL) {
        add(&SCRIPT_UNSAFE_EVAL, "text is run as script", Some("'unsafe-eval'"));
    }
    if has(&Source::STRICT_DYNAMIC) && !tied {
        add(&STRICT_DYNAMIC, "no script runs", Some("'strict-dynamic'"));
    } else if !has(&Source::STRICT_DYNAMIC) {
        for source in sources.iter().filter(|source| source.is_broad()) {
            add(&SCRIPT_BROAD, "scripts of any host may run", Some(source.as_str()));
        }
    }
}

fn constant_nonces(csp: &Csp, field: &str, lints: &mut Lints) {
    for rule in &csp.rules {
        let super::csp::Rule::Sources(directive, sources) = rule else { continue };
        if sources.iter().any(Source::is_constant_nonce) {
            let message = format!("{} has a nonce that is the same for every response", directive.as_str());
            lints.add(&CONSTANT_NONCE, field.to_owned(), message, None);
        }
    }
}
