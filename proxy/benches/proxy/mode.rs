//! The kinds of calls that are compared.

/// One kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mode {
    pub(crate) name: &'static str,
    /// Callers at once, each with a connection of its own.
    pub(crate) connections: usize,
    /// Whether the answer is a stream of events.
    pub(crate) stream: bool,
    /// How long the request's body is, about.
    pub(crate) body_bytes: usize,
}

/// The body of a call that is nothing special.
pub(crate) const PLAIN_BYTES: usize = 300;

/// All of them, in the order of the table.
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
