//! One attempt of a command: start event, deadline, handler, outcome, events, and only then the ack.
//!
//! The handler returns what happened; everything about retries, time and publishing is here, so that no handler sleeps,
//! loops or publishes. A message whose `run` returns `Ok` is acked by the bus.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt as _;
use keyway_bus::Delivery;
use keyway_domain::{
    Body, Code, Command, Event, Lane, Message, MessageId, OperationKind, Outcome, RetryPolicy, Route, Timestamp,
};
use keyway_store::outbox;
use keyway_telemetry::{failpoint, metrics};
use tracing::Instrument as _;

use crate::{Ctx, HandlerError, jobs, noticed, patience};

/// Time limit of an attempt: a broker takes a message back after 30 minutes, and a provider that has not answered by
/// then will not.
const DEADLINE: Duration = Duration::from_secs(240);

/// Runs a command's handler once and publishes the resulting events.
///
/// # Errors
/// Only for a defect that no operation can show: the message is put back, and finally becomes a dead letter.
pub(crate) async fn run(delivery: &Delivery, ctx: &Ctx) -> Result<(), HandlerError> {
    let message = &delivery.message;
    // An error's span is on every line that is logged within it, however little is logged.
    let span = tracing::error_span!(
        "attempt",
        lane = delivery.lane.name(),
        message_id = %message.id,
        tenant = %message.tenant_id,
        operation = message.operation_id.map(tracing::field::display),
        attempt = message.attempt,
        traceparent = message.traceparent,
    );
    attempt(delivery, ctx).instrument(span).await
}

async fn attempt(delivery: &Delivery, ctx: &Ctx) -> Result<(), HandlerError> {
    let message = &delivery.message;
    let Body::Command(command) = &message.body else {
        // Only a mistaken binding brings an event here; it has its own lane.
        return publish(ctx, vec![message.clone()]).await;
    };
    let started = async {
        if command.operation_kind().is_some() {
            let event = Event::OperationStarted { observed_at: Timestamp::now() };
            publish(ctx, vec![message.event(event)]).await?;
        }
        Ok::<(), HandlerError>(())
    };
    failpoint("handler.before_effect");
    let (told, outcome) = tokio::join!(started, handle(delivery, command, ctx));
    told?;
    let outcome = outcome?;
    failpoint("handler.after_effect");
    let lane = delivery.lane.name();
    metrics().attempts.with_label_values(&[lane, command.name(), outcome.name()]).inc();
    report(command, &outcome);
    let told: Vec<_> = events(message, command, outcome).into_iter().map(|event| message.event(event)).collect();
    // The status writer ends the command's row with its effect, the handler of calls with theirs. Of any other nobody
    // hears.
    let is_over = command.operation_kind().is_some() && !told.iter().any(|it| it.route() == Route::Lane(Lane::Status));
    publish(ctx, told).await?;
    ctx.bus.notify(noticed::of_command(message, command));
    if is_over {
        patience::until_well(lane, || remove(ctx, message.id)).await?;
    }
    failpoint("handler.after_publish");
    Ok(())
}

async fn remove(ctx: &Ctx, id: MessageId) -> Result<(), HandlerError> {
    let tx = ctx.store.system().await?;
    outbox::delete(&tx, &[id]).await?;
    Ok(tx.commit().await?)
}

/// Returns the handler's outcome; waits as long as our own infrastructure is away.
async fn handle(delivery: &Delivery, command: &Command, ctx: &Ctx) -> Result<Outcome, HandlerError> {
    let lane = delivery.lane.name();
    let ended = patience::until_well(lane, || async {
        let timer = metrics().handler_seconds.with_label_values(&[lane]).start_timer();
        let attempt = AssertUnwindSafe(jobs::dispatch(command, &delivery.message, ctx)).catch_unwind();
        let ended = tokio::time::timeout(DEADLINE, attempt).await;
        timer.observe_duration();
        match ended {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => {
                metrics().task_panics.inc();
                Err(HandlerError::Defect("the handler panicked".to_owned()))
            }
            Err(_) => Ok(inconclusive(Code::TimedOut)),
        }
    })
    .await;
    match ended {
        // Without an operation there is nobody to schedule another attempt: the message is put back,
        // and filed as a dead letter when that happens again and again.
        Err(HandlerError::Defect(what)) if command.operation_kind().is_some() => {
            tracing::error!(what, "a handler met a defect");
            Ok(inconclusive(Code::Panicked))
        }
        Ok(Outcome::Retry { code, .. } | Outcome::Failed { code, .. }) if command.operation_kind().is_none() => {
            Err(HandlerError::Defect(code.message().to_owned()))
        }
        ended => ended,
    }
}

