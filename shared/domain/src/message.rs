//! Messages on the bus: ids and numbers, never content or secrets.
//!
//! The version comes first in the body so that a reader can refuse a future format before it reads on.

use serde::{Deserialize, Serialize};

use crate::{Command, Event, MessageId, OperationId, Route, TenantId, Timestamp};

/// The body format this build writes, and the only one it reads.
pub const MESSAGE_VERSION: u16 = 1;

/// Largest encoded message in bytes. Brokers close the connection of a publisher that sends more than 16 MiB at once.
const MAX_MESSAGE_BYTES: usize = 15 << 20;

/// One message: a command, an event, a batch of metered calls or a cache invalidation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Version of the body format.
    pub v: u16,
    /// The AMQP `message_id`, the outbox row's primary key and the idempotency key of the effect.
    pub id: MessageId,
    /// Tenant the message is about.
    pub tenant_id: TenantId,
    /// Operation the message belongs to; `None` outside operations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<OperationId>,
    /// The attempt of that operation, from 1.
    #[serde(default = "first_attempt")]
    pub attempt: u32,
    /// Number of times this attempt was postponed because its provider had no room, from 0.
    #[serde(default, skip_serializing_if = "is_first_turn")]
    pub turn: u32,
    /// W3C trace context of the request that caused the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Time at which the message was first written, for wait-time metrics.
    pub created_at: Timestamp,
    /// Command or event.
    #[serde(flatten)]
    pub body: Body,
}

/// Content of a message; `kind` is its name on the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Body {
    /// A command to handle.
    Command(Command),
    /// An event that happened.
    Event(Event),
}

/// Reason why bytes cannot be decoded as a message, or a message not encoded.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not JSON, or JSON that does not fit its kind: file it as a dead letter.
    #[error("the body is not a message of a known kind and shape: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A kind that only a newer build knows: park the message until this process is upgraded.
    #[error("messages of kind {0} are not known to this build")]
    UnknownKind(String),
    /// Written by a newer build: park it until this process is upgraded.
    #[error("the body has format version {0}; this build reads version {MESSAGE_VERSION}")]
    Version(u16),
    /// Larger than a broker accepts, in bytes; nothing was sent. A defect in the code that built the message.
    #[error("the message has {0} bytes, more than a broker takes ({MAX_MESSAGE_BYTES})")]
    TooLarge(usize),
}

/// Envelope fields of a message that can be read whatever its version and kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Label {
    /// Tenant the message is about, if readable.
    pub tenant_id: Option<TenantId>,
    /// Operation the message belongs to, if readable.
    pub operation_id: Option<OperationId>,
    /// Kind on the wire, whether this build knows it or not.
    pub kind: Option<String>,
}

impl Label {
    /// Reads the envelope fields; all `None` if the bytes are no message of any version.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).unwrap_or_default()
    }
}

impl Message {
    /// Returns the first attempt of a command that belongs to an operation.
    #[must_use]
    pub fn command(tenant_id: TenantId, operation_id: OperationId, command: Command) -> Self {
        let id = MessageId::of_attempt(operation_id, 1);
        Self { operation_id: Some(operation_id), ..Self::new(id, tenant_id, Body::Command(command)) }
    }

    /// Builds an event or command outside any operation.
    #[must_use]
    pub fn new(id: MessageId, tenant_id: TenantId, body: Body) -> Self {
        Self {
            v: MESSAGE_VERSION,
            id,
            tenant_id,
            operation_id: None,
            attempt: 1,
            turn: 0,
            traceparent: None,
            created_at: Timestamp::now(),
            body,
        }
    }

    /// Builds an event that follows from handling this message. Its id is derived from this message's id, so handling
    /// the message again yields the same id.
    #[must_use]
    pub fn event(&self, event: Event) -> Self {
        Self {
            v: MESSAGE_VERSION,
            id: self.id.derived(event.name()),
            created_at: Timestamp::now(),
            body: Body::Event(event),
            ..self.clone()
        }
    }

    /// Returns the route of the body.
    #[must_use]
    pub const fn route(&self) -> Route {
        match &self.body {
            Body::Command(command) => Route::Lane(command.lane()),
            Body::Event(event) => event.route(),
        }
    }

    /// Returns the body's kind on the wire.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match &self.body {
            Body::Command(command) => command.name(),
            Body::Event(event) => event.name(),
        }
    }

    /// Encodes the message as JSON.
    ///
    /// # Errors
    /// [`DecodeError::TooLarge`] above 15 MiB: the broker would close the connection.
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        let bytes = serde_json::to_vec(self)?;
        if bytes.len() > MAX_MESSAGE_BYTES {
            return Err(DecodeError::TooLarge(bytes.len()));
        }
        Ok(bytes)
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// [`DecodeError::Version`] for a newer format, [`DecodeError::UnknownKind`] for a newer kind,
    /// [`DecodeError::Malformed`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        match serde_json::from_slice::<Self>(bytes) {
            Ok(message) if message.v == MESSAGE_VERSION => Ok(message),
            Ok(message) => Err(DecodeError::Version(message.v)),
            Err(error) => Err(why(bytes, error)),
        }
    }
}

