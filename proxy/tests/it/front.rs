//! The server itself in front of a harness's proxy, with the limits of connections that a test wants.

use std::{sync::Arc, time::Duration};

use keyway_api::{App, AppParts, OutboxLimits};
use keyway_http::ServerLimits;
use keyway_vault::token::admin_key_hash;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{
    doors::{self, Beside},
    harness::Harness,
};

/// Serves until it is dropped.
pub(super) struct Front {
    pub(super) url: String,
    stop: CancellationToken,
}

impl Front {
    pub(super) async fn of(harness: &Harness, limits: ServerLimits) -> Self {
        let app = App::new(AppParts {
            store: harness.store.clone(),
            keys: harness.keys.clone(),
            catalog: harness.catalog.clone(),
            guard: harness.guard.clone(),
            admin_key_sha256: admin_key_hash("kw_admin_of_a_test"),
            default_tenant: harness.tenant,
            public_url: None,
            outgoing: keyway_store::mails::Outgoing::unset(),
            body_bytes: 16 << 10,
            body_timeout: Duration::from_secs(5),
            verify_interval: Duration::from_secs(86_400),
            drift_percent: 5,
            outbox: OutboxLimits { max_rows: 1_000_000, max_age: Duration::from_secs(600) },
            oidc: None,
            sessions: keyway_api::SessionTimes::default(),
            proxy: Some(Arc::new(Beside(Arc::clone(&harness.proxy)))),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let serving = doors::serve(listener, app, Arc::clone(&harness.proxy), |_| None, (limits, stop.clone()));
        drop(keyway_telemetry::spawn("server under test", async move { serving.await.unwrap() }));
        Self { url, stop }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