/// Returns the events that follow from an outcome, the operation's own last.
fn events(message: &Message, command: &Command, outcome: Outcome) -> Vec<Event> {
    let observed_at = Timestamp::now();
    let Some(kind) = command.operation_kind() else { return Vec::new() };
    match outcome {
        // What was found ends the operation too, in the transaction that applies it: who sees the operation
        // succeeded sees its effect. A plan ends with its children.
        Outcome::Done(events) if kind == OperationKind::PlanUsage || !events.is_empty() => events,
        Outcome::Done(events) => with(events, Event::OperationSucceeded { observed_at }),
        Outcome::Postponed { code, after } => vec![Event::OperationDeferred {
            code,
            due_at: observed_at.after(after),
            next: command.clone(),
            keeps_attempt: true,
            observed_at,
        }],
        Outcome::Failed { code, events } => with(events, Event::OperationFailed { code, cause: None, observed_at }),
        Outcome::Retry { code, after, next, events } => {
            let policy = RetryPolicy::of(kind);
            // A refusal found on the last attempt is confirmed all the same, or it would be lost.
            if policy.is_last(message.attempt) && code != Code::ConfirmationDue {
                let (code, cause) = (Code::AttemptsExhausted, Some(code));
                return with(events, Event::OperationFailed { code, cause, observed_at });
            }
            let delay = match (code, after) {
                (Code::ConfirmationDue, Some(after)) => after,
                _ => policy.delay(message.attempt, after, fastrand::f64()),
            };
            let next = next.unwrap_or_else(|| command.clone());
            let due_at = observed_at.after(delay);
            with(events, Event::OperationDeferred { code, due_at, next, keeps_attempt: false, observed_at })
        }
    }
}

fn with(mut events: Vec<Event>, last: Event) -> Vec<Event> {
    events.push(last);
    events
}

const fn inconclusive(code: Code) -> Outcome {
    Outcome::Retry { code, after: None, next: None, events: Vec::new() }
}

/// Logs an attempt: a warning if it did not succeed, else a debug line. The span has the ids.
fn report(command: &Command, outcome: &Outcome) {
    let (kind, outcome_name) = (command.name(), outcome.name());
    match outcome {
        Outcome::Retry { code, .. } | Outcome::Failed { code, .. } => {
            tracing::warn!(kind, outcome = outcome_name, code = code.name(), "an attempt did not succeed");
        }
        _ => tracing::debug!(kind, outcome = outcome_name, "an attempt ended"),
    }
}

async fn publish(ctx: &Ctx, messages: Vec<Message>) -> Result<(), HandlerError> {
    if messages.is_empty() {
        return Ok(());
    }
    patience::until_well("publish", || async { Ok(ctx.bus.publish(&messages).await?) }).await
}

#[cfg(test)]
mod tests {
    use keyway_domain::{IntegrationId, OperationId, TenantId};

    use super::*;

    fn verify(attempt: u32) -> Message {
        let command = Command::VerifyKey { integration_id: IntegrationId::new(), secret_version: 1, confirming: false };
        Message { attempt, ..Message::command(TenantId::new(), OperationId::new(), command) }
    }

    fn outcome_of(attempt: u32, outcome: Outcome) -> Vec<Event> {
        let message = verify(attempt);
        let Body::Command(command) = message.body.clone() else { unreachable!() };
        events(&message, &command, outcome)
    }

    #[test]
    fn the_last_allowed_attempt_is_not_deferred_again() {
        let last = RetryPolicy::of(OperationKind::VerifyKey).attempts;
        let deferred = outcome_of(last - 1, inconclusive(Code::Unreachable));
        assert!(matches!(deferred[..], [Event::OperationDeferred { code: Code::Unreachable, .. }]));
        let ended = outcome_of(last, inconclusive(Code::Unreachable));
        assert!(matches!(ended[..], [Event::OperationFailed { code: Code::AttemptsExhausted, .. }]));
    }

    #[test]
    fn a_confirmation_is_due_exactly_when_it_was_asked_for() {
        let after = Some(Duration::from_millis(1));
        let retry = Outcome::Retry { code: Code::ConfirmationDue, after, next: None, events: Vec::new() };
        let last = RetryPolicy::of(OperationKind::VerifyKey).attempts;
        for attempt in [5, last] {
            let events = outcome_of(attempt, retry.clone());
            let [Event::OperationDeferred { due_at, observed_at, .. }] = events[..] else { panic!("{events:?}") };
            assert_eq!(due_at.since(observed_at), Duration::from_millis(1));
        }
    }
}
