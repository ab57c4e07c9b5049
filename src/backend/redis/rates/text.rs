//! The text of a script: it decides on any number of batches of one shape, one after the other.
//!
//! For each batch it is given its keys, and in one argument for all of them the fields and then the numbers of
//! each charge: once, if they are the same for all batches, as those of one rule mostly are. It answers with the
//! time and the states that it found for each batch, with commas between; before the first state of a batch stands
//! [`REFUSED`] if it was not charged, or [`TOO_GREAT`] if Lua cannot tell.

use std::fmt::Write as _;

use super::{
    address::Address,
    shapes::{Place, Shape, Step},
};
use crate::rate_limit::Program;

/// No state that passes begins so.
pub(super) const REFUSED: char = 'x';
pub(super) const TOO_GREAT: char = '?';

/// Stands for what nobody of ours has written: a key of another type, or no number where one belongs, or
/// what would be taken for two states. No algorithm's state begins so, and the other batches of the run
/// have nothing to do with it.
const FOREIGN: &str = "#";

/// The key of a bucket is kept until the end of the span of so many microseconds in which the bucket will be full,
/// so that not each unit taken renews that. A state says by a zero before its number that its key is kept so.
/// A number that reads the same with and without it is one that every version of the crate can read.
const SPAN: u64 = 8_000_000;

/// How long such a state is: the microseconds since 1970 have sixteen digits until 2286.
const MARKED: usize = 17;

/// A second argument is the time of a test, which may stand still while keys expire: they are kept for an
/// hour more, and nothing is to be inferred from a state about how long.
const TIME: &str = concat!(
    include_str!("time.lua"),
    "local base, mark = now, '0%d'\n",
    "if ARGV[2] then now, base, mark = ARGV[2] + 0, base + 3600000000, '%d' end\n"
);

