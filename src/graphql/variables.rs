//! The values of variables, as far as they can be list arguments.

use std::{collections::HashMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

/// No operation has as many; what is kept of them is bounded by it.
const MOST: usize = 1_000;

/// What is known of a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    Not,
    /// As this much, or as nothing that says how much.
    As(Option<u64>),
}

/// What each variable says as a list argument: a number, the length of a list, or nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Variables(HashMap<String, Option<u64>>);

impl Variables {
    pub(super) fn get(&self, name: &str) -> Given {
        self.0.get(name).map_or(Given::Not, |amount| Given::As(*amount))
    }
}

impl<'de> Deserialize<'de> for Variables {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Variables;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of variables")
            }

            fn visit_unit<E>(self) -> Result<Variables, E> {
                Ok(Variables::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Variables, A::Error> {
                let mut held = HashMap::new();
                while let Some((name, Amount(amount))) = map.next_entry::<String, Amount>()? {
                    // Which of two values counts is another question for each parser.
                    if held.insert(name, amount).is_some() || held.len() > MOST {
                        return Err(A::Error::custom("a variable is given twice, or there are too many"));
                    }
                }
                Ok(Variables(held))
            }
        }
        deserializer.deserialize_any(Map)
    }
}

struct Amount(Option<u64>);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue).map(Self)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Option<u64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_u64<E>(self, number: u64) -> Result<Option<u64>, E> {
        Ok(Some(number))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Option<u64>, E> {
        Ok(Some(0))
    }

    /// `1e9` is an `Int` to those whose language has one kind of number.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates, which is meant")]
    fn visit_f64<E>(self, number: f64) -> Result<Option<u64>, E> {
        Ok(Some(number.ceil() as u64))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Option<u64>, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Option<u64>, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Option<u64>, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Option<u64>, A::Error> {
        let mut count = 0_u64;
        while items.next_element::<IgnoredAny>()?.is_some() {
            count = count.saturating_add(1);
        }
        Ok(Some(count))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<u64>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}
