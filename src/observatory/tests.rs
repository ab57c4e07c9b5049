use http::{HeaderMap, HeaderName, HeaderValue};

use super::*;

fn graded(fields: &[(&str, &str)]) -> Score {
    score(&map(fields), Scheme::Https)
}

fn map(fields: &[(&str, &str)]) -> HeaderMap {
    let parsed =
        fields.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()));
    parsed.fold(HeaderMap::new(), |mut map, (name, value)| {
        map.append(name, value);
        map
    })
}

fn result(fields: &[(&str, &str)], test: &str) -> &'static str {
    graded(fields).test(test).unwrap().result
}

const CSP: &str = "content-security-policy";

#[test]
fn a_response_without_a_header_fails() {
    let bare = graded(&[]);
    // 100 − 25 (CSP) − 20 (HSTS) − 5 (nosniff) − 20 (frames).
    assert_eq!((bare.score, bare.grade), (30, "D"));
    assert_eq!(bare.tests.len(), 8);
    let plain = score(&HeaderMap::new(), Scheme::Http);
    assert_eq!(plain.test("strict-transport-security").unwrap().result, "hsts-not-implemented-no-https");
}

#[test]
fn credit_is_given_only_to_those_that_hardly_need_it() {
    let good = [(CSP, "default-src 'none'; frame-ancestors 'none'"), ("referrer-policy", "no-referrer")];
    // +10 +5 +5, but 20 and 5 are lost.
    assert_eq!(graded(&good).score, 75);
    let with = [&good[..], &[("strict-transport-security", "max-age=15552000"), ("x-content-type-options", "NoSniff")]];
    assert_eq!(graded(&with.concat()).score, 120);
    let cookie = [&with.concat()[..], &[("set-cookie", "sess=1; Secure")]].concat();
    assert_eq!((graded(&cookie).score, graded(&cookie).grade), (70, "B"));
}

#[test]
fn each_csp_finding() {
    for (policy, wanted) in [
        ("default-src 'none'", "csp-implemented-with-no-unsafe-default-src-none"),
        ("default-src 'self'", "csp-implemented-with-no-unsafe"),
        ("default-src 'self'; style-src 'unsafe-inline'", "csp-implemented-with-unsafe-inline-in-style-src-only"),
        ("default-src 'self'; script-src 'unsafe-inline'", "csp-implemented-with-unsafe-inline"),
        ("default-src 'self'; script-src 'unsafe-inline' 'nonce-abc'", "csp-implemented-with-no-unsafe"),
        ("script-src 'self'", "csp-implemented-with-unsafe-inline"),
        ("default-src 'self' 'unsafe-eval'", "csp-implemented-with-unsafe-eval"),
        ("default-src 'self'; script-src http://a.example", "csp-implemented-with-insecure-scheme"),
        (
            "default-src 'self'; img-src http://a.example",
            "csp-implemented-with-insecure-scheme-in-passive-content-only",
        ),
        ("default-src 'self'; script-src 'strict-dynamic'", "csp-header-invalid"),
        ("default-src 'self'; script-src 'strict-dynamic' https: 'nonce-abc'", "csp-implemented-with-no-unsafe"),
        ("default-src 'self'; default-src 'none'", "csp-header-invalid"),
        ("default-src 'self'; report-uri /a; report-uri /b", "csp-implemented-but-duplicate-directives"),
        ("x", "csp-header-invalid"),
        (";;;;;;;;", "csp-not-implemented"),
        ("default-src 'self', script-src 'none'", "csp-implemented-with-no-unsafe"),
    ] {
        assert_eq!(result(&[(CSP, policy)], CSP), wanted, "{policy}");
    }
    let reported = [("content-security-policy-report-only", "default-src 'self'")];
    assert_eq!(result(&reported, CSP), "csp-not-implemented-but-reporting-enabled");
}

#[test]
fn a_source_must_stand_in_every_policy() {
    let two = [(CSP, "script-src 'self' https: ; object-src 'none'"), (CSP, "script-src 'self'")];
    assert_eq!(result(&two, CSP), "csp-implemented-with-unsafe-inline-in-style-src-only");
    // Undecodable paths are no policy.
    let broken = [(CSP, "img-src /%zz"), (CSP, "img-src /%zz")];
    assert_eq!(result(&broken, CSP), "csp-header-invalid");
}

