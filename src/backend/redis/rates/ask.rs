use std::sync::Arc;

use super::{
    super::script::{Invocation, Script},
    Rates,
    keys::Key,
};
use crate::rate_limit::{Batch, Charge, Language, Op, Program};

/// Lua calculates in doubles: beyond 2^53 they are not exact. This leaves room for sums and quotients.
const EXACT: u64 = 1 << 51;

/// A charge, where its state lies, and the program that decides on it.
#[derive(Clone, Debug)]
pub(super) struct Asked<'a> {
    pub(super) charge: Charge<'a>,
    pub(super) key: Key,
    program: Option<Program>,
}

impl<'a> Asked<'a> {
    pub(super) fn of(prefix: &str, charge: &Charge<'a>) -> Self {
        let program = charge.algorithm().program(Language::Lua).filter(|program| {
            units(charge.op()) <= EXACT && program.parameters().iter().all(|parameter| *parameter <= EXACT)
        });
        Self { charge: *charge, key: Key::of(prefix, charge), program }
    }

    /// Whether what it does can be undone by giving it back, and a script does it.
    pub(super) fn can_be_undone(&self) -> bool {
        self.program.is_some() && matches!(self.charge.op().at_once(), Op::Take(_) | Op::Peek)
    }
}

/// A script and all that it is told: nothing borrowed, so that it can be sent by a task of its own.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    script: Arc<Script>,
    keys: Vec<String>,
    time: i64,
    take: Vec<Vec<u8>>,
    give: Vec<Vec<u8>>,
}

impl Ask {
    /// `None` if one of the charges cannot be decided by a script.
    pub(super) fn new(rates: &Rates, batch: &Batch<'_>, asked: &[Asked<'_>]) -> Option<Self> {
        if asked.iter().any(|asked| asked.program.is_none()) || !rates.can_tell_time_of(batch) {
            return None;
        }
        let programs = || asked.iter().filter_map(|asked| Some((&asked.charge, asked.program.as_ref()?)));
        let script = rates.shapes.script(programs().map(|(charge, program)| (charge.algorithm().id(), program)));
        let keys = asked.iter().map(|asked| asked.key.as_str().to_owned()).collect();
        let take = programs().map(|(charge, program)| numbers(charge.op(), program)).collect();
        Some(Self { script, keys, time: rates.time_argument(batch), take, give: Vec::new() })
    }

    /// The same, prepared to be undone.
    pub(super) fn undoable(mut self, asked: &[Asked<'_>]) -> Self {
        let programs = asked.iter().filter_map(|asked| Some((&asked.charge, asked.program.as_ref()?)));
        let give = programs.map(|(charge, program)| numbers(charge.op().undo().unwrap_or(Op::Peek), program));
        self.give = give.collect();
        self
    }

    pub(super) fn take(&self) -> Invocation<'_> {
        self.invocation(&self.take)
    }

    pub(super) fn give(&self) -> Invocation<'_> {
        self.invocation(&self.give)
    }

    fn invocation(&self, numbers: &[Vec<u8>]) -> Invocation<'_> {
        let mut invocation = self.script.prepare_invoke();
        invocation.key(&self.keys).arg(self.time).arg(numbers);
        invocation
    }
}

/// The operation, its units and the parameters as doubles: one argument is cheaper than seven.
fn numbers(op: Op, program: &Program) -> Vec<u8> {
    let parameters = program.parameters();
    let mut bytes = Vec::with_capacity(parameters.len().saturating_add(2).saturating_mul(8));
    for number in [code(op), units(op)].iter().chain(parameters) {
        bytes.extend_from_slice(&double(*number).to_le_bytes());
    }
    bytes
}

#[expect(clippy::cast_precision_loss, reason = "no number beyond 2^51 is sent")]
const fn double(number: u64) -> f64 {
    number as f64
}

/// As the programs know them: see [`Program`]. No algorithm that has one delays.
const fn code(op: Op) -> u64 {
    match op.at_once() {
        Op::Take(_) => 1,
        Op::Give(_) => 2,
        Op::Force(_) => 3,
        Op::Reset => 4,
        _ => 0,
    }
}

const fn units(op: Op) -> u64 {
    match op.at_once() {
        Op::Take(units) | Op::Give(units) | Op::Force(units) => units,
        _ => 0,
    }
}
