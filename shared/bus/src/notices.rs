//! Notices as the pages of this process see them. Best effort: a gap is reported, not filled.

use keyway_domain::Notice;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// Version of the wire form.
const VERSION: u32 = 1;

/// Signal to pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticeSignal {
    /// These rows changed.
    Changed(Vec<Notice>),
    /// Notices may have been missed: what is shown may be out of date.
    Lost,
}

/// A subscription to notices.
#[derive(Debug)]
pub struct NoticeStream(Receiver<NoticeSignal>);

/// The wire form.
#[derive(Serialize, Deserialize)]
struct Wire {
    v: u32,
    notices: Vec<Notice>,
}

impl NoticeStream {
    /// Returns the next signal; `None` when the bus is gone.
    pub async fn next(&mut self) -> Option<NoticeSignal> {
        match self.0.recv().await {
            Ok(signal) => Some(signal),
            Err(RecvError::Lagged(_)) => Some(NoticeSignal::Lost),
            Err(RecvError::Closed) => None,
        }
    }

    pub(crate) const fn new(receiver: Receiver<NoticeSignal>) -> Self {
        Self(receiver)
    }
}

impl NoticeSignal {
    /// Decodes a body of the notice exchange; one that cannot be read may be about anything.
    pub(crate) fn decode(body: &[u8]) -> Self {
        match serde_json::from_slice(body) {
            Ok(Wire { v: VERSION, notices }) => Self::Changed(notices),
            _ => Self::Lost,
        }
    }
}

/// Encodes notices for the exchange; `None`: there are none.
pub(crate) fn encode(notices: Vec<Notice>) -> Option<Vec<u8>> {
    let wire = Wire { v: VERSION, notices };
    if wire.notices.is_empty() { None } else { serde_json::to_vec(&wire).ok() }
}

#[cfg(test)]
mod tests {
    use keyway_domain::{Noticed, TenantId, Timestamp};

    use super::*;

    #[test]
    fn what_cannot_be_read_counts_as_a_gap() {
        let notices = vec![Notice::new(TenantId::new(), Noticed::Status(None), Timestamp::from_ms(1))];
        assert_eq!(NoticeSignal::decode(&encode(notices.clone()).unwrap()), NoticeSignal::Changed(notices));
        assert!(encode(Vec::new()).is_none());
        for body in [&b"{}"[..], b"", br#"{"v":2,"notices":[]}"#] {
            assert_eq!(NoticeSignal::decode(body), NoticeSignal::Lost);
        }
    }
}
