//! Beside another parser: what one accepts the other accepts, and it sees the same depth, the same fields,
//! the same aliases. A document that two parsers read differently is how limits are got around.

#![allow(clippy::arithmetic_side_effects, reason = "small documents")]

use std::collections::HashMap;

use apollo_parser::{
    Parser,
    cst::{CstNode as _, Definition, Document, Selection, SelectionSet},
};
use proptest::prelude::*;

use super::*;

/// Depth, root fields, aliases, cost, by the simplest of ways: everything is expanded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Naive([u64; 4]);

fn expand(
    set: Option<SelectionSet>,
    level: u64,
    fragments: &HashMap<String, SelectionSet>,
    open: usize,
) -> Option<Naive> {
    let mut all = Naive::default();
    if open == 0 {
        return None;
    }
    for selection in set?.selections() {
        let inner = match selection {
            Selection::Field(field) => {
                let Naive(sums) = &mut all;
                sums[0] = sums[0].max(level + 1);
                sums[1] += u64::from(level == 0);
                sums[2] += u64::from(field.alias().is_some());
                sums[3] += 1;
                match field.selection_set() {
                    None => continue,
                    set => expand(set, level + 1, fragments, open - 1)?,
                }
            }
            Selection::InlineFragment(fragment) => expand(fragment.selection_set(), level, fragments, open - 1)?,
            Selection::FragmentSpread(spread) => {
                let name = spread.fragment_name()?.name()?.text().to_string();
                expand(fragments.get(&name).cloned(), level, fragments, open - 1)?
            }
        };
        all.0[0] = all.0[0].max(inner.0[0]);
        (1..4).for_each(|index| all.0[index] += inner.0[index]);
    }
    Some(all)
}

fn fragments(document: &Document) -> Option<HashMap<String, SelectionSet>> {
    let mut held = HashMap::new();
    for definition in document.definitions() {
        if let Definition::FragmentDefinition(fragment) = definition {
            let name = fragment.fragment_name()?.name()?.text().to_string();
            if held.insert(name, fragment.selection_set()?).is_some() {
                return None;
            }
        }
    }
    Some(held)
}

/// The sums of each operation, or nothing if it is no document that can be executed.
fn theirs(query: &str) -> Option<Vec<Naive>> {
    let tree = Parser::new(query).recursion_limit(500).parse();
    if tree.errors().len() > 0 {
        return None;
    }
    let document = tree.document();
    let fragments = fragments(&document)?;
    let mut all = Vec::new();
    for definition in document.definitions() {
        match definition {
            Definition::OperationDefinition(operation) => {
                all.push(expand(operation.selection_set(), 0, &fragments, 60)?);
            }
            // Those that nobody spreads must have an end, too.
            Definition::FragmentDefinition(fragment) => {
                expand(fragment.selection_set(), 0, &fragments, 60)?;
            }
            other => panic!("{}", other.source_string()),
        }
    }
    (!all.is_empty()).then_some(all)
}

fn ours(query: &str) -> Option<Vec<Naive>> {
    let (costs, variables) = (QueryCosts::new().list_arguments(Vec::<String>::new()), Variables::default());
    let reading = Reading { depth: 1_000, tokens: u64::MAX, costs: &costs, variables: &variables };
    let document = document::read(query, reading).ok()?;
    let operations = measure::operations(&document).ok()?;
    let naive = |sums: document::Sums| Naive([sums.depth, sums.roots, sums.aliases, sums.cost]);
    Some(operations.iter().map(|operation| naive(operation.sums)).collect())
}

#[test]
fn the_comparison_sees_something() {
    let query = "query Q { x: a(n: [1, {y: $v}]) @d { ...F ... on T { b } } } fragment F on T { c { d e } }";
    assert_eq!(theirs(query), Some(vec![Naive([3, 1, 1, 5])]));
    assert_eq!(ours(query), theirs(query));
}

/// Words of which documents are made, mostly in an order that means something.
fn selections() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("a".to_owned()),
        Just("x: a".to_owned()),
        Just("...A".to_owned()),
        Just("...B".to_owned()),
        Just("b(n: 1, m: [\"}\", {k: $v}])".to_owned()),
        Just("c @d(if: true)".to_owned()),
        Just("# }\n d".to_owned()),
        Just("\"\"\" { \"\"\"".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let many = prop::collection::vec(inner, 1..4).prop_map(|all| all.join(" "));
        (prop::sample::select(vec!["e {", "y: e {", "... {", "... on T {", "... @d {"]), many)
            .prop_map(|(open, inner)| format!("{open} {inner} }}"))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn documents_come_to_the_same(
        operation in prop::collection::vec(selections(), 1..4),
        a in prop::collection::vec(selections(), 1..3),
        b in prop::collection::vec(selections(), 1..3),
        head in prop::sample::select(vec!["{", "query Q {", "query ($v: [Int!] = [1]) @d {", "mutation M($v: T) {"]),
    ) {
        let b = b.join(" ").replace("...A", "a");
        let query = format!("{head} {} }} fragment A on T {{ {} }} fragment B on T {{ {b} }}", operation.join(" "), a.join(" "));
        prop_assert_eq!(ours(&query), theirs(&query), "{}", query);
    }

    /// What is no document for them is none for us; what they do not read, but the specification does, is
    /// not written here: descriptions of operations, pairs of surrogates, `\\u{…}`.
    #[test]
    fn what_they_refuse_we_refuse(
        words in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "{", "}", "(", ")", "[", "]", ":", "=", "@", "$", "!", "...", "on", "query", "mutation",
            "fragment", "F", "a", "b", "true", "null", "1", "-1", "1.5", "01", "#\n", "\"", "\\", "\"x\"", "\"\"\"", ",", "|", "&", ".",
        ]), 0..24),
        glue in prop::sample::select(vec!["", " "]),
    ) {
        let query = words.join(glue);
        if ours(&query).is_some() {
            prop_assert!(theirs(&query).is_some(), "{}", query);
        }
    }
}
