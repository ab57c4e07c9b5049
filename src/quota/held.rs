//! Units that were reserved for a request whose end is not known yet.

use std::{future::Future, sync::Arc};

use tokio::runtime::Handle;

use super::{Charge, QuotaStore, Reservation};
use crate::store::{BoxFuture, StoreError};

/// Reserved units. Dropped without having been kept, they are given back: the handler panicked, or
/// the client went away before there was a response.
#[derive(Debug)]
pub(super) struct Held {
    store: Arc<dyn QuotaStore>,
    /// Taken when they were kept or given back, so that neither happens twice.
    charge: Option<Charge>,
}

/// What became of a charge, with the units if they were reserved.
pub(super) enum Taken {
    Reserved { used: u64, held: Held },
    Exceeded { used: u64 },
}

/// An answer of a store: here, or on its way.
pub(super) enum Answer<T> {
    Now(Result<T, StoreError>),
    Later(BoxFuture<'static, Result<T, StoreError>>),
}

impl Held {
    #[inline]
    pub(super) fn reserve(store: &Arc<dyn QuotaStore>, charge: Charge) -> Answer<Taken> {
        let store = Arc::clone(store);
        if let Some(result) = store.try_reserve(&charge) {
            return Answer::Now(result.map(|reservation| Self::hold(store, charge, reservation)));
        }
        // If the client goes away meanwhile, the task ends nevertheless and drops what it took.
        Answer::Later(unstoppable(async move {
            let reservation = store.reserve(&charge).await?;
            Ok(Self::hold(store, charge, reservation))
        }))
    }

    #[inline]
    fn hold(store: Arc<dyn QuotaStore>, charge: Charge, reservation: Reservation) -> Taken {
        match reservation {
            Reservation::Reserved { used } => Taken::Reserved { used, held: Self { store, charge: Some(charge) } },
            Reservation::Exceeded { used } => Taken::Exceeded { used },
        }
    }

    /// The units are used.
    pub(super) fn keep(mut self) {
        self.charge = None;
    }

    /// The units were not used. Answers with the usage that is left.
    pub(super) fn give_back(mut self) -> Option<Answer<u64>> {
        let charge = self.charge.take()?;
        if let Some(result) = self.store.try_give_back(&charge) {
            return Some(Answer::Now(result));
        }
        let store = Arc::clone(&self.store);
        Some(Answer::Later(unstoppable(async move { store.give_back(&charge).await })))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(charge) = self.charge.take() else { return };
        match self.store.try_give_back(&charge) {
            Some(result) => report(result),
            None => match Handle::try_current() {
                Ok(runtime) => {
                    let store = Arc::clone(&self.store);
                    runtime.spawn(async move { report(store.give_back(&charge).await) });
                }
                Err(_) => {
                    tracing::warn!(target: "portcullis", "quota was not given back: there is no runtime to do it in");
                }
            },
        }
    }
}

fn report(result: Result<u64, StoreError>) {
    if let Err(error) = result {
        not_given_back(&error);
    }
}

pub(super) fn not_given_back(error: &StoreError) {
    tracing::warn!(target: "portcullis", error = error as &dyn std::error::Error, "quota was not given back");
}

/// Runs the future as a task, so that it is not abandoned half-way if nobody waits any more.
fn unstoppable<T: Send + 'static>(
    future: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> BoxFuture<'static, Result<T, StoreError>> {
    match Handle::try_current() {
        Ok(runtime) => {
            let task = runtime.spawn(future);
            Box::pin(async move { task.await.unwrap_or_else(|error| Err(StoreError::unavailable(error))) })
        }
        Err(_) => Box::pin(future),
    }
}
