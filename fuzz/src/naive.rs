//! `Forwarded` and `X-Forwarded-For` read in the plainest way that could be right.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where a walk ends that begins at 10.0.0.1, with 10.0.0.0/8 and 2001:db8:f::/48 trusted.
#[derive(Debug, PartialEq)]
pub enum End {
    Client(IpAddr, u8),
    AllTrusted(IpAddr),
    Boundary(IpAddr),
}

fn walk(from_the_right: impl Iterator<Item = Option<IpAddr>>) -> End {
    let mut last = IpAddr::from([10, 0, 0, 1]);
    for (ip, hop) in from_the_right.zip(1_u8..) {
        match ip {
            Some(ip) if hop < 64 && trusted(ip) => last = ip,
            Some(ip) if hop < 64 => return End::Client(ip, hop),
            _ => return End::Boundary(last),
        }
    }
    End::AllTrusted(last)
}

fn trusted(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.octets()[0] == 10,
        IpAddr::V6(ip) => ip.segments()[..3] == [0x2001, 0xdb8, 0xf],
    }
}

pub fn x_forwarded_for(lines: &[&[u8]]) -> End {
    let whole = lines.join(&b","[..]);
    let elements: Vec<&[u8]> = whole.split(|byte| *byte == b',').collect();
    let mut bytes = 0;
    walk(elements.into_iter().rev().map(move |element| {
        bytes += element.len() + 1;
        (bytes <= 8 * 1024).then_some(())?;
        let text = std::str::from_utf8(element).ok()?.trim_matches([' ', '\t']);
        let bare = |text: &str| text.parse::<IpAddr>().ok();
        let ip = bare(text).or_else(|| {
            let (host, port) = match text.strip_prefix('[') {
                Some(rest) => {
                    let (host, port) = rest.split_once(']')?;
                    (IpAddr::V6(host.parse().ok()?), port)
                }
                None => {
                    let colon = text.find(':')?;
                    (IpAddr::V4(text[..colon].parse().ok()?), &text[colon..])
                }
            };
            let digits = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
            let right = |port: &str| digits(port) && port.parse::<u16>().is_ok();
            (port.is_empty() || port.strip_prefix(':').is_some_and(right)).then_some(host)
        });
        ip.and_then(shown)
    }))
}

pub fn forwarded(lines: &[&[u8]]) -> End {
    let (mut bytes, mut hops) = (0, Vec::new());
    for line in lines.iter().rev() {
        bytes += line.len() + 1;
        match elements(line).filter(|_| bytes <= 8 * 1024) {
            Some(elements) => hops.extend(elements.iter().rev().map(|element| client(element))),
            None => hops.push(None),
        }
    }
    walk(hops.into_iter())
}

type Element = Vec<(String, Vec<u8>)>;

enum At {
    Name(Vec<u8>),
    Value(Vec<u8>),
    Token(Vec<u8>, Vec<u8>),
    Quote(Vec<u8>, Vec<u8>),
    Escape(Vec<u8>, Vec<u8>),
    After,
}

/// One character after the other.
fn elements(line: &[u8]) -> Option<Vec<Element>> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let (mut all, mut now, mut at) = (vec![], Element::new(), At::Name(vec![]));
    let put = |element: &mut Element, name: Vec<u8>, value: Vec<u8>| {
        let name = String::from_utf8_lossy(&name).to_lowercase();
        let is_new = element.len() < 16 && element.iter().all(|(held, _)| *held != name);
        element.push((name, value));
        is_new
    };
    for byte in line.iter().copied() {
        at = match (at, byte) {
            (At::Name(name), b' ' | b'\t') if name.is_empty() => At::Name(name),
            (At::Name(name), b';') if name.is_empty() => At::Name(name),
            (At::Name(name), b',') if name.is_empty() => {
                all.push(std::mem::take(&mut now));
                At::Name(name)
            }
            (At::Name(name), b'=') if !name.is_empty() => At::Value(name),
            (At::Name(mut name), byte) if is_token(byte) => {
                name.push(byte);
                At::Name(name)
            }
            (At::Value(name), b'"') => At::Quote(name, vec![]),
            (At::Value(name), byte) if is_token(byte) => At::Token(name, vec![byte]),
            (At::Token(name, mut value), byte) if is_token(byte) => {
                value.push(byte);
                At::Token(name, value)
            }
            (At::Token(name, value), b' ' | b'\t') | (At::Quote(name, value), b'"') => {
                put(&mut now, name, value).then_some(At::After)?
            }
            (At::Token(name, value), b';') => put(&mut now, name, value).then_some(At::Name(vec![]))?,
            (At::Token(name, value), b',') => {
                put(&mut now, name, value).then_some(())?;
                all.push(std::mem::take(&mut now));
                At::Name(vec![])
            }
            (At::Quote(name, value), b'\\') => At::Escape(name, value),
            (At::Quote(name, mut value) | At::Escape(name, mut value), byte) => {
                value.push(byte);
                At::Quote(name, value)
            }
            (At::After, b' ' | b'\t') => At::After,
            (At::After, b';') => At::Name(vec![]),
            (At::After, b',') => {
                all.push(std::mem::take(&mut now));
                At::Name(vec![])
            }
            _ => return None,
        };
    }
    match at {
        At::Name(name) if name.is_empty() => {}
        At::After => {}
        At::Token(name, value) => put(&mut now, name, value).then_some(())?,
        _ => return None,
    }
    all.push(now);
    Some(all)
}

fn client(element: &Element) -> Option<IpAddr> {
    let (_, value) = element.iter().find(|(name, _)| name == "for")?;
    let text = std::str::from_utf8(value).ok().filter(|text| text.len() <= 64 && text.is_ascii())?;
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (IpAddr::V6(host.parse::<Ipv6Addr>().ok()?), port)
        }
        None => {
            let end = text.find(':').unwrap_or(text.len());
            (IpAddr::V4(text[..end].parse::<Ipv4Addr>().ok()?), &text[end..])
        }
    };
    let is_port = |port: &str| {
        let digits = (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
        let hidden = |rest: &str| {
            !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        digits || port.strip_prefix('_').is_some_and(hidden)
    };
    (port.is_empty() || port.strip_prefix(':').is_some_and(is_port)).then_some(())?;
    shown(host)
}

/// IPv4 where IPv6 carries it, and never the address of nobody.
fn shown(ip: IpAddr) -> Option<IpAddr> {
    let ip = match ip {
        IpAddr::V6(ip) => match ip.segments() {
            [0, 0, 0, 0, 0, 0xffff, ..] => {
                IpAddr::from([ip.octets()[12], ip.octets()[13], ip.octets()[14], ip.octets()[15]])
            }
            [0x64, 0xff9b, 0, 0, 0, 0, ..] => {
                let [.., a, b, c, d] = ip.octets();
                let v4 = Ipv4Addr::new(a, b, c, d);
                let own =
                    matches!((a, b), (0 | 10 | 127, _) | (172, 16..=31) | (192, 168) | (169, 254) | (100, 64..=127))
                        || (224..=239).contains(&a)
                        || v4 == Ipv4Addr::BROADCAST;
                if own { IpAddr::V6(ip) } else { IpAddr::V4(v4) }
            }
            _ => IpAddr::V6(ip),
        },
        v4 => v4,
    };
    (!ip.is_unspecified()).then_some(ip)
}
