//! What of `authorization_details` a call needs.

use std::{collections::BTreeMap, fmt, sync::Arc};

use http::request::Parts;
use serde_json::Value;

use super::Amount;
use crate::{authz::head::path_param, config_error::ConfigIssues, identity::AuthorizationDetail};

/// The common members that hold lists (RFC 9396 §2.2).
const LISTS: &[&str] = &["actions", "locations", "datatypes", "privileges"];

/// What a call needs of one authorization detail (RFC 9396): its type, and what the detail must say
/// of each of its other members.
///
/// One detail must have it all: two details of one type are two grants, not one that has both their
/// members. And a detail grants nothing if it has a member that the requirement does not speak of:
/// whoever put it there meant to narrow the grant, and a route that does not understand how must not
/// ignore it. [`ignoring`](Self::ignoring) names the members that narrow nothing.
#[derive(Clone)]
#[must_use]
pub struct RarRequirement {
    kind: String,
    lists: Vec<(&'static str, Vec<String>)>,
    rules: BTreeMap<String, Rule>,
    ignored: Vec<String>,
}

/// What one member must be.
#[derive(Clone)]
enum Rule {
    Equals(Wanted<Value>),
    AtMost(Wanted<Amount>),
}

#[derive(Clone)]
enum Wanted<T> {
    Known(T),
    OfRequest(Arc<dyn Fn(&Parts) -> Option<T> + Send + Sync>),
}

impl<T: Clone> Wanted<T> {
    /// `None` if the request does not say, or there is no request to look at.
    fn get(&self, head: Option<&Parts>) -> Option<T> {
        match self {
            Self::Known(value) => Some(value.clone()),
            Self::OfRequest(read) => head.and_then(|head| read(head)),
        }
    }
}

impl RarRequirement {
    /// A detail of this `type` (RFC 9396 §2.1), which says nothing else.
    pub fn of_type(kind: impl Into<String>) -> Self {
        Self { kind: kind.into(), lists: Vec::new(), rules: BTreeMap::new(), ignored: Vec::new() }
    }

    /// The detail's `actions` have all of these.
    pub fn actions(self, actions: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.list("actions", actions.into_iter().map(Into::into).collect())
    }

    /// The detail's `locations` have all of these: usually the one URL of this service, spelled as
    /// its clients ask for it.
    pub fn locations(self, locations: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.list("locations", locations.into_iter().map(Into::into).collect())
    }

    /// The detail's `datatypes` have all of these.
    pub fn datatypes(self, datatypes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.list("datatypes", datatypes.into_iter().map(Into::into).collect())
    }

    /// The detail's `privileges` have all of these.
    pub fn privileges(self, privileges: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.list("privileges", privileges.into_iter().map(Into::into).collect())
    }

    fn list(mut self, name: &'static str, wanted: Vec<String>) -> Self {
        self.lists.retain(|(held, _)| *held != name);
        self.lists.push((name, wanted));
        self
    }

    /// The detail's `identifier` is this one.
    pub fn identifier(self, identifier: impl Into<String>) -> Self {
        self.equals("identifier", Value::String(identifier.into()))
    }

    /// The detail's `identifier` is the parameter of that name in the route's path: with
    /// `/orders/{id}` and `identifier_from_path("id")`, a detail for one order opens that order.
    pub fn identifier_from_path(self, parameter: impl Into<String>) -> Self {
        let parameter = parameter.into();
        self.equals_from("identifier", move |head| path_param(head, &parameter).map(Value::String))
    }

    /// A member is this JSON value, exactly: `creditorAccount` is `{"iban": "DE02…"}`.
    pub fn equals(self, member: impl Into<String>, value: impl Into<Value>) -> Self {
        self.rule(member, Rule::Equals(Wanted::Known(value.into())))
    }

    /// A member is what the request says. If the request does not say (`None`), nothing is granted.
    pub fn equals_from(
        self,
        member: impl Into<String>,
        value: impl Fn(&Parts) -> Option<Value> + Send + Sync + 'static,
    ) -> Self {
        self.rule(member, Rule::Equals(Wanted::OfRequest(Arc::new(value))))
    }

    /// A member, such as `instructedAmount`, is an amount in the same currency, and at least this.
    ///
    /// That is a limit for one call. How often the token may be used is not in the token: for a
    /// payment that is to happen once, remember its id.
    pub fn amount(self, member: impl Into<String>, amount: Amount) -> Self {
        self.rule(member, Rule::AtMost(Wanted::Known(amount)))
    }

