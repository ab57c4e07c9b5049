//! The text of a script: it decides on any number of batches of one shape, one after the other.
//!
//! For each batch it is given its keys, and in one argument for all of them the fields and then the numbers of
//! each charge. It answers with the time, then for each batch nothing, or [`REFUSED`] if it was not charged, or
//! [`TOO_GREAT`] if Lua cannot tell, and the states that it found: with commas between.

use std::fmt::Write as _;

use super::{
    address::Address,
    shapes::{Place, Shape, Step},
};
use crate::rate_limit::Program;

pub(super) const REFUSED: &str = "x";
pub(super) const TOO_GREAT: &str = "?";

/// Stands for what nobody of ours has written: a key of another type, or no number where one belongs, or
/// what would be taken for two states. No algorithm's state begins so, and the other batches of the run
/// have nothing to do with it.
const FOREIGN: &str = "#";

/// A second argument is the time of a test, which may stand still while keys expire: they are kept for an
/// hour more.
const TIME: &str = concat!(
    include_str!("time.lua"),
    "local base = now\nif ARGV[2] then now, base = ARGV[2] + 0, base + 3600000000 end\n"
);

pub(super) fn of<'a>(shape: &Shape, programs: impl Iterator<Item = &'a Program>) -> String {
    let mut text = Text::default();
    let names = text.programs(shape, programs);
    text.0.push_str(TIME);
    text.0.push_str("local tonumber, unpack, numbers, at, o = tonumber, struct.unpack, ARGV[1], 1, 1\n");
    text.0.push_str("local try, type, find = redis.pcall, type, string.find\n");
    text.0.push_str("local out = {format('%d', now)}\n");
    let keys = records(shape);
    text.line(format_args!("for k = 1, #KEYS, {keys} do"));
    for record in 0..keys {
        text.line(format_args!("local key{record} = KEYS[k + {record}]"));
    }
    if shape.iter().all(|place| place.step == Step::Quick) {
        text.quick(shape);
    } else {
        text.general(shape, &names);
    }
    text.0.push_str("end\nreturn table.concat(out, ',')\n");
    text.0
}

/// How many keys a batch has.
pub(super) fn records(shape: &Shape) -> usize {
    shape.iter().map(|place| usize::from(place.record)).max().unwrap_or(0).saturating_add(1)
}

/// How many bytes of the argument belong to one batch.
fn stride(shape: &Shape) -> usize {
    shape.iter().fold(0, |sum, place| sum.saturating_add(Address::FIELD).saturating_add(doubles(place)))
}

fn doubles(place: &Place) -> usize {
    place.step.numbers().saturating_mul(8)
}

/// `name0, name1, …` for each of the numbers.
fn list(name: &str, numbers: impl IntoIterator<Item = usize>) -> String {
    joined(numbers, ", ", |number| format!("{name}{number}"))
}

fn joined(numbers: impl IntoIterator<Item = usize>, between: &str, name: impl Fn(usize) -> String) -> String {
    numbers.into_iter().map(name).collect::<Vec<_>>().join(between)
}

