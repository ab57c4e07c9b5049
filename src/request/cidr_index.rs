//! In which of many ranges a number lies: found in a few steps, however many there are.

/// Owners are below this; the others are nodes.
const NODE: u32 = 1 << 31;

/// So few bounds are compared one by one.
const FEW: usize = 4;

/// A number and what begins there.
pub(super) type Bound = (u64, u32);

/// Ranges that cover all numbers, each with an owner.
///
/// A trie over the numbers at which a range begins: each node skips the bits that all of its bounds
/// share, and looks at as many of the next bits as it has bounds (and one more), so that two or
/// three steps lead to a handful of bounds. Binary search takes fifteen steps for ten thousand
/// networks.
#[derive(Debug)]
pub(super) struct RangeIndex {
    before: u32,
    root: u32,
    nodes: Box<[Node]>,
    slots: Box<[u32]>,
    bounds: Box<[Bound]>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    /// The first number of the block that holds all of its bounds.
    base: u64,
    /// How many numbers follow in the block.
    span: u64,
    /// Who owns what stands before the block, and behind it.
    before: u32,
    after: u32,
    /// Where its slots begin; of a leaf, its bounds.
    first: u32,
    /// How many bits a slot covers; of a leaf, how many bounds it has.
    shift: u8,
    is_leaf: bool,
}

impl RangeIndex {
    /// Of bounds in ascending order, none of which is zero; `before` owns what stands before the
    /// first.
    pub(super) fn new(before: u32, bounds: Vec<Bound>) -> Self {
        let mut building = Building { nodes: Vec::new(), slots: Vec::new() };
        let root = building.subtree(before, &bounds, 0);
        let (nodes, slots) = (building.nodes.into(), building.slots.into());
        Self { before, root, nodes, slots, bounds: bounds.into() }
    }

    /// Who owns the ranges, in their order.
    pub(super) fn owners(&self) -> impl Iterator<Item = u32> {
        std::iter::once(self.before).chain(self.bounds.iter().map(|(_, owner)| *owner))
    }

    /// Who owns the range.
    pub(super) fn find(&self, number: u64) -> u32 {
        let mut at = self.root;
        while let Some(node) = at.checked_sub(NODE).and_then(|node| self.nodes.get(node as usize)) {
            if node.is_leaf {
                let bounds = self.bounds.get(node.first as usize..).unwrap_or_default();
                let bounds = bounds.get(..usize::from(node.shift)).unwrap_or_default();
                return bounds
                    .iter()
                    .fold(node.before, |owner, (from, next)| if number < *from { owner } else { *next });
            }
            let offset = number.wrapping_sub(node.base);
            if offset > node.span {
                return if number < node.base { node.before } else { node.after };
            }
            let slot = usize::try_from(offset.wrapping_shr(node.shift.into())).unwrap_or(usize::MAX);
            at = self.slots.get((node.first as usize).saturating_add(slot)).copied().unwrap_or(node.before);
        }
        at
    }
}

struct Building {
    nodes: Vec<Node>,
    slots: Vec<u32>,
}

impl Building {
    /// What finds these bounds, of which the first is the index's `first`.
    fn subtree(&mut self, before: u32, bounds: &[Bound], first: usize) -> u32 {
        let ([(low, _), ..], [.., (high, after)]) = (bounds, bounds) else { return before };
        let id = small(self.nodes.len());
        if bounds.len() <= FEW {
            self.nodes.push(Node {
                base: 0,
                span: 0,
                before,
                after: *after,
                first: small(first),
                shift: u8::try_from(bounds.len()).unwrap_or(u8::MAX),
                is_leaf: true,
            });
            return id | NODE;
        }
        let width = u64::BITS.saturating_sub((low ^ high).leading_zeros());
        let span = u64::MAX.wrapping_shr(u64::BITS.saturating_sub(width));
        let base = low & !span;
        let bits = bounds.len().ilog2().saturating_add(2).min(16).min(width);
        let shift = width.saturating_sub(bits);
        let slots = 1_usize.wrapping_shl(bits);
        let begin = self.slots.len();
        self.slots.resize(begin.saturating_add(slots), before);
        let (first_slot, shift8) = (small(begin), u8::try_from(shift).unwrap_or(u8::MAX));
        self.nodes.push(Node { base, span, before, after: *after, first: first_slot, shift: shift8, is_leaf: false });
        let (mut owner, mut at) = (before, 0_usize);
        for slot in 0..slots {
            let rest = bounds.get(at..).unwrap_or_default();
            let of_slot = |(from, _): &&Bound| (from.wrapping_sub(base)).wrapping_shr(shift) == slot as u64;
            let count = rest.iter().take_while(of_slot).count();
            let inside = rest.get(..count).unwrap_or_default();
            // One that begins with the slot needs no comparison.
            let begins_here = |(from, _): &&Bound| from.wrapping_sub(base) == (slot as u64).wrapping_shl(shift);
            let child = match inside {
                [(_, next)] if inside.first().as_ref().is_some_and(begins_here) => *next,
                _ => self.subtree(owner, inside, first.saturating_add(at)),
            };
            if let Some(place) = self.slots.get_mut(begin.saturating_add(slot)) {
                *place = child;
            }
            owner = inside.last().map_or(owner, |(_, next)| *next);
            at = at.saturating_add(count);
        }
        id | NODE
    }
}

/// There are fewer than 2^31 of anything here: each has taken more than a byte.
fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX) & !NODE
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn naive(before: u32, bounds: &[Bound], number: u64) -> u32 {
        bounds.iter().rev().find(|(from, _)| *from <= number).map_or(before, |(_, owner)| *owner)
    }

    fn check(mut starts: Vec<u64>, asked: &[u64]) {
        starts.retain(|start| *start > 0);
        starts.sort_unstable();
        starts.dedup();
        let bounds: Vec<Bound> = starts.iter().zip(1..).map(|(start, owner)| (*start, owner)).collect();
        let index = RangeIndex::new(0, bounds.clone());
        let near = starts.iter().flat_map(|start| [start.wrapping_sub(1), *start, start.wrapping_add(1)]);
        for number in near.chain(asked.iter().copied()).chain([0, u64::MAX]) {
            assert_eq!(index.find(number), naive(0, &bounds, number), "{number} in {bounds:?}");
        }
    }

    #[test]
    fn the_borders_of_the_numbers() {
        check(vec![], &[7]);
        check(vec![u64::MAX], &[7]);
        check(vec![1, 2, 3, 4, 5, u64::MAX], &[7]);
        check((0..2_000).collect(), &[1 << 40]);
        check((0..2_000).map(|n| u64::MAX - n).collect(), &[1 << 40]);
        check((0..64).map(|bit| 1 << bit).collect(), &[]);
    }

    proptest! {
        #[test]
        fn finds_what_a_scan_finds(
            starts in prop::collection::vec(prop_oneof![any::<u64>(), 0..300_u64, (any::<u8>(), 0..64_u32).prop_map(|(n, s)| u64::from(n) << (s / 2))], 0..300),
            asked in prop::collection::vec(any::<u64>(), 20),
        ) {
            check(starts, &asked);
        }
    }
}
