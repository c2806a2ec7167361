//! Invalidations: what caches have to drop. Ids only.

use serde::{Deserialize, Serialize};

use crate::{ServiceId, UserId, VirtualKeyId};

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
    /// A person's account, sessions or memberships changed, in any tenant.
    User {
        /// Id of the person.
        id: UserId,
    },
    /// A service was changed, revoked or deleted.
    Service {
        /// Id of the service.
        id: ServiceId,
    },
    /// Something that the tenant has published changed, or what may be read of it.
    Published,
}
