//! Which members of a JSON document need a scope. Pure.

use std::borrow::Cow;

/// A property that only holders of a scope see, or set; or the properties of what lies in one.
///
/// Paths are JSON pointers (RFC 6901) in which arrays are not there: `/items/cost` is the cost of
/// each item. `*` is any member, for maps; `**` any number of members, for what contains itself.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    path: &'static str,
    rule: Rule,
}

#[derive(Clone, Copy, Debug)]
enum Rule {
    Needs(&'static str),
    Holds(&'static [Field]),
}

impl Field {
    /// The property at `path`, with all that lies in it, needs `scope`.
    pub const fn needs(path: &'static str, scope: &'static str) -> Self {
        Self { path, rule: Rule::Needs(scope) }
    }

    /// At `path` lies something that has fields of its own: [`FieldScopes::FIELDS`] of its type.
    pub const fn holds(path: &'static str, fields: &'static [Self]) -> Self {
        Self { path, rule: Rule::Holds(fields) }
    }
}

/// Says which properties of a type's JSON form need which scope.
///
/// Most easily with [`field_scopes!`](super::field_scopes), which has the compiler look whether the
/// fields exist. Names are those in the JSON, after `#[serde(rename)]`; what is read under an
/// `#[serde(alias)]` needs a row for each name.
pub trait FieldScopes {
    /// The properties. What is not here is seen, and set, by everybody who reaches the handler.
    const FIELDS: &'static [Field];
}

macro_rules! same_fields {
    ($($holder:ty),*) => {$(
        impl<T: FieldScopes> FieldScopes for $holder {
            const FIELDS: &'static [Field] = T::FIELDS;
        }
    )*};
}

// An array is not in the path, and a pointer not in the JSON.
same_fields!(Vec<T>, [T], Option<T>, Box<T>, std::sync::Arc<T>, &T);

/// The properties that a caller may not have.
#[derive(Debug, Default)]
pub(super) struct Denied {
    paths: Vec<Path>,
}

#[derive(Debug)]
struct Path {
    segments: Vec<Cow<'static, str>>,
    text: String,
    scope: &'static str,
}

impl Denied {
    /// Those of `fields` whose scope the caller lacks.
    pub(super) fn of(fields: &'static [Field], may: impl Fn(&str) -> bool) -> Self {
        let mut denied = Self::default();
        denied.collect("", fields, &may);
        denied
    }

    fn collect(&mut self, prefix: &str, fields: &'static [Field], may: &impl Fn(&str) -> bool) {
        for field in fields {
            match field.rule {
                Rule::Needs(scope) if may(scope) => {}
                Rule::Needs(scope) => {
                    let text = format!("{prefix}{}", field.path);
                    let segments = text.split('/').skip(1).map(|name| unescape(name).into_owned().into()).collect();
                    self.paths.push(Path { segments, text, scope });
                }
                Rule::Holds(inner) => self.collect(&format!("{prefix}{}", field.path), inner, may),
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// The row for the member that `path` leads to.
    pub(super) fn find(&self, path: &[Cow<'_, str>]) -> Option<usize> {
        self.paths.iter().position(|denied| leads_to(&denied.segments, path))
    }

    /// A row as it was written, and the scope that it needs.
    pub(super) fn row(&self, index: usize) -> Option<(&str, &'static str)> {
        self.paths.get(index).map(|path| (&*path.text, path.scope))
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(|path| &*path.text)
    }
}

/// `~1` is a slash and `~0` a tilde (RFC 6901 §4).
fn unescape(segment: &str) -> Cow<'_, str> {
    if segment.contains('~') { segment.replace("~1", "/").replace("~0", "~").into() } else { segment.into() }
}

fn leads_to(pattern: &[Cow<'_, str>], path: &[Cow<'_, str>]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "**" => {
            leads_to(rest, path) || path.split_first().is_some_and(|(_, deeper)| leads_to(pattern, deeper))
        }
        (Some((first, rest)), Some((name, deeper))) => (first == "*" || first == name) && leads_to(rest, deeper),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Vec<Cow<'_, str>> {
        text.split('/').skip(1).map(Cow::Borrowed).collect()
    }

    #[test]
    fn patterns_lead_where_they_say() {
        for (pattern, yes, no) in [
            ("/margin", &["/margin"] as &[&str], &["/Margin", "/margin/x", "/x/margin", "/", ""] as &[&str]),
            ("/items/cost", &["/items/cost"], &["/items", "/cost", "/items/x/cost"]),
            ("/by_day/*/cost", &["/by_day/1/cost"], &["/by_day/cost", "/by_day/1/2/cost"]),
            ("/**/secret", &["/secret", "/a/secret", "/a/b/c/secret"], &["/a/secrets", "/secret/a"]),
            ("/a~1b/~0", &["/a|b/~"], &["/a~1b/~0"]),
        ] {
            let denied = Denied::of(Box::leak(Box::new([Field::needs(pattern, "x:y")])), |_| false);
            let to = |text: &str| path(text).iter().map(|name| name.replace('|', "/").into()).collect::<Vec<_>>();
            assert!(yes.iter().all(|path| denied.find(&to(path)).is_some()), "{pattern}");
            assert!(no.iter().all(|path| denied.find(&to(path)).is_none()), "{pattern}");
        }
    }

    #[test]
    fn what_lies_inside_keeps_its_own_rows() {
        static ITEM: &[Field] = &[Field::needs("/cost", "read:costs")];
        static ORDER: &[Field] = &[Field::needs("/margin", "read:margins"), Field::holds("/items", ITEM)];
        let denied = Denied::of(ORDER, |scope| scope == "read:margins");
        assert_eq!(denied.rows().collect::<Vec<_>>(), ["/items/cost"]);
        assert_eq!(
            denied.find(&path("/items/cost")).and_then(|row| denied.row(row)),
            Some(("/items/cost", "read:costs"))
        );
        assert!(Denied::of(ORDER, |_| true).is_empty());
    }
}
