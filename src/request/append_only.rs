use std::sync::{
    OnceLock,
    atomic::{AtomicUsize, Ordering},
};

/// A short list that grows through a shared reference, without a lock and without allocating.
/// What does not fit is counted, not kept.
#[derive(Debug)]
pub(crate) struct AppendOnly<T, const N: usize> {
    items: [OnceLock<T>; N],
    taken: AtomicUsize,
}

impl<T, const N: usize> AppendOnly<T, N> {
    pub(crate) const fn new() -> Self {
        Self { items: [const { OnceLock::new() }; N], taken: AtomicUsize::new(0) }
    }

    pub(crate) fn push(&self, item: T) {
        let index = self.taken.fetch_add(1, Ordering::AcqRel);
        if let Some(slot) = self.items.get(index) {
            // The index was handed out once, so the slot is empty.
            let _ = slot.set(item);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter().map_while(OnceLock::get)
    }

    /// How many items did not fit.
    pub(crate) fn overflowed(&self) -> usize {
        self.taken.load(Ordering::Acquire).saturating_sub(N)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_first_and_counts_the_rest() {
        let list = AppendOnly::<u8, 2>::new();
        for item in 1..=5 {
            list.push(item);
        }
        assert_eq!(list.iter().copied().collect::<Vec<_>>(), [1, 2]);
        assert_eq!(list.overflowed(), 3);
    }
}