/// Finds out why `bytes` are not a message; falls back to `error` where version and kind are readable and known.
fn why(bytes: &[u8], error: serde_json::Error) -> DecodeError {
    #[derive(Deserialize)]
    struct Outside {
        v: u16,
        #[serde(default)]
        kind: serde_json::Value,
    }
    let Ok(Outside { v, kind }) = serde_json::from_slice(bytes) else { return DecodeError::Malformed(error) };
    match kind.as_str() {
        _ if v != MESSAGE_VERSION => DecodeError::Version(v),
        Some(kind) if could_be_a_kind(kind) && !Body::knows(kind) => DecodeError::UnknownKind(kind.to_owned()),
        _ => DecodeError::Malformed(error),
    }
}

/// Returns `true` if `text` looks like a kind's name. Other text is unknown content and must not be shown.
fn could_be_a_kind(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

impl Body {
    fn knows(kind: &str) -> bool {
        Command::NAMES.contains(&kind) || Event::NAMES.contains(&kind)
    }
}

const fn first_attempt() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
const fn is_first_turn(turn: &u32) -> bool {
    *turn == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AuditEvent, IntegrationId, Lane};

    fn verify() -> Message {
        let command = Command::VerifyKey { integration_id: IntegrationId::new(), secret_version: 1, confirming: false };
        Message::command(TenantId::new(), OperationId::new(), command)
    }

    #[test]
    fn a_message_survives_the_wire_with_its_version_first() -> Result<(), DecodeError> {
        let message = verify();
        let bytes = message.encode()?;
        assert!(bytes.starts_with(br#"{"v":1,"#));
        assert_eq!(Message::decode(&bytes)?, message);
        let event = message.event(Event::OperationStarted { observed_at: Timestamp::from_ms(5) });
        assert_eq!(Message::decode(&event.encode()?)?, event);
        assert_eq!(event.route(), Route::Lane(Lane::Status));
        Ok(())
    }

    #[test]
    fn what_no_broker_takes_is_refused_before_it_is_sent() {
        let audited = |bytes: usize| {
            let changes = serde_json::json!({ "name": "n".repeat(bytes) });
            let event = AuditEvent::by_system("test", "thing.changed", "id", Timestamp::from_ms(5), changes);
            verify().event(Event::Audited(event)).encode()
        };
        assert!(audited(14 << 20).is_ok());
        assert!(matches!(audited(15 << 20), Err(DecodeError::TooLarge(bytes)) if bytes > 15 << 20));
    }

    #[test]
    fn what_a_newer_build_writes_is_told_apart_from_rubbish() {
        for newer in [r#"{"v":2,"new":true}"#, r#"{"v":2,"kind":7}"#, r#"{"v":2,"kind":"verify_key"}"#] {
            assert!(matches!(Message::decode(newer.as_bytes()), Err(DecodeError::Version(2))), "{newer}");
        }
        let unknown = Message::decode(br#"{"v":1,"kind":"no_such_kind"}"#);
        assert!(matches!(unknown, Err(DecodeError::UnknownKind(kind)) if kind == "no_such_kind"));
        let no_kind = [r#"{"v":1,"kind":""}"#, r#"{"v":1,"kind":"No such kind"}"#, r#"{"v":1,"kind":7}"#];
        let known = [r#"{"v":1,"kind":"verify_key"}"#, r#"{"v":1,"kind":"audited"}"#, r#"{"v":1}"#];
        let other = [&b""[..], b"{}", b"[]", b"\xff\xfe", br#"{"v":1,"kind":"no_such_kind""#];
        for rubbish in no_kind.into_iter().chain(known).map(str::as_bytes).chain(other) {
            assert!(matches!(Message::decode(rubbish), Err(DecodeError::Malformed(_))), "{rubbish:?}");
        }
    }

    #[test]
    fn the_names_are_those_of_every_kind_that_can_be_read() {
        let expected = |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let commands = serde_json::from_str::<Command>(r#"{"kind":"?"}"#).map_err(|error| error.to_string());
        assert!(commands.is_err_and(|error| error.contains(&format!("one of {} at", expected(&Command::NAMES)))));
        let events = serde_json::from_str::<Event>(r#"{"kind":"?"}"#).map_err(|error| error.to_string());
        assert!(events.is_err_and(|error| error.contains(&format!("one of {} at", expected(&Event::NAMES)))));
    }

    #[test]
    fn handling_a_message_twice_yields_the_same_event_id() {
        let message = verify();
        let started = |ms| message.event(Event::OperationStarted { observed_at: Timestamp::from_ms(ms) });
        assert_eq!(started(1).id, started(2).id);
        assert_ne!(started(1).id, message.event(Event::OperationSucceeded { observed_at: Timestamp::from_ms(1) }).id);
    }
}
