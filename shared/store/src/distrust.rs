//! Which sessions of PostgreSQL are not used again. Touches no session itself.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use tokio::sync::watch;

/// Latest time at which a session was found on a read-only server or outside its role. Older connections are not used
/// again: if an address moved to another server, an open session would stay on the old one forever.
static DISTRUSTED: LazyLock<watch::Sender<Option<Instant>>> = LazyLock::new(|| watch::Sender::new(None));

/// Replaces all current sessions; at most once a second, so that reads go on while a server takes no writes.
pub(crate) fn distrust_sessions() {
    DISTRUSTED.send_if_modified(|last| {
        let now = Instant::now();
        let again = last.is_none_or(|last| now.duration_since(last) >= Duration::from_secs(1));
        if again {
            *last = Some(now);
        }
        again
    });
}

/// Subscribes to the replacement of sessions.
pub(crate) fn distrusted() -> watch::Receiver<Option<Instant>> {
    DISTRUSTED.subscribe()
}

/// Since when sessions from before are not used again, if at all.
pub(crate) fn last() -> Option<Instant> {
    *DISTRUSTED.borrow()
}
