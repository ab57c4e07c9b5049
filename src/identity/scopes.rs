use std::fmt;

use super::word_index::WordIndex;

/// More scopes than this, or longer in all, is not a credential but an attack.
const MAX_SCOPES: usize = 256;
const MAX_BYTES: usize = 8 * 1024;

/// The scopes that a credential carries or a role stands for: `action:resource[:qualifier]`.
///
/// | granted | satisfies | does not satisfy |
/// |---|---|---|
/// | `read:orders` | `read:orders`, `read:orders:own` | `read:orderscsv`, `write:orders` |
/// | `read:orders:own` | `read:orders:own` | `read:orders` |
/// | `read:*` (own data only) | every `read:x` and `read:x:y` | `write:x`, `reads:x` |
/// | `admin:*` (own data only) | every `admin:x` | `read:x`: no action implies another |
/// | `*`, `*:*` | nothing | everything |
///
/// Comparison is exact and case-sensitive (RFC 6749 §3.3). A `*` is a wildcard only as a whole
/// segment after the action, and only in data of our own (role maps, API-key records): in a token
/// from elsewhere it is a letter like any other. Scopes without a colon (`openid`) match themselves.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Scopes {
    /// Sorted, without duplicates, with a space after each but the last: one allocation.
    exact: Box<str>,
    /// Where the words of `exact` are, if there are many.
    index: WordIndex,
    /// `read:` for `read:*`, `read:orders:` for `read:orders:*`.
    wildcards: Box<[Box<str>]>,
}

/// A text is not a list of scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScopeError {
    /// More than 256 scopes, or more than 8 KiB.
    #[error("more than 256 scopes or 8 KiB")]
    TooMany,
    /// A character outside `%x21 / %x23-5B / %x5D-7E` (RFC 6749 §3.3), or an empty scope.
    #[error("a scope is empty or has a character that RFC 6749 does not allow")]
    Character,
    /// A `*` that is not a whole segment after the action.
    #[error("a wildcard must be the whole last segment after an action, as in read:* or read:orders:*")]
    Wildcard,
}

impl Scopes {
    /// No scopes.
    pub fn none() -> Self {
        Self::default()
    }

