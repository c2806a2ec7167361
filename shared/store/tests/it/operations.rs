//! Operations: guarded steps, fan-outs and calling off.

use anyhow::{Context, Result};
use keyway_domain::{Code, Command, IntegrationId, Message, OperationId, OperationState, Route, Timestamp};
use keyway_store::{
    Page, StoreError,
    operations::{self, Filter, NewOperation, OperationKey, Progress},
    outbox, retention,
    transitions::{self, Deferral, Failure, Step},
};

use crate::fixture::{Fixture, NOW, fetch, on_both, operation, plan, verify};

on_both! {
    a_step_of_another_attempt_or_after_the_end_changes_nothing
    a_deferred_operation_waits_with_the_next_command
    a_fan_out_ends_with_its_last_child_and_shows_failures
    a_fan_out_without_children_ends_at_once
    writers_at_once_end_a_fan_out_exactly_once
    cancelling_takes_back_what_nobody_claimed
    lists_filter_and_page
    children_are_written_once
}

fn step(id: OperationId, attempt: u32) -> Step {
    Step { id, attempt, at: NOW }
}

async fn find(fixture: &Fixture, id: OperationId) -> Result<operations::OperationRow> {
    let tx = fixture.store.tenant_read(fixture.tenant).await?;
    operations::find(&tx, id).await?.context("the operation")
}

async fn a_step_of_another_attempt_or_after_the_end_changes_nothing(fixture: Fixture) -> Result<()> {
    let id = fixture.add_operation(verify(IntegrationId::new()), None).await?;
    let tx = fixture.store.system().await?;
    assert_eq!(transitions::lock(&tx, &[id]).await?.len(), 1);
    assert!(transitions::start(&tx, &[step(id, 2)]).await?.is_empty(), "not this attempt");
    assert_eq!(transitions::start(&tx, &[step(id, 1)]).await?, [id]);
    assert!(transitions::start(&tx, &[step(id, 1)]).await?.is_empty(), "running already");
    assert_eq!(transitions::fail(&tx, &[Failure { step: step(id, 1), code: Code::Refused }]).await?, [id]);
    assert!(transitions::succeed(&tx, &[step(id, 1)]).await?.is_empty(), "it has ended");
    tx.commit().await?;
    let row = find(&fixture, id).await?;
    assert_eq!((row.state, row.error, row.attempt), (OperationState::Failed, Some(Code::Refused), 1));
    assert_eq!((row.started_at, row.finished_at, row.due_at), (Some(NOW), Some(NOW), None));
    Ok(())
}

async fn a_deferred_operation_waits_with_the_next_command(fixture: Fixture) -> Result<()> {
    let id = fixture.add_operation(verify(IntegrationId::new()), None).await?;
    let due_at = Timestamp::from_ms(NOW.ms() + 2000);
    let next = Command::VerifyKey { integration_id: IntegrationId::new(), secret_version: 1, confirming: true };
    let deferral =
        Deferral { step: step(id, 1), code: Code::ConfirmationDue, due_at, next: next.clone(), keeps_attempt: false };
    let tx = fixture.store.system().await?;
    assert_eq!(transitions::defer(&tx, std::slice::from_ref(&deferral)).await?, [id]);
    assert!(transitions::defer(&tx, &[deferral]).await?.is_empty(), "that attempt is over");
    assert!(transitions::succeed(&tx, &[step(id, 1)]).await?.is_empty());
    tx.commit().await?;
    let row = find(&fixture, id).await?;
    assert_eq!((row.state, row.attempt, row.due_at, &row.command), (OperationState::Queued, 2, Some(due_at), &next));
    let tx = fixture.store.system().await?;
    assert_eq!(transitions::succeed(&tx, &[step(id, 2)]).await?, [id]);
    tx.commit().await?;
    let row = find(&fixture, id).await?;
    assert_eq!((row.state, row.error), (OperationState::Succeeded, None));
    Ok(())
}

