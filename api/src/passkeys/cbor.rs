//! CBOR (RFC 8949), as far as authenticators write it: whole numbers, byte and text strings, lists, maps, booleans and
//! null, all of definite length. Whatever else comes is refused, and so is what is nested deeply.

const MOST_DEPTH: usize = 8;
const MOST_ITEMS: usize = 256;

/// Value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cbor {
    Int(i64),
    Bytes(Vec<u8>),
    Text(String),
    List(Vec<Self>),
    Map(Vec<(Self, Self)>),
    Simple(u8),
}

impl Cbor {
    /// Reads the value at the beginning; returns it with what follows it.
    pub(crate) fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        read(bytes, 0)
    }

    /// Returns the value of a text key.
    pub(crate) fn at(&self, key: &str) -> Option<&Self> {
        self.find(|own| matches!(own, Self::Text(text) if text == key))
    }

    /// Returns the value of a number key.
    pub(crate) fn at_number(&self, key: i64) -> Option<&Self> {
        self.find(|own| *own == Self::Int(key))
    }

    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    pub(crate) const fn int(&self) -> Option<i64> {
        if let Self::Int(int) = self { Some(*int) } else { None }
    }

    /// Returns the value of a key that is there once.
    fn find(&self, is_it: impl Fn(&Self) -> bool) -> Option<&Self> {
        let Self::Map(pairs) = self else { return None };
        let mut found = pairs.iter().filter(|(key, _)| is_it(key)).map(|(_, value)| value);
        found.next().filter(|_| found.next().is_none())
    }
}

fn read(bytes: &[u8], depth: usize) -> Option<(Cbor, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (kind, short) = (first >> 5, first & 0x1f);
    if kind == 7 {
        // False, true and null; floats are nowhere here.
        return (20..=22).contains(&short).then_some((Cbor::Simple(short), rest));
    }
    let (number, rest) = number(short, rest)?;
    let items = || usize::try_from(number).ok().filter(|items| *items <= MOST_ITEMS && depth < MOST_DEPTH);
    match kind {
        0 => Some((Cbor::Int(i64::try_from(number).ok()?), rest)),
        1 => Some((Cbor::Int(-1 - i64::try_from(number).ok()?), rest)),
        2 | 3 => {
            let (text, rest) = rest.split_at_checked(usize::try_from(number).ok()?)?;
            let text = text.to_vec();
            Some((if kind == 2 { Cbor::Bytes(text) } else { Cbor::Text(String::from_utf8(text).ok()?) }, rest))
        }
        4 => {
            let (mut list, mut rest) = (Vec::new(), rest);
            for _ in 0..items()? {
                let (item, after) = read(rest, depth + 1)?;
                list.push(item);
                rest = after;
            }
            Some((Cbor::List(list), rest))
        }
        5 => {
            let (mut map, mut rest) = (Vec::new(), rest);
            for _ in 0..items()? {
                let (key, after) = read(rest, depth + 1)?;
                let (value, after) = read(after, depth + 1)?;
                map.push((key, value));
                rest = after;
            }
            Some((Cbor::Map(map), rest))
        }
        _ => None,
    }
}

/// Reads the number behind the first byte: itself, or the next one, two, four or eight bytes.
fn number(short: u8, rest: &[u8]) -> Option<(u64, &[u8])> {
    let bytes = match short {
        0..24 => return Some((u64::from(short), rest)),
        24..=27 => 1_usize << (short - 24),
        _ => return None,
    };
    let (number, rest) = rest.split_at_checked(bytes)?;
    Some((number.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_the_standard_writes_them() {
        // RFC 8949, appendix A.
        for (bytes, expected) in [
            (&[0x17][..], Cbor::Int(23)),
            (&[0x19, 0x03, 0xe8], Cbor::Int(1000)),
            (&[0x1b, 0, 0, 0, 0xe8, 0xd4, 0xa5, 0x10, 0], Cbor::Int(1_000_000_000_000)),
            (&[0x38, 0x63], Cbor::Int(-100)),
            (&[0x44, 1, 2, 3, 4], Cbor::Bytes(vec![1, 2, 3, 4])),
            (&[0x64, b'I', b'E', b'T', b'F'], Cbor::Text("IETF".to_owned())),
            (&[0x82, 0x01, 0x81, 0x02], Cbor::List(vec![Cbor::Int(1), Cbor::List(vec![Cbor::Int(2)])])),
            (&[0xa1, 0x61, b'a', 0xf5], Cbor::Map(vec![(Cbor::Text("a".to_owned()), Cbor::Simple(21))])),
        ] {
            assert_eq!(Cbor::read(bytes), Some((expected, &[][..])), "{bytes:x?}");
        }
        let (value, rest) = Cbor::read(&[0xa2, 0x01, 0x02, 0x61, b'a', 0x41, 9, 7]).unwrap();
        assert_eq!(
            (value.at_number(1).and_then(Cbor::int), value.at("a").and_then(Cbor::bytes)),
            (Some(2), Some(&[9][..]))
        );
        assert_eq!(rest, [7]);
        let (twice, _) = Cbor::read(&[0xa2, 0x01, 0x02, 0x01, 0x03]).unwrap();
        assert_eq!(twice.at_number(1), None, "one key has one value");
    }

    #[test]
    fn what_no_authenticator_writes_is_refused_whatever_its_length_says() {
        for bad in [
            &[][..],
            &[0x18],
            &[0x1c],
            &[0x44, 1, 2, 3],
            &[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x5f, 0x41, 0x00, 0xff],
            &[0x61, 0xff],
            &[0xc0, 0x00],
            &[0xf9, 0x00, 0x00],
            &[0xa1, 0x01],
            &[0x81; 9],
        ] {
            assert_eq!(Cbor::read(bad), None, "{bad:x?}");
        }
    }
}
