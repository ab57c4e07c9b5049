use std::{collections::BTreeSet, fmt, ops::Deref};

use axum::{
    Json,
    body::Body,
    extract::{FromRequest, rejection::JsonRejection},
};
use http::{Request, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::{FieldScopes, field::Denied, json, named::Named};
use crate::{
    authz::object::Permissions,
    rejection::{Rejection, RejectionKind},
};

/// A JSON body of which the caller may set every property that is there.
///
/// As an extractor it is `axum::Json`, with one refusal more: a property whose scope the caller lacks
/// is 403 `forbidden`, with the paths of those properties in `fields`. Nothing is silently left out: a
/// client that believes to have set a price has set it, or knows that it has not.
///
/// It protects against mass assignment (OWASP API3:2023). What `T` does not know, serde ignores, or
/// refuses (422) with `#[serde(deny_unknown_fields)]`. A property that `T` also reads by another name
/// (`#[serde(alias)]`) needs a row for each name.
///
/// An array is no struct here: `serde_json` takes `["tea", 0.9]` for `{"item": "tea", "discount": 0.9}`, and
/// in it no property has a name by which it could be refused. It is 422. Only what serde buffers is beyond
/// reach: do not put properties that need a scope into structs that lie in a `#[serde(flatten)]`ed
/// field, or in an untagged or internally tagged enum.
pub struct Writable<T> {
    value: T,
}

impl<T> Writable<T> {
    /// The value.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T> Deref for Writable<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Writable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Writable").field(&self.value).finish()
    }
}

impl<S, T> FromRequest<S> for Writable<T>
where
    S: Send + Sync,
    T: DeserializeOwned + FieldScopes,
{
    type Rejection = Rejection;

    async fn from_request(request: Request<Body>, state: &S) -> Result<Self, Rejection> {
        let (parts, body) = request.into_parts();
        let permissions = Permissions::of(&parts)?;
        let request = Request::from_parts(parts, body);
        // axum sees to the type of the body, its length, and whether it is JSON at all.
        let Json(text) = Json::<Box<RawValue>>::from_request(request, state).await.map_err(|error| refused(&error))?;
        let text = text.get().as_bytes();
        let value = read::<T>(text)?;

        let denied = Denied::of(T::FIELDS, |scope| permissions.may(scope));
        if !denied.is_empty() {
            let mut rows = BTreeSet::new();
            let found = json::find(text, &denied, &mut |row| {
                rows.insert(row);
            });
            found.map_err(|error| Rejection::new(RejectionKind::InvalidRequest).with_source(error))?;
            if !rows.is_empty() {
                // The paths are those of the configuration, never what the client wrote.
                let fields: Vec<&str> = rows.iter().filter_map(|row| denied.row(*row)).map(|(path, _)| path).collect();
                return Err(Rejection::new(RejectionKind::Forbidden)
                    .with_detail("The caller may not set some of the properties.")
                    .with_member("fields", fields));
            }
        }
        Ok(Self { value })
    }
}

/// As axum reads a body, but structs by the names of their fields only.
fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, Rejection> {
    T::deserialize(Named(&mut serde_json::Deserializer::from_slice(text))).map_err(|error| {
        let is_of_another_type = error.is_data();
        let status = if is_of_another_type { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::BAD_REQUEST };
        Rejection::from_status(status).with_source(error)
    })
}

fn refused(error: &JsonRejection) -> Rejection {
    Rejection::from_extractor(error.status(), error)
}
