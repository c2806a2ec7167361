//! Factors of rates: exact fractions, read from decimal text.

use std::fmt;

use serde::{Deserialize, Deserializer, de::Error as _};

/// Number of decimals read, and parts of a whole.
const DECIMALS: usize = 3;
const PARTS: i128 = 1000;
/// Largest factor.
const MOST: i128 = 100;

/// A factor above 0 and up to 100, reduced to its lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Factor {
    pub(super) numerator: i128,
    pub(super) denominator: i128,
}

impl Factor {
    /// The factor that changes nothing.
    pub(super) const ONE: Self = Self { numerator: 1, denominator: 1 };

    /// Reads decimal text: `2`, `0.5`, `1.125`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if !is_plain || whole.is_empty() || decimals.len() > DECIMALS || text.ends_with('.') || text.len() > 7 {
            return None;
        }
        let numerator: i128 = format!("{whole}{decimals:0<DECIMALS$}").parse().ok()?;
        let factor = Self { numerator, denominator: PARTS };
        (numerator > 0 && numerator <= MOST * PARTS).then(|| factor.reduced())
    }

    const fn reduced(self) -> Self {
        let (mut divisor, mut rest) = (self.numerator, self.denominator);
        while rest != 0 {
            (divisor, rest) = (rest, divisor % rest);
        }
        Self { numerator: self.numerator / divisor, denominator: self.denominator / divisor }
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let thousandths = self.numerator * (PARTS / self.denominator);
        let text = format!("{}.{:03}", thousandths / PARTS, thousandths % PARTS);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl<'de> Deserialize<'de> for Factor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const FORM: &str = "a factor is decimal text like \"1.1\", above 0, up to 100, with at most 3 decimals";
        let text = String::deserialize(deserializer).map_err(|error| D::Error::custom(format!("{FORM} ({error})")))?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(format!("{FORM}, not \"{text}\"")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_is_an_exact_fraction() {
        for (text, numerator, denominator) in
            [("2", 2, 1), ("0.5", 1, 2), ("1.1", 11, 10), ("1.75", 7, 4), ("0.001", 1, 1000), ("100", 100, 1)]
        {
            let factor = Factor::parse(text).expect(text);
            assert_eq!((factor.numerator, factor.denominator), (numerator, denominator), "{text}");
            assert_eq!(factor.to_string(), text);
        }
        for refused in ["", "0", "0.0", "-1", "1e1", ".5", "2.", "1.2.3", "0.0001", "100.001", "1,5", "x", "+1"] {
            assert_eq!(Factor::parse(refused), None, "{refused}");
        }
    }
}
