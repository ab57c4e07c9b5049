use std::slice;

use arrayvec::ArrayVec;

/// A short list that lives where it stands: what a request needs costs no allocation, and places that
/// are not taken cost nothing at all.
#[derive(Clone, Debug)]
pub(crate) struct Inline<T, const N: usize> {
    items: ArrayVec<T, N>,
}

impl<T, const N: usize> Inline<T, N> {
    pub(crate) const fn new() -> Self {
        Self { items: ArrayVec::new_const() }
    }

    /// Adds an item, or gives it back if there is no room.
    #[inline]
    pub(crate) fn push(&mut self, item: T) -> Result<(), T> {
        self.items.try_push(item).map_err(arrayvec::CapacityError::element)
    }

    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        self.items.get(index)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.items.get_mut(index)
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        self.items.as_slice()
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        self.items.as_mut_slice()
    }

    pub(crate) const fn len(&self) -> usize {
        self.items.len()
    }

    #[inline]
    pub(crate) fn iter(&self) -> slice::Iter<'_, T> {
        self.items.iter()
    }

    #[inline]
    pub(crate) fn iter_mut(&mut self) -> slice::IterMut<'_, T> {
        self.items.iter_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_comes_back() {
        let mut list = Inline::<u8, 2>::new();
        assert_eq!((list.push(1), list.push(2), list.push(3)), (Ok(()), Ok(()), Err(3)));
        assert_eq!((list.len(), list.get(1), list.get(2)), (2, Some(&2), None));
        assert_eq!(list.iter().copied().collect::<Vec<_>>(), [1, 2]);
    }
}
