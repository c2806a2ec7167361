//! Messages: what travels on the bus. Ids and numbers, never content or secrets.
//!
//! The version comes first in the body so that a reader can refuse a future format before it reads on.

use serde::{Deserialize, Serialize};

use crate::{
    AuditEvent, Code, IntegrationId, Lane, MessageId, MeteredCall, OperationId, OperationKind, Route, TenantId,
    Timestamp, UsageWindow, Verdict, VirtualKeyId,
};

/// The body format this build writes, and the only one it reads.
pub const MESSAGE_VERSION: u16 = 1;

/// One message: a command, an event, a batch of metered calls or a cache invalidation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The body format.
    pub v: u16,
    /// The AMQP `message_id`, the outbox row's key, and the key under which an effect is done once.
    pub id: MessageId,
    /// Whose data it is about.
    pub tenant_id: TenantId,
    /// The operation it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<OperationId>,
    /// The attempt of that operation, from 1.
    #[serde(default = "first_attempt")]
    pub attempt: u32,
    /// W3C trace context of the request that started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// When it was first written, for wait-time metrics.
    pub created_at: Timestamp,
    /// What it says.
    #[serde(flatten)]
    pub body: Body,
}

/// What a message says; `kind` is its name on the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Body {
    /// Do something.
    Command(Command),
    /// Something happened.
    Event(Event),
}

/// Work for a lane, imperative.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Command {
    /// Open the secret, probe the provider, report a verdict with evidence.
    VerifyKey {
        /// Whose secret.
        integration_id: IntegrationId,
        /// Which version of the secret; an older one is not worth a probe any more.
        secret_version: i32,
        /// True for the second probe, which confirms that a key is wrong.
        confirming: bool,
    },
    /// Write one `FetchUsage` for every active integration of the tenant.
    PlanUsage {
        /// What to fetch.
        window: UsageWindow,
        /// Children become due spread over this many milliseconds (0: at once).
        spread_ms: u64,
    },
    /// Fetch one integration's usage and upsert it by natural key.
    FetchUsage {
        /// Whose usage.
        integration_id: IntegrationId,
        /// What to fetch.
        window: UsageWindow,
    },
    /// Append proxied calls to the metered ledger.
    MeterCalls {
        /// The calls; each is recorded once by its request id.
        calls: Vec<MeteredCall>,
    },
}

/// Something that happened, past tense.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// A worker took up an attempt.
    OperationStarted {
        /// When.
        observed_at: Timestamp,
    },
    /// The operation reached its end.
    OperationSucceeded {
        /// When.
        observed_at: Timestamp,
    },
    /// The attempt was inconclusive; the status writer schedules the next one.
    OperationDeferred {
        /// Why.
        code: Code,
        /// When the next attempt is due.
        due_at: Timestamp,
        /// What the next attempt does.
        next: Command,
        /// When.
        observed_at: Timestamp,
    },
    /// The operation was given up.
    OperationFailed {
        /// Why.
        code: Code,
        /// When.
        observed_at: Timestamp,
    },
    /// A probe found this.
    KeyVerified {
        /// Whose secret.
        integration_id: IntegrationId,
        /// Which version of it.
        secret_version: i32,
        /// What was found; `verdict.checked_at` is when.
        verdict: Verdict,
    },
    /// A plan wrote its children.
    UsagePlanned {
        /// How many there are.
        total: i64,
        /// When.
        observed_at: Timestamp,
    },
    /// A fetch ended: rows upserted, or why the provider reports nothing for this key.
    UsageFetched {
        /// Whose usage.
        integration_id: IntegrationId,
        /// Rows upserted.
        rows: i64,
        /// Why nothing can be reported with this key, if that is so.
        not_reportable: Option<String>,
        /// When.
        observed_at: Timestamp,
    },
    /// Something that belongs in the audit log.
    Audited(AuditEvent),
    /// Something cached is out of date.
    Invalidated(Invalidation),
}

/// What a cache has to drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Invalidation {
    /// A virtual key was changed, revoked or deleted.
    VirtualKey {
        /// Which one.
        id: VirtualKeyId,
    },
    /// An integration of the tenant changed: status, secret, host or existence.
    Integrations,
    /// A custom provider of the tenant changed.
    Providers,
}

/// Why bytes are not a message.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not JSON, or not of a known kind and shape: file it as a dead letter.
    #[error("the body is not a message of a known kind: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Written by a newer build: park it until this process is upgraded.
    #[error("the body has format version {0}; this build reads version {MESSAGE_VERSION}")]
    Version(u16),
}

impl Message {
    /// The first attempt of a command that belongs to an operation.
    #[must_use]
    pub fn command(tenant_id: TenantId, operation_id: OperationId, command: Command) -> Self {
        let id = MessageId::of_attempt(operation_id, 1);
        Self { operation_id: Some(operation_id), ..Self::new(id, tenant_id, Body::Command(command)) }
    }

