//! Attacks on signed requests: AWS Signature Version 4 and RFC 9421.

use std::time::Duration;

use axum::body::Body;
use http::{HeaderValue, Method, Request};

use super::scene::{Attack, NEEDLE, NOW, Scene, message, message_by, order, sigv4, sigv4_for};

type Change = fn(&mut Request<Body>);

/// What is changed after signing.
const CHANGES: [(&str, Change); 8] = [
    ("the method", |request| *request.method_mut() = Method::DELETE),
    ("the path", |request| {
        let uri = request.uri().to_string().replace("/orders?", "/accounts?");
        *request.uri_mut() = uri.parse().unwrap();
    }),
    ("the query", |request| {
        let uri = format!("{}&admin=1", request.uri());
        *request.uri_mut() = uri.parse().unwrap();
    }),
    ("the body", |request| *request.body_mut() = Body::from("{\"n\":2}")),
    ("no body", |request| *request.body_mut() = Body::empty()),
    ("the host", |request| set(request, "host", "attacker.test")),
    ("two hosts", |request| {
        request.headers_mut().append("host", HeaderValue::from_static("attacker.test"));
    }),
    ("everything", |request| {
        *request.method_mut() = Method::PUT;
        *request.body_mut() = Body::from("x");
    }),
];

pub(crate) fn attacks(_: &Scene) -> Vec<Attack> {
    let mut list = Vec::new();
    for (name, change) in CHANGES {
        let mut add = |class, mut request| {
            change(&mut request);
            list.push(Attack::new(class, name, request));
        };
        add("SigV4: changed", sigv4().sign(order()));
        add("presigned: changed", sigv4().presign(order(), Duration::from_secs(60)));
        add("RFC 9421: changed", message().nonce(name).sign(order()));
    }
    aws(&mut list);
    aws_forms(&mut list);
    messages(&mut list);
    message_forms(&mut list);
    list
}