/// The charges whose states lie in that key.
fn within(shape: &Shape, record: usize) -> Vec<usize> {
    let lies_there = |(index, place): (usize, &Place)| (usize::from(place.record) == record).then_some(index);
    shape.iter().enumerate().filter_map(lies_there).collect()
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Into memory: it cannot fail.
        let _ = self.0.write_fmt(line);
        self.0.push('\n');
    }

    /// Each program once, and which one each charge goes by.
    fn programs<'a>(&mut self, shape: &Shape, programs: impl Iterator<Item = &'a Program>) -> Vec<usize> {
        let (mut written, mut names) = (Vec::new(), Vec::new());
        for (place, program) in shape.iter().zip(programs) {
            let Step::Program { layout, .. } = place.step else { continue };
            let name = written.iter().position(|held| *held == layout).unwrap_or(written.len());
            if name == written.len() {
                written.push(layout);
                self.line(format_args!("local P{name} = {}", program.text().trim()));
            }
            names.push(name);
        }
        names
    }

    /// What is held, into `h0`, `h1`, … An error is of one batch, and must not end the run of all.
    fn load(&mut self, shape: &Shape) {
        for record in 0..records(shape) {
            let within = within(shape, record);
            let (held, fields) = (list("h", within.iter().copied()), list("f", within.iter().copied()));
            if within.len() == 1 {
                self.line(format_args!("local {held} = try('HGET', key{record}, {fields})"));
                self.line(format_args!("if type({held}) == 'table' then {held} = '{FOREIGN}' end"));
            } else {
                let found = joined(1..=within.len(), ", ", |number| format!("m{record}[{number}]"));
                let foreign = joined(within.iter().copied(), ", ", |_| format!("'{FOREIGN}'"));
                self.line(format_args!("local m{record} = try('HMGET', key{record}, {fields})"));
                self.line(format_args!("local {held} = {found}"));
                self.line(format_args!("if m{record}.err then {held} = {foreign} end"));
            }
        }
    }

    /// Takes from whole buckets: nothing is written unless all pass.
    fn quick(&mut self, shape: &Shape) {
        let all = 0..shape.len();
        let (fields, told) = (list("f", all.clone()), joined(all.clone(), ", ", |index| format!("c{index}, e{index}")));
        let format = format!("{}{}", field_format().repeat(shape.len()), "dd".repeat(shape.len()));
        self.line(format_args!("local {fields}, {told} = unpack('<{format}', numbers, at)"));
        self.load(shape);
        self.line(format_args!("local {} = {}", list("d", all.clone()), joined(all.clone(), ", ", |_| "0".to_owned())));
        self.line(format_args!("local all, odd = true, false"));
        for index in all {
            self.line(format_args!("if h{index} then"));
            // What is no number, or lies further ahead than can be owed, is the program's to read.
            self.line(format_args!("d{index} = tonumber(h{index})"));
            // Lua takes "nan" for a number, which is not itself.
            self.line(format_args!(
                "if d{index} ~= d{index} or not d{index} then h{index}, d{index} = '{FOREIGN}', 9e15 end"
            ));
            self.line(format_args!("d{index} = d{index} - now"));
            self.line(format_args!("if d{index} < 0 then d{index} = 0 elseif d{index} > e{index} then odd = true end"));
            self.line(format_args!("end"));
            self.line(format_args!("d{index} = d{index} + c{index}"));
            self.line(format_args!("if d{index} > e{index} then all = false end"));
        }
        self.line(format_args!("if all then"));
        for record in 0..records(shape) {
            let within = within(shape, record);
            let written =
                joined(within.iter().copied(), ", ", |index| format!("f{index}, format('%d', now + d{index})"));
            self.line(format_args!("call('HSET', key{record}, {written})"));
            let mut longest = within.iter();
            let first = longest.next().copied().unwrap_or(0);
            self.line(format_args!("local m = d{first}"));
            for index in longest {
                self.line(format_args!("if d{index} > m then m = d{index} end"));
            }
            self.expire(shape, record);
        }
        self.line(format_args!("end"));
        self.answer(shape);
    }

    /// Any programs: what they write is written even if they refuse.
    fn general(&mut self, shape: &Shape, names: &[usize]) {
        let all = 0..shape.len();
        let fields = field_format().repeat(shape.len());
        self.line(format_args!("local {} = unpack('<{fields}', numbers, at)", list("f", all.clone())));
        self.load(shape);
        let mut offset = shape.len().saturating_mul(Address::FIELD);
        let mut told = Vec::new();
        for index in all.clone() {
            self.line(format_args!("if h{index} and find(h{index}, ',', 1, true) then h{index} = '{FOREIGN}' end"));
        }
        for ((index, place), name) in shape.iter().enumerate().zip(names) {
            let numbers = format!("unpack('<{}', numbers, at + {offset})", "d".repeat(place.step.numbers()));
            self.line(format_args!("local ok{index}, w{index}, a{index}"));
            let decided = format!("ok{index}, w{index}, a{index} = P{name}(h{index}, now, {numbers})");
            self.line(format_args!("if h{index} ~= '{FOREIGN}' then {decided} end"));
            offset = offset.saturating_add(doubles(place));
            told.push(numbers);
        }
        let odd = joined(all.clone(), " or ", |index| format!("ok{index} == nil"));
        self.line(format_args!("local odd = {odd}"));
        self.line(format_args!("local all = {}", joined(all.clone(), " and ", |index| format!("ok{index}"))));
        if shape.len() > 1 {
            self.line(format_args!("if not (all or odd) then"));
            for ((index, numbers), name) in told.iter().enumerate().zip(names) {
                self.line(format_args!(
                    "if ok{index} then ok{index}, w{index}, a{index} = P{name}(h{index}, now, 0, 0, select(3, {numbers})) end"
                ));
            }
            self.line(format_args!("end"));
        }
        self.line(format_args!("if not odd then"));
        for record in 0..records(shape) {
            self.write(shape, record);
        }
        self.line(format_args!("end"));
        self.answer(shape);
    }

    /// What is set comes before what is forgotten: a key that has lost its last field has lost its end, too.
    fn write(&mut self, shape: &Shape, record: usize) {
        let within = within(shape, record);
        self.line(format_args!("local m = -1"));
        if within.len() > 1 {
            // As most do.
            let all_set = joined(within.iter().copied(), " and ", |index| format!("w{index} and w{index} ~= ''"));
            let written = joined(within.iter().copied(), ", ", |index| format!("f{index}, w{index}"));
            let latest = joined(within.iter().copied(), ", ", |index| format!("a{index}"));
            self.line(format_args!("if {all_set} then"));
            self.line(format_args!("call('HSET', key{record}, {written})"));
            self.line(format_args!("m = math.max({latest})"));
            self.line(format_args!("else"));
        }
        for index in &within {
            self.line(format_args!("if w{index} and w{index} ~= '' then"));
            self.line(format_args!("call('HSET', key{record}, f{index}, w{index})"));
            self.line(format_args!("if a{index} > m then m = a{index} end"));
            self.line(format_args!("end"));
        }
        if within.len() > 1 {
            self.line(format_args!("end"));
        }
        self.line(format_args!("if m >= 0 then"));
        self.expire(shape, record);
        self.line(format_args!("end"));
        for index in &within {
            self.line(format_args!("if w{index} == '' and h{index} then call('HDEL', key{record}, f{index}) end"));
        }
    }

    /// The key ends when the last of its states does, also of those that were not asked for: never earlier
    /// than it did. A key that is new has no end yet, which counts as the latest.
    fn expire(&mut self, shape: &Shape, record: usize) {
        let held = joined(within(shape, record), " or ", |index| format!("h{index}"));
        let end = |when: &str| format!("call('PEXPIREAT', key{record}, m, '{when}')");
        self.line(format_args!("m = format('%d', (base + m) / 1000 + 1)"));
        self.line(format_args!("if {held} then {later}", later = end("GT")));
        self.line(format_args!("elseif {} == 0 then {} end", end("NX"), end("GT")));
    }

    fn answer(&mut self, shape: &Shape) {
        self.line(format_args!("local verdict = ''"));
        self.line(format_args!("if odd then verdict = '{TOO_GREAT}' elseif not all then verdict = '{REFUSED}' end"));
        self.line(format_args!("out[o + 1] = verdict"));
        for index in 0..shape.len() {
            self.line(format_args!("out[o + {}] = h{index} or ''", index.saturating_add(2)));
        }
        self.line(format_args!("o, at = o + {}, at + {}", shape.len().saturating_add(1), stride(shape)));
    }
}

fn field_format() -> String {
    format!("c{}", Address::FIELD)
}
