//! The status writer (lane `status`): the state machine of operations and integrations.
//!
//! The only writer of either's status. Events of many handlers are applied in one transaction, each under a guard in
//! SQL: an event that is late, repeated or about an older attempt or secret changes nothing. A retry is written here
//! too, as the next attempt's outbox row in that same transaction.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use keyway_bus::Bus;
use keyway_domain::{
    Body, Code, Event, Lane, Message, MessageId, Notice, OperationId, OperationKind, Route, Timestamp, Verdict,
    VerdictKind,
};
use keyway_store::{
    Store, SystemTx,
    dead_letters::DeadLetterRow,
    integrations::{self, KeyIdNote, Settled, UsageNote},
    mails::Outgoing,
    operations::OperationRow,
    outbox::{self, Due},
    replacements,
    replicas::{self, Ack},
    transitions::{self, Deferral, Failure, Step},
    verdicts::{self, Applied, VerdictRecord},
};
use keyway_telemetry::failpoint;

use super::{
    exhausted::{self, Exhausted},
    mailed, told,
};
use crate::{Ctx, HandlerError, dead_letters, group::Group, noticed, patience, schedules::next_check};

/// Largest number of events in one transaction.
const GROUP: usize = 128;
/// Time until a key is verified again whose provider asked to wait.
const RATE_LIMITED: Duration = Duration::from_secs(600);
/// Time until a key is verified again whose base URL was misconfigured: the cause may be a proxy in front of the host.
const MISCONFIGURED: Duration = Duration::from_secs(3600);

/// Starts the group that applies status events.
pub(crate) fn start(store: Store, bus: Arc<dyn Bus>, verify_interval: Duration, outgoing: Outgoing) -> Group<Message> {
    Group::start("status", GROUP, move |events: Arc<Vec<Message>>| {
        let (store, bus, outgoing) = (store.clone(), Arc::clone(&bus), outgoing.clone());
        async move {
            let batch = Batch::sort(&events, verify_interval);
            let tx = store.system().await?;
            let Effects { filed, notices } = batch.apply(&tx, &outgoing).await?;
            failpoint("status.before_commit");
            tx.commit().await?;
            failpoint("status.after_commit");
            filed.iter().for_each(dead_letters::report);
            bus.notify(notices);
            Ok(())
        }
    })
}

/// Applies one event; returns when its transaction is committed.
pub(crate) async fn run(message: &Message, ctx: &Ctx) -> Result<(), HandlerError> {
    if message.operation_id.is_none() || message.route() != Route::Lane(Lane::Status) {
        return Err(HandlerError::Defect("not a status event of an operation".to_owned()));
    }
    patience::until_well("status", || ctx.status.write(message.clone())).await
}

/// Effects of a batch that are told once it is committed.
struct Effects {
    /// Dead letters it filed.
    filed: Vec<DeadLetterRow>,
    notices: Vec<Notice>,
}

/// Events sorted by their effect.
#[derive(Default)]
struct Batch<'m> {
    operations: BTreeSet<OperationId>,
    /// Messages to delete from the outbox: the events, and the commands whose attempts they end.
    done: BTreeSet<MessageId>,
    started: Vec<Step>,
    succeeded: Vec<Step>,
    failed: Vec<Failure>,
    exhausted: Vec<Exhausted<'m>>,
    deferred: Vec<(Deferral, &'m Message)>,
    planned: Vec<(OperationId, i64, Timestamp)>,
    verdicts: Vec<VerdictRecord>,
    fetched: Vec<UsageNote>,
    key_ids: Vec<KeyIdNote>,
    /// Acknowledgements of replicas.
    forgotten: Vec<Ack>,
    /// Revocations that may have ended.
    revocations: Vec<OperationId>,
    /// Revocations that have waited long enough, with their code.
    overdue: Vec<Failure>,
}

