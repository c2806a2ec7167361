//! Dead letters on RabbitMQ: the queues `keyway.dead.<lane>`, and the headers with the reason.

use std::{sync::Arc, time::Duration};

use futures::{Stream, StreamExt as _, stream::select_all};
use keyway_domain::{DeadReason, Lane};
use lapin::{
    Channel, Connection,
    message::Delivery as Raw,
    options::{BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions},
    types::FieldTable,
};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::{
    BusError, DeadLetter, DeadLetterStream,
    rabbit_headers::{self, ATTEMPTS, ERROR, REASON},
    rabbit_session::{Link, Reconnect, close},
    rabbit_ticket::{RabbitTicket, Session},
    settle::Ticket,
    task, topology,
};

const PREFETCH: u16 = 16;
const LOOK: Duration = Duration::from_secs(5);
const REST: Duration = Duration::from_secs(1);

pub(crate) fn dead_letters(link: &Arc<Link>, stop: &CancellationToken) -> DeadLetterStream {
    let (sender, receiver) = flume::bounded(1);
    let (link, stop) = (Arc::clone(link), stop.clone());
    task::spawn(async move {
        let mut reconnect = Reconnect::new("dead letters".into());
        while !stop.is_cancelled() && !sender.is_disconnected() {
            let lost = CancellationToken::new();
            let ended = session(&link, &sender, &lost, &stop, &mut reconnect).await;
            lost.cancel();
            if let Err(error) = ended {
                reconnect.pause(&link, error, &stop).await;
            }
        }
    });
    DeadLetterStream(receiver)
}

async fn session(
    link: &Link,
    sender: &flume::Sender<DeadLetter>,
    lost: &CancellationToken,
    stop: &CancellationToken,
    reconnect: &mut Reconnect,
) -> Result<(), BusError> {
    let connection = link.connect("dead letters").await?;
    let channel = connection.create_channel().await?;
    let mut letters = consume_all(link, &connection, &channel).await?;
    reconnect.established(link);
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            _ = look.tick() => look_at_all(&channel).await?,
            next = letters.next() => {
                let Some((lane, raw)) = next else {
                    return Err(BusError::Disconnected("the broker ended the consumers".into()));
                };
                let letter = letter(lane, raw?, lost, stop);
                if !matches!(stop.run_until_cancelled(sender.send_async(letter)).await, Some(Ok(()))) {
                    break;
                }
            }
        }
    }
    close(connection).await;
    Ok(())
}

/// Checks that every queue has a consumer; fails if one was refused at first, or its queue deleted meanwhile. The next
/// session tries again.
async fn look_at_all(channel: &Channel) -> Result<(), BusError> {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    for lane in Lane::ALL {
        let queue = topology::dead_queue(lane);
        let asked = channel.queue_declare(queue.as_str().into(), options, FieldTable::default()).await?;
        if asked.consumer_count() == 0 {
            return Err(BusError::Disconnected(format!("{queue} is not consumed")));
        }
    }
    Ok(())
}

async fn consume_all(
    link: &Link,
    connection: &Connection,
    channel: &Channel,
) -> Result<impl Stream<Item = (Lane, lapin::Result<Raw>)> + Unpin + use<>, BusError> {
    // What is wrong with a lane's queues, publisher and pump report; the others' dead letters are filed.
    let broken = topology::declare(link, connection).await?;
    channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
    let mut consumers = Vec::with_capacity(Lane::ALL.len());
    for lane in Lane::ALL.into_iter().filter(|lane| broken.iter().all(|(other, _)| other != lane)) {
        let (queue, options) = (topology::dead_queue(lane), BasicConsumeOptions::default());
        let consumer = channel.basic_consume(queue.as_str().into(), "".into(), options, FieldTable::default()).await?;
        consumers.push(consumer.map(move |raw| (lane, raw)));
    }
    Ok(select_all(consumers))
}

fn letter(lane: Lane, raw: Raw, lost: &CancellationToken, stop: &CancellationToken) -> DeadLetter {
    let session = Arc::new(Session { lost: lost.clone(), stop: stop.clone(), rest: REST });
    let ticket = RabbitTicket { acker: raw.acker.clone(), session };
    DeadLetter {
        lane,
        reason: rabbit_headers::text(&raw, REASON)
            .and_then(|reason| DeadReason::parse(&reason))
            .unwrap_or(DeadReason::Broker),
        error: rabbit_headers::text(&raw, ERROR)
            .unwrap_or_else(|| "the broker gave it up at its delivery limit".into()),
        attempts: rabbit_headers::number(&raw, ATTEMPTS),
        message_id: rabbit_headers::message_id(&raw),
        ticket: Ticket::new(ticket),
        body: raw.data,
    }
}
