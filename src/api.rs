//! `keyway api`: the listener with API and proxy, beside any number of others.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use keyway_api::{App, AppParts, OidcSettings, OutboxLimits, SessionTimes};
use keyway_bus::{InvalidationSignal, InvalidationStream, NoticeSignal, NoticeStream};
use keyway_config::Config;
use keyway_domain::{TenantId, Timestamp};
use keyway_http::ServerLimits;
use keyway_providers::GuardedClient;
use keyway_proxy::{CorsOrigins, Proxy, ProxyParts};
use keyway_store::{settings, setup_token, tenants};
use keyway_vault::{
    AccessToken, AccessTokenKind, ProviderSecret, SecretString, from_hex, to_hex,
    token::{admin_key_hash, new_admin_key},
};
use tokio_util::sync::CancellationToken;

use crate::{
    dashboard,
    front::{self, Beside},
    parts::{self, Parts},
    places, say,
};

/// Name of the setting that holds the admin key's SHA-256.
const ADMIN_KEY: &str = "admin_key.sha256";

/// Runs until a signal, then lets running requests end.
///
/// # Errors
/// Any failure at the start, with the remedy.
pub(crate) async fn run(config: Config) -> anyhow::Result<()> {
    parts::require_services(&config, "api")?;
    places::require_addresses(&config, &[places::LISTEN, places::OPS_LISTEN]).await?;
    places::make_directory(places::DATA_DIR, &config.process.data_dir)?;
    serve(&parts::open(config, "api").await?).await
}

/// Serves API and proxy until the stop token is cancelled and both are drained.
///
/// # Errors
/// The address is taken, or the database went away during the start.
pub(crate) async fn serve(parts: &Parts) -> anyhow::Result<()> {
    let config = &parts.config;
    let listener = places::listen(places::LISTEN, config.api.listen).await?;
    let (admin_key_sha256, default_tenant) = identity(parts).await?;
    let proxy = Proxy::new(ProxyParts {
        store: parts.store.clone(),
        keys: parts.keys.clone(),
        catalog: parts.catalog.clone(),
        guard: parts.http.guard().clone(),
        bus: parts.bus.clone(),
        data_dir: config.process.data_dir.clone(),
        body_bytes: config.proxy.proxy_body_bytes,
        bodies_bytes: config.proxy.proxy_bodies_bytes,
        first_byte_timeout: config.proxy.first_byte,
        cors: config.proxy.cors_origins.clone().map_or(CorsOrigins::Any, CorsOrigins::Listed),
        fallback_key: config.proxy.fallback_key.as_ref().map(ProviderSecret::copy),
    })?;
    let app = App::new(AppParts {
        store: parts.store.clone(),
        keys: parts.keys.clone(),
        catalog: parts.catalog.clone(),
        guard: parts.http.guard().clone(),
        admin_key_sha256,
        default_tenant,
        public_url: config.api.public_url.clone(),
        outgoing: parts::outgoing(config),
        body_bytes: config.api.api_body_bytes,
        body_timeout: std::time::Duration::from_secs(30),
        verify_interval: config.workers.verify_interval,
        drift_percent: config.workers.drift_percent,
        outbox: OutboxLimits { max_rows: config.api.outbox_max_rows, max_age: config.api.outbox_max_age },
        oidc: oidc(parts)?,
        sessions: SessionTimes { idle: config.api.session_idle, absolute: config.api.session },
        proxy: Some(Arc::new(Beside(proxy.clone()))),
    });
    drop(keyway_telemetry::spawn("cache warm-up", warm_up(proxy.clone(), parts.stop.clone())));
    keyway_telemetry::spawn("outbox watch", app.clone().watch_outbox(parts.stop.clone()));
    let changes = take_note(app.clone(), parts.bus.invalidations(), parts.stop.clone());
    drop(keyway_telemetry::spawn("principals", changes));
    drop(keyway_telemetry::spawn("notices", tell_pages(app.clone(), parts.bus.notices(), parts.stop.clone())));
    parts.say_ready();
    parts::announce(config, "API");
    offer_setup(parts).await?;
    let limits = ServerLimits {
        max_connections: config.api.max_connections,
        max_connections_of_address: config.api.max_connections_of_address,
        idle_timeout: config.api.idle,
        drain: config.process.drain,
        ..ServerLimits::default()
    };
    front::serve(listener, app, proxy.clone(), dashboard::answer, (limits, parts.stop.clone()))
        .await
        .context("serving")?;
    proxy.drain().await;
    Ok(())
}

