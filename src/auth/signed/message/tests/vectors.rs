//! The test cases of RFC 9421, Appendix B.2, with the keys of Appendix B.1.

use base64ct::{Base64, Encoding as _};
use http::Request;

use crate::{
    auth::{
        Head,
        signed::{
            SignatureAlgorithm, SigningKey,
            message::{
                Message, digest,
                input::{parse_input, parse_signatures},
                signature_base,
            },
        },
    },
    secret::Secret,
    time::Timestamp,
};

/// `test-request`.
fn request() -> Request<&'static str> {
    Request::post("/foo?param=Value&Pet=dog")
        .header("host", "example.com")
        .header("date", "Tue, 20 Apr 2021 02:07:55 GMT")
        .header("content-type", "application/json")
        .header("content-digest", CONTENT_DIGEST)
        .header("content-length", "18")
        .body("{\"hello\": \"world\"}")
        .unwrap()
}

const CONTENT_DIGEST: &str =
    "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:";

struct Case {
    name: &'static str,
    key: fn() -> SigningKey,
    input: &'static str,
    signature: &'static str,
    base: &'static str,
}

fn jwk(id: &str, json: &str) -> SigningKey {
    SigningKey::jwk(id, "tester", json).build().unwrap()
}

/// Keys of RSA are used with the algorithm of their `alg`, which the appendix leaves to the reader.
fn rsa_pss() -> SigningKey {
    jwk(
        "test-key-rsa-pss",
        r#"{"kty":"RSA","alg":"PS512","e":"AQAB","n":"r4tmm3r20Wd_PbqvP1s2-QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct-Lh1GH45x28Rw3Ry53mm-oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHqgDsznjPFmTOtCEcN2Z1FpWgchwuYLPL-Wokqltd11nqqzi-bJ9cvSKADYdUAAN5WUtzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4aOT9v6d-nb4bnNkQVklLQ3fVAvJm-xdDOp9LCNCN48V2pnDOkFV6-U9nV5oyc6XI2w"}"#,
    )
}

fn p256() -> SigningKey {
    jwk(
        "test-key-ecc-p256",
        r#"{"kty":"EC","crv":"P-256","x":"qIVYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivA","y":"Mc4nN9LTDOBhfoUeg8Ye9WedFRhnZXZJA12Qp0zZ6F0"}"#,
    )
}

