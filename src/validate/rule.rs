use std::time::Duration;

use http::{HeaderValue, Method};

use super::{
    SchemaStatus,
    json::{Bounds, DEEPEST},
    limits::{SizeSettings, Sizes, check_pace, pace},
    lints::NO_SCHEMA,
    media::{self, Charset, MediaRange},
    schemas::{Checked, Parameter, Parameters, Schema},
};
use crate::{config_error::ConfigIssues, gate::Pace, lint::Lints};

/// What one route takes: which bodies, how large, and of which shape.
///
/// ```
/// use portcullis::validate::Rule;
///
/// // JSON of any shape, up to 64 kB, and merge patches.
/// let orders = Rule::json().accept_json("application/merge-patch+json").max_body(64 * 1024);
/// // Pictures, which are bounded and handed on unread.
/// let pictures = Rule::opaque("image/png").accept_opaque("image/jpeg").max_body(5 * 1024 * 1024);
/// # let _ = (orders, pictures);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Rule {
    pub(super) presence: Option<Presence>,
    contents: Vec<ContentSettings>,
    schema: Option<Schema>,
    encodings: Vec<String>,
    sizes: SizeSettings,
    deadline: Option<Duration>,
    depth: Option<usize>,
    parameters: Vec<Parameter>,
    closed_query: bool,
}

#[derive(Clone, Debug)]
struct ContentSettings {
    range: String,
    kind: ContentKind,
    schema: Option<Schema>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ContentKind {
    Json,
    Opaque,
}

/// Whether there is a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// There must be none.
    Never,
    /// There may be one.
    Optional,
    /// There must be one.
    Required,
}

impl Rule {
    fn new() -> Self {
        Self {
            presence: None,
            contents: Vec::new(),
            schema: None,
            encodings: Vec::new(),
            sizes: SizeSettings::default(),
            deadline: None,
            depth: None,
            parameters: Vec::new(),
            closed_query: false,
        }
    }

    /// Takes `application/json`. A body may be there, unless the method is one that has none (GET,
    /// HEAD, DELETE, OPTIONS, TRACE, CONNECT). With a schema it must be there, and on a route of its own
    /// whatever the method.
    pub fn json() -> Self {
        Self::new().accept_json("application/json")
    }

    /// Takes no body, whatever the method.
    pub fn bodyless() -> Self {
        Self { presence: Some(Presence::Never), ..Self::new() }
    }

    /// Takes bodies of one media type that are bounded in size and time, and not looked into:
    /// `"image/png"`, `"image/*"`, `"*/*"`. Each is read whole all the same before the handler runs.
    pub fn opaque(range: impl Into<String>) -> Self {
        Self::new().accept_opaque(range)
    }

    /// Takes JSON under another media type, too: `"application/merge-patch+json"`, or `"+json"` for
    /// every type with that suffix (RFC 6839 §3.1).
    pub fn accept_json(mut self, range: impl Into<String>) -> Self {
        self.contents.push(ContentSettings { range: range.into(), kind: ContentKind::Json, schema: None });
        self
    }

    /// Takes another media type, too, and does not look into it.
    pub fn accept_opaque(mut self, range: impl Into<String>) -> Self {
        self.contents.push(ContentSettings { range: range.into(), kind: ContentKind::Opaque, schema: None });
        self
    }

    /// There must be a body. Without this a body may be missing, unless there is a schema.
    pub fn required_body(mut self) -> Self {
        self.presence = Some(Presence::Required);
        self
    }

    /// There may be a body, whatever the method, and although there is a schema.
    pub fn optional_body(mut self) -> Self {
        self.presence = Some(Presence::Optional);
        self
    }

    /// Lets bodies through that are encoded like this (RFC 9110 §8.4), unread. Default: none, because
    /// what is compressed cannot be checked. Nothing for JSON: decompress outside of this layer.
    pub fn content_encodings<I>(mut self, names: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.encodings.extend(names.into_iter().map(Into::into));
        self
    }

    /// The largest body, in bytes, whatever the caller's plan. Default: the layer's.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.sizes.most = Some(bytes);
        self
    }

    /// The largest body of callers who have this plan.
    pub fn plan_max_body(mut self, plan: impl Into<String>, bytes: usize) -> Self {
        self.sizes.plans.push((plan.into(), bytes));
        self
    }

    /// How long the body may take to arrive. Default: the layer's.
    pub fn body_deadline(mut self, limit: Duration) -> Self {
        self.deadline = Some(limit);
        self
    }

    /// How many arrays and objects may stand in each other. Default: the layer's.
    pub fn max_depth(mut self, levels: usize) -> Self {
        self.depth = Some(levels);
        self
    }
}

