//! What may be written down of what a client sent. Pure: no clock, no I/O, no dependency.
//!
//! Everything runs before the queue, is bounded, never panics, and done twice changes nothing.

mod clean;
mod detect;
mod target;

pub(super) use self::{
    clean::is_unsafe,
    target::{NEVER_SHOWN, path, query},
};
use self::{
    clean::{Capped, push_clean},
    detect::{Sensitive, decode},
};

/// More than this without a space is no word.
const MAX_WORD: usize = 256;
const LONG: &str = "[long]";

/// Whose words these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Author {
    /// A client: whatever looks like a token is masked.
    Client,
    /// The application, whose ids may be long; credentials, e-mail addresses and card numbers are
    /// still masked.
    Application,
}

/// Free text of at most `cap` bytes: sensitive words masked, unsafe characters escaped, spaces
/// made single.
pub(super) fn text(raw: &str, author: Author, cap: usize) -> String {
    // A word that begins before the cap is seen whole, or is too long to be a word.
    let window = head(raw, cap.saturating_add(MAX_WORD).saturating_add(1));
    if detect::holds_card_number(window) {
        return Sensitive::CardNumber.mark().to_owned();
    }
    let mut out = Capped::new(cap, window.len(), " …");
    // One word and the mark always fit.
    let max_word = cap.saturating_sub(8).min(MAX_WORD);
    for word in window.split_whitespace() {
        if !out.is_empty() {
            out.text().push(' ');
        }
        match find(word, author) {
            Some(found) => out.text().push_str(found.mark()),
            None => push_clean(out.text(), word, max_word, LONG),
        }
        if !out.end_piece() {
            break;
        }
    }
    let text = out.finish();
    // Digits that were part of a longer number stand alone once a word beside them is masked.
    if detect::holds_card_number(&text) { Sensitive::CardNumber.mark().to_owned() } else { text }
}

/// Whether [`text`] leaves it as it is, as it leaves most ids: then no other text need be made.
pub(super) fn is_shown_whole(raw: &str, author: Author, cap: usize) -> bool {
    raw.len() <= cap.saturating_sub(8).min(MAX_WORD)
        && raw.bytes().all(|byte| matches!(byte, b'!'..=b'~'))
        // One word: there is no card number in it that the search of it would not find.
        && find(raw, author).is_none()
}

/// At most `max` bytes from the beginning, in whole characters.
fn head(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}

fn find(word: &str, author: Author) -> Option<Sensitive> {
    detect::find(word).filter(|found| author == Author::Client || *found != Sensitive::Token)
}

/// `alice@example.com` as `a***@example.com`: enough to recognise, not enough to write to. What is
/// no address, or would be shown whole, is `***`.
pub(super) fn email(raw: &str) -> String {
    const HIDDEN: &str = "***";
    let decoded = decode(head(raw.trim(), 512));
    let Some((local, domain)) = decoded.rsplit_once('@') else { return HIDDEN.to_owned() };
    let domain_is_shown = !domain.is_empty()
        && domain.len() <= 255
        && domain.chars().all(|c| c.is_alphanumeric() || c == '.' || c == '-');
    if local.is_empty() || !domain_is_shown {
        return HIDDEN.to_owned();
    }
    let first = local.chars().next().filter(|c| c.is_alphanumeric() && local.chars().nth(1).is_some());
    let mut masked = String::with_capacity(domain.len().saturating_add(8));
    masked.extend(first);
    masked.push_str(HIDDEN);
    masked.push('@');
    masked.push_str(domain);
    masked
}

#[cfg(test)]
mod tests;
