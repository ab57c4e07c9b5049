//! The scripts: one for each sequence of programs that a batch may have.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use arrayvec::ArrayVec;

use super::{Asked, coach::Stop, text};
use crate::{
    backend::redis::script::Script,
    rate_limit::{Batch, Op, Program},
};

/// What the script of a batch knows of one charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) step: Step,
    /// In which of the batch's keys it lies.
    pub(super) record: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// Some units are taken from a bucket whose state is one number: it is told what they cost and what
    /// the bucket holds.
    Quick,
    /// The program of the algorithm with that name and version: it is told the operation, its units, and so
    /// many parameters.
    Program { layout: u128, parameters: u8 },
}

impl Step {
    /// How many numbers it is told.
    pub(super) fn numbers(self) -> usize {
        match self {
            Self::Quick => 2,
            Self::Program { parameters, .. } => usize::from(parameters).saturating_add(2),
        }
    }
}

pub(super) type Shape = ArrayVec<Place, { Batch::MAX }>;

/// The script for batches of one shape, and where those gather that are to be decided in one run of it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) script: Script,
    pub(super) shape: Shape,
    /// Whether its programs have no errors, so that no batch spoils another one's run.
    pub(super) is_shared: bool,
    pub(super) stop: Stop,
}

impl Line {
    fn of(shape: Shape, asked: &[Asked<'_>]) -> Self {
        let programs = asked.iter().filter_map(|asked| asked.program.as_ref());
        let is_shared = programs.clone().all(Program::is_built_in);
        Self { script: Script::new(text::of(&shape, programs)), shape, is_shared, stop: Stop::default() }
    }

    pub(super) fn is_quick(&self) -> bool {
        self.steps().all(|step| step == Step::Quick)
    }

    /// What is asked of it, by its places.
    pub(super) fn steps(&self) -> impl Iterator<Item = Step> {
        self.shape.iter().map(|place| place.step)
    }
}

/// Whether a step may be quick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Haste {
    IfItCan,
    /// A quick one could not tell, or must not be asked twice.
    None,
}

/// Made when they are first needed. How many there are is decided by the rules of an application, not
/// by its callers.
#[derive(Debug, Default)]
pub(super) struct Shapes(RwLock<HashMap<Shape, Arc<Line>>>);

impl Shapes {
    /// Beyond so many a script is made anew each time.
    const MOST: usize = 4_096;

    /// For these charges, with each one's operation replaced by `op`'s; `None` if one of them is not to be
    /// decided by a script.
    pub(super) fn line(&self, asked: &[Asked<'_>], haste: Haste, op: impl Fn(Op) -> Op) -> Option<Arc<Line>> {
        let quick = haste == Haste::IfItCan && asked.iter().all(|asked| asked.quick(op(asked.charge.op())).is_some());
        let shape = shape(asked, quick)?;
        if let Some(line) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&shape) {
            return Some(Arc::clone(line));
        }
        let line = Arc::new(Line::of(shape.clone(), asked));
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if held.len() < Self::MOST {
            return Some(Arc::clone(held.entry(shape).or_insert(line)));
        }
        Some(line)
    }
}

fn shape(asked: &[Asked<'_>], quick: bool) -> Option<Shape> {
    let mut shape = Shape::new();
    let mut records: ArrayVec<&Asked<'_>, { Batch::MAX }> = ArrayVec::new();
    for asked in asked {
        let record = records.iter().position(|other| other.address.is_beside(&asked.address));
        let record = record.unwrap_or(records.len());
        if record == records.len() {
            records.try_push(asked).ok()?;
        }
        let step = match (&asked.program, quick) {
            (_, true) => Step::Quick,
            (Some(program), false) => Step::Program {
                layout: asked.charge.algorithm().id().layout(),
                parameters: u8::try_from(program.parameters().len()).ok()?,
            },
            (None, false) => return None,
        };
        shape.try_push(Place { step, record: u8::try_from(record).ok()? }).ok()?;
    }
    Some(shape)
}

/// The charges that begin a key of their own: one for each key, in order.
pub(super) fn first_of_each<'b, 'a>(shape: &'b Shape, asked: &'b [Asked<'a>]) -> impl Iterator<Item = &'b Asked<'a>> {
    let mut next = 0;
    shape.iter().zip(asked).filter_map(move |(place, asked)| {
        let is_first = place.record == next;
        next = next.saturating_add(u8::from(is_first));
        is_first.then_some(asked)
    })
}
