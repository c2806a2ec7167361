//! One proxy with everything around it, on free ports and a directory of its own.

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use keyway_bus::{Bus, BusError, EmbeddedBus, Journal};
use keyway_domain::{
    Body, Command, Event, IntegrationId, Invalidation, Lane, Limits, Message, MessageId, MeteredCall, ProjectId, Route,
    Routing, SecretId, TenantId, Timestamp, VirtualKeyId,
};
use keyway_http::{CallerStream, Patience, Traffic};
use keyway_providers::{LiveCatalog, guard::Guard};
use keyway_proxy::{CorsOrigins, Proxy, ProxyParts};
use keyway_store::{
    DatabaseLimits, Store, TenantKeyCache,
    integrations::{self, NewIntegration, SealedSecret},
    outbox, projects, tenants,
    virtual_keys::{self, NewVirtualKey},
};
use keyway_testkit::{postgres::TestDatabase, simulator::Simulator};
use keyway_vault::{Keyring, ProviderSecret, Vault, token::VirtualKeyToken};
use serde_json::json;
use tokio::net::TcpListener;
use uuid::Uuid;

/// The simulator's good key, planted to be searched for.
pub(super) const SECRET: &str = "sk-sim-good-canary-0123456789";
/// The operator's OpenRouter key, planted to be searched for.
pub(super) const OPERATORS: &str = "sk-or-v1-canary-of-the-operator-0123456789";
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Harness {
    pub(super) simulator: Simulator,
    pub(super) store: Store,
    pub(super) keys: TenantKeyCache,
    pub(super) bus: Arc<EmbeddedBus>,
    pub(super) proxy: Arc<Proxy>,
    pub(super) url: String,
    pub(super) tenant: TenantId,
    pub(super) project: ProjectId,
    pub(super) directory: PathBuf,
    pub(super) http: reqwest::Client,
    pub(super) guard: Guard,
    pub(super) catalog: LiveCatalog,
    /// Settings for the next start of the proxy.
    pub(super) settings: Settings,
    /// `true` if the operator's key is configured.
    helped: bool,
    database: TestDatabase,
}

pub(super) struct Key {
    pub(super) id: VirtualKeyId,
    pub(super) text: String,
}

/// Settings that a test may change.
pub(super) struct Settings {
    pub(super) first_byte_timeout: Duration,
    pub(super) cors: CorsOrigins,
    /// Memory limit of all bodies; that of one is 64 KiB.
    pub(super) bodies_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { first_byte_timeout: Duration::from_secs(60), cors: CorsOrigins::Any, bodies_bytes: 512 << 20 }
    }
}

struct Forgetful;

#[async_trait]
impl Journal for Forgetful {
    async fn append(&self, _: &[Message]) -> Result<(), BusError> {
        Ok(())
    }

    async fn remove(&self, _: &[MessageId]) -> Result<(), BusError> {
        Ok(())
    }
}

impl Harness {
    /// A proxy for a tenant without anything; `openai` is the simulator.
    pub(super) async fn start() -> Self {
        Self::start_with(Vault::open(Keyring::generate().unwrap()), &[]).await
    }

    /// The same over this vault, trusting further hosts.
    pub(super) async fn start_with(vault: Vault, trusted: &[String]) -> Self {
        Self::start_on(TestDatabase::sqlite().unwrap(), vault, trusted).await
    }

    /// The same on this database.
    pub(super) async fn start_on(database: TestDatabase, vault: Vault, trusted: &[String]) -> Self {
        Self::start_helped(database, vault, trusted, None).await
    }

