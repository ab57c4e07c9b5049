use std::sync::Arc;

use super::{
    address::Address,
    shapes::{Haste, Line, Step, first_of_each},
};
use crate::{
    backend::redis::{
        RedisStore,
        script::{Arguments, Invocation},
    },
    rate_limit::{Batch, Charge, Language, Op, Program},
};

/// Lua calculates in doubles: beyond 2^53 they are not exact. This leaves room for sums and quotients.
const EXACT: u64 = 1 << 51;

/// A charge, where its state lies, and the program that decides on it.
#[derive(Clone, Debug)]
pub(super) struct Asked<'a> {
    pub(super) charge: Charge<'a>,
    pub(super) address: Address,
    pub(super) program: Option<Program>,
}

impl<'a> Asked<'a> {
    pub(super) fn all(batch: &Batch<'a>) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::with_capacity(batch.len());
        for charge in batch.charges() {
            let address = Address::of(charge, all.last().map(|asked| (&asked.charge, asked.address)));
            let program = charge.algorithm().program(Language::Lua).filter(|program| {
                units(charge.op()) <= EXACT && program.parameters().iter().all(|parameter| *parameter <= EXACT)
            });
            all.push(Self { charge: *charge, address, program });
        }
        all
    }

    /// Whether what it does can be undone by giving it back, and a script does it.
    pub(super) fn can_be_undone(&self) -> bool {
        self.program.is_some() && matches!(self.charge.op().at_once(), Op::Take(_) | Op::Peek)
    }

    /// What the operation costs and what the bucket holds, if that is all there is to it.
    pub(super) fn quick(&self, op: Op) -> Option<(u64, u64)> {
        let (unit, empty) = self.program.as_ref()?.whole_bucket()?;
        match op.at_once() {
            // Beyond what Lua can tell apart it is more than any bucket holds.
            Op::Take(units) if units > 0 => Some((unit.saturating_mul(units), empty)),
            _ => None,
        }
    }

    fn write_numbers(&self, step: Step, op: Op, numbers: &mut Vec<u8>) {
        let mut push = |number: u64| numbers.extend_from_slice(&double(number).to_le_bytes());
        if let (Step::Quick, Some((cost, empty))) = (step, self.quick(op)) {
            push(cost);
            push(empty);
            return;
        }
        push(code(op));
        push(units(op));
        self.program.iter().flat_map(Program::parameters).for_each(|parameter| push(*parameter));
    }
}

/// What the script of a line is told of some batches.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    keys: Arguments,
    batches: usize,
    /// Of each batch, or of the first if they are the same for all.
    numbers: Vec<u8>,
    differ: bool,
    /// For the key that is being written.
    key: String,
}

impl Told {
    /// Adds a batch, with each operation replaced by `op`'s.
    pub(super) fn add(&mut self, prefix: &str, line: &Line, asked: &[Asked<'_>], op: impl Fn(Op) -> Op) {
        for asked in first_of_each(&line.shape, asked) {
            self.keys.push(asked.address.key(prefix, &mut self.key));
        }
        let before = self.numbers.len();
        for asked in asked {
            self.numbers.extend_from_slice(&asked.address.field());
        }
        for (step, asked) in line.steps().zip(asked) {
            asked.write_numbers(step, op(asked.charge.op()), &mut self.numbers);
        }
        self.fold(before);
        self.batches = self.batches.saturating_add(1);
    }

    /// Leaves out what was told of the last batch if it is what was told of all others.
    fn fold(&mut self, before: usize) {
        if self.batches == 0 || self.differ {
            return;
        }
        let (first, last) = self.numbers.split_at(before);
        if first == last {
            self.numbers.truncate(before);
            return;
        }
        self.differ = true;
        let mut numbers = first.repeat(self.batches);
        numbers.extend_from_slice(last);
        self.numbers = numbers;
    }

    /// On the server's clock, unless there is a time.
    pub(super) fn into_invocation(self, line: &Line, time: Option<u64>) -> Invocation<'_> {
        let mut arguments = Arguments::default();
        arguments.push(&self.numbers[..]);
        if let Some(time) = time {
            arguments.push(time);
        }
        line.script.with(self.keys, arguments)
    }
}

/// A batch that is sent alone: nothing borrowed, so that it can be sent by a task of its own.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    line: Arc<Line>,
    told: Told,
    time: Option<u64>,
}

impl RedisStore {
    /// `None` if one of the charges cannot be decided by a script. Each operation is replaced by `op`'s.
    pub(super) fn alone(
        &self,
        batch: &Batch<'_>,
        asked: &[Asked<'_>],
        haste: Haste,
        op: impl Fn(Op) -> Op + Copy,
    ) -> Option<Ask> {
        let line = self.rates.line(batch, asked, haste, op)?;
        Some(self.alone_on(line, batch, asked, op))
    }

    pub(super) fn alone_on(
        &self,
        line: Arc<Line>,
        batch: &Batch<'_>,
        asked: &[Asked<'_>],
        op: impl Fn(Op) -> Op,
    ) -> Ask {
        let mut told = Told::default();
        told.add(&self.prefix, &line, asked, op);
        Ask { line, told, time: self.rates.time_argument(batch) }
    }
}

impl Ask {
    /// It is sent once.
    pub(super) fn invocation(&mut self) -> Invocation<'_> {
        std::mem::take(&mut self.told).into_invocation(&self.line, self.time)
    }
}

#[expect(clippy::cast_precision_loss, reason = "no number beyond 2^51 is sent, but for costs beyond every limit")]
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
