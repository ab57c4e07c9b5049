//! The signature base (RFC 9421 §2.5): one line for each covered component, and a last one that says
//! which they are.

use std::fmt::Write as _;

use base64ct::{Base64, Encoding as _};
use http::HeaderName;
use sfv::{BareItem, Dictionary, FieldType as _, KeyRef, List, ListSerializer, Parser, StringRef};

use super::{
    input::{Component, Input, Parameters},
    query,
};
use crate::auth::{
    Head,
    signed::{refused::Refused, target},
};

/// Dictionaries and lists whose canonical form can be signed (`sf`, RFC 9421 §2.1.1).
const DICTIONARIES: &[&str] = &[
    "accept-signature",
    "cdn-cache-control",
    "content-digest",
    "priority",
    "repr-digest",
    "signature",
    "signature-input",
    "want-content-digest",
    "want-repr-digest",
];
const LISTS: &[&str] = &["cache-status", "client-cert-chain", "proxy-status"];

/// A request, and how its sender addressed it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) head: Head<'a>,
    /// `http` or `https`.
    pub(crate) scheme: &'a str,
    /// In lower case, without the scheme's own port (RFC 9421 §2.2.3).
    pub(crate) authority: &'a str,
}

/// What is signed.
pub(crate) fn signature_base(message: &Message<'_>, input: &Input) -> Result<String, Refused> {
    let mut base = String::with_capacity(512);
    for component in &input.components {
        let value = value(message, component)?;
        write_name(&mut base, component)?;
        // Writing to a String does not fail.
        let _ = writeln!(base, ": {value}");
    }
    base.push_str("\"@signature-params\": ");
    base.push_str(&signature_params(input)?);
    Ok(base)
}

/// The covered components and parameters, as `Signature-Input` has them.
pub(crate) fn signature_params(input: &Input) -> Result<String, Refused> {
    let mut text = String::new();
    let mut serializer = ListSerializer::with_buffer(&mut text);
    let mut list = serializer.inner_list();
    for component in &input.components {
        let name = StringRef::from_str(&component.name).map_err(|_| UNREADABLE)?;
        let _ = list.bare_item(name).parameters(keyed(&component.parameters)?);
    }
    let _ = list.finish().parameters(keyed(&input.parameters)?);
    drop(serializer);
    Ok(text)
}

fn keyed(parameters: &Parameters) -> Result<Vec<(&KeyRef, &BareItem)>, Refused> {
    let key = |name| KeyRef::from_str(name).map_err(|_| UNREADABLE);
    parameters.iter().map(|(name, value)| Ok((key(name)?, value))).collect()
}

fn write_name(base: &mut String, component: &Component) -> Result<(), Refused> {
    let name = StringRef::from_str(&component.name).map_err(|_| UNREADABLE)?;
    let _ = sfv::ItemSerializer::with_buffer(base).bare_item(name).parameters(keyed(&component.parameters)?);
    Ok(())
}

const UNREADABLE: Refused = Refused::Malformed("Signature-Input is malformed.");
const UNKNOWN: Refused = Refused::Malformed("Signature-Input names a component that is not known here.");
const PARAMETER: Refused =
    Refused::Malformed("Signature-Input has a component with a parameter that is not supported.");
const ABSENT: Refused = Refused::Malformed("A covered component is missing from the request.");
const UNCLEAR: Refused = Refused::Malformed("A covered component has a value that cannot be signed.");

fn value(message: &Message<'_>, component: &Component) -> Result<String, Refused> {
    match component.name.strip_prefix('@') {
        Some("query-param") => query_parameter(message, component),
        Some(_) if !component.parameters.is_empty() => Err(PARAMETER),
        Some(name) => derived(message, name),
        None => field(&message.head, component),
    }
}