fn ed25519() -> SigningKey {
    jwk("test-key-ed25519", r#"{"kty":"OKP","crv":"Ed25519","x":"JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"}"#)
}

fn shared_secret() -> SigningKey {
    let secret =
        Base64::decode_vec("uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==");
    SigningKey::secret("test-shared-secret", "tester", Secret::new(secret.unwrap())).build().unwrap()
}

const CASES: &[Case] = &[
    Case {
        name: "B.2.1",
        key: rsa_pss,
        input: r#"sig-b21=();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd""#,
        signature: "sig-b21=:d2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq786U7it++wgGxbtRxf8Udx7zFZsckzXaJMkA7ChG52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbzR72rgFWhzx2VjBqJzsPLMIQKhO4DGezXehhWwE56YCE+O6c0mKZsfxVrogUvA4HELjVKWmAvtl6UnCh8jYzuVG5WSb/QEVPnP5TmcAnLH1g+s++v6d4s8m0gCw1fV5/SITLq9mhho8K3+7EPYTU8IU1bLhdxO5Nyt8C8ssinQ98Xw9Q==:",
        base: r#""@signature-params": ();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd""#,
    },
    Case {
        name: "B.2.2",
        key: rsa_pss,
        input: r#"sig-b22=("@authority" "content-digest" "@query-param";name="Pet");created=1618884473;keyid="test-key-rsa-pss";tag="header-example""#,
        signature: "sig-b22=:LjbtqUbfmvjj5C5kr1Ugj4PmLYvx9wVjZvD9GsTT4F7GrcQEdJzgI9qHxICagShLRiLMlAJjtq6N4CDfKtjvuJyE5qH7KT8UCMkSowOB4+ECxCmT8rtAmj/0PIXxi0A0nxKyB09RNrCQibbUjsLS/2YyFYXEu4TRJQzRw1rLEuEfY17SARYhpTlaqwZVtR8NV7+4UKkjqpcAoFqWFQh62s7Cl+H2fjBSpqfZUJcsIk4N6wiKYd4je2U/lankenQ99PZfB4jY3I5rSV2DSBVkSFsURIjYErOs0tFTQosMTAoxk//0RoKUqiYY8Bh0aaUEb0rQl3/XaVe4bXTugEjHSw==:",
        base: r#""@authority": example.com
"content-digest": sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:
"@query-param";name="Pet": dog
"@signature-params": ("@authority" "content-digest" "@query-param";name="Pet");created=1618884473;keyid="test-key-rsa-pss";tag="header-example""#,
    },
    Case {
        name: "B.2.3",
        key: rsa_pss,
        input: r#"sig-b23=("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-rsa-pss""#,
        signature: "sig-b23=:bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt683+qRpRRU5p2voTp768ZrCUb38K0fUxN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW91kE9o/CCoC1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRxpJyoEZAFL2FUo5fTIztsDZKEgM4cUA==:",
        base: r#""date": Tue, 20 Apr 2021 02:07:55 GMT
"@method": POST
"@path": /foo
"@query": ?param=Value&Pet=dog
"@authority": example.com
"content-type": application/json
"content-digest": sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:
"content-length": 18
"@signature-params": ("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-rsa-pss""#,
    },
    Case {
        name: "B.2.4",
        key: p256,
        input: r#"sig-b24=("@status" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-ecc-p256""#,
        signature: "sig-b24=:wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==:",
        base: r#""@status": 200
"content-type": application/json
"content-digest": sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:
"content-length": 23
"@signature-params": ("@status" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-ecc-p256""#,
    },
    Case {
        name: "B.2.5",
        key: shared_secret,
        input: r#"sig-b25=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret""#,
        signature: "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:",
        base: r#""date": Tue, 20 Apr 2021 02:07:55 GMT
"@authority": example.com
"content-type": application/json
"@signature-params": ("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret""#,
    },
    Case {
        name: "B.2.6",
        key: ed25519,
        input: r#"sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519""#,
        signature: "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:",
        base: r#""date": Tue, 20 Apr 2021 02:07:55 GMT
"@method": POST
"@path": /foo
"@authority": example.com
"content-type": application/json
"content-length": 18
"@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519""#,
    },
];

impl Case {
    fn signature(&self) -> Vec<u8> {
        parse_signatures(self.signature.as_bytes()).unwrap().remove(0).1
    }
}

#[test]
fn every_base_of_a_request_is_that_of_the_appendix() {
    let request = request();
    for case in CASES.iter().filter(|case| !case.base.contains("@status")) {
        let input = parse_input(case.input.as_bytes()).unwrap().remove(0);
        let message = Message { head: Head::of(&request), scheme: "https", authority: "example.com" };
        assert_eq!(signature_base(&message, &input).unwrap(), case.base, "{}", case.name);
    }
    // B.2.4 signs a response, which is nothing that a request can be.
    let input = parse_input(CASES[3].input.as_bytes()).unwrap().remove(0);
    let message = Message { head: Head::of(&request), scheme: "https", authority: "example.com" };
    assert!(signature_base(&message, &input).is_err());
}

#[test]
fn every_signature_verifies_with_its_key_and_no_other() {
    for case in CASES {
        let (key, signature) = ((case.key)(), case.signature());
        assert!(key.verify(case.base.as_bytes(), &signature, Timestamp::EPOCH), "{}", case.name);
        for other in CASES.iter().map(|case| (case.key)()).filter(|other| other.id() != key.id()) {
            assert!(!other.verify(case.base.as_bytes(), &signature, Timestamp::EPOCH), "{}", case.name);
        }
    }
}

#[test]
fn every_change_of_a_byte_is_seen() {
    for case in CASES {
        let (key, signature) = ((case.key)(), case.signature());
        for index in 0..signature.len() {
            let mut changed = signature.clone();
            changed[index] ^= 1;
            assert!(!key.verify(case.base.as_bytes(), &changed, Timestamp::EPOCH), "{}: {index}", case.name);
        }
        for index in (0..case.base.len()).step_by(7) {
            let mut changed = case.base.as_bytes().to_vec();
            changed[index] ^= 1;
            assert!(!key.verify(&changed, &signature, Timestamp::EPOCH), "{}: {index}", case.name);
        }
        assert!(!key.verify(case.base.as_bytes(), &signature[1..], Timestamp::EPOCH), "{}", case.name);
        assert!(!key.verify(case.base.as_bytes(), b"", Timestamp::EPOCH), "{}", case.name);
    }
}

#[test]
fn keys_have_the_algorithm_of_their_type() {
    use SignatureAlgorithm as A;
    let algorithms: Vec<_> = CASES.iter().map(|case| (case.key)().algorithm()).collect();
    assert_eq!(
        algorithms,
        [A::RsaPssSha512, A::RsaPssSha512, A::RsaPssSha512, A::EcdsaP256Sha256, A::HmacSha256, A::Ed25519]
    );
}

#[test]
fn the_digest_is_that_of_the_body() {
    use sha2::{Digest as _, Sha512};
    let digest = digest::parse(CONTENT_DIGEST.as_bytes()).unwrap();
    assert!(digest.matches(None, Some(&Sha512::digest(request().body()))));
    assert!(!digest.matches(None, Some(&Sha512::digest("{\"hello\": \"world\"} "))));
}
