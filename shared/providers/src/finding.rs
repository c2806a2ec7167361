//! What a probe found. Never holds a provider's text.

use std::time::Duration;

use keyway_domain::{Evidence, VerdictKind};

/// Result of one probe. [`VerdictKind::Invalid`] is the provider's own "this key is wrong", said once: the caller must
/// confirm it with a second probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was found.
    pub kind: VerdictKind,
    /// What shows it.
    pub evidence: Evidence,
    /// Time that the provider asked to wait, clamped.
    pub retry_after: Option<Duration>,
    /// The provider's own id of the key, if the answer to the probe has one: a plain id, no part of the key.
    pub provider_key_id: Option<String>,
}
