//! A server on a free port with a migrated database, and a client that holds the admin key.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use keyway_api::{App, AppParts, OidcSettings, OutboxLimits, SessionTimes};
use keyway_bus::{BusError, EmbeddedBus, Journal};
use keyway_domain::{Message, MessageId, TenantId, Timestamp};
use keyway_http::ServerLimits;
use keyway_providers::{GuardSettings, GuardedClient, LiveCatalog, guard::Guard};
use keyway_proxy::{CorsOrigins, Proxy, ProxyParts};
use keyway_store::{DatabaseLimits, Store, TenantKeyCache, mails::Outgoing, raw, tenants};
use keyway_testkit::postgres::TestDatabase;
use keyway_vault::{
    Keyring, ProviderSecret, Vault,
    token::{admin_key_hash, new_admin_key},
};
use reqwest::{
    Method, RequestBuilder,
    header::{CONTENT_TYPE, HeaderMap},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::doors::{self, Beside};

/// A key of the right form that nobody else uses.
pub(crate) const KEY: &str = "sk-proj-AAAAAAAAAAAAAAAAAAAAwxyz";
/// A host that the server under test is told to trust.
pub(crate) const TRUSTED: &str = "127.0.0.1:9";

const TABLES: &[&str] = &[
    "tenants",
    "projects",
    "virtual_keys",
    "integrations",
    "secrets",
    "operations",
    "outbox",
    "idempotency_keys",
    "providers",
    "provider_models",
    "data_keys",
    "dead_letters",
    "audit_events",
];

/// The server under test.
pub(crate) struct Api {
    pub(crate) base: String,
    pub(crate) admin_key: String,
    pub(crate) store: Store,
    pub(crate) tenant: TenantId,
    pub(crate) app: Arc<App>,
    pub(crate) is_postgres: bool,
    pub(crate) stop: CancellationToken,
    pub(crate) served: Option<tokio::task::JoinHandle<std::io::Result<()>>>,
    /// Tenant of the `Keyway-Tenant` header; `None`: no header.
    pub(crate) acting_in: Option<String>,
    http: reqwest::Client,
    data_dir: PathBuf,
    pub(crate) database: TestDatabase,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) json: Value,
}

/// Settings that a test may change.
pub(crate) struct Options {
    pub(crate) limits: ServerLimits,
    pub(crate) vault: Vault,
    pub(crate) outbox: OutboxLimits,
    /// How long sessions hold.
    pub(crate) sessions: SessionTimes,
    /// The operator's OpenRouter key.
    pub(crate) fallback_key: Option<ProviderSecret>,
    /// The admin key; `None`: one that was made at the first start.
    pub(crate) admin_key: Option<String>,
    /// Address that people open Keyway at.
    pub(crate) public_url: Option<String>,
    /// Way in which mails leave.
    pub(crate) outgoing: Outgoing,
    /// Identity provider, by what the default tenant needs of it.
    pub(crate) oidc: Option<Oidc>,
}

/// Identity provider for people of a tenant: its settings, and its host.
pub(crate) type Oidc = Box<dyn Fn(TenantId) -> Result<(OidcSettings, String)> + Send>;

impl Options {
    pub(crate) fn usual() -> Result<Self> {
        let outbox = OutboxLimits { max_rows: 1_000_000, max_age: Duration::from_secs(600) };
        Ok(Self {
            limits: ServerLimits::default(),
            vault: Vault::open(Keyring::generate()?),
            outbox,
            sessions: SessionTimes::default(),
            fallback_key: None,
            admin_key: None,
            public_url: None,
            outgoing: Outgoing::unset(),
            oidc: None,
        })
    }
}

/// Runs a test on both databases.
macro_rules! on_both {
    ($($name:ident)*) => {$(
        mod $name {
            #[tokio::test]
            async fn postgres() -> anyhow::Result<()> {
                super::$name(crate::fixture::Api::postgres().await?).await
            }

            #[tokio::test]
            async fn sqlite() -> anyhow::Result<()> {
                super::$name(crate::fixture::Api::sqlite().await?).await
            }
        }
    )*};
}
pub(crate) use on_both;

