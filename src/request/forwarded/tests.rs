use std::net::{IpAddr, SocketAddr};

use super::*;
use crate::request::{ClientIp, Provenance, TlsPeer, UnixPeer, arrival};
use axum::extract::ConnectInfo;
use http::{HeaderValue, Request};

mod garbage;

const TRUSTED: &[&str] = &["10.0.0.0/8"];
const X: &str = "x-forwarded-for";
const F: &str = "forwarded";

fn proxies(header: ForwardingHeader) -> TrustedProxies {
    TrustedProxies::cidrs(TRUSTED.iter().copied()).unwrap().header(header)
}

fn head(peer: Option<&str>, name: &'static str, lines: &[&[u8]]) -> http::request::Parts {
    let mut request = Request::new(());
    for line in lines {
        request.headers_mut().append(name, HeaderValue::from_bytes(line).unwrap());
    }
    if let Some(peer) = peer {
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 4711)));
    }
    request.into_parts().0
}

fn found(head: &http::request::Parts, proxies: &TrustedProxies) -> (Option<IpAddr>, Provenance, Scheme) {
    let walk = proxies.explain(head);
    let arrival = arrival::arrival(&head.extensions, &head.headers, &head.uri, proxies);
    assert_eq!((arrival.client, arrival.scheme), (walk.client, walk.scheme), "what is shown is what is done");
    (walk.client.ip(), walk.client.provenance(), walk.scheme)
}

fn of(name: &'static str, header: ForwardingHeader, lines: &[&str]) -> (Option<IpAddr>, Provenance, Scheme) {
    let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
    found(&head(Some("10.0.0.1"), name, &lines), &proxies(header))
}

fn xff(lines: &[&str]) -> (Option<IpAddr>, Provenance) {
    let (ip, provenance, _) = of(X, ForwardingHeader::XForwardedFor, lines);
    (ip, provenance)
}

fn rfc(lines: &[&str]) -> (Option<IpAddr>, Provenance) {
    let (ip, provenance, _) = of(F, ForwardingHeader::Forwarded, lines);
    (ip, provenance)
}

#[expect(clippy::unnecessary_wraps, reason = "it is compared with what may be unknown")]
fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

fn client(text: &str, name: ForwardingHeader, hop: u8) -> (Option<IpAddr>, Provenance) {
    (ip(text), Provenance::Header { name, hop })
}

fn x_client(text: &str, hop: u8) -> (Option<IpAddr>, Provenance) {
    client(text, ForwardingHeader::XForwardedFor, hop)
}

fn f_client(text: &str, hop: u8) -> (Option<IpAddr>, Provenance) {
    client(text, ForwardingHeader::Forwarded, hop)
}

/// U10: whoever writes into the field is not believed.
#[test]
fn an_untrusted_peer_is_the_client_whatever_it_says() {
    for (name, line) in [(X, "1.2.3.4"), (F, "for=1.2.3.4;proto=https"), ("x-real-ip", "1.2.3.4")] {
        for proxies in
            [TrustedProxies::none(), proxies(ForwardingHeader::XForwardedFor), proxies(ForwardingHeader::Forwarded)]
        {
            let head = head(Some("203.0.113.9"), name, &[line.as_bytes()]);
            assert_eq!(found(&head, &proxies), (ip("203.0.113.9"), Provenance::Peer, Scheme::Unknown));
        }
    }
}

#[test]
fn the_rightmost_untrusted_address_is_the_client() {
    assert_eq!(xff(&["6.6.6.6, 198.51.100.7, 10.0.0.2"]), x_client("198.51.100.7", 2));
    // Several lines are one list (RFC 9110 §5.3).
    assert_eq!(xff(&["6.6.6.6", "198.51.100.7", "10.0.0.2"]), x_client("198.51.100.7", 2));
    assert_eq!(rfc(&["for=6.6.6.6, for=198.51.100.7;proto=http, for=10.0.0.2"]), f_client("198.51.100.7", 2));
    assert_eq!(rfc(&["for=6.6.6.6", "for=198.51.100.7", "for=10.0.0.2"]), f_client("198.51.100.7", 2));
}

/// Exactly one field is read: the other one has passed the proxies as the client wrote it.
#[test]
fn the_other_field_is_not_read() {
    assert_eq!(of(F, ForwardingHeader::XForwardedFor, &["for=6.6.6.6"]).0, ip("10.0.0.1"));
    assert_eq!(of(X, ForwardingHeader::Forwarded, &["6.6.6.6"]).0, ip("10.0.0.1"));
}

