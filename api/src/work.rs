//! The transaction of a writing command: its change, the audit event and the outbox rows commit together or not at all.
//! Nothing is answered before the commit.

use std::{future::Future, net::IpAddr};

use keyway_domain::{
    AuditEvent, AuditOutcome, Body, Command as Job, Event, Invalidation, Message, MessageId, TenantId, Timestamp,
};
use keyway_store::{
    StoreError, TenantTx, Tx,
    operations::{self, NewOperation, OperationRow, Origin},
    outbox,
};
use keyway_telemetry::{failpoint, metrics};
use serde_json::Value;

use crate::{App, answer::Answer, auth::Caller, error::ApiError, idempotency::Reservation};

/// A change that a caller can request; one file in `commands/` each.
pub(crate) trait Command: Send {
    /// `true` if the command starts work, which is refused while too much waits.
    const STARTS_WORK: bool = false;

    /// Returns [`Self::STARTS_WORK`]; overridden if it depends on the command's fields.
    fn starts_work(&self) -> bool {
        Self::STARTS_WORK
    }

    /// Carries out the command inside the transaction of `work`.
    fn run(self, work: &mut Work<'_>) -> impl Future<Output = Result<Answer, ApiError>> + Send;
}

/// State of a running command.
pub(crate) struct Work<'a> {
    pub(crate) app: &'a App,
    pub(crate) tx: TenantTx,
    pub(crate) now: Timestamp,
    pub(crate) by: &'a Caller,
    journal: Journal<'a>,
}

/// Carries out a command in a transaction of its own. A command with a reservation runs once: its repetition gets the
/// first answer, even if `admit` would refuse it now.
pub(crate) async fn carry_out(
    app: &App,
    caller: &Caller,
    command: impl Command,
    (reservation, admit): (Option<&Reservation>, impl FnOnce() -> Result<(), ApiError>),
) -> Result<Answer, ApiError> {
    let mut work = Work::begin(app, caller).await?;
    if let Some(reservation) = reservation
        && let Some(answer) = reservation.earlier(&app.keys, &work.tx).await?
    {
        return Ok(answer);
    }
    admit()?;
    let answer = command.run(&mut work).await?;
    work.write_messages().await?;
    if let Some(reservation) = reservation {
        reservation.keep(&app.keys, &work.tx, &answer, work.now).await?;
    }
    work.commit().await?;
    Ok(answer)
}

/// Messages of a transaction, until they are written with it.
pub(crate) struct Journal<'a> {
    caller: &'a Caller,
    now: Timestamp,
    messages: Vec<Message>,
}

impl<'a> Work<'a> {
    /// Begins the transaction.
    pub(crate) async fn begin(app: &'a App, caller: &'a Caller) -> Result<Self, StoreError> {
        let now = Timestamp::now();
        let tx = app.store.tenant(caller.tenant_id).await?;
        Ok(Self { app, tx, now, by: caller, journal: Journal::new(caller, now) })
    }

    /// Adds an audit event. `changes` holds ids, names, numbers and states only.
    pub(crate) fn audit(&mut self, action: &str, target: impl ToString, changes: Value) {
        self.journal.audit(action, target, changes);
    }

    /// Adds an invalidation for every cache.
    pub(crate) fn invalidate(&mut self, what: Invalidation) {
        self.journal.event(Event::Invalidated(what));
    }

    /// Starts an operation: its row and the message of its first attempt. `total` announces a
    /// fan-out's children.
    pub(crate) async fn start(&mut self, job: Job, total: Option<i64>) -> Result<OperationRow, StoreError> {
        let new = NewOperation::of(self.tx.tenant_id(), Origin::Request, job.clone(), self.now);
        let new = NewOperation { total, ..new };
        self.send(Message::command(new.tenant_id, new.id, job));
        operations::insert(&self.tx, new, self.now).await
    }

    /// Starts the operation that ends when every replica has dropped the entries that the transaction revokes, and adds
    /// the invalidation.
    pub(crate) async fn revoke(&mut self, what: Invalidation) -> Result<OperationRow, StoreError> {
        let new = NewOperation::of(self.tx.tenant_id(), Origin::Request, Job::Revoke { what }, self.now);
        let row = operations::insert(&self.tx, new, self.now).await?;
        let event = Body::Event(Event::Invalidated(what));
        let message = Message::new(MessageId::of_attempt(row.id, row.attempt), row.tenant_id, event);
        self.send(Message { operation_id: Some(row.id), ..message });
        Ok(row)
    }

    /// Adds a message to the transaction.
    pub(crate) fn send(&mut self, message: Message) {
        self.journal.push(message);
    }

    /// Writes the messages; the caller commits.
    pub(crate) async fn write_messages(&mut self) -> Result<(), StoreError> {
        self.journal.write(&self.tx).await
    }
}

impl<'a> Journal<'a> {
    pub(crate) const fn new(caller: &'a Caller, now: Timestamp) -> Self {
        Self { caller, now, messages: Vec::new() }
    }

    /// Works like [`Work::audit`].
    pub(crate) fn audit(&mut self, action: &str, target: impl ToString, changes: Value) {
        self.audit_in(self.caller.tenant_id, action, target, changes);
    }

    /// Adds an audit event to the log of a tenant.
    pub(crate) fn audit_in(&mut self, tenant_id: TenantId, action: &str, target: impl ToString, changes: Value) {
        let event = Event::Audited(AuditEvent {
            action: action.to_owned(),
            actor: self.caller.principal.actor(),
            target: target.to_string(),
            outcome: AuditOutcome::Success,
            occurred_at: self.now,
            request_id: Some(self.caller.request_id),
            changes: with_address(changes, self.caller.address),
        });
        self.push(Message::new(MessageId::new(), tenant_id, Body::Event(event)));
    }

    /// Adds a message to the transaction.
    pub(crate) fn send(&mut self, message: Message) {
        self.push(message);
    }

    /// Adds an invalidation, in the message of a tenant.
    pub(crate) fn invalidate(&mut self, tenant_id: TenantId, what: Invalidation) {
        self.push(Message::new(MessageId::new(), tenant_id, Body::Event(Event::Invalidated(what))));
    }

    /// Writes the messages into a transaction of either kind.
    pub(crate) async fn write(&mut self, tx: &impl Tx) -> Result<(), StoreError> {
        outbox::insert(tx, &self.messages, self.now).await
    }

    /// Counts the commands after the commit, and drops the affected entries of this process's caches.
    pub(crate) fn committed(&self, app: &App) {
        for message in &self.messages {
            match &message.body {
                Body::Command(job) => metrics().commands.with_label_values(&[job.name()]).inc(),
                Body::Event(Event::Invalidated(what)) => app.forget(message.tenant_id, *what),
                Body::Event(_) => {}
            }
        }
    }

    fn event(&mut self, event: Event) {
        self.push(Message::new(MessageId::new(), self.caller.tenant_id, Body::Event(event)));
    }

    fn push(&mut self, message: Message) {
        self.messages.push(Message { traceparent: Some(self.caller.traceparent.clone()), ..message });
    }
}

/// Adds the address that the request came from.
fn with_address(mut changes: Value, address: Option<IpAddr>) -> Value {
    if let (Some(address), Value::Object(changes)) = (address, &mut changes) {
        changes.entry("address").or_insert_with(|| address.to_string().into());
    }
    changes
}

impl Work<'_> {
    /// Commits, counts the commands and drops the affected cache entries.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        failpoint("command.before_commit");
        self.tx.commit().await?;
        failpoint("command.after_commit");
        self.journal.committed(self.app);
        Ok(())
    }
}
