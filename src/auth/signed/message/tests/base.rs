//! The examples of RFC 9421 §2, and what cannot be signed.

use http::Request;

use crate::auth::{
    Head,
    signed::message::{Message, input::parse_input, signature_base},
};

/// The value of one component, or the detail of the refusal.
fn line(target: &str, fields: &[(&str, &[u8])], component: &str) -> Result<String, String> {
    let mut request = Request::get(target);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let request = request.body(()).unwrap();
    let input = parse_input(format!("a=({component})").as_bytes()).expect("an input").remove(0);
    let message = Message { head: Head::of(&request), scheme: "https", authority: "www.example.com" };
    let base = signature_base(&message, &input).map_err(|refused| refused.to_string())?;
    let (line, rest) = base.split_once('\n').unwrap();
    assert_eq!(rest, format!("\"@signature-params\": ({component})"));
    Ok(line.strip_prefix(component).unwrap().strip_prefix(": ").unwrap().to_owned())
}

/// RFC 9421 §2.2.
#[test]
fn derived_components_rfc9421() {
    let target = "/path?param=value&foo=bar&baz=batman";
    for (component, value) in [
        ("@method", "GET"),
        ("@target-uri", "https://www.example.com/path?param=value&foo=bar&baz=batman"),
        ("@authority", "www.example.com"),
        ("@scheme", "https"),
        ("@request-target", target),
        ("@path", "/path"),
        ("@query", "?param=value&foo=bar&baz=batman"),
        ("@query-param\";name=\"baz", "batman"),
    ] {
        assert_eq!(line(target, &[], &format!("\"{component}\"")).as_deref(), Ok(value), "{component}");
    }
    assert_eq!(line("/path", &[], "\"@query\"").as_deref(), Ok("?"));
    assert_eq!(line("/path?queryString", &[], "\"@query\"").as_deref(), Ok("?queryString"));
    assert_eq!(line("/path", &[], "\"@request-target\"").as_deref(), Ok("/path"));
    assert_eq!(line("https://www.example.com", &[], "\"@path\"").as_deref(), Ok("/"));
}

/// RFC 9421 §2.2.8.
#[test]
fn query_parameters_rfc9421() {
    let target = "/parameters?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something&empty=";
    let value = |name: &str| line(target, &[], &format!("\"@query-param\";name=\"{name}\""));
    assert_eq!(value("var").as_deref(), Ok("this%20is%20a%20big%0Amultiline%20value"));
    assert_eq!(value("bar").as_deref(), Ok("with%20plus%20whitespace"));
    assert_eq!(value("fa%C3%A7ade%22%3A%20").as_deref(), Ok("something"));
    assert_eq!(value("empty").as_deref(), Ok(""));
    assert!(value("none").is_err());
    // Twice is nothing that can be signed.
    assert!(line("/?a=1&%61=2", &[], "\"@query-param\";name=\"a\"").is_err());
}

/// RFC 9421 §2.1.
#[test]
fn fields_rfc9421() {
    let fields: &[(&str, &[u8])] = &[
        ("cache-control", b"max-age=60"),
        ("cache-control", b"   must-revalidate "),
        ("x-empty", b""),
        ("example-dict", b"  a=1,    b=2;x=1;y=2,   c=(a   b   c), d"),
        ("priority", b" u=1,    i;x=1;y=2"),
        ("example-header", b"value, with, lots"),
        ("example-header", b"of, commas"),
        ("latin", b"caf\xe9"),
    ];
    let value = |component: &str| line("/", fields, component);
    for (component, expected) in [
        (r#""cache-control""#, "max-age=60, must-revalidate"),
        (r#""x-empty""#, ""),
        (r#""example-dict";key="a""#, "1"),
        (r#""example-dict";key="b""#, "2;x=1;y=2"),
        (r#""example-dict";key="c""#, "(a b c)"),
        (r#""example-dict";key="d""#, "?1"),
        (r#""priority";sf"#, "u=1, i;x=1;y=2"),
        (r#""example-header""#, "value, with, lots, of, commas"),
        (r#""example-header";bs"#, ":dmFsdWUsIHdpdGgsIGxvdHM=:, :b2YsIGNvbW1hcw==:"),
        (r#""latin";bs"#, ":Y2Fm6Q==:"),
    ] {
        assert_eq!(value(component).as_deref(), Ok(expected), "{component}");
    }
}

#[test]
fn what_cannot_be_signed_is_refused() {
    let fields: &[(&str, &[u8])] = &[("a", b"b=1"), ("latin", b"caf\xe9"), ("host", b"www.example.com")];
    for bad in [
        r#""missing""#,
        r#""A""#,
        r#""@status""#,
        r#""@unknown""#,
        r#""@signature-params""#,
        r#""@method";req"#,
        r#""@path";sf"#,
        r#""@query-param""#,
        r#""@query-param";key="a""#,
        r#""@query-param";name="a";sf"#,
        r#""a";req"#,
        r#""a";tr"#,
        r#""a";sf"#,
        r#""a";key="c""#,
        r#""a";key=b"#,
        r#""a";bs;sf"#,
        r#""a";bs=?0"#,
        r#""a";other"#,
        r#""latin""#,
        r#""""#,
        r#""a b""#,
    ] {
        assert!(line("/", fields, bad).is_err(), "{bad}");
    }
    // A target may hold bytes that a base may not.
    assert!(line("/\u{1234}", &[], "\"@path\"").is_err());
}
