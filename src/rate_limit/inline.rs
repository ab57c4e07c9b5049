/// A short list that lives where it stands: what a request needs costs no allocation.
#[derive(Clone, Debug)]
pub(crate) struct Inline<T, const N: usize> {
    items: [Option<T>; N],
    len: usize,
}

impl<T, const N: usize> Inline<T, N> {
    pub(crate) const fn new() -> Self {
        Self { items: [const { None }; N], len: 0 }
    }

    /// Adds an item, or gives it back if there is no room.
    pub(crate) fn push(&mut self, item: T) -> Result<(), T> {
        let Some(place) = self.items.get_mut(self.len) else { return Err(item) };
        *place = Some(item);
        self.len = self.len.saturating_add(1);
        Ok(())
    }

    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        self.items.get(index)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.items.get_mut(index)?.as_mut()
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> + Clone {
        self.items.iter().map_while(Option::as_ref)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.items.iter_mut().map_while(Option::as_mut)
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
