//! What a document comes to, fragments included.
//!
//! Each fragment is summed up once, however often it is spread: a document in which every fragment spreads
//! the next one twice is exponential in what it asks for, and linear here.

use std::collections::HashMap;

use super::{
    document::{Definition, Document, Kind, Spread, Sums},
    fault::Fault,
};

/// An operation, and what it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operation<'a> {
    pub(super) kind: Kind,
    pub(super) name: Option<&'a str>,
    pub(super) sums: Sums,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Unseen,
    /// Being summed up: whoever spreads it now is inside of it.
    Open,
    Done(Sums),
}

/// Sums up every operation. Fragments that no operation spreads are looked at, too: whoever executes the
/// document validates them.
pub(super) fn operations<'a>(document: &Document<'a>) -> Result<Vec<Operation<'a>>, Fault> {
    let targets = targets(document)?;
    let mut states = vec![State::Unseen; document.definitions.len()];
    for start in 0..document.definitions.len() {
        sum_up(start, document, &targets, &mut states)?;
    }
    let operations = document.definitions.iter().zip(&states).filter_map(|(definition, state)| match state {
        State::Done(sums) if definition.kind != Kind::Fragment => {
            Some(Operation { kind: definition.kind, name: definition.name, sums: *sums })
        }
        _ => None,
    });
    let operations: Vec<_> = operations.collect();
    if operations.is_empty() { Err(Fault::Invalid("The document has no operation.")) } else { Ok(operations) }
}

/// Of each spread, the place of its fragment.
fn targets(document: &Document<'_>) -> Result<Vec<usize>, Fault> {
    let mut places = HashMap::new();
    for (place, definition) in document.definitions.iter().enumerate() {
        if let (Kind::Fragment, Some(name)) = (definition.kind, definition.name)
            && places.insert(name, place).is_some()
        {
            return Err(Fault::Invalid("Two fragments have the same name."));
        }
    }
    let place = |spread: &Spread<'_>| places.get(spread.name).copied();
    let found: Option<Vec<usize>> = document.spreads.iter().map(place).collect();
    found.ok_or(Fault::Invalid("A fragment is spread that is not there."))
}

/// Depth first, with a stack of its own.
fn sum_up(start: usize, document: &Document<'_>, targets: &[usize], states: &mut [State]) -> Result<(), Fault> {
    let mut open = Vec::new();
    let mut next = Some(start);
    loop {
        if let Some(place) = next.take() {
            match states.get_mut(place) {
                Some(State::Done(_)) | None => {}
                Some(State::Open) => return Err(Fault::Invalid("A fragment spreads itself.")),
                Some(state) => {
                    *state = State::Open;
                    let spreads = document.definitions.get(place).map(|definition| definition.spreads.clone());
                    open.push((place, spreads.unwrap_or_default()));
                }
            }
        }
        let Some((place, spreads)) = open.last_mut() else { return Ok(()) };
        if let Some(spread) = spreads.next() {
            next = targets.get(spread).copied();
            continue;
        }
        let (place, definition) = (*place, document.definitions.get(*place));
        open.pop();
        let sums = definition.map(|definition| total(definition, document, targets, states)).unwrap_or_default();
        if let Some(state) = states.get_mut(place) {
            *state = State::Done(sums);
        }
    }
}

/// With everything that it spreads, which is summed up already.
fn total(definition: &Definition<'_>, document: &Document<'_>, targets: &[usize], states: &[State]) -> Sums {
    let mut all = definition.own;
    for place in definition.spreads.clone() {
        let (Some(spread), Some(target)) = (document.spreads.get(place), targets.get(place)) else { continue };
        let Some(State::Done(of)) = states.get(*target) else { continue };
        all.depth = all.depth.max(spread.level.saturating_add(of.depth));
        if spread.level == 0 {
            all.roots = all.roots.saturating_add(of.roots);
        }
        all.aliases = all.aliases.saturating_add(of.aliases);
        all.directives = all.directives.saturating_add(of.directives);
        all.cost = all.cost.saturating_add(spread.factor.saturating_mul(of.cost));
    }
    all
}
