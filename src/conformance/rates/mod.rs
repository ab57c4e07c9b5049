//! The laws of [`RateLimitStore`].
//!
//! One law, one function: it asks the store, and panics with the law's name and what was broken.
//! [`all`] runs them one after the other, each on a store of its own making (clones of one store, or
//! connections to one server, do as well: a law uses keys that nobody else has).
//!
//! ```
//! use std::sync::Arc;
//! use portcullis::backend::memory::MemoryStore;
//! use portcullis::conformance::rates::{self, RateClock};
//!
//! # #[tokio::main] async fn main() {
//! // A law for each test says at a glance what is broken …
//! rates::a_peek_charges_nothing(&Arc::new(MemoryStore::new()), RateClock::Callers).await;
//! rates::of_64_tasks_exactly_the_limit_passes(&Arc::new(MemoryStore::new()), RateClock::Callers).await;
//! # }
//! ```
//!
//! All of them are one line: `rates::all(MemoryStore::new, RateClock::Callers).await`. In memory they
//! take some seconds without optimisation, most of it for 10,000 random traces; on a server as long
//! as it needs for some 100,000 commands, sixty-four at a time.
//!
//! # Whose clock
//! What "now" is decides how closely a law can look:
//!
//! * [`RateClock::Callers`]: the store steps with [`Batch::now`]. Laws then set the time, and every
//!   number must be the pure step's to the microsecond.
//! * [`RateClock::Servers`]: the store steps with a clock that the kit cannot set. The numbers of units
//!   must then be exact, times may be off by what has passed meanwhile and a minute of clock error,
//!   and laws about the passing of time wait for it, some tenths of a second. Laws bound what may pass by
//!   what was measured, so a slow machine makes them slower, not wrong.
//!
//! # What a store may do otherwise
//! A store that answers from a share of its own (leases, a local deny cache) tells less than the whole
//! truth by design. It keeps the laws on exactness, on keys and on batches, not those that compare every
//! number with the pure step; run the ones that it promises, one by one.

mod algorithms;
mod charges;
mod concurrency;
mod golden;
mod identities;
mod probe;
mod time;
mod traces;

#[cfg(test)]
mod naive;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use self::{
    charges::{
        a_batch_is_answered_in_its_order, a_charge_asked_alone_is_decided_as_in_a_batch,
        a_cost_above_the_limit_never_passes, a_forced_charge_is_owed, a_peek_charges_nothing,
        a_refused_batch_charges_nothing, a_reset_forgets, states_of_many_words_are_kept,
        what_is_given_back_is_available,
    },
    concurrency::{
        a_call_that_is_dropped_is_charged_wholly_or_not_at_all, a_lost_reply_is_charged_wholly_or_not_at_all,
        batches_that_meet_are_charged_alike, exactly_the_limit_passes, of_64_tasks_exactly_the_limit_passes,
    },
    golden::golden_traces_are_kept,
    identities::{a_new_rate_takes_over_what_is_owed, algorithms_are_apart, keys_are_apart, rules_are_apart},
    time::{
        a_clock_that_goes_back_costs_one_bucket_at_most, a_clock_that_leaps_gives_one_bucket_at_most,
        a_retry_after_is_the_truth, a_state_lives_until_it_expires, an_expired_state_is_no_state,
        the_clock_is_the_one_that_was_said,
    },
    traces::{TRACES, random_traces_are_those_of_the_pure_step},
};
#[cfg(doc)]
use crate::rate_limit::Batch;
use crate::rate_limit::RateLimitStore;

/// With whose clock a store steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RateClock {
    /// With the caller's, [`Batch::now`]: stores in this process.
    Callers,
    /// With its server's, which is right to within a minute.
    Servers,
}

/// All laws, one after the other, on stores that `make` makes.
///
/// # Panics
/// If a law is broken.
pub async fn all<S: RateLimitStore>(make: impl Fn() -> S, clock: RateClock) {
    golden_traces_are_kept(&Arc::new(make()), clock).await;
    a_batch_is_answered_in_its_order(&Arc::new(make()), clock).await;
    a_charge_asked_alone_is_decided_as_in_a_batch(&Arc::new(make()), clock).await;
    a_refused_batch_charges_nothing(&Arc::new(make()), clock).await;
    a_cost_above_the_limit_never_passes(&Arc::new(make()), clock).await;
    a_peek_charges_nothing(&Arc::new(make()), clock).await;
    what_is_given_back_is_available(&Arc::new(make()), clock).await;
    a_forced_charge_is_owed(&Arc::new(make()), clock).await;
    a_reset_forgets(&Arc::new(make()), clock).await;
    states_of_many_words_are_kept(&Arc::new(make()), clock).await;
    keys_are_apart(&Arc::new(make()), clock).await;
    rules_are_apart(&Arc::new(make()), clock).await;
    algorithms_are_apart(&Arc::new(make()), clock).await;
    a_new_rate_takes_over_what_is_owed(&Arc::new(make()), clock).await;
    the_clock_is_the_one_that_was_said(&Arc::new(make()), clock).await;
    a_retry_after_is_the_truth(&Arc::new(make()), clock).await;
    a_state_lives_until_it_expires(&Arc::new(make()), clock).await;
    an_expired_state_is_no_state(&Arc::new(make()), clock).await;
    a_clock_that_goes_back_costs_one_bucket_at_most(&Arc::new(make()), clock).await;
    a_clock_that_leaps_gives_one_bucket_at_most(&Arc::new(make()), clock).await;
    of_64_tasks_exactly_the_limit_passes(&Arc::new(make()), clock).await;
    batches_that_meet_are_charged_alike(&Arc::new(make()), clock).await;
    a_call_that_is_dropped_is_charged_wholly_or_not_at_all(&Arc::new(make()), clock).await;
    random_traces_are_those_of_the_pure_step(&Arc::new(make()), clock, TRACES).await;
}
