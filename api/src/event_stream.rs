//! The type of a stream of events, in place of an answer's body. Knows nothing of what is told.

use std::{convert::Infallible, fmt, pin::Pin};

use futures::Stream;
use warp::sse::Event;

/// Events of one page, for as long as it listens.
pub(crate) struct EventStream(pub(crate) Pin<Box<dyn Stream<Item = Result<Event, Infallible>> + Send + Sync>>);

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventStream")
    }
}