impl Api {
    pub(crate) async fn postgres() -> Result<Self> {
        Self::start(TestDatabase::postgres().await?, Options::usual()?).await
    }

    pub(crate) async fn sqlite() -> Result<Self> {
        Self::start(TestDatabase::sqlite()?, Options::usual()?).await
    }

    pub(crate) async fn start(database: TestDatabase, options: Options) -> Result<Self> {
        keyway_migrations::migrate(&database.url).await?;
        let limits = DatabaseLimits { connections: 4, ..DatabaseLimits::default() };
        let store = Store::connect(&database.url, limits).await?;
        let (tenant, is_postgres) = (default_tenant(&store).await?, database.url.starts_with("postgres"));
        let oidc = options.oidc.map(|of| trusting(of(tenant)?)).transpose()?;
        let keys = TenantKeyCache::new(Arc::new(options.vault));
        let (catalog, guard) = (LiveCatalog::load(None)?, Guard::new(&[TRUSTED.to_owned()])?);
        let admin_key = options.admin_key.unwrap_or(new_admin_key().context("no random bytes")?.plain().clone());
        let data_dir = std::env::temp_dir().join(format!("keyway-api-{}", MessageId::new()));
        let proxy = Proxy::new(ProxyParts {
            store: store.clone(),
            keys: keys.clone(),
            catalog: catalog.clone(),
            guard: guard.clone(),
            bus: Arc::new(EmbeddedBus::new(Arc::new(NoJournal), 16)),
            data_dir: data_dir.clone(),
            body_bytes: 1 << 20,
            bodies_bytes: 64 << 20,
            first_byte_timeout: Duration::from_secs(60),
            cors: CorsOrigins::Any,
            fallback_key: options.fallback_key,
        })?;
        let app = App::new(AppParts {
            store: store.clone(),
            keys,
            catalog,
            guard,
            admin_key_sha256: admin_key_hash(&admin_key),
            default_tenant: tenant,
            public_url: options.public_url,
            outgoing: options.outgoing,
            body_bytes: 16 * 1024,
            body_timeout: Duration::from_secs(5),
            verify_interval: Duration::from_secs(86_400),
            drift_percent: 5,
            outbox: options.outbox,
            oidc,
            sessions: options.sessions,
            proxy: Some(Arc::new(Beside(Arc::clone(&proxy)))),
        });
        let (listener, stop) = (TcpListener::bind("127.0.0.1:0").await?, CancellationToken::new());
        let base = format!("http://{}", listener.local_addr()?);
        keyway_telemetry::spawn("outbox watch", app.clone().watch_outbox(stop.clone()));
        let serving = doors::serve(listener, Arc::clone(&app), proxy, |_| None, (options.limits, stop.clone()));
        Ok(Self {
            base,
            admin_key,
            store,
            tenant,
            app,
            is_postgres,
            stop,
            served: Some(keyway_telemetry::spawn("api under test", serving)),
            acting_in: None,
            http: client(),
            data_dir,
            database,
        })
    }

