//! The claims whose names are configured, wherever in the claims they lie.

use std::{borrow::Cow, fmt};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{
    claim_names::{ClaimNames, Field},
    json::{Distinct, Names, Texts},
};

/// What was found for each [`Field`], and the rank of the name under which it was.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Fields<'de>([(usize, Texts<'de>); 6]);

impl<'de> Fields<'de> {
    /// In the order of [`Field`].
    pub(crate) fn into_texts(self) -> [Texts<'de>; 6] {
        self.0.map(|(_, texts)| texts)
    }

    fn slot(&mut self, field: Field) -> &mut (usize, Texts<'de>) {
        let [scope, roles, tenant, plan, client, email] = &mut self.0;
        match field {
            Field::Scope => scope,
            Field::Roles => roles,
            Field::Tenant => tenant,
            Field::Plan => plan,
            Field::Client => client,
            Field::Email => email,
        }
    }

    pub(crate) fn put(&mut self, field: Field, rank: usize, texts: Texts<'de>) {
        let slot = self.slot(field);
        if slot.1 == Texts::Absent || rank < slot.0 {
            *slot = (rank, texts);
        }
    }
}

/// A value at which the paths in `set` have arrived after `depth` segments. Some end here, some go
/// on into its members.
pub(crate) struct Along<'a, 'de> {
    pub(crate) names: &'a ClaimNames,
    pub(crate) set: u64,
    pub(crate) depth: usize,
    pub(crate) fields: &'a mut Fields<'de>,
}

impl<'de> Along<'_, 'de> {
    /// For the paths that end here. (Those that go on lead nowhere if this is no object.)
    pub(crate) fn put(self, texts: Texts<'de>) {
        if texts == Texts::Absent {
            return;
        }
        let ends = |path: &super::claim_names::ClaimPath| path.segments().len() == self.depth;
        let mut ending = self.names.chosen(self.set).filter(|(_, _, _, path)| ends(path)).peekable();
        let mut texts = Some(texts);
        while let Some((_, field, rank, _)) = ending.next() {
            let copy = if ending.peek().is_some() { texts.clone() } else { texts.take() };
            self.fields.put(field, rank, copy.unwrap_or_default());
        }
    }
}

impl<'de> DeserializeSeed<'de> for Along<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Along<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a claim")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut members = Names::new();
        while let Some(name) = members.next(&mut map)? {
            let set = self.names.matching(self.set, self.depth, name);
            if set == 0 {
                map.next_value::<Distinct>()?;
            } else {
                let depth = self.depth.saturating_add(1);
                map.next_value_seed(Along { names: self.names, set, depth, fields: &mut *self.fields })?;
            }
        }
        self.put(Texts::Wrong);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<(), A::Error> {
        let texts = Texts::of_seq(items)?;
        self.put(texts);
        Ok(())
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<(), E> {
        self.put(Texts::One(Cow::Borrowed(text)));
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.put(Texts::One(Cow::Owned(text.into())));
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.put(Texts::Wrong);
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.put(Texts::Wrong);
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.put(Texts::Wrong);
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.put(Texts::Wrong);
        Ok(())
    }
}