    /// The same, with what the request says. If it does not say (`None`), nothing is granted.
    pub fn amount_from(
        self,
        member: impl Into<String>,
        amount: impl Fn(&Parts) -> Option<Amount> + Send + Sync + 'static,
    ) -> Self {
        self.rule(member, Rule::AtMost(Wanted::OfRequest(Arc::new(amount))))
    }

    fn rule(mut self, member: impl Into<String>, rule: Rule) -> Self {
        self.rules.insert(member.into(), rule);
        self
    }

    /// Members that narrow nothing, whatever they say: `remittanceInformationUnstructured`.
    pub fn ignoring(mut self, members: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.ignored.extend(members.into_iter().map(Into::into));
        self
    }

    /// The type.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Whether the detail says all of it, and nothing else. `head` is what `…_from` looks at.
    pub(super) fn is_granted_by(&self, detail: &AuthorizationDetail, head: Option<&Parts>) -> bool {
        detail.kind() == self.kind
            && self.lists.iter().all(|(name, wanted)| has_all(detail.member(name), wanted))
            && self.rules.iter().all(|(name, rule)| detail.member(name).is_some_and(|held| rule.holds(held, head)))
            && detail.names().all(|name| self.speaks_of(name))
    }

    fn speaks_of(&self, name: &str) -> bool {
        self.lists.iter().any(|(held, _)| *held == name)
            || self.rules.contains_key(name)
            || self.ignored.iter().any(|ignored| ignored == name)
    }

    /// What a client must know to ask for the right detail: what was configured, never what was sent.
    pub(super) fn hint(&self) -> Value {
        let mut hint = serde_json::Map::new();
        hint.insert("type".into(), self.kind.clone().into());
        for (name, wanted) in &self.lists {
            hint.insert((*name).into(), wanted.clone().into());
        }
        Value::Object(hint)
    }

    pub(super) fn check(&self, issues: &mut ConfigIssues) {
        if self.kind.is_empty() {
            issues.add("of_type", "the type is empty", "name the type, as the tokens carry it");
        }
        for (name, _) in self.lists.iter().filter(|(_, wanted)| wanted.is_empty()) {
            issues.add(*name, "nothing is asked for", "name what the call needs, or leave the call out");
        }
        for name in self.rules.keys().filter(|name| LISTS.contains(&name.as_str()) || *name == "type") {
            issues.add(
                name.clone(),
                "the member has a rule of its own",
                "use of_type, actions, locations, datatypes or privileges",
            );
        }
        for name in self.ignored.iter().filter(|name| *name == "type" || self.rules.contains_key(*name)) {
            issues.add("ignoring", format!("{name:?} is both ignored and asked for"), "choose one");
        }
    }
}

impl RarRequirement {
    /// Where there is no request to look at.
    pub(super) fn check_known(&self, issues: &mut ConfigIssues) {
        let of_request = |rule: &&Rule| match rule {
            Rule::Equals(wanted) => matches!(wanted, Wanted::OfRequest(_)),
            Rule::AtMost(wanted) => matches!(wanted, Wanted::OfRequest(_)),
        };
        for (name, _) in self.rules.iter().filter(|(_, rule)| of_request(rule)) {
            issues.add(name.clone(), "a handler cannot look at the request's head", "give the value itself");
        }
    }
}

impl Rule {
    fn holds(&self, held: &Value, head: Option<&Parts>) -> bool {
        match self {
            Self::Equals(wanted) => wanted.get(head).is_some_and(|wanted| wanted == *held),
            Self::AtMost(wanted) => match (wanted.get(head), Amount::from_json(held)) {
                (Some(wanted), Some(limit)) => wanted.is_at_most(&limit),
                _ => false,
            },
        }
    }
}

/// A list of strings that has each of the wanted ones. A list with something else in it is no list.
fn has_all(held: Option<&Value>, wanted: &[String]) -> bool {
    let Some(Value::Array(held)) = held else { return false };
    held.iter().all(Value::is_string) && wanted.iter().all(|wanted| held.iter().any(|held| held == wanted.as_str()))
}

/// Values may be account numbers: only the names are shown.
impl fmt::Debug for RarRequirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RarRequirement")
            .field("kind", &self.kind)
            .field("lists", &self.lists)
            .field("rules", &self.rules.keys().collect::<Vec<_>>())
            .field("ignored", &self.ignored)
            .finish()
    }
}
