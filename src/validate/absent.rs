//! What stands for schemas where the feature `json-schema` is off: nothing can be made of these types,
//! so nothing is skipped that somebody asked for.

use http::{Extensions, HeaderMap, Uri};
use serde_json::Value;

use super::{SchemaStatus, finding::Finding};
use crate::{config_error::ConfigIssues, lint::Lints, rejection::Rejection};

#[derive(Clone, Debug)]
pub(super) enum Schema {}

#[derive(Clone, Debug)]
pub(super) enum Checked {}

#[derive(Clone, Debug)]
pub(super) enum Parameter {}

#[derive(Clone, Debug, Default)]
pub(super) struct Parameters;

impl Schema {
    pub(super) fn compile(&self, _: &str, _: &mut ConfigIssues, _: &mut Lints) -> Option<Checked> {
        match *self {}
    }
}

impl Checked {
    pub(super) fn findings(&self, _: &Value, _: usize) -> Vec<Finding> {
        match *self {}
    }
}

impl Parameters {
    pub(super) fn compile(
        _: &[Parameter],
        _: bool,
        _: Option<&str>,
        _: &str,
        _: &mut ConfigIssues,
        _: &mut Lints,
    ) -> Self {
        Self
    }

    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as the one that has parameters")]
    pub(super) fn check(&self, _: &Uri, _: &HeaderMap, _: &Extensions, _: SchemaStatus) -> Result<(), Rejection> {
        Ok(())
    }
}
