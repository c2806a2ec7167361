//! Changes to an integration by its owner, and notes about its use.

use keyway_domain::{IntegrationId, IntegrationStatus, Limits, TenantId, Timestamp};
use sea_orm::Value;

use super::{IntegrationRow, SealedSecret, find, find_by_fingerprint, of_ids, row, row::KEY_ID};
use crate::{
    StoreError, SystemTx, TenantTx, key_usage,
    limits::columns,
    replacements,
    sql::{Sql, chunk, for_update, ms},
};

/// Changes by the owner; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// New name.
    pub name: Option<String>,
    /// New provider settings.
    pub config: Option<serde_json::Value>,
    /// New note.
    pub meta: Option<serde_json::Value>,
    /// New priority.
    pub priority: Option<i32>,
    /// New weight.
    pub weight: Option<i32>,
    /// New limits.
    pub limits: Option<Limits>,
    /// New expiry; `Some(None)` removes it.
    pub expires_at: Option<Option<Timestamp>>,
}

/// Settings that come with a new secret.
#[derive(Clone, Debug)]
pub struct Binding {
    /// Base URL of the integration's own, if any.
    pub base_url: Option<String>,
    /// Further provider settings.
    pub config: serde_json::Value,
}

/// Applies a change; with `expected`, only if the version still equals it.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Stale`], [`StoreError::NameTaken`].
pub async fn update(
    tx: &TenantTx,
    id: IntegrationId,
    change: Change,
    expected: Option<i32>,
    now: Timestamp,
) -> Result<IntegrationRow, StoreError> {
    let mut assignments: Vec<(&str, Value)> = Vec::new();
    if let Some(name) = change.name {
        assignments.push(("name", name.into()));
    }
    for (name, value) in [("config", change.config), ("meta", change.meta)] {
        if let Some(value) = value {
            assignments.push((name, value.to_string().into()));
        }
    }
    for (name, value) in [("priority", change.priority), ("weight", change.weight)] {
        if let Some(value) = value {
            assignments.push((name, value.into()));
        }
    }
    if let Some(limits) = change.limits {
        assignments.extend(columns(&limits));
    }
    if let Some(expires_at) = change.expires_at {
        assignments.push(("expires_at_ms", ms(expires_at).into()));
    }
    match assign(tx, id, assignments, expected, now).await {
        Err(StoreError::Conflict) => Err(StoreError::NameTaken),
        result => result,
    }
}

/// Disables an integration, or enables it, which verifies it anew. Does nothing if it is in that state already.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Stale`].
pub async fn set_enabled(
    tx: &TenantTx,
    id: IntegrationId,
    enabled: bool,
    expected: Option<i32>,
    now: Timestamp,
) -> Result<IntegrationRow, StoreError> {
    let before = find(tx, id).await?.ok_or(StoreError::NotFound)?;
    if expected.is_some_and(|expected| expected != before.version) {
        return Err(StoreError::Stale);
    }
    if enabled != (before.status == IntegrationStatus::Disabled) {
        return Ok(before);
    }
    let status = if enabled { IntegrationStatus::Verifying } else { IntegrationStatus::Disabled };
    let unsettled = ("settled_status", Option::<String>::None.into());
    assign(tx, id, vec![("status", status.name().into()), unsettled], Some(before.version), now).await
}

/// Sets an integration to `verifying` for a test; its earlier status is kept until the test ends.
///
/// # Errors
/// See [`StoreError`].
pub async fn begin_test(tx: &TenantTx, id: IntegrationId) -> Result<(), StoreError> {
    let text = "UPDATE integrations SET settled_status = status, status = 'verifying' \
                WHERE tenant_id = $1 AND id = $2 AND status IN ('connected', 'error')";
    Sql::with(text, [tx.tenant_id().uuid().into(), id.uuid().into()]).run(tx).await.map(drop)
}

