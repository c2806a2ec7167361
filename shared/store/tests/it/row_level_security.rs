//! A tenant can never read or touch another tenant's row, even by hand-written SQL (PostgreSQL).

use anyhow::{Context, Result};
use keyway_domain::{Body, Event, Invalidation, Message, MessageId, TenantId};
use keyway_store::{outbox, raw};

use crate::fixture::{Fixture, NOW, add_tenant, fetch, integration, operation};

/// Every table of tenants, with the column that names the tenant and the statement that adds a row of a tenant.
const TABLES: [(&str, &str, &str); 42] = [
    ("tenants", "id", "INSERT INTO tenants VALUES ('{new}', 'x', 1)"),
    ("projects", "tenant_id", "INSERT INTO projects VALUES ('{new}', '{t}', 'x', 1, 1)"),
    (
        "virtual_keys",
        "tenant_id",
        "INSERT INTO virtual_keys SELECT '{new}', '{t}', id, 'x', sha256('{t}'), 'h', NULL, NULL, NULL, 1, 1 \
         FROM projects WHERE tenant_id = '{t}' LIMIT 1",
    ),
    ("providers", "tenant_id", "INSERT INTO providers VALUES ('{new}', '{t}', 'x', 'X', 'u', 1, 1)"),
    ("provider_limits", "tenant_id", "INSERT INTO provider_limits VALUES ('{new}', '{t}', 'x', 1, 1, 1, 1, 1)"),
    ("provider_models", "tenant_id", "INSERT INTO provider_models VALUES ('{new}', '{t}', 'x', 'm', 1)"),
    ("data_keys", "tenant_id", "INSERT INTO data_keys VALUES ('{new}', '{t}', 1, '', '', 'retired', 1)"),
    (
        "secrets",
        "tenant_id",
        "INSERT INTO secrets SELECT '{new}', '{t}', 1, '', id, 1 FROM data_keys WHERE tenant_id = '{t}' LIMIT 1",
    ),
    (
        "integrations",
        "tenant_id",
        "INSERT INTO integrations (id, tenant_id, project_id, provider, name, status, hint, config, key_family, \
         secret_id, secret_version, fingerprint, fingerprint_key_id, created_at_ms, updated_at_ms, version) \
         SELECT '{new}', '{t}', p.id, 'x', 'forged', 'connected', 'h', '{}', 'f', s.id, 1, 'f', '{new}', 1, 1, 1 \
         FROM projects p, secrets s WHERE p.tenant_id = '{t}' AND s.tenant_id = '{t}' LIMIT 1",
    ),
    (
        "replacements",
        "tenant_id",
        "INSERT INTO replacements (tenant_id, integration_id, version, state, envelope, data_key_id, fingerprint, hint, \
         key_family, operation_id, created_at_ms) SELECT '{t}', i.id, 2, 'verifying', '', d.id, '', 'h', 'f', '{new}', 1 \
         FROM integrations i, data_keys d WHERE i.tenant_id = '{t}' AND d.tenant_id = '{t}' \
         AND NOT EXISTS (SELECT 1 FROM replacements r WHERE r.integration_id = i.id) LIMIT 1",
    ),
    (
        "verdicts",
        "tenant_id",
        "INSERT INTO verdicts SELECT '{new}', 1, '{t}', id, 1, 'valid', 200, NULL, NULL, '', 1 FROM integrations \
         WHERE tenant_id = '{t}' LIMIT 1",
    ),
    (
        "operations",
        "tenant_id",
        "INSERT INTO operations (id, tenant_id, kind, origin, state, attempt, created_at_ms, command) \
         VALUES ('{new}', '{t}', 'verify_key', 'request', 'queued', 1, 1, '{}')",
    ),
    ("outbox", "tenant_id", "INSERT INTO outbox VALUES ('{new}', '{t}', 'audit', NULL, '', 1, NULL, 1)"),
    (
        "dead_letters",
        "tenant_id",
        "INSERT INTO dead_letters VALUES ('{new}', '{t}', 'audit', 'r', 'e', '', 1, 1, NULL)",
    ),
    ("idempotency_keys", "tenant_id", "INSERT INTO idempotency_keys VALUES ('{t}', 'r', '{new}', '', 200, '', 1)"),
    (
        "metered_calls",
        "tenant_id",
        "INSERT INTO metered_calls (request_id, tenant_id, project_id, virtual_key_id, integration_id, provider, path, \
         started_at_ms, duration_ms, streamed, complete) \
         VALUES ('{new}', '{t}', '{new}', '{new}', '{new}', 'x', '/', 1, 1, false, true)",
    ),
    ("counted_answers", "tenant_id", "INSERT INTO counted_answers VALUES ('{t}', '{new}', 'a', '{new}', 1)"),
    (
        "usage_daily",
        "tenant_id",
        "INSERT INTO usage_daily VALUES ('{t}', '2026-01-01', '{new}', '{new}', '{new}', 'x', '', 1, 0, 0, 0)",
    ),
    (
        "usage_rollups",
        "tenant_id",
        "INSERT INTO usage_rollups VALUES ('{t}', 'day_total', 1, '{new}', '{new}', '{new}', 'x', '', 'own', 1, 0, 0, 0, 0, 0)",
    ),
    ("call_durations", "tenant_id", "INSERT INTO call_durations VALUES ('{t}', 1, '{new}', 'x', 5, 1)"),
    (
        "reported_usage",
        "tenant_id",
        "INSERT INTO reported_usage (tenant_id, integration_id, source, bucket_start_ms, bucket_end_ms, model, \
         line_item, project_id, provider, day, fetched_at_ms) \
         VALUES ('{t}', '{new}', 's', 1, 2, '', '', '{new}', 'x', '2026-01-01', 1)",
    ),
    (
        "usage_cursors",
        "tenant_id",
        "INSERT INTO usage_cursors SELECT id, '{new}', '{t}', 1, 1 FROM integrations WHERE tenant_id = '{t}' LIMIT 1",
    ),
    (
        "key_usage",
        "tenant_id",
        "INSERT INTO key_usage VALUES ('{t}', '{new}', 's', 1, 2, '', '2026-01-01', 1, 1, 1, 1)",
    ),
    (
        "drift_alarms",
        "tenant_id",
        "INSERT INTO drift_alarms SELECT '{t}', id, '{new}', 1 FROM integrations WHERE tenant_id = '{t}' LIMIT 1",
    ),
    (
        "limit_windows",
        "tenant_id",
        "INSERT INTO limit_windows VALUES ('{t}', '{new}', 'requests_per_minute', 1, 1, 1, 1)",
    ),
    (
        "revocation_acks",
        "tenant_id",
        "INSERT INTO revocation_acks SELECT id, '{new}', '{t}', 1 FROM operations WHERE tenant_id = '{t}' LIMIT 1",
    ),
    (
        "memberships",
        "tenant_id",
        "INSERT INTO memberships VALUES ('{new}', '{t}', '01930000-0000-7000-8000-000000000001', 'owner', NULL, false, 1, 1)",
    ),
    (
        "invitations",
        "tenant_id",
        "INSERT INTO invitations VALUES ('{new}', '{t}', 'a@x.org', 'a@x.org', 'owner', NULL, sha256('{new}'), NULL, 1, \
         2, NULL, NULL, NULL)",
    ),
    (
        "services",
        "tenant_id",
        "INSERT INTO services VALUES ('{new}', '{t}', '{new}', '{new}', '', '[]', NULL, 1, 2, NULL, NULL, 1)",
    ),
    (
        "mails",
        "tenant_id",
        "INSERT INTO mails VALUES ('{new}', '{t}', NULL, 'invitation', 'a@x.org', 'en', '{}', NULL, NULL, 'm', 'unsent', \
         NULL, 0, NULL, 1, NULL, NULL)",
    ),
    ("budget_warnings", "tenant_id", "INSERT INTO budget_warnings VALUES ('{t}', '{new}', 'daily_budget', 1, 80, 1)"),
    ("reveal_allowances", "tenant_id", "INSERT INTO reveal_allowances VALUES ('{t}', NULL, 1)"),
    ("reveals", "tenant_id", "INSERT INTO reveals VALUES ('{new}', '{t}', 'usr_1', 1)"),
    ("modules", "tenant_id", "INSERT INTO modules VALUES ('{t}', '[]', '[]', 1)"),
    (
        "content_types",
        "tenant_id",
        "INSERT INTO content_types VALUES ('{new}', '{t}', '{new}', 'x', '{}', 'public', NULL, NULL, false, NULL, 1, 1, 1)",
    ),
    ("node_types", "tenant_id", "INSERT INTO node_types VALUES ('{t}', '{new}', '{}', false, 1, 1)"),
    (
        "documents",
        "tenant_id",
        "INSERT INTO documents (id, tenant_id, kind, slug, title, locale, author, body, metadata, version, created_at_ms, \
         updated_at_ms) VALUES ('{new}', '{t}', 'flow', '{new}', 'x', 'en', 'x', '{}', '{}', 1, 1, 1)",
    ),
    (
        "document_versions",
        "tenant_id",
        "INSERT INTO document_versions SELECT '{t}', d.id, 1, 'x', NULL, 'x', '{}', '{}', 1 FROM documents d \
         WHERE d.tenant_id = '{t}' AND NOT EXISTS (SELECT 1 FROM document_versions v WHERE v.document_id = d.id) LIMIT 1",
    ),
    (
        "audit_events",
        "tenant_id",
        "INSERT INTO audit_events VALUES ('{new}', '{t}', 'a', 'admin', '{}', 't', 'success', 1, NULL, '{}')",
    ),
    ("audit_entries", "tenant_id", "INSERT INTO audit_entries VALUES ('{t}', 1, '{new}', '{}', '')"),
    ("audit_chains", "tenant_id", "INSERT INTO audit_chains VALUES ('{t}', 0, '', '', 0, 0, 0)"),
    ("audit_checkpoints", "tenant_id", "INSERT INTO audit_checkpoints VALUES ('{t}', 1, 'n', 1)"),
];

