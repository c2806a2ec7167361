//! Answers to requests that carried an `Idempotency-Key`, kept to be given again.

use keyway_domain::{TenantId, Timestamp};
use sea_orm::{EntityTrait, TryInsertResult, sea_query::OnConflict};

use crate::{StoreError, Tx, entity::idempotency_keys as table, sql::Sql};

/// A stored answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// Keyed digest of the request: a different request under the same key is a mistake of the caller.
    pub request_sha256: [u8; 32],
    /// The HTTP status.
    pub status: u16,
    /// The body and other fields that the API needs to repeat the answer. A body that shows a secret is sealed.
    pub response: Vec<u8>,
}

/// Returns the answer given earlier for this `Idempotency-Key`, if any.
///
/// # Errors
/// See [`StoreError`].
pub async fn find(
    tx: &impl Tx,
    tenant_id: TenantId,
    route: &str,
    key: &str,
) -> Result<Option<StoredAnswer>, StoreError> {
    let text = "SELECT * FROM idempotency_keys WHERE tenant_id = $1 AND route = $2 AND key = $3";
    let sql = Sql::with(text, [tenant_id.uuid().into(), route.into(), key.into()]);
    sql.models::<table::Entity>(tx).await?.pop().map(answer).transpose()
}

/// Keeps the answer, in the transaction of the change it confirms.
///
/// # Errors
/// [`StoreError::Conflict`] if a request with the same key was answered meanwhile: roll back and read that answer.
pub async fn insert(
    tx: &impl Tx,
    tenant_id: TenantId,
    route: &str,
    key: &str,
    answer: StoredAnswer,
    now: Timestamp,
) -> Result<(), StoreError> {
    let model = table::Model {
        tenant_id: tenant_id.uuid(),
        route: route.to_owned(),
        key: key.to_owned(),
        request_sha256: answer.request_sha256.to_vec(),
        status: answer.status.into(),
        response: answer.response,
        created_at_ms: now.ms(),
    };
    let stored: table::ActiveModel = model.into();
    let nothing = OnConflict::new().do_nothing().to_owned();
    let insert = table::Entity::insert(stored).on_conflict(nothing).try_insert();
    match insert.exec_without_returning(tx.db()).await? {
        TryInsertResult::Inserted(1) => Ok(()),
        _ => Err(StoreError::Conflict),
    }
}

fn answer(model: table::Model) -> Result<StoredAnswer, StoreError> {
    let corrupt = StoreError::Corrupt("idempotency record");
    let (Ok(request_sha256), Ok(status)) = (model.request_sha256.try_into(), u16::try_from(model.status)) else {
        return Err(corrupt);
    };
    Ok(StoredAnswer { request_sha256, status, response: model.response })
}
