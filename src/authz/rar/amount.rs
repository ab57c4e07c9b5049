//! Amounts of money, compared exactly. Pure.

use std::fmt;

use serde_json::Value;

/// Digits before and after the point: more than any ledger has.
const MAX_WHOLE: usize = 18;
const FRACTION: usize = 9;

/// An amount in one currency: `150.00`, `EUR`. Decimal text, never a floating-point number: 0.1 + 0.2
/// must not be more than 0.3.
///
/// ```
/// use portcullis::authz::rar::Amount;
///
/// let wanted = Amount::parse("EUR", "150.0")?;
/// assert_eq!(wanted, Amount::parse("EUR", "150.00")?);
/// assert!(wanted.is_at_most(&Amount::parse("EUR", "150.01")?));
/// assert!(!wanted.is_at_most(&Amount::parse("USD", "9999")?), "another currency is no amount at all");
/// # Ok::<_, portcullis::authz::rar::AmountError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Amount {
    currency: [u8; 3],
    /// In billionths.
    value: u128,
}

/// A text is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AmountError {
    /// The currency is not three capital letters (ISO 4217).
    #[error("a currency is three capital letters")]
    Currency,
    /// The number is not `digits` or `digits.digits`, up to 18 before and 9 after the point. A sign,
    /// an exponent, a group separator is refused.
    #[error("an amount is up to 18 digits, and up to 9 after a point")]
    Number,
}

impl Amount {
    /// An amount from its currency (ISO 4217) and its decimal text.
    ///
    /// # Errors
    /// [`AmountError`] if one of them is not one.
    pub fn parse(currency: &str, amount: &str) -> Result<Self, AmountError> {
        let currency: [u8; 3] = currency.as_bytes().try_into().map_err(|_| AmountError::Currency)?;
        if !currency.iter().all(u8::is_ascii_uppercase) {
            return Err(AmountError::Currency);
        }
        let (whole, fraction) = match amount.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return Err(AmountError::Number),
            None => (amount, ""),
        };
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let fits = (1..=MAX_WHOLE).contains(&whole.len()) && fraction.len() <= FRACTION;
        if !(fits && digits(whole) && digits(fraction)) {
            return Err(AmountError::Number);
        }
        let value = format!("{whole}{fraction:0<FRACTION$}").parse().map_err(|_| AmountError::Number)?;
        Ok(Self { currency, value })
    }

    /// `{"currency": "EUR", "amount": "150.00"}`, as RFC 9396 §2 and the Berlin Group write it. Both
    /// must be strings, and nothing else may stand there: it might say something about the amount.
    pub fn from_json(value: &Value) -> Option<Self> {
        let members = value.as_object().filter(|members| members.len() == 2)?;
        Self::parse(members.get("currency")?.as_str()?, members.get("amount")?.as_str()?).ok()
    }

    /// Whether this is no more than `limit`, in the same currency.
    pub fn is_at_most(&self, limit: &Self) -> bool {
        self.currency == limit.currency && self.value <= limit.value
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Amount(…)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn only_plain_decimals_are_amounts() {
        for good in ["0", "150", "150.00", "0.000000001", "999999999999999999.999999999", "007"] {
            assert!(Amount::parse("EUR", good).is_ok(), "{good}");
        }
        let long = "1".repeat(19);
        for bad in ["", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", " 1", "1 ", "0x1", "1.0000000001", "١", "NaN", &long]
        {
            assert_eq!(Amount::parse("EUR", bad), Err(AmountError::Number), "{bad}");
        }
        for bad in ["", "EU", "eur", "EURO", "€", "E R"] {
            assert_eq!(Amount::parse(bad, "1"), Err(AmountError::Currency), "{bad}");
        }
    }

    #[test]
    fn a_json_amount_is_two_strings_and_nothing_else() {
        assert!(Amount::from_json(&json!({"currency": "EUR", "amount": "1.50"})).is_some());
        for bad in [
            json!({"currency": "EUR", "amount": 1.5}),
            json!({"currency": "EUR", "amount": 150}),
            json!({"currency": "EUR"}),
            json!({"currency": "EUR", "amount": "1", "per": "day"}),
            json!(["EUR", "1"]),
            json!("1 EUR"),
            json!(null),
        ] {
            assert_eq!(Amount::from_json(&bad), None, "{bad}");
        }
    }

    proptest! {
        /// Against integers: the reference needs no point.
        #[test]
        fn comparison_is_exact(a in 0_u64..1_000_000, b in 0_u64..1_000_000, places in 0_usize..4) {
            let text = |cents: u64| {
                let digits = format!("{cents:07}");
                let (whole, fraction) = digits.split_at(7 - places);
                if places == 0 { whole.to_owned() } else { format!("{whole}.{fraction}") }
            };
            let amount = |cents| Amount::parse("EUR", &text(cents)).unwrap();
            prop_assert_eq!(amount(a).is_at_most(&amount(b)), a <= b);
        }

        #[test]
        fn any_text_is_an_amount_or_an_error(currency in "\\PC{0,4}", amount in "[0-9.eE+\\- ]{0,32}") {
            let _ = Amount::parse(&currency, &amount);
        }
    }
}