/// RFC 9421 §2.2.
fn derived(message: &Message<'_>, name: &str) -> Result<String, Refused> {
    let uri = target::uri(&message.head);
    let path = if uri.path().is_empty() { "/" } else { uri.path() };
    let query = uri.query().map(|query| format!("?{query}"));
    let value = match name {
        "method" => message.head.method.as_str().to_owned(),
        "scheme" => message.scheme.to_owned(),
        "authority" => message.authority.to_owned(),
        "path" => path.to_owned(),
        "query" => query.unwrap_or_else(|| "?".into()),
        "request-target" => format!("{path}{}", query.unwrap_or_default()),
        "target-uri" => {
            format!("{}://{}{path}{}", message.scheme, message.authority, query.unwrap_or_default())
        }
        _ => return Err(UNKNOWN),
    };
    // A base is ASCII (RFC 9421 §2.5); a target may hold other bytes, which nobody can sign.
    if value.is_ascii() { Ok(value) } else { Err(UNCLEAR) }
}

/// RFC 9421 §2.2.8. What stands there twice cannot be signed.
fn query_parameter(message: &Message<'_>, component: &Component) -> Result<String, Refused> {
    let [(key, BareItem::String(name))] = component.parameters.as_slice() else { return Err(PARAMETER) };
    if key != "name" {
        return Err(PARAMETER);
    }
    let query = target::uri(&message.head).query().unwrap_or_default();
    let mut found = query::pairs(query).filter(|(held, _)| held == name.as_str()).map(|(_, value)| value);
    match (found.next(), found.next()) {
        (Some(value), None) => Ok(value),
        (None, _) => Err(ABSENT),
        (Some(_), Some(_)) => Err(UNCLEAR),
    }
}

/// RFC 9421 §2.1.
fn field(head: &Head<'_>, component: &Component) -> Result<String, Refused> {
    let is_lower = !component.name.bytes().any(|byte| byte.is_ascii_uppercase());
    let name = HeaderName::try_from(component.name.as_str()).ok().filter(|_| is_lower).ok_or(UNKNOWN)?;
    let mut lines = head.headers.get_all(&name).iter().map(|line| line.as_bytes().trim_ascii()).peekable();
    if lines.peek().is_none() {
        return Err(ABSENT);
    }
    match component.parameters.as_slice() {
        [] => combined(lines),
        [(key, BareItem::Boolean(true))] if key == "bs" => {
            let lines: Vec<String> = lines.map(|line| format!(":{}:", Base64::encode_string(line))).collect();
            Ok(lines.join(", "))
        }
        [(key, BareItem::Boolean(true))] if key == "sf" => structured(&component.name, &combined(lines)?),
        [(key, BareItem::String(member))] if key == "key" => dictionary_member(member.as_str(), &combined(lines)?),
        // `req` belongs to responses, `tr` to trailers, which come when it is too late.
        _ => Err(PARAMETER),
    }
}

/// Lines joined; a value outside visible ASCII needs `bs`.
fn combined<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Result<String, Refused> {
    let mut text = String::new();
    for (index, line) in lines.enumerate() {
        let line = std::str::from_utf8(line).ok().filter(|line| line.is_ascii()).ok_or(UNCLEAR)?;
        text.push_str(if index > 0 { ", " } else { "" });
        text.push_str(line);
    }
    Ok(text)
}

fn structured(name: &str, text: &str) -> Result<String, Refused> {
    let canonical = if DICTIONARIES.contains(&name) {
        Parser::new(text).parse::<Dictionary>().map_err(|_| UNCLEAR)?.serialize()
    } else if LISTS.contains(&name) {
        Parser::new(text).parse::<List>().map_err(|_| UNCLEAR)?.serialize()
    } else {
        return Err(PARAMETER);
    };
    Ok(canonical.unwrap_or_default())
}

/// RFC 9421 §2.1.2: the member's value in its canonical form.
fn dictionary_member(name: &str, text: &str) -> Result<String, Refused> {
    let dictionary = Parser::new(text).parse::<Dictionary>().map_err(|_| UNCLEAR)?;
    match dictionary.get(name).ok_or(ABSENT)? {
        sfv::ListEntry::Item(item) => Ok(item.serialize()),
        sfv::ListEntry::InnerList(list) => {
            let mut text = String::new();
            let mut serializer = ListSerializer::with_buffer(&mut text);
            let mut inner = serializer.inner_list();
            inner.items(&list.items);
            let _ = inner.finish().parameters(&list.params);
            drop(serializer);
            Ok(text)
        }
    }
}