/// A person to be a member, of whom no tenant's transaction sees the row.
const ANA: &str = "INSERT INTO users VALUES ('01930000-0000-7000-8000-000000000001', 'a@x.org', 'a@x.org', 'Ana', 'en', \
                   NULL, NULL, NULL, 1, 1)";

fn statement(template: &str, tenant: TenantId) -> String {
    template.replace("{new}", &MessageId::new().uuid().to_string()).replace("{t}", &tenant.uuid().to_string())
}

/// Two tenants with at least one row in every table.
async fn two_tenants() -> Result<(Fixture, TenantId)> {
    let fixture = Fixture::postgres().await?;
    let (other, project, data_key) = add_tenant(&fixture.store, "second").await?;
    let tx = fixture.store.system().await?;
    raw::execute(&tx, ANA).await?;
    tx.commit().await?;
    for (tenant, project, data_key) in [(fixture.tenant, fixture.project, fixture.data_key), (other, project, data_key)]
    {
        let tx = fixture.store.tenant(tenant).await?;
        let row = keyway_store::integrations::insert(&tx, integration(project, data_key, "prod", 1), NOW).await?;
        let new = operation(tenant, fetch(row.id), None);
        keyway_store::operations::insert(&tx, new, NOW).await?;
        let body = Body::Event(Event::Invalidated(Invalidation::Integrations));
        outbox::insert(&tx, &[Message::new(MessageId::new(), tenant, body)], NOW).await?;
        tx.commit().await?;
        let tx = fixture.store.system().await?;
        for (table, _, insert) in TABLES.into_iter().filter(|(table, ..)| *table != "tenants") {
            let added = raw::execute(&tx, &statement(insert, tenant)).await.with_context(|| table)?;
            assert_eq!(added, 1, "{table}");
        }
        tx.commit().await?;
    }
    Ok((fixture, other))
}

