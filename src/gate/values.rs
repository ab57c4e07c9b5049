//! Values of header fields that every response has anew: a number, the request's id.
//!
//! They are written one after the other into one chunk of memory, of which each value holds a part:
//! no allocation for each. A chunk is as long as what the values of some twenty responses need, and
//! its memory is used again once they have been sent.

use std::cell::RefCell;

use bytes::BytesMut;
use http::HeaderValue;

/// What somebody holds back who keeps a single value of a chunk.
const CHUNK: usize = 4_096;

thread_local! {
    static OPEN: RefCell<BytesMut> = RefCell::new(BytesMut::new());
    static REPEATED: RefCell<Repeated> = const { RefCell::new(Repeated::NOTHING) };
}

/// So many numbers are remembered in each thread.
const REMEMBERED: usize = 16;

/// The value that `write` appends to the buffer: text of at most `most` bytes. `None` if it is no
/// header value.
pub(crate) fn written(most: usize, write: impl FnOnce(&mut BytesMut)) -> Option<HeaderValue> {
    if most > CHUNK {
        let mut own = BytesMut::with_capacity(most);
        write(&mut own);
        return HeaderValue::from_maybe_shared(own.freeze()).ok();
    }
    let value = OPEN.try_with(|open| {
        let mut open = open.try_borrow_mut().ok()?;
        // A writer that panicked may have left a beginning behind.
        open.clear();
        if open.capacity() < most {
            open.reserve(CHUNK);
        }
        write(&mut open);
        Some(open.split())
    });
    HeaderValue::from_maybe_shared(value.ok()??.freeze()).ok()
}

/// A text as header value.
pub(crate) fn copied(text: &[u8]) -> Option<HeaderValue> {
    written(text.len(), |out| out.extend_from_slice(text))
}

/// A number as header value. Up to 1,023 nothing is written: most that remains, and most seconds, are so few.
pub(crate) fn decimal(number: u64) -> HeaderValue {
    if let Some(small) = small(number) {
        return HeaderValue::from_static(small);
    }
    copied(itoa::Buffer::new().format(number).as_bytes()).unwrap_or(HeaderValue::from_static("0"))
}

/// The same for a number that the next response is likely to say, too: a limit, or the second at which
/// one is full again. The last ones are remembered.
pub(crate) fn repeated(number: u64) -> HeaderValue {
    if let Some(small) = small(number) {
        return HeaderValue::from_static(small);
    }
    let remembered = REPEATED.try_with(|repeated| repeated.try_borrow_mut().ok()?.value(number));
    remembered.ok().flatten().unwrap_or_else(|| HeaderValue::from(number))
}

/// The last numbers that were said, wherever there was room: had each number a place of its own, then a limit and
/// the seconds of a clock would drive each other out with every response whenever they have the same one.
struct Repeated {
    numbers: [u64; REMEMBERED],
    values: [HeaderValue; REMEMBERED],
    next: usize,
}

impl Repeated {
    const NOTHING: Self =
        Self { numbers: [0; REMEMBERED], values: [const { HeaderValue::from_static("0") }; REMEMBERED], next: 0 };

    fn value(&mut self, number: u64) -> Option<HeaderValue> {
        if let Some(place) = self.numbers.iter().position(|held| *held == number) {
            return self.values.get(place).cloned();
        }
        // In memory of its own: it outlives the responses that a chunk is made for.
        let value = HeaderValue::from(number);
        *self.numbers.get_mut(self.next)? = number;
        *self.values.get_mut(self.next)? = value.clone();
        self.next = self.next.wrapping_add(1) % REMEMBERED;
        Some(value)
    }
}

/// Four places for each of 1,024 numbers.
const SMALL: [u8; 4_096] = {
    let mut digits = [b'0'; 4_096];
    let (mut rest, mut number) = (&mut digits as &mut [u8], 0_u16);
    while let [thousands, hundreds, tens, ones, tail @ ..] = rest {
        *thousands = b'0' + (number / 1_000) as u8;
        *hundreds = b'0' + (number / 100 % 10) as u8;
        *tens = b'0' + (number / 10 % 10) as u8;
        *ones = b'0' + (number % 10) as u8;
        number += 1;
        rest = tail;
    }
    digits
};

static DIGITS: &str = match str::from_utf8(&SMALL) {
    Ok(digits) => digits,
    Err(_) => "",
};

fn small(number: u64) -> Option<&'static str> {
    let end = usize::try_from(number).ok()?.checked_add(1)?.checked_mul(4)?;
    let length = match number {
        0..10 => 1,
        10..100 => 2,
        100..1_000 => 3,
        _ => 4,
    };
    DIGITS.get(end.checked_sub(length)?..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digit_is_there() {
        for number in 0..2_000 {
            assert_eq!(decimal(number), number.to_string());
            assert_eq!(repeated(number), number.to_string());
            assert_eq!(repeated(number), number.to_string());
        }
        assert_eq!(decimal(u64::MAX), u64::MAX.to_string());
    }

    /// Two limits, a quota, the end of a month, and seconds that go on.
    #[test]
    fn what_is_said_again_and_again_is_written_once() {
        for second in 1_795_000_000..1_795_003_600 {
            let said = [1_000_000, second, 5_000, second + 3_540, 250_000, 1_796_083_200];
            let _met = said.map(repeated);
            let (once, again) = (said.map(repeated), said.map(repeated));
            let places = |values: &[HeaderValue; 6]| values.each_ref().map(|value| value.as_bytes().as_ptr());
            assert_eq!(places(&once), places(&again), "{second}");
        }
    }

    #[test]
    fn no_value_holds_anything_of_another() {
        let values: Vec<_> = (0..5_000).map(decimal).collect();
        assert!(values.iter().enumerate().all(|(number, value)| *value == number.to_string()));
        let long = "a".repeat(3 * CHUNK);
        assert_eq!(copied(long.as_bytes()).unwrap(), long);
        assert_eq!(decimal(7), "7");
    }

    #[test]
    fn what_was_left_behind_stays_behind() {
        let broken = std::panic::catch_unwind(|| {
            written(8, |out| {
                out.extend_from_slice(b"half");
                panic!("of it");
            })
        });
        assert!(broken.is_err());
        assert_eq!(decimal(7), "7");
        assert_eq!(copied(b"a\nb"), None);
        assert_eq!(decimal(8), "8");
    }
}
