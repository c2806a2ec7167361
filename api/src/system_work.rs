//! The transaction of a change that is no single tenant's: people, sessions and memberships. Its change, its audit
//! events and its invalidations commit together or not at all.

use keyway_domain::{Invalidation, Message, TenantId, Timestamp};
use keyway_store::{
    StoreError, SystemTx,
    mails::{self, Letter, MailOwner},
};
use serde_json::Value;

use crate::{App, auth::Caller, work::Journal};

/// State of a running change.
pub(crate) struct SystemWork<'a> {
    app: &'a App,
    pub(crate) tx: SystemTx,
    pub(crate) now: Timestamp,
    by: Caller,
    audited: Vec<(Option<TenantId>, &'static str, String, Value)>,
    invalidated: Vec<Invalidation>,
    mailed: Vec<Message>,
}

impl<'a> SystemWork<'a> {
    /// Begins the transaction.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub(crate) async fn begin(app: &'a App, by: &Caller) -> Result<Self, StoreError> {
        let (tx, now) = (app.store.system().await?, Timestamp::now());
        Ok(Self { app, tx, now, by: by.clone(), audited: Vec::new(), invalidated: Vec::new(), mailed: Vec::new() })
    }

    /// Names who acts, where that has only now been found out.
    pub(crate) fn act_as(&mut self, by: Caller) {
        self.by = by;
    }

    /// Adds an audit event. `changes` holds ids, names, numbers and states only.
    pub(crate) fn audit(&mut self, action: &'static str, target: impl ToString, changes: Value) {
        self.audited.push((None, action, target.to_string(), changes));
    }

    /// Adds an audit event to the log of a tenant.
    pub(crate) fn audit_in(
        &mut self,
        tenant_id: TenantId,
        action: &'static str,
        target: impl ToString,
        changes: Value,
    ) {
        self.audited.push((Some(tenant_id), action, target.to_string(), changes));
    }

    /// Adds an invalidation for every cache.
    pub(crate) fn invalidate(&mut self, what: Invalidation) {
        self.invalidated.push(what);
    }

    /// Writes a mail about a person's own account.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub(crate) async fn mail(&mut self, letter: Letter) -> Result<(), StoreError> {
        let owner = MailOwner::Installation { by: self.app.default_tenant };
        self.mailed.extend(mails::write(&self.tx, owner, letter, &self.app.outgoing, self.now).await?);
        Ok(())
    }

    /// Writes the events, commits and drops what this process has in memory of what has changed.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        let mut journal = Journal::new(&self.by, self.now);
        for (tenant_id, action, target, changes) in self.audited {
            journal.audit_in(tenant_id.unwrap_or(self.by.tenant_id), action, target, changes);
        }
        for what in self.invalidated {
            // People are no tenant's, but every message names one.
            journal.invalidate(self.app.default_tenant, what);
        }
        for message in self.mailed {
            journal.send(message);
        }
        journal.write(&self.tx).await?;
        self.tx.commit().await?;
        journal.committed(self.app);
        Ok(())
    }
}
