//! Whatever is sent: never a panic, never a 5xx, and nobody gets in but by the one credential
//! that holds.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
struct Line(&'static str, Vec<u8>);

fn lines(key: &str) -> impl Strategy<Value = Vec<Line>> + use<> {
    let known = prop::sample::select(vec![
        Line("authorization", b"Bearer good".to_vec()),
        Line("authorization", b"bearer slow-good".to_vec()),
        Line("authorization", b"Bearer expired".to_vec()),
        Line("authorization", b"Bearer slow-forged".to_vec()),
        Line("authorization", b"Bearer".to_vec()),
        Line("authorization", b"Bearer good, Bearer good".to_vec()),
        Line("authorization", b"Basic dTpw".to_vec()),
        Line("authorization", format!("Bearer {key}").into_bytes()),
        Line("x-api-key", key.as_bytes().to_vec()),
        Line("x-api-key", format!("{key}x").into_bytes()),
        Line("x-api-key", b"abc123".to_vec()),
    ]);
    // What a HeaderValue can hold at all: everything but control characters (a tab is allowed).
    let byte = prop_oneof![Just(b'\t'), 0x20..=0x7E_u8, 0x80..=0xFF_u8];
    let garbage =
        (prop::sample::select(vec!["authorization", "x-api-key"]), any::<bool>(), prop::collection::vec(byte, 0..40))
            .prop_map(|(name, bearer, bytes)| {
                let mut value = if bearer { b"Bearer ".to_vec() } else { Vec::new() };
                value.extend(bytes);
                Line(name, value)
            });
    let long = (1_usize..12_000).prop_map(|len| Line("authorization", [&b"Bearer "[..], &b"a".repeat(len)].concat()));
    prop::collection::vec(prop_oneof![4 => known, 3 => garbage, 1 => long], 0..4)
}

/// Who may be seen, by the plainest reading of the rules.
fn expected(lines: &[Line], key: &str) -> Option<&'static str> {
    let [Line(name, value)] = lines else { return None };
    let value = String::from_utf8(value.clone()).ok()?;
    let value = value.trim_matches(' ');
    let token = || value.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("bearer ")).map(|_| value[7..].trim());
    match *name {
        "x-api-key" => (value == key).then_some("usr_key api_key"),
        _ if token()? == key => Some("usr_key api_key"),
        _ => matches!(token()?, "good" | "slow-good").then_some("usr_jwt jwt"),
    }
}

fn run(optional: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (auth, _, key) = both();
    let app = router(if optional { auth.optional() } else { auth });
    proptest!(ProptestConfig::with_cases(1_500), |(lines in lines(&key))| {
        let headers = lines.iter().map(|Line(name, value)| (*name, value.as_slice()));
        let answer = runtime.block_on(send(&app, request("/", headers)));
        match expected(&lines, &key) {
            Some(caller) => { answer.sees(caller); }
            None if optional && lines.is_empty() => { answer.sees("anonymous"); }
            None => {
                prop_assert!(matches!(answer.status.as_u16(), 400 | 401), "{}", answer.status);
                prop_assert_eq!(answer.challenges.len(), 2);
                prop_assert!(answer.challenges[0].starts_with("Bearer realm=\"api\""));
                prop_assert!(answer.challenges[1].starts_with("ApiKey realm=\"api\""));
                if lines.len() > 1 {
                    prop_assert!(answer.status == 400, "two credentials: {}", answer.status);
                }
            }
        }
    });
}

#[test]
fn required_never_falls_through() {
    run(false);
}

#[test]
fn optional_never_falls_through() {
    run(true);
}