    /// Scopes of somebody else's token, where `*` is no wildcard.
    ///
    /// # Errors
    /// [`ScopeError`] if there are too many or one has a character that RFC 6749 does not allow.
    pub fn from_token<'a>(scopes: impl IntoIterator<Item = &'a str>) -> Result<Self, ScopeError> {
        collect(scopes, |sorted| Self::new(sorted, Box::default()))
    }

    /// The same of scopes with one space between them.
    pub(crate) fn from_text(text: &str) -> Result<Self, ScopeError> {
        Self::from_token(split(text))
    }

    /// Scopes from our own data (role maps, API-key records), where `read:*` is a wildcard.
    ///
    /// # Errors
    /// [`ScopeError`] as above, or if a `*` is not the whole last segment after an action.
    pub fn from_own_data<'a>(scopes: impl IntoIterator<Item = &'a str>) -> Result<Self, ScopeError> {
        let all = collect(scopes, join)?;
        let (mut exact, mut wildcards): (Vec<&str>, Vec<Box<str>>) = (Vec::new(), Vec::new());
        for scope in words(&all) {
            match scope.strip_suffix('*') {
                Some(prefix) if prefix.ends_with(':') && !prefix.contains('*') && prefix.len() > 1 => {
                    wildcards.push(prefix.into());
                }
                _ if scope.contains('*') => return Err(ScopeError::Wildcard),
                _ => exact.push(scope),
            }
        }
        // The order of `read:*` and `read:!:*` is not that of `read:` and `read:!:`.
        wildcards.sort_unstable();
        Ok(Self::new(&exact, wildcards.into()))
    }

    fn new(sorted: &[&str], wildcards: Box<[Box<str>]>) -> Self {
        Self { index: WordIndex::of(each_once(sorted)), exact: join(sorted), wildcards }
    }

    /// Whether these scopes satisfy `required`. Costs a look-up of it, one of what it is part of, and a
    /// binary search among wildcards for each segment of it: as much for 256 scopes as for one.
    pub fn satisfies(&self, required: &str) -> bool {
        if self.contains(required) || self.is_covered(required) {
            return true;
        }
        // `read:orders` is more than `read:orders:own`; `read` alone is not more than `read:orders`.
        match required.rsplit_once(':') {
            Some((wider, _)) if wider.contains(':') => self.contains(wider),
            _ => false,
        }
    }

    /// `read:*` covers `read:orders` and `read:orders:own`, but not `read:`. A binary search for each
    /// prefix that ends with a colon, so that many wildcards cost no more than one.
    fn is_covered(&self, required: &str) -> bool {
        !self.wildcards.is_empty()
            && required.match_indices(':').any(|(at, _)| {
                let (prefix, rest) = required.split_at_checked(at.saturating_add(1)).unwrap_or_default();
                !rest.is_empty() && self.wildcards.binary_search_by(|held| (**held).cmp(prefix)).is_ok()
            })
    }

    fn contains(&self, scope: &str) -> bool {
        self.index.contains(&self.exact, scope)
    }

    /// The scopes as written, exact ones first.
    pub fn iter(&self) -> impl Iterator<Item = String> {
        let wildcards = self.wildcards.iter().map(|prefix| format!("{prefix}*"));
        self.exact().map(str::to_owned).chain(wildcards)
    }

    /// The exact scopes, without the wildcards. Allocates nothing.
    pub fn exact(&self) -> impl Iterator<Item = &str> {
        words(&self.exact)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.wildcards.is_empty()
    }

    /// The scopes of both.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut exact: Vec<&str> = self.exact().chain(other.exact()).collect();
        exact.sort_unstable();
        let mut wildcards: Vec<Box<str>> = self.wildcards.iter().chain(&other.wildcards).cloned().collect();
        wildcards.sort_unstable();
        wildcards.dedup();
        Self::new(&exact, wildcards.into())
    }

    /// Whether `text` can be a required scope: valid characters, an action and a resource or a
    /// plain word, no wildcard.
    pub fn is_requirement(text: &str) -> bool {
        valid(text) && !text.contains('*') && text.split(':').all(|segment| !segment.is_empty())
    }
}

fn valid(scope: &str) -> bool {
    !scope.is_empty() && scope.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E))
}

/// What `then` makes of the scopes, sorted.
fn collect<'a, T>(
    scopes: impl IntoIterator<Item = &'a str>,
    then: impl FnOnce(&[&'a str]) -> T,
) -> Result<T, ScopeError> {
    // So many, which is more than most credentials have, are sorted on the stack.
    let mut few = [""; 16];
    let mut many: Vec<&str> = Vec::new();
    let (mut count, mut bytes) = (0_usize, 0_usize);
    for scope in scopes {
        bytes = bytes.saturating_add(scope.len());
        if count == MAX_SCOPES || bytes > MAX_BYTES {
            return Err(ScopeError::TooMany);
        }
        if !valid(scope) {
            return Err(ScopeError::Character);
        }
        match few.get_mut(count) {
            Some(free) => *free = scope,
            None => many.push(scope),
        }
        count = count.saturating_add(1);
    }
    let all = if many.is_empty() {
        few.get_mut(..count).unwrap_or_default()
    } else {
        many.extend(few);
        &mut many
    };
    all.sort_unstable();
    Ok(then(all))
}

/// Of sorted words.
fn each_once<'s, 'a>(sorted: &'s [&'a str]) -> impl Iterator<Item = &'a str> + Clone + 's {
    let mut last = "";
    sorted.iter().copied().filter(move |word| std::mem::replace(&mut last, word) != *word)
}

/// One text of sorted words, each once.
fn join(sorted: &[&str]) -> Box<str> {
    let bytes: usize = sorted.iter().map(|word| word.len().saturating_add(1)).sum();
    let mut text = String::with_capacity(bytes.saturating_sub(1));
    for word in each_once(sorted) {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
    }
    text.into_boxed_str()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    split(text).filter(|word| !word.is_empty())
}