#[cfg(feature = "json-schema")]
impl Rule {
    /// What JSON bodies must be: of every type without a [schema of its own](Self::schema_for).
    pub fn schema(mut self, schema: impl Into<Schema>) -> Self {
        self.schema = Some(schema.into());
        self
    }

    /// Takes JSON under this media type, too, of another shape.
    pub fn schema_for(mut self, range: impl Into<String>, schema: impl Into<Schema>) -> Self {
        let (range, schema) = (range.into(), Some(schema.into()));
        self.contents.push(ContentSettings { range, kind: ContentKind::Json, schema });
        self
    }

    /// What a parameter must be.
    pub fn parameter(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// Refuses query parameters that no [`parameter`](Self::parameter) names. Default: they are the
    /// handler's.
    pub fn only_listed_query(mut self) -> Self {
        self.closed_query = true;
        self
    }

    /// Takes what is added.
    pub(super) fn empty() -> Self {
        Self::new()
    }
}

/// What the layer says where a rule says nothing.
#[derive(Clone, Debug)]
pub(super) struct Defaults {
    pub(super) sizes: SizeSettings,
    pub(super) deadline: Duration,
    pub(super) rate: u32,
    pub(super) bounds: Bounds,
    pub(super) status: SchemaStatus,
}

/// A rule that is ready to be asked.
#[derive(Debug)]
pub(super) struct Compiled {
    /// `None` goes by the method, and by whether there is a schema.
    presence: Option<Presence>,
    has_schema: bool,
    /// It is one route's: the method was named with it.
    is_of_route: bool,
    pub(super) contents: Box<[Content]>,
    /// Which of them a bare `application/json` is, as nearly all write it.
    pub(super) json: Option<usize>,
    pub(super) accept: HeaderValue,
    pub(super) encodings: Box<[Box<str>]>,
    pub(super) accept_encoding: HeaderValue,
    pub(super) sizes: Sizes,
    pub(super) pace: Pace,
    pub(super) bounds: Bounds,
    pub(super) status: SchemaStatus,
    pub(super) parameters: Parameters,
}

#[derive(Debug)]
pub(super) struct Content {
    pub(super) range: MediaRange,
    pub(super) kind: Look,
}

/// How JSON is announced.
pub(super) const JSON: &[u8] = b"application/json";

/// Which of the media types a `Content-Type` is.
pub(super) fn which(contents: &[Content], value: &[u8]) -> Option<usize> {
    let media = media::parse(value)?;
    let (index, content) = contents.iter().enumerate().find(|(_, content)| content.range.accepts(&media))?;
    // JSON is UTF-8 (RFC 8259 §8.1): who says otherwise means something else.
    let is_text = matches!(content.kind, Look::Opaque) || media.charset != Some(Charset::Other);
    if is_text { Some(index) } else { None }
}

/// What is done with a body of that type.
#[derive(Debug)]
pub(super) enum Look {
    /// It is JSON, and maybe of this shape.
    Json(Option<Checked>),
    /// Nothing.
    Opaque,
}

impl Compiled {
    /// Of anybody, with any method.
    pub(super) fn longest_body(&self) -> usize {
        if self.presence == Some(Presence::Never) { 0 } else { self.sizes.most() }
    }

    pub(super) fn presence(&self, method: &Method) -> Presence {
        if let Some(presence) = self.presence {
            return presence;
        }
        let has_none = matches!(
            *method,
            Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS | Method::TRACE | Method::CONNECT
        );
        match (self.has_schema, has_none) {
            // Who gives a schema for a DELETE means it; a rule for all routes does not mean their GETs.
            (true, true) if self.is_of_route => Presence::Required,
            (_, true) => Presence::Never,
            (true, false) => Presence::Required,
            (false, false) => Presence::Optional,
        }
    }

