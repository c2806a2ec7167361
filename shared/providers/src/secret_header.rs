//! Values of headers that hold a secret: marked as such, and wiped when the last of their copies is dropped, which all
//! share one buffer.

use bytes::Bytes;
use http::HeaderValue;
use keyway_vault::SecretString;

use crate::BadSecret;

/// Buffer that is wiped when it is dropped.
struct Buffer(SecretString);

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.0.plain().as_bytes()
    }
}

/// Makes the text a header's value.
///
/// # Errors
/// No header can carry it.
pub fn secret_header(text: SecretString) -> Result<HeaderValue, BadSecret> {
    if !text.plain().is_ascii() {
        return Err(BadSecret);
    }
    let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(Buffer(text))).map_err(|_| BadSecret)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        os::unix::fs::FileExt,
    };

    use super::*;

    /// Returns `true` if the memory that this process may write to holds a text, which is given backwards: else it would
    /// find what it looks for in its own hands.
    fn is_in_memory(backwards: &[u8]) -> bool {
        let (maps, memory) = (fs::read_to_string("/proc/self/maps").unwrap(), File::open("/proc/self/mem").unwrap());
        let mut piece = vec![0; 1 << 20];
        let own = piece.as_ptr() as u64..piece.as_ptr() as u64 + piece.len() as u64;
        let ranges = maps
            .lines()
            .filter(|line| line.contains(" rw-p "))
            .filter_map(|line| line.split_once(' ')?.0.split_once('-'));
        for (from, to) in ranges {
            let [from, to] = [from, to].map(|text| u64::from_str_radix(text, 16).unwrap());
            for at in (from..to).step_by(piece.len()) {
                let length = piece.len().min(usize::try_from(to - at).unwrap());
                // A range may be gone, or be one that nobody can read.
                if memory.read_exact_at(&mut piece[..length], at).is_ok()
                    && places(&piece[..length], backwards).any(|place| !own.contains(&(at + place as u64)))
                {
                    return true;
                }
            }
        }
        false
    }

    fn places<'a>(piece: &'a [u8], backwards: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
        let length = backwards.len() - 1;
        let ends = memchr::memchr_iter(backwards[0], piece).filter(move |end| *end >= length);
        ends.map(move |end| end - length).filter(move |at| piece[*at..=at + length].iter().rev().eq(backwards))
    }

    #[test]
    fn nothing_of_a_secret_is_left_behind_its_header() {
        let backwards = letters();
        let value = {
            let text: Vec<u8> = backwards.iter().rev().copied().collect();
            secret_header(SecretString::new(String::from_utf8(text).unwrap())).unwrap()
        };
        let (copy, end) = (value.clone(), &backwards[..24]);
        assert!(value.is_sensitive() && value.len() == backwards.len() && is_in_memory(end));
        drop(value);
        assert!(is_in_memory(end), "the copy has it");
        drop(copy);
        assert!(!is_in_memory(end));
    }

    /// Letters that are nowhere else in memory.
    fn letters() -> Vec<u8> {
        let mut random = [0; 64];
        std::io::Read::read_exact(&mut File::open("/dev/urandom").unwrap(), &mut random).unwrap();
        random.iter().map(|byte| b'a' + byte % 26).collect()
    }

    #[test]
    fn what_no_header_can_carry_is_refused() {
        for bad in ["sk-\u{e9}", "sk-\n", "sk-\u{7f}"] {
            assert!(secret_header(SecretString::new(bad.to_owned())).is_err(), "{bad:?}");
        }
    }
}
