use proptest::prelude::*;

use super::*;

/// Bytes as they may stand in a field, with many of those that mean something.
fn lines() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let meaning = prop::sample::select(vec![
        "for=",
        "For=",
        "10.0.0.2",
        "6.6.6.6",
        "\"[2001:db8::1]\"",
        "\"10.0.0.3:1\"",
        ",",
        ", ",
        ";",
        "\"",
        "\\",
        "_a",
        "unknown",
        "by=x",
        "proto=https",
        "=",
        " ",
        "a",
        "[",
        "]",
        ":",
    ]);
    let byte = prop_oneof![0x20..0x7f_u8, 0x80..=0xff_u8, Just(b'\t')];
    let part =
        prop_oneof![8 => meaning.prop_map(|text| text.as_bytes().to_vec()), 1 => byte.prop_map(|byte| vec![byte])];
    prop::collection::vec(prop::collection::vec(part, 0..16).prop_map(|parts| parts.concat()), 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    /// Whatever it is, there is an answer; and a line that a proxy of ours has added to it decides.
    #[test]
    fn nothing_makes_it_panic_and_the_last_line_decides(garbage in lines()) {
        for (header, name, own) in [
            (ForwardingHeader::XForwardedFor, X, &b"198.51.100.7"[..]),
            (ForwardingHeader::Forwarded, F, b"for=198.51.100.7"),
        ] {
            let mut lines: Vec<&[u8]> = garbage.iter().map(Vec::as_slice).collect();
            prop_assert!(found(&head(Some("10.0.0.1"), name, &lines), &proxies(header)).0.is_some());
            lines.push(own);
            let walk = found(&head(Some("10.0.0.1"), name, &lines), &proxies(header));
            prop_assert_eq!((walk.0, walk.1), client("198.51.100.7", header, 1));
        }
    }

    /// Appended to the client's own line, what the proxy says decides, or nothing does: never does
    /// the client choose.
    #[test]
    fn nothing_on_the_left_moves_what_stands_on_the_right(garbage in lines()) {
        let line = garbage.concat();
        for (header, name, own) in [
            (ForwardingHeader::XForwardedFor, X, &b", 198.51.100.7"[..]),
            (ForwardingHeader::Forwarded, F, b", for=198.51.100.7"),
        ] {
            let line = [&line, own].concat();
            let (address, provenance, _) = found(&head(Some("10.0.0.1"), name, &[&line]), &proxies(header));
            if provenance == Provenance::Malformed {
                prop_assert_eq!(address, ip("10.0.0.1"));
            } else {
                prop_assert_eq!((address, provenance), client("198.51.100.7", header, 1));
            }
        }
    }
}