impl<'m> Batch<'m> {
    fn sort(messages: &'m [Message], verify_interval: Duration) -> Self {
        let mut batch = Self::default();
        for message in messages {
            let (Body::Event(event), Some(operation)) = (&message.body, message.operation_id) else { continue };
            batch.operations.insert(operation);
            batch.done.insert(message.id);
            if ends_attempt(event) {
                batch.done.insert(MessageId::of_turn(operation, message.attempt, message.turn));
            }
            batch.add(message, operation, event, verify_interval);
        }
        batch
    }

    fn add(&mut self, message: &'m Message, id: OperationId, event: &Event, verify_interval: Duration) {
        let step = |at: &Timestamp| Step { id, attempt: message.attempt, at: *at };
        match event {
            Event::OperationStarted { observed_at } => self.started.push(step(observed_at)),
            Event::OperationSucceeded { observed_at } => self.succeeded.push(step(observed_at)),
            Event::OperationFailed { code, cause, observed_at } => {
                self.failed.push(Failure { step: step(observed_at), code: *code });
                if *code == Code::AttemptsExhausted {
                    self.exhausted.push(Exhausted { id, cause: *cause, message });
                }
            }
            Event::OperationDeferred { code, due_at, next, keeps_attempt, observed_at } => {
                let (step, next) = (step(observed_at), next.clone());
                let deferral = Deferral { step, code: *code, due_at: *due_at, next, keeps_attempt: *keeps_attempt };
                self.deferred.push((deferral, message));
            }
            Event::UsagePlanned { total, observed_at } => self.planned.push((id, *total, *observed_at)),
            Event::UsageFetched { integration_id, secret_version, not_reportable, observed_at, .. } => {
                self.succeeded.push(step(observed_at));
                let (id, why) = (*integration_id, not_reportable.clone());
                self.fetched.push(UsageNote { id, secret_version: *secret_version, why });
            }
            Event::KeyVerified { integration_id, secret_version, verdict, provider_key_id } => {
                if let Some(provider_key_id) = provider_key_id {
                    let (tenant_id, id, secret_version) = (message.tenant_id, *integration_id, *secret_version);
                    let provider_key_id = provider_key_id.clone();
                    self.key_ids.push(KeyIdNote { tenant_id, id, secret_version, provider_key_id });
                }
                self.verdicts.push(VerdictRecord {
                    tenant_id: message.tenant_id,
                    operation_id: id,
                    attempt: message.attempt,
                    integration_id: *integration_id,
                    secret_version: *secret_version,
                    verdict: verdict.clone(),
                    next_check_at: Some(check_after(verdict, verify_interval)),
                });
            }
            Event::CacheForgotten { replica_id, observed_at } => {
                let (replica_id, tenant_id, at) = (*replica_id, message.tenant_id, *observed_at);
                self.forgotten.push(Ack { operation_id: id, tenant_id, replica_id, at });
                self.revocations.push(id);
            }
            Event::RevocationDue { overdue, observed_at } => {
                self.revocations.push(id);
                self.overdue.extend(overdue.then(|| Failure { step: step(observed_at), code: Code::ReplicaSilent }));
            }
            Event::Audited(_) | Event::Invalidated(_) => {}
        }
    }

