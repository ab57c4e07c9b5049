use std::{fmt, ops::Deref};

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use serde::Serialize;

use super::{
    FieldScopes,
    field::Denied,
    json::{self, JsonError},
};
use crate::{
    authz::object::Permissions,
    rejection::{Rejection, RejectionKind},
};

/// A value of which the caller sees what its scopes allow: JSON without the other properties.
///
/// [`Permissions::show`] makes one. It derefs to the whole value.
pub struct Visible<T> {
    value: T,
    permissions: Option<Permissions>,
}

impl<T> Visible<T> {
    /// For callers of whom nothing is known: every property that needs a scope is left out.
    pub fn to_everybody(value: T) -> Self {
        Self { value, permissions: None }
    }

    /// The whole value, for the service's own use.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T: Serialize + FieldScopes> Visible<T> {
    /// The JSON text that the caller may see: for messages over a `WebSocket`, or event streams.
    ///
    /// # Errors
    /// 500 `internal_error` if the value cannot be written as JSON, or lies deeper than 128 levels.
    pub fn to_json(&self) -> Result<Vec<u8>, Rejection> {
        self.write().map_err(|error| Rejection::new(RejectionKind::InternalError).with_source(error))
    }

    fn write(&self) -> Result<Vec<u8>, NotWritten> {
        let text = serde_json::to_vec(&self.value)?;
        let may = |scope: &str| self.permissions.as_ref().is_some_and(|permissions| permissions.may(scope));
        let denied = Denied::of(T::FIELDS, may);
        // Who may see everything pays for nothing.
        if denied.is_empty() { Ok(text) } else { Ok(json::without(&text, &denied)?) }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the value cannot be shown: {0}")]
enum NotWritten {
    Json(#[from] serde_json::Error),
    Text(#[from] JsonError),
}

impl Permissions {
    /// `value` as this caller may see it, for a handler to return.
    pub fn show<T: Serialize + FieldScopes>(&self, value: T) -> Visible<T> {
        Visible { value, permissions: Some(self.clone()) }
    }
}

impl<T> Deref for Visible<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// The value may hold what a log must not.
impl<T> fmt::Debug for Visible<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visible").finish_non_exhaustive()
    }
}

impl<T: Serialize + FieldScopes> IntoResponse for Visible<T> {
    fn into_response(self) -> Response {
        match self.to_json() {
            Ok(text) => ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], text).into_response(),
            Err(rejection) => rejection.into_response(),
        }
    }
}

/// The rows of a type that lead to nothing in `sample`: misspelled ones, which would hide nothing.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn unmatched<T: FieldScopes + ?Sized>(sample: &[u8]) -> Option<Vec<String>> {
    let all = Denied::of(T::FIELDS, |_| false);
    let mut unmatched: Vec<Option<&str>> = all.rows().map(Some).collect();
    let mut found = |row: usize| {
        if let Some(slot) = unmatched.get_mut(row) {
            *slot = None;
        }
    };
    json::find(sample, &all, &mut found).ok()?;
    Some(unmatched.into_iter().flatten().map(str::to_owned).collect())
}
