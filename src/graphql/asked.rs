//! What a request asks for: its parameters (GraphQL over HTTP, *Request Parameters*), from a body of JSON
//! or from the address.

use std::{cell::Cell, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::error::Category;

use super::{
    fault::{Fault, Limit},
    variables::Variables,
};

const SHAPE: Fault = Fault::Malformed("The body is no GraphQL request: `query`, `operationName` and `variables`.");

/// One operation that is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Asked {
    /// The document; without one, a document is meant that the server knows.
    #[serde(default)]
    pub(super) query: Option<String>,
    #[serde(default, rename = "operationName")]
    pub(super) operation: Option<String>,
    #[serde(default)]
    pub(super) variables: Variables,
}

/// What a body of JSON asks for: one operation, or a list of up to so many.
pub(super) fn from_json(body: &[u8], most: u64) -> Result<Vec<Asked>, Fault> {
    let is_over = Cell::new(false);
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let read = Batch { most, is_over: &is_over }.deserialize(&mut deserializer);
    match read.and_then(|asked| deserializer.end().map(|()| asked)) {
        Ok(asked) => Ok(asked),
        Err(_) if is_over.get() => Err(Fault::Exceeded(Limit::Batch)),
        Err(error) if error.classify() == Category::Data => Err(SHAPE),
        Err(_) => Err(Fault::Unreadable),
    }
}

/// What an address asks for, in the form that HTML forms send (WHATWG URL, *application/x-www-form-urlencoded*).
/// An empty parameter is none.
pub(super) fn from_query(query: &str) -> Result<Asked, Fault> {
    let mut asked = Asked::default();
    let mut variables = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let slot = match &*decoded(name)? {
            "query" => &mut asked.query,
            "operationName" => &mut asked.operation,
            "variables" => &mut variables,
            _ => continue,
        };
        // Which of two counts is another question for each parser.
        if slot.replace(decoded(value)?).is_some() {
            return Err(Fault::Malformed("A parameter is there twice."));
        }
    }
    for slot in [&mut asked.query, &mut asked.operation, &mut variables] {
        slot.take_if(|value| value.is_empty());
    }
    if let Some(text) = variables {
        asked.variables =
            serde_json::from_str(&text).map_err(|error| if error.is_data() { SHAPE } else { Fault::Unreadable })?;
    }
    Ok(asked)
}

fn decoded(text: &str) -> Result<String, Fault> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    loop {
        rest = match rest {
            [] => return String::from_utf8(bytes).map_err(|_| Fault::Unreadable),
            [b'%', high, low, rest @ ..] => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).ok().filter(|text| !text.starts_with('+'));
                let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                bytes.push(byte.ok_or(Fault::Unreadable)?);
                rest
            }
            [b'%', ..] => return Err(Fault::Unreadable),
            [byte, rest @ ..] => {
                bytes.push(if *byte == b'+' { b' ' } else { *byte });
                rest
            }
        }
    }
}

struct Batch<'c> {
    most: u64,
    is_over: &'c Cell<bool>,
}

impl<'de> DeserializeSeed<'de> for Batch<'_> {
    type Value = Vec<Asked>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Asked>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Batch<'_> {
    type Value = Vec<Asked>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a request or a list of them")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<Asked>, A::Error> {
        SingleVisitor.visit_map(map).map(|Single(asked)| vec![asked])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<Asked>, A::Error> {
        let mut all = Vec::new();
        while let Some(Single(asked)) = items.next_element()? {
            if u64::try_from(all.len()).unwrap_or(u64::MAX) >= self.most {
                self.is_over.set(true);
                return Err(A::Error::custom("too many operations"));
            }
            all.push(asked);
        }
        if all.is_empty() { Err(A::Error::custom("no operation")) } else { Ok(all) }
    }
}

/// A derived `Deserialize` takes a list for an object, too.
struct Single(Asked);

struct SingleVisitor;

impl<'de> Deserialize<'de> for Single {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SingleVisitor)
    }
}

impl<'de> Visitor<'de> for SingleVisitor {
    type Value = Single;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a request")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Single, A::Error> {
        Asked::deserialize(MapAccessDeserializer::new(map)).map(Single)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queries(body: &str) -> Result<Vec<Option<String>>, Fault> {
        Ok(from_json(body.as_bytes(), 2)?.into_iter().map(|asked| asked.query).collect())
    }

