//! Statements that take the migration `m0035_reads` back, for what wants a database as it was before. Run by the owner of
//! the tables.

/// The statements, in their order.
pub(crate) const TAKE_BACK: [&str; 11] = [
    "DROP TABLE usage_rollups",
    "DROP TABLE call_durations",
    "DROP INDEX metered_calls_left",
    "DROP INDEX metered_calls_integrations",
    "DROP INDEX metered_calls_keys",
    "DROP INDEX usage_daily_integrations",
    "DROP INDEX usage_daily_keys",
    "DROP INDEX key_usage_lines",
    "DROP INDEX operations_newest",
    "ALTER TABLE metered_calls DROP COLUMN rolled_up",
    "DELETE FROM seaql_migrations WHERE version = 'm0035_reads'",
];
