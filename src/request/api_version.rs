use std::{fmt, str::FromStr};

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

use super::RequestContext;
use crate::rejection::Rejection;

/// The version of the API that a request is served with: a number, `v2`, or a date, `2025-01-01`.
///
/// An `ApiVersionLayer` leaves it in the [`RequestContext`]; it is an extractor, too.
///
/// ```
/// use portcullis::request::ApiVersion;
///
/// assert_eq!("v2".parse(), Ok(ApiVersion::number(2)));
/// assert_eq!(ApiVersion::date(2025, 1, 1).to_string(), "2025-01-01");
/// assert!(ApiVersion::number(1) < ApiVersion::number(2));
/// // One version, one text: what is written otherwise is none.
/// assert!("v02".parse::<ApiVersion>().is_err() && "V2".parse::<ApiVersion>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiVersion(Form);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Form {
    Number(u32),
    Date { year: u16, month: u8, day: u8 },
}

/// The text is no version. It is not repeated, for it is a stranger's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither a number (`v2`) nor a date (`2025-01-01`)")]
pub struct NotAVersion;

impl ApiVersion {
    /// `v1`, `v2` …
    pub const fn number(number: u32) -> Self {
        Self(Form::Number(number))
    }

    /// A version that is called by a day. Whether there is such a day is seen where a layer is built.
    pub const fn date(year: u16, month: u8, day: u8) -> Self {
        Self(Form::Date { year, month, day })
    }

    /// The number, if it is one.
    pub const fn as_number(self) -> Option<u32> {
        match self.0 {
            Form::Number(number) => Some(number),
            Form::Date { .. } => None,
        }
    }

    /// Year, month and day, if it is a date.
    pub const fn as_date(self) -> Option<(u16, u8, u8)> {
        match self.0 {
            Form::Date { year, month, day } => Some((year, month, day)),
            Form::Number(_) => None,
        }
    }
}

impl FromStr for ApiVersion {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let found = match text.as_bytes() {
            [b'v', digits @ ..] => number(digits).map(Self::number),
            &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] => date([y1, y2, y3, y4], [m1, m2], [d1, d2]),
            _ => None,
        };
        found.ok_or(NotAVersion)
    }
}

/// Digits without a sign and without zeros before them.
fn number(digits: &[u8]) -> Option<u32> {
    if digits.first() == Some(&b'0') && digits.len() > 1 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn date(year: [u8; 4], month: [u8; 2], day: [u8; 2]) -> Option<ApiVersion> {
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_u16, |number, digit| {
            let digit = u16::from(digit.checked_sub(b'0').filter(|digit| *digit <= 9)?);
            number.checked_mul(10)?.checked_add(digit)
        })
    };
    let (month, day) = (u8::try_from(number(&month)?).ok()?, u8::try_from(number(&day)?).ok()?);
    Some(ApiVersion::date(number(&year)?, month, day))
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Form::Number(number) => write!(f, "v{number}"),
            Form::Date { year, month, day } => write!(f, "{year:04}-{month:02}-{day:02}"),
        }
    }
}

impl fmt::Debug for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiVersion({self})")
    }
}

/// Missing where no `ApiVersionLayer` stands outside, or where it let a request without a version pass: a
/// 500 that says so in the log. Take an `Option<ApiVersion>` for routes that have both.
impl<S: Sync> FromRequestParts<S> for ApiVersion {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        RequestContext::from_parts(parts)?.api_version().ok_or_else(|| {
            Rejection::misconfigured(
                "an ApiVersion is needed, but no ApiVersionLayer found one: add it to this router, or take an Option",
            )
        })
    }
}

/// `None` is a request without a version.
impl<S: Sync> OptionalFromRequestParts<S> for ApiVersion {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Rejection> {
        Ok(RequestContext::from_parts(parts)?.api_version())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_text_that_it_would_write_is_a_version() {
        for text in ["v0", "v1", "v10", "v4294967295", "2025-01-01", "0000-00-00", "9999-99-99"] {
            assert_eq!(text.parse::<ApiVersion>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "v",
            "1",
            "v01",
            "v+1",
            "v-1",
            "v1.0",
            "V1",
            " v1",
            "v4294967296",
            "v99999999999999999999",
            "2025-1-1",
            "2025/01/01",
            "20250101",
            "+025-01-01",
            "２０２５-01-01",
        ] {
            assert_eq!(text.parse::<ApiVersion>(), Err(NotAVersion), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_read_is_written_the_same(text in "[v0-9-]{0,12}|\\PC{0,12}") {
            if let Ok(version) = text.parse::<ApiVersion>() {
                proptest::prop_assert_eq!(version.to_string(), text);
            }
        }
    }
}