    /// The same with the operator's key, and OpenRouter at this base URL.
    pub(super) async fn start_helped(
        database: TestDatabase,
        vault: Vault,
        trusted: &[String],
        openrouter: Option<&str>,
    ) -> Self {
        let simulator = Simulator::start().await.unwrap();
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("proxy-{}", Uuid::now_v7().simple()));
        std::fs::create_dir_all(&directory).unwrap();
        keyway_migrations::migrate(&database.url).await.unwrap();
        let store = Store::connect(&database.url, DatabaseLimits::default()).await.unwrap();
        let tx = store.system().await.unwrap();
        let tenant = tenants::insert(&tx, "shop", Timestamp::now()).await.unwrap().id;
        tx.commit().await.unwrap();
        let tx = store.tenant(tenant).await.unwrap();
        let project = projects::insert(&tx, "web", Limits::default(), None, Timestamp::now()).await.unwrap().id;
        tx.commit().await.unwrap();
        let trusted: Vec<String> = [&[simulator.host()], trusted].concat();
        let guard = Guard::new(&trusted).unwrap();
        let catalog = LiveCatalog::load(openrouter.map(|url| models_file(&directory, url)).as_deref()).unwrap();
        let keys = TenantKeyCache::new(Arc::new(vault));
        let bus = Arc::new(EmbeddedBus::new(Arc::new(Forgetful), 100));
        let helped = openrouter.is_some();
        let settings = Settings::default();
        let place = (Arc::clone(&bus), directory.clone());
        let proxy = proxy(&store, (&keys, helped), (&catalog, &settings), &guard, place);
        let url = serve(&proxy).await;
        let http = client();
        Self {
            simulator,
            store,
            keys,
            bus,
            proxy,
            url,
            tenant,
            project,
            directory,
            http,
            guard,
            catalog,
            settings,
            helped,
            database,
        }
    }

    /// An id as a hand-written statement names it.
    pub(super) fn literal(&self, id: Uuid) -> String {
        let is_postgres = self.database.url.starts_with("postgres");
        if is_postgres { format!("'{id}'::uuid") } else { format!("x'{}'", id.simple()) }
    }

    /// A harness whose project has one `openai` integration, with a virtual key for it.
    pub(super) async fn ready() -> (Self, Key) {
        Self::ready_with(SECRET).await
    }

    /// The same with this secret.
    pub(super) async fn ready_with(secret: &str) -> (Self, Key) {
        let harness = Self::start().await;
        harness.integration("openai", secret).await;
        let key = harness.virtual_key(None).await;
        (harness, key)
    }

    /// Another proxy over the same database and spool, as after a restart.
    pub(super) async fn restart(&mut self) {
        let place = (Arc::clone(&self.bus), self.directory.clone());
        let told = (&self.catalog, &self.settings);
        self.proxy = proxy(&self.store, (&self.keys, self.helped), told, &self.guard, place);
        self.url = serve(&self.proxy).await;
    }

    pub(super) async fn integration(&self, provider: &str, secret: &str) -> IntegrationId {
        self.integration_at(provider, secret, &self.simulator.base_url).await
    }

    pub(super) async fn integration_at(&self, provider: &str, secret: &str, base_url: &str) -> IntegrationId {
        self.integration_of(provider, secret, Some(base_url)).await
    }

    /// An integration; without a base URL of its own it goes where its provider is.
    pub(super) async fn integration_of(&self, provider: &str, secret: &str, base_url: Option<&str>) -> IntegrationId {
        self.integration_in((self.tenant, self.project), provider, secret, base_url).await
    }

    /// An integration of any tenant's project.
    pub(super) async fn integration_in(
        &self,
        (tenant, project_id): (TenantId, ProjectId),
        provider: &str,
        secret: &str,
        base_url: Option<&str>,
    ) -> IntegrationId {
        let tx = self.store.tenant(tenant).await.unwrap();
        let keys = self.keys.current(&tx).await.unwrap();
        let (id, secret_id) = (IntegrationId::new(), SecretId::new());
        let new = NewIntegration {
            id,
            secret_id,
            project_id,
            provider: provider.to_owned(),
            name: format!("{provider} {id}"),
            base_url: base_url.map(str::to_owned),
            config: json!({}),
            meta: json!({}),
            expires_at: None,
            routing: Routing::default(),
            limits: Limits::default(),
            secret: SealedSecret {
                envelope: keys.seal(secret_id, 1, secret.as_bytes()).unwrap(),
                data_key_id: keys.id(),
                fingerprint: keys.fingerprint(provider, secret.as_bytes()),
                hint: "sk-...".to_owned(),
                key_family: keyway_domain::KeyFamily::Ordinary,
            },
            next_check_at: None,
        };
        integrations::insert(&tx, new, Timestamp::now()).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    pub(super) async fn virtual_key(&self, expires_at: Option<Timestamp>) -> Key {
        self.virtual_key_within(Limits::default(), expires_at).await
    }

    /// A virtual key with limits.
    pub(super) async fn virtual_key_within(&self, limits: Limits, expires_at: Option<Timestamp>) -> Key {
        let token = VirtualKeyToken::generate().unwrap();
        let new = NewVirtualKey {
            project_id: self.project,
            name: token.hint(),
            token_sha256: token.sha256(),
            hint: token.hint(),
            expires_at,
            limits,
            cache_ttl_seconds: None,
        };
        let tx = self.store.tenant(self.tenant).await.unwrap();
        let row = virtual_keys::insert(&tx, new, Timestamp::now()).await.unwrap();
        tx.commit().await.unwrap();
        Key { id: row.id, text: token.plain().to_owned() }
    }

    pub(super) async fn revoke(&self, key: &Key) {
        let tx = self.store.tenant(self.tenant).await.unwrap();
        virtual_keys::revoke(&tx, key.id, None, Timestamp::now()).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Tells the caches through the bus, as the relay does after a commit.
    pub(super) async fn tell(&self, what: Invalidation) {
        let message = Message::new(MessageId::new(), self.tenant, Body::Event(Event::Invalidated(what)));
        self.bus.publish(&[message]).await.unwrap();
    }

    pub(super) fn post(&self, path: &str, key: &Key, body: &serde_json::Value) -> reqwest::RequestBuilder {
        self.http.post(format!("{}{path}", self.url)).bearer_auth(&key.text).json(body)
    }

    pub(super) fn get(&self, path: &str, key: &Key) -> reqwest::RequestBuilder {
        self.http.get(format!("{}{path}", self.url)).bearer_auth(&key.text)
    }

    /// Moves the spool and takes what the meter lane would get.
    pub(super) async fn take_records(&self) -> Vec<MeteredCall> {
        self.proxy.drain().await;
        let tx = self.store.system().await.unwrap();
        let until = Timestamp::now().after(Duration::from_secs(3600));
        let rows = outbox::claim(&tx, Route::Lane(Lane::Meter), 1000, until).await.unwrap();
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        outbox::delete(&tx, &ids).await.unwrap();
        tx.commit().await.unwrap();
        let messages = rows.into_iter().map(|row| Message::decode(&row.body).unwrap());
        messages
            .flat_map(|message| match message.body {
                Body::Command(Command::MeterCalls { calls }) => calls,
                other => panic!("not a batch of calls: {other:?}"),
            })
            .collect()
    }

    /// Waits until `count` records have come.
    pub(super) async fn records(&self, count: usize) -> Vec<MeteredCall> {
        let mut records = Vec::new();
        let all = until("the records", async || {
            records.extend(self.take_records().await);
            records.len() >= count
        });
        all.await;
        assert_eq!(records.len(), count, "{records:?}");
        records
    }
}

/// A body for chat completions.
pub(super) fn chat(stream: bool) -> serde_json::Value {
    json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": "one two three" }], "stream": stream })
}

/// A client that does what it is told and nothing more.
pub(super) fn client() -> reqwest::Client {
    // A second process-wide provider is refused; the one that is there is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    #[expect(clippy::disallowed_methods, reason = "the guarded client would refuse this machine's addresses")]
    let builder = reqwest::Client::builder();
    builder.no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE).build().unwrap()
}

