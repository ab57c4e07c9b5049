use std::sync::Arc;

use super::{
    RateClock::{Callers, Servers},
    naive::{Fault, Naive},
    *,
};
use crate::backend::memory::MemoryStore;

/// How many random traces a store runs that is to be found out.
const FEW: u32 = 100;

/// One law, one test: the memory store keeps it, and so does a map with a clock of its own; and of stores that
/// have a fault each is found out, by a message with the law's name.
macro_rules! laws {
    ($($law:ident($($more:expr),*) $faults:expr;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $law() {
            super::$law(&Arc::new(MemoryStore::new()), Callers $(, $more)*).await;
            super::$law(&Arc::new(Naive::new(Fault::Nothing, Callers)), Callers $(, $more)*).await;
            super::$law(&Arc::new(Naive::new(Fault::Nothing, Servers)), Servers $(, $more)*).await;
            for (fault, clock) in $faults {
                let store = Arc::new(Naive::new(fault, clock));
                let run = tokio::spawn(async move { super::$law(&store, clock $(, $more)*).await });
                found_out(run.await, stringify!($law), fault);
            }
        }
    )*};
}

fn found_out(run: Result<(), tokio::task::JoinError>, law: &str, fault: Fault) {
    let Err(broken) = run else { panic!("{law} does not see {fault:?}") };
    let panic = broken.into_panic();
    let message = panic.downcast_ref::<String>().map_or("", String::as_str);
    assert!(message.contains(&format!("the law `{law}` is broken")), "{fault:?}: {message}");
}

laws! {
    golden_traces_are_kept()
        [(Fault::WholeSeconds, Callers), (Fault::GivesNothingBack, Servers), (Fault::AnotherClock, Callers)];
    a_batch_is_answered_in_its_order() [(Fault::AnswersBackwards, Callers), (Fault::AnswersBackwards, Servers)];
    a_charge_asked_alone_is_decided_as_in_a_batch() [
        (Fault::AloneIsFree, Callers),
        (Fault::AloneIsFree, Servers),
        (Fault::AloneIsChargedTwice, Callers),
        (Fault::AloneIsChargedTwice, Servers),
    ];
    a_refused_batch_charges_nothing() [(Fault::ChargesOneByOne, Callers), (Fault::ChargesOneByOne, Servers)];
    a_cost_above_the_limit_never_passes() [(Fault::WaitsForWhatNeverComes, Callers)];
    a_peek_charges_nothing() [(Fault::LooksCharge, Callers), (Fault::LooksCharge, Servers)];
    what_is_given_back_is_available() [(Fault::GivesNothingBack, Callers), (Fault::GivesNothingBack, Servers)];
    a_forced_charge_is_owed() [(Fault::ForcesNothing, Callers), (Fault::ForcesNothing, Servers)];
    a_reset_forgets() [(Fault::ResetsNothing, Callers), (Fault::ResetsNothing, Servers)];
    states_of_many_words_are_kept() [(Fault::FourWords, Callers), (Fault::FourWords, Servers)];
    keys_are_apart() [(Fault::CutsKeys, Callers), (Fault::JoinsParts, Callers), (Fault::FoldsCase, Servers)];
    rules_are_apart() [(Fault::JoinsParts, Callers), (Fault::FoldsCase, Callers)];
    algorithms_are_apart() [(Fault::OneStateForAllAlgorithms, Callers), (Fault::OneStateForAllAlgorithms, Servers)];
    a_new_rate_takes_over_what_is_owed() [(Fault::ABucketForEachRate, Callers), (Fault::ABucketForEachRate, Servers)];
    the_clock_is_the_one_that_was_said() [(Fault::AnotherClock, Callers), (Fault::AnotherClock, Servers)];
    a_retry_after_is_the_truth() [(Fault::WholeSeconds, Callers), (Fault::WholeSeconds, Servers)];
    a_state_lives_until_it_expires() [(Fault::ForgetsEarly, Callers), (Fault::ForgetsInASecond, Servers)];
    an_expired_state_is_no_state() [(Fault::NeverGetsOlder, Callers), (Fault::NeverGetsOlder, Servers)];
    a_clock_that_goes_back_costs_one_bucket_at_most() [
        (Fault::WritesNothingIfRefused, Callers),
        (Fault::ItsClockOnlyGoesForward, Callers),
        (Fault::ForgivesTheLate, Callers),
        (Fault::AnotherClock, Servers),
    ];
    a_clock_that_leaps_gives_one_bucket_at_most() [(Fault::WritesNothingFarAhead, Callers)];
    of_64_tasks_exactly_the_limit_passes() [(Fault::LooksThenWrites, Callers), (Fault::LooksThenWrites, Servers)];
    batches_that_meet_are_charged_alike() [(Fault::ChargesOneByOne, Callers), (Fault::LooksThenWrites, Servers)];
    a_call_that_is_dropped_is_charged_wholly_or_not_at_all()
        [(Fault::WritesInParts, Callers), (Fault::WritesInParts, Servers)];
    random_traces_are_those_of_the_pure_step(FEW) [
        (Fault::LooksCharge, Callers),
        (Fault::ForgetsEarly, Callers),
        (Fault::WholeSeconds, Callers),
        (Fault::FourWords, Servers),
        (Fault::ChargesOneByOne, Servers),
        (Fault::OneStateForAllAlgorithms, Servers),
    ];
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_store_keeps_all_laws() {
    all(MemoryStore::new, Callers).await;
}

#[tokio::test]
async fn a_lost_reply_is_charged_wholly_or_not_at_all() {
    let check = |fault, clock| {
        let store = Arc::new(Naive::new(fault, clock));
        tokio::spawn(async move {
            super::a_lost_reply_is_charged_wholly_or_not_at_all(&store, clock, || store.lose()).await;
        })
    };
    for clock in [Callers, Servers] {
        check(Fault::Nothing, clock).await.unwrap();
        for fault in [Fault::RetriesBlindly, Fault::CommitsHalf] {
            found_out(check(fault, clock).await, "a_lost_reply_is_charged_wholly_or_not_at_all", fault);
        }
    }
}
