//! Integrations: one credential for one provider in a project.
//!
//! Status after a verdict is written by [`crate::verdicts`] alone; here it is only reset when the
//! owner switches an integration off or on, or replaces its secret.

mod change;
mod find;
mod row;
mod waiting;

use keyway_domain::{IntegrationId, IntegrationStatus, ProjectId, TenantId, Timestamp};
use sea_orm::{EntityTrait, FromQueryResult, TryInsertResult, sea_query::OnConflict};

use crate::{
    Page, Paged, Place, Sort, StoreError, SystemTx, TenantTx, Tx,
    entity::{integrations as table, secrets},
    only, sort,
    sql::{Sql, chunk, limit, skip_locked},
    transaction::sealed::Inner,
};

pub use change::{
    Change, KeyIdNote, UsageNote, begin_test, delete, replace_secret, set_enabled, set_provider_key_ids,
    set_usage_not_reportable, touch_last_used, update,
};
use find::find_by_fingerprint;
pub use find::{find, with_fingerprint};
pub(crate) use find::{of_ids, refuse_duplicate};
pub use row::{Binding, IntegrationRow, NewIntegration, REDACT_ANSWERS, SealedSecret, is_header_word};
pub(crate) use row::{row, stored_verdict};
use waiting::due;
pub use waiting::{DueIntegration, Settled, look_again, served, settle, unattended, unreachable};

/// Filter of a list of integrations; `None` accepts any value.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Project.
    pub project_id: Option<ProjectId>,
    /// Projects that any of them must be in.
    pub within: Option<Vec<ProjectId>>,
    /// Provider's name.
    pub provider: Option<String>,
    /// Status.
    pub status: Option<IntegrationStatus>,
    /// Text in the name, ignoring case.
    pub search: Option<String>,
    /// Order of the list.
    pub sort: Sort,
}

/// Fields of an active integration that the usage planner needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveIntegration {
    /// Its id.
    pub id: IntegrationId,
    /// The provider's name.
    pub provider: String,
    /// Key family, as the provider's format check names it.
    pub key_family: String,
    /// Reason why its usage cannot be fetched, if known.
    pub usage_not_reportable: Option<String>,
}

/// Adds an integration with its sealed secret, in status `verifying`.
///
/// # Errors
/// [`StoreError::Duplicate`] when the project has this secret already, [`StoreError::NameTaken`],
/// [`StoreError::Conflict`] when the project does not exist in the tenant.
pub async fn insert(tx: &TenantTx, new: NewIntegration, now: Timestamp) -> Result<IntegrationRow, StoreError> {
    let (integration, secret) = new.models(tx.tenant_id(), now);
    let stored: secrets::ActiveModel = secret.into();
    secrets::Entity::insert(stored).exec_without_returning(tx.db()).await?;
    let stored: table::ActiveModel = integration.clone().into();
    let inserted = table::Entity::insert(stored)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .try_insert()
        .exec_without_returning(tx.db())
        .await?;
    if matches!(inserted, TryInsertResult::Inserted(1)) {
        return row(integration);
    }
    let (fingerprint, key_id) = (&integration.fingerprint, integration.fingerprint_key_id);
    match find_by_fingerprint(tx, integration.project_id, key_id, fingerprint).await? {
        Some(existing) => Err(StoreError::Duplicate { existing }),
        None => Err(StoreError::NameTaken),
    }
}

/// Returns integrations in the order of the filter.
///
/// # Errors
/// See [`StoreError`].
pub async fn list(tx: &TenantTx, filter: &Filter, page: Page<Place>) -> Result<Paged<IntegrationRow>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM integrations WHERE tenant_id = ");
    within(&mut sql, tx, filter);
    if let Some(status) = filter.status {
        sql.push(" AND status = ").bind(status.name());
    }
    sort::page(&mut sql, filter.sort, &page);
    let rows = sql.models::<table::Entity>(tx).await?;
    Ok(Paged::of(&page, rows.into_iter().map(row).collect::<Result<_, _>>()?))
}

