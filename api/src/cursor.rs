//! Keyset cursors: opaque to the caller; for Keyway the key of the last item.

use keyway_domain::{
    ContentTypeId, IntegrationId, InvitationId, MailId, MembershipId, MessageId, OperationId, ProjectId, ProviderId,
    RequestId, ServiceId, TenantId, Timestamp, VirtualKeyId,
};
use keyway_store::{
    Page, Paged,
    audit::AuditKey,
    drift::LineKey,
    operations::OperationKey,
    request_log::RequestKey,
    usage_report::{GroupKey, GroupValue},
};
use keyway_vault::to_hex;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::ApiError;

const DEFAULT_LIMIT: u64 = 50;
const MAX_LIMIT: u64 = 200;
/// Version prefix, which tells this form of cursor from later ones.
const FORM: &str = "c1";

/// One page of a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct List<T> {
    /// Items: newest first, if no other order was asked for.
    pub(crate) items: Vec<T>,
    /// Value of `cursor` for the next page; null on the last one. A page before it may hold fewer items than asked for.
    pub(crate) next_cursor: Option<String>,
}

/// Key that a list is ordered by.
pub(crate) trait Key: Sized {
    fn write(&self) -> String;
    fn read(text: &str) -> Option<Self>;
}

impl<T> List<T> {
    /// Converts a page of rows: `key` gives a row's key, `show` its item.
    pub(crate) fn of<R, K: Key>(page: Paged<R>, key: impl Fn(&R) -> K, show: impl Fn(R) -> T) -> Self {
        let next = page.items.last().filter(|_| page.more).map(key);
        Self::going_on(page.items.into_iter().map(show).collect(), next)
    }

    /// Builds a page that is followed by what comes after `next`.
    pub(crate) fn going_on<K: Key>(items: Vec<T>, next: Option<K>) -> Self {
        Self { items, next_cursor: next.map(|key| format!("{FORM}{}", key.write())) }
    }

    /// Builds a list without paging.
    pub(crate) const fn whole(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }
}

/// Returns the page that `limit` and `cursor` of the query ask for.
///
/// # Errors
/// 400 naming the invalid parameter.
pub(crate) fn page<K: Key>(limit: Option<u64>, cursor: Option<&str>) -> Result<Page<K>, ApiError> {
    part(limit.unwrap_or(DEFAULT_LIMIT), MAX_LIMIT, cursor)
}

/// Returns the part of a report that `limit` and `cursor` of the query ask for, of at most `max` items.
///
/// # Errors
/// 400 naming the invalid parameter.
pub(crate) fn part<K: Key>(limit: u64, max: u64, cursor: Option<&str>) -> Result<Page<K>, ApiError> {
    if !(1..=max).contains(&limit) {
        return Err(ApiError::parameter(format!("`limit` must be between 1 and {max}")));
    }
    let read = |cursor: &str| {
        let key = cursor.strip_prefix(FORM).and_then(K::read);
        key.ok_or_else(|| ApiError::parameter("`cursor` must be the next_cursor of an earlier page of this list"))
    };
    Ok(Page { after: cursor.map(read).transpose()?, limit })
}

macro_rules! id_keys {
    ($($id:ident),*) => {$(
        impl Key for $id {
            fn write(&self) -> String {
                self.uuid().simple().to_string()
            }

            fn read(text: &str) -> Option<Self> {
                uuid(text).map(Self::from_uuid)
            }
        }
    )*};
}

id_keys!(
    ContentTypeId,
    IntegrationId,
    MailId,
    MessageId,
    ProjectId,
    ProviderId,
    TenantId,
    VirtualKeyId,
    MembershipId,
    InvitationId,
    ServiceId
);

impl Key for u64 {
    fn write(&self) -> String {
        self.to_string()
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok().filter(|number| i64::try_from(*number).is_ok())
    }
}

