//! The headers of messages on RabbitMQ: those that say why one is a dead letter, and those the broker counts in.
//!
//! Never fails: what cannot be read counts as not said.

use keyway_domain::{DeadReason, MessageId};
use lapin::{
    message::Delivery as Raw,
    types::{AMQPValue, FieldTable},
};

use crate::{dead, topology};

pub(crate) const REASON: &str = "keyway-reason";
pub(crate) const ERROR: &str = "keyway-error";
pub(crate) const ATTEMPTS: &str = "keyway-attempts";
/// Longest error in a header, in characters; headers must fit the broker's frame.
const ERROR_CHARS: usize = 500;

/// Returns the headers of a dead letter.
pub(crate) fn dead_letter_headers(reason: DeadReason, error: &str, attempts: u32) -> FieldTable {
    let error: String = error.chars().take(ERROR_CHARS).collect();
    topology::table([
        (REASON, topology::text(reason.name())),
        (ERROR, topology::text(&error)),
        (ATTEMPTS, AMQPValue::LongLongInt(attempts.into())),
    ])
}

/// Returns how often the broker had to take the message back. On a first delivery the header is ignored, as it comes
/// from the publisher.
pub(crate) fn crashes(raw: &Raw) -> u32 {
    if raw.redelivered { number(raw, "x-delivery-count") } else { 0 }
}

/// Returns a number in a message's headers; 0 if there is none.
pub(crate) fn number(raw: &Raw, name: &str) -> u32 {
    let value = raw.properties.headers().as_ref().and_then(|headers| headers.inner().get(name));
    match value {
        Some(AMQPValue::LongLongInt(number)) => u32::try_from(*number).unwrap_or(0),
        Some(AMQPValue::LongInt(number)) => u32::try_from(*number).unwrap_or(0),
        Some(AMQPValue::ShortInt(number)) => u32::try_from(*number).unwrap_or(0),
        Some(AMQPValue::ShortShortInt(number)) => u32::try_from(*number).unwrap_or(0),
        _ => 0,
    }
}

/// A text in a message's headers.
pub(crate) fn text(raw: &Raw, name: &str) -> Option<String> {
    match raw.properties.headers().as_ref().and_then(|headers| headers.inner().get(name)) {
        Some(AMQPValue::LongString(text)) => Some(text.to_string()),
        _ => None,
    }
}

/// Returns the id of a message, which may be a foreign one.
pub(crate) fn message_id(raw: &Raw) -> MessageId {
    let named = raw.properties.message_id().as_ref().and_then(|id| id.as_str().parse().ok());
    named.unwrap_or_else(|| dead::id_of_body(&raw.data))
}
