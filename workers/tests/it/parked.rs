//! Messages that another build could not read go back to their lane once a build can read them, and are done once.

use anyhow::{Context as _, Result, ensure};
use keyway_domain::{Lane, Message, MessageId, OperationState, Timestamp};
use keyway_store::{
    Page, audit,
    dead_letters::{self, DeadLetterRow},
};
use lapin::{
    BasicProperties, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::{AMQPValue, FieldTable},
};

use crate::{
    observe::until,
    seed::Submitted,
    world::{World, in_both},
};

in_both! {
    parked_messages_are_replayed_once_by_a_build_that_reads_them
}

/// Returns the letter of a process that could not read the message.
fn parked(submitted: &Submitted, reason: &str) -> Result<DeadLetterRow> {
    Ok(DeadLetterRow {
        id: submitted.message.id,
        tenant_id: Some(submitted.tenant.id),
        lane: Lane::Verify.name().to_owned(),
        reason: reason.to_owned(),
        error: "it was not known to that build".to_owned(),
        body: submitted.message.encode()?,
        attempts: 0,
        created_at: Timestamp::now(),
        replayed_at: None,
    })
}

async fn replays(world: &World, id: MessageId) -> Result<usize> {
    let tx = world.store.tenant_read(world.tenant.id).await?;
    let (action, target) = (Some("dead_letter.replayed".to_owned()), Some(id.to_string()));
    let actor_type = Some("system".to_owned());
    let filter = audit::Filter { action, target, actor_type, ..audit::Filter::default() };
    Ok(audit::list(&tx, &filter, Page::first(100)).await?.items.len())
}

async fn is_done_once(world: &World, submitted: &Submitted) -> Result<()> {
    ensure!(world.operation(&submitted.message).await?.state == OperationState::Succeeded);
    ensure!(world.probes(submitted) == 1 && world.history(submitted).await?.len() == 1, "it was done more than once");
    Ok(())
}

async fn parked_messages_are_replayed_once_by_a_build_that_reads_them(world: &mut World) -> Result<()> {
    let mut expected = Vec::new();
    for (at, reason) in ["unknown_kind", "version", "malformed"].into_iter().cycle().take(72).enumerate() {
        let submitted = world.place(world.tenant, &format!("sk-sim-good-{at}")).await?;
        let mut letter = parked(&submitted, reason)?;
        // Where the tenant could not be read either.
        letter.tenant_id = letter.tenant_id.filter(|_| at % 2 == 0);
        expected.push((submitted, letter));
    }
    let crashed = parked(&world.place(world.tenant, "sk-sim-good-crashed").await?, "crashed")?;
    let unread = DeadLetterRow { id: MessageId::new(), body: b"{".to_vec(), ..parked(&expected[0].0, "malformed")? };
    let other_tenant = crate::seed::Tenant::add(&world.store, "second").await?;
    let foreign = world.place(world.tenant, "sk-sim-good-foreign").await?;
    let foreign = DeadLetterRow { tenant_id: Some(other_tenant.id), ..parked(&foreign, "version")? };
    let tx = world.store.system().await?;
    for letter in expected.iter().map(|(_, letter)| letter).chain([&crashed, &unread, &foreign]) {
        dead_letters::insert(&tx, letter.clone()).await?;
    }
    tx.commit().await?;
    // Where there may be several, they look at the same time.
    for _ in 0..if world.broker.is_some() { 3 } else { 1 } {
        world.start()?;
    }
    for (submitted, _) in &expected {
        world.ended(&submitted.message).await?;
    }
    world.settle().await?;
    // Another start finds nothing to do.
    world.settle().await?;
    for (submitted, letter) in &expected {
        is_done_once(world, submitted).await?;
        ensure!(replays(world, letter.id).await? == 1, "{letter:?}");
    }
    for letter in world.dead_letters().await? {
        let waits = [&crashed, &unread, &foreign].iter().any(|waiting| waiting.id == letter.id);
        ensure!(letter.replayed_at.is_none() == waits, "{letter:?}");
    }
    world.execute("DELETE FROM dead_letters").await?;
    Ok(())
}

/// Buried by a process that could not read it, and taken from the queue by one that can.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_process_buried_goes_straight_back() -> Result<()> {
    let mut world = World::distributed().await?;
    world.start()?;
    let good = world.submit("sk-sim-good-first").await?;
    world.ended(&good.message).await?;
    let buried = world.place(world.tenant, "sk-sim-good-buried").await?;
    bury(&world, &buried.message).await?;
    world.ended(&buried.message).await?;
    let replayed = async || Ok(replays(&world, buried.message.id).await? == 1);
    until("the replay is audited", replayed).await?;
    is_done_once(&world, &buried).await?;
    let letter = world.dead_letters().await?.pop().context("its history is kept")?;
    ensure!(letter.reason == "unknown_kind" && letter.replayed_at.is_some(), "{letter:?}");
    world.execute("DELETE FROM dead_letters").await?;
    world.finish().await
}

async fn bury(world: &World, message: &Message) -> Result<()> {
    let url = &world.broker.as_ref().context("a broker")?.amqp_url;
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let mut headers = FieldTable::default();
    headers.insert("keyway-reason".into(), AMQPValue::LongString("unknown_kind".into()));
    let id = message.id.to_string();
    let properties = BasicProperties::default().with_message_id(id.into()).with_headers(headers);
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let body = message.encode()?;
    let sent = channel.basic_publish("keyway.dead".into(), "verify".into(), options, &body, properties);
    let confirmed = sent.await?.await?;
    ensure!(confirmed.is_ack(), "{confirmed:?}");
    Ok(connection.close(200, "buried".into()).await?)
}