    /// An event or command outside any operation.
    #[must_use]
    pub fn new(id: MessageId, tenant_id: TenantId, body: Body) -> Self {
        Self {
            v: MESSAGE_VERSION,
            id,
            tenant_id,
            operation_id: None,
            attempt: 1,
            traceparent: None,
            created_at: Timestamp::now(),
            body,
        }
    }

    /// An event that follows from handling this message. Handling it again yields the same id.
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

    /// Where it goes.
    #[must_use]
    pub const fn route(&self) -> Route {
        match &self.body {
            Body::Command(command) => Route::Lane(command.lane()),
            Body::Event(event) => event.route(),
        }
    }

    /// Its kind on the wire.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match &self.body {
            Body::Command(command) => command.name(),
            Body::Event(event) => event.name(),
        }
    }

    /// The bytes that travel.
    ///
    /// # Errors
    /// Never for messages built by this crate; the type says so because serde cannot.
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        Ok(serde_json::to_vec(self)?)
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// [`DecodeError::Version`] for a newer format, [`DecodeError::Malformed`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        #[derive(Deserialize)]
        struct Versioned {
            v: u16,
        }
        serde_json::from_slice::<Self>(bytes)
            .map_err(|error| match serde_json::from_slice::<Versioned>(bytes) {
                Ok(Versioned { v }) if v != MESSAGE_VERSION => DecodeError::Version(v),
                _ => DecodeError::Malformed(error),
            })
            .and_then(
                |message| if message.v == MESSAGE_VERSION { Ok(message) } else { Err(DecodeError::Version(message.v)) },
            )
    }
}

impl Command {
    /// Its kind on the wire.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::VerifyKey { .. } => "verify_key",
            Self::PlanUsage { .. } => "plan_usage",
            Self::FetchUsage { .. } => "fetch_usage",
            Self::MeterCalls { .. } => "meter_calls",
        }
    }

    /// The lane that handles it.
    #[must_use]
    pub const fn lane(&self) -> Lane {
        match self {
            Self::VerifyKey { .. } => Lane::Verify,
            Self::PlanUsage { .. } => Lane::UsagePlan,
            Self::FetchUsage { .. } => Lane::UsageFetch,
            Self::MeterCalls { .. } => Lane::Meter,
        }
    }

    /// The kind of operation it is an attempt of; `None` for work outside operations.
    #[must_use]
    pub const fn operation_kind(&self) -> Option<OperationKind> {
        match self {
            Self::VerifyKey { .. } => Some(OperationKind::VerifyKey),
            Self::PlanUsage { .. } => Some(OperationKind::PlanUsage),
            Self::FetchUsage { .. } => Some(OperationKind::FetchUsage),
            Self::MeterCalls { .. } => None,
        }
    }
}

impl Event {
    /// Its kind on the wire.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::OperationStarted { .. } => "operation_started",
            Self::OperationSucceeded { .. } => "operation_succeeded",
            Self::OperationDeferred { .. } => "operation_deferred",
            Self::OperationFailed { .. } => "operation_failed",
            Self::KeyVerified { .. } => "key_verified",
            Self::UsagePlanned { .. } => "usage_planned",
            Self::UsageFetched { .. } => "usage_fetched",
            Self::Audited(_) => "audited",
            Self::Invalidated(_) => "invalidated",
        }
    }

    /// Where it goes.
    #[must_use]
    pub const fn route(&self) -> Route {
        match self {
            Self::Audited(_) => Route::Lane(Lane::Audit),
            Self::Invalidated(_) => Route::Invalidate,
            _ => Route::Lane(Lane::Status),
        }
    }
}

const fn first_attempt() -> u32 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_newer_format_is_told_apart_from_rubbish() {
        assert!(matches!(Message::decode(br#"{"v":2,"new":true}"#), Err(DecodeError::Version(2))));
        for rubbish in [&b""[..], b"{}", b"[]", b"{\"v\":1}", b"\xff\xfe", b"{\"v\":1,\"kind\":\"no_such_kind\"}"] {
            assert!(matches!(Message::decode(rubbish), Err(DecodeError::Malformed(_))), "{rubbish:?}");
        }
    }

    #[test]
    fn handling_a_message_twice_yields_the_same_event_id() {
        let message = verify();
        let started = |ms| message.event(Event::OperationStarted { observed_at: Timestamp::from_ms(ms) });
        assert_eq!(started(1).id, started(2).id);
        assert_ne!(started(1).id, message.event(Event::OperationSucceeded { observed_at: Timestamp::from_ms(1) }).id);
    }
}
