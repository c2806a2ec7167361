//! Signals to every process over RabbitMQ: an exclusive queue of this process on a fanout exchange.
//!
//! Each time the queue is created, earlier signals are lost, and every subscriber is told so.

use std::sync::{Arc, OnceLock};

use futures::StreamExt as _;
use lapin::{options::BasicConsumeOptions, types::FieldTable};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::{
    BusError,
    rabbit_session::{Link, Reconnect},
    task, topology,
};

/// Number of signals that a subscriber may lag behind before it is told that some are lost.
const BACKLOG: usize = 1024;

/// One exchange, and the signals that its messages are.
#[derive(Debug)]
pub(crate) struct Exchange<S> {
    /// Name of the exchange.
    pub(crate) name: &'static str,
    /// Name of the connection.
    pub(crate) connection: &'static str,
    pub(crate) decode: fn(&[u8]) -> S,
    /// Returns the signal for a gap.
    pub(crate) lost: fn() -> S,
}

/// Subscriptions of this process to one exchange, over a connection that is opened with the first one.
#[derive(Debug)]
pub(crate) struct Fanout<S> {
    link: Arc<Link>,
    stop: CancellationToken,
    exchange: Arc<Exchange<S>>,
    sender: broadcast::Sender<S>,
    started: OnceLock<()>,
}

impl<S: Clone + Send + 'static> Fanout<S> {
    pub(crate) fn new(link: &Arc<Link>, stop: CancellationToken, exchange: Exchange<S>) -> Self {
        let sender = broadcast::Sender::new(BACKLOG);
        Self { link: Arc::clone(link), stop, exchange: Arc::new(exchange), sender, started: OnceLock::new() }
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<S> {
        let receiver = self.sender.subscribe();
        self.started.get_or_init(|| {
            let (link, exchange) = (Arc::clone(&self.link), Arc::clone(&self.exchange));
            task::spawn(run(link, exchange, self.sender.clone(), self.stop.clone()));
        });
        receiver
    }
}

async fn run<S: Clone + Send + 'static>(
    link: Arc<Link>,
    exchange: Arc<Exchange<S>>,
    sender: broadcast::Sender<S>,
    stop: CancellationToken,
) {
    let mut reconnect = Reconnect::new(exchange.connection.into());
    while let Some(ended) = stop.run_until_cancelled(session(&link, &exchange, &sender, &mut reconnect)).await {
        reconnect.pause(&link, ended, &stop).await;
    }
}

/// Passes signals on until the connection is lost; returns the error.
async fn session<S: Clone + Send + 'static>(
    link: &Link,
    exchange: &Exchange<S>,
    sender: &broadcast::Sender<S>,
    reconnect: &mut Reconnect,
) -> BusError {
    let consume = async {
        let connection = link.connect(exchange.connection).await?;
        let channel = connection.create_channel().await?;
        let queue = topology::declare_own(&channel, exchange.name).await?;
        let options = BasicConsumeOptions { no_ack: true, exclusive: true, ..BasicConsumeOptions::default() };
        let consumer = channel.basic_consume(queue.as_str().into(), "".into(), options, FieldTable::default()).await?;
        Ok::<_, BusError>((connection, channel, consumer))
    };
    let (_connection, _channel, mut consumer) = match consume.await {
        Ok(consuming) => consuming,
        Err(error) => return error,
    };
    reconnect.established(link);
    // Nobody listening is nothing to do.
    let _ = sender.send((exchange.lost)());
    loop {
        match consumer.next().await {
            Some(Ok(raw)) => drop(sender.send((exchange.decode)(&raw.data))),
            Some(Err(error)) => return error.into(),
            None => return BusError::Disconnected("the broker ended the consumer".into()),
        }
    }
}
