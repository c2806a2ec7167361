//! Everything Keyway declares on the broker: names, arguments, bindings. Nothing may be declared elsewhere.
//!
//! Lanes are quorum queues with at-least-once dead letters; a full one refuses publishes instead of dropping.

use std::time::Duration;

use keyway_domain::{Lane, Route};
use lapin::{
    Channel, Connection, ErrorKind, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};
use tokio::time::timeout;

use crate::{BusError, looks::Looks, rabbit_session::Link};

/// Exchange of dead letters, with the lane's name as routing key.
pub(crate) const DEAD: &str = "keyway.dead";
/// Fanout exchange of invalidations.
pub(crate) const INVALIDATE: &str = "keyway.invalidate";
/// Fanout exchange of notices.
pub(crate) const NOTICES: &str = "keyway.notices";

const COMMANDS: &str = "keyway.commands";
const EVENTS: &str = "keyway.events";
/// The broker's own delivery limit, a safety net for messages that kill their worker; workers dead-letter such a
/// message earlier, with a reason.
const DELIVERY_LIMIT: i32 = 20;
/// Delivery limit of dead-letter queues, which are read until the letters are filed: newer brokers drop a message after
/// 20 deliveries by default.
const DEAD_DELIVERY_LIMIT: i32 = 1_000_000;
const LANE_MESSAGES: i32 = 500_000;
const DEAD_MESSAGES: i32 = 100_000;
const SIGNALS: i32 = 10_000;

const PRECONDITION_FAILED: u16 = 406;
const ANSWER: Duration = Duration::from_secs(10);

/// Returns the exchange and routing key of a route.
pub(crate) const fn address(route: Route) -> (&'static str, &'static str) {
    match route {
        Route::Lane(lane) if lane.carries_events() => (EVENTS, lane.name()),
        Route::Lane(lane) => (COMMANDS, lane.name()),
        Route::Invalidate => (INVALIDATE, ""),
    }
}

/// Returns the name of a lane's queue.
pub(crate) fn queue(lane: Lane) -> String {
    format!("keyway.{lane}")
}

/// Returns the name of a lane's queue of dead letters.
pub(crate) fn dead_queue(lane: Lane) -> String {
    format!("{DEAD}.{lane}")
}

/// Declares everything. A lane's queue that exists with other arguments does not keep the others from being declared;
/// returns the error of each such lane.
///
/// # Errors
/// An exchange exists with another type, or the connection failed.
pub(crate) async fn declare(link: &Link, connection: &Connection) -> Result<Vec<(Lane, BusError)>, BusError> {
    let mut channel = connection.create_channel().await?;
    declare_exchanges(&channel).await?;
    let (mut problems, mut looks) = (Vec::new(), Looks::new(connection));
    for lane in Lane::ALL {
        // A queue that a crash left half made never answers; the other lanes do not wait for it.
        let declared = timeout(ANSWER, declare_lane(link, &mut looks, &channel, lane)).await;
        let silent = || BusError::Topology { name: queue(lane), reply: "the broker does not answer for it".into() };
        match declared.unwrap_or_else(|_| Err(silent())) {
            Err(error @ BusError::Topology { .. }) => {
                problems.push((lane, error));
                // The broker closes the channel on which it refused something.
                channel = connection.create_channel().await?;
            }
            other => other?,
        }
    }
    // The channel has done its work; if it cannot be closed, the connection is going too.
    let _ = channel.close(200, "declared".into()).await;
    looks.close().await;
    Ok(problems)
}

pub(crate) async fn declare_exchanges(channel: &Channel) -> Result<(), BusError> {
    let (direct, fanout) = (ExchangeKind::Direct, ExchangeKind::Fanout);
    let exchanges =
        [(COMMANDS, &direct), (EVENTS, &direct), (DEAD, &direct), (INVALIDATE, &fanout), (NOTICES, &fanout)];
    for (name, kind) in exchanges {
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let declared = channel.exchange_declare(name.into(), kind.clone(), options, FieldTable::default()).await;
        declared.map_err(|error| refused(name, error))?;
    }
    Ok(())
}

/// Declares a lane's two queues; the exchanges must exist. Reports a missing queue as lost: the broker is new, or the
/// queue was deleted with its messages.
pub(crate) async fn declare_lane(
    link: &Link,
    looks: &mut Looks<'_>,
    channel: &Channel,
    lane: Lane,
) -> Result<(), BusError> {
    for name in [queue(lane), dead_queue(lane)] {
        if looks.is_missing(&name).await? {
            tracing::debug!(queue = name, "a queue is not there yet, or not any more");
            link.lost.notify_one();
        }
    }
    let dead = [
        ("x-queue-type", text("quorum")),
        ("x-overflow", text("reject-publish")),
        ("x-max-length", AMQPValue::LongInt(DEAD_MESSAGES)),
        ("x-delivery-limit", AMQPValue::LongInt(DEAD_DELIVERY_LIMIT)),
    ];
    durable_queue(channel, &dead_queue(lane), table(dead), (DEAD, lane.name())).await?;
    let live = [
        ("x-queue-type", text("quorum")),
        ("x-overflow", text("reject-publish")),
        ("x-max-length", AMQPValue::LongInt(LANE_MESSAGES)),
        ("x-delivery-limit", AMQPValue::LongInt(DELIVERY_LIMIT)),
        ("x-dead-letter-exchange", text(DEAD)),
        ("x-dead-letter-routing-key", text(lane.name())),
        ("x-dead-letter-strategy", text("at-least-once")),
    ];
    durable_queue(channel, &queue(lane), table(live), address(Route::Lane(lane))).await
}

/// Declares this process's own queue for the signals of a fanout exchange and returns its name.
pub(crate) async fn declare_own(channel: &Channel, exchange: &'static str) -> Result<String, BusError> {
    declare_exchanges(channel).await?;
    let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
    let arguments = table([("x-max-length", AMQPValue::LongInt(SIGNALS))]);
    let queue = channel.queue_declare("".into(), options, arguments).await?.name().to_string();
    let bound = channel
        .queue_bind(
            queue.as_str().into(),
            exchange.into(),
            "".into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await;
    bound.map_err(|error| refused(&queue, error))?;
    Ok(queue)
}

pub(crate) fn table<const N: usize>(pairs: [(&str, AMQPValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    for (key, value) in pairs {
        table.insert(key.into(), value);
    }
    table
}

pub(crate) fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

async fn durable_queue(
    channel: &Channel,
    name: &str,
    arguments: FieldTable,
    (exchange, key): (&str, &str),
) -> Result<(), BusError> {
    let declared = channel.queue_declare(name.into(), QueueDeclareOptions::durable(), arguments).await;
    declared.map_err(|error| refused(name, error))?;
    let bound = channel
        .queue_bind(name.into(), exchange.into(), key.into(), QueueBindOptions::default(), FieldTable::default())
        .await;
    bound.map_err(|error| refused(name, error))
}

fn refused(name: &str, error: lapin::Error) -> BusError {
    match error.kind() {
        ErrorKind::ProtocolError(reply) if reply.get_id() == PRECONDITION_FAILED => {
            BusError::Topology { name: name.into(), reply: reply.get_message().to_string() }
        }
        _ => error.into(),
    }
}

impl From<lapin::Error> for BusError {
    fn from(error: lapin::Error) -> Self {
        Self::Disconnected(error.to_string())
    }
}
