//! Decimal text to integers, exactly: money never passes through a float.

use keyway_domain::NanoUsd;

/// Digits after the point of a dollar, and of a cent, that make whole nano-USD.
const DOLLAR_DIGITS: i32 = 9;
const CENT_DIGITS: i32 = 7;

/// Reads a JSON number or decimal text of US dollars as nano-USD; fractions of a nano-USD are rounded half up. `None`
/// for anything negative, too large or not a number.
pub(crate) fn nano_usd(text: &str) -> Option<NanoUsd> {
    rounded(text, DOLLAR_DIGITS)
}

/// Works like [`nano_usd`], from text of cents.
pub(crate) fn nano_usd_of_cents(text: &str) -> Option<NanoUsd> {
    rounded(text, CENT_DIGITS)
}

/// Works like [`nano_usd`], but refuses fractions of a nano-USD.
pub(crate) fn exact_nano_usd(text: &str) -> Option<NanoUsd> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let decimals = text.split_once('.').map_or("", |(_, decimals)| decimals).trim_end_matches('0');
    (plain && decimals.len() <= 9).then(|| nano_usd(text)).flatten()
}

fn rounded(text: &str, digits: i32) -> Option<NanoUsd> {
    let (scaled, rest) = scaled(text, digits)?;
    scaled.checked_add(i64::from(rest >= b'5'))
}

/// Moves the point `digits` to the right; returns the whole part, and the first digit that was cut off.
fn scaled(text: &str, digits: i32) -> Option<(i64, u8)> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && decimals.is_empty() {
        return None;
    }
    // The point stands after this many digits of the mantissa once the value is in nano-USD.
    let point = i32::try_from(whole.len()).ok()?.checked_add(exponent)?.checked_add(digits)?;
    let mut value: i64 = 0;
    let mut first_cut = b'0';
    let mut position = 0;
    for digit in whole.bytes().chain(decimals.bytes()) {
        if !digit.is_ascii_digit() {
            return None;
        }
        if position < point {
            value = value.checked_mul(10)?.checked_add(i64::from(digit - b'0'))?;
        } else if position == point {
            first_cut = digit;
        }
        position += 1;
    }
    // Zero needs no padding, however large its exponent; anything else overflows within 19 steps.
    if value != 0 {
        for _ in position..point {
            value = value.checked_mul(10)?;
        }
    }
    Some((value, first_cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_text_becomes_nano_usd() {
        for (text, expected) in [
            ("0", Some(0)),
            ("0.0", Some(0)),
            ("0.075", Some(75_000_000)),
            ("1.2345678", Some(1_234_567_800)),
            ("12", Some(12_000_000_000)),
            ("1e-9", Some(1)),
            ("1.5E-9", Some(2)),
            ("4e-10", Some(0)),
            ("5e-10", Some(1)),
            ("2.5e1", Some(25_000_000_000)),
            ("0.06000000000000001", Some(60_000_000)),
            (".5", Some(500_000_000)),
            ("0e999999999", Some(0)),
            ("9223372036.854775807", Some(i64::MAX)),
            ("9223372036.854775808", None),
            ("1e999999999", None),
            ("1e99999999999", None),
            ("-1", None),
            ("", None),
            (".", None),
            ("NaN", None),
            ("1,5", None),
            ("\"1\"", None),
            ("null", None),
            ("1.2.3", None),
            ("+1", None),
        ] {
            assert_eq!(nano_usd(text), expected, "{text}");
        }
    }

    #[test]
    fn cents_become_nano_usd() {
        for (text, expected) in [
            ("0", Some(0)),
            ("123.45", Some(1_234_500_000)),
            ("10", Some(100_000_000)),
            ("0.0000001", Some(1)),
            ("0.00000005", Some(1)),
            ("0.00000004", Some(0)),
            ("1E-7", Some(1)),
            ("0E-10", Some(0)),
            ("922337203685.4775807", Some(i64::MAX)),
            ("922337203685.4775808", None),
            ("-1", None),
        ] {
            assert_eq!(nano_usd_of_cents(text), expected, "{text}");
        }
    }

    #[test]
    fn a_price_is_plain_and_exact() {
        assert_eq!(exact_nano_usd("0.0375"), Some(37_500_000));
        assert_eq!(exact_nano_usd("0.1234567890"), Some(123_456_789));
        for refused in ["0.1234567891", "1e-3", "-1", "", "1 ", "free"] {
            assert_eq!(exact_nano_usd(refused), None, "{refused}");
        }
    }

    proptest::proptest! {
        #[test]
        fn it_agrees_with_integer_arithmetic(nano in 0i64..i64::MAX) {
            let text = format!("{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000);
            proptest::prop_assert_eq!(nano_usd(&text), Some(nano));
        }

        #[test]
        fn it_never_panics(text in "[0-9eE.+-]{0,24}") {
            let _ = nano_usd(&text);
        }
    }
}
