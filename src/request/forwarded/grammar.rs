//! The field `Forwarded`, as RFC 7239 §4 writes it, in one pass over each line.
//!
//! A quotation that somebody opens on the left can swallow what a proxy appends on the right, so no
//! element is taken out of a line before the whole line has been read: `for=x;by=", for=192.0.2.1` is
//! one malformed line, whatever stands behind the quotation mark. Between two elements and around a
//! semicolon there may be blanks (RFC 9110 §5.6.1, §5.6.6), around the equals sign there may not.

use arrayvec::ArrayVec;

use super::{Budget, Element, Node, node::node, walk::MAX_HOPS};
use crate::request::scheme::Scheme;

/// An element has four parameters that mean something. More than so many are no honest element.
const MAX_PARAMETERS: usize = 16;

/// A value: of a quotation, what stands between the marks, not yet unescaped.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Token(&'a [u8]),
    Quoted(&'a [u8]),
}

/// The elements of all lines, the last one first. A malformed line is one broken element.
pub(super) fn elements<'a>(lines: impl DoubleEndedIterator<Item = &'a [u8]>) -> impl Iterator<Item = Element> {
    let mut budget = Budget::default();
    lines.rev().flat_map(move |line| {
        let read = if budget.takes(line.len()) { Line::read(line) } else { Err("the field is longer than 8 KiB") };
        read.unwrap_or_else(Line::broken)
    })
}

/// Where the elements of a well-formed line stand: the last ones, of which no more are looked at.
#[derive(Clone, Debug)]
struct Line<'a> {
    bytes: &'a [u8],
    ends: [(u16, u16); MAX_HOPS as usize],
    /// How many elements have been read, and how many are left to give out.
    count: usize,
    left: usize,
    broken: Option<&'static str>,
}

impl<'a> Line<'a> {
    fn broken(why: &'static str) -> Self {
        Self { broken: Some(why), ..Self::of(&[]) }
    }

    const fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, ends: [(0, 0); MAX_HOPS as usize], count: 0, left: 0, broken: None }
    }

    fn read(bytes: &'a [u8]) -> Result<Self, &'static str> {
        let mut line = Self::of(bytes);
        let mut cursor = Cursor { rest: bytes };
        loop {
            let begin = cursor.at(bytes);
            check(&mut cursor)?;
            let place = line.count.checked_rem(line.ends.len()).unwrap_or(0);
            if let Some(end) = line.ends.get_mut(place) {
                *end = (begin, cursor.at(bytes));
            }
            line.count = line.count.saturating_add(1);
            if !cursor.eat(b',') {
                break;
            }
        }
        line.left = line.count.min(line.ends.len());
        if cursor.rest.is_empty() { Ok(line) } else { Err("something stands between two parameters") }
    }
}

impl Iterator for Line<'_> {
    type Item = Element;

    fn next(&mut self) -> Option<Element> {
        if let Some(why) = self.broken.take() {
            return Some(Element::broken(why));
        }
        self.left = self.left.checked_sub(1)?;
        self.count = self.count.checked_sub(1)?;
        let (begin, end) = *self.ends.get(self.count.checked_rem(self.ends.len())?)?;
        Some(meaning(self.bytes.get(begin.into()..end.into())?))
    }
}

/// An element of which `check` has said that it is one.
fn meaning(element: &[u8]) -> Element {
    let (mut cursor, mut client, mut scheme) = (Cursor { rest: element }, Node::Hidden, None);
    let _ = parameters(&mut cursor, |name, value| {
        if name.eq_ignore_ascii_case(b"for") {
            client = node(value);
        } else if name.eq_ignore_ascii_case(b"proto") {
            scheme = Some(proto(value));
        }
        Ok(())
    });
    Element { node: client, scheme }
}

/// The scheme's name (RFC 3986 §3.1), in whatever case; a quotation with escapes is no scheme that matters.
fn proto(value: Value<'_>) -> Scheme {
    let (Value::Token(name) | Value::Quoted(name)) = value;
    Scheme::named(name)
}

/// One element: whether it is well-formed, and none of its parameters stands in it twice (§4).
fn check(cursor: &mut Cursor<'_>) -> Result<(), &'static str> {
    let mut names = ArrayVec::<&[u8], MAX_PARAMETERS>::new();
    parameters(cursor, |name, _| {
        if names.iter().any(|held| held.eq_ignore_ascii_case(name)) {
            return Err("a parameter stands twice in one element");
        }
        names.try_push(name).map_err(|_| "an element has more than 16 parameters")
    })
}

/// `[ pair ] *( ";" [ pair ] )`, up to a comma or the end.
fn parameters<'a>(
    cursor: &mut Cursor<'a>,
    mut see: impl FnMut(&'a [u8], Value<'a>) -> Result<(), &'static str>,
) -> Result<(), &'static str> {
    loop {
        cursor.skip_blanks();
        let name = cursor.token();
        if !name.is_empty() {
            if !cursor.eat(b'=') {
                return Err("a parameter has no value");
            }
            see(name, cursor.value()?)?;
            cursor.skip_blanks();
        }
        if !cursor.eat(b';') {
            return Ok(());
        }
    }
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// How far it is in the whole of `line`, which has at most 8 KiB.
    fn at(&self, line: &[u8]) -> u16 {
        u16::try_from(line.len().saturating_sub(self.rest.len())).unwrap_or(u16::MAX)
    }

    fn eat(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn skip_blanks(&mut self) {
        while self.eat(b' ') || self.eat(b'\t') {}
    }

    /// As many characters of a token as there are (RFC 9110 §5.6.2).
    fn token(&mut self) -> &'a [u8] {
        let end = self.rest.iter().position(|byte| !is_of_token(*byte)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, &[]));
        self.rest = rest;
        token
    }

    fn value(&mut self) -> Result<Value<'a>, &'static str> {
        if !self.eat(b'"') {
            let token = self.token();
            return if token.is_empty() { Err("a parameter has no value") } else { Ok(Value::Token(token)) };
        }
        let mut escaped = false;
        for (index, byte) in self.rest.iter().enumerate() {
            match byte {
                b'"' if !escaped => {
                    let (text, rest) = self.rest.split_at_checked(index).unwrap_or((self.rest, &[]));
                    self.rest = rest.get(1..).unwrap_or_default();
                    return Ok(Value::Quoted(text));
                }
                b'\t' | b' '..=b'~' | 0x80.. => escaped = *byte == b'\\' && !escaped,
                _ => return Err("a quotation holds a control character"),
            }
        }
        Err("a quotation has no end")
    }
}

fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
