//! The bus over RabbitMQ. Publishing, each lane, dead letters and invalidations have a connection each, so
//! that a broker that blocks publishers does not hold up acks.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use keyway_domain::{Lane, Message, MessageId, Notice, Route};
use lapin::{Connection, options::QueueDeclareOptions, types::FieldTable};
use serde::Deserialize;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    Bus, BusError, ConsumeOptions, DeadLetterStream, Handover, Health, InvalidationSignal, InvalidationStream,
    LaneDepth, NoticeSignal, NoticeStream, Outgoing, RabbitSettings, Source, notices,
    packet::Packet,
    publisher::Publisher,
    rabbit_dead,
    rabbit_fanout::{Exchange, Fanout},
    rabbit_session::Link,
    rabbit_source, task, topology,
};

/// Interval at which a waiting relay checks the capacity.
const LOOK: Duration = Duration::from_millis(50);

/// The bus over RabbitMQ; all its tasks end on drop.
#[derive(Debug)]
pub struct RabbitBus {
    link: Arc<Link>,
    publisher: Arc<Publisher>,
    invalidations: Fanout<InvalidationSignal>,
    notices: Fanout<NoticeSignal>,
    asking: tokio::sync::Mutex<Option<Connection>>,
    _stop: DropGuard,
}

impl RabbitBus {
    /// Starts connecting and returns at once; [`Bus::health`] tells the state. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`BusError::Address`] if the setting is no address of a broker.
    pub fn start(settings: RabbitSettings) -> Result<Self, BusError> {
        let (link, stop) = (Arc::new(Link::new(settings)?), CancellationToken::new());
        Ok(Self {
            publisher: Arc::new(Publisher::start(&link, stop.clone())),
            invalidations: Fanout::new(
                &link,
                stop.clone(),
                Exchange {
                    name: topology::INVALIDATE,
                    connection: "invalidations",
                    decode: InvalidationSignal::decode,
                    lost: || InvalidationSignal::Lost,
                },
            ),
            notices: Fanout::new(
                &link,
                stop.clone(),
                Exchange {
                    name: topology::NOTICES,
                    connection: "notices",
                    decode: NoticeSignal::decode,
                    lost: || NoticeSignal::Lost,
                },
            ),
            asking: tokio::sync::Mutex::new(None),
            link,
            _stop: stop.drop_guard(),
        })
    }

    /// Returns messages and consumers of a queue, over a connection kept for such questions.
    async fn ask(&self, queue: &str) -> Result<(u64, u64), BusError> {
        let mut asking = self.asking.lock().await;
        let connection = match asking.take().filter(|connection| connection.status().connected()) {
            Some(connection) => connection,
            None => self.link.connect("depths").await?,
        };
        let counts = ask(&connection, queue).await?;
        *asking = Some(connection);
        Ok(counts)
    }

    async fn store(&self, packet: Packet, route: Route) -> Result<(), BusError> {
        match route {
            Route::Lane(lane) if self.publisher.is_broken(lane) => Err(BusError::Topology {
                name: topology::queue(lane),
                reply: "it was refused when it was declared".into(),
            }),
            _ => self.publisher.publish(packet).await,
        }
    }
}

#[async_trait]
impl Bus for RabbitBus {
    async fn publish(&self, messages: &[Message]) -> Result<(), BusError> {
        let mut stores = Vec::with_capacity(messages.len());
        for message in messages {
            let (id, route) = (message.id, message.route());
            let packet = packet(Outgoing { id, route, body: message.encode()? }, Some(message.kind().into()));
            stores.push(self.store(packet, route));
        }
        futures::future::join_all(stores).await.into_iter().collect()
    }