#[tokio::test]
async fn no_statement_of_one_tenant_reaches_a_row_of_another() -> Result<()> {
    let (fixture, other) = two_tenants().await?;
    for (table, column, insert) in TABLES {
        let theirs = format!("{column} = '{}'", other.uuid());
        let tx = fixture.store.tenant(fixture.tenant).await?;
        let own = raw::number(&tx, &format!("SELECT count(*) AS n FROM {table}")).await?;
        let seen = raw::number(&tx, &format!("SELECT count(*) AS n FROM {table} WHERE {theirs}")).await?;
        assert!(own > 0, "{table}: a tenant sees its own rows");
        assert_eq!(seen, 0, "{table}: select");
        for (verb, text) in [
            ("update", format!("UPDATE {table} SET {column} = {column} WHERE {theirs}")),
            ("delete", format!("DELETE FROM {table} WHERE {theirs}")),
            ("steal", format!("UPDATE {table} SET {column} = '{}'", other.uuid())),
            ("insert", statement(insert, other)),
        ] {
            let tx = fixture.store.tenant(fixture.tenant).await?;
            // Refused, or without any row to work on.
            assert!(!matches!(raw::execute(&tx, &text).await, Ok(1..)), "{table}: {verb}");
        }
    }
    let tx = fixture.store.system_read().await?;
    for (table, column, _) in TABLES {
        let count = format!("SELECT count(*) AS n FROM {table} WHERE {column} = '{}'", other.uuid());
        assert!(raw::number(&tx, &count).await? > 0, "{table}: the other tenant's rows are all there");
    }
    Ok(())
}