/// Replaces the secret at once. The new envelope is sealed for `version`, which comes from
/// [`crate::replacements::next_version`]. The status becomes `verifying` unless the integration is disabled; a waiting
/// replacement is deleted. Without a `binding` the settings stay, except for the provider's own id of the key, which
/// belonged to the old one.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Stale`] if the integration differs from `before`, [`StoreError::Duplicate`].
pub async fn replace_secret(
    tx: &TenantTx,
    before: &IntegrationRow,
    version: i32,
    secret: SealedSecret,
    binding: Option<Binding>,
    now: Timestamp,
) -> Result<IntegrationRow, StoreError> {
    let (id, key_id) = (before.id, secret.data_key_id.uuid());
    refuse_duplicate(tx, before, &secret).await?;
    replacements::discard(tx, id).await?;
    let text = "UPDATE secrets SET version = $7, envelope = $1, data_key_id = $2, created_at_ms = $3 \
                WHERE tenant_id = $4 AND id = $5 AND version = $6";
    let tenant_id = tx.tenant_id().uuid().into();
    let values = [
        secret.envelope.into(),
        key_id.into(),
        now.ms().into(),
        tenant_id,
        before.secret_id.uuid().into(),
        before.secret_version.into(),
        version.into(),
    ];
    if Sql::with(text, values).run(tx).await? == 0 {
        return Err(StoreError::Stale);
    }
    let mut assignments: Vec<(&str, Value)> = vec![
        ("secret_version", version.into()),
        ("fingerprint", secret.fingerprint.to_vec().into()),
        ("fingerprint_key_id", key_id.into()),
        ("hint", secret.hint.into()),
        ("key_family", secret.key_family.into()),
        ("usage_not_reportable", Option::<String>::None.into()),
        ("settled_status", Option::<String>::None.into()),
        ("served_at_ms", Option::<i64>::None.into()),
    ];
    if before.status != IntegrationStatus::Disabled {
        assignments.push(("status", IntegrationStatus::Verifying.name().into()));
    }
    let config = match binding {
        Some(binding) => {
            assignments.push(("base_url", binding.base_url.into()));
            binding.config
        }
        None => before.settings_without_key_id(),
    };
    assignments.push(("config", config.to_string().into()));
    assign(tx, id, assignments, Some(before.version), now).await
}

/// Checks that no other integration of the tenant has this secret.
///
/// # Errors
/// [`StoreError::Duplicate`].
pub(crate) async fn refuse_duplicate(
    tx: &TenantTx,
    integration: &IntegrationRow,
    secret: &SealedSecret,
) -> Result<(), StoreError> {
    let project_id = integration.project_id.uuid();
    match find_by_fingerprint(tx, project_id, secret.data_key_id.uuid(), &secret.fingerprint).await? {
        Some(existing) if existing != integration.id => Err(StoreError::Duplicate { existing }),
        _ => Ok(()),
    }
}

/// Deletes an integration with its secret and its verdicts; usage and operations stay.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Stale`].
pub async fn delete(tx: &TenantTx, id: IntegrationId, expected: Option<i32>) -> Result<IntegrationRow, StoreError> {
    let before = find(tx, id).await?.ok_or(StoreError::NotFound)?;
    let tenant_id = tx.tenant_id().uuid();
    let expected = expected.unwrap_or(before.version);
    let text = "DELETE FROM integrations WHERE tenant_id = $1 AND id = $2 AND version = $3";
    let deleted = Sql::with(text, [tenant_id.into(), id.uuid().into(), expected.into()]).run(tx).await?;
    if deleted == 0 {
        return Err(StoreError::Stale);
    }
    let text = "DELETE FROM secrets WHERE tenant_id = $1 AND id = $2";
    Sql::with(text, [tenant_id.into(), before.secret_id.uuid().into()]).run(tx).await?;
    Ok(before)
}

/// Result of a usage fetch for one integration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsageNote {
    /// Integration that was fetched.
    pub id: IntegrationId,
    /// Version of the secret used for the fetch.
    pub secret_version: i32,
    /// Reason why usage cannot be fetched with that secret; `None`: it can.
    pub why: Option<String>,
}