async fn a_fan_out_ends_with_its_last_child_and_shows_failures(fixture: Fixture) -> Result<()> {
    let parent = fixture.add_operation(plan(), None).await?;
    let mut children = Vec::new();
    for _ in 0..3 {
        children.push(fixture.add_operation(fetch(IntegrationId::new()), Some(parent)).await?);
    }
    let tx = fixture.store.system().await?;
    transitions::succeed(&tx, &[step(children[0], 1), step(children[1], 1)]).await?;
    assert!(transitions::complete_parents(&tx, &[parent], NOW).await?.is_empty(), "not planned to the end");
    assert!(transitions::planned(&tx, parent, 3, NOW).await?);
    assert!(!transitions::planned(&tx, parent, 3, NOW).await?);
    assert!(transitions::complete_parents(&tx, &[parent], NOW).await?.is_empty(), "one child is left");
    tx.commit().await?;
    assert_eq!(find(&fixture, parent).await?.progress, Some(Progress { total: 3, done: 2, ..Progress::default() }));
    let tx = fixture.store.system().await?;
    transitions::fail(&tx, &[Failure { step: step(children[2], 1), code: Code::AttemptsExhausted }]).await?;
    assert_eq!(transitions::complete_parents(&tx, &[parent, parent], NOW).await?, [parent]);
    tx.commit().await?;
    let row = find(&fixture, parent).await?;
    assert_eq!(row.state, OperationState::Succeeded);
    assert_eq!(row.progress, Some(Progress { total: 3, done: 2, failed: 1, ..Progress::default() }));

    let tx = fixture.store.system().await?;
    let later = Timestamp::from_ms(NOW.ms() + 1);
    assert_eq!(retention::delete_finished_operations(&tx, later, 2).await?, 2, "a slice");
    assert_eq!(retention::delete_finished_operations(&tx, later, 9).await?, 1, "the last child");
    assert_eq!(retention::delete_finished_operations(&tx, later, 9).await?, 1, "then the parent");
    Ok(())
}

async fn a_fan_out_without_children_ends_at_once(fixture: Fixture) -> Result<()> {
    let parent = fixture.add_operation(plan(), None).await?;
    let tx = fixture.store.system().await?;
    transitions::planned(&tx, parent, 0, NOW).await?;
    assert_eq!(transitions::complete_parents(&tx, &[parent], NOW).await?, [parent]);
    Ok(())
}

async fn writers_at_once_end_a_fan_out_exactly_once(fixture: Fixture) -> Result<()> {
    let parent = fixture.add_operation(plan(), None).await?;
    let mut children = Vec::new();
    for _ in 0..6 {
        children.push(fixture.add_operation(fetch(IntegrationId::new()), Some(parent)).await?);
    }
    let tx = fixture.store.system().await?;
    transitions::planned(&tx, parent, 6, NOW).await?;
    tx.commit().await?;
    let writer = async |children: &[OperationId]| -> Result<usize> {
        let tx = fixture.store.system().await?;
        transitions::lock(&tx, children).await?;
        let steps: Vec<_> = children.iter().map(|child| step(*child, 1)).collect();
        transitions::succeed(&tx, &steps).await?;
        let ended = transitions::complete_parents(&tx, &[parent], NOW).await?;
        tx.commit().await?;
        Ok(ended.len())
    };
    let (a, b, c) = tokio::join!(writer(&children[..2]), writer(&children[2..4]), writer(&children[4..]));
    assert_eq!(a? + b? + c?, 1);
    assert_eq!(find(&fixture, parent).await?.state, OperationState::Succeeded);
    Ok(())
}

