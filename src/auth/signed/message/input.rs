//! The fields `Signature-Input` and `Signature` (RFC 9421 §4). Pure.
//!
//! Structured fields let the last of two equal names win. Here two are refused: what one reader
//! takes for signed, another must not take for something else.

use std::convert::Infallible;

use sfv::{
    BareItem, BareItemFromInput, KeyRef, Parser,
    visitor::{DictionaryVisitor, EntryVisitor, InnerListVisitor, ItemVisitor, ParameterVisitor},
};

/// More than this is nobody's header.
const MAX_LEN: usize = 16 * 1024;
const MAX_SIGNATURES: usize = 8;
const MAX_COMPONENTS: usize = 64;
const MAX_PARAMETERS: usize = 16;

/// Names and values in the order in which they were written.
pub(crate) type Parameters = Vec<(String, BareItem)>;

/// What one signature is said to cover.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Input {
    pub(crate) label: String,
    pub(crate) components: Vec<Component>,
    pub(crate) parameters: Parameters,
}

/// A component of the message: a header field, or something derived from the message (`@method`).
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Component {
    pub(crate) name: String,
    pub(crate) parameters: Parameters,
}

impl Component {
    pub(crate) fn parameter(&self, name: &str) -> Option<&BareItem> {
        find(&self.parameters, name)
    }
}

impl Input {
    pub(crate) fn parameter(&self, name: &str) -> Option<&BareItem> {
        find(&self.parameters, name)
    }
}

fn find<'a>(parameters: &'a Parameters, name: &str) -> Option<&'a BareItem> {
    parameters.iter().find(|(held, _)| held == name).map(|(_, value)| value)
}

/// `None` if it is malformed, or has two of what may be there once.
pub(crate) fn parse_input(value: &[u8]) -> Option<Vec<Input>> {
    let mut reader = Reader::default();
    if value.len() > MAX_LEN {
        return None;
    }
    Parser::new(value).parse_dictionary_with_visitor(&mut reader).ok()?;
    let inputs = reader.inputs;
    let sound = !reader.broken && !inputs.is_empty() && inputs.len() <= MAX_SIGNATURES && inputs.iter().all(is_sound);
    (sound && distinct(inputs.iter().map(|input| &*input.label))).then_some(inputs)
}

fn is_sound(input: &Input) -> bool {
    input.components.len() <= MAX_COMPONENTS
        && has_distinct_names(&input.parameters)
        && input.components.iter().all(|component| has_distinct_names(&component.parameters))
        && input.components.iter().enumerate().all(|(index, component)| {
            // The order of parameters does not make another component of it (RFC 9421 §2).
            !input.components.iter().take(index).any(|before| is_same(before, component))
        })
}

fn is_same(one: &Component, other: &Component) -> bool {
    one.name == other.name
        && one.parameters.len() == other.parameters.len()
        && one.parameters.iter().all(|parameter| other.parameters.contains(parameter))
}

fn has_distinct_names(parameters: &Parameters) -> bool {
    parameters.len() <= MAX_PARAMETERS && distinct(parameters.iter().map(|(name, _)| &**name))
}

fn distinct<'a>(names: impl Iterator<Item = &'a str> + Clone) -> bool {
    let earlier = names.clone();
    names.enumerate().all(|(index, name)| !earlier.clone().take(index).any(|before| before == name))
}

/// The signatures by their labels. `None` if it is malformed, or has two of one label.
pub(crate) fn parse_signatures(value: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    byte_sequences(value, MAX_SIGNATURES)
}

/// A dictionary of nothing but byte sequences without parameters.
pub(super) fn byte_sequences(value: &[u8], most: usize) -> Option<Vec<(String, Vec<u8>)>> {
    let mut reader = Bytes::default();
    if value.len() > MAX_LEN {
        return None;
    }
    Parser::new(value).parse_dictionary_with_visitor(&mut reader).ok()?;
    let members = reader.members;
    let sound = !reader.broken && !members.is_empty() && members.len() <= most;
    (sound && distinct(members.iter().map(|(name, _)| &**name))).then_some(members)
}

