//! The reported ledger by integration: usage that a provider reports for a single key belongs to the integration with
//! that key, and the credential that reported the whole keeps the rest.
//!
//! Never counts anything twice: each figure of a key is subtracted from the whole it is part of. Where the keys of a
//! day and model add up to more than the whole, or to more than its unknown part, the two reports were read at
//! different times; then nothing is subtracted until they agree.

use super::{ReportQuery, within};
use crate::{TenantTx, key_usage::BY_KEY, sql::Sql};

/// Figures of both tables except the cost: no provider reports a key's cost.
const FIGURES: [&str; 6] =
    ["requests", "input_tokens", "cached_input_tokens", "cache_write_tokens", "cache_write_1h_tokens", "output_tokens"];

/// Name of the table that [`begin`] makes, with the columns of `reported_usage` that a report reads.
pub(super) const TABLE: &str = "assigned";

/// Begins a statement that defines [`TABLE`].
pub(super) fn begin(tx: &TenantTx, query: &ReportQuery) -> Sql {
    let sums = each(|figure| format!("CAST(sum({figure}) AS BIGINT) AS {figure}"));
    let mut sql = Sql::new("WITH parts AS (SELECT key_usage.*, replace(source, ");
    sql.bind(BY_KEY).push(", '') AS report FROM key_usage");
    within(&mut sql, tx, query);
    sql.push(
        " AND reported_by IS NOT NULL AND project_id IS NOT NULL), said AS (SELECT reported_by, report, day, model, ",
    );
    sql.push(&sums).push(" FROM parts GROUP BY reported_by, report, day, model), whole AS (SELECT integration_id, ");
    sql.push("source, day, model, project_id, provider, ").push(&sums).push(" FROM reported_usage");
    within(&mut sql, tx, query);
    sql.push(" GROUP BY integration_id, source, day, model, project_id, provider), fitting AS (SELECT said.*, ");
    sql.push("whole.project_id, whole.provider FROM said JOIN whole ON whole.integration_id = said.reported_by ");
    sql.push("AND whole.source = said.report AND whole.day = said.day AND whole.model = said.model WHERE ");
    let fits = FIGURES.map(|figure| format!("(said.{figure} IS NULL OR said.{figure} <= whole.{figure})"));
    sql.push(&fits.join(" AND "));
    let columns = "day, project_id, integration_id, provider, model, ";
    let unsaid = ", CAST(NULL AS BIGINT), CAST(NULL AS BIGINT)";
    sql.push("), assigned AS (SELECT ").push(columns).push(&each(str::to_owned));
    sql.push(", reasoning_tokens, cost_nano_usd FROM reported_usage");
    within(&mut sql, tx, query);
    sql.push(" UNION ALL SELECT parts.day, parts.project_id, parts.integration_id, parts.provider, parts.model, ");
    sql.push(&each(|figure| format!("parts.{figure}"))).push(unsaid);
    sql.push(" FROM parts JOIN fitting ON fitting.reported_by = parts.reported_by AND fitting.report = parts.report ");
    sql.push("AND fitting.day = parts.day AND fitting.model = parts.model UNION ALL SELECT day, project_id, ");
    sql.push("reported_by, provider, model, ").push(&each(|figure| format!("-{figure}"))).push(unsaid);
    sql.push(" FROM fitting) ");
    sql
}

fn each(column: impl Fn(&str) -> String) -> String {
    FIGURES.map(column).join(", ")
}
