//! A message as the broker gets it, and on its way to the task that publishes. Sends nothing itself.

use std::sync::Arc;

use keyway_domain::{MessageId, Timestamp};
use lapin::{
    BasicProperties,
    types::{FieldTable, ShortString},
};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::BusError;

/// A message in the broker's form.
#[derive(Debug)]
pub(crate) struct Packet {
    pub(crate) exchange: &'static str,
    pub(crate) key: &'static str,
    /// `true` if a message that no queue takes is an error; `false` if nobody need listen.
    pub(crate) mandatory: bool,
    pub(crate) id: MessageId,
    pub(crate) kind: Option<String>,
    pub(crate) headers: FieldTable,
    pub(crate) body: Vec<u8>,
}

impl Packet {
    pub(crate) fn properties(&self) -> BasicProperties {
        const PERSISTENT: u8 = 2;
        const TRANSIENT: u8 = 1;
        let seconds = u64::try_from(Timestamp::now().seconds()).unwrap_or(0);
        let properties = BasicProperties::default()
            .with_delivery_mode(if self.mandatory { PERSISTENT } else { TRANSIENT })
            .with_message_id(self.message_id())
            .with_content_type("application/json".into())
            .with_timestamp(seconds)
            .with_headers(self.headers.clone());
        match &self.kind {
            Some(kind) => properties.with_type(kind.as_str().into()),
            None => properties,
        }
    }

    pub(crate) fn message_id(&self) -> ShortString {
        self.id.to_string().into()
    }
}

/// A packet on its way to the publishing task.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) packet: Arc<Packet>,
    /// `true` if the topology was already declared anew for it.
    pub(crate) declared_for: bool,
    pub(crate) answer: oneshot::Sender<Result<(), BusError>>,
    _slot: OwnedSemaphorePermit,
}

impl Request {
    /// A packet that takes `slot` of the window until it is answered.
    pub(crate) const fn new(
        packet: Arc<Packet>,
        answer: oneshot::Sender<Result<(), BusError>>,
        slot: OwnedSemaphorePermit,
    ) -> Self {
        Self { packet, declared_for: false, answer, _slot: slot }
    }
}