fn set(request: &mut Request<Body>, name: &'static str, value: &str) {
    request.headers_mut().insert(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
}

fn ahead(seconds: i64) -> portcullis::time::Timestamp {
    portcullis::time::Timestamp::from_secs(NOW.as_secs().saturating_add_signed(seconds))
}

fn aws(list: &mut Vec<Attack>) {
    let key = "AKIDEXAMPLE";
    for (name, signer) in [
        ("another secret", sigv4_for(key, Some("another secret"), "eu-1", "orders")),
        ("an empty secret", sigv4_for(key, Some(""), "eu-1", "orders")),
        ("an unknown key", sigv4_for("AKIDUNKNOWN", None, "eu-1", "orders")),
        ("SQL for a key", sigv4_for("'--", None, "eu-1", "orders")),
        ("another region", sigv4_for(key, None, "us-1", "orders")),
        ("another service", sigv4_for(key, None, "eu-1", "billing")),
        ("old", sigv4().at(ahead(-3_600))),
        ("of tomorrow", sigv4().at(ahead(86_400))),
        ("without the body", sigv4().unsigned_payload()),
    ] {
        list.push(Attack::new("SigV4: another signer", name, signer.sign(order())));
    }
    for (name, signer, life) in [
        ("over", sigv4().at(ahead(-3_600)), 60),
        ("for eight days", sigv4(), 8 * 86_400),
        ("for nothing", sigv4(), 0),
        ("of tomorrow", sigv4().at(ahead(86_400)), 60),
        ("without the body", sigv4().unsigned_payload(), 60),
    ] {
        list.push(Attack::new("presigned", name, signer.presign(order(), Duration::from_secs(life))));
    }
    let both = sigv4().sign(sigv4().presign(order(), Duration::from_secs(60)).map(|_| "{\"n\":1}"));
    list.push(Attack::new("two credentials", "SigV4 in header and query", both));
    let presigned = |change: fn(&str) -> String| {
        let mut request = sigv4().presign(order(), Duration::from_secs(60));
        let uri = change(&request.uri().to_string());
        *request.uri_mut() = uri.parse().unwrap();
        request
    };
    for (name, change) in [
        ("a longer life", (|uri| uri.replace("X-Amz-Expires=60", "X-Amz-Expires=600")) as fn(&str) -> String),
        ("no life", |uri| uri.replace("X-Amz-Expires=60", "X-Amz-Expires=")),
        ("its life twice", |uri| format!("{uri}&X-Amz-Expires=600")),
        ("its signature twice", |uri| format!("{uri}&X-Amz-Signature={}", "0".repeat(64))),
        ("in small letters", |uri| uri.replace("X-Amz-Signature", "x-amz-signature")),
        ("no algorithm", |uri| uri.replace("X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Algorithm=none")),
    ] {
        list.push(Attack::new("presigned: changed", name, presigned(change)));
    }
}

/// `Authorization` and the fields beside it, bent out of shape.
fn aws_forms(list: &mut Vec<Attack>) {
    let changed = |change: &dyn Fn(&str) -> String| {
        let mut request = sigv4().sign(order());
        let value = change(request.headers()["authorization"].to_str().unwrap());
        set(&mut request, "authorization", &value);
        request
    };
    let zeros = "0".repeat(64);
    let without = |name: &str| {
        changed(&|value| {
            let part = value.split(", ").find(|part| part.contains(name)).unwrap().to_owned();
            value.replace(&format!("{part}, "), "").replace(&format!(", {part}"), "")
        })
    };
    let signature_of = |value: &str| value.rsplit('=').next().unwrap().to_owned();
    for (name, request) in [
        ("no signature", without("Signature=")),
        ("no signed fields", without("SignedHeaders")),
        ("zeros for a signature", changed(&|value| value.replace(&signature_of(value), &zeros))),
        ("in capitals", changed(&|value| value.replace(&signature_of(value), &signature_of(value).to_uppercase()))),
        ("an empty signature", changed(&|value| value.replace(&signature_of(value), ""))),
        ("twice", changed(&|value| format!("{value}, Signature={zeros}"))),
        ("host not signed", changed(&|value| value.replace("host;", ""))),
        ("the date not signed", changed(&|value| value.replace(";x-amz-date", ""))),
        ("the digest not signed", changed(&|value| value.replace(";x-amz-content-sha256", ""))),
        ("fields unsorted", changed(&|value| value.replace("content-type;host", "host;content-type"))),
        ("a field twice", changed(&|value| value.replace("host;", "host;host;"))),
        ("a field that is not there", changed(&|value| value.replace("host;", "host;x-absent;"))),
        ("another day", changed(&|value| value.replace("/20270115/", "/20270114/"))),
        ("another terminator", changed(&|value| value.replace("aws4_request", "aws5_request"))),
        ("another algorithm", changed(&|value| value.replace("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"))),
        ("the scheme alone", changed(&|_| "AWS4-HMAC-SHA256".to_owned())),
        ("a needle", changed(&|_| format!("AWS4-HMAC-SHA256 {NEEDLE}"))),
        ("long", changed(&|value| format!("{value}, X={}", "x".repeat(9_000)))),
    ] {
        list.push(Attack::new("SigV4: form", name, request));
    }
    for (field, value) in [
        ("x-amz-date", "20270115T080001Z"),
        ("x-amz-date", ""),
        ("x-amz-date", "yesterday"),
        ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        ("x-amz-content-sha256", ""),
        ("x-amz-security-token", "another session"),
        ("x-amz-target", "not signed"),
    ] {
        let mut request = sigv4().sign(order());
        set(&mut request, field, value);
        list.push(Attack::new("SigV4: fields", format!("{field}: {value}"), request));
        let mut request = sigv4().sign(order());
        request.headers_mut().append(field, HeaderValue::from_static("again"));
        list.push(Attack::new("SigV4: fields", format!("{field} twice"), request));
    }
}

fn messages(list: &mut Vec<Attack>) {
    let nonce = |name: &str| format!("{name:?}").replace('"', "");
    for (name, signer) in [
        ("another secret", message_by("AKIDEXAMPLE", "another secret, as long as it should be")),
        ("an unknown key", message_by("unknown", "another secret, as long as it should be")),
        ("SQL for a key", message_by("' OR 1=1 --", "another secret, as long as it should be")),
        ("another algorithm", message().parameter("alg=\"ed25519\"")),
        ("no algorithm", message().parameter("alg=\"none\"")),
        ("old", message().at(ahead(-3_600))),
        ("of tomorrow", message().at(ahead(86_400))),
        ("over", message().expires(Duration::from_secs(NOW.as_secs()))),
    ] {
        list.push(Attack::new("RFC 9421: another signer", name, signer.nonce(&nonce(name)).sign(order())));
    }
    list.push(Attack::new("RFC 9421: another signer", "no nonce", message().sign(order())));
    for names in [
        "",
        "@method",
        "@method @target-uri",
        "@target-uri content-digest",
        "@method content-digest",
        "@method @authority @path content-digest",
        "@method @path @query content-digest",
        "@method @scheme @authority content-digest",
    ] {
        let components: Vec<String> = names.split_whitespace().map(|name| format!("\"{name}\"")).collect();
        let request = message().components(components).nonce(names).sign(order());
        list.push(Attack::new("RFC 9421: too little covered", names, request));
    }
    let signed = || message().nonce("again and again").sign(order());
    let mut replay = Attack::new("replay", "a signature again", signed());
    replay.before.push(signed());
    list.push(replay);
}

fn message_forms(list: &mut Vec<Attack>) {
    let changed = |field: &'static str, change: &dyn Fn(&str) -> String| {
        let mut request = message().nonce("form").sign(order());
        let value = change(request.headers()[field].to_str().unwrap());
        set(&mut request, field, &value);
        request
    };
    let input = "signature-input";
    for (name, request) in [
        ("nothing", changed(input, &|_| String::new())),
        ("no parameters", changed(input, &|_| "sig1=()".into())),
        ("another label", changed(input, &|value| value.replace("sig1", "sig2"))),
        ("a label twice", changed(input, &|value| format!("{value}, {value}"))),
        ("a component twice", changed(input, &|value| value.replace("(\"@method\"", "(\"@method\" \"@method\""))),
        ("a component less", changed(input, &|value| value.replace("\"@method\" ", ""))),
        ("no date", changed(input, &|value| value.replace("created=", "x="))),
        ("another date", changed(input, &|value| value.replace("created=1800000000", "created=1800000001"))),
        ("a parameter twice", changed(input, &|value| format!("{value};created=1800000000"))),
        ("no key", changed(input, &|value| value.replace("keyid=", "x="))),
        ("another key", changed(input, &|value| value.replace("AKIDEXAMPLE", NEEDLE))),
        ("of the request", changed(input, &|value| value.replace("\"@method\"", "\"@method\";req"))),
        ("of trailers", changed(input, &|value| value.replace("\"content-digest\"", "\"content-digest\";tr"))),
        ("a status", changed(input, &|value| value.replace("\"@method\"", "\"@status\""))),
        ("what is not known", changed(input, &|value| value.replace("\"@method\"", "\"@nonsense\""))),
        ("long", changed(input, &|value| format!("{value};x=\"{}\"", "x".repeat(20_000)))),
        ("many", changed(input, &|value| (0..20).map(|n| format!("s{n}={value}")).collect::<Vec<_>>().join(", "))),
        ("empty signature", changed("signature", &|_| "sig1=::".into())),
        ("zeros for a signature", changed("signature", &|_| format!("sig1=:{}=:", "A".repeat(43)))),
        ("a signature that is none", changed("signature", &|_| format!("sig1={NEEDLE}"))),
        ("the digest of another body", changed("content-digest", &|_| digest("sha-256"))),
        ("a digest that nobody knows", changed("content-digest", &|_| digest("md5"))),
        ("a digest that is none", changed("content-digest", &|_| NEEDLE.into())),
    ] {
        list.push(Attack::new("RFC 9421: form", name, request));
    }
    for field in ["signature", "signature-input"] {
        let mut request = message().nonce("alone").sign(order());
        request.headers_mut().remove(field);
        list.push(Attack::new("RFC 9421: form", format!("no {field}"), request));
        let mut request = message().nonce("twice").sign(order());
        let value = request.headers()[field].clone();
        request.headers_mut().append(field, value);
        list.push(Attack::new("RFC 9421: form", format!("{field} twice"), request));
    }
}

fn digest(algorithm: &str) -> String {
    format!("{algorithm}=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:")
}
