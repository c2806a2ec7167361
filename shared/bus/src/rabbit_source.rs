//! Consuming a lane from RabbitMQ. The pump outlives broker restarts; the worker never notices them.
//!
//! A delivery is settled only on its own channel; if that is gone, the broker delivers it again.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::{FutureExt as _, StreamExt as _};
use keyway_domain::{DeadReason, Lane, Message};
use lapin::{
    Channel, Connection, Consumer,
    message::Delivery as Raw,
    options::{BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions, QueueDeclareOptions},
    types::FieldTable,
};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    BusError, ConsumeOptions, Delivery, Source,
    looks::Looks,
    packet::Packet,
    publisher::Publisher,
    rabbit_headers::{crashes, dead_letter_headers, message_id},
    rabbit_session::{Link, Reconnect, close},
    rabbit_ticket::{RabbitTicket, Session},
    settle::Ticket,
    source::Feed,
    task, topology,
};

/// Interval at which a consumer without deliveries checks its queue.
const LOOK: Duration = Duration::from_secs(1);
const ANSWER: Duration = Duration::from_secs(10);
/// Time limit for connecting, declaring and consuming together.
const OPEN: Duration = Duration::from_secs(20);

static CONSUMERS: AtomicU64 = AtomicU64::new(0);

pub(crate) fn consume(
    link: &Arc<Link>,
    publisher: &Arc<Publisher>,
    lane: Lane,
    options: ConsumeOptions,
    stop: &CancellationToken,
) -> Source {
    link.consuming(lane, false);
    let (link, publisher) = (Arc::clone(link), Arc::clone(publisher));
    Source::new(options, stop, |feed| task::spawn(Pump { link, publisher, lane, feed }.run()))
}

struct Pump {
    link: Arc<Link>,
    publisher: Arc<Publisher>,
    lane: Lane,
    feed: Feed,
}

impl Pump {
    async fn run(self) {
        let mut reconnect = Reconnect::new(format!("consumer of {}", self.lane));
        let mut open = None;
        while !self.feed.stop.is_cancelled() {
            let lost = CancellationToken::new();
            match self.session(&lost, &mut reconnect).await {
                Ok(still_open) => open = still_open,
                Err(error) => {
                    lost.cancel();
                    self.link.consuming(self.lane, false);
                    self.feed.forget_waiting();
                    reconnect.pause(&self.link, error, &self.feed.stop).await;
                }
            }
        }
        self.link.ended(self.lane);
        // Started jobs still settle on the open channel, which closes when it is dropped.
        self.feed.finish().await;
        if let Some((connection, _channel)) = open {
            close(connection).await;
        }
    }

    /// Delivers until told to stop; then consumption has ended, but connection and channel are still open.
    async fn session(
        &self,
        lost: &CancellationToken,
        reconnect: &mut Reconnect,
    ) -> Result<Option<(Connection, Channel)>, BusError> {
        let silent = |_| Err(BusError::Disconnected("the broker does not answer".into()));
        let opening = async { timeout(OPEN, self.open()).await.unwrap_or_else(silent) };
        let Some(opened) = self.feed.stop.run_until_cancelled(opening).await else { return Ok(None) };
        let (connection, channel, tag, mut consumer) = opened?;
        reconnect.established(&self.link);
        self.link.consuming(self.lane, true);
        let (stop, rest) = (self.feed.stop.clone(), self.feed.options.put_back_delay);
        let session = Arc::new(Session { lost: lost.clone(), stop, rest });
        let (mut quiet, mut suspect) = (true, false);
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stopped = pin!(self.feed.stop.cancelled());
        loop {
            tokio::select! {
                biased;
                () = &mut stopped => {
                    self.cancel(&channel, &tag, consumer).await;
                    return Ok(Some((connection, channel)));
                }
                _ = look.tick() => {
                    if std::mem::replace(&mut quiet, true) {
                        suspect = self.look(&channel, Arc::strong_count(&session) == 1, suspect).await?;
                    }
                }
                raw = consumer.next() => match raw {
                    Some(raw) => {
                        (quiet, suspect) = (false, false);
                        self.accept(raw?, &session).await;
                    }
                    None => return Err(BusError::Disconnected("the broker ended the consumer".into())),
                }
            }
        }
    }

