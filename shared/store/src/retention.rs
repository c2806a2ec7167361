//! Deletes old rows in slices, so that no transaction is long. Each function returns the number of deleted rows; fewer
//! than `rows` means that none is left. The audit log is never cut here.

use keyway_domain::Timestamp;

use crate::{
    StoreError, SystemTx,
    sql::{Sql, limit},
};

/// Deletes operations that ended before `before`; a fan-out goes after its children.
///
/// # Errors
/// See [`StoreError`].
pub async fn delete_finished_operations(tx: &SystemTx, before: Timestamp, rows: u64) -> Result<u64, StoreError> {
    let text = "DELETE FROM operations WHERE id IN (SELECT id FROM operations AS old WHERE finished_at_ms < $1 \
                AND NOT EXISTS (SELECT 1 FROM operations AS child WHERE child.parent_id = old.id) \
                ORDER BY finished_at_ms LIMIT $2)";
    slice(tx, text, before, rows).await
}

/// Deletes verdicts older than `before`; the latest one of each integration stays on the integration's row.
///
/// # Errors
/// See [`StoreError`].
pub async fn delete_verdicts(tx: &SystemTx, before: Timestamp, rows: u64) -> Result<u64, StoreError> {
    let text = "DELETE FROM verdicts WHERE (operation_id, attempt) IN (SELECT operation_id, attempt FROM verdicts \
                WHERE checked_at_ms < $1 ORDER BY checked_at_ms LIMIT $2)";
    slice(tx, text, before, rows).await
}

/// Deletes dead letters filed before `before` that wait for no decision: replayed ones, and those whose operation was
/// deleted by its age. Any other stays, however old.
///
/// # Errors
/// See [`StoreError`].
pub async fn delete_settled_dead_letters(tx: &SystemTx, before: Timestamp, rows: u64) -> Result<u64, StoreError> {
    let text = "DELETE FROM dead_letters WHERE id IN (SELECT id FROM dead_letters WHERE created_at_ms < $1 \
                AND (replayed_at_ms IS NOT NULL OR reason = 'exhausted') ORDER BY id LIMIT $2)";
    slice(tx, text, before, rows).await
}

/// Deletes answers kept for `Idempotency-Key` since before `before`.
///
/// # Errors
/// See [`StoreError`].
pub async fn delete_idempotency_keys(tx: &SystemTx, before: Timestamp, rows: u64) -> Result<u64, StoreError> {
    let text = "DELETE FROM idempotency_keys WHERE (tenant_id, route, key) IN (SELECT tenant_id, route, key \
                FROM idempotency_keys WHERE created_at_ms < $1 ORDER BY created_at_ms LIMIT $2)";
    slice(tx, text, before, rows).await
}

/// Deletes proxied calls that began before `before`; their daily sums stay.
///
/// # Errors
/// See [`StoreError`].
pub async fn delete_metered_calls(tx: &SystemTx, before: Timestamp, rows: u64) -> Result<u64, StoreError> {
    let text = "DELETE FROM metered_calls WHERE request_id IN (SELECT request_id FROM metered_calls \
                WHERE started_at_ms < $1 ORDER BY started_at_ms LIMIT $2)";
    slice(tx, text, before, rows).await
}

/// Deletes the sums of hours that began before `before`; those of their days stay.
///
/// # Errors
/// See [`StoreError`].
pub async fn delete_usage_hours(tx: &SystemTx, before: Timestamp, rows: u64) -> Result<u64, StoreError> {
    let key = "tenant_id, slice, start_ms, project_id, integration_id, virtual_key_id, provider, model, credential";
    let text = format!(
        "DELETE FROM usage_rollups WHERE ({key}) IN (SELECT {key} FROM usage_rollups \
         WHERE slice IN ('hour', 'hour_total') AND start_ms < $1 ORDER BY start_ms LIMIT $2)"
    );
    slice(tx, &text, before, rows).await
}

/// Deletes records of answers that were counted before `before`, in step with the calls that counted them.
///
/// # Errors
/// See [`StoreError`].
pub async fn delete_counted_answers(tx: &SystemTx, before: Timestamp, rows: u64) -> Result<u64, StoreError> {
    let key = "tenant_id, integration_id, answer_id";
    let text = format!(
        "DELETE FROM counted_answers WHERE ({key}) IN (SELECT {key} FROM counted_answers \
         WHERE counted_at_ms < $1 ORDER BY counted_at_ms LIMIT $2)"
    );
    slice(tx, &text, before, rows).await
}

/// Deletes figures by key of buckets that began before `before`.
///
/// # Errors
/// See [`StoreError`].
pub async fn delete_key_usage(tx: &SystemTx, before: Timestamp, rows: u64) -> Result<u64, StoreError> {
    let key = "tenant_id, integration_id, source, bucket_start_ms, bucket_end_ms, model";
    let text = format!(
        "DELETE FROM key_usage WHERE ({key}) IN (SELECT {key} FROM key_usage \
         WHERE day < $3 AND bucket_start_ms < $1 ORDER BY day LIMIT $2)"
    );
    let values = [before.ms().into(), limit(rows).into(), before.day().into()];
    Sql::with(&text, values).run(tx).await
}

