//! Reads the messages in one direction of a WebSocket (RFC 6455): the provider's for their figures, the caller's first
//! one for its model. Changes no byte that passes, and keeps of a long message only the fields with figures.

use keyway_providers::Document;

const CLOSE: u8 = 8;

/// The messages of one direction.
#[derive(Default)]
pub(crate) struct Frames {
    /// Head of a frame, until it is complete.
    head: Vec<u8>,
    /// Number of bytes of the current frame's payload that are still to come.
    left: u64,
    /// Mask of a caller's payload, rotated to its next byte.
    mask: Option<[u8; 4]>,
    /// Payloads of the current message's frames so far, or the fields picked from them.
    message: Document,
    is_control: bool,
    is_final: bool,
    closed: bool,
    /// `true` if messages are ignored from here on.
    ignores: bool,
}

impl Frames {
    /// Ignores messages from here on and reads the heads of frames only.
    pub(crate) const fn ignore_messages(&mut self) {
        self.ignores = true;
    }

    /// Reads bytes that pass; calls `see` with every complete message.
    pub(crate) fn pass(&mut self, mut bytes: &[u8], mut see: impl FnMut(&[u8])) {
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
                if !self.is_control && !self.ignores {
                    self.keep(payload);
                }
            }
            if self.head.is_empty() && self.left == 0 && !self.is_control && self.is_final {
                see(self.message.text());
                self.message.clear();
                self.is_final = false;
            }
        }
    }

    /// Returns `true` if no frame has begun that has not ended.
    pub(crate) const fn is_between(&self) -> bool {
        self.head.is_empty() && self.left == 0
    }

    /// Returns `true` if the sending side has sent a close frame.
    pub(crate) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Begins the payload when the head is complete: two bytes, an extended length, and the mask, if any.
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
        match &mut self.mask {
            None => self.message.push(payload),
            Some(mask) => {
                let plain: Vec<u8> = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
                self.message.push(&plain);
                mask.rotate_left(payload.len() % 4);
            }
        }
    }
}

#[cfg(test)]
mod tests {
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
        let long = format!(r#"{{"x":"{}","model":"m"}}"#, "x".repeat(70_000)).into_bytes();
        let bytes = [
            frame(0x81, b"one"),
            frame(0x01, b"tw"),
            frame(0x89, b"ping"),
            frame(0x00, b""),
            frame(0x80, b"o"),
            frame(0x82, &long[..200]),
            frame(0x81, &long),
            frame(0x81, b""),
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
            // Of a message of any length what figures are read from is picked.
            br#"{"model":"m"}"#.to_vec(),
            vec![],
            b"end".into(),
            b"masked!?".into(),
        ];
        for cut in [1, 3, 1000, bytes.len()] {
            assert_eq!(messages(&bytes, cut), (expected.clone(), true), "cut {cut}");
        }
    }
}