pub(super) fn of<'a>(shape: &Shape, programs: impl Iterator<Item = &'a Program>) -> String {
    let mut text = Text::default();
    let names = text.programs(shape, programs);
    text.0.push_str(TIME);
    text.0.push_str("local tonumber, unpack, numbers, at, o = tonumber, struct.unpack, ARGV[1], 1, 1\n");
    text.0.push_str("local try, out = redis.pcall, {format('%d', now)}\n");
    text.line(format_args!("local stride = #numbers > {0} and {0} or 0", stride(shape)));
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
            } else {
                let found = joined(1..=within.len(), ", ", |number| format!("m{record}[{number}]"));
                let foreign = joined(within.iter().copied(), ", ", |_| format!("'{FOREIGN}'"));
                self.line(format_args!("local m{record} = try('HMGET', key{record}, {fields})"));
                self.line(format_args!("local {held} = {found}"));
                self.line(format_args!("if m{record}.err then {held} = {foreign} end"));
            }
        }
    }

    /// For each batch, its keys.
    fn each(&mut self, shape: &Shape) {
        let keys = records(shape);
        self.line(format_args!("for k = 1, #KEYS, {keys} do"));
        for record in 0..keys {
            self.line(format_args!("local key{record} = KEYS[k + {record}]"));
        }
    }

    /// Takes from whole buckets: nothing is written unless all pass.
    fn quick(&mut self, shape: &Shape) {
        let all = 0..shape.len();
        let (fields, told) = (list("f", all.clone()), joined(all.clone(), ", ", |index| format!("c{index}, e{index}")));
        let format = format!("{}{}", field_format().repeat(shape.len()), "dd".repeat(shape.len()));
        self.line(format_args!("local {fields}, {told}"));
        self.each(shape);
        self.line(format_args!(
            "if k == 1 or stride > 0 then {fields}, {told}, at = unpack('<{format}', numbers, at) end"
        ));
        self.load(shape);
        self.line(format_args!("local all, odd, t = true, false, nil"));
        for record in 0..records(shape) {
            self.line(format_args!("local kept{record} = 0"));
        }
        for (index, place) in shape.iter().enumerate() {
            self.line(format_args!("local d{index} = c{index}"));
            self.line(format_args!("if h{index} then"));
            // What is no number, or lies further ahead than can be owed, is the program's to read. Lua takes "nan"
            // for a number, which is not itself.
            self.line(format_args!("t = tonumber(h{index})"));
            self.line(format_args!("if t ~= t or not t then h{index}, t = '{FOREIGN}', 9e15 end"));
            self.line(format_args!("if t > now then"));
            self.line(format_args!("d{index} = t - now + c{index}"));
            self.line(format_args!("if t - now > e{index} then odd = true end"));
            self.line(format_args!("end"));
            let kept = format!("kept{}", place.record);
            self.line(format_args!("if #h{index} == {MARKED} and t > {kept} then {kept} = t end"));
            self.line(format_args!("end"));
            self.line(format_args!("if d{index} > e{index} then all = false end"));
        }
        self.line(format_args!("if all then"));
        for record in 0..records(shape) {
            self.take(shape, record);
        }
        self.line(format_args!("end"));
        self.answer(shape);
    }

    /// A foreign state may be taken for one whose key is kept; then it was not written over.
    fn take(&mut self, shape: &Shape, record: usize) {
        let within = within(shape, record);
        let written = joined(within.iter().copied(), ", ", |index| format!("f{index}, format(mark, now + d{index})"));
        self.line(format_args!("call('HSET', key{record}, {written})"));
        let mut longest = within.iter();
        let first = longest.next().copied().unwrap_or(0);
        self.line(format_args!("local m = d{first}"));
        for index in longest {
            self.line(format_args!("if d{index} > m then m = d{index} end"));
        }
        self.line(format_args!("m = base + m"));
        self.line(format_args!("m = m - m % {SPAN}"));
        self.line(format_args!("if kept{record} < m then"));
        self.expire(shape, record, &format!("(m + {SPAN}) / 1000"));
        self.line(format_args!("end"));
    }

    /// Any programs: what they write is written even if they refuse.
    fn general(&mut self, shape: &Shape, names: &[usize]) {
        let all = 0..shape.len();
        let fields = field_format().repeat(shape.len());
        self.line(format_args!("local type, find = type, string.find"));
        self.each(shape);
        self.line(format_args!("local {} = unpack('<{fields}', numbers, at)", list("f", all.clone())));
        self.load(shape);
        let mut offset = shape.len().saturating_mul(Address::FIELD);
        let mut told = Vec::new();
        for index in all.clone() {
            self.line(format_args!(
                "if h{index} and (type(h{index}) == 'table' or find(h{index}, '[,x?]')) then h{index} = '{FOREIGN}' end"
            ));
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
        self.line(format_args!("at = at + stride"));
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
        self.expire(shape, record, "(base + m) / 1000 + 1");
        self.line(format_args!("end"));
        for index in &within {
            self.line(format_args!("if w{index} == '' and h{index} then call('HDEL', key{record}, f{index}) end"));
        }
    }

    /// The key ends when the last of its states does, also of those that were not asked for: never earlier
    /// than it did. A key that is new has no end yet, which counts as the latest.
    fn expire(&mut self, shape: &Shape, record: usize, millis: &str) {
        let held = joined(within(shape, record), " or ", |index| format!("h{index}"));
        let end = |when: &str| format!("call('PEXPIREAT', key{record}, m, '{when}')");
        self.line(format_args!("m = format('%d', {millis})"));
        self.line(format_args!("if {held} then {later}", later = end("GT")));
        self.line(format_args!("elseif {} == 0 then {} end", end("NX"), end("GT")));
    }

    fn answer(&mut self, shape: &Shape) {
        for index in 0..shape.len() {
            self.line(format_args!("out[o + {}] = h{index} or ''", index.saturating_add(1)));
        }
        let verdict = format!("(odd and '{TOO_GREAT}' or '{REFUSED}')");
        self.line(format_args!("if odd or not all then out[o + 1] = {verdict} .. out[o + 1] end"));
        self.line(format_args!("o = o + {}", shape.len()));
    }
}

fn field_format() -> String {
    format!("c{}", Address::FIELD)
}
