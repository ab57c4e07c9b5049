use std::{net::Ipv4Addr, sync::Arc};

use super::*;
use crate::{
    identity::{Principal, PrincipalParts},
    quota::QuotaSubject,
    request::Network,
};

/// 2026-11-21, some time in the month.
const NOW: Timestamp = Timestamp::from_secs(1_795_219_200);

fn address(number: u32) -> QuotaSubject {
    QuotaSubject::network(Network::V4(Ipv4Addr::from_bits(number)))
}

fn caller(subject: &str) -> QuotaSubject {
    QuotaSubject::caller(Principal::new(PrincipalParts { subject: subject.into(), ..PrincipalParts::default() }))
}

fn charge(subject: QuotaSubject, limit: u64) -> Charge {
    Charge::new(subject, 1, Some(limit), NOW)
}

fn next_month(mut charge: Charge) -> Charge {
    charge.now = charge.period.ends_at();
    Charge::new(charge.subject, charge.cost, charge.limit, charge.now)
}

/// Usage after the charge was taken; `Err` is the usage if it was not, or that the store is full.
fn reserve(quotas: &Quotas, charge: &Charge) -> Result<u64, Option<u64>> {
    match quotas.reserve(charge) {
        Ok(Reservation::Reserved { used }) => Ok(used),
        Ok(Reservation::Exceeded { used }) => Err(Some(used)),
        Err(StoreError::Full) => Err(None),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn the_sixth_of_five_is_refused_and_takes_nothing() {
    let quotas = Quotas::default();
    let charge = charge(address(1), 5);
    for used in 1..=5 {
        assert_eq!(reserve(&quotas, &charge), Ok(used));
    }
    for _ in 0..3 {
        assert_eq!(reserve(&quotas, &charge), Err(Some(5)));
    }
    assert_eq!(quotas.give_back(&charge), 4);
    assert_eq!(reserve(&quotas, &charge), Ok(5));
}

#[test]
fn a_new_month_begins_at_zero_and_the_old_one_takes_what_is_given_back() {
    let quotas = Quotas::default();
    let old = charge(caller("a"), 2);
    let new = next_month(old.clone());
    assert_eq!(reserve(&quotas, &old), Ok(1));
    assert_eq!(reserve(&quotas, &old), Ok(2));
    assert_eq!(reserve(&quotas, &new), Ok(1));
    // The give-back of the old month's request comes in the new month.
    assert_eq!(quotas.give_back(&old), 1);
    assert_eq!(reserve(&quotas, &new), Ok(2));
    assert_eq!(reserve(&quotas, &new), Err(Some(2)));
    // Never below zero, however often it comes.
    for _ in 0..3 {
        assert_eq!(quotas.give_back(&old), 0);
    }
    assert_eq!(reserve(&quotas, &old), Ok(1));
}

#[test]
fn costs_and_limits_at_the_end_of_the_numbers_do_not_overflow() {
    let quotas = Quotas::default();
    let huge = |limit| Charge::new(caller("a"), u64::MAX - 1, limit, NOW);
    assert_eq!(reserve(&quotas, &huge(Some(u64::MAX))), Ok(u64::MAX - 1));
    assert_eq!(reserve(&quotas, &huge(Some(u64::MAX))), Err(Some(u64::MAX - 1)));
    assert_eq!(reserve(&quotas, &huge(None)), Ok(u64::MAX));
    assert_eq!(quotas.give_back(&huge(None)), 1);
}

#[test]
fn a_full_pool_refuses_strangers_and_forgets_nobody() {
    let quotas = Quotas::with_capacity(10);
    for number in 0..10 {
        assert_eq!(reserve(&quotas, &charge(address(number), 2)), Ok(1));
    }
    for number in 10..1_000 {
        assert_eq!(reserve(&quotas, &charge(address(number), 2)), Err(None));
    }
    for number in 0..10 {
        assert_eq!(reserve(&quotas, &charge(address(number), 2)), Ok(2));
        assert_eq!(reserve(&quotas, &charge(address(number), 2)), Err(Some(2)));
    }
    // Addresses cannot crowd out callers.
    assert_eq!(reserve(&quotas, &charge(caller("a"), 2)), Ok(1));
    // The month's end frees every slot.
    for number in 10..20 {
        assert_eq!(reserve(&quotas, &next_month(charge(address(number), 2))), Ok(1));
    }
    assert_eq!(reserve(&quotas, &next_month(charge(address(20), 2))), Err(None));
}

#[test]
fn who_may_use_nothing_or_used_nothing_takes_no_slot() {
    let quotas = Quotas::with_capacity(1);
    for number in 0..10 {
        assert_eq!(reserve(&quotas, &charge(address(number), 0)), Err(Some(0)));
        assert_eq!(reserve(&quotas, &charge(address(number), 1)), Ok(1));
        assert_eq!(quotas.give_back(&charge(address(number), 1)), 0);
    }
    assert_eq!(reserve(&quotas, &charge(address(1), 1)), Ok(1));
}

#[test]
fn threads_together_take_exactly_the_allowance_and_the_capacity() {
    let quotas = Arc::new(Quotas::with_capacity(8));
    let count = |work: fn(&Quotas, u32) -> u64| -> u64 {
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let quotas = Arc::clone(&quotas);
                std::thread::spawn(move || (0..1_000).map(|turn| work(&quotas, thread * 1_000 + turn)).sum::<u64>())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    };
    let one = |quotas: &Quotas, _| u64::from(reserve(quotas, &charge(caller("a"), 777)).is_ok());
    assert_eq!(count(one), 777);
    // Reserving and giving back leaves nothing behind, neither units nor slots.
    assert_eq!(
        count(|quotas, number| {
            let charge = charge(address(number % 4), 100_000);
            assert!(reserve(quotas, &charge).is_ok());
            quotas.give_back(&charge);
            0
        }),
        0
    );
    assert_eq!((quotas.addresses.taken.load(Relaxed), quotas.addresses.counters.len()), (0, 0));
    let strangers = |quotas: &Quotas, number| u64::from(reserve(quotas, &charge(address(number), 1)).is_ok());
    assert_eq!(count(strangers), 8);
    // All at once at the month's turn: every slot is found, and no more.
    let strangers =
        |quotas: &Quotas, number| u64::from(reserve(quotas, &next_month(charge(address(number), 1))).is_ok());
    assert_eq!(count(strangers), 8);
}

proptest::proptest! {
    /// Against the plain sum of what was taken and given back.
    #[test]
    fn usage_is_what_was_taken_minus_what_was_given_back(
        steps in proptest::collection::vec((0_u8..3, 1_u64..5, proptest::bool::ANY), 1..60),
    ) {
        let quotas = Quotas::default();
        let mut model = std::collections::HashMap::<u8, u64>::new();
        for (subject, cost, take) in steps {
            let charge = Charge::new(address(subject.into()), cost, Some(12), NOW);
            let used = model.entry(subject).or_insert(0);
            if take {
                let after = used.saturating_add(cost);
                let expected = if after <= 12 { Ok(after) } else { Err(Some(*used)) };
                *used = if after <= 12 { after } else { *used };
                proptest::prop_assert_eq!(reserve(&quotas, &charge), expected);
            } else {
                *used = used.saturating_sub(cost);
                proptest::prop_assert_eq!(quotas.give_back(&charge), *used);
            }
        }
    }
}
