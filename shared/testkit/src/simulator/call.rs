//! A request to the simulator.

use bytes::Bytes;
use http::{HeaderMap, Method};

/// A request, read whole.
pub(super) struct Call {
    pub method: Method,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub key: Option<String>,
    pub body: Bytes,
}