/// Deletes notes older than `before` that an owner was told of drift.
///
/// # Errors
/// See [`StoreError`].
pub async fn delete_drift_alarms(tx: &SystemTx, before: Timestamp, rows: u64) -> Result<u64, StoreError> {
    let text = "DELETE FROM drift_alarms WHERE (tenant_id, integration_id, day) IN (SELECT tenant_id, integration_id, \
                day FROM drift_alarms WHERE raised_at_ms < $1 ORDER BY raised_at_ms LIMIT $2)";
    slice(tx, text, before, rows).await
}

/// Deletes leases on limits whose windows began before `before`; a window without a row starts afresh.
///
/// # Errors
/// See [`StoreError`].
pub async fn delete_limit_windows(tx: &SystemTx, before: Timestamp, rows: u64) -> Result<u64, StoreError> {
    let key = "tenant_id, scope_id, measure";
    let text = format!(
        "DELETE FROM limit_windows WHERE ({key}) IN (SELECT {key} FROM limit_windows \
         WHERE window_start_ms < $1 ORDER BY window_start_ms LIMIT $2)"
    );
    slice(tx, &text, before, rows).await
}

/// Deletes firings of schedules before `before`.
///
/// # Errors
/// See [`StoreError`].
pub async fn delete_schedule_fires(tx: &SystemTx, before: Timestamp, rows: u64) -> Result<u64, StoreError> {
    let text = "DELETE FROM schedule_fires WHERE (schedule, fire_at_ms) IN (SELECT schedule, fire_at_ms \
                FROM schedule_fires WHERE fire_at_ms < $1 ORDER BY fire_at_ms LIMIT $2)";
    slice(tx, text, before, rows).await
}

/// Sessions that ended before `before`.
///
/// # Errors
/// See [`StoreError`].
pub async fn delete_ended_sessions(tx: &SystemTx, before: Timestamp, rows: u64) -> Result<u64, StoreError> {
    let text = "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE idle_ends_at_ms < $1 \
                ORDER BY idle_ends_at_ms LIMIT $2)";
    slice(tx, text, before, rows).await
}

/// Tokens of links that were good until before `before`.
///
/// # Errors
/// See [`StoreError`].
pub async fn delete_expired_link_tokens(tx: &SystemTx, before: Timestamp, rows: u64) -> Result<u64, StoreError> {
    let text = "DELETE FROM link_tokens WHERE token_sha256 IN (SELECT token_sha256 FROM link_tokens \
                WHERE expires_at_ms < $1 ORDER BY expires_at_ms LIMIT $2)";
    slice(tx, text, before, rows).await
}

/// Counts of sign-ins of which the last was before `before`: they would begin anew.
///
/// # Errors
/// See [`StoreError`].
pub async fn delete_sign_in_attempts(tx: &SystemTx, before: Timestamp, rows: u64) -> Result<u64, StoreError> {
    let text = "DELETE FROM sign_in_attempts WHERE subject IN (SELECT subject FROM sign_in_attempts \
                WHERE last_at_ms < $1 ORDER BY last_at_ms LIMIT $2)";
    slice(tx, text, before, rows).await
}

/// Invitations that could no longer be taken up before `before`, however they ended.
///
/// # Errors
/// See [`StoreError`].
pub async fn delete_old_invitations(tx: &SystemTx, before: Timestamp, rows: u64) -> Result<u64, StoreError> {
    let text = "DELETE FROM invitations WHERE id IN (SELECT id FROM invitations WHERE expires_at_ms < $1 \
                ORDER BY expires_at_ms LIMIT $2)";
    slice(tx, text, before, rows).await
}

/// Deletes notes of warnings about budgets whose windows began before `before`.
///
/// # Errors
/// See [`StoreError`].
pub async fn delete_budget_warnings(tx: &SystemTx, before: Timestamp, rows: u64) -> Result<u64, StoreError> {
    let key = "tenant_id, scope_id, measure, window_start_ms, percent";
    let text = format!(
        "DELETE FROM budget_warnings WHERE ({key}) IN (SELECT {key} FROM budget_warnings \
         WHERE window_start_ms < $1 ORDER BY window_start_ms LIMIT $2)"
    );
    slice(tx, &text, before, rows).await
}

/// Deletes places from which nobody has signed in since `before`.
///
/// # Errors
/// See [`StoreError`].
pub async fn delete_known_places(tx: &SystemTx, before: Timestamp, rows: u64) -> Result<u64, StoreError> {
    let text = "DELETE FROM known_places WHERE (user_id, place_sha256) IN (SELECT user_id, place_sha256 \
                FROM known_places WHERE seen_at_ms < $1 ORDER BY seen_at_ms LIMIT $2)";
    slice(tx, text, before, rows).await
}

async fn slice(tx: &SystemTx, text: &str, before: Timestamp, rows: u64) -> Result<u64, StoreError> {
    Sql::with(text, [before.ms().into(), limit(rows).into()]).run(tx).await
}
