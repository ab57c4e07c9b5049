//! Whatever was sent, and in whatever pieces: the handler gets these bytes.

use axum::body::Body;
use portcullis::validate::{Rule, Schema};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::ask::{ask, chunked, request, ruled};

fn run(rule: Rule, kind: &str, bytes: &[u8], cuts: &[usize]) -> (u16, Vec<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let body = if cuts.is_empty() {
        Body::from(bytes.to_vec())
    } else {
        let mut rest = bytes;
        let mut pieces = Vec::new();
        for cut in cuts {
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece.to_vec());
            rest = after;
        }
        pieces.push(rest.to_vec());
        chunked(pieces)
    };
    let answer = runtime.block_on(ask(&ruled(rule), request("POST", "/orders", &[("content-type", kind)], body)));
    (answer.status.as_u16(), answer.body.to_vec())
}

fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(".{0,4}", inner, 0..4).prop_map(|members| json!(members)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_bytes_are_the_same(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        cuts in proptest::collection::vec(0_usize..50, 0..6),
    ) {
        prop_assert_eq!(run(Rule::opaque("*/*"), "a/b", &bytes, &cuts), (200, bytes));
    }

    #[test]
    fn json_keeps_its_blanks_its_digits_and_its_order(
        document in documents(),
        pretty in any::<bool>(),
        cuts in proptest::collection::vec(0_usize..50, 0..6),
    ) {
        let text = if pretty { serde_json::to_vec_pretty(&document) } else { serde_json::to_vec(&document) }.unwrap();
        let rule = Rule::json().schema(Schema::json(json!(true)));
        prop_assert_eq!(run(rule, "application/json", &text, &cuts), (200, text));
    }

    #[test]
    fn nothing_is_a_5xx(
        method in proptest::sample::select(vec!["GET", "POST", "PATCH", "DELETE"]),
        kind in "[ -~]{0,24}",
        path in "[!-~&&[^?#\"<>\\\\^`{|}]]{0,24}",
        body in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        if let Ok(uri) = format!("/{path}").parse::<http::Uri>() {
            let request = request(method, &uri.to_string(), &[("content-type", &kind)], body);
            let answer = runtime.block_on(ask(&ruled(Rule::json()), request));
            prop_assert!(!answer.status.is_server_error());
        }
    }
}
