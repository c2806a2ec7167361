//! Invalidations: what caches have to drop. Ids only.

use serde::{Deserialize, Serialize};

use crate::VirtualKeyId;

/// Cache entries to drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Invalidation {
    /// A virtual key was changed, revoked or deleted.
    VirtualKey {
        /// Id of the virtual key.
        id: VirtualKeyId,
    },
    /// An integration of the tenant changed: status, secret, host or existence.
    Integrations,
    /// A custom provider of the tenant changed.
    Providers,
}
