use std::borrow::Cow;

/// A string of a principal. Those of a token are places in its claims, which the principal keeps
/// anyway: a string of its own for each would be what most of a verification's allocations are.
#[derive(Clone)]
pub(crate) enum Text {
    Owned(Box<str>),
    Within { start: u32, end: u32 },
}

impl Text {
    /// The place of `text` in `whole`, if it lies there; else a copy (of what had escapes in it).
    pub(crate) fn place(text: Cow<'_, str>, whole: &[u8]) -> Self {
        match text {
            Cow::Owned(text) => Self::Owned(text.into_boxed_str()),
            Cow::Borrowed(text) => Self::find(text, whole).unwrap_or_else(|| Self::Owned(text.into())),
        }
    }

    fn find(text: &str, whole: &[u8]) -> Option<Self> {
        // By address: what lies between those of its ends is that part, since both are held at once. (An
        // empty text may lie anywhere, and reads the same anywhere.)
        let start = text.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
        let end = start.checked_add(text.len())?;
        whole.get(start..end)?;
        Some(Self::Within { start: u32::try_from(start).ok()?, end: u32::try_from(end).ok()? })
    }

    /// The string; `whole` is what it is a place in.
    pub(crate) fn of<'a>(&'a self, whole: &'a str) -> &'a str {
        match self {
            Self::Owned(text) => text,
            Self::Within { start, end } => {
                let (Ok(start), Ok(end)) = (usize::try_from(*start), usize::try_from(*end)) else { return "" };
                whole.get(start..end).unwrap_or_default()
            }
        }
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::Owned(Box::default())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::Owned(text.into())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::Owned(text.into_boxed_str())
    }
}

impl From<Box<str>> for Text {
    fn from(text: Box<str>) -> Self {
        Self::Owned(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_a_place_and_anything_else_a_copy() {
        let whole = "say \u{e9}t\u{e9} twice";
        let part = Text::place(Cow::Borrowed(&whole[4..9]), whole.as_bytes());
        assert!(matches!(part, Text::Within { start: 4, end: 9 }));
        assert_eq!(part.of(whole), "\u{e9}t\u{e9}");
        for other in [Cow::Borrowed("elsewhere"), Cow::Owned("say".to_owned()), Cow::Borrowed("")] {
            let expected = other.clone().into_owned();
            assert_eq!(Text::place(other, whole.as_bytes()).of(whole), expected);
        }
    }

    #[test]
    fn a_place_in_something_else_is_nothing_rather_than_a_panic() {
        let whole = "\u{e9}\u{e9}\u{e9}";
        for (start, end) in [(1, 2), (4, 100), (3, 1), (0, 1)] {
            assert_eq!(Text::Within { start, end }.of(whole), "");
        }
    }
}