    /// Checks for a consumer that the broker has forgotten: a queue that is deleted and declared again at once may not
    /// tell its consumers. Returns `true` if that looks likely; fails if it looked likely before.
    async fn look(&self, channel: &Channel, idle: bool, suspect: bool) -> Result<bool, BusError> {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let asked = channel.queue_declare(topology::queue(self.lane).into(), options, FieldTable::default());
        let silent = |_| BusError::Disconnected("the broker does not answer".into());
        let queue = timeout(ANSWER, asked).await.map_err(silent)??;
        let forgotten = queue.consumer_count() == 0 || (idle && queue.message_count() > 0);
        if forgotten && suspect {
            return Err(BusError::Disconnected("the queue has forgotten this consumer".into()));
        }
        Ok(forgotten)
    }

    async fn open(&self) -> Result<(Connection, Channel, String, Consumer), BusError> {
        let connection = self.link.connect(self.lane.name()).await?;
        let channel = connection.create_channel().await?;
        topology::declare_exchanges(&channel).await?;
        let mut looks = Looks::new(&connection);
        topology::declare_lane(&self.link, &mut looks, &channel, self.lane).await?;
        looks.close().await;
        channel.basic_qos(self.feed.options.prefetch, BasicQosOptions::default()).await?;
        let tag = format!("{}-{}", self.lane, CONSUMERS.fetch_add(1, Ordering::Relaxed));
        let (queue, options) = (topology::queue(self.lane), BasicConsumeOptions::default());
        let consumer =
            channel.basic_consume(queue.as_str().into(), tag.as_str().into(), options, FieldTable::default()).await?;
        Ok((connection, channel, tag, consumer))
    }

    async fn accept(&self, raw: Raw, session: &Arc<Session>) {
        let crashes = crashes(&raw);
        let ticket = Ticket::new(RabbitTicket { acker: raw.acker.clone(), session: Arc::clone(session) });
        let (reason, error) = match Message::decode(&raw.data) {
            Ok(message) if crashes < self.feed.options.crash_limit => {
                let delivery = Delivery { message, lane: self.lane, redelivered: raw.redelivered, crashes };
                return self.feed.deliver(delivery, ticket).await;
            }
            Ok(_) => (DeadReason::Crashed, format!("put back {crashes} times without an ack")),
            Err(error) => (DeadReason::of(&error), error.to_string()),
        };
        // Its neighbours do not wait for its burial.
        task::spawn(bury(Arc::clone(&self.publisher), self.lane, raw, (reason, error), ticket));
    }

    /// Stops consuming and gives back deliveries that the worker does not hold yet.
    async fn cancel(&self, channel: &Channel, tag: &str, mut consumer: Consumer) {
        let cancelled = channel.basic_cancel(tag.into(), BasicCancelOptions::default());
        // A connection that dies now gives everything back by itself.
        let _ = tokio::time::timeout(Duration::from_secs(5), cancelled).await;
        while let Some(Some(Ok(raw))) = consumer.next().now_or_never() {
            let _ = raw.acker.nack(BasicNackOptions { requeue: true, multiple: false }).now_or_never();
        }
    }
}

async fn bury(publisher: Arc<Publisher>, lane: Lane, raw: Raw, (reason, error): (DeadReason, String), ticket: Ticket) {
    let id = message_id(&raw);
    // Who files it says so aloud.
    tracing::debug!(%lane, %id, reason = reason.name(), error, "a message is a dead letter");
    let packet = Packet {
        exchange: topology::DEAD,
        key: lane.name(),
        mandatory: true,
        id,
        kind: raw.properties.kind().as_ref().map(ToString::to_string),
        headers: dead_letter_headers(reason, &error, crashes(&raw)),
        body: raw.data,
    };
    let buried = match publisher.publish(packet).await {
        Ok(()) => ticket.ack().await,
        Err(error) => Err(error),
    };
    if let Err(error) = buried {
        tracing::warn!(%lane, %id, %error, "a dead letter could not be buried, it will come again");
    }
}
