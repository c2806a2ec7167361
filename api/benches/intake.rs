//! Command intake beside its limit: POST /api/v1/integrations through the real server on PostgreSQL,
//! against the same transaction by raw SQL from the same number of connections. Rounds alternate.
//!
//! `cargo bench -p keyway-api --bench intake [-- REQUESTS]`

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark prints, and is its own client")]

#[path = "../../src/front.rs"]
mod doors;

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Result, ensure};
use futures::StreamExt as _;
use keyway_api::{App, AppParts};
use keyway_bus::{EmbeddedBus, Journal};
use keyway_domain::{ProjectId, TenantId, Timestamp};
use keyway_http::ServerLimits;
use keyway_providers::{LiveCatalog, guard::Guard};
use keyway_proxy::{CorsOrigins, Proxy, ProxyParts};
use keyway_store::{DatabaseLimits, Store, TenantKeyCache, projects, tenants};
use keyway_testkit::{
    figures::{Effort, Figure, Meter, Wanted, median},
    postgres::TestDatabase,
};
use keyway_vault::{Keyring, Vault, token::admin_key_hash};
use sqlx::{Connection as _, Executor as _, PgPool, postgres::PgPoolOptions};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use doors::Beside;

const ADMIN_KEY: &str = "intake-benchmark-admin-key-0123456789";
const AT_ONCE: usize = 32;
const CONNECTIONS: u32 = 10;
const ROUNDS: usize = 5;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let requests: usize = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(3_000);
    // Losing against another installer is fine: one is enough.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let database = TestDatabase::postgres().await?;
    keyway_migrations::migrate(&database.url).await?;
    let (address, tenant_id, project_id) = start(&database.url).await?;
    let raw_pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(&database.url).await?;
    let (mut limit, mut own) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        limit.push(rate(requests, |_| by_sql(raw_pool.clone(), tenant_id, project_id)).await?);
        let client = reqwest::Client::builder().no_proxy().build()?;
        own.push(rate(requests, |at| by_api(client.clone(), address, round * requests + at)).await?);
        println!("round {round}: raw SQL {}, keyway {}", shown(limit[round - 1]), shown(own[round - 1]));
    }
    let (limit, own) = (median(&limit), median(&own));
    let ratio = own.per_second / limit.per_second;
    let name = "command intake, POST integration, 32 at once, against its transaction by raw SQL";
    println!("{}", Figure { name, found: shown(own), limit: shown(limit), ratio, wanted: Wanted::AtLeast(0.60) });
    Ok(())
}

fn shown(effort: Effort) -> String {
    format!("{:.0}/s, CPU {:.0} us", effort.per_second, effort.cpu_us)
}

/// Returns the real server; nothing consumes the outbox, as when the relay runs in other processes.
async fn start(url: &str) -> Result<(SocketAddr, TenantId, ProjectId)> {
    let store = Store::connect(url, DatabaseLimits { connections: CONNECTIONS, ..DatabaseLimits::default() }).await?;
    let tx = store.system().await?;
    let tenant = tenants::ensure_default(&tx, Timestamp::now()).await?;
    tx.commit().await?;
    let keys = TenantKeyCache::new(Arc::new(Vault::open(Keyring::generate()?)));
    let tx = store.tenant(tenant.id).await?;
    let project = projects::find_by_name(&tx, "default").await?;
    keys.current(&tx).await?;
    tx.commit().await?;
    let (catalog, guard) = (LiveCatalog::load(None)?, Guard::new(&[])?);
    let data_dir = std::env::temp_dir().join(format!("keyway-intake-{}", Uuid::now_v7().simple()));
    let bus = Arc::new(EmbeddedBus::new(Arc::new(NoJournal), 1));
    let proxy = Proxy::new(ProxyParts {
        store: store.clone(),
        keys: keys.clone(),
        catalog: catalog.clone(),
        guard: guard.clone(),
        bus,
        data_dir,
        body_bytes: 1 << 20,
        bodies_bytes: 512 << 20,
        first_byte_timeout: std::time::Duration::from_secs(60),
        cors: CorsOrigins::Any,
        fallback_key: None,
    })?;
    let app = App::new(AppParts {
        store,
        keys,
        catalog,
        guard,
        admin_key_sha256: admin_key_hash(ADMIN_KEY),
        default_tenant: tenant.id,
        public_url: None,
        outgoing: keyway_store::mails::Outgoing::unset(),
        body_bytes: 1 << 20,
        body_timeout: std::time::Duration::from_secs(30),
        verify_interval: std::time::Duration::from_secs(86_400),
        drift_percent: 5,
        outbox: keyway_api::OutboxLimits { max_rows: u64::MAX, max_age: std::time::Duration::from_secs(3600) },
        oidc: None,
        sessions: keyway_api::SessionTimes::default(),
        proxy: Some(Arc::new(Beside(Arc::clone(&proxy)))),
    });
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(doors::serve(listener, app, proxy, |_| None, (ServerLimits::default(), CancellationToken::new())));
    Ok((address, tenant.id, project.map(|project| project.id).unwrap_or_else(ProjectId::new)))
}

