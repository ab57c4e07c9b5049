//! IP addresses as browsers write them in an origin (WHATWG URL §3.5, RFC 5952). Everything here also
//! runs while a program is compiled.

use super::fault::OriginFault;

/// Whether these are four decimal numbers, without leading zeros.
pub(super) const fn is_ipv4(mut rest: &[u8]) -> bool {
    let (mut dots, mut digits, mut value) = (0_u32, 0_u32, 0_u32);
    while let [byte, tail @ ..] = rest {
        match *byte {
            b'.' if digits > 0 => (dots, digits, value) = (dots.saturating_add(1), 0, 0),
            b'0'..=b'9' if digits == 0 || value > 0 => {
                digits = digits.saturating_add(1);
                value = value.saturating_mul(10).saturating_add(byte.wrapping_sub(b'0') as u32);
                if value > 255 {
                    return false;
                }
            }
            _ => return false,
        }
        rest = tail;
    }
    dots == 3 && digits > 0
}

/// Whether a host that ends with this label is an IPv4 address or nothing: a number, decimal or
/// hexadecimal.
pub(super) const fn is_number(label: &[u8]) -> bool {
    match label {
        [b'0', b'x', digits @ ..] => all_are_digits(digits, true),
        [] => false,
        digits => all_are_digits(digits, false),
    }
}

const fn all_are_digits(mut rest: &[u8], hexadecimal: bool) -> bool {
    while let [byte, tail @ ..] = rest {
        if !(byte.is_ascii_digit() || hexadecimal && byte.is_ascii_hexdigit()) {
            return false;
        }
        rest = tail;
    }
    true
}

/// What stands between the brackets.
pub(super) const fn check_ipv6(literal: &[u8]) -> Result<(), OriginFault> {
    if holds(literal, b'%') {
        return Err(OriginFault::Zone);
    }
    if holds(literal, b'.') {
        // Browsers write all of it in hexadecimal.
        let mapped = matches!(literal, [b':', b':', b'f', b'f', b'f', b'f', b':', ..]);
        return Err(if mapped { OriginFault::MappedIpv4 } else { OriginFault::LongIpv6 });
    }
    let Some(groups) = Groups::read(literal) else { return Err(OriginFault::BadHost) };
    if groups.value().wrapping_shr(32) == 0xffff {
        return Err(OriginFault::MappedIpv4);
    }
    if groups.is_shortest() { Ok(()) } else { Err(OriginFault::LongIpv6) }
}

pub(super) const fn holds(mut rest: &[u8], wanted: u8) -> bool {
    while let [byte, tail @ ..] = rest {
        if *byte == wanted {
            return true;
        }
        rest = tail;
    }
    false
}

/// The groups of an IPv6 address before `::` and after it.
struct Groups {
    before: (u128, u32),
    after: (u128, u32),
    gap: bool,
    /// Some group has leading zeros.
    padded: bool,
}

impl Groups {
    const fn read(literal: &[u8]) -> Option<Self> {
        let mut all = Self { before: (0, 0), after: (0, 0), gap: false, padded: false };
        let mut rest = literal;
        if let [b':', b':', tail @ ..] = rest {
            (all.gap, rest) = (true, tail);
        }
        while !(all.gap && rest.is_empty() && all.after.1 == 0) {
            let Some((group, digits, tail)) = group(rest) else { return None };
            all.padded |= digits > 1 && group < 1_u128.wrapping_shl(digits.saturating_sub(1).saturating_mul(4));
            let side = if all.gap { &mut all.after } else { &mut all.before };
            *side = (side.0.wrapping_shl(16) | group, side.1.saturating_add(1));
            rest = match tail {
                [] => break,
                [b':', b':', more @ ..] if !all.gap => {
                    all.gap = true;
                    more
                }
                [b':', more @ ..] => more,
                _ => return None,
            };
        }
        let count = all.before.1.saturating_add(all.after.1);
        if (all.gap && count < 8) || (!all.gap && count == 8) { Some(all) } else { None }
    }

    const fn value(&self) -> u128 {
        match self.before {
            (_, 0) => self.after.0,
            (groups, count) => groups.wrapping_shl(128_u32.wrapping_sub(count.wrapping_mul(16))) | self.after.0,
        }
    }

    /// RFC 5952 §4: no leading zeros, and `::` stands for the first of the longest runs of zeros, if
    /// that has two groups at least.
    const fn is_shortest(&self) -> bool {
        let (start, length) = longest_run_of_zeros(self.value());
        let elided = 8_u32.saturating_sub(self.before.1).saturating_sub(self.after.1);
        let right_gap = if length >= 2 { self.gap && self.before.1 == start && elided == length } else { !self.gap };
        right_gap && !self.padded
    }
}

