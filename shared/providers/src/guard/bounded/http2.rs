//! Frames of one HTTP/2 connection: a host may send as many heads as the calls on it can have, and only so many frames
//! that bring no call anything, such as pings.

use std::time::{Duration, Instant};

use super::piece::{Flood, MAX_INTERIM_HEADS, Piece};

/// Bytes that a client sends before its first frame (RFC 9113, section 3.4).
const PREFACE_BYTES: usize = 24;
const HEAD_BYTES: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
/// Heads of one answer: interim ones, the final one and the trailers.
const HEADS_OF_ANSWER: u32 = MAX_INTERIM_HEADS + 2;
/// Largest number of heads that are still allowed, however many requests were sent.
const MAX_HEADS: u32 = 64 * HEADS_OF_ANSWER;
/// Other frames that are allowed at once, and again after each [`REFILL`].
const MAX_OTHERS: u32 = 1024;
const REFILL: Duration = Duration::from_secs(1);
/// Largest number of other frames that can be allowed at once, when requests and answers have brought more.
const MAX_SAVED_OTHERS: u32 = 4 * MAX_OTHERS;
/// Other frames that a frame of a request brings: changes of windows, answers to pings.
const OTHERS_FOR_FRAME: u32 = 8;

/// What has passed on one connection.
pub(super) struct Http2 {
    sent: Frames,
    received: Frames,
    /// Heads that are still allowed.
    heads: u32,
    /// Other frames that are still allowed.
    others: u32,
    refilled_at: Instant,
}

/// The frames of one direction.
#[derive(Default)]
struct Frames {
    head: [u8; HEAD_BYTES],
    /// Bytes of the next frame's head that are there.
    there: usize,
    /// Bytes to come that are no frame's head.
    skipped: usize,
}

impl Default for Http2 {
    fn default() -> Self {
        let sent = Frames { skipped: PREFACE_BYTES, ..Frames::default() };
        Self { sent, received: Frames::default(), heads: 0, others: MAX_OTHERS, refilled_at: Instant::now() }
    }
}

impl Http2 {
    /// Reads a piece that was sent.
    pub(super) fn sent(&mut self, mut piece: &[u8]) {
        while let Some((kind, _)) = self.sent.next(&mut piece) {
            if kind == HEADERS {
                self.heads = (self.heads + HEADS_OF_ANSWER).min(MAX_HEADS);
            }
            if matches!(kind, DATA | HEADERS) {
                self.others = (self.others + OTHERS_FOR_FRAME).min(MAX_SAVED_OTHERS);
            }
        }
    }

    /// Reads a piece that has come.
    pub(super) fn received(&mut self, mut piece: &[u8]) -> Result<Piece, Flood> {
        let mut seen = Piece::Idle;
        while let Some((kind, length)) = self.received.next(&mut piece) {
            match kind {
                DATA if length > 0 => {
                    self.others = (self.others + 1).min(MAX_SAVED_OTHERS);
                    seen = Piece::Ordinary;
                }
                HEADERS => {
                    self.heads = self.heads.checked_sub(1).ok_or(Flood)?;
                    seen = Piece::Ordinary;
                }
                _ => self.take_other()?,
            }
        }
        // Only what is nothing but such frames waits for its turn.
        Ok(if self.others < MAX_OTHERS / 2 { seen } else { Piece::Ordinary })
    }

    fn take_other(&mut self) -> Result<(), Flood> {
        if self.others == 0 {
            if self.refilled_at.elapsed() < REFILL {
                return Err(Flood);
            }
            (self.others, self.refilled_at) = (MAX_OTHERS, Instant::now());
        }
        self.others -= 1;
        Ok(())
    }
}

impl Frames {
    /// Returns the kind and the length of the next frame whose head is complete, and cuts the piece behind it.
    fn next(&mut self, piece: &mut &[u8]) -> Option<(u8, usize)> {
        let skipped = self.skipped.min(piece.len());
        self.skipped -= skipped;
        *piece = &piece[skipped..];
        let taken = (HEAD_BYTES - self.there).min(piece.len());
        self.head[self.there..self.there + taken].copy_from_slice(&piece[..taken]);
        self.there += taken;
        *piece = &piece[taken..];
        if self.there < HEAD_BYTES {
            return None;
        }
        let [high, middle, low, kind, ..] = self.head;
        let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        (self.there, self.skipped) = (0, length);
        Some((kind, length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: u8 = 6;

    fn frame(kind: u8, length: u8) -> Vec<u8> {
        [vec![0, 0, length, kind, 0, 0, 0, 0, 1], vec![0xff; usize::from(length)]].concat()
    }

    /// Sends this many requests in pieces, each of one frame.
    fn asked(requests: usize, cut: usize) -> Http2 {
        let mut http2 = Http2::default();
        let sent = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(HEADERS, 30).repeat(requests)].concat();
        sent.chunks(cut).for_each(|piece| http2.sent(piece));
        http2
    }

    fn reads(http2: &mut Http2, frames: &[u8], cut: usize) -> bool {
        frames.chunks(cut).all(|piece| http2.received(piece).is_ok())
    }

    #[test]
    fn a_call_has_a_few_interim_heads_and_no_more_however_they_are_cut() {
        for cut in [1, 5, 9, 4096] {
            let answer = [frame(HEADERS, 3), frame(DATA, 200)].concat();
            assert!(reads(&mut asked(1, cut), &[frame(HEADERS, 1).repeat(16), answer.clone()].concat(), cut));
            assert!(!reads(&mut asked(1, cut), &frame(HEADERS, 1).repeat(20), cut), "cut {cut}");
            assert!(reads(&mut asked(2, cut), &frame(HEADERS, 1).repeat(20), cut));
            assert!(!reads(&mut asked(500, cut), &frame(HEADERS, 1).repeat(64 * 18 + 1), cut));
            assert!(!reads(&mut asked(0, cut), &answer, cut), "nobody asked");
        }
    }

    #[test]
    fn frames_that_bring_nothing_are_bounded_and_data_is_not() {
        let mut http2 = asked(1, 9);
        assert!(reads(&mut http2, &frame(HEADERS, 3), 9) && reads(&mut http2, &frame(DATA, 9).repeat(5000), 4096));
        for nothing in [frame(PING, 8), frame(DATA, 0), frame(0xbe, 1), frame(4, 0), frame(9, 1)] {
            let mut http2 = asked(1, 9);
            assert!(reads(&mut http2, &nothing.repeat(1000), 4096));
            assert!(!reads(&mut http2, &nothing.repeat(40), 4096), "{nothing:?}");
            http2.refilled_at -= REFILL;
            assert!(reads(&mut http2, &nothing.repeat(1000), 4096), "later it may again");
        }
    }
}
