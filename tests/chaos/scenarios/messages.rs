//! Messages that come again, in another order, or that nobody can read.

use std::sync::atomic::Ordering::Relaxed;

use anyhow::{Context, Result, ensure};
use keyway_domain::Lane;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    message::BasicGetMessage,
    options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueBindOptions, QueueDeclareOptions},
    types::FieldTable,
};

use crate::cluster::Cluster;

const TAP: &str = "chaos.tap";
const AGAIN: usize = 10;

/// Everything that was published is published again, ten times, to all workers at once.
pub(crate) async fn duplicated(cluster: &mut Cluster) -> Result<u64> {
    let (channel, tapped) = tap(cluster).await?;
    for _ in 0..AGAIN {
        for message in &tapped {
            again(&channel, message).await?;
        }
    }
    Ok((AGAIN * tapped.len()) as u64)
}

/// Everything that was published comes again backwards, then in any order: deletions before creations, older
/// verdicts after newer ones, ends before starts.
pub(crate) async fn reordered(cluster: &mut Cluster) -> Result<u64> {
    let (channel, mut tapped) = tap(cluster).await?;
    for message in tapped.iter().rev() {
        again(&channel, message).await?;
    }
    fastrand::shuffle(&mut tapped);
    let load = cluster.load();
    for message in &tapped {
        again(&channel, message).await?;
    }
    load.more(20).await?;
    load.stop().await?;
    Ok(2 * tapped.len() as u64)
}

/// Bodies that are no message, among good ones.
pub(crate) async fn malformed(cluster: &mut Cluster) -> Result<u64> {
    let channel = channel(cluster).await?;
    let load = cluster.load();
    let mut faults = 0;
    for lane in Lane::ALL {
        let bodies: [Vec<u8>; 7] = [
            format!("{{ {lane}").into_bytes(),
            format!("\"{lane}\"").into_bytes(),
            format!(r#"{{"v":1,"lane":"{lane}"}}"#).into_bytes(),
            format!(r#"{{"v":999,"lane":"{lane}"}}"#).into_bytes(),
            [lane.name().as_bytes(), &[0xff, 0xfe, 0x00]].concat(),
            [lane.name().as_bytes(), &vec![b'x'; 1024 * 1024]].concat(),
            lane.name().repeat(2).into_bytes(),
        ];
        for body in bodies {
            let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
            let queue = format!("keyway.{lane}");
            let confirm =
                channel.basic_publish("".into(), queue.into(), options, &body, BasicProperties::default()).await?;
            confirm.await?;
            faults += 1;
        }
    }
    cluster.ledger.poison.fetch_add(faults, Relaxed);
    load.more(20).await?;
    load.stop().await?;
    Ok(faults)
}

/// To the broker, past every proxy.
pub(super) async fn channel(cluster: &Cluster) -> Result<Channel> {
    let url = &cluster.keyway.services.broker().context("a broker")?.amqp_url;
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(channel)
}

/// A copy of every message of some load.
async fn tap(cluster: &Cluster) -> Result<(Channel, Vec<BasicGetMessage>)> {
    let channel = channel(cluster).await?;
    channel.queue_declare(TAP.into(), QueueDeclareOptions::default(), FieldTable::default()).await?;
    for lane in Lane::ALL {
        let exchange = if lane.carries_events() { "keyway.events" } else { "keyway.commands" };
        let options = QueueBindOptions::default();
        channel.queue_bind(TAP.into(), exchange.into(), lane.name().into(), options, FieldTable::default()).await?;
    }
    let load = cluster.load();
    load.more(60).await?;
    load.stop().await?;
    cluster.keyway.settle().await?;
    let mut tapped = Vec::new();
    while let Some(message) = channel.basic_get(TAP.into(), BasicGetOptions { no_ack: true }).await? {
        tapped.push(message);
    }
    channel.queue_delete(TAP.into(), lapin::options::QueueDeleteOptions::default()).await?;
    ensure!(tapped.len() > 100, "{} messages were tapped", tapped.len());
    Ok((channel, tapped))
}

async fn again(channel: &Channel, message: &BasicGetMessage) -> Result<()> {
    let delivery = &message.delivery;
    let (exchange, key) = (delivery.exchange.clone(), delivery.routing_key.clone());
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let properties = delivery.properties.clone();
    channel.basic_publish(exchange, key, options, &delivery.data, properties).await?.await?;
    Ok(())
}