/// Stores whether usage can be fetched for integrations. Notes about a superseded secret change nothing.
///
/// # Errors
/// See [`StoreError`].
pub async fn set_usage_not_reportable(tx: &SystemTx, notes: &[UsageNote]) -> Result<(), StoreError> {
    let mut notes = notes.to_vec();
    notes.sort_unstable();
    for notes in notes.chunks(chunk(3)) {
        let mut sql = Sql::new("WITH note(note_id, note_version, why) AS (VALUES ");
        sql.tuples(
            notes.iter().map(|note| [note.id.uuid().into(), note.secret_version.into(), note.why.clone().into()]),
        );
        sql.push(
            ") UPDATE integrations SET usage_not_reportable = why FROM note \
             WHERE id = note_id AND secret_version = note_version",
        );
        sql.run(tx).await?;
    }
    Ok(())
}

/// A provider's own id of a key, found by a verification.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyIdNote {
    /// Integration that was verified.
    pub id: IntegrationId,
    /// Tenant that owns the integration.
    pub tenant_id: TenantId,
    /// Version of the secret that was verified.
    pub secret_version: i32,
    /// The provider's own id of the key.
    pub provider_key_id: String,
}

/// Stores the providers' own ids of keys. An id given by the owner stays, an id belongs to one integration only, and
/// notes about a superseded secret change nothing.
///
/// # Errors
/// See [`StoreError`].
pub async fn set_provider_key_ids(tx: &SystemTx, notes: &[KeyIdNote]) -> Result<(), StoreError> {
    for note in notes {
        let row = of_ids(tx, [note.id], for_update(tx)).await?.pop().map(row).transpose()?;
        let takes_it = |row: &IntegrationRow| {
            let is_current = (row.tenant_id, row.secret_version) == (note.tenant_id, note.secret_version);
            is_current && row.config.get(KEY_ID).is_none()
        };
        let Some(row) = row.filter(takes_it) else { continue };
        let known = key_usage::keys(tx, note.tenant_id, &row.provider).await?;
        if known.iter().any(|key| key.provider_key_id == note.provider_key_id) {
            continue;
        }
        let mut config = row.config;
        config[KEY_ID] = note.provider_key_id.as_str().into();
        let text = "UPDATE integrations SET config = $1 WHERE id = $2";
        Sql::with(text, [config.to_string().into(), note.id.uuid().into()]).run(tx).await?;
    }
    Ok(())
}

/// Stores when integrations last served a call; a time older than the stored one changes nothing.
///
/// # Errors
/// See [`StoreError`].
pub async fn touch_last_used(tx: &SystemTx, uses: &[(IntegrationId, Timestamp)]) -> Result<(), StoreError> {
    let mut uses = uses.to_vec();
    uses.sort_unstable();
    for uses in uses.chunks(chunk(2)) {
        let mut sql = Sql::new("WITH used(used_id, at_ms) AS (VALUES ");
        sql.tuples(uses.iter().map(|(id, at)| [id.uuid().into(), at.ms().into()]));
        sql.push(
            ") UPDATE integrations SET last_used_at_ms = at_ms FROM used WHERE id = used_id \
             AND (last_used_at_ms IS NULL OR last_used_at_ms < at_ms)",
        );
        sql.run(tx).await?;
    }
    Ok(())
}

async fn assign(
    tx: &TenantTx,
    id: IntegrationId,
    assignments: Vec<(&str, Value)>,
    expected: Option<i32>,
    now: Timestamp,
) -> Result<IntegrationRow, StoreError> {
    let mut sql = Sql::new("UPDATE integrations SET version = version + 1, updated_at_ms = ");
    sql.bind(now.ms());
    for (column, value) in assignments {
        sql.push(", ").push(column).push(" = ").bind(value);
    }
    sql.push(" WHERE tenant_id = ").bind(tx.tenant_id().uuid()).push(" AND id = ").bind(id.uuid());
    if let Some(expected) = expected {
        sql.push(" AND version = ").bind(expected);
    }
    let changed = sql.run(tx).await?;
    let after = find(tx, id).await?.ok_or(StoreError::NotFound)?;
    if changed == 0 { Err(StoreError::Stale) } else { Ok(after) }
}
