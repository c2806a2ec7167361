//! Which sessions of PostgreSQL are not used again. Touches no session itself.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use tokio::sync::watch;

/// When a session last was not what it has to be: on a server that only reads, or not in its role. Connections from
/// before are not used again: where an address moved on to another server, a session that stays open would find the old
/// one for ever.
static DISTRUSTED: LazyLock<watch::Sender<Option<Instant>>> = LazyLock::new(|| watch::Sender::new(None));

/// Has the sessions of now replaced; at most once a second, so that reads go on while a server takes no writes.
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

/// Hears each time that the sessions of now are not used again.
pub(crate) fn distrusted() -> watch::Receiver<Option<Instant>> {
    DISTRUSTED.subscribe()
}

/// Since when sessions from before are not used again, if at all.
pub(crate) fn last() -> Option<Instant> {
    *DISTRUSTED.borrow()
}
