//! Where a figure of the catalog is from.

use serde::Deserialize;

/// Where a figure was seen, and when.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Name of a list, or an address.
    pub source: String,
    /// The day, `2026-11-28`.
    pub seen: String,
}
