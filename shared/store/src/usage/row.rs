//! A call on its way into the ledger. Plain data.

use keyway_domain::{MeteredCall, NanoUsd};

/// A proxied call with its price.
#[derive(Clone, Debug)]
pub struct MeteredRow {
    /// The call.
    pub call: MeteredCall,
    /// Cost in nano-USD; `None` if price or tokens are unknown.
    pub cost_nano_usd: Option<NanoUsd>,
    /// Version of the price list that was used.
    pub price_version: Option<String>,
}

/// Returns the model, or `None` if it has control characters: a database refuses some of them, which would cost the
/// whole batch.
pub(super) fn model(call: &MeteredCall) -> Option<&str> {
    call.model.as_deref().filter(|model| !model.contains(char::is_control))
}
