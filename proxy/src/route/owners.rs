//! Which integration keeps what calls refer to by an id: responses, files, batches, conversations. What one organisation
//! keeps, no other sees. Only in this process and only in memory: an id that is not here is asked for with one key after
//! the other.

use std::hash::BuildHasher;

use keyway_domain::{IntegrationId, ProjectId};
use quick_cache::sync::Cache;

/// Ids that are remembered.
const IDS: usize = 100_000;
/// Longer texts are no ids.
const MAX_ID_BYTES: usize = 200;

/// The owners of ids.
pub(crate) struct Owners {
    integrations: Cache<u64, IntegrationId>,
    /// Answers that are made in the background and have been read.
    read: Cache<u64, ()>,
    hasher: std::hash::RandomState,
}

impl Default for Owners {
    fn default() -> Self {
        Self { integrations: Cache::new(IDS), read: Cache::new(IDS), hasher: std::hash::RandomState::new() }
    }
}

impl Owners {
    /// Remembers who made, or has, what this id names.
    pub(crate) fn keep(&self, project_id: ProjectId, id: &str, integration_id: IntegrationId) {
        if id.len() <= MAX_ID_BYTES {
            self.integrations.insert(self.key(project_id, id), integration_id);
        }
    }

    /// The integration that has what this id names, as far as it is known.
    pub(crate) fn of(&self, project_id: ProjectId, id: &str) -> Option<IntegrationId> {
        self.integrations.get(&self.key(project_id, id))
    }

    /// Whether this answer, which can be read again and again, is read for the first time.
    pub(crate) fn is_first_reading(&self, project_id: ProjectId, id: &str) -> bool {
        let key = self.key(project_id, id);
        let is_first = self.read.get(&key).is_none();
        self.read.insert(key, ());
        is_first
    }

    /// Two ids that share a number would share an owner, who does not know the other one: then it is asked for elsewhere.
    fn key(&self, project_id: ProjectId, id: &str) -> u64 {
        self.hasher.hash_one((project_id, id))
    }
}