async fn by_api(client: reqwest::Client, address: SocketAddr, number: usize) -> Result<()> {
    let body = format!(
        r#"{{"provider":"openai","name":"intake-{number}","credentials":"sk-intake-{}-{number:08}"}}"#,
        Uuid::new_v4().simple()
    );
    let url = format!("http://{address}/api/v1/integrations");
    let request = client.post(url).bearer_auth(ADMIN_KEY).header("content-type", "application/json").body(body);
    let answer = request.send().await?;
    let status = answer.status();
    ensure!(status == 202, "answered {status}: {}", answer.text().await?);
    answer.bytes().await?;
    Ok(())
}

/// Runs the statements of a submission, with values made beforehand.
async fn by_sql(pool: PgPool, tenant: TenantId, project: ProjectId) -> Result<()> {
    let now = Timestamp::now().ms();
    let (tenant, project) = (tenant.uuid(), project.uuid());
    let [secret, integration, operation, key] = std::array::from_fn(|_| Uuid::now_v7());
    let bytes = Uuid::new_v4().as_bytes().repeat(6);
    let mut connection = pool.acquire().await?;
    let mut tx = connection.begin().await?;
    tx.execute(sqlx::query("SELECT set_config('keyway.tenant_id', $1, true)").bind(tenant.to_string())).await?;
    tx.execute(sqlx::query("SELECT * FROM projects WHERE tenant_id = $1 AND name = 'default'").bind(tenant)).await?;
    tx.execute(sqlx::query("SELECT * FROM data_keys WHERE tenant_id = $1 AND state = 'active'").bind(tenant)).await?;
    let text = "INSERT INTO secrets (id, tenant_id, version, envelope, data_key_id, created_at_ms) \
                SELECT $1, $2, 1, $3, id, $4 FROM data_keys WHERE tenant_id = $2";
    tx.execute(sqlx::query(text).bind(secret).bind(tenant).bind(&bytes).bind(now)).await?;
    let text = "INSERT INTO integrations (id, tenant_id, project_id, provider, name, status, hint, config, key_family, \
                secret_id, secret_version, fingerprint, fingerprint_key_id, next_check_at_ms, created_at_ms, \
                updated_at_ms, version) SELECT $1, $2, $3, 'openai', $4, 'verifying', 'sk-...abcd', '{}', 'ordinary', $5, 1, \
                $6, id, $7, $7, $7, 1 FROM data_keys WHERE tenant_id = $2";
    let name = format!("raw-{}", integration.simple());
    let insert = sqlx::query(text).bind(integration).bind(tenant).bind(project).bind(name).bind(secret);
    tx.execute(insert.bind(&bytes[..32]).bind(now)).await?;
    let text = "INSERT INTO operations (id, tenant_id, kind, origin, integration_id, state, attempt, due_at_ms, \
                created_at_ms, command) VALUES ($1, $2, 'verify_key', 'request', $3, 'queued', 1, $4, $4, $5)";
    let command = "{\"kind\":\"verify_key\",\"secret_version\":1,\"confirming\":false}".repeat(2);
    tx.execute(sqlx::query(text).bind(operation).bind(tenant).bind(integration).bind(now).bind(&command)).await?;
    let text = "INSERT INTO outbox (id, tenant_id, route, operation_id, body, available_at_ms, created_at_ms) VALUES \
                ($1, $2, 'verify', $3, $4, $5, $5), ($6, $2, 'audit', NULL, $4, $5, $5), ($7, $2, 'invalidate', NULL, $4, $5, $5)";
    let body = command.repeat(4).into_bytes();
    let insert = sqlx::query(text).bind(key).bind(tenant).bind(operation).bind(body).bind(now);
    tx.execute(insert.bind(Uuid::now_v7()).bind(Uuid::now_v7())).await?;
    let text = "SELECT pg_notify('keyway_outbox', 'verify'), pg_notify('keyway_outbox', 'audit'), \
                pg_notify('keyway_outbox', 'invalidate')";
    tx.execute(sqlx::query(text)).await?;
    tx.commit().await?;
    Ok(())
}

async fn rate<F: Future<Output = Result<()>> + Send + 'static>(
    requests: usize,
    one: impl Fn(usize) -> F,
) -> Result<Effort> {
    let meter = Meter::start()?;
    let mut running = futures::stream::iter((0..requests).map(|at| tokio::spawn(one(at)))).buffer_unordered(AT_ONCE);
    while let Some(ended) = running.next().await {
        ended??;
    }
    meter.stop(requests)
}

/// A journal for a bus on which nothing is published.
struct NoJournal;

#[async_trait::async_trait]
impl Journal for NoJournal {
    async fn append(&self, _: &[keyway_domain::Message]) -> Result<(), keyway_bus::BusError> {
        Ok(())
    }

    async fn remove(&self, _: &[keyway_domain::MessageId]) -> Result<(), keyway_bus::BusError> {
        Ok(())
    }
}