/// Returns the identity provider that people sign in at, with the way to it.
///
/// # Errors
/// A setting cannot be used.
fn oidc(parts: &Parts) -> anyhow::Result<Option<(OidcSettings, GuardedClient)>> {
    let Some(config) = &parts.config.oidc else { return Ok(None) };
    let client = (config.client_id.as_str(), SecretString::new(config.client_secret.plain().clone()));
    let roles = (config.role_claim.as_str(), config.roles.as_str());
    let settings = OidcSettings::read(&config.issuer, client, &config.domains, roles, &config.required_in)?;
    Ok(Some((settings, parts.http.clone())))
}

/// Tells open pages what the bus says has changed, and ends their streams with the process.
async fn tell_pages(app: Arc<App>, mut notices: NoticeStream, stop: CancellationToken) {
    while let Some(Some(signal)) = stop.run_until_cancelled(notices.next()).await {
        match signal {
            NoticeSignal::Changed(notices) => app.notify(notices),
            NoticeSignal::Lost => app.notices_lost(),
        }
    }
    app.end_streams();
}

/// Hands to the API what the bus says has changed.
async fn take_note(app: Arc<App>, mut changes: InvalidationStream, stop: CancellationToken) {
    while let Some(Some(signal)) = stop.run_until_cancelled(changes.next()).await {
        match signal {
            InvalidationSignal::Changed(tenant_id, what, _) => app.note(tenant_id, what),
            InvalidationSignal::Lost => app.forget_principals(),
        }
    }
}

/// Prints the setup token, once, while there is nobody who could sign in.
async fn offer_setup(parts: &Parts) -> anyhow::Result<()> {
    let token = AccessToken::generate(AccessTokenKind::Setup).context("the system gives no random bytes")?;
    let tx = parts.store.system().await?;
    let is_offered = setup_token::offer(&tx, &token.sha256()).await?;
    tx.commit().await?;
    if is_offered {
        let address = page_address(parts.config.api.listen);
        say::line(&format!(
            "Nobody can sign in yet. The first owner is made at http://{address}/setup (or POST /api/v1/setup) with this \
             setup token (shown once, works once): {}",
            token.plain()
        ));
    }
    Ok(())
}

/// Returns the address to open in a browser on this machine: passkeys work on `localhost`, and not on an address.
fn page_address(listen: SocketAddr) -> String {
    match listen.ip().is_loopback() || listen.ip().is_unspecified() {
        true => format!("localhost:{}", listen.port()),
        false => listen.to_string(),
    }
}

/// Fills the proxy's caches while it already serves, so that a start does not wait for them.
async fn warm_up(proxy: Arc<Proxy>, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        warmed = proxy.warm() => if let Err(error) = warmed {
            tracing::warn!(%error, "the caches start cold; requests load what they need");
        }
    }
}

/// Returns the admin key's hash and the default tenant; makes either if missing.
async fn identity(parts: &Parts) -> anyhow::Result<([u8; 32], TenantId)> {
    let tx = parts.store.system().await?;
    let default = tenants::ensure_default(&tx, Timestamp::now()).await?;
    let stored = match &parts.config.api.admin_key {
        Some(key) => {
            let hash = to_hex(&admin_key_hash(key.plain()));
            settings::put(&tx, ADMIN_KEY, &hash).await?;
            hash
        }
        None => match settings::find(&tx, ADMIN_KEY).await? {
            Some(stored) => stored,
            None => {
                let key = new_admin_key().context("the system gives no random bytes")?;
                let own = to_hex(&admin_key_hash(key.plain()));
                let stored = settings::put_if_absent(&tx, ADMIN_KEY, &own).await?;
                if stored == own {
                    say::line(&format!("Admin key (shown once, stored only as a hash): {}", key.plain()));
                }
                stored
            }
        },
    };
    tx.commit().await?;
    Ok((from_hex(&stored).context("the stored hash of the admin key is not readable")?, default.id))
}