    async fn relay(&self, rows: Vec<Outgoing>) -> Vec<Result<Handover, BusError>> {
        let stores = rows.into_iter().map(|row| {
            let (kind, route) = (kind_of(&row.body), row.route);
            let packet = packet(row, kind);
            async move {
                match (route, self.store(packet, route).await) {
                    // Best effort: the queue of a process that went with its node may refuse what all others got.
                    (Route::Invalidate, Ok(()) | Err(BusError::Refused)) => Ok(Handover::Done),
                    (Route::Lane(_), Ok(())) => Ok(Handover::InFlight),
                    (_, Err(error)) => Err(error),
                }
            }
        });
        futures::future::join_all(stores).await
    }

    fn capacity(&self, route: Route) -> usize {
        match route {
            Route::Lane(lane) => self.publisher.capacity(Some(lane)),
            Route::Invalidate => self.publisher.capacity(None),
        }
    }

    async fn ready(&self, route: Route) {
        while self.capacity(route) == 0 {
            tokio::time::sleep(LOOK).await;
        }
    }

    fn consume(&self, lane: Lane, options: ConsumeOptions, stop: &CancellationToken) -> Source {
        rabbit_source::consume(&self.link, &self.publisher, lane, options, stop)
    }

    fn dead_letters(&self, stop: &CancellationToken) -> DeadLetterStream {
        rabbit_dead::dead_letters(&self.link, stop)
    }

    fn invalidations(&self) -> InvalidationStream {
        InvalidationStream::new(self.invalidations.subscribe())
    }

    fn notify(&self, notices: Vec<Notice>) {
        // The room is kept for what must arrive.
        if self.publisher.capacity(None) == 0 {
            return;
        }
        let Some(body) = notices::encode(notices) else { return };
        let (exchange, kind, headers) = (topology::NOTICES, Some("noticed".into()), FieldTable::default());
        let packet = Packet { exchange, key: "", mandatory: false, id: MessageId::new(), kind, headers, body };
        let publisher = Arc::clone(&self.publisher);
        task::spawn(async move {
            if let Err(error) = publisher.publish(packet).await {
                tracing::debug!(%error, "pages were not told of a change");
            }
        });
    }

    fn notices(&self) -> NoticeStream {
        NoticeStream::new(self.notices.subscribe())
    }

    async fn lost(&self) {
        self.link.lost.notified().await;
    }

    fn health(&self) -> Health {
        self.link.health()
    }

    async fn depths(&self) -> Result<Vec<LaneDepth>, BusError> {
        let mut depths = Vec::with_capacity(Lane::ALL.len());
        for lane in Lane::ALL {
            let (waiting, consumers) = self.ask(&topology::queue(lane)).await?;
            let (dead, _) = self.ask(&topology::dead_queue(lane)).await?;
            depths.push(LaneDepth { lane, waiting, dead, consumers });
        }
        Ok(depths)
    }

    async fn waiting(&self, lane: Lane) -> Result<u64, BusError> {
        Ok(self.ask(&topology::queue(lane)).await?.0)
    }
}

/// Returns messages and consumers of a queue. Uses a channel of its own, which the broker closes if there is no such
/// queue.
async fn ask(connection: &Connection, queue: &str) -> Result<(u64, u64), BusError> {
    let channel = connection.create_channel().await?;
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let asked = channel.queue_declare(queue.into(), options, FieldTable::default()).await;
    let counts = match asked {
        Ok(queue) => (u64::from(queue.message_count()), u64::from(queue.consumer_count())),
        Err(error) if connection.status().connected() => {
            tracing::debug!(queue, %error, "a queue could not be asked for its depth");
            return Ok((0, 0));
        }
        Err(error) => return Err(error.into()),
    };
    channel.close(200, "asked".into()).await?;
    Ok(counts)
}

fn packet(row: Outgoing, kind: Option<String>) -> Packet {
    let (exchange, key) = topology::address(row.route);
    let mandatory = row.route != Route::Invalidate;
    Packet { exchange, key, mandatory, id: row.id, kind, headers: FieldTable::default(), body: row.body }
}

/// Returns the kind that an encoded message names, for people who look at the broker.
fn kind_of(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Kinded {
        kind: String,
    }
    serde_json::from_slice(body).ok().map(|Kinded { kind }| kind)
}