    /// A request with the admin key.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.anonymous(method, path).bearer_auth(&self.admin_key);
        match &self.acting_in {
            Some(tenant) => request.header("Keyway-Tenant", tenant),
            None => request,
        }
    }

    /// A request with no key.
    pub(crate) fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Reply> {
        send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Result<Reply> {
        send(self.request(Method::POST, path).json(&body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Result<Reply> {
        send(self.request(Method::PATCH, path).json(&body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Result<Reply> {
        send(self.request(Method::PUT, path).json(&body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<Reply> {
        send(self.request(Method::DELETE, path)).await
    }

    /// Submits a key of OpenAI under a name and returns the integration's id.
    pub(crate) async fn submit(&self, name: &str, key: &str) -> Result<String> {
        let body = json!({ "provider": "openai", "name": name, "credentials": key });
        let reply = self.post("/api/v1/integrations", body).await?.expect(202)?;
        Ok(reply.text_at("/integration/id").to_owned())
    }

    /// Counts the rows of each table: equal counts before and after mean that nothing was written.
    pub(crate) async fn rows(&self) -> Result<Vec<(&'static str, i64)>> {
        let tx = self.store.system_read().await?;
        let mut rows = Vec::new();
        for table in TABLES {
            rows.push((*table, raw::number(&tx, &format!("SELECT count(*) AS n FROM {table}")).await?));
        }
        Ok(rows)
    }

    /// Returns the number that a hand-written query yields as `n`, across tenants.
    pub(crate) async fn number(&self, query: &str) -> Result<i64> {
        Ok(raw::number(&self.store.system_read().await?, query).await?)
    }

    /// Runs a statement on rows that only workers change.
    pub(crate) async fn execute(&self, statement: &str) -> Result<u64> {
        let tx = self.store.system().await?;
        let touched = raw::execute(&tx, statement).await?;
        tx.commit().await?;
        Ok(touched)
    }
}

async fn default_tenant(store: &Store) -> Result<TenantId> {
    let tx = store.system().await?;
    let tenant = tenants::ensure_default(&tx, Timestamp::now()).await?.id;
    tx.commit().await?;
    Ok(tenant)
}

impl Drop for Api {
    fn drop(&mut self) {
        self.stop.cancel();
        // Left behind at worst: it lies in the directory for temporary files.
        let _ = std::fs::remove_dir_all(&self.data_dir);
    }
}

impl Reply {
    /// Returns this reply if it has the status.
    pub(crate) fn expect(self, status: u16) -> Result<Self> {
        anyhow::ensure!(self.status == status, "expected {status}, got {}: {}", self.status, self.text);
        Ok(self)
    }

    /// Returns this reply if it is an error with this status and code.
    pub(crate) fn expect_error(self, status: u16, code: &str) -> Result<Self> {
        let reply = self.expect(status)?;
        anyhow::ensure!(reply.text_at("/error/code") == code, "expected {code}: {}", reply.text);
        let id = reply.text_at("/error/request_id");
        anyhow::ensure!(id.starts_with("req_") && reply.header("x-request-id") == id, "request id: {}", reply.text);
        anyhow::ensure!(!reply.text_at("/error/message").is_empty() && !reply.text_at("/error/type").is_empty());
        Ok(reply)
    }

    pub(crate) fn text_at(&self, pointer: &str) -> &str {
        self.json.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn at(&self, pointer: &str) -> &Value {
        self.json.pointer(pointer).unwrap_or(&Value::Null)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Sends a request and reads the answer.
pub(crate) async fn send(request: RequestBuilder) -> Result<Reply> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    // A stream of events has no end: its head is the answer.
    let is_stream = headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
    let text = if is_stream { String::new() } else { response.text().await? };
    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
    Ok(Reply { status, headers, text, json })
}

/// Adds a client that trusts the host of an identity provider.
fn trusting((settings, host): (OidcSettings, String)) -> Result<(OidcSettings, GuardedClient)> {
    let settings_of_guard = GuardSettings { trusted: vec![host], ..GuardSettings::default() };
    Ok((settings, GuardedClient::new(&settings_of_guard)?))
}

#[expect(clippy::disallowed_methods, reason = "a test is a client of the server, not of a provider")]
fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// A journal for an embedded bus on which nothing is published.
struct NoJournal;

#[async_trait::async_trait]
impl Journal for NoJournal {
    async fn append(&self, _: &[Message]) -> Result<(), BusError> {
        Ok(())
    }

    async fn remove(&self, _: &[MessageId]) -> Result<(), BusError> {
        Ok(())
    }
}
