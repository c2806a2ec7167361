//! Where a figure of the catalog is from.

use serde::Deserialize;

/// Source of a figure.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Name of a price list, or a URL.
    pub source: String,
    /// Day on which it was read, `2026-11-28`.
    pub seen: String,
}