    #[test]
    fn a_request_and_a_batch_of_them_are_read() {
        assert_eq!(
            queries(r#"{"query":"{a}","extensions":{"x":[1]},"operationName":null}"#),
            Ok(vec![Some("{a}".into())])
        );
        assert_eq!(queries(r#" [{"query":"{a}"},{"query":"{\nb}","variables":null}]"#).unwrap().len(), 2);
        assert_eq!(queries(r#"{"operationName":"A"}"#), Ok(vec![None]));
    }

    #[test]
    fn what_is_no_json_and_what_is_no_request_are_told_apart() {
        for body in ["", "NONSENSE", r#"{"query":"#, r#"{"query":"{a}"} x"#, "\u{FEFF}{}", r#"{"query":"{a}",}"#] {
            assert_eq!(queries(body), Err(Fault::Unreadable), "{body}");
        }
        assert_eq!(from_json(b"{\"query\":\"\xFF\"}", 2).unwrap_err(), Fault::Unreadable);
        for body in [
            "7",
            "null",
            "[]",
            "\"{a}\"",
            r#"{"query":7}"#,
            r#"{"query":"{a}","query":"{b}"}"#,
            r#"{"query":"{a}","variables":[7]}"#,
            r#"{"query":"{a}","variables":{"n":1,"n":100}}"#,
            r#"{"query":"{a}","operationName":["A"]}"#,
            r#"[["{a}",null,{}]]"#,
            r"[[]]",
        ] {
            assert_eq!(queries(body), Err(SHAPE), "{body}");
        }
        assert_eq!(queries(r#"[{"query":"a"},{"query":"a"},{"query":"a"}]"#), Err(Fault::Exceeded(Limit::Batch)));
    }

    #[test]
    fn variables_say_how_much() {
        let body = r#"{"variables":{"a":7,"b":-1,"c":1e3,"d":[1,[2],{}],"e":"9","f":null,"g":{"first":100},"h":1e300,"i":true,"j":2.5}}"#;
        let asked = from_json(body.as_bytes(), 1).unwrap().remove(0);
        let wanted = [
            ("a", Some(7)),
            ("b", Some(0)),
            ("c", Some(1_000)),
            ("d", Some(3)),
            ("e", None),
            ("f", None),
            ("g", None),
            ("h", Some(u64::MAX)),
            ("i", None),
            ("j", Some(3)),
        ];
        for (name, amount) in wanted {
            assert_eq!(asked.variables.get(name), Some(amount), "{name}");
        }
        assert_eq!(asked.variables.get("z"), None);
        let many: Vec<String> = (0..1_001).map(|number| format!("\"v{number}\":1")).collect();
        let body = format!("{{\"variables\":{{{}}}}}", many.join(","));
        assert_eq!(from_json(body.as_bytes(), 1).unwrap_err(), SHAPE);
    }

    #[test]
    fn an_address_is_a_form() {
        let asked = from_query("query=%7Ba+%2B+b%7D&&x&variables=%7B%22n%22%3A7%7D&operationName=").unwrap();
        assert_eq!((asked.query.as_deref(), asked.operation), (Some("{a + b}"), None));
        assert_eq!(asked.variables.get("n"), Some(Some(7)));
        assert!(from_query("").unwrap().query.is_none());
        for (query, fault) in [
            ("query=a&query=b", Fault::Malformed("A parameter is there twice.")),
            ("query=a&%71uery=b", Fault::Malformed("A parameter is there twice.")),
            ("query=%", Fault::Unreadable),
            ("query=%4", Fault::Unreadable),
            ("query=%zz", Fault::Unreadable),
            ("query=%+4", Fault::Unreadable),
            ("query=%ff", Fault::Unreadable),
            ("%zz=a", Fault::Unreadable),
            ("variables=%7B", Fault::Unreadable),
            ("variables=[7]", SHAPE),
        ] {
            assert_eq!(from_query(query).unwrap_err(), fault, "{query}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_body_makes_it_panic(body in "(\\{|\\}|\\[|\\]|\"query\"|\"variables\"|:|,|1|\"|null|\\PC){0,30}") {
            let _ = from_json(body.as_bytes(), 2);
            let _ = from_query(&body);
        }
    }
}
