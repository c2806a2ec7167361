//! The two writers. Only [`status`] changes the status of operations and integrations; only [`audit`]
//! appends audit rows.

pub(crate) mod audit;
mod exhausted;
mod mailed;
pub(crate) mod status;
mod told;

use std::{sync::Arc, time::Duration};

use keyway_bus::Bus;
use keyway_domain::Message;
use keyway_store::{Store, audit::AuditRecord, mails::Outgoing};

use crate::{HandlerError, group::Group};

/// The groups that commit rows, without the lanes in front of them.
pub struct Writers {
    pub(crate) status: Group<Message>,
    pub(crate) audit: Group<AuditRecord>,
}

impl Writers {
    /// Starts both groups; they end on drop. `verify_interval` is the time after which a verified key is verified
    /// again, `outgoing` the way of the mails that follow from a status. Pages are told over the bus what was committed.
    #[must_use]
    pub fn start(store: &Store, bus: &Arc<dyn Bus>, verify_interval: Duration, outgoing: Outgoing) -> Self {
        Self {
            status: status::start(store.clone(), Arc::clone(bus), verify_interval, outgoing),
            audit: audit::start(store.clone(), Arc::clone(bus)),
        }
    }

    /// Applies a status event; returns when its group is committed.
    ///
    /// # Errors
    /// [`HandlerError`] of its transaction.
    pub async fn status(&self, event: Message) -> Result<(), HandlerError> {
        self.status.write(event).await
    }

    /// Appends an audit event; returns when its group is committed.
    ///
    /// # Errors
    /// [`HandlerError`] of its transaction.
    pub async fn audit(&self, event: AuditRecord) -> Result<(), HandlerError> {
        self.audit.write(event).await
    }
}
