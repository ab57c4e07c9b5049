use std::slice;

use arrayvec::ArrayVec;

use super::Batch;

/// Which limit of which rule holds for a request, and what it costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pick {
    pub(super) rule: usize,
    pub(super) choice: usize,
    pub(super) units: u64,
    /// Which of the rule's prices.
    pub(super) price: usize,
    /// Where its texts begin.
    pub(super) texts: usize,
    /// How specific the limit is: level, then rank among those of the level.
    pub(super) order: (u8, usize),
}

/// The picks of one place, in the order of the rules.
#[derive(Clone, Debug, Default)]
pub(super) struct Picks(ArrayVec<Pick, { Batch::MAX }>);

/// All places are taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Full;

impl Picks {
    /// Adds a rule in its place, once.
    pub(super) fn add(&mut self, rule: usize) -> Result<(), Full> {
        let at = self.0.iter().position(|pick| pick.rule >= rule).unwrap_or(self.0.len());
        if self.0.get(at).is_some_and(|pick| pick.rule == rule) {
            return Ok(());
        }
        self.0.try_insert(at, Pick { rule, ..Pick::default() }).map_err(|_| Full)
    }

    /// Adds the pick of a rule that stands behind all the others.
    #[inline]
    pub(super) fn push(&mut self, pick: Pick) -> Result<(), Full> {
        self.0.try_push(pick).map_err(|_| Full)
    }

    pub(super) fn iter(&self) -> slice::Iter<'_, Pick> {
        self.0.iter()
    }

    /// The pick, if there is one alone.
    pub(super) fn only(&self) -> Option<&Pick> {
        match self.0.as_slice() {
            [pick] => Some(pick),
            _ => None,
        }
    }

    pub(super) fn iter_mut(&mut self) -> slice::IterMut<'_, Pick> {
        self.0.iter_mut()
    }

    pub(super) fn of_rule(&mut self, rule: usize) -> Option<&mut Pick> {
        self.iter_mut().find(|pick| pick.rule == rule)
    }

    /// Drops those for which `keep` does not say so.
    pub(super) fn retain(&mut self, keep: impl FnMut(&mut Pick) -> bool) {
        self.0.retain(keep);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_stand_once_and_in_order() {
        let mut picks = Picks::default();
        for rule in [5, 1, 5, 3, 9, 1, 0, 7, 8, 2] {
            picks.add(rule).unwrap();
        }
        let rules = |picks: &Picks| picks.iter().map(|pick| pick.rule).collect::<Vec<_>>();
        assert_eq!(rules(&picks), [0, 1, 2, 3, 5, 7, 8, 9]);
        assert!(picks.add(4).is_err() && picks.add(9).is_ok());
        picks.retain(|pick| pick.rule % 2 == 1);
        assert_eq!(rules(&picks), [1, 3, 5, 7, 9]);
        assert!(picks.add(4).is_ok());
        assert_eq!(rules(&picks), [1, 3, 4, 5, 7, 9]);
        assert!(picks.of_rule(4).is_some() && picks.of_rule(6).is_none());
    }
}
