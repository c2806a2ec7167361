//! Kinds of calls that are compared.

/// One kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mode {
    pub(crate) name: &'static str,
    /// Number of concurrent callers, each with a connection of its own.
    pub(crate) connections: usize,
    /// `true` if the answer is an event stream.
    pub(crate) stream: bool,
    /// Approximate length of the request's body, in bytes.
    pub(crate) body_bytes: usize,
}

/// Body length of an ordinary call.
pub(crate) const PLAIN_BYTES: usize = 300;

/// All kinds, in the order of the table.
pub(crate) const MODES: [Mode; 8] = [
    Mode::new("plain", 1, false, PLAIN_BYTES),
    Mode::new("plain", 32, false, PLAIN_BYTES),
    Mode::new("plain", 128, false, PLAIN_BYTES),
    Mode::new("10 KB", 32, false, 10 << 10),
    Mode::new("1 MB", 32, false, 1 << 20),
    Mode::new("stream", 1, true, PLAIN_BYTES),
    Mode::new("stream", 32, true, PLAIN_BYTES),
    Mode::new("stream", 128, true, PLAIN_BYTES),
];

impl Mode {
    pub(crate) const fn new(name: &'static str, connections: usize, stream: bool, body_bytes: usize) -> Self {
        Self { name, connections, stream, body_bytes }
    }
}
