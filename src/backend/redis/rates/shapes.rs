//! The scripts: one for each sequence of programs that a batch may have.

use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{Arc, PoisonError, RwLock},
};

use super::super::script::Script;
use crate::rate_limit::{AlgorithmId, Batch, Program};

/// A place of a batch: which program, and how many parameters it takes.
type Place = Option<(&'static str, u16, usize)>;
type Shape = [Place; Batch::MAX];

/// Made when they are first needed. How many there are is decided by the rules of an application, not
/// by its callers.
#[derive(Debug, Default)]
pub(super) struct Shapes(RwLock<HashMap<Shape, Arc<Script>>>);

impl Shapes {
    /// Beyond so many a script is made anew each time.
    const MOST: usize = 4_096;

    pub(super) fn script<'a>(&self, programs: impl Iterator<Item = (AlgorithmId, &'a Program)> + Clone) -> Arc<Script> {
        let mut shape = [None; Batch::MAX];
        for (place, (id, program)) in shape.iter_mut().zip(programs.clone()) {
            *place = Some((id.name(), id.version(), program.parameters().len()));
        }
        if let Some(script) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&shape) {
            return Arc::clone(script);
        }
        let script = Arc::new(Script::new(text(&shape, programs.map(|(_, program)| program))));
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if held.len() < Self::MOST {
            held.insert(shape, Arc::clone(&script));
        }
        script
    }
}

const TIME: &str = include_str!("time.lua");

/// The programs, then the time and the states, then a decision for each charge. If all pass they are
/// written; else each one that would have passed is looked at without being charged, and what the
/// steps write is written even so.
fn text<'a>(shape: &Shape, programs: impl Iterator<Item = &'a Program>) -> String {
    let places: Vec<_> = shape.iter().flatten().collect();
    let mut text = String::with_capacity(4_096);
    let mut named = Vec::new();
    let mut asks = Vec::new();
    for (place, program) in places.iter().zip(programs) {
        let key = (place.0, place.1);
        let name = named.iter().position(|held| *held == key).unwrap_or_else(|| {
            named.push(key);
            let name = named.len().saturating_sub(1);
            line(&mut text, format_args!("local P{name} = {}", program.text().trim()));
            name
        });
        asks.push((name, "d".repeat(place.2.saturating_add(2))));
    }
    text.push_str(TIME);
    text.push_str("local held = redis.call('MGET', unpack(KEYS))\n");
    for (index, (name, format)) in (1_usize..).zip(&asks) {
        let argument = index.saturating_add(1);
        let numbers = format!("struct.unpack('<{format}', ARGV[{argument}])");
        line(
            &mut text,
            format_args!("local ok{index}, write{index}, after{index} = P{name}(held[{index}], now, {numbers})"),
        );
        line(&mut text, format_args!("if ok{index} == nil then return 0 end"));
    }
    let all: Vec<String> = (1..=asks.len()).map(|index| format!("ok{index}")).collect();
    line(&mut text, format_args!("local all = {}", all.join(" and ")));
    if asks.len() > 1 {
        text.push_str("if not all then\n");
        for (index, (name, format)) in (1_usize..).zip(&asks) {
            let argument = index.saturating_add(1);
            let numbers = format!("select(3, struct.unpack('<{format}', ARGV[{argument}]))");
            line(
                &mut text,
                format_args!(
                    "if ok{index} then ok{index}, write{index}, after{index} = P{name}(held[{index}], now, 0, 0, {numbers}) end"
                ),
            );
        }
        text.push_str("end\n");
    }
    for index in 1..=asks.len() {
        line(
            &mut text,
            format_args!("if write{index} == '' then if held[{index}] then redis.call('DEL', KEYS[{index}]) end"),
        );
        line(
            &mut text,
            format_args!(
                "elseif write{index} then redis.call('SET', KEYS[{index}], write{index}, 'PX', string.format('%d', math.ceil(after{index} / 1000) + slack)) end"
            ),
        );
    }
    line(&mut text, format_args!("held[{}] = all and now or -now", asks.len().saturating_add(1)));
    text.push_str("return held\n");
    text
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Into memory: it cannot fail.
    let _ = text.write_fmt(line);
    text.push('\n');
}
