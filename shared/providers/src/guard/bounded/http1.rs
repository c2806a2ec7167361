//! The beginning of an answer over HTTP/1.1: blank lines and interim heads, until a status line says that the head is
//! final. Whatever else it may be is left to the HTTP library, which reads no further then.

use super::piece::{Flood, MAX_INTERIM_HEADS, Piece};

/// Largest number of bytes of interim heads and blank lines before one answer.
const MAX_BYTES: usize = 64 << 10;
/// Beginning of a status line, up to the minor version.
const VERSION: &[u8] = b"HTTP/1.";
/// Place of a status line's first digit of the status.
const STATUS: usize = VERSION.len() + 2;

/// Position in what a host sends on one connection. It begins anew with each request that is sent.
#[derive(Default)]
pub(super) struct Http1 {
    at: At,
    bytes: usize,
    heads: u32,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum At {
    /// Behind so many bytes of a status line.
    StatusLine(usize),
    /// Behind the status line of an interim head; `true` at the beginning of a line.
    Interim(bool),
    /// In an answer, or between two.
    #[default]
    Answer,
    /// Behind the answer after which the connection speaks another protocol.
    Upgraded,
}

impl Http1 {
    /// Notes that something was sent: unless an answer is being waited for, it is a request.
    pub(super) fn sent(&mut self) {
        if self.at == At::Answer {
            *self = Self { at: At::StatusLine(0), bytes: 0, heads: 0 };
        }
    }

    /// Reads a piece that has come.
    pub(super) fn received(&mut self, piece: &[u8]) -> Result<Piece, Flood> {
        match self.at {
            At::Answer | At::Upgraded => return Ok(Piece::Ordinary),
            // Nearly every answer: its status line is there at once, and is final.
            At::StatusLine(0) if piece.get(STATUS).is_some_and(|it| *it != b'1') && piece[0] == VERSION[0] => {
                self.at = At::Answer;
                return Ok(Piece::Ordinary);
            }
            At::StatusLine(_) | At::Interim(_) => {}
        }
        for (index, byte) in piece.iter().enumerate() {
            self.at = self.behind(*byte);
            if self.heads > MAX_INTERIM_HEADS || self.bytes + index >= MAX_BYTES {
                return Err(Flood);
            }
            if matches!(self.at, At::Answer | At::Upgraded) {
                return Ok(Piece::Ordinary);
            }
        }
        self.bytes += piece.len();
        Ok(Piece::Idle)
    }

    fn behind(&mut self, byte: u8) -> At {
        match self.at {
            At::StatusLine(0) if matches!(byte, b'\r' | b'\n') => At::StatusLine(0),
            At::StatusLine(at) => {
                let is_as_expected = match at {
                    STATUS => byte == b'1',
                    _ if at == STATUS - 1 => byte == b' ',
                    _ if at >= VERSION.len() => byte.is_ascii_digit(),
                    _ => byte == VERSION[at],
                };
                // A zero and a one: the connection switches protocols.
                match at {
                    _ if !is_as_expected => At::Answer,
                    _ if at == STATUS + 1 && byte != b'0' => At::Interim(false),
                    _ if at == STATUS + 2 => {
                        if byte == b'1' {
                            At::Upgraded
                        } else {
                            At::Interim(false)
                        }
                    }
                    _ => At::StatusLine(at + 1),
                }
            }
            At::Interim(true) if byte == b'\n' => {
                self.heads += 1;
                At::StatusLine(0)
            }
            At::Interim(is_blank) => At::Interim(byte == b'\n' || is_blank && byte == b'\r'),
            at => at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EARLY: &str = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";
    const FINAL: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

    /// Reads the pieces of an answer to one request; returns `true` for too much, else whether its final head has begun.
    fn read(text: &str, cut: usize) -> (bool, bool) {
        let mut http1 = Http1::default();
        http1.sent();
        for piece in text.as_bytes().chunks(cut) {
            if http1.received(piece).is_err() {
                return (true, false);
            }
        }
        (false, matches!(http1.at, At::Answer | At::Upgraded))
    }

    #[test]
    fn a_few_interim_heads_pass_and_many_do_not_however_they_are_cut() {
        let many = |count: usize| EARLY.repeat(count);
        let bare = |count: usize| "HTTP/1.0 100\n\n".repeat(count);
        for (text, expected) in [
            (FINAL.to_owned(), (false, true)),
            (many(16) + FINAL, (false, true)),
            (many(20), (true, false)),
            (many(17) + FINAL, (true, false)),
            (bare(16) + FINAL, (false, true)),
            (bare(20), (true, false)),
            ("\r\n\n".repeat(5) + FINAL, (false, true)),
            ("\n".repeat(MAX_BYTES + 1), (true, false)),
            (format!("HTTP/1.1 102 x\r\nx: {}", "y".repeat(MAX_BYTES)), (true, false)),
            ("HTTP/1.1 101 Switching Protocols\r\n\r\n".to_owned() + &many(20), (false, true)),
            ("HTTP/1.1 110 x\r\n\r\n".repeat(20), (true, false)),
            ("HTTP/1.1 100 Continue\r\n".to_owned(), (false, false)),
            ("nothing of the kind".to_owned() + &many(20), (false, true)),
        ] {
            for cut in [1, 2, 7, text.len()] {
                assert_eq!(read(&text, cut), expected, "{:?} cut {cut}", &text[..text.len().min(60)]);
            }
        }
    }

    #[test]
    fn each_answer_counts_alone_and_its_body_never() {
        let mut http1 = Http1::default();
        for _ in 0..3 {
            http1.sent();
            assert!(http1.received((EARLY.repeat(10) + FINAL).as_bytes()).is_ok());
            // A body may say what it likes, and be as long as it likes.
            assert!(http1.received(EARLY.repeat(20).as_bytes()).is_ok_and(|piece| piece == Piece::Ordinary));
        }
    }
}
