//! Events on RabbitMQ while it is up: queues deleted or declared by others, connections closed.

use anyhow::{Context as _, Result, ensure};
use keyway_bus::{Bus as _, BusError, RabbitBus, RabbitSettings};
use keyway_domain::{DeadReason, Lane, Route};
use keyway_testkit::rabbitmq::TestBroker;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{BasicPublishOptions, QueueDeclareOptions, QueueDeleteOptions},
    types::FieldTable,
};
use tokio_util::sync::CancellationToken;

use crate::harness::{World, commands, handler, next_dead, options, outgoing, until};

async fn by_hand(broker: &TestBroker) -> Result<(Connection, Channel)> {
    let connection = Connection::connect(&broker.amqp_url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    Ok((connection, channel))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_deleted_by_hand_is_declared_again_and_takes_every_message() -> Result<()> {
    let world = World::rabbit().await?;
    let (_connection, channel) = by_hand(world.broker.as_ref().context("a broker")?).await?;
    for lane in [Lane::Verify, Lane::Status] {
        channel.queue_delete(format!("keyway.{lane}").into(), QueueDeleteOptions::default()).await?;
    }
    // Rows of a lane that is there and of one that is not, mixed: none may take the other's answer.
    let (messages, others) = (commands(200), (0..200).map(|_| crate::harness::started()).collect::<Vec<_>>());
    let mixed: Vec<_> = messages.iter().zip(&others).flat_map(|(a, b)| [outgoing(a), outgoing(b)]).collect();
    world.relay(mixed).await?;
    let verify = world.pool(Lane::Verify, options(16), handler(|_| async { Ok(()) }));
    let status = world.pool(Lane::Status, options(16), handler(|_| async { Ok(()) }));
    verify.handled(&messages).await?;
    status.handled(&others).await?;

    // And while it is consumed: the consumer comes back.
    channel.queue_delete("keyway.verify".into(), QueueDeleteOptions::default()).await?;
    let more = commands(50);
    world.submit(&more).await?;
    let again = until("the new queue is consumed", || more.iter().all(|m| verify.seen_ids().contains(&m.id))).await;
    again.with_context(|| format!("{:?}", world.bus.health()))?;
    verify.stop().await?;
    status.stop().await?;
    ensure!(world.left(Lane::Verify).await? + world.left(Lane::Status).await? == 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_declared_otherwise_is_a_loud_error_until_it_is_deleted() -> Result<()> {
    let broker = TestBroker::shared().await?;
    let (_connection, channel) = by_hand(&broker).await?;
    channel.queue_declare("keyway.verify".into(), QueueDeclareOptions::durable(), FieldTable::default()).await?;
    let world = World::on(broker).await?;
    let pool = world.pool(Lane::Verify, options(4), handler(|_| async { Ok(()) }));
    let named = |error: &BusError| matches!(error, BusError::Topology { name, .. } if name == "keyway.verify");
    until("publisher and consumer both say so", || world.bus.health().errors.iter().filter(|e| named(e)).count() == 2)
        .await?;
    let messages = commands(3);
    let answers = world.bus.relay(messages.iter().map(outgoing).collect()).await;
    ensure!(answers.iter().all(|answer| answer.as_ref().is_err_and(named)), "{answers:?}");
    ensure!(world.bus.capacity(Route::Lane(Lane::Verify)) == 0);
    ensure!(world.bus.capacity(Route::Lane(Lane::Status)) > 0, "other lanes go on");

    channel.queue_delete("keyway.verify".into(), QueueDeleteOptions::default()).await?;
    until("the lane is well again", || world.bus.health().errors.is_empty()).await?;
    world.submit(&messages).await?;
    pool.handled(&messages).await?;
    pool.stop().await?;
    ensure!(world.left(Lane::Verify).await? == 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_connections_come_back_and_nothing_is_lost() -> Result<()> {
    let world = World::rabbit().await?;
    let broker = world.broker.as_ref().context("a broker")?;
    let slow = handler(|_| async {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        Ok(())
    });
    let pool = world.pool(Lane::Verify, options(16), slow);
    let mut all = Vec::new();
    for _ in 0..3 {
        let messages = commands(300);
        world.submit(&messages).await?;
        all.extend(messages);
        broker.ctl(&["close_all_connections", "--vhost", broker.vhost(), "test"]).await?;
    }
    pool.handled(&all).await?;
    until("health is good again", || world.bus.health().connected && world.bus.health().errors.is_empty()).await?;
    pool.stop().await?;
    ensure!(world.left(Lane::Verify).await? == 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_s_message_without_an_id_is_filed_under_the_id_of_its_body() -> Result<()> {
    let world = World::rabbit().await?;
    let (_connection, channel) = by_hand(world.broker.as_ref().context("a broker")?).await?;
    let stop = CancellationToken::new();
    let mut letters = world.bus.dead_letters(&stop);
    let pool = world.pool(Lane::Meter, options(4), handler(|_| async { Ok(()) }));
    let mut ids = Vec::new();
    for _ in 0..2 {
        let publish = BasicPublishOptions::default();
        channel
            .basic_publish("keyway.commands".into(), "meter".into(), publish, b"hello", BasicProperties::default())
            .await?
            .await?;
        let letter = next_dead(&mut letters).await?;
        ensure!(letter.reason == DeadReason::Malformed && letter.body == b"hello", "{letter:?}");
        ids.push(letter.message_id);
        letter.ack().await?;
    }
    ensure!(ids[0] == ids[1], "{ids:?}");
    pool.stop().await?;
    stop.cancel();
    ensure!(letters.next().await.is_none());
    ensure!(world.left(Lane::Meter).await? == 0);
    Ok(())
}

#[tokio::test]
async fn settings_never_show_the_password() {
    let settings = RabbitSettings { amqp_urls: vec!["amqp://user:canary@127.0.0.1:1/x".into()], name: "me".into() };
    assert!(!format!("{settings:?}").contains("canary"));
    let bus = RabbitBus::start(settings).expect("an address");
    let reported = until("the error is known", || !bus.health().errors.is_empty()).await;
    assert!(reported.is_ok() && !bus.health().connected);
    assert!(!format!("{bus:?} {:?}", bus.health()).contains("canary"));
}
