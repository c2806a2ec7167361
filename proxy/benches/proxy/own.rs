//! Keyway with everything on: the real server with management API and proxy, SQLite, the spool and its
//! drainer. Workers are another process in most deployments and are not part of it.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use keyway_api::{App, AppParts};
use keyway_bus::{BusError, EmbeddedBus, Journal};
use keyway_domain::{IntegrationId, Limits, Message, MessageId, ProjectId, Routing, SecretId, TenantId, Timestamp};
use keyway_http::ServerLimits;
use keyway_providers::{LiveCatalog, guard::Guard};
use keyway_proxy::{CorsOrigins, Proxy, ProxyParts};
use keyway_store::{
    DatabaseLimits, Store, TenantKeyCache,
    integrations::{self, NewIntegration, SealedSecret},
    projects, tenants,
    virtual_keys::{self, NewVirtualKey},
};
use keyway_testkit::postgres::TestDatabase;
use keyway_vault::{
    Keyring, Vault,
    token::{VirtualKeyToken, admin_key_hash},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    doors::{self, Beside},
    role::{self, PROVIDER_KEY},
};

struct NoJournal;

#[async_trait]
impl Journal for NoJournal {
    async fn append(&self, _: &[Message]) -> Result<(), BusError> {
        Ok(())
    }

    async fn remove(&self, _: &[MessageId]) -> Result<(), BusError> {
        Ok(())
    }
}

pub(crate) async fn serve(listener: TcpListener, provider: &str) -> Result<()> {
    let database = TestDatabase::sqlite()?;
    keyway_migrations::migrate(&database.url).await?;
    let store = Store::connect(&database.url, DatabaseLimits::default()).await?;
    let tx = store.system().await?;
    let tenant = tenants::ensure_default(&tx, Timestamp::now()).await?.id;
    tx.commit().await?;
    let keys = TenantKeyCache::new(Arc::new(Vault::open(Keyring::generate()?)));
    let key = fill(&store, &keys, tenant, provider).await?;
    let (catalog, guard) = (LiveCatalog::load(None)?, Guard::new(&[provider.to_owned()])?);
    let data_dir = std::env::temp_dir().join(format!("keyway-bench-{}", MessageId::new()));
    let proxy = Proxy::new(ProxyParts {
        store: store.clone(),
        keys: keys.clone(),
        catalog: catalog.clone(),
        guard: guard.clone(),
        bus: Arc::new(EmbeddedBus::new(Arc::new(NoJournal), 16)),
        data_dir,
        body_bytes: 32 << 20,
        bodies_bytes: 512 << 20,
        first_byte_timeout: std::time::Duration::from_secs(60),
        cors: CorsOrigins::Any,
        fallback_key: None,
    })?;
    proxy.warm().await?;
    let app = App::new(AppParts {
        store,
        keys,
        catalog,
        guard,
        admin_key_sha256: admin_key_hash("not used in this benchmark"),
        default_tenant: tenant,
        public_url: None,
        outgoing: keyway_store::mails::Outgoing::unset(),
        body_bytes: 1 << 20,
        body_timeout: std::time::Duration::from_secs(5),
        verify_interval: std::time::Duration::from_secs(86_400),
        drift_percent: 5,
        outbox: keyway_api::OutboxLimits { max_rows: u64::MAX, max_age: std::time::Duration::from_secs(3600) },
        oidc: None,
        sessions: keyway_api::SessionTimes::default(),
        proxy: Some(Arc::new(Beside(Arc::clone(&proxy)))),
    });
    role::ready(&listener, &key)?;
    doors::serve(listener, app, proxy, |_| None, (ServerLimits::default(), CancellationToken::new())).await?;
    Ok(())
}

/// Returns an integration for the provider and a virtual key of its project.
async fn fill(store: &Store, keys: &TenantKeyCache, tenant: TenantId, provider: &str) -> Result<String> {
    let tx = store.tenant(tenant).await?;
    let project = projects::find_by_name(&tx, "default").await?.context("no project")?.id;
    let data_keys = keys.current(&tx).await?;
    let secret_id = SecretId::new();
    let new = NewIntegration {
        id: IntegrationId::new(),
        secret_id,
        project_id: project,
        provider: "openai".to_owned(),
        name: "benchmark".to_owned(),
        base_url: Some(format!("http://{provider}/v1")),
        config: serde_json::json!({}),
        meta: serde_json::json!({}),
        expires_at: None,
        routing: Routing::default(),
        limits: Limits::default(),
        secret: SealedSecret {
            envelope: data_keys.seal(secret_id, 1, PROVIDER_KEY.as_bytes())?,
            data_key_id: data_keys.id(),
            fingerprint: data_keys.fingerprint("openai", PROVIDER_KEY.as_bytes()),
            hint: "sk-...".to_owned(),
            key_family: keyway_domain::KeyFamily::Ordinary,
        },
        next_check_at: None,
    };
    integrations::insert(&tx, new, Timestamp::now()).await?;
    let token = virtual_key(&tx, project).await?;
    tx.commit().await?;
    Ok(token)
}

async fn virtual_key(tx: &keyway_store::TenantTx, project_id: ProjectId) -> Result<String> {
    let token = VirtualKeyToken::generate().context("no random bytes")?;
    let new = NewVirtualKey {
        project_id,
        name: "benchmark".to_owned(),
        token_sha256: token.sha256(),
        hint: token.hint(),
        expires_at: None,
        // All of them, and out of reach: what they cost is measured, too.
        limits: Limits {
            requests_per_minute: Some(1 << 50),
            tokens_per_minute: Some(1 << 50),
            daily_budget_nano_usd: Some(1 << 50),
            monthly_budget_nano_usd: Some(1 << 50),
        },
        cache_ttl_seconds: None,
    };
    virtual_keys::insert(tx, new, Timestamp::now()).await?;
    Ok(token.plain().to_owned())
}
