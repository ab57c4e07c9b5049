//! The parameters of a query (WHATWG URL §5.1, as `OpenAPI`'s `form` style reads it). Pure.

use std::borrow::Cow;

use crate::validate::percent::{Stray, decode};

/// Name and value of each parameter, decoded; of a value also how it was written, because a comma
/// that is encoded separates nothing. `None` if one is malformed.
pub(super) fn pairs(query: &str) -> Option<Vec<Pair<'_>>> {
    query.split('&').filter(|piece| !piece.is_empty()).map(Pair::read).collect()
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) value: Cow<'a, str>,
    pub(super) written: &'a str,
}

impl<'a> Pair<'a> {
    fn read(piece: &'a str) -> Option<Self> {
        let (name, written) = piece.split_once('=').unwrap_or((piece, ""));
        Some(Self { name: decode_form(name)?, value: decode_form(written)?, written })
    }
}

/// A part of a query: `+` is a blank there (WHATWG URL §5.1). `None` if it is malformed, or no text.
pub(super) fn decode_form(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['+', '%']) {
        return Some(Cow::Borrowed(text));
    }
    let blanks = text.replace('+', " ");
    let bytes = decode(blanks.as_bytes(), Stray::Refuse)?.into_owned();
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_what_stands_between_ampersands() {
        let read = |query| {
            let pairs = pairs(query)?;
            Some(pairs.into_iter().map(|pair| (pair.name.into_owned(), pair.value.into_owned())).collect::<Vec<_>>())
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            read("a=1&b=x+y%2Bz&&c&=d"),
            Some(vec![pair("a", "1"), pair("b", "x y+z"), pair("c", ""), pair("", "d")])
        );
        assert_eq!(read("a=b=c&%61=2"), Some(vec![pair("a", "b=c"), pair("a", "2")]));
        assert_eq!((read("a=%"), read("%ff=1"), read("")), (None, None, Some(Vec::new())));
        assert_eq!(decode_form("a+b%2B").as_deref(), Some("a b+"));
    }
}
