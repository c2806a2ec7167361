//! Rates by kind of token.

use serde::{Deserialize, Serialize};

/// A kind of token that can have a price of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rate {
    /// Input that has nothing to do with the provider's cache.
    Input,
    /// Input read from the provider's cache.
    CachedInput,
    /// Input written to the provider's cache.
    CacheWrite,
    /// What of it is kept for an hour.
    #[serde(rename = "cache_write_1h")]
    CacheWrite1h,
    /// What of it is kept for twelve hours.
    #[serde(rename = "cache_write_12h")]
    CacheWrite12h,
    /// Output.
    Output,
    /// Input that is sound.
    AudioInput,
    /// What of it is read from the provider's cache.
    CachedAudioInput,
    /// Output that is sound.
    AudioOutput,
}

/// Nano-USD for a million tokens of each kind; `None`: unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates([Option<i64>; Rate::ALL.len()]);

impl Rate {
    /// Every kind, in the order of tables.
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

    /// Says whether it is a kind of output.
    #[must_use]
    pub const fn is_output(self) -> bool {
        matches!(self, Self::Output | Self::AudioOutput)
    }
}

impl Rates {
    /// Gives nano-USD for a million tokens of that kind.
    #[must_use]
    pub const fn get(&self, rate: Rate) -> Option<i64> {
        self.0[rate as usize]
    }

    /// Puts another figure for that kind.
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
