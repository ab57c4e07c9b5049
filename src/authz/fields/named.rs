//! Reads structs by the names of their fields, and in no other way. Pure.
//!
//! What `#[derive(Deserialize)]` makes takes an array for a struct, too: its items are the fields, in
//! their order. There are no names in it, so a look at names finds nothing to refuse.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};

/// A deserializer, or one of its parts, that hands out [`Watch`]ed visitors.
pub(super) struct Named<T>(pub(super) T);

/// A visitor, which takes no array if it is a struct's.
struct Watch<V> {
    visitor: V,
    is_struct: bool,
}

fn any<V>(visitor: V) -> Watch<V> {
    Watch { visitor, is_struct: false }
}

fn of_struct<V>(visitor: V) -> Watch<V> {
    Watch { visitor, is_struct: true }
}

macro_rules! read {
    ($($method:ident($($name:ident: $type:ty),*);)*) => {$(
        fn $method<V: Visitor<'de>>(self, $($name: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            self.0.$method($($name,)* any(visitor))
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Named<D> {
    type Error = D::Error;

    read! {
        deserialize_any();
        deserialize_bool();
        deserialize_i8();
        deserialize_i16();
        deserialize_i32();
        deserialize_i64();
        deserialize_i128();
        deserialize_u8();
        deserialize_u16();
        deserialize_u32();
        deserialize_u64();
        deserialize_u128();
        deserialize_f32();
        deserialize_f64();
        deserialize_char();
        deserialize_str();
        deserialize_string();
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_option();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_newtype_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple(len: usize);
        deserialize_tuple_struct(name: &'static str, len: usize);
        deserialize_map();
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
        deserialize_identifier();
        deserialize_ignored_any();
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_struct(name, fields, of_struct(visitor))
    }

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

macro_rules! hand_on {
    ($($method:ident: $type:ty;)*) => {$(
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.visitor.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Watch<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    hand_on! {
        visit_bool: bool;
        visit_i8: i8;
        visit_i16: i16;
        visit_i32: i32;
        visit_i64: i64;
        visit_i128: i128;
        visit_u8: u8;
        visit_u16: u16;
        visit_u32: u32;
        visit_u64: u64;
        visit_u128: u128;
        visit_f32: f32;
        visit_f64: f64;
        visit_char: char;
        visit_str: &str;
        visit_borrowed_str: &'de str;
        visit_string: String;
        visit_bytes: &[u8];
        visit_borrowed_bytes: &'de [u8];
        visit_byte_buf: Vec<u8>;
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(Named(inner))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_newtype_struct(Named(inner))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        if self.is_struct {
            return Err(A::Error::invalid_type(Unexpected::Seq, &self.visitor));
        }
        self.visitor.visit_seq(Named(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(Named(members))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, variant: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_enum(Named(variant))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Named<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Named(inner))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Named<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(Named(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Named<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_key_seed(Named(seed))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(Named(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: EnumAccess<'de>> EnumAccess<'de> for Named<A> {
    type Error = A::Error;
    type Variant = Named<A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        let (name, variant) = self.0.variant_seed(Named(seed))?;
        Ok((name, Named(variant)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Named<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.0.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.0.newtype_variant_seed(Named(seed))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.0.tuple_variant(len, any(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.0.struct_variant(fields, of_struct(visitor))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::Deserialize;
    use serde_json::{Value, value::RawValue};

    use super::*;

    fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, serde_json::Error> {
        T::deserialize(Named(&mut serde_json::Deserializer::from_str(text)))
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Point {
        x: i32,
        y: Option<i32>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Pair(i32, Point);

    #[derive(Debug, Deserialize, PartialEq)]
    struct Wrapped(Point);

    #[derive(Debug, Deserialize, PartialEq)]
    enum Shape {
        Nothing,
        Dot(Point),
        Line(Point, Point),
        Box { from: Point },
    }

    #[test]
    fn an_array_is_no_struct_wherever_it_stands() {
        for text in ["[1,2]", "[1,null]", "[]"] {
            assert!(read::<Point>(text).is_err() && read::<Wrapped>(text).is_err(), "{text}");
            assert!(read::<Vec<Point>>(&format!("[{text}]")).is_err(), "{text}");
            assert!(read::<Option<Point>>(text).is_err(), "{text}");
            assert!(read::<BTreeMap<String, Point>>(&format!("{{\"a\":{text}}}")).is_err(), "{text}");
            assert!(read::<Pair>(&format!("[1,{text}]")).is_err(), "{text}");
            for shape in ["Dot", "Box"] {
                assert!(read::<Shape>(&format!("{{\"{shape}\":{text}}}")).is_err(), "{shape} {text}");
            }
            assert!(read::<Shape>(&format!("{{\"Box\":{{\"from\":{text}}}}}")).is_err(), "{text}");
            assert!(read::<Shape>(&format!("{{\"Line\":[{text},{text}]}}")).is_err(), "{text}");
        }
    }

    #[test]
    fn everything_else_is_read_as_ever() {
        let point = || Point { x: 1, y: None };
        assert_eq!(read::<Point>(r#"{"x":1}"#).unwrap(), point());
        assert_eq!(read::<Wrapped>(r#"{"x":1}"#).unwrap(), Wrapped(point()));
        assert_eq!(read::<Pair>(r#"[1,{"x":1}]"#).unwrap(), Pair(1, point()));
        assert_eq!(read::<(i32, Vec<Point>)>(r#"[1,[{"x":1}]]"#).unwrap(), (1, vec![point()]));
        assert_eq!(read::<Shape>(r#""Nothing""#).unwrap(), Shape::Nothing);
        assert_eq!(read::<Shape>(r#"{"Line":[{"x":1},{"x":1}]}"#).unwrap(), Shape::Line(point(), point()));
        assert_eq!(read::<Shape>(r#"{"Box":{"from":{"x":1}}}"#).unwrap(), Shape::Box { from: point() });
        assert_eq!(read::<&str>(r#""borrowed""#).unwrap(), "borrowed");
        assert_eq!(read::<Box<RawValue>>("[1.10 ]").unwrap().get(), "[1.10 ]");
        assert_eq!(read::<BTreeMap<u8, u64>>(r#"{"7":18446744073709551615}"#).unwrap(), [(7, u64::MAX)].into());
    }

    proptest! {
        #[test]
        fn what_is_no_struct_is_read_as_serde_json_does(text in "[\\[\\]{}\",:0-9a-c.e+ -]{0,40}") {
            prop_assert_eq!(read::<Value>(&text).ok(), Value::deserialize(&mut serde_json::Deserializer::from_str(&text)).ok());
        }
    }
}
