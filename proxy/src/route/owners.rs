//! Owners of objects that calls refer to by id: responses, files, batches, conversations. One organisation never sees
//! another's objects. Per process and in memory only: for an unknown id, one key after the other is asked.

use std::hash::BuildHasher;

use keyway_domain::{IntegrationId, ProjectId};
use quick_cache::sync::Cache;

/// Number of ids remembered.
const IDS: usize = 100_000;
/// Longest accepted id, in bytes.
const MAX_ID_BYTES: usize = 200;

/// Owners by id.
pub(crate) struct Owners {
    integrations: Cache<u64, IntegrationId>,
    /// Ids of background answers that have been read.
    read: Cache<u64, ()>,
    hasher: std::hash::RandomState,
}

impl Default for Owners {
    fn default() -> Self {
        Self { integrations: Cache::new(IDS), read: Cache::new(IDS), hasher: std::hash::RandomState::new() }
    }
}

impl Owners {
    /// Remembers the integration that made or has the object with this id.
    pub(crate) fn keep(&self, project_id: ProjectId, id: &str, integration_id: IntegrationId) {
        if id.len() <= MAX_ID_BYTES {
            self.integrations.insert(self.key(project_id, id), integration_id);
        }
    }

    /// Returns the integration that has the object with this id, if known.
    pub(crate) fn of(&self, project_id: ProjectId, id: &str) -> Option<IntegrationId> {
        self.integrations.get(&self.key(project_id, id))
    }

    /// Returns `true` if this answer, which can be read again and again, is read for the first time.
    pub(crate) fn is_first_reading(&self, project_id: ProjectId, id: &str) -> bool {
        let key = self.key(project_id, id);
        let is_first = self.read.get(&key).is_none();
        self.read.insert(key, ());
        is_first
    }

    /// Hashes an id within its project. Two ids with the same hash would share an owner, who lacks one of the objects:
    /// then other keys are asked.
    fn key(&self, project_id: ProjectId, id: &str) -> u64 {
        self.hasher.hash_one((project_id, id))
    }
}
