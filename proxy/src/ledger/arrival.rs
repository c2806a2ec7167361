//! The arrival of a request, and the bounds of what is kept of it: whether it is forwarded or refused.

use std::time::{Duration, Instant};

use keyway_domain::{RequestId, Timestamp};
use uuid::Builder;

/// Longest text in a record, in characters; longer ones are cut.
const MAX_TEXT_CHARS: usize = 300;

/// The time at which a request came in, and its id.
#[derive(Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) id: RequestId,
    pub(crate) at: Timestamp,
    pub(crate) clock: Instant,
}

impl Arrival {
    /// Notes a request that comes in now.
    pub(crate) fn now() -> Self {
        let at = Timestamp::now();
        // As any fresh id, but its random part comes from this thread's generator, without a system call.
        let uuid = Builder::from_unix_timestamp_millis(u64::try_from(at.ms()).unwrap_or(0), &rand::random());
        Self { id: RequestId::from_uuid(uuid.into_uuid()), at, clock: Instant::now() }
    }
}

/// Counts milliseconds, as a record has them.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Cuts a text that is too long.
pub(crate) fn bounded(mut text: String) -> String {
    if let Some((at, _)) = text.char_indices().nth(MAX_TEXT_CHARS) {
        text.truncate(at);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(bounded("é".repeat(400)).chars().count(), MAX_TEXT_CHARS);
    }
}
