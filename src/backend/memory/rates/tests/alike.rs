//! Both forms, a batch that lies in both, and the pure rule for batches decide alike.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::rate_limit::Write;

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0..4_u64).prop_map(Op::Take),
        1 => (0..4_u64).prop_map(Op::Give),
        1 => (0..9_u64).prop_map(Op::Force),
        1 => Just(Op::Peek),
        1 => Just(Op::Reset),
    ]
}

/// How much later than the one before, and key, rate and operation of each charge.
type Step = (i64, Vec<(u8, usize, Op)>);

/// Batches of up to five charges, each of a key in either form.
fn batches() -> impl Strategy<Value = Vec<Step>> {
    let charges = proptest::collection::btree_map((0..3_u8, 0..2_usize), op(), 1..5)
        .prop_map(|charges| charges.into_iter().map(|((key, rate), op)| (key, rate, op)).collect());
    // Mostly forwards by parts of a second, now and then back.
    let steps = prop_oneof![9 => 0..2_000_000_i64, 1 => -20_000_000..0_i64];
    proptest::collection::vec((steps, charges), 1..60)
}

proptest! {
    /// One after the other, both forms decide as the pure rule for batches does, and so does a batch
    /// whose charges lie in both.
    #[test]
    fn both_forms_decide_alike(trace in batches()) {
        let rates = [Rate::per_second(5), Rate::per(3, Duration::from_secs(6)).burst(9)];
        let [packed, unpacked] = [rates.map(|rate| Arc::clone(&forms(rate)[0])), rates.map(|rate| Arc::clone(&forms(rate)[1]))];
        let mixed = [Arc::clone(&packed[0]), Arc::clone(&unpacked[1])];
        let stores = [MemoryStore::new(), MemoryStore::new(), MemoryStore::new()];
        let mut pure: HashMap<(u8, usize), State> = HashMap::new();
        let mut now = NOW;
        for (step, charges) in trace {
            now = Timestamp::from_micros(now.as_micros().saturating_add_signed(step));
            let keys: Vec<_> = charges.iter().map(|(key, rate, _)| [*key, u8::try_from(*rate).unwrap()]).collect();
            let run = |forms: &[Arc<dyn Algorithm>; 2], store: &MemoryStore| {
                let asked: Vec<(ChargeKey<'_>, &dyn Algorithm, Op)> =
                    charges.iter().zip(&keys).map(|((_, rate, op), bytes)| (key("r", bytes), &*forms[*rate], *op)).collect();
                ask(store, now, &asked).decisions().copied().collect::<Vec<_>>()
            };
            let answers = [run(&packed, &stores[0]), run(&unpacked, &stores[1]), run(&mixed, &stores[2])];
            let mut batch = Batch::new(now);
            for ((_, rate, op), bytes) in charges.iter().zip(&keys) {
                batch.push(Charge::new(key("r", bytes), &*packed[*rate], *op)).unwrap();
            }
            let places: Vec<_> = charges.iter().map(|(key, rate, _)| (*key, *rate)).collect();
            let mut steps = batch.step(now, |index| pure.get(&places[index]));
            for (index, place) in places.iter().enumerate() {
                match steps.take_write(index) {
                    Write::Keep => {}
                    Write::Set(state) => { pure.insert(*place, state); }
                    Write::Clear => { pure.remove(place); }
                }
            }
            let expected: Vec<_> = steps.verdicts.decisions().copied().collect();
            for answer in answers {
                prop_assert_eq!(&answer, &expected);
            }
        }
    }
}
