//! An integration and its operations after they were accepted.

use anyhow::{Context as _, Result, bail, ensure};
use keyway_domain::{Body, Command, Lane, Message, MessageId, OperationId, Route, Timestamp};
use keyway_store::{
    dead_letters::{self, DeadLetterRow, EXHAUSTED},
    outbox,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::fixture::{Api, KEY, Reply, TRUSTED, on_both, send};

on_both! {
    a_credential_is_replaced_with_its_host
    an_integration_is_switched_off_and_on_and_deleted
    an_operation_is_called_off_and_tried_again
    a_given_up_operation_is_tried_again_through_its_dead_letter
}

async fn act(api: &Api, path: &str) -> Result<Reply> {
    send(api.request(Method::POST, path)).await
}

/// Returns the commands that wait in the outbox.
async fn commands(api: &Api) -> Result<Vec<Message>> {
    let tx = api.store.system().await?;
    let mut commands = Vec::new();
    for route in Route::ALL {
        for row in outbox::claim(&tx, route, 1000, Timestamp::now()).await? {
            let message = Message::decode(&row.body)?;
            if matches!(message.body, Body::Command(_)) {
                commands.push(message);
            }
        }
    }
    Ok(commands)
}

async fn a_credential_is_replaced_with_its_host(api: Api) -> Result<()> {
    let id = api.submit("prod", KEY).await?;
    let other = api.submit("other", &KEY.replace("wxyz", "0001")).await?;
    let path = format!("/api/v1/integrations/{id}");
    let moved = json!({ "config": { "base_url": "https://elsewhere.example.com/v1" } });
    api.patch(&path, moved).await?.expect_error(422, "invalid_field")?;
    let taken = json!({ "credentials": KEY.replace("wxyz", "0001") });
    let reply = api.put(&format!("{path}/credentials"), taken).await?.expect_error(409, "duplicate_key")?;
    ensure!(reply.text_at("/error/message").contains(&other));
    let base_url = format!("http://{TRUSTED}/v1");
    let new = json!({ "credentials": KEY.replace("wxyz", "0002"), "config": { "base_url": base_url } });
    let replaced = api.put(&format!("{path}/credentials"), new).await?.expect(202)?;
    ensure!(replaced.text_at("/integration/hint").ends_with("0002"), "{}", replaced.text);
    ensure!(replaced.text_at("/integration/config/base_url") == base_url, "{}", replaced.text);
    let same = json!({ "config": { "base_url": base_url } });
    api.patch(&path, same).await?.expect(200)?;
    let versions: Vec<_> = commands(&api)
        .await?
        .into_iter()
        .filter_map(|message| match message.body {
            Body::Command(Command::VerifyKey { integration_id, secret_version, .. })
                if integration_id.to_string() == id =>
            {
                Some(secret_version)
            }
            _ => None,
        })
        .collect();
    ensure!(versions == [1, 2] || versions == [2, 1], "{versions:?}");
    ensure!(api.number("SELECT count(*) AS n FROM secrets").await? == 2);
    Ok(())
}

async fn an_integration_is_switched_off_and_on_and_deleted(api: Api) -> Result<()> {
    let id = api.submit("prod", KEY).await?;
    let path = format!("/api/v1/integrations/{id}");
    let off = api.patch(&path, json!({ "enabled": false })).await?.expect(200)?;
    ensure!(off.text_at("/integration/status") == "disabled" && off.text_at("/operation/kind") == "revoke");
    act(&api, &format!("{path}/test")).await?.expect_error(409, "conflict")?;
    let on = api.patch(&path, json!({ "enabled": true, "name": "prod 2" })).await?.expect(200)?;
    ensure!(on.text_at("/integration/status") == "verifying" && on.text_at("/integration/name") == "prod 2");
    ensure!(on.text_at("/operation/state") == "queued", "{}", on.text);
    let nothing = api.patch(&path, json!({ "enabled": true })).await?.expect(200)?;
    ensure!(nothing.at("/integration/version") == on.at("/integration/version"), "{}", nothing.text);
    let tested = act(&api, &format!("{path}/test")).await?.expect(202)?;
    ensure!(tested.text_at("/operation/integration_id") == id);
    api.delete(&path).await?.expect(204)?;
    api.get(&path).await?.expect_error(404, "not_found")?;
    ensure!(api.number("SELECT count(*) AS n FROM secrets").await? == 0, "its secret is still there");
    // The same key may be entered again.
    api.submit("again", KEY).await?;
    Ok(())
}

async fn an_operation_is_called_off_and_tried_again(api: Api) -> Result<()> {
    api.submit("prod", KEY).await?;
    let operation = api.get("/api/v1/operations").await?.expect(200)?.text_at("/items/0/id").to_owned();
    let path = format!("/api/v1/operations/{operation}");
    act(&api, &format!("{path}/retry")).await?.expect_error(409, "conflict")?;
    let cancelled = act(&api, &format!("{path}/cancel")).await?.expect(200)?;
    ensure!(cancelled.text_at("/state") == "cancelled");
    ensure!(commands(&api).await?.is_empty(), "its message is still there");
    act(&api, &format!("{path}/cancel")).await?.expect_error(409, "conflict")?;
    let retried = act(&api, &format!("{path}/retry")).await?.expect(202)?;
    ensure!(retried.text_at("/state") == "queued" && retried.at("/attempt") == &json!(2), "{}", retried.text);
    let waiting = commands(&api).await?;
    let id: OperationId = operation.parse()?;
    ensure!(
        waiting.len() == 1 && waiting[0].id == MessageId::of_attempt(id, 2) && waiting[0].attempt == 2,
        "{waiting:?}"
    );
    let failed =
        format!("UPDATE operations SET state = 'failed', error_code = 'unreachable' WHERE id = {}", uuid(&api, id));
    ensure!(api.execute(&failed).await? == 1);
    let shown = api.get(&path).await?.expect(200)?;
    ensure!(shown.text_at("/error/code") == "unreachable" && !shown.text_at("/error/message").is_empty());
    let again = act(&api, &format!("{path}/retry")).await?.expect(202)?;
    ensure!(again.at("/attempt") == &json!(3) && again.at("/error") == &Value::Null, "{}", again.text);
    Ok(())
}

/// Writes a UUID as a literal of the database.
fn uuid(api: &Api, id: OperationId) -> String {
    if api.is_postgres { format!("'{}'", id.uuid()) } else { format!("x'{}'", id.uuid().simple()) }
}

/// Leaves an operation as the status writer does after its last attempt.
async fn give_up(api: &Api, message: &Message) -> Result<()> {
    let gave_up = "UPDATE operations SET state = 'failed', error_code = 'attempts_exhausted', finished_at_ms = 1";
    ensure!(api.execute(gave_up).await? == 1);
    let letter = DeadLetterRow {
        id: message.id,
        tenant_id: Some(message.tenant_id),
        lane: Lane::Verify.to_string(),
        reason: EXHAUSTED.to_owned(),
        error: "unreachable: in a test".to_owned(),
        body: message.encode()?,
        attempts: message.attempt,
        created_at: Timestamp::now(),
        replayed_at: None,
    };
    let tx = api.store.system().await?;
    dead_letters::insert(&tx, letter).await?;
    Ok(tx.commit().await?)
}

async fn a_given_up_operation_is_tried_again_through_its_dead_letter(api: Api) -> Result<()> {
    api.submit("prod", KEY).await?;
    let sent = commands(&api).await?;
    let [message] = &sent[..] else { bail!("one command is expected: {sent:?}") };
    let operation = message.operation_id.context("an operation")?;
    give_up(&api, message).await?;
    let letter = api.get("/api/v1/dead-letters").await?.expect(200)?;
    ensure!(letter.text_at("/items/0/operation_id") == operation.to_string(), "{}", letter.text);
    let replay = format!("/api/v1/dead-letters/{}/replay", message.id);
    let replayed = act(&api, &replay).await?.expect(202)?;
    ensure!(replayed.header("location") == format!("/api/v1/operations/{operation}"), "{:?}", replayed.headers);
    ensure!(!replayed.text_at("/replayed_at").is_empty(), "{}", replayed.text);
    act(&api, &replay).await?.expect_error(409, "conflict")?;
    let sent = commands(&api).await?;
    let second = sent.iter().find(|sent| sent.attempt == 2).with_context(|| format!("{sent:?}"))?;
    ensure!(second.id == MessageId::of_attempt(operation, 2) && second.operation_id == Some(operation), "{second:?}");
    // Trying the operation again itself settles its letter too.
    give_up(&api, second).await?;
    act(&api, &format!("/api/v1/operations/{operation}/retry")).await?.expect(202)?;
    ensure!(api.number("SELECT count(*) AS n FROM dead_letters WHERE replayed_at_ms IS NULL").await? == 0);
    act(&api, &format!("/api/v1/dead-letters/{}/discard", second.id)).await?.expect(204)?;
    ensure!(api.number("SELECT count(*) AS n FROM dead_letters").await? == 1);
    ensure!(commands(&api).await?.iter().filter(|sent| sent.attempt == 3).count() == 1);
    Ok(())
}