#[tokio::test]
async fn without_a_tenant_the_app_role_sees_and_writes_nothing() -> Result<()> {
    let (fixture, _) = two_tenants().await?;
    for (table, _, insert) in TABLES {
        let tx = fixture.store.tenant(fixture.tenant).await?;
        raw::execute(&tx, "SELECT set_config('keyway.tenant_id', '', true)").await?;
        let seen = raw::number(&tx, &format!("SELECT count(*) AS n FROM {table}")).await?;
        assert_eq!(seen, 0, "{table}");
        let inserted = raw::execute(&tx, &statement(insert, fixture.tenant)).await;
        assert!(!matches!(inserted, Ok(1..)), "{table}: insert");
    }
    Ok(())
}

#[tokio::test]
async fn the_list_of_tables_is_complete() -> Result<()> {
    let fixture = Fixture::postgres().await?;
    let tx = fixture.store.system_read().await?;
    let text = "SELECT c.relname::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                WHERE n.nspname = 'public' AND c.relkind = 'r' AND c.relforcerowsecurity";
    let mut found = raw::names(&tx, text).await?;
    found.sort_unstable();
    let mut listed = TABLES.map(|(table, ..)| table.to_owned());
    listed.sort_unstable();
    assert_eq!(found, listed);
    Ok(())
}

#[tokio::test]
async fn the_audit_log_cannot_be_changed_by_either_role() -> Result<()> {
    let (fixture, _) = two_tenants().await?;
    for text in [
        "UPDATE audit_events SET action = 'x'",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "UPDATE audit_entries SET entry = 'x'",
        "DELETE FROM audit_entries",
        "UPDATE audit_checkpoints SET note = 'x'",
        "DELETE FROM audit_checkpoints",
    ] {
        let tx = fixture.store.tenant(fixture.tenant).await?;
        assert!(raw::execute(&tx, text).await.is_err(), "app: {text}");
        let tx = fixture.store.system().await?;
        assert!(raw::execute(&tx, text).await.is_err(), "system: {text}");
    }
    let (.., insert) = TABLES.into_iter().find(|(table, ..)| *table == "audit_events").context("the audit log")?;
    let tx = fixture.store.tenant(fixture.tenant).await?;
    assert!(raw::execute(&tx, &statement(insert, fixture.tenant)).await.is_err(), "app: append");
    Ok(())
}