/// The value of up to four digits, how many there are, and what follows.
const fn group(mut rest: &[u8]) -> Option<(u128, u32, &[u8])> {
    let (mut value, mut digits) = (0_u128, 0_u32);
    while let [byte, tail @ ..] = rest {
        let digit = match *byte {
            b'0'..=b'9' => byte.wrapping_sub(b'0'),
            b'a'..=b'f' => byte.wrapping_sub(b'a').wrapping_add(10),
            _ => break,
        };
        (value, digits) = (value.wrapping_shl(4) | digit as u128, digits.saturating_add(1));
        if digits > 4 {
            return None;
        }
        rest = tail;
    }
    if digits == 0 { None } else { Some((value, digits, rest)) }
}

/// In which group the first of the longest runs begins, and how many it has.
const fn longest_run_of_zeros(value: u128) -> (u32, u32) {
    let (mut best, mut run, mut index) = ((0, 0), 0_u32, 0_u32);
    while index < 8 {
        let shift = 112_u32.wrapping_sub(index.wrapping_mul(16));
        run = if value.wrapping_shr(shift) & 0xffff == 0 { run.wrapping_add(1) } else { 0 };
        index = index.wrapping_add(1);
        if run > best.1 {
            best = (index.wrapping_sub(run), run);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn ipv6_has_one_form() {
        for good in [
            "::",
            "::1",
            "1::",
            "2001:db8::1",
            "2001:db8:0:1:1:1:1:1",
            "1:0:0:2::3",
            "fe80::1:0:0:1",
            "64:ff9b::c000:201",
        ] {
            assert_eq!(check_ipv6(good.as_bytes()), Ok(()), "{good}");
            assert_eq!(good.parse::<Ipv6Addr>().unwrap().to_string(), good);
        }
        for (bad, fault) in [
            ("", OriginFault::BadHost),
            (":", OriginFault::BadHost),
            (":::", OriginFault::BadHost),
            ("1", OriginFault::BadHost),
            ("1:2:3:4:5:6:7", OriginFault::BadHost),
            ("1:2:3:4:5:6:7:8:9", OriginFault::BadHost),
            ("1:2:3:4::5:6:7:8", OriginFault::BadHost),
            ("1::2::3", OriginFault::BadHost),
            ("1:2:3:4:5:6:7:", OriginFault::BadHost),
            ("12345::", OriginFault::BadHost),
            ("g::1", OriginFault::BadHost),
            ("::1%25eth0", OriginFault::Zone),
            ("::ffff:1.2.3.4", OriginFault::MappedIpv4),
            ("::ffff:102:304", OriginFault::MappedIpv4),
            ("::1.2.3.4", OriginFault::LongIpv6),
            ("0:0:0:0:0:0:0:1", OriginFault::LongIpv6),
            ("2001:0db8::1", OriginFault::LongIpv6),
            ("2001:db8:0:0:1::1", OriginFault::LongIpv6),
            ("2001:db8::1:1:1:1:1", OriginFault::LongIpv6),
        ] {
            assert_eq!(check_ipv6(bad.as_bytes()), Err(fault), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_the_standard_library(groups in proptest::array::uniform8(proptest::sample::select(vec![0_u16, 0, 0, 1, 0xf, 0xff, 0xffff]))) {
            let address = Ipv6Addr::from(groups);
            let mapped = address.to_ipv4_mapped().is_some();
            let text = address.to_string();
            proptest::prop_assert_eq!(check_ipv6(text.as_bytes()).is_ok(), !mapped);
            let long = groups.map(|group| format!("{group:x}")).join(":");
            proptest::prop_assert_eq!(check_ipv6(long.as_bytes()).is_ok(), long == text && !mapped);
        }

        #[test]
        fn no_bytes_make_it_panic(literal in "[0-9a-f:.%]{0,44}") {
            let good = check_ipv6(literal.as_bytes()).is_ok();
            let standard = literal.parse::<Ipv6Addr>().is_ok_and(|address| address.to_string() == literal);
            proptest::prop_assert!(!good || standard);
        }

        #[test]
        fn ipv4_as_the_standard_library_reads_it(text in "[0-9.]{0,16}") {
            proptest::prop_assert_eq!(is_ipv4(text.as_bytes()), text.parse::<Ipv4Addr>().is_ok());
        }
    }
}
