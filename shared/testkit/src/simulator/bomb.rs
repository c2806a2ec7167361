//! A gzip stream that is small on the wire and large once decompressed.

use bytes::Bytes;

/// Number of runs of 258 zeros: 150 MB.
const RUNS: usize = 600_000;

/// Compresses zeros into one deflate block of fixed codes: 13 bits per 258 of them.
pub(super) fn gzip() -> Bytes {
    let mut bits = Bits::default();
    // The last block, with fixed codes; then one zero to be repeated.
    bits.push(&[1, 1, 0]);
    bits.push(&[0, 0, 1, 1, 0, 0, 0, 0]);
    for _ in 0..RUNS {
        // A length of 258, at a distance of 1.
        bits.push(&[1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0]);
    }
    bits.push(&[0; 7]);
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    // The checksum comes too late to save anybody and is not worth computing.
    let unpacked = u32::try_from(RUNS * 258 + 1).unwrap_or(u32::MAX).to_le_bytes();
    [&head[..], &bits.bytes, &[0; 4], &unpacked].concat().into()
}

/// A bit buffer in the order in which deflate reads bits.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    count: usize,
}

impl Bits {
    fn push(&mut self, bits: &[u8]) {
        for bit in bits {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= bit << (self.count % 8);
            }
            self.count += 1;
        }
    }
}