/// Counts the integrations that match the filter, ignoring its status, by status; a status without any is left out.
///
/// # Errors
/// See [`StoreError`].
pub async fn count_of_each(tx: &TenantTx, filter: &Filter) -> Result<Vec<(IntegrationStatus, i64)>, StoreError> {
    let mut sql = Sql::new("SELECT status, count(*) AS n FROM integrations WHERE tenant_id = ");
    within(&mut sql, tx, filter);
    sql.push(" GROUP BY status");
    counts(sql, tx).await
}

/// Completes a condition on the tenant with the filter's other fields except the status.
fn within(sql: &mut Sql, tx: &TenantTx, filter: &Filter) {
    sql.bind(tx.tenant_id().uuid());
    if let Some(project_id) = filter.project_id {
        sql.push(" AND project_id = ").bind(project_id.uuid());
    }
    only::within(sql, "project_id", filter.within.as_deref());
    if let Some(provider) = &filter.provider {
        sql.push(" AND provider = ").bind(provider.as_str());
    }
    sort::search(sql, filter.search.as_deref());
}

/// Returns the names of the providers of the tenant's integrations, for "has a key" marks.
///
/// # Errors
/// See [`StoreError`].
pub async fn providers_with_keys(tx: &TenantTx) -> Result<Vec<String>, StoreError> {
    #[derive(FromQueryResult)]
    struct Name {
        provider: String,
    }
    let text = "SELECT DISTINCT provider FROM integrations WHERE tenant_id = $1 ORDER BY provider";
    let names = Sql::with(text, [tx.tenant_id().uuid().into()]).rows::<Name>(tx).await?;
    Ok(names.into_iter().map(|name| name.provider).collect())
}

/// Counts the tenant's active integrations, of one provider or of all, by the rules of [`active_page`].
///
/// # Errors
/// See [`StoreError`].
pub async fn count_active(tx: &TenantTx, provider: Option<&str>) -> Result<i64, StoreError> {
    let mut sql = Sql::new("SELECT count(*) AS n FROM integrations WHERE tenant_id = ");
    active(&mut sql, tx, provider);
    sql.number(tx).await
}

/// Completes a condition on the tenant: active integrations of one provider or of all. Of integrations that share a
/// secret, in several projects, only the oldest counts: a provider reports a key's usage once.
fn active(sql: &mut Sql, tx: &TenantTx, provider: Option<&str>) {
    sql.bind(tx.tenant_id().uuid()).push(" AND status IN ('connected', 'verifying')");
    if let Some(provider) = provider {
        sql.push(" AND provider = ").bind(provider);
    }
    sql.push(
        " AND NOT EXISTS (SELECT 1 FROM integrations AS twin WHERE twin.tenant_id = integrations.tenant_id \
         AND twin.fingerprint_key_id = integrations.fingerprint_key_id AND twin.fingerprint = integrations.fingerprint \
         AND twin.id < integrations.id AND twin.status IN ('connected', 'verifying'))",
    );
}

/// Counts integrations of all tenants by status; a status without any is left out.
///
/// # Errors
/// See [`StoreError`].
pub async fn count_by_status(tx: &SystemTx) -> Result<Vec<(IntegrationStatus, i64)>, StoreError> {
    counts(Sql::new("SELECT status, count(*) AS n FROM integrations GROUP BY status"), tx).await
}

async fn counts(sql: Sql, tx: &impl Tx) -> Result<Vec<(IntegrationStatus, i64)>, StoreError> {
    #[derive(FromQueryResult)]
    struct Count {
        status: String,
        n: i64,
    }
    let counts = sql.rows::<Count>(tx).await?;
    let counts = counts.into_iter().filter_map(|count| Some((IntegrationStatus::parse(&count.status)?, count.n)));
    Ok(counts.collect())
}

