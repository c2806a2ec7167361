//! What both protocols say of a piece that was read. Plain data.

/// Largest number of interim heads before one answer.
pub(super) const MAX_INTERIM_HEADS: u32 = 16;

/// Sign that a host has sent too much.
#[derive(Debug)]
pub(super) struct Flood;

/// Content of a piece that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Parts of answers, or nothing to wonder at.
    Ordinary,
    /// Something that is allowed, but not for long.
    Idle,
}
