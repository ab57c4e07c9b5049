//! Claims that are strings, or lists of them.

use std::{borrow::Cow, fmt};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::json::Distinct;

/// One string, or a list of strings; `null` is no string.
#[derive(Clone, Debug, Default)]
pub(crate) enum Texts<'de> {
    #[default]
    Absent,
    One(Cow<'de, str>),
    Many(Vec<Cow<'de, str>>),
    /// A list as its JSON, in which there are no escapes.
    Listed(Listed<'de>),
    /// Something else.
    Wrong,
}

/// The JSON of an array of strings without escapes: nobody needs to hold them apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listed<'de>(pub(super) &'de str);

impl<'de> Listed<'de> {
    /// A quote stands only before and after a string: every other part between quotes is one.
    fn iter(self) -> impl Iterator<Item = &'de str> {
        self.0.split('"').skip(1).step_by(2)
    }
}

impl<'de> Texts<'de> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        let (one, many, listed) = match self {
            Self::One(text) => (Some(text), &[][..], Listed::default()),
            Self::Many(texts) => (None, &**texts, Listed::default()),
            Self::Listed(listed) => (None, &[][..], *listed),
            Self::Absent | Self::Wrong => (None, &[][..], Listed::default()),
        };
        one.into_iter().chain(many).map(|text| &**text).chain(listed.iter())
    }

    /// Each of the strings.
    pub(crate) fn into_each(self) -> impl Iterator<Item = Cow<'de, str>> {
        let (one, many, listed) = match self {
            Self::One(text) => (Some(text), Vec::new(), Listed::default()),
            Self::Many(texts) => (None, texts, Listed::default()),
            Self::Listed(listed) => (None, Vec::new(), listed),
            Self::Absent | Self::Wrong => (None, Vec::new(), Listed::default()),
        };
        one.into_iter().chain(many).chain(listed.iter().map(Cow::Borrowed))
    }

    /// The items of an array.
    pub(crate) fn of_seq<A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        let mut texts = Vec::new();
        let mut right = true;
        while let Some(item) = items.next_element::<Self>()? {
            match item {
                Self::One(text) => texts.push(text),
                _ => right = false,
            }
        }
        Ok(if right { Self::Many(texts) } else { Self::Wrong })
    }

    /// The one string that is not empty, if this is that.
    pub(crate) fn into_one(self) -> Option<Cow<'de, str>> {
        match self {
            Self::One(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }
}

/// However a list was read.
impl PartialEq for Texts<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Absent, Self::Absent) | (Self::Wrong, Self::Wrong) => true,
            (Self::One(one), Self::One(other)) => one == other,
            (Self::Many(_) | Self::Listed(_), Self::Many(_) | Self::Listed(_)) => self.iter().eq(other.iter()),
            _ => false,
        }
    }
}

impl Eq for Texts<'_> {}

impl<'de> Deserialize<'de> for Texts<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextsVisitor)
    }
}

struct TextsVisitor;

impl<'de> Visitor<'de> for TextsVisitor {
    type Value = Texts<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an array of strings")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Texts<'de>, E> {
        Ok(Texts::One(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Texts<'de>, E> {
        Ok(Texts::One(Cow::Owned(text.into())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Texts<'de>, A::Error> {
        Texts::of_seq(items)
    }

    fn visit_unit<E>(self) -> Result<Texts<'de>, E> {
        Ok(Texts::Absent)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Texts<'de>, A::Error> {
        Distinct.visit_map(map).map(|_| Texts::Wrong)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Texts<'de>, E> {
        Ok(Texts::Wrong)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Texts<'de>, E> {
        Ok(Texts::Wrong)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Texts<'de>, E> {
        Ok(Texts::Wrong)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Texts<'de>, E> {
        Ok(Texts::Wrong)
    }
}
