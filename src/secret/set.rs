use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;

use super::{LoadedSecrets, Secret};
use crate::time::Timestamp;

/// How many previous secrets a set keeps: more than this in one transition is a leak, not a rotation.
const MAX_PREVIOUS: usize = 4;

/// The current secret and, during a rotation, the previous ones. Clones share the set, so a layer
/// and the task that refreshes it see the same secrets.
#[derive(Clone)]
pub struct SecretSet(Arc<ArcSwap<Inner>>);

#[derive(Clone)]
struct Inner {
    current: Secret,
    previous: Vec<(Secret, Timestamp)>,
}

impl SecretSet {
    /// A set with one secret.
    pub fn new(current: Secret) -> Self {
        Self::from_inner(Inner { current, previous: Vec::new() })
    }

    fn from_inner(inner: Inner) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(inner)))
    }

    /// Adds a previous secret, valid before `valid_until`. The oldest of more than four is dropped.
    #[must_use]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the set owns its secrets; a borrow would invite the caller to keep a copy"
    )]
    pub fn with_previous(self, secret: Secret, valid_until: Timestamp) -> Self {
        self.0.rcu(|inner| {
            let mut next = (**inner).clone();
            next.previous.insert(0, (secret.clone(), valid_until));
            next.previous.truncate(MAX_PREVIOUS);
            next
        });
        self
    }

    /// Makes `next` the current secret; the one that was current stays valid before `valid_until`.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the set owns its secrets; a borrow would invite the caller to keep a copy"
    )]
    pub fn rotate(&self, next: Secret, valid_until: Timestamp) {
        self.0.rcu(|inner| {
            let mut previous = inner.previous.clone();
            previous.retain(|(secret, _)| secret != &next);
            if inner.current != next {
                previous.insert(0, (inner.current.clone(), valid_until));
            }
            previous.truncate(MAX_PREVIOUS);
            Inner { current: next.clone(), previous }
        });
    }

    /// Takes over what a source loaded. If the current secret changed and the source does not name
    /// the old one itself, the old one stays valid before `valid_until`. Older ones that the source
    /// does not name run out at their own time; [`forget_previous`](Self::forget_previous) ends them.
    pub fn replace(&self, loaded: LoadedSecrets, valid_until: Timestamp) {
        let LoadedSecrets { current, previous: named } = loaded;
        self.0.rcu(|inner| {
            let mut previous = named.clone();
            for (secret, until) in std::iter::once(&(inner.current.clone(), valid_until)).chain(&inner.previous) {
                if *secret != current && previous.iter().all(|(held, _)| held != secret) {
                    previous.push((secret.clone(), *until));
                }
            }
            previous.truncate(MAX_PREVIOUS);
            Inner { current: current.clone(), previous }
        });
    }

    /// Drops every previous secret at once: what one does when the old secret has leaked.
    pub fn forget_previous(&self) {
        self.0.rcu(|inner| Inner { current: inner.current.clone(), previous: Vec::new() });
    }

    /// The current secret: what new signatures are made with.
    pub fn current(&self) -> Secret {
        self.0.load().current.clone()
    }

    /// The secrets that are valid at `now`, the current one first.
    pub fn valid_at(&self, now: Timestamp) -> Vec<Secret> {
        let inner = self.0.load();
        let mut valid = Vec::with_capacity(inner.previous.len().saturating_add(1));
        valid.push(inner.current.clone());
        valid.extend(inner.previous.iter().filter(|(_, until)| now < *until).map(|(secret, _)| secret.clone()));
        valid
    }

    /// Looks at the secrets that are valid at `now`, the current one first, without copying one.
    pub(crate) fn each_valid_at(&self, now: Timestamp, mut look: impl FnMut(&Secret)) {
        let inner = self.0.load();
        look(&inner.current);
        inner.previous.iter().filter(|(_, until)| now < *until).for_each(|(secret, _)| look(secret));
    }
}

impl From<Secret> for SecretSet {
    fn from(secret: Secret) -> Self {
        Self::new(secret)
    }
}

impl From<LoadedSecrets> for SecretSet {
    fn from(loaded: LoadedSecrets) -> Self {
        let mut previous = loaded.previous;
        previous.truncate(MAX_PREVIOUS);
        Self::from_inner(Inner { current: loaded.current, previous })
    }
}

impl fmt::Debug for SecretSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.0.load();
        let until: Vec<_> = inner.previous.iter().map(|(_, until)| until).collect();
        f.debug_struct("SecretSet").field("current", &inner.current).field("previous_until", &until).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(set: &SecretSet, at: u64) -> Vec<Vec<u8>> {
        set.valid_at(Timestamp::from_secs(at)).iter().map(|secret| secret.expose().to_vec()).collect()
    }

    #[test]
    fn rotation_keeps_the_old_until_its_time() {
        let set = SecretSet::new("a".into());
        set.rotate("b".into(), Timestamp::from_secs(10));
        assert_eq!(texts(&set, 9), [b"b", b"a"]);
        assert_eq!(texts(&set, 10), [b"b"]);
        // Rotating back does not leave the current secret in the list of the old ones.
        set.rotate("a".into(), Timestamp::from_secs(20));
        assert_eq!(texts(&set, 15), [b"a", b"b"]);
    }

    #[test]
    fn an_unchanged_load_changes_nothing() {
        let set = SecretSet::new("a".into());
        set.replace(Secret::new("a").into(), Timestamp::from_secs(10));
        assert_eq!(texts(&set, 0), [b"a"]);
    }

    #[test]
    fn a_source_that_names_other_old_secrets_does_not_end_the_one_in_force() {
        let set = SecretSet::new("b".into());
        let loaded = |current: &str| LoadedSecrets {
            current: current.into(),
            previous: vec![("a".into(), Timestamp::from_secs(5))],
        };
        set.replace(loaded("c"), Timestamp::from_secs(10));
        assert_eq!(texts(&set, 4), [b"c", b"a", b"b"]);
        // The next load, which finds nothing new, does not change that.
        set.replace(loaded("c"), Timestamp::from_secs(99));
        assert_eq!(texts(&set, 9), [b"c", b"b"]);
        assert_eq!(texts(&set, 10), [b"c"]);
    }

    #[test]
    fn the_number_of_old_secrets_is_bounded() {
        let set = SecretSet::new("0".into());
        for i in 1..20 {
            set.rotate(Secret::new(i.to_string()), Timestamp::MAX);
        }
        assert_eq!(set.valid_at(Timestamp::EPOCH).len(), 5);
        set.forget_previous();
        assert_eq!(set.valid_at(Timestamp::EPOCH).len(), 1);
    }

    #[test]
    fn debug_shows_no_secret() {
        let set = SecretSet::new("hunter2".into()).with_previous("hunter1".into(), Timestamp::from_secs(1));
        assert!(!format!("{set:?}").contains("hunter"));
    }
}
