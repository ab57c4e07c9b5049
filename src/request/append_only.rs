use std::sync::{
    OnceLock,
    atomic::{AtomicUsize, Ordering},
};

/// A short list that grows through a shared reference, without a lock and without allocating.
/// What does not fit is not kept.
#[derive(Debug)]
pub(crate) struct AppendOnly<T, const N: usize> {
    items: [OnceLock<T>; N],
    /// Before this index no slot is free. Where two push at once it may lag behind.
    free: AtomicUsize,
}

impl<T, const N: usize> AppendOnly<T, N> {
    pub(crate) const fn new() -> Self {
        Self { items: [const { OnceLock::new() }; N], free: AtomicUsize::new(0) }
    }

    pub(crate) fn push(&self, mut item: T) {
        let free = self.free.load(Ordering::Relaxed);
        for (index, slot) in self.items.iter().enumerate().skip(free) {
            match slot.set(item) {
                Ok(()) => return self.free.store(index.saturating_add(1), Ordering::Relaxed),
                // Somebody else was faster.
                Err(back) => item = back,
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter().map_while(OnceLock::get)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_first() {
        let list = AppendOnly::<u8, 2>::new();
        for item in 1..=5 {
            list.push(item);
        }
        assert_eq!(list.iter().copied().collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn none_is_lost_where_many_push_at_once() {
        let list = AppendOnly::<usize, 64>::new();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let list = &list;
                scope.spawn(move || (0..20).for_each(|item| list.push(thread * 20 + item)));
            }
        });
        let mut held: Vec<_> = list.iter().copied().collect();
        held.sort_unstable();
        held.dedup();
        assert_eq!(held.len(), 64);
    }
}