    /// Applies everything.
    async fn apply(mut self, tx: &SystemTx, outgoing: &Outgoing) -> Result<Effects, HandlerError> {
        let ids: Vec<_> = self.operations.iter().copied().collect();
        let locked = transitions::lock(tx, &ids).await?;
        self.forget_overtaken(&locked);
        let judged = replacements::judged(tx, &self.verdicts).await?;
        self.end_verifications(&judged);
        transitions::start(tx, &self.started).await?;
        let mut ended = transitions::succeed(tx, &self.succeeded).await?;
        let failed = transitions::fail(tx, &self.failed).await?;
        let filed = exhausted::file(tx, &self.exhausted, &failed, &locked).await?;
        ended.extend(failed);
        self.defer(tx, &locked).await?;
        for (id, total, at) in &self.planned {
            transitions::planned(tx, *id, *total, *at).await?;
        }
        let parents = locked.iter().filter(|row| ended.contains(&row.id)).filter_map(|row| row.parent_id);
        let parents: Vec<_> = parents.chain(self.planned.iter().map(|(id, ..)| *id)).collect();
        transitions::complete_parents(tx, &parents, Timestamp::now()).await?;
        self.revoke(tx, &locked).await?;
        integrations::set_usage_not_reportable(tx, &self.fetched).await?;
        let applied = verdicts::record(tx, &self.verdicts).await?;
        let replaced = replacements::apply(tx, &judged).await?;
        integrations::set_provider_key_ids(tx, &self.key_ids).await?;
        let settled = self.settle(tx, &locked).await?;
        let mut messages = self.consequences(&applied);
        messages.extend(mailed::refused(tx, outgoing, &applied, &self.verdicts).await?);
        messages.extend(replaced.iter().flat_map(told::replaced));
        messages.extend(settled.iter().flat_map(|(settled, of)| told::settled(settled, of)));
        outbox::insert(tx, &messages, Timestamp::now()).await?;
        let back: Vec<_> = applied.iter().filter(|change| change.is_back).map(|it| it.integration_id).collect();
        integrations::look_again(tx, &back, Timestamp::now()).await?;
        outbox::delete(tx, &self.done.into_iter().collect::<Vec<_>>()).await?;
        Ok(Effects { filed, notices: noticed::of_status(&locked, &applied, &settled) })
    }

    /// Ends the verifications with a conclusive verdict: as failed if the verdict refuses a secret that was to replace
    /// another one, else as succeeded.
    fn end_verifications(&mut self, judged: &[VerdictRecord]) {
        let is_judged = |record: &VerdictRecord| {
            judged.iter().any(|it| (it.operation_id, it.attempt) == (record.operation_id, record.attempt))
        };
        for record in self.verdicts.iter().filter(|record| record.verdict.kind.is_conclusive()) {
            let step = Step { id: record.operation_id, attempt: record.attempt, at: record.verdict.checked_at };
            match record.verdict.kind.accepts() || !is_judged(record) {
                true => self.succeeded.push(step),
                false => self.failed.push(Failure { step, code: Code::NewKeyRefused }),
            }
        }
    }

    /// Ends the status `verifying` of integrations whose verification failed; returns those whose status changed.
    async fn settle(
        &self,
        tx: &SystemTx,
        locked: &[OperationRow],
    ) -> Result<Vec<(Settled, OperationRow)>, HandlerError> {
        let is_given_up = |row: &&OperationRow| {
            row.kind == OperationKind::VerifyKey && self.failed.iter().any(|failure| failure.step.id == row.id)
        };
        let given_up: Vec<_> = locked.iter().filter(is_given_up).collect();
        let ids: Vec<_> = given_up.iter().filter_map(|row| row.integration_id).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let settled = integrations::settle(tx, &ids, Timestamp::now()).await?;
        let of = |one: Settled| {
            let row = given_up.iter().find(|row| row.integration_id == Some(one.integration_id))?;
            Some((one, (*row).clone()))
        };
        Ok(settled.into_iter().filter_map(of).collect())
    }

    /// Ends revocations with the last acknowledgement, or fails overdue ones.
    async fn revoke(&mut self, tx: &SystemTx, locked: &[OperationRow]) -> Result<(), HandlerError> {
        self.forgotten.retain(|ack| locked.iter().any(|row| row.id == ack.operation_id));
        replicas::expect(tx, &self.revocations).await?;
        replicas::record(tx, &self.forgotten).await?;
        transitions::complete_revocations(tx, &self.revocations, Timestamp::now()).await?;
        transitions::fail(tx, &self.overdue).await?;
        Ok(())
    }