#[test]
fn the_lesser_tests() {
    for (name, value, wanted) in [
        ("strict-transport-security", "max-age=15551999", "hsts-implemented-max-age-less-than-six-months"),
        ("strict-transport-security", "includeSubDomains", "hsts-header-invalid"),
        ("strict-transport-security", "max-age=1, max-age=1", "hsts-header-invalid"),
        ("x-content-type-options", "sniff", "x-content-type-options-header-invalid"),
        ("x-frame-options", "SameOrigin", "x-frame-options-sameorigin-or-deny"),
        ("x-frame-options", "ALLOW-FROM https://a.example", "x-frame-options-allow-from-origin"),
        ("x-frame-options", "ALLOWALL", "x-frame-options-header-invalid"),
        ("referrer-policy", "no-referrer, unsafe-url, nonsense", "referrer-policy-unsafe"),
        ("referrer-policy", "nonsense", "referrer-policy-header-invalid"),
        ("cross-origin-resource-policy", "same-site", "corp-implemented-with-same-site"),
        ("cross-origin-resource-policy", "everyone", "corp-header-invalid"),
    ] {
        assert_eq!(result(&[(name, value)], name), wanted, "{value}");
    }
}

#[test]
fn cookies_are_judged_by_the_worst() {
    let hsts = ("strict-transport-security", "max-age=31536000");
    for (cookies, wanted) in [
        (&["a=1; Secure; SameSite=Lax"][..], "cookies-secure-with-httponly-sessions-and-samesite"),
        (&["a=1; Secure"], "cookies-secure-with-httponly-sessions"),
        (&["a=1"], "cookies-without-secure-flag-but-protected-by-hsts"),
        (&["session=1; HttpOnly"], "cookies-session-without-secure-flag-but-protected-by-hsts"),
        (&["session=1; Secure"], "cookies-session-without-httponly-flag"),
        (&["csrf=1; Secure"], "cookies-anticsrf-without-samesite-flag"),
        (&["a=1; Secure; SameSite=Sideways"], "cookies-samesite-flag-invalid"),
        (&["a=1", "a=1; Secure; SameSite=Lax"], "cookies-secure-with-httponly-sessions-and-samesite"),
        (&["__Secure-a=1", "heroku-session-affinity=1", "=1"], "cookies-not-found"),
    ] {
        let fields: Vec<_> = cookies.iter().map(|cookie| ("set-cookie", *cookie)).chain([hsts]).collect();
        assert_eq!(result(&fields, "cookies"), wanted, "{cookies:?}");
    }
    assert_eq!(result(&[("set-cookie", "login=1; HttpOnly")], "cookies"), "cookies-session-without-secure-flag");
}

#[test]
fn a_preflight_shows_a_reflected_origin() {
    let own = HeaderMap::new();
    let asked = "https://evil.example";
    let judge = |allowed: &[(&str, &str)]| {
        let allowed = map(allowed);
        let score = Scan::new(&own, Scheme::Https).preflight(&allowed, asked).score();
        score.test("cross-origin-resource-sharing").unwrap().modifier
    };
    let credentials = ("access-control-allow-credentials", "true");
    assert_eq!(judge(&[("access-control-allow-origin", asked), credentials]), -50);
    assert_eq!(judge(&[("access-control-allow-origin", asked)]), 0);
    assert_eq!(judge(&[("access-control-allow-origin", "*"), credentials]), 0);
    assert_eq!(judge(&[]), 0);
}

proptest::proptest! {
    #[test]
    fn no_header_makes_it_panic(name in 0_usize..8, value in "[ -~\\t]{0,80}") {
        let names = [
            CSP, "set-cookie", "strict-transport-security", "x-frame-options", "referrer-policy",
            "x-content-type-options", "cross-origin-resource-policy", "content-security-policy-report-only",
        ];
        let score = graded(&[(names[name], &value), (names[name], &value)]);
        proptest::prop_assert!(score.score <= 140);
    }
}
