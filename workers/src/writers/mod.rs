//! The two writers. Only [`status`] changes the status of operations and integrations; only [`audit`]
//! appends audit rows.

pub(crate) mod audit;
mod exhausted;
pub(crate) mod status;
mod told;

use std::time::Duration;

use keyway_domain::Message;
use keyway_store::{Store, audit::AuditRecord};

use crate::{HandlerError, group::Group};

/// The groups that rows are handed in to, without the lanes before them.
pub struct Writers {
    pub(crate) status: Group<Message>,
    pub(crate) audit: Group<AuditRecord>,
}

impl Writers {
    /// Starts both; they end with the value. `verify_interval`: how soon a key that was verified is verified again.
    #[must_use]
    pub fn start(store: &Store, verify_interval: Duration) -> Self {
        Self { status: status::start(store.clone(), verify_interval), audit: audit::start(store.clone()) }
    }

    /// Applies a status event; returns when its group is committed.
    ///
    /// # Errors
    /// [`HandlerError`]: what its transaction met.
    pub async fn status(&self, event: Message) -> Result<(), HandlerError> {
        self.status.write(event).await
    }

    /// Appends an audit event; returns when its group is committed.
    ///
    /// # Errors
    /// [`HandlerError`]: what its transaction met.
    pub async fn audit(&self, event: AuditRecord) -> Result<(), HandlerError> {
        self.audit.write(event).await
    }
}
