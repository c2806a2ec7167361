//! One entry of the chain: the bytes of an event, and the hash that binds them to all entries before.

use keyway_domain::{AuditEvent, MessageId, TenantId};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::tree::Hash;

/// Entry of a tenant's chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Place in the chain, from 1 and without gaps.
    pub sequence: u64,
    /// Bytes of the event as they were written, JSON; see [`bytes_of`].
    pub bytes: String,
    /// Hash of this entry and all before.
    pub hash: Hash,
}

impl Entry {
    /// Makes the entry that follows the one with this place and hash; the first follows place 0 and
    /// [`NO_HASH`](crate::NO_HASH).
    #[must_use]
    pub fn after(sequence: u64, previous: &Hash, bytes: String) -> Self {
        let hash = hash(previous, &bytes);
        Self { sequence: sequence + 1, bytes, hash }
    }

    /// Returns `true` if the hash is that of these bytes after the entry with this hash.
    #[must_use]
    pub fn follows(&self, previous: &Hash) -> bool {
        hash(previous, &self.bytes) == self.hash
    }
}

/// Writes an event as the bytes of an entry: JSON with every field, in one order. Equal events give equal bytes.
#[must_use]
pub fn bytes_of(event_id: MessageId, tenant_id: TenantId, event: &AuditEvent) -> String {
    #[derive(Serialize)]
    struct Bytes<'e> {
        event_id: MessageId,
        tenant_id: TenantId,
        #[serde(flatten)]
        event: &'e AuditEvent,
    }
    // Ids, texts, numbers and a JSON value: nothing that JSON cannot hold.
    serde_json::to_string(&Bytes { event_id, tenant_id, event }).unwrap_or_default()
}

/// Returns the hash of a leaf of RFC 6962 whose data are the hash before and the bytes.
fn hash(previous: &Hash, bytes: &str) -> Hash {
    Sha256::new().chain_update([0]).chain_update(previous).chain_update(bytes).finalize().into()
}

#[cfg(test)]
mod tests {
    use keyway_domain::Timestamp;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::NO_HASH;

    #[test]
    fn an_entry_has_these_bytes_for_good() {
        let at = Timestamp::from_ms(1_764_374_400_123);
        let event = AuditEvent::by_system("status", "integration.verified", "int_1", at, json!({"b": 1, "a": "x"}));
        let id = Uuid::from_u128(1);
        let bytes = bytes_of(MessageId::from_uuid(id), TenantId::from_uuid(id), &event);
        assert_eq!(
            bytes,
            r#"{"event_id":"msg_00000000000000000000000000000001","tenant_id":"tnt_00000000000000000000000000000001","action":"integration.verified","actor":{"type":"system","part":"status"},"target":"int_1","outcome":"success","occurred_at":"2025-11-29T00:00:00.123Z","request_id":null,"changes":{"a":"x","b":1}}"#
        );
        let entry = Entry::after(0, &NO_HASH, bytes);
        assert!(entry.follows(&NO_HASH) && !entry.follows(&[1; 32]));
    }
}