    /// Whether the route takes JSON of any shape.
    pub(super) fn lint_shape(&self, method: &Method, field: &str, lints: &mut Lints) {
        let shapeless = |content: &Content| matches!(content.kind, Look::Json(None));
        if self.presence(method) != Presence::Never && self.contents.iter().any(shapeless) {
            lints.add(&NO_SCHEMA, field.trim_end_matches('.').to_owned(), "the JSON may be anything", None);
        }
    }
}

impl Rule {
    /// `template` is the route's path; a default rule has none. `field` begins the names of mistakes.
    pub(super) fn compile(
        &self,
        template: Option<&str>,
        field: &str,
        defaults: &Defaults,
        issues: &mut ConfigIssues,
        lints: &mut Lints,
    ) -> Compiled {
        self.sizes.check(field, issues, lints);
        check_pace(self.deadline, None, field, issues);
        check_depth(self.depth, field, issues);
        let contents = self.contents(field, issues, lints);
        self.check_presence(field, template, &contents, issues);
        Compiled {
            presence: self.presence,
            has_schema: contents.iter().any(|content| matches!(content.kind, Look::Json(Some(_)))),
            is_of_route: template.is_some(),
            accept: list(contents.iter().map(|content| content.range.to_string())),
            json: which(&contents, JSON),
            contents,
            accept_encoding: list(self.encodings.iter().cloned().chain(["identity".to_owned()])),
            encodings: self.encodings.iter().map(|name| name.to_ascii_lowercase().into()).collect(),
            sizes: self.sizes.over(&defaults.sizes),
            pace: pace(self.deadline.unwrap_or(defaults.deadline), defaults.rate),
            bounds: Bounds { depth: self.depth.unwrap_or(defaults.bounds.depth), ..defaults.bounds },
            status: defaults.status,
            parameters: Parameters::compile(&self.parameters, self.closed_query, template, field, issues, lints),
        }
    }

    fn contents(&self, field: &str, issues: &mut ConfigIssues, lints: &mut Lints) -> Box<[Content]> {
        let mut contents: Vec<Content> = Vec::new();
        for settings in &self.contents {
            let field = format!("{field}accept[{:?}]", settings.range);
            let Some(range) = MediaRange::parse(&settings.range) else {
                issues.add(field, "it is no media type", "write application/json, +json, image/* or */*");
                continue;
            };
            if contents.iter().any(|content| content.range == range) {
                issues.add(field.clone(), "the media type stands twice", "keep one");
            }
            let kind = match settings.kind {
                ContentKind::Json => {
                    if !range.is_json() {
                        issues.add(
                            field.clone(),
                            "JSON is not sent as that",
                            "use application/json, or a type that ends with +json",
                        );
                    }
                    let schema = settings.schema.as_ref().or(self.schema.as_ref());
                    Look::Json(schema.and_then(|schema| schema.compile(&format!("{field}.schema"), issues, lints)))
                }
                ContentKind::Opaque => Look::Opaque,
            };
            contents.push(Content { range, kind });
        }
        // The most precise first.
        contents.sort_by(|one, other| one.range.cmp(&other.range));
        contents.into_boxed_slice()
    }

    fn check_presence(&self, field: &str, template: Option<&str>, contents: &[Content], issues: &mut ConfigIssues) {
        let looks = |content: &&Content| matches!(content.kind, Look::Json(_));
        let json = contents.iter().filter(looks).count();
        if !self.encodings.is_empty() && json > 0 {
            issues.add(
                format!("{field}content_encodings"),
                "encoded JSON cannot be checked",
                "decompress outside of this layer, which then sees no Content-Encoding",
            );
        }
        if self.presence == Some(Presence::Never) && !self.contents.is_empty() {
            issues.add(field.to_owned(), "it takes no body, and names media types", "leave one out");
        }
        if self.presence == Some(Presence::Required) && self.contents.is_empty() {
            issues.add(
                field.to_owned(),
                "it needs a body, and names no media type",
                "add accept_json or accept_opaque",
            );
        }
        let unused = self.schema.is_some() && !self.contents.iter().any(|content| content.kind == ContentKind::Json);
        if unused {
            let whose = template.unwrap_or("the default rule");
            issues.add(
                format!("{field}schema"),
                format!("{whose} has a schema, and takes no JSON"),
                "add accept_json, or leave the schema out",
            );
        }
    }
}

pub(super) fn check_depth(depth: Option<usize>, field: &str, issues: &mut ConfigIssues) {
    if depth.is_some_and(|depth| !(1..=DEEPEST).contains(&depth)) {
        issues.add(format!("{field}max_depth"), "it is not 1 to 126", "use a few levels more than the handlers expect");
    }
}

fn list(items: impl Iterator<Item = String>) -> HeaderValue {
    let line = items.collect::<Vec<_>>().join(", ");
    HeaderValue::try_from(line).unwrap_or(HeaderValue::from_static(""))
}