/// Reads a dictionary of inner lists of strings.
#[derive(Default)]
struct Reader {
    inputs: Vec<Input>,
    /// Something is there that does not belong there.
    broken: bool,
}

impl<'de> DictionaryVisitor<'de> for &mut Reader {
    type Out = ();
    type Error = Infallible;

    fn entry(&mut self, key: &'de KeyRef) -> Result<impl EntryVisitor<'de>, Infallible> {
        self.inputs.push(Input { label: key.as_str().to_owned(), ..Input::default() });
        Ok(InputEntry(self))
    }

    fn finish(self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// The last of the inputs, which is being read.
struct InputEntry<'a>(&'a mut Reader);

impl InputEntry<'_> {
    fn last(&mut self) -> Option<&mut Input> {
        self.0.inputs.last_mut()
    }
}

impl<'de> EntryVisitor<'de> for InputEntry<'_> {
    type Error = Infallible;

    fn item(self) -> Result<impl ItemVisitor<'de>, Infallible> {
        self.0.broken = true;
        Ok(sfv::visitor::Ignored)
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'de>, Infallible> {
        Ok(self)
    }
}

impl<'de> InnerListVisitor<'de> for InputEntry<'_> {
    type Error = Infallible;

    fn item(&mut self) -> Result<impl ItemVisitor<'de>, Infallible> {
        if let Some(input) = self.last() {
            input.components.push(Component::default());
        }
        Ok(Item(self.0))
    }

    fn finish(self) -> Result<impl ParameterVisitor<'de>, Infallible> {
        let broken = Some(&mut self.0.broken);
        Ok(Into { parameters: self.0.inputs.last_mut().map(|input| &mut input.parameters), broken })
    }
}

/// The last component of the last input.
struct Item<'a>(&'a mut Reader);

impl<'de> ItemVisitor<'de> for Item<'_> {
    type Out = ();
    type Error = Infallible;

    fn bare_item(self, item: BareItemFromInput<'de>) -> Result<impl ParameterVisitor<'de, Out = ()>, Infallible> {
        let component = self.0.inputs.last_mut().and_then(|input| input.components.last_mut());
        let name = match item {
            BareItemFromInput::String(name) => Some(name.as_str().to_owned()),
            _ => None,
        };
        if let (Some(component), Some(name)) = (component, name) {
            component.name = name;
            return Ok(Into { parameters: Some(&mut component.parameters), broken: None });
        }
        self.0.broken = true;
        Ok(Into { parameters: None, broken: None })
    }
}

/// Where parameters go. Too many are remembered as one too many.
struct Into<'a> {
    parameters: Option<&'a mut Parameters>,
    broken: Option<&'a mut bool>,
}

