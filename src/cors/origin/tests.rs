use super::*;
use crate::cors::origin;

const EXACT: OriginPattern = origin!("https://app.example.com");
const ALL: OriginPattern = origin!("https://*.example.com:*");

#[test]
fn what_the_compiler_has_read_is_what_is_read_at_run_time() {
    assert_eq!(EXACT, OriginPattern::parse("https://app.example.com").unwrap());
    assert_eq!(ALL, OriginPattern::parse("https://*.example.com:*").unwrap());
    assert!(ALL.matches("https://a.example.com:8443"));
    assert_eq!(OriginPattern::complaint("https://a.example"), None);
    let complaint = OriginPattern::complaint("https://a.example/").unwrap();
    assert_eq!(complaint, "this origin has a trailing slash, which browsers never send (remove the slash)");
    // Who goes round the macro gets nothing.
    assert!(!OriginPattern::literal("null").matches("null"));
    assert!(!OriginPattern::literal("null").matches("https://a.example"));
}

#[test]
fn what_browsers_send_is_accepted() {
    for origin in [
        "https://app.example.com",
        "https://example.com:8443",
        "http://localhost:3000",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
        "https://[2001:db8::1]",
        "https://xn--bcher-kva.example",
        "https://a_b.example",
        "https://1and1.example",
        "http://example.com:443",
        "https://example.com:65535",
        "https://example.com:1",
        "capacitor://localhost",
        "chrome-extension://abcdefghijklmnop",
    ] {
        let pattern = OriginPattern::parse(origin).unwrap();
        assert!(pattern.is_exact() && pattern.matches(origin), "{origin}");
    }
    for pattern in ["https://*.example.com", "http://localhost:*", "https://*.example.com:*", "http://[::1]:*"] {
        assert!(!OriginPattern::parse(pattern).unwrap().is_exact(), "{pattern}");
    }
}

#[test]
fn what_browsers_never_send_is_refused() {
    use OriginFault as Is;
    for (origin, fault) in [
        ("", Is::Empty),
        ("*", Is::EveryOrigin),
        ("null", Is::Null),
        ("app.example.com", Is::NoScheme),
        ("*.example.com", Is::NoScheme),
        (".example.com", Is::NoScheme),
        ("//app.example.com", Is::NoScheme),
        ("https:app.example.com", Is::NoScheme),
        ("^https://.*\\.example\\.com$", Is::BadScheme),
        ("://a.example", Is::BadScheme),
        ("1https://a.example", Is::BadScheme),
        ("ht tps://a.example", Is::BadScheme),
        ("*://app.example.com", Is::MisplacedWildcard),
        ("http*://app.example.com", Is::MisplacedWildcard),
        ("https://*", Is::MisplacedWildcard),
        ("https://*:8443", Is::MisplacedWildcard),
        ("https://*example.com", Is::MisplacedWildcard),
        ("https://app*.example.com", Is::MisplacedWildcard),
        ("https://app.*.example.com", Is::MisplacedWildcard),
        ("https://*.*.example.com", Is::MisplacedWildcard),
        ("https://app.example.*", Is::MisplacedWildcard),
        ("https://app.example.com:8*", Is::MisplacedWildcard),
        ("https://app.example.com:**", Is::MisplacedWildcard),
        ("capacitor://*.example.com", Is::WildcardScheme),
        ("capacitor://localhost:*", Is::WildcardScheme),
        ("https://*.192.0.2.1", Is::WildcardAddress),
        ("https://*.1", Is::WildcardAddress),
        ("https://*.[::1]", Is::WildcardAddress),
        ("https://app.example.com/", Is::TrailingSlash),
        ("https://app.example.com/path", Is::Path),
        ("https://app.example.com/path/", Is::Path),
        ("https://app.example.com?x", Is::Path),
        ("https://app.example.com#x", Is::Path),
        ("https://app.example.com\\x", Is::Path),
        ("https://user@app.example.com", Is::UserInformation),
        ("HTTPS://app.example.com", Is::Capitals),
        ("https://App.example.com", Is::Capitals),
        ("https://app.example.com:443", Is::DefaultPort),
        ("http://app.example.com:80", Is::DefaultPort),
        ("https://app.example.com:0", Is::BadPort),
        ("https://app.example.com:", Is::BadPort),
        ("https://app.example.com:65536", Is::BadPort),
        ("https://app.example.com:08443", Is::BadPort),
        ("https://app.example.com:+80", Is::BadPort),
        ("https://app.example.com:80:90", Is::BadPort),
        ("https://bücher.example", Is::NotAscii),
        ("https://", Is::BadHost),
        ("https://*.", Is::BadHost),
        ("https://.example.com", Is::BadHost),
        ("https://example.com.", Is::TrailingDot),
        ("https://a..b", Is::BadHost),
        ("https://*..b", Is::BadHost),
        ("https://-a.example", Is::BadHost),
        ("https://a-.example", Is::BadHost),
        ("https://a b.example", Is::BadHost),
        ("https://a,b.example", Is::BadHost),
        ("https://a.example https://b.example", Is::Path),
        ("https://a.example\n", Is::BadHost),
        ("https://1.2.3", Is::BadIpv4),
        ("https://1.2.3.256", Is::BadIpv4),
        ("https://01.2.3.4", Is::BadIpv4),
        ("https://1.2.3.0x4", Is::BadIpv4),
        ("https://[::ffff:1.2.3.4]", Is::MappedIpv4),
        ("https://[::ffff:102:304]", Is::MappedIpv4),
        ("https://[2001:db8:0:0::1]", Is::LongIpv6),
        ("https://[0:0:0:0:0:0:0:1]", Is::LongIpv6),
        ("https://[fe80::1%25eth0]", Is::Zone),
        ("https://[::1", Is::BadHost),
        ("https://[::1]x", Is::BadHost),
        ("https://[]", Is::BadHost),
        ("file://host", Is::OpaqueScheme),
        ("file:///srv", Is::OpaqueScheme),
    ] {
        let error = OriginPattern::parse(origin).expect_err(origin);
        assert_eq!(error.fault(), fault, "{origin}");
        assert!(!origin!("https://*.example.com:*").matches(origin), "{origin}");
    }
    let long = format!("https://{}example", "a.".repeat(5_000));
    assert_eq!(OriginPattern::parse(&long).unwrap_err().fault(), Is::TooLong);
    assert_eq!(OriginPattern::parse(&long).unwrap_err().text().len(), 200);
    let label = format!("https://{}.example", "a".repeat(64));
    assert_eq!(OriginPattern::parse(&label).unwrap_err().fault(), Is::BadHost);
}