impl Key for i32 {
    fn write(&self) -> String {
        self.to_string()
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

macro_rules! time_keys {
    ($($key:ident { $at:ident, $id:ident: $kind:ident })*) => {$(
        impl Key for $key {
            fn write(&self) -> String {
                format!("{}{}", self.$id.uuid().simple(), self.$at.ms())
            }

            fn read(text: &str) -> Option<Self> {
                let (id, ms) = text.split_at_checked(32)?;
                let $at = Timestamp::from_ms(ms.parse().ok()?);
                Some(Self { $at, $id: $kind::from_uuid(uuid(id)?) })
            }
        }
    )*};
}

time_keys! {
    AuditKey { occurred_at, event_id: MessageId }
    RequestKey { started_at, request_id: RequestId }
    OperationKey { created_at, id: OperationId }
}

impl Key for LineKey {
    fn write(&self) -> String {
        format!("{}{}", self.integration_id.uuid().simple(), self.day)
    }

    fn read(text: &str) -> Option<Self> {
        let (id, day) = text.split_at_checked(32)?;
        let integration_id = IntegrationId::from_uuid(uuid(id)?);
        let start = Timestamp::parse(&format!("{day}T00:00:00Z"))?;
        Some(Self { day: start.day(), integration_id })
    }
}

impl Key for GroupKey {
    fn write(&self) -> String {
        let value = |value: &GroupValue| match value {
            GroupValue::Start(start) => format!("s{}", start.ms()),
            GroupValue::Id(id) => format!("i{}", id.simple()),
            GroupValue::Name(name) => format!("n{}", hex_of(name)),
        };
        self.0.iter().map(value).collect::<Vec<_>>().join(".")
    }

    fn read(text: &str) -> Option<Self> {
        let value = |text: &str| match text.split_at_checked(1)? {
            ("s", ms) => Some(GroupValue::Start(Timestamp::from_ms(ms.parse().ok()?))),
            ("i", id) => uuid(id).map(GroupValue::Id),
            // PostgreSQL takes no NUL, and no name has one.
            ("n", digits) => text_of(digits).filter(|name| !name.contains(char::is_control)).map(GroupValue::Name),
            _ => None,
        };
        text.split('.').map(value).collect::<Option<_>>().map(Self)
    }
}

fn uuid(text: &str) -> Option<Uuid> {
    Some(text).filter(|text| text.len() == 32).and_then(|text| Uuid::try_parse(text).ok())
}

/// Returns a text as hexadecimal digits.
pub(crate) fn hex_of(text: &str) -> String {
    to_hex(text.as_bytes())
}

/// Reads [`hex_of`].
pub(crate) fn text_of(digits: &str) -> Option<String> {
    if !digits.len().is_multiple_of(2) || !digits.is_ascii() {
        return None;
    }
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
    let bytes: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(byte).collect();
    String::from_utf8(bytes?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next<K: Key + Copy>(key: K) -> String {
        List::<()>::of(Paged { items: vec![key], more: true }, |key| *key, |_| ()).next_cursor.unwrap()
    }

    fn next_of<K: Key + Clone>(key: &K) -> String {
        List::<()>::going_on(Vec::new(), Some(key.clone())).next_cursor.unwrap()
    }

    #[test]
    fn a_cursor_comes_back_and_anything_else_is_refused() {
        let last = ProjectId::new();
        let asked = page::<ProjectId>(None, Some(&next(last))).unwrap();
        assert_eq!((asked.after, asked.limit), (Some(last), 50));
        let line = AuditKey { occurred_at: Timestamp::from_ms(17), event_id: MessageId::new() };
        assert_eq!(page(Some(1), Some(&next(line))).unwrap().after, Some(line));
        for bad in ["", "c1", "c2", "c1xyz", "c1é", &last.to_string(), &next(line)] {
            assert!(page::<ProjectId>(None, Some(bad)).is_err(), "{bad}");
        }
        let line = LineKey { day: "2026-11-01".to_owned(), integration_id: IntegrationId::new() };
        assert_eq!(page(None, Some(&next_of(&line))).unwrap().after, Some(line.clone()));
        let values = [
            GroupValue::Start(Timestamp::from_ms(-5)),
            GroupValue::Id(last.uuid()),
            GroupValue::Name("Grün 1.0".to_owned()),
            GroupValue::Name(String::new()),
        ];
        let group = GroupKey(values.to_vec());
        assert_eq!(page(None, Some(&next_of(&group))).unwrap().after, Some(group));
        for bad in ["c1", "c1x", "c1.", "c1s", "c1i00", "c1n0", "c1n00", "c1s1.", &next(last)] {
            assert!(page::<GroupKey>(None, Some(bad)).is_err(), "{bad}");
        }
        for bad in [next_of(&line).replace("2026", "26"), next(last)] {
            assert!(page::<LineKey>(None, Some(&bad)).is_err(), "{bad}");
        }
        for limit in [0, 201, u64::MAX] {
            assert!(page::<ProjectId>(Some(limit), None).is_err(), "{limit}");
        }
        assert!(List::of(Paged { items: vec![last], more: false }, |key| *key, |_| ()).next_cursor.is_none());
    }
}
