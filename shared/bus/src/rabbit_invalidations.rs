//! Invalidations over RabbitMQ: an exclusive queue of this process on the fanout exchange.
//!
//! Each time the queue is created, earlier signals are lost, and every cache is told so.

use std::sync::{Arc, OnceLock};

use futures::StreamExt as _;
use lapin::{options::BasicConsumeOptions, types::FieldTable};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::{
    BusError, InvalidationSignal, InvalidationStream,
    rabbit_session::{Link, Reconnect},
    task, topology,
};

/// Number of signals that a cache may lag behind before it must drop everything.
const BACKLOG: usize = 1024;

/// Subscriptions of this process, over a connection that is opened with the first one.
#[derive(Debug)]
pub(crate) struct Invalidations {
    link: Arc<Link>,
    stop: CancellationToken,
    sender: broadcast::Sender<InvalidationSignal>,
    started: OnceLock<()>,
}

impl Invalidations {
    pub(crate) fn new(link: &Arc<Link>, stop: CancellationToken) -> Self {
        let sender = broadcast::Sender::new(BACKLOG);
        Self { link: Arc::clone(link), stop, sender, started: OnceLock::new() }
    }

    pub(crate) fn subscribe(&self) -> InvalidationStream {
        let stream = InvalidationStream::new(self.sender.subscribe());
        self.started.get_or_init(|| {
            task::spawn(run(Arc::clone(&self.link), self.sender.clone(), self.stop.clone()));
        });
        stream
    }
}

async fn run(link: Arc<Link>, sender: broadcast::Sender<InvalidationSignal>, stop: CancellationToken) {
    let mut reconnect = Reconnect::new("invalidations".into());
    while let Some(ended) = stop.run_until_cancelled(session(&link, &sender, &mut reconnect)).await {
        reconnect.pause(&link, ended, &stop).await;
    }
}

/// Passes signals on until the connection is lost; returns the error.
async fn session(link: &Link, sender: &broadcast::Sender<InvalidationSignal>, reconnect: &mut Reconnect) -> BusError {
    let consume = async {
        let connection = link.connect("invalidations").await?;
        let channel = connection.create_channel().await?;
        let queue = topology::declare_invalidations(&channel).await?;
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
    let _ = sender.send(InvalidationSignal::Lost);
    loop {
        match consumer.next().await {
            Some(Ok(raw)) => drop(sender.send(InvalidationSignal::decode(&raw.data))),
            Some(Err(error)) => return error.into(),
            None => return BusError::Disconnected("the broker ended the consumer".into()),
        }
    }
}