/// As `str::split` with a space, which looks for the next one in a way that pays for long texts only.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = text.bytes().position(|byte| byte == b' ') else { return rest.take() };
        rest = text.get(end.saturating_add(1)..);
        text.get(..end)
    })
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_table_of_the_docs_holds() {
        let holds = |granted: &str, required: &str| Scopes::from_own_data([granted]).unwrap().satisfies(required);
        assert!(holds("read:orders", "read:orders") && holds("read:orders", "read:orders:own"));
        assert!(!holds("read:orders", "read:orderscsv") && !holds("read:orders", "write:orders"));
        assert!(holds("read:orders:own", "read:orders:own") && !holds("read:orders:own", "read:orders"));
        assert!(holds("read:*", "read:x") && holds("read:*", "read:x:y"));
        assert!(!holds("read:*", "write:x") && !holds("read:*", "reads:x") && !holds("read:*", "read:"));
        assert!(holds("admin:*", "admin:users") && !holds("admin:*", "read:users"));
        assert!(holds("openid", "openid") && !holds("read", "read:orders") && !holds("Read:orders", "read:orders"));
    }

    #[test]
    fn a_bare_star_is_no_scope_of_ours() {
        for scope in ["*", "*:*", "re*:x", "read:*:own", "read:ord*", ":*"] {
            assert_eq!(Scopes::from_own_data([scope]), Err(ScopeError::Wildcard), "{scope}");
        }
    }

    #[test]
    fn a_tokens_star_matches_only_itself() {
        let scopes = Scopes::from_token(["read:*", "*", "admin:*"]).unwrap();
        assert!(!scopes.satisfies("read:orders") && !scopes.satisfies("admin:users"));
    }

    #[test]
    fn numbers_and_characters_are_bounded_rfc6750_3() {
        let many: Vec<String> = (0..257).map(|i| format!("read:x{i}")).collect();
        assert_eq!(Scopes::from_token(many.iter().map(String::as_str)), Err(ScopeError::TooMany));
        let long = "x".repeat(9_000);
        assert_eq!(Scopes::from_token([long.as_str()]), Err(ScopeError::TooMany));
        for bad in ["", "a b", "a\"b", "a\\b", "é", "\u{7f}"] {
            assert_eq!(Scopes::from_token([bad]), Err(ScopeError::Character), "{bad:?}");
        }
    }

    #[test]
    fn each_of_many_is_found_and_no_other() {
        for count in [1, 2, 15, 16, 17, 100, 256] {
            let all: Vec<String> = (0..count).map(|i| format!("read:thing-{}", (i * 37) % 257)).collect();
            let scopes = Scopes::from_token(all.iter().chain(&all[..1.min(256 - count)]).map(String::as_str)).unwrap();
            assert_eq!(scopes.exact().count(), count);
            assert!(scopes.exact().is_sorted());
            assert!(all.iter().all(|scope| scopes.satisfies(scope)), "{count}");
            for other in ["read:thing-", "read:thing-999", "a:b", "z:z", "read:thing-1 read:thing-2", ""] {
                assert!(!scopes.satisfies(other), "{other}");
            }
        }
        assert!(Scopes::none().union(&Scopes::none()).is_empty() && !Scopes::none().satisfies(""));
    }

    #[test]
    fn every_wildcard_is_found_among_many() {
        let many: Vec<String> = (0..100).map(|i| format!("act{i}:*")).chain(["a:!:*".into(), "a:*".into()]).collect();
        let scopes = Scopes::from_own_data(many.iter().map(String::as_str)).unwrap();
        assert!((0..100).all(|i| scopes.satisfies(&format!("act{i}:x")) && !scopes.satisfies(&format!("act{i}x:x"))));
        assert!(scopes.satisfies("a:!:x") && scopes.satisfies("a:b") && scopes.satisfies("a:!:x:y"));
    }

    proptest! {
        #[test]
        fn a_wildcard_grants_no_more_than_its_action(action in "[a-z]{1,6}", required in "[a-z:*]{0,12}") {
            let scopes = Scopes::from_own_data([format!("{action}:*").as_str()]).unwrap();
            prop_assert_eq!(scopes.satisfies(&required), required.strip_prefix(&format!("{action}:")).is_some_and(|rest| !rest.is_empty()));
        }
    }
}