impl<'de> ParameterVisitor<'de> for Into<'_> {
    type Out = ();
    type Error = Infallible;

    fn parameter(&mut self, key: &'de KeyRef, value: BareItemFromInput<'de>) -> Result<(), Infallible> {
        match &mut self.parameters {
            Some(parameters) if parameters.len() <= MAX_PARAMETERS => {
                parameters.push((key.as_str().to_owned(), value.into()));
            }
            Some(_) => {}
            None => {
                if let Some(broken) = &mut self.broken {
                    **broken = true;
                }
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Reads a dictionary of byte sequences.
#[derive(Default)]
struct Bytes {
    members: Vec<(String, Vec<u8>)>,
    broken: bool,
}

impl<'de> DictionaryVisitor<'de> for &mut Bytes {
    type Out = ();
    type Error = Infallible;

    fn entry(&mut self, key: &'de KeyRef) -> Result<impl EntryVisitor<'de>, Infallible> {
        Ok(Member { bytes: self, name: key.as_str() })
    }

    fn finish(self) -> Result<(), Infallible> {
        Ok(())
    }
}

struct Member<'a, 'de> {
    bytes: &'a mut Bytes,
    name: &'de str,
}

impl<'de> EntryVisitor<'de> for Member<'_, 'de> {
    type Error = Infallible;

    fn item(self) -> Result<impl ItemVisitor<'de>, Infallible> {
        Ok(self)
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'de>, Infallible> {
        self.bytes.broken = true;
        Ok(sfv::visitor::Ignored)
    }
}

impl<'de> ItemVisitor<'de> for Member<'_, 'de> {
    type Out = ();
    type Error = Infallible;

    fn bare_item(self, item: BareItemFromInput<'de>) -> Result<impl ParameterVisitor<'de, Out = ()>, Infallible> {
        match item {
            BareItemFromInput::ByteSequence(bytes) => self.bytes.members.push((self.name.to_owned(), bytes)),
            _ => self.bytes.broken = true,
        }
        Ok(Into { parameters: None, broken: Some(&mut self.bytes.broken) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn labels_components_and_parameters_are_read_in_order() {
        let value = br#"a=("@method" "x-b";key="c" "x-b");created=1;keyid="k", b=();alg="ed25519""#;
        let inputs = parse_input(value).unwrap();
        assert_eq!(inputs.len(), 2);
        let names: Vec<_> = inputs[0].components.iter().map(|component| &*component.name).collect();
        assert_eq!((&*inputs[0].label, names), ("a", vec!["@method", "x-b", "x-b"]));
        assert_eq!(inputs[0].components[1].parameter("key").unwrap().as_string().unwrap().as_str(), "c");
        let parameters: Vec<_> = inputs[0].parameters.iter().map(|(name, _)| &**name).collect();
        assert_eq!(parameters, ["created", "keyid"]);
        assert_eq!(inputs[1].parameter("alg").unwrap().as_string().unwrap().as_str(), "ed25519");
    }

    #[test]
    fn what_stands_there_twice_is_refused() {
        for bad in [
            r#"a=("x");created=1, a=("y");created=1"#,
            r#"a=("x" "x");created=1"#,
            r#"a=("x";key="k";sf "x";sf;key="k")"#,
            r#"a=("x");created=1;created=2"#,
            r#"a=("x";key="k";key="k")"#,
        ] {
            assert_eq!(parse_input(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(parse_signatures(b"a=:AAAA:, a=:AAAA:"), None);
    }

    #[test]
    fn what_has_another_type_is_refused() {
        for bad in ["", "a", "a=1", "a=:AAAA:", "a=(1)", "a=(x)", "a=(\"x\"", "a=(\"x\"),", "a=(\"é\")", "A=(\"x\")"] {
            assert_eq!(parse_input(bad.as_bytes()), None, "{bad}");
        }
        for bad in ["", "a", "a=1", "a=\"AAAA\"", "a=:AAAA", "a=:!:", "a=(:AAAA:)", "a=:AAAA:;x", "a=:AAAA:,"] {
            assert_eq!(parse_signatures(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(parse_signatures(b"a=:AAAA:, b=::").unwrap(), [("a".into(), vec![0; 3]), ("b".into(), vec![])]);
    }

    #[test]
    fn numbers_are_bounded() {
        let many = |count: usize| (0..count).map(|n| format!("\"x{n}\"")).collect::<Vec<_>>().join(" ");
        assert!(parse_input(format!("a=({})", many(64)).as_bytes()).is_some());
        assert!(parse_input(format!("a=({})", many(65)).as_bytes()).is_none());
        let labels = |count: usize| (0..count).map(|n| format!("a{n}=()")).collect::<Vec<_>>().join(",");
        assert!(parse_input(labels(8).as_bytes()).is_some() && parse_input(labels(9).as_bytes()).is_none());
        let parameters = |count: usize| (0..count).fold("a=()".to_owned(), |text, n| format!("{text};p{n}"));
        assert!(parse_input(parameters(16).as_bytes()).is_some() && parse_input(parameters(17).as_bytes()).is_none());
        assert!(parse_input(format!("a=(\"{}\")", "x".repeat(17_000)).as_bytes()).is_none());
    }

    proptest! {
        #[test]
        fn nothing_panics(value in proptest::collection::vec(any::<u8>(), 0..120), text in "[a-c=();\"@:, 0-9*?é]{0,60}") {
            let _ = (parse_input(&value), parse_signatures(&value));
            let _ = (parse_input(text.as_bytes()), parse_signatures(text.as_bytes()));
        }
    }
}
