//! Bytes as lower-case hexadecimal digits. Not constant-time: unfit for secrets whose timing could be observed.

/// Returns the digits of `bytes`.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        text.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        text.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
        text
    })
}

/// Reads [`to_hex`] in either case; `None` unless the text is exactly `N` bytes.
#[must_use]
pub fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_bytes_of_digits_are_read_back() {
        assert_eq!(to_hex(&[0, 0x0f, 0xa5]), "000fa5");
        assert_eq!(from_hex("000FA5"), Some([0, 0x0f, 0xa5]));
        for text in ["", "000fa", "000fa500", "000fg5", "00 fa5", "+00fa5", "00\u{e9}a5"] {
            assert_eq!(from_hex::<3>(text), None, "{text}");
        }
    }
}
