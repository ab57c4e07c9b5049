use super::*;

fn faults(policy: &str) -> Vec<String> {
    Csp::from(policy).faults().into_iter().map(|(reason, _)| reason.into_owned()).collect()
}

#[test]
fn policies_that_do_not_do_what_they_say_are_refused() {
    for (policy, reason) in [
        ("", "is empty"),
        (" ; ", "is empty"),
        ("default-src self", "lacks its quotes"),
        ("default-src 'self'; script-src NONE", "lacks its quotes"),
        ("script-src nonce-abc", "lacks its quotes"),
        ("script-src sha256-abc", "lacks its quotes"),
        ("script-src 'self", "lacks a quote"),
        ("script-src 'selfish'", "is no keyword"),
        ("script-src 'sha256-abc'", "is no hash"),
        ("script-src 'nonce-***'", "is no nonce"),
        ("img-src 'nonce-{}'", "has no meaning there"),
        ("frame-ancestors 'unsafe-inline'", "has no meaning there"),
        ("default-src 'self'; default-src 'none'", "stands twice"),
        ("default-src 'self' 'none'", "beside other sources"),
        ("default-src", "has no source"),
        ("default-src 'self', script-src 'none'", "holds a comma"),
        ("default-src 'self'\r\nX-Evil: 1", "visible ASCII"),
        ("default-src bücher.example", "visible ASCII"),
        ("default-src https://a.example:99999", "is no scheme and no host"),
        ("default-src ..", "is no scheme and no host"),
        ("default-src https://a.example/?x", "is no scheme and no host"),
        ("'self'", "is no directive"),
        ("scirpt-src 'self'", "is no directive"),
        ("block-all-mixed-content", "is no directive"),
        ("sandbox allow-everything", "has no flag"),
        ("report-uri ftp://a.example", "cannot be"),
        ("upgrade-insecure-requests yes", "wrong value"),
    ] {
        let found = faults(policy);
        assert!(found.len() == 1 && found[0].contains(reason), "{policy:?}: {found:?}");
    }
}

#[test]
fn policies_that_do_are_read_and_written_alike() {
    for policy in [
        "default-src 'none'; frame-ancestors 'none'",
        "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'",
        "upgrade-insecure-requests; img-src https: data:",
        "script-src 'nonce-{}' 'strict-dynamic' https://self.example:8443/a/",
        "script-src 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='",
        "font-src *.example.com wss://*:*; sandbox allow-scripts; report-to main; report-uri /csp",
        "require-trusted-types-for 'script'; trusted-types one 'allow-duplicates'",
    ] {
        assert_eq!(faults(policy), [""; 0], "{policy}");
        assert_eq!(Csp::from(policy).to_string(), policy);
    }
}

#[test]
fn directives_fall_back_as_browsers_have_it() {
    let csp = Csp::from("default-src 'self'; child-src https:; base-uri 'none'");
    assert_eq!(csp.effective(Directive::ScriptSrcElem), Some(&[Source::SELF][..]));
    assert_eq!(csp.effective(Directive::FrameSrc), Some(&["https:".into()][..]));
    assert_eq!(csp.effective(Directive::FrameAncestors), None);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(policy in "\\PC{0,60}") {
        let _ = Csp::from(&*policy).to_string();
    }

    #[test]
    fn what_is_accepted_is_written_as_it_was_meant(policy in "([a-z-]{3,12} ('self'|https:|a[.]example|'none'|[a-z'*.:/-]{1,12}) ?;? ?){1,4}") {
        if let Ok(csp) = Csp::parse(&policy) {
            proptest::prop_assert_eq!(Csp::parse(&csp.to_string()), Ok(csp));
        }
    }
}
