//! Reads the messages in what one side of a WebSocket sends (RFC 6455): the provider's for their figures, the
//! caller's first one for its model. It changes nothing that passes and keeps no message longer than until it
//! was looked at.

use keyway_domain::TokenCounts;
use keyway_providers::{Metered, Provider};

/// Longer messages are not looked at: what carries figures is short.
const MAX_MESSAGE_BYTES: usize = 1 << 20;
const CLOSE: u8 = 8;

/// The messages of one direction.
#[derive(Default)]
pub(super) struct Frames {
    /// The head of a frame, until it is whole.
    head: Vec<u8>,
    /// Bytes of the present frame's payload that have not come yet.
    left: u64,
    /// What a caller's payload is masked with, from its next byte on.
    mask: Option<[u8; 4]>,
    /// Of a message: the payloads of its frames so far.
    message: Vec<u8>,
    is_control: bool,
    is_final: bool,
    too_long: bool,
    closed: bool,
}

impl Frames {
    /// Looks at bytes that pass; gives every whole message to `see`.
    pub(super) fn pass(&mut self, mut bytes: &[u8], mut see: impl FnMut(&[u8])) {
        while !bytes.is_empty() {
            if self.left == 0 {
                self.head.push(bytes[0]);
                bytes = &bytes[1..];
                self.read_head();
            } else {
                let here = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                let (payload, rest) = bytes.split_at(here);
                bytes = rest;
                self.left -= payload.len() as u64;
                if !self.is_control {
                    self.keep(payload);
                }
            }
            if self.head.is_empty() && self.left == 0 && !self.is_control && self.is_final {
                if !self.too_long {
                    see(&self.message);
                }
                self.message.clear();
                (self.is_final, self.too_long) = (false, false);
            }
        }
    }

    /// Whether the side that sends has said that it closes.
    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Begins the payload, when the head is whole: two bytes, a longer length, and a mask where there is one.
    fn read_head(&mut self) {
        let [first, second, rest @ ..] = self.head.as_slice() else { return };
        let extended: usize = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let is_masked = second & 0x80 != 0;
        let (long, mask) = rest.split_at(extended.min(rest.len()));
        if rest.len() < extended + if is_masked { 4 } else { 0 } {
            return;
        }
        self.mask = is_masked.then(|| mask.try_into().unwrap_or_default());
        let long = long.iter().fold(0, |length, byte| length << 8 | u64::from(*byte));
        self.left = if extended == 0 { u64::from(second & 0x7f) } else { long };
        let opcode = first & 0x0f;
        self.is_control = opcode >= CLOSE;
        self.closed |= opcode == CLOSE;
        if !self.is_control {
            self.is_final = first & 0x80 != 0;
        }
        self.head.clear();
    }

    fn keep(&mut self, payload: &[u8]) {
        self.too_long |= self.message.len() + payload.len() > MAX_MESSAGE_BYTES;
        if self.too_long {
            return;
        }
        match &mut self.mask {
            None => self.message.extend_from_slice(payload),
            Some(mask) => {
                self.message.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
                mask.rotate_left(payload.len() % 4);
            }
        }
    }
}

/// What the messages of a session say about its cost: each tells of one answer, and they add up.
#[derive(Default)]
pub(super) struct SessionFigures(Metered);

impl SessionFigures {
    /// Adds a message's figures.
    pub(super) fn see(&mut self, ways: &dyn Provider, message: &[u8]) {
        let mut found = Metered::default();
        if !ways.meter_event(&mut found, message) {
            return;
        }
        let before = std::mem::take(&mut self.0);
        let is_first = before.tokens == TokenCounts::default();
        self.0 = Metered {
            model: found.model.or(before.model),
            tokens: before.tokens.plus(found.tokens),
            cost_nano_usd: if is_first {
                found.cost_nano_usd
            } else {
                before.cost_nano_usd.zip(found.cost_nano_usd).map(|(a, b)| a + b)
            },
        };
    }

    /// All of them.
    pub(super) fn take(&mut self) -> Metered {
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use keyway_providers::{Catalog, for_spec};

    use super::*;

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match payload.len() {
            short @ 0..126 => frame.push(u8::try_from(short).unwrap()),
            long @ 126..65536 => {
                frame.push(126);
                frame.extend(u16::try_from(long).unwrap().to_be_bytes());
            }
            longer => {
                frame.push(127);
                frame.extend((longer as u64).to_be_bytes());
            }
        }
        frame.extend(payload);
        frame
    }

    fn messages(bytes: &[u8], cut: usize) -> (Vec<Vec<u8>>, bool) {
        let (mut frames, mut seen) = (Frames::default(), Vec::new());
        for piece in bytes.chunks(cut) {
            frames.pass(piece, |message| seen.push(message.to_vec()));
        }
        (seen, frames.is_closed())
    }

    #[test]
    fn messages_are_read_however_they_are_cut() {
        let long = vec![b'x'; 70_000];
        let bytes = [
            frame(0x81, b"one"),
            frame(0x01, b"tw"),
            frame(0x89, b"ping"),
            frame(0x00, b""),
            frame(0x80, b"o"),
            frame(0x82, &long[..200]),
            frame(0x81, &long),
            frame(0x81, b""),
            frame(0x81, &vec![b'y'; MAX_MESSAGE_BYTES + 1]),
            frame(0x81, b"end"),
            vec![0x01, 0x82, 1, 2, 3, 4, b'm' ^ 1, b'a' ^ 2],
            vec![0x80, 0x86, 5, 6, 7, 8, b's' ^ 5, b'k' ^ 6, b'e' ^ 7, b'd' ^ 8, b'!' ^ 5, b'?' ^ 6],
            vec![0x88, 0x82, 1, 2, 3, 4, 0, 0],
        ]
        .concat();
        let expected: Vec<Vec<u8>> = vec![
            b"one".into(),
            b"two".into(),
            long[..200].into(),
            long.clone(),
            vec![],
            b"end".into(),
            b"masked!?".into(),
        ];
        for cut in [1, 3, 1000, bytes.len()] {
            assert_eq!(messages(&bytes, cut), (expected.clone(), true), "cut {cut}");
        }
    }

    #[test]
    fn the_figures_of_a_session_add_up() {
        let catalog = Catalog::load(None).unwrap();
        let ways = for_spec(catalog.get("openai").unwrap());
        let done = |input, output| {
            format!(
                r#"{{"type":"response.done","response":{{"usage":{{"total_tokens":{},"input_tokens":{input},"output_tokens":{output},"input_token_details":{{"cached_tokens":4,"text_tokens":6,"audio_tokens":5}},"output_token_details":{{"text_tokens":1,"audio_tokens":2}}}}}}}}"#,
                input + output
            )
        };
        let mut figures = SessionFigures::default();
        for message in [r#"{"type":"session.created"}"#.to_owned(), done(11, 3), done(20, 5), "{}".to_owned()] {
            figures.see(&*ways, message.as_bytes());
        }
        let tokens = figures.take().tokens;
        assert_eq!((tokens.input, tokens.output, tokens.cached_input), (Some(31), Some(8), Some(8)));
        assert_eq!((tokens.audio_input, tokens.audio_output), (Some(10), Some(4)));
    }
}