#[test]
fn ports_and_brackets_are_understood() {
    for (text, address) in [
        ("198.51.100.7:1234", "198.51.100.7"),
        ("[2001:db8::1]:1234", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("64:ff9b::198.51.100.7", "198.51.100.7"),
        ("[64:ff9b::10.0.0.9]", "64:ff9b::10.0.0.9"),
    ] {
        assert_eq!(xff(&[text]), x_client(address, 1), "{text}");
    }
}

/// RFC 7239 §4 and §6, with its examples.
#[test]
fn the_forms_of_for_are_understood() {
    for (text, address) in [
        ("for=192.0.2.43", "192.0.2.43"),
        ("For=\"192.0.2.43:47011\"", "192.0.2.43"),
        ("FOR=\"192.0.2.43:_port\"", "192.0.2.43"),
        ("for=\"[2001:db8:cafe::17]\"", "2001:db8:cafe::17"),
        ("for=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
        ("for=\"[::ffff:192.0.2.43]\"", "192.0.2.43"),
        ("for=\"192.0.2\\.43\"", "192.0.2.43"),
        ("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"),
        ("by=203.0.113.43 ; for=192.0.2.60 ;", "192.0.2.60"),
        (";;for=192.0.2.60;;", "192.0.2.60"),
        ("for=192.0.2.43;host=\"a, for=6.6.6.6;\";x=\"\\\"\"", "192.0.2.43"),
    ] {
        assert_eq!(rfc(&[text]), f_client(address, 1), "{text}");
    }
}

/// U17: quotations that hide what stands on the right, repeated parameters, what no grammar has. The
/// line is then a boundary, wherever in it the fault is.
#[test]
fn a_malformed_line_is_a_boundary() {
    for line in [
        "for=_t;by=\", for=9.9.9.9",
        "for=\"9.9.9.9",
        "for=\"1.1.1.1, for=\"[2001:db8::9]:1\"",
        "for=1.1.1.1;for=2.2.2.2",
        "for=1.1.1.1;FOR=1.1.1.1",
        "for=9.9.9.9;by=a;by=b",
        "for=1.1.1.1;by, for=9.9.9.9",
        "for= 9.9.9.9",
        "for =9.9.9.9",
        "for=",
        "for",
        "=9.9.9.9",
        "for=9.9.9.9 for=8.8.8.8",
        "for=9.9.9.9:80",
        "for=[2001:db8::1]",
        "for=\"9.9.9.9\"x",
        "for=\"9.9.9.9\\",
        "for=\"9.9.9.9\\\"",
        "(for=9.9.9.9)",
        "\u{e9}=1;for=9.9.9.9",
    ] {
        assert_eq!(rfc(&[line]), (ip("10.0.0.1"), Provenance::Malformed), "{line}");
        // What a line further right says is verified all the same, and nothing left of it counts.
        assert_eq!(rfc(&["for=7.7.7.7", line, "for=10.0.0.2"]), (ip("10.0.0.2"), Provenance::Malformed), "{line}");
        assert_eq!(rfc(&[line, "for=198.51.100.7"]), f_client("198.51.100.7", 1), "{line}");
    }
}

#[test]
fn what_hides_its_address_is_a_boundary() {
    for element in [
        "for=unknown",
        "for=Unknown",
        "for=_hidden",
        "for=\"_hidden:80\"",
        "for=\"unknown:_p\"",
        "",
        "by=10.0.0.9",
        "proto=https",
    ] {
        let line = format!("for=6.6.6.6, {element}, for=10.0.0.2");
        assert_eq!(rfc(&[&line]), (ip("10.0.0.2"), Provenance::Malformed), "{element}");
    }
    for value in [
        "\"\"",
        "_",
        "1.2.3.4.5",
        "\"2001:db8::1\"",
        "\"[::]\"",
        "0.0.0.0",
        "\"[::1\"",
        "\"[::1]x\"",
        "\"1.2.3.4:\"",
        "\"1.2.3.4:123456\"",
        "\"1.2.3.4:8x\"",
        "\"[fe80::1%25eth0]\"",
        "\"[1.2.3.4]\"",
    ] {
        let line = format!("for=6.6.6.6, for={value}, for=10.0.0.2");
        assert_eq!(rfc(&[&line]), (ip("10.0.0.2"), Provenance::Malformed), "{value}");
    }
}

#[test]
fn the_walk_stops_at_what_it_cannot_read() {
    for junk in [
        "unknown",
        "",
        "0.0.0.0",
        "::",
        "_hidden",
        "1.2.3.4.5",
        "[::1",
        "1.2.3.4:port",
        "fe80::1%eth0",
        "[fe80::1%0]:1",
    ] {
        let walk = xff(&[&format!("198.51.100.7, {junk}, 10.0.0.2")]);
        assert_eq!(walk, (ip("10.0.0.2"), Provenance::Malformed), "{junk:?}");
    }
}

#[test]
fn only_proxies_means_the_leftmost_of_them() {
    assert_eq!(xff(&["10.0.0.3, 10.0.0.2"]), (ip("10.0.0.3"), Provenance::AllTrusted));
    assert_eq!(xff(&[]), (ip("10.0.0.1"), Provenance::AllTrusted));
    assert_eq!(rfc(&["for=10.0.0.3, for=10.0.0.2"]), (ip("10.0.0.3"), Provenance::AllTrusted));
    assert_eq!(rfc(&[]), (ip("10.0.0.1"), Provenance::AllTrusted));
}

#[test]
fn the_length_of_the_field_is_bounded() {
    for (hops, expected) in [(62, x_client("198.51.100.7", 63)), (63, (ip("10.0.0.2"), Provenance::Malformed))] {
        let line = "198.51.100.7".to_owned() + &", 10.0.0.2".repeat(hops);
        assert_eq!(xff(&[&line]), expected, "{hops}");
    }
    for (hops, expected) in [
        (62, f_client("198.51.100.7", 63)),
        (63, (ip("10.0.0.2"), Provenance::Malformed)),
        (200, (ip("10.0.0.2"), Provenance::Malformed)),
    ] {
        let line = "for=198.51.100.7".to_owned() + &", for=10.0.0.2".repeat(hops);
        assert_eq!(rfc(&[&line]), expected, "{hops}");
    }
    // Of a field that is too long, what stands on the right still counts where it can be told apart.
    let long = format!("{}, 198.51.100.7", "6.6.6.6, ".repeat(5_000));
    assert_eq!(xff(&[&long]), x_client("198.51.100.7", 1));
    let long = " ".repeat(9_000) + "10.0.0.2";
    assert_eq!(xff(&[&long]).1, Provenance::Malformed);
    let long = format!("for=6.6.6.6;x=\"{}\"", "a".repeat(9_000));
    assert_eq!(rfc(&[&long, "for=10.0.0.2"]), (ip("10.0.0.2"), Provenance::Malformed));
    let many = (0..17).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join(";");
    assert_eq!(rfc(&[&format!("{many};for=6.6.6.6")]).1, Provenance::Malformed);
}

#[test]
fn a_mapped_peer_is_ipv4() {
    let none = TrustedProxies::none();
    assert_eq!(found(&head(Some("::ffff:192.0.2.1"), X, &[]), &none).0, ip("192.0.2.1"));
    let trusted =
        found(&head(Some("::ffff:10.0.0.1"), X, &[b"198.51.100.7"]), &proxies(ForwardingHeader::XForwardedFor));
    assert_eq!(trusted.0, ip("198.51.100.7"));
    // Nobody becomes a proxy by an address that a translator would not use, or that anybody may speak for.
    for liar in ["64:ff9b::10.0.0.1", "2002:a00:1::1"] {
        let trusted = found(&head(Some(liar), X, &[b"198.51.100.7"]), &proxies(ForwardingHeader::XForwardedFor));
        assert_eq!((trusted.0, trusted.1), (ip(liar), Provenance::Peer));
    }
}

#[test]
fn hops_are_counted() {
    let head = |peer, line: &str| head(Some(peer), X, &[line.as_bytes()]);
    let two = TrustedProxies::hops(2).unwrap();
    let walk = found(&head("192.0.2.200", "6.6.6.6, 198.51.100.7, 203.0.113.50"), &two);
    assert_eq!((walk.0, walk.1), x_client("198.51.100.7", 2));
    // Fewer than are said to be there: whoever came past a proxy has written nothing.
    let walk = found(&head("192.0.2.200", "198.51.100.7"), &two);
    assert_eq!((walk.0, walk.1), (ip("198.51.100.7"), Provenance::AllTrusted));
    let one = TrustedProxies::hops(1).unwrap();
    let walk = found(&head("192.0.2.200", "6.6.6.6, 198.51.100.7"), &one);
    assert_eq!((walk.0, walk.1), x_client("198.51.100.7", 1));
    // With networks the peer is verified, and the others are counted.
    let both = TrustedProxies::builder().cidrs(["10.0.0.0/8"]).hops(2).build().unwrap();
    let walk = found(&head("10.0.0.1", "6.6.6.6, 198.51.100.7, 203.0.113.50"), &both);
    assert_eq!((walk.0, walk.1), x_client("198.51.100.7", 2));
    assert_eq!(found(&head("192.0.2.200", "6.6.6.6, 7.7.7.7"), &both).1, Provenance::Peer);
}

/// U11: no address is a value, and who stands behind a socket may be told.
#[test]
fn unix_sockets_and_unknown_peers_are_values() {
    let sockets = TrustedProxies::builder().cidrs(["10.0.0.0/8"]).unix_sockets().build().unwrap();
    let mut head = head(None, X, &[b"6.6.6.6, 198.51.100.7, 10.0.0.2"]);
    assert_eq!(found(&head, &sockets), (None, Provenance::Unknown, Scheme::Unknown));
    head.extensions.insert(UnixPeer);
    let walk = found(&head, &sockets);
    assert_eq!((walk.0, walk.1), x_client("198.51.100.7", 2));
    for others in [TrustedProxies::none(), proxies(ForwardingHeader::XForwardedFor), TrustedProxies::hops(1).unwrap()] {
        assert_eq!(found(&head, &others).1, Provenance::Unknown);
    }
    head.headers.clear();
    assert_eq!(sockets.explain(&head).client, ClientIp::new(None, Provenance::AllTrusted));
}

#[test]
fn the_scheme_is_what_the_outermost_trusted_proxy_says() {
    let scheme = |lines: &[&str]| of(F, ForwardingHeader::Forwarded, lines).2;
    assert_eq!(scheme(&["for=198.51.100.7;proto=https, for=10.0.0.2;proto=http"]), Scheme::Https);
    assert_eq!(scheme(&["for=6.6.6.6;proto=https, for=198.51.100.7;proto=http"]), Scheme::Http);
    assert_eq!(scheme(&["for=_hidden;proto=HTTPS"]), Scheme::Https);
    assert_eq!(scheme(&["for=198.51.100.7;proto=\"https\""]), Scheme::Https);
    assert_eq!(scheme(&["for=198.51.100.7;proto=wss"]), Scheme::Unknown);
    assert_eq!(scheme(&["for=10.0.0.3;proto=https"]), Scheme::Https);
    assert_eq!(scheme(&["proto=https;for=\"", "for=10.0.0.3;proto=https"]), Scheme::Unknown);
    // Who is not trusted says nothing, and X-Forwarded-Proto is not read beside Forwarded.
    let mut direct = head(Some("203.0.113.9"), F, &[b"for=1.1.1.1;proto=https"]);
    direct.headers.insert("x-forwarded-proto", HeaderValue::from_static("https"));
    assert_eq!(found(&direct, &proxies(ForwardingHeader::Forwarded)).2, Scheme::Unknown);
    let mut spoofed = head(Some("10.0.0.1"), F, &[b"for=1.1.1.1;proto=http"]);
    spoofed.headers.insert("x-forwarded-proto", HeaderValue::from_static("https"));
    assert_eq!(found(&spoofed, &proxies(ForwardingHeader::Forwarded)).2, Scheme::Http);
    let mut plain = head(Some("10.0.0.1"), X, &[b"1.1.1.1"]);
    plain.headers.insert("x-forwarded-proto", HeaderValue::from_static("http, HTTPS"));
    assert_eq!(found(&plain, &proxies(ForwardingHeader::XForwardedFor)).2, Scheme::Https);
}

/// A proxy that says nothing of the scheme leaves what our own connection says.
#[test]
fn the_connection_speaks_where_no_proxy_does() {
    let mut head = head(None, F, &[b"for=1.1.1.1"]);
    head.extensions.insert(ConnectInfo(TlsPeer::new("10.0.0.1:1".parse().unwrap())));
    assert_eq!(found(&head, &proxies(ForwardingHeader::Forwarded)).2, Scheme::Https);
}

#[test]
fn the_walk_is_told_hop_by_hop() {
    let walk = proxies(ForwardingHeader::Forwarded).explain(&head(
        Some("10.0.0.1"),
        F,
        &[b"for=6.6.6.6, for=unknown, for=10.0.0.2"],
    ));
    let verdicts: Vec<_> = walk.hops.iter().map(|hop| (hop.hop, hop.address, hop.verdict)).collect();
    assert_eq!(
        verdicts,
        [
            (0, ip("10.0.0.1"), HopVerdict::Trusted),
            (1, ip("10.0.0.2"), HopVerdict::Trusted),
            (2, None, HopVerdict::Hidden),
        ]
    );
    assert!(walk.to_string().ends_with("2 forwarded: the address is not told: the hop before counts\n"), "{walk}");
    let walk = TrustedProxies::none().explain(&head(None, X, &[]));
    assert_eq!(walk.to_string(), "0 the peer: the address is not known\n");
}
