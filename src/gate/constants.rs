//! Values of header fields that are known when a layer is made.
//!
//! A value made at run time is shared by counting who holds it, and the count of what stands in every response
//! is changed twice for each of them, by all cores in turns. What is written down in the program is not
//! counted. So values that layers are made with are kept for as long as the program runs, each text once: a
//! configuration that is loaded again every minute says the same again.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use http::HeaderValue;

/// So many values are kept, of so many bytes each: 256 KiB at most. Those that come later are counted.
const MOST: usize = 256;
const LONGEST: usize = 1_024;

static KEPT: Mutex<Kept> = Mutex::new(Kept(BTreeSet::new()));

struct Kept(BTreeSet<&'static str>);

impl Kept {
    fn keep(&mut self, text: &str) -> Option<&'static str> {
        if let Some(held) = self.0.get(text) {
            return Some(held);
        }
        if self.0.len() >= MOST || text.len() > LONGEST {
            return None;
        }
        let text: &'static str = Box::leak(Box::from(text));
        self.0.insert(text);
        Some(text)
    }
}

/// The same value, to be cloned without a count, if there is room for it. For what configurations say, never
/// for what a request brings.
pub(crate) fn constant(value: HeaderValue) -> HeaderValue {
    let Some(text) = value.to_str().ok().filter(|_| !value.is_sensitive()) else { return value };
    let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner).keep(text);
    kept.map_or(value, HeaderValue::from_static)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_once_and_there_is_an_end_to_it() {
        let mut kept = Kept(BTreeSet::new());
        let place = |text: Option<&'static str>| text.map(str::as_ptr);
        let first = kept.keep("first");
        assert_eq!((first, place(kept.keep("first"))), (Some("first"), place(first)));
        assert_eq!(kept.keep(&"l".repeat(LONGEST + 1)), None);
        let held = (0..2 * MOST).filter(|index| kept.keep(&index.to_string()).is_some()).count();
        assert_eq!((held, kept.0.len()), (MOST - 1, MOST));
        assert_eq!(place(kept.keep("first")), place(first));
    }

    #[test]
    fn every_value_stays_what_it_was() {
        let mut secret = HeaderValue::from_static("secret");
        secret.set_sensitive(true);
        assert!(constant(secret).is_sensitive());
        for bytes in [&b""[..], b"DENY", b"a b\tc", b"caf\xe9", &[b'l'; 2 * LONGEST]] {
            let value = HeaderValue::from_bytes(bytes).unwrap();
            assert_eq!((constant(value.clone()), constant(value.clone())), (value.clone(), value));
        }
    }
}
