//! The content of the broker's queues, found by consuming it.

use anyhow::{Result, ensure};
use keyway_domain::Lane;
use lapin::{Connection, ConnectionProperties, options::BasicGetOptions};

/// Fails when any lane's queue, or its queue of dead letters, holds a message. Nobody else may consume.
pub(crate) async fn ensure_empty(amqp_url: &str) -> Result<()> {
    let connection = Connection::connect(amqp_url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let mut left = Vec::new();
    for queue in Lane::ALL.iter().flat_map(|lane| [format!("keyway.{lane}"), format!("keyway.dead.{lane}")]) {
        if let Some(message) = channel.basic_get(queue.as_str().into(), BasicGetOptions::default()).await? {
            left.push(format!("{queue}: {}", String::from_utf8_lossy(&message.delivery.data)));
        }
    }
    connection.close(200, "seen".into()).await?;
    ensure!(left.is_empty(), "messages are left in queues:\n{}", left.join("\n"));
    Ok(())
}

/// Counts the messages that wait in all lanes together.
pub(crate) async fn waiting(amqp_url: &str) -> Result<u32> {
    let connection = Connection::connect(amqp_url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let mut waiting = 0;
    for lane in Lane::ALL {
        let options = lapin::options::QueueDeclareOptions { passive: true, ..Default::default() };
        let queue = channel.queue_declare(format!("keyway.{lane}").into(), options, Default::default()).await?;
        waiting += queue.message_count();
    }
    connection.close(200, "counted".into()).await?;
    Ok(waiting)
}
