//! Rates by kind of token.

use serde::{Deserialize, Serialize};

/// A kind of token that can have a price of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rate {
    /// Input that was neither read from nor written to the provider's cache.
    Input,
    /// Input read from the provider's cache.
    CachedInput,
    /// Input written to the provider's cache.
    CacheWrite,
    /// Cache writes kept for one hour.
    #[serde(rename = "cache_write_1h")]
    CacheWrite1h,
    /// Cache writes kept for twelve hours.
    #[serde(rename = "cache_write_12h")]
    CacheWrite12h,
    /// Output.
    Output,
    /// Audio input.
    AudioInput,
    /// Audio input read from the provider's cache.
    CachedAudioInput,
    /// Audio output.
    AudioOutput,
}

/// Nano-USD per million tokens of each kind; `None`: unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates([Option<i64>; Rate::ALL.len()]);

impl Rate {
    /// All kinds, in the order of the tables.
    pub const ALL: [Self; 9] = [
        Self::Input,
        Self::CachedInput,
        Self::CacheWrite,
        Self::CacheWrite1h,
        Self::CacheWrite12h,
        Self::Output,
        Self::AudioInput,
        Self::CachedAudioInput,
        Self::AudioOutput,
    ];

    /// Returns `true` for kinds of output.
    #[must_use]
    pub const fn is_output(self) -> bool {
        matches!(self, Self::Output | Self::AudioOutput)
    }
}

impl Rates {
    /// Returns the rate of that kind in nano-USD per million tokens.
    #[must_use]
    pub const fn get(&self, rate: Rate) -> Option<i64> {
        self.0[rate as usize]
    }

    /// Returns the rates with another figure for that kind.
    #[must_use]
    pub const fn with(mut self, rate: Rate, nano_usd: Option<i64>) -> Self {
        self.0[rate as usize] = nano_usd;
        self
    }
}

impl FromIterator<(Rate, i64)> for Rates {
    fn from_iter<I: IntoIterator<Item = (Rate, i64)>>(rates: I) -> Self {
        rates.into_iter().fold(Self::default(), |rates, (rate, nano_usd)| rates.with(rate, Some(nano_usd)))
    }
}
