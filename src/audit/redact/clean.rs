/// Whether a character must not stand in a log as it is: controls (ESC starts terminal sequences),
/// line separators, and what turns or hides text (bidi, zero width, tags).
pub(in crate::audit) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Appends `text` with each unsafe character written as `\u{1b}`, or `instead` if that makes more
/// than `max` bytes.
pub(super) fn push_clean(out: &mut String, text: &str, max: usize, instead: &str) {
    if text.len() <= max && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return out.push_str(text);
    }
    let before = out.len();
    for c in text.chars() {
        if is_unsafe(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
        if out.len().saturating_sub(before) > max {
            out.truncate(before);
            return out.push_str(instead);
        }
    }
}

/// Text that is built piece by piece and, where it grows beyond its cap, ends with a mark instead.
/// What is no longer than the cap stays whole, so that redacting twice changes nothing.
pub(super) struct Capped {
    text: String,
    cap: usize,
    /// How much of `text` can stay if the mark has to follow.
    fits: usize,
    mark: &'static str,
}

impl Capped {
    pub(super) fn new(cap: usize, expected: usize, mark: &'static str) -> Self {
        Self { text: String::with_capacity(expected.min(cap)), cap, fits: 0, mark }
    }

    pub(super) fn text(&mut self) -> &mut String {
        &mut self.text
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Ends a piece; `false` if no other is wanted.
    pub(super) fn end_piece(&mut self) -> bool {
        if self.text.len().saturating_add(self.mark.len()) <= self.cap {
            self.fits = self.text.len();
        }
        self.text.len() <= self.cap
    }

    pub(super) fn finish(mut self) -> String {
        if self.text.len() > self.cap {
            self.text.truncate(self.fits);
            self.text.push_str(self.mark);
        }
        self.text
    }
}