/// Returns active integrations (`connected` or `verifying`) of the tenant, of one provider or of all, one per secret,
/// in the order of their ids, starting after `after`. With `reportable`, those known to be unable to report usage are
/// left out.
///
/// # Errors
/// See [`StoreError`].
pub async fn active_page(
    tx: &TenantTx,
    reportable: bool,
    provider: Option<&str>,
    after: Option<IntegrationId>,
    rows: u64,
) -> Result<Vec<ActiveIntegration>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM integrations WHERE tenant_id = ");
    active(&mut sql, tx, provider);
    if reportable {
        sql.push(" AND usage_not_reportable IS NULL");
    }
    if let Some(after) = after {
        sql.push(" AND id > ").bind(after.uuid());
    }
    sql.push(" ORDER BY id LIMIT ").bind(limit(rows));
    let row = |model: table::Model| ActiveIntegration {
        id: IntegrationId::from_uuid(model.id),
        provider: model.provider,
        key_family: model.key_family,
        usage_not_reportable: model.usage_not_reportable,
    };
    Ok(sql.models::<table::Entity>(tx).await?.into_iter().map(row).collect())
}

/// Returns tenants that have an active integration whose usage may be reportable, in the order of their ids, starting
/// after `after`: for the usage schedule.
///
/// # Errors
/// See [`StoreError`].
pub async fn tenants_with_reportable(
    tx: &SystemTx,
    after: Option<TenantId>,
    rows: u64,
) -> Result<Vec<TenantId>, StoreError> {
    let mut sql = Sql::new(
        "SELECT DISTINCT tenant_id AS id FROM integrations \
         WHERE status IN ('connected', 'verifying') AND usage_not_reportable IS NULL",
    );
    if let Some(after) = after {
        sql.push(" AND tenant_id > ").bind(after.uuid());
    }
    sql.push(" ORDER BY id LIMIT ").bind(limit(rows));
    Ok(sql.ids(tx).await?.into_iter().map(TenantId::from_uuid).collect())
}

/// Claims integrations whose next verification is due at `now` by moving it to `next`, so that no other process takes
/// them too. Disabled ones are left alone.
///
/// # Errors
/// See [`StoreError`].
pub async fn due_for_verification(
    tx: &SystemTx,
    now: Timestamp,
    next: Timestamp,
    rows: u64,
) -> Result<Vec<DueIntegration>, StoreError> {
    let mut sql =
        Sql::new("WITH due AS MATERIALIZED (SELECT id AS due_id FROM integrations WHERE next_check_at_ms <= ");
    sql.bind(now.ms()).push(" AND status <> 'disabled' ORDER BY next_check_at_ms, id LIMIT ").bind(limit(rows));
    sql.push(skip_locked(tx)).push(") UPDATE integrations SET next_check_at_ms = ").bind(next.ms());
    sql.push(" FROM due WHERE id = due_id RETURNING *");
    Ok(sql.models::<table::Entity>(tx).await?.iter().map(due).collect())
}

/// Sets when integrations are verified next: adds jitter to those that [`due_for_verification`] claimed.
///
/// # Errors
/// See [`StoreError`].
pub async fn set_next_check(tx: &SystemTx, checks: &[(IntegrationId, Timestamp)]) -> Result<(), StoreError> {
    let mut checks = checks.to_vec();
    checks.sort_unstable();
    for checks in checks.chunks(chunk(2)) {
        let mut sql = Sql::new("WITH due(due_id, at_ms) AS (VALUES ");
        sql.tuples(checks.iter().map(|(id, at)| [id.uuid().into(), at.ms().into()]));
        sql.push(") UPDATE integrations SET next_check_at_ms = at_ms FROM due WHERE id = due_id");
        sql.run(tx).await?;
    }
    Ok(())
}

/// Makes verifications due now for those of the integrations that were last checked before `checked_before`, because a
/// provider refused a call with their secret.
///
/// # Errors
/// See [`StoreError`].
pub async fn check_soon(
    tx: &SystemTx,
    ids: &[IntegrationId],
    now: Timestamp,
    checked_before: Timestamp,
) -> Result<(), StoreError> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    for ids in ids.chunks(chunk(1)) {
        let mut sql = Sql::new("UPDATE integrations SET next_check_at_ms = ");
        sql.bind(now.ms()).push(" WHERE id IN (").list(ids.iter().map(|id| id.uuid()));
        sql.push(") AND next_check_at_ms > ").bind(now.ms()).push(" AND checked_at_ms < ").bind(checked_before.ms());
        sql.run(tx).await?;
    }
    Ok(())
}