async fn cancelling_takes_back_what_nobody_claimed(fixture: Fixture) -> Result<()> {
    let parent = fixture.add_operation(plan(), None).await?;
    let command = fetch(IntegrationId::new());
    let child = fixture.add_operation(command.clone(), Some(parent)).await?;
    let done = fixture.add_operation(command.clone(), Some(parent)).await?;
    let tx = fixture.store.tenant(fixture.tenant).await?;
    outbox::insert(&tx, &[Message::command(fixture.tenant, child, command)], NOW).await?;
    tx.commit().await?;
    let tx = fixture.store.system().await?;
    transitions::succeed(&tx, &[step(done, 1)]).await?;
    tx.commit().await?;

    let tx = fixture.store.tenant(fixture.tenant).await?;
    assert!(operations::cancel(&tx, parent, NOW).await?);
    assert!(!operations::cancel(&tx, parent, NOW).await?);
    assert!(matches!(operations::cancel(&tx, OperationId::new(), NOW).await, Err(StoreError::NotFound)));
    tx.commit().await?;
    assert_eq!(find(&fixture, child).await?.state, OperationState::Cancelled);
    assert_eq!(find(&fixture, done).await?.state, OperationState::Succeeded);
    let tx = fixture.store.system().await?;
    let route = Route::Lane(keyway_domain::Lane::UsageFetch);
    let until = Timestamp::from_ms(i64::MAX);
    assert!(outbox::claim(&tx, route, 10, until).await?.is_empty());
    assert!(transitions::start(&tx, &[step(child, 1)]).await?.is_empty(), "a late start");
    Ok(())
}

async fn lists_filter_and_page(fixture: Fixture) -> Result<()> {
    let integration = IntegrationId::new();
    let verifying = fixture.add_operation(verify(integration), None).await?;
    let first = fixture.add_operation(fetch(integration), None).await?;
    let second = fixture.add_operation(fetch(integration), None).await?;
    fixture.add_operation(fetch(IntegrationId::new()), None).await?;
    let tx = fixture.store.tenant_read(fixture.tenant).await?;
    let filter = Filter { integration_id: Some(integration), ..Filter::default() };
    let page = operations::list(&tx, &filter, Page::first(2)).await?;
    assert_eq!(page.items.iter().map(|it| it.id).collect::<Vec<_>>(), [second, first]);
    assert!(page.more);
    let after = Some(OperationKey { created_at: NOW, id: first });
    let rest = operations::list(&tx, &filter, Page { after, limit: 2 }).await?;
    assert_eq!(rest.items.iter().map(|it| it.id).collect::<Vec<_>>(), [verifying]);
    let running = Filter { state: Some(OperationState::Running), ..Filter::default() };
    assert!(operations::list(&tx, &running, Page::first(9)).await?.items.is_empty());
    drop(tx);

    // A child's id is derived, and says nothing of its time.
    let tx = fixture.store.tenant(fixture.tenant).await?;
    let newest = NewOperation {
        id: OperationId::from_uuid(uuid::Uuid::from_u128(1)),
        ..operation(fixture.tenant, fetch(integration), None)
    };
    let newest = operations::insert(&tx, newest, Timestamp::from_ms(NOW.ms() + 1)).await?.id;
    tx.commit().await?;
    let tx = fixture.store.tenant_read(fixture.tenant).await?;
    let found = operations::list(&tx, &filter, Page::first(9)).await?.items;
    assert_eq!(found.iter().map(|it| it.id).collect::<Vec<_>>(), [newest, second, first, verifying]);
    Ok(())
}

async fn children_are_written_once(fixture: Fixture) -> Result<()> {
    let parent = fixture.add_operation(plan(), None).await?;
    let children: Vec<_> =
        (0..4000).map(|_| operation(fixture.tenant, fetch(IntegrationId::new()), Some(parent))).collect();
    let tx = fixture.store.tenant(fixture.tenant).await?;
    assert_eq!(operations::insert_children(&tx, &children, NOW).await?, 4000);
    assert_eq!(operations::insert_children(&tx, &children[..10], NOW).await?, 0);
    let progress = operations::find(&tx, parent).await?.and_then(|it| it.progress);
    assert_eq!(progress.map(|it| it.total), Some(4000));
    Ok(())
}
