//! Attacks with client certificates, and with the header in which a proxy hands them on.

use super::scene::{
    Attack, NEEDLE, Scene, authority, certificate, client_cert, common_name, dns, from, get, proxied, spiffe,
};

const PROXY: [u8; 4] = [10, 0, 0, 1];
const STRANGER: [u8; 4] = [192, 0, 2, 1];

pub(crate) fn attacks(scene: &Scene) -> Vec<Attack> {
    let mut list = Vec::new();
    let known = client_cert(&scene.certificate);
    for name in ["client-cert", "client-cert-chain", "x-client-cert", "ssl-client-cert", "x-ssl-client-cert"] {
        let request = from(get(&[(name, &known)]), STRANGER);
        list.push(Attack::new("spoofed certificate", name, request));
    }
    let spoofed = from(get(&[("client-cert", &known), ("x-forwarded-for", "10.0.0.1")]), STRANGER);
    list.push(Attack::new("spoofed certificate", "from who claims to be the proxy", spoofed));
    for (name, value) in [
        ("x-forwarded-client-cert", "Hash=00;Subject=\"\";URI=spiffe://example.org/billing".to_owned()),
        ("x-ssl-client-verify", "SUCCESS".to_owned()),
        ("x-ssl-client-s-dn", "CN=reports.internal".to_owned()),
        ("x-spiffe-id", "spiffe://example.org/billing".to_owned()),
        ("client_cert", known.clone()),
    ] {
        list.push(Attack::new("spoofed certificate", name, from(get(&[(name, &value)]), PROXY)));
    }
    for (name, lines) in [
        ("twice", vec![known.clone(), known.clone()]),
        ("two in one line", vec![format!("{known}, {known}")]),
        ("with parameters", vec![format!("{known};a=1")]),
        ("PEM", vec![":-----BEGIN CERTIFICATE-----:".to_owned()]),
        ("nothing", vec![String::new()]),
        ("empty", vec!["::".to_owned()]),
        ("a needle", vec![NEEDLE.to_owned()]),
        ("long", vec![format!(":{}:", "MIIB".repeat(5_000))]),
        ("percent-encoded", vec![known.replace('=', "%3D").replace('+', "%2B")]),
    ] {
        let lines: Vec<_> = lines.iter().map(|line| ("client-cert", line.as_str())).collect();
        list.push(Attack::new("malformed certificate header", name, from(get(&lines), PROXY)));
    }
    let mut cut = scene.certificate.clone();
    cut.truncate(cut.len() - 1);
    let longer = [&*scene.certificate, b"\0"].concat();
    for (name, der) in [
        ("nobody's", certificate(|it| it.subject_alt_names = vec![spiffe("somebody")])),
        ("of another trust domain", certificate(|it| it.subject_alt_names = vec![evil()])),
        ("with two identities", certificate(|it| it.subject_alt_names = vec![spiffe("billing"), evil()])),
        ("with the name as common name", certificate(|it| common_name(it, "reports.internal"))),
        ("with a wildcard", certificate(|it| it.subject_alt_names = vec![dns("*.internal")])),
        (
            "of an authority",
            certificate(|it| {
                it.subject_alt_names = vec![spiffe("billing")];
                authority(it);
            }),
        ),
        (
            "expired",
            certificate(|it| {
                it.subject_alt_names = vec![spiffe("billing")];
                it.not_after = rcgen::date_time_ymd(2026, 1, 1);
            }),
        ),
        (
            "not in force yet",
            certificate(|it| {
                it.subject_alt_names = vec![spiffe("billing")];
                it.not_before = rcgen::date_time_ymd(2030, 1, 1);
            }),
        ),
        ("cut off", cut),
        ("with a byte too many", longer),
        ("none", b"\x30\x82\x01\x00 is no certificate".to_vec()),
    ] {
        list.push(Attack::new("another certificate", name, proxied(&der)));
    }
    list
}

fn evil() -> rcgen::SanType {
    rcgen::SanType::URI("spiffe://attacker.test/billing".try_into().unwrap())
}