#[test]
fn a_pattern_covers_what_it_says_and_nothing_beside() {
    let cases: [(&str, &[&str], &[&str]); 4] = [
        (
            "https://*.example.com",
            &["https://a.example.com", "https://a.b.c.example.com", "https://xn--a.example.com"],
            &[
                "https://example.com",
                "https://aexample.com",
                "https://a.example.com:8443",
                "http://a.example.com",
                "https://a.example.com.evil.example",
                "https://a..example.com",
                "https://.example.com",
                "https://evil.example/.example.com",
                "https://evil.example#.example.com",
                "https://u@a.example.com",
                "https://*.example.com",
            ],
        ),
        (
            "http://localhost:*",
            &["http://localhost", "http://localhost:1", "http://localhost:65535"],
            &[
                "https://localhost",
                "http://localhost:80",
                "http://localhost:0",
                "http://a.localhost",
                "http://localhost:*",
            ],
        ),
        (
            "https://*.example.com:8443",
            &["https://a.example.com:8443"],
            &["https://a.example.com", "https://a.example.com:8444", "https://example.com:8443"],
        ),
        (
            "https://*.example.com:*",
            &["https://a.example.com", "https://a.example.com:1"],
            &["https://example.com", "https://a.example.com:443"],
        ),
    ];
    for (pattern, covered, others) in cases {
        let pattern = OriginPattern::parse(pattern).unwrap();
        assert!(covered.iter().all(|origin| pattern.matches(origin)), "{pattern}");
        for origin in others {
            assert!(!pattern.matches(origin), "{pattern} {origin}");
        }
    }
}

#[test]
fn patterns_cover_patterns() {
    let covers = |a: &str, b: &str| OriginPattern::parse(a).unwrap().covers(&OriginPattern::parse(b).unwrap());
    assert!(covers("https://*.example.com", "https://*.example.com"));
    assert!(covers("https://*.example.com", "https://*.a.example.com"));
    assert!(covers("https://*.example.com:*", "https://*.example.com:8443"));
    assert!(!covers("https://*.example.com:8443", "https://*.example.com:*"));
    assert!(!covers("https://a.example.com", "https://*.a.example.com"));
    assert!(!covers("https://*.a.example.com", "https://*.example.com"));
}

#[test]
fn only_plain_http_beyond_this_machine_is_insecure() {
    let insecure = |text| OriginPattern::parse(text).unwrap().is_insecure();
    for origin in [
        "http://app.example.com",
        "http://10.0.0.1",
        "http://notlocalhost",
        "http://[2001:db8::1]",
        "http://*.example.com",
        "http://10.0.0.1:*",
    ] {
        assert!(insecure(origin), "{origin}");
    }
    for origin in [
        "https://a.example",
        "http://localhost:1",
        "http://localhost:*",
        "http://a.localhost",
        "http://*.localhost:*",
        "http://127.9.9.9",
        "http://[::1]",
    ] {
        assert!(!insecure(origin), "{origin}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,40}") {
        let _ = OriginPattern::parse(&text);
    }

    #[test]
    fn what_is_accepted_is_what_a_url_parser_would_serialise(
        host in "[a-z0-9.-]{1,12}", port in proptest::option::of("[0-9]{1,6}"),
    ) {
        let text = port.map_or(format!("https://{host}"), |port| format!("https://{host}:{port}"));
        if let Ok(pattern) = OriginPattern::parse(&text) {
            let uri: http::Uri = text.parse().unwrap();
            proptest::prop_assert_eq!(uri.host(), Some(&*host));
            proptest::prop_assert!(uri.port_u16() != Some(443));
            proptest::prop_assert!(pattern.matches(&text));
        }
    }
}
