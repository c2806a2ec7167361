//! Keyset cursors: opaque to the caller; for Keyway the key of the last item.

use keyway_domain::{
    ContentTypeId, IntegrationId, InvitationId, MailId, MembershipId, MessageId, OperationId, ProjectId, ProviderId,
    RequestId, ServiceId, TenantId, Timestamp, VirtualKeyId,
};
use keyway_store::{Page, Paged, audit::AuditKey, request_log::RequestKey};
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
    /// Value of `cursor` for the next page; null on the last one.
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
        let last = page.items.last().filter(|_| page.more);
        let next_cursor = last.map(|row| format!("{FORM}{}", key(row).write()));
        Self { items: page.items.into_iter().map(show).collect(), next_cursor }
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
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(ApiError::parameter("`limit` must be between 1 and 200"));
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
    OperationId,
    ProjectId,
    ProviderId,
    TenantId,
    VirtualKeyId,
    MembershipId,
    InvitationId,
    ServiceId
);

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
}

fn uuid(text: &str) -> Option<Uuid> {
    Some(text).filter(|text| text.len() == 32).and_then(|text| Uuid::try_parse(text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next<K: Key + Copy>(key: K) -> String {
        List::<()>::of(Paged { items: vec![key], more: true }, |key| *key, |_| ()).next_cursor.unwrap()
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
        for limit in [0, 201, u64::MAX] {
            assert!(page::<ProjectId>(Some(limit), None).is_err(), "{limit}");
        }
        assert!(List::of(Paged { items: vec![last], more: false }, |key| *key, |_| ()).next_cursor.is_none());
    }
}
