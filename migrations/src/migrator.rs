//! The list of migrations.

use sea_orm_migration::{MigrationTrait, MigratorTrait};

use crate::{
    m0001_tenancy, m0002_integrations, m0003_operations, m0004_usage, m0005_audit, m0006_outbox_shares,
    m0007_cache_writes, m0008_provider_auth, m0009_expiry_warnings, m0010_key_usage, m0011_limits, m0012_request_log,
    m0013_key_shares, m0014_routing, m0015_replicas, m0016_answer_cache, m0017_fallback, m0018_refused_calls,
    m0019_provider_limits, m0020_counted_answers, m0021_list_orders, m0022_replacements, m0023_keys_in_projects,
    m0024_rounds, m0025_people, m0026_members, m0027_sign_in_attempts, m0028_reveals, m0030_identities, m0031_passkeys,
    m0032_mails, m0033_budget_warnings, m0034_service_keys, m0035_reads, m0036_reported_keys, m0038_audit_chain,
    m0040_content,
};

/// All migrations, in order.
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_tenancy::Migration),
            Box::new(m0002_integrations::Migration),
            Box::new(m0003_operations::Migration),
            Box::new(m0004_usage::Migration),
            Box::new(m0005_audit::Migration),
            Box::new(m0006_outbox_shares::Migration),
            Box::new(m0007_cache_writes::Migration),
            Box::new(m0008_provider_auth::Migration),
            Box::new(m0009_expiry_warnings::Migration),
            Box::new(m0010_key_usage::Migration),
            Box::new(m0011_limits::Migration),
            Box::new(m0012_request_log::Migration),
            Box::new(m0013_key_shares::Migration),
            Box::new(m0014_routing::Migration),
            Box::new(m0015_replicas::Migration),
            Box::new(m0016_answer_cache::Migration),
            Box::new(m0017_fallback::Migration),
            Box::new(m0018_refused_calls::Migration),
            Box::new(m0019_provider_limits::Migration),
            Box::new(m0020_counted_answers::Migration),
            Box::new(m0021_list_orders::Migration),
            Box::new(m0022_replacements::Migration),
            Box::new(m0023_keys_in_projects::Migration),
            Box::new(m0024_rounds::Migration),
            Box::new(m0025_people::Migration),
            Box::new(m0026_members::Migration),
            Box::new(m0027_sign_in_attempts::Migration),
            Box::new(m0028_reveals::Migration),
            Box::new(m0030_identities::Migration),
            Box::new(m0031_passkeys::Migration),
            Box::new(m0032_mails::Migration),
            Box::new(m0033_budget_warnings::Migration),
            Box::new(m0034_service_keys::Migration),
            Box::new(m0035_reads::Migration),
            Box::new(m0036_reported_keys::Migration),
            Box::new(m0038_audit_chain::Migration),
            Box::new(m0040_content::Migration),
        ]
    }
}