    /// Drops conclusive verdicts of attempts that another attempt has followed: a deferred attempt may run once more
    /// because its message came again, but an operation has one effect, and the next attempt finds the same.
    fn forget_overtaken(&mut self, locked: &[OperationRow]) {
        let current: HashMap<_, _> = locked.iter().map(|row| (row.id, row.attempt)).collect();
        let overtaken =
            |record: &VerdictRecord| current.get(&record.operation_id).is_some_and(|attempt| *attempt > record.attempt);
        self.verdicts.retain(|record| !(record.verdict.kind.is_conclusive() && overtaken(record)));
    }

    /// Writes the next attempts of operations that are deferred now: at most one per operation, the one after its
    /// current attempt, however often and however late the event came.
    async fn defer(&self, tx: &SystemTx, locked: &[OperationRow]) -> Result<(), HandlerError> {
        let current: HashMap<_, _> = locked.iter().map(|row| (row.id, row.attempt)).collect();
        let mut due: HashMap<_, _> = HashMap::new();
        for (deferral, message) in &self.deferred {
            if current.get(&deferral.step.id) == Some(&deferral.step.attempt) {
                due.entry(deferral.step.id).or_insert((deferral, *message));
            }
        }
        let deferrals: Vec<_> = due.values().map(|(deferral, _)| (*deferral).clone()).collect();
        let changed = transitions::defer(tx, &deferrals).await?;
        let (now, mut next) = (Timestamp::now(), Vec::new());
        for (deferral, message) in changed.iter().filter_map(|id| due.get(id)) {
            // Between two times of the worker's clock, which need not be this one's.
            let delay = deferral.due_at.since(deferral.step.at);
            next.push((next_attempt(deferral, message), now.after(delay)));
        }
        let next: Vec<_> = next.iter().map(|(message, at)| Due { message, at: *at }).collect();
        Ok(outbox::insert_due(tx, &next).await?)
    }

    /// Returns audit events and invalidations for integrations whose status changed.
    fn consequences(&self, applied: &[Applied]) -> Vec<Message> {
        let mut messages = Vec::new();
        for change in applied.iter().filter(|change| change.from != change.to) {
            let of_change = self.verdicts.iter().filter(|record| record.integration_id == change.integration_id);
            // The newest one is the one that was applied.
            let Some(record) = of_change.max_by_key(|record| record.verdict.checked_at) else { continue };
            messages.extend(told::status_changed(change, record));
        }
        messages
    }
}

/// Returns `true` if the event is the last one of its attempt.
fn ends_attempt(event: &Event) -> bool {
    match event {
        Event::OperationSucceeded { .. }
        | Event::OperationFailed { .. }
        | Event::OperationDeferred { .. }
        | Event::UsagePlanned { .. }
        | Event::UsageFetched { .. } => true,
        Event::KeyVerified { verdict, .. } => verdict.kind.is_conclusive(),
        Event::OperationStarted { .. }
        | Event::CacheForgotten { .. }
        | Event::RevocationDue { .. }
        | Event::Audited(_)
        | Event::Invalidated(_) => false,
    }
}

fn next_attempt(deferral: &Deferral, message: &Message) -> Message {
    let (attempt, turn) = match deferral.keeps_attempt {
        true => (deferral.step.attempt, message.turn + 1),
        false => (deferral.step.attempt + 1, 0),
    };
    Message {
        id: MessageId::of_turn(deferral.step.id, attempt, turn),
        attempt,
        turn,
        created_at: deferral.due_at,
        body: Body::Command(deferral.next.clone()),
        ..message.clone()
    }
}

/// Returns the time of the next check, which comes soon after a verdict `rate_limited` or `misconfigured`. Keys of an
/// unreachable provider are verified as soon as it is back.
fn check_after(verdict: &Verdict, verify_interval: Duration) -> Timestamp {
    let soon = match verdict.kind {
        VerdictKind::RateLimited => RATE_LIMITED,
        VerdictKind::Misconfigured => MISCONFIGURED,
        _ => verify_interval,
    };
    next_check(verdict.checked_at, soon.min(verify_interval))
}
