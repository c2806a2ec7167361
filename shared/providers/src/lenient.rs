//! Reads fields of foreign JSON one by one: a value of an unexpected kind is unknown, and never spoils the fields
//! beside it. Text with control characters is unknown: no database would accept it.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use keyway_domain::NanoUsd;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::value::RawValue;

use crate::decimal;

/// An integer that is not negative.
pub(crate) type Count = Maybe<i64>;
/// A short text of printable characters.
pub(crate) type Text = Maybe<String>;

/// A value of the expected kind, or unknown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Maybe<T>(pub(crate) Option<T>);

/// A list without elements of an unexpected kind.
#[derive(Clone, Debug)]
pub(crate) struct List<T>(pub(crate) Vec<T>);

/// Values by name.
#[derive(Clone, Debug)]
pub(crate) struct Map<T>(pub(crate) BTreeMap<String, Maybe<T>>);

/// US dollars, a number or decimal text, read from its own digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dollars(pub(crate) Option<NanoUsd>);

/// US dollars given in cents, a number or decimal text, read from its own digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cents(pub(crate) Option<NanoUsd>);

impl<'de> Deserialize<'de> for Cents {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(decimal::nano_usd_of_cents(raw.get().trim_matches('"')).filter(|cost| *cost <= MOST_NANO_USD)))
    }
}

impl<'de> Deserialize<'de> for Dollars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(decimal::nano_usd(raw.get().trim_matches('"')).filter(|cost| *cost <= MOST_NANO_USD)))
    }
}

/// An object whose fields are lenient in turn.
pub(crate) trait Object: DeserializeOwned {}

/// JSON kinds that a value can be read from; any other is unknown.
pub(crate) trait Kind: Sized {
    fn from_count(_: i64) -> Option<Self> {
        None
    }

    fn from_text(_: &str) -> Option<Self> {
        None
    }

    fn from_bool(_: bool) -> Option<Self> {
        None
    }

    fn from_object<'de, A: MapAccess<'de>>(mut map: A) -> Result<Option<Self>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn from_list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Option<Self>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

/// Largest accepted count in one call or bucket; larger ones would only make sums overflow.
const MOST: i64 = 1_000_000_000_000;
/// Largest accepted amount, ten million dollars, for the same reason.
const MOST_NANO_USD: NanoUsd = 10_000_000_000_000_000;

impl Kind for i64 {
    fn from_count(count: i64) -> Option<Self> {
        (0..=MOST).contains(&count).then_some(count)
    }
}

impl Kind for bool {
    fn from_bool(value: bool) -> Option<Self> {
        Some(value)
    }
}

/// Any value but null.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Present;

impl Kind for Present {
    fn from_count(_: i64) -> Option<Self> {
        Some(Self)
    }

    fn from_text(_: &str) -> Option<Self> {
        Some(Self)
    }

    fn from_bool(_: bool) -> Option<Self> {
        Some(Self)
    }

    fn from_object<'de, A: MapAccess<'de>>(mut map: A) -> Result<Option<Self>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Some(Self))
    }

    fn from_list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Option<Self>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Some(Self))
    }
}

impl Kind for String {
    fn from_text(text: &str) -> Option<Self> {
        const LONGEST_BYTES: usize = 200;
        let plain = !text.is_empty() && text.len() <= LONGEST_BYTES && !text.contains(char::is_control);
        plain.then(|| text.to_owned())
    }
}

impl<T: Object> Kind for T {
    fn from_object<'de, A: MapAccess<'de>>(map: A) -> Result<Option<Self>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Some)
    }
}

impl<T: Kind> Kind for Map<T> {
    fn from_object<'de, A: MapAccess<'de>>(mut map: A) -> Result<Option<Self>, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, Maybe<T>>()? {
            entries.insert(name, value);
        }
        Ok(Some(Self(entries)))
    }
}

impl<T: Kind> Kind for List<T> {
    fn from_list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Option<Self>, A::Error> {
        let mut elements = Vec::new();
        while let Some(Maybe(element)) = list.next_element::<Maybe<T>>()? {
            elements.extend(element);
        }
        Ok(Some(Self(elements)))
    }
}

/// Returns the integer equal to a number with a point (`5.0`): some hosts count in floating point.
#[expect(clippy::cast_possible_truncation, reason = "the range was checked, and a float holds such a number exactly")]
fn whole(value: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (value.fract() == 0.0 && value.abs() <= EXACT).then_some(value as i64)
}

impl<T> Default for Maybe<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Kind> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Lenient(PhantomData))
    }
}

struct Lenient<T>(PhantomData<T>);

impl<'de, T: Kind> Visitor<'de> for Lenient<T> {
    type Value = Maybe<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_u64<E>(self, value: u64) -> Result<Maybe<T>, E> {
        Ok(Maybe(i64::try_from(value).ok().and_then(T::from_count)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Maybe<T>, E> {
        Ok(Maybe(T::from_count(value)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Maybe<T>, E> {
        Ok(Maybe(whole(value).and_then(T::from_count)))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Maybe<T>, E> {
        Ok(Maybe(T::from_bool(value)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Maybe<T>, E> {
        Ok(Maybe(T::from_text(text)))
    }

    fn visit_unit<E>(self) -> Result<Maybe<T>, E> {
        Ok(Maybe(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Maybe<T>, A::Error> {
        T::from_list(list).map(Maybe)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Maybe<T>, A::Error> {
        T::from_object(map).map(Maybe)
    }
}