/// Waits for a condition, with a deadline.
pub(super) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !condition().await {
        assert!(tokio::time::Instant::now() < deadline, "waited too long for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The usual models file, with OpenRouter elsewhere.
fn models_file(directory: &std::path::Path, openrouter: &str) -> PathBuf {
    let usual = include_str!("../../../models.yaml");
    let path = directory.join("models.yaml");
    std::fs::write(&path, usual.replace("https://openrouter.ai/api/v1", openrouter)).unwrap();
    path
}

fn proxy(
    store: &Store,
    (keys, helped): (&TenantKeyCache, bool),
    (catalog, settings): (&LiveCatalog, &Settings),
    guard: &Guard,
    (bus, data_dir): (Arc<EmbeddedBus>, PathBuf),
) -> Arc<Proxy> {
    let parts = ProxyParts {
        store: store.clone(),
        keys: keys.clone(),
        catalog: catalog.clone(),
        guard: guard.clone(),
        bus,
        data_dir,
        body_bytes: 64 << 10,
        bodies_bytes: settings.bodies_bytes,
        first_byte_timeout: settings.first_byte_timeout,
        cors: settings.cors.clone(),
        fallback_key: helped.then(|| ProviderSecret::new(OPERATORS.to_owned())),
    };
    Proxy::new(parts).unwrap()
}

/// Serves as the accept loop does, for as long as the proxy lives.
async fn serve(proxy: &Arc<Proxy>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (client, proxy) = (Arc::new(proxy.client()), Arc::downgrade(proxy));
    drop(keyway_telemetry::spawn("test server", async move {
        while let Ok((stream, peer)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            let (client, proxy) = (Arc::clone(&client), proxy.clone());
            let traffic = Arc::<Traffic>::default();
            let patience = Patience { head: PATIENCE, idle: PATIENCE, write: PATIENCE };
            let stream = CallerStream::new(stream, patience, Arc::clone(&traffic));
            let service = service_fn(move |request| {
                let (client, traffic, proxy) = (Arc::clone(&client), Arc::clone(&traffic), proxy.upgrade());
                async move {
                    let proxy = proxy.ok_or(std::io::ErrorKind::NotConnected)?;
                    Ok::<_, std::io::Error>(proxy.handle(request, peer, &client, &traffic).await)
                }
            });
            let mut server = http1::Builder::new();
            server.header_read_timeout(None);
            drop(keyway_telemetry::spawn(
                "test connection",
                server.serve_connection(TokioIo::new(stream), service).with_upgrades(),
            ));
        }
    }));
    url
}
