//! The schema of Keyway's database, for PostgreSQL and SQLite from one list of migrations.
//!
//! Any number of processes may migrate one database, or several databases of one cluster, at the
//! same time. On PostgreSQL every table of tenants forces row-level security, and the ordinary role
//! owns nothing. A released migration is never edited: a change is a new file and a line in [`Migrator`].
//!
//! Builds before and after a migration run on the same database while an upgrade is rolled out or back: a migration
//! only adds, added columns have a default, and nothing that an earlier build uses is renamed or removed. A unique key
//! may be relaxed, never tightened.

mod m0001_tenancy;
mod m0002_integrations;
mod m0003_operations;
mod m0004_usage;
mod m0005_audit;
mod m0006_outbox_shares;
mod m0007_cache_writes;
mod m0008_provider_auth;
mod m0009_expiry_warnings;
mod m0010_key_usage;
mod m0011_limits;
mod m0012_request_log;
mod m0013_key_shares;
mod m0014_routing;
mod m0015_replicas;
mod m0016_answer_cache;
mod m0017_fallback;
mod m0018_refused_calls;
mod m0019_provider_limits;
mod m0020_counted_answers;
mod m0021_list_orders;
mod m0022_replacements;
mod m0023_keys_in_projects;
mod m0024_rounds;
mod m0025_people;
mod m0026_members;
mod m0027_sign_in_attempts;
mod m0028_reveals;
mod m0030_identities;
mod m0031_passkeys;
mod m0032_mails;
mod m0033_budget_warnings;
mod m0034_service_keys;
mod m0035_reads;
mod m0036_reported_keys;
mod m0038_audit_chain;
mod m0040_content;
mod migrate;
mod migrator;
mod protect;
mod table;

pub use migrate::{LockWaits, MigrateError, is_current, migrate, migrate_patiently};
pub use migrator::Migrator;
