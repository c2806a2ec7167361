//! The ground of a run: a database with one tenant, its keys, and the wanted number of integrations.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use keyway_domain::{IntegrationId, Limits, ProjectId, Routing, SecretId, TenantId, Timestamp};
use keyway_store::{
    DatabaseLimits, Store, TenantKeyCache, TenantTx,
    integrations::{self, NewIntegration, SealedSecret},
    projects, tenants,
};
use keyway_testkit::postgres::TestDatabase;
use keyway_vault::{Keyring, Vault};

/// Rows per transaction while a run is prepared.
const CHUNK: usize = 500;

pub(crate) struct Ground {
    pub(crate) database: TestDatabase,
    pub(crate) store: Store,
    pub(crate) tenant: TenantId,
    pub(crate) integrations: Vec<IntegrationId>,
    keys: TenantKeyCache,
    project: ProjectId,
}

impl Ground {
    pub(crate) async fn new(keyring: Keyring) -> Result<Self> {
        let database = TestDatabase::postgres().await?;
        keyway_migrations::migrate(&database.url).await?;
        let store = Store::connect(&database.url, DatabaseLimits::default()).await?;
        let tx = store.system().await?;
        let tenant = tenants::insert(&tx, "bench", Timestamp::now()).await?.id;
        tx.commit().await?;
        let tx = store.tenant_read(tenant).await?;
        let project = projects::find_by_name(&tx, projects::DEFAULT_NAME).await?.context("no project")?.id;
        drop(tx);
        let keys = TenantKeyCache::new(Arc::new(Vault::open(keyring)));
        Ok(Self { database, store, tenant, integrations: Vec::new(), keys, project })
    }

    /// Adds `count` integrations, each with an admin key, at this base URL.
    pub(crate) async fn add(&mut self, count: usize, base_url: &str) -> Result<()> {
        let mut left = count;
        while left > 0 {
            let tx = self.store.tenant(self.tenant).await?;
            for _ in 0..left.min(CHUNK) {
                let new = self.integration(&tx, base_url).await?;
                self.integrations.push(integrations::insert(&tx, new, Timestamp::now()).await?.id);
            }
            tx.commit().await?;
            left -= left.min(CHUNK);
        }
        Ok(())
    }

    async fn integration(&self, tx: &TenantTx, base_url: &str) -> Result<NewIntegration> {
        let (id, secret_id, keys) = (IntegrationId::new(), SecretId::new(), self.keys.current(tx).await?);
        let key = format!("sk-admin-bench-{id}");
        Ok(NewIntegration {
            id,
            secret_id,
            project_id: self.project,
            provider: "openai".to_owned(),
            name: id.to_string(),
            base_url: Some(base_url.to_owned()),
            config: serde_json::json!({}),
            meta: serde_json::json!({}),
            expires_at: None,
            routing: Routing::default(),
            limits: Limits::default(),
            secret: SealedSecret {
                envelope: keys.seal(secret_id, 1, key.as_bytes())?,
                data_key_id: keys.id(),
                fingerprint: keys.fingerprint("openai", key.as_bytes()),
                hint: "sk-admin-...".to_owned(),
                key_family: "admin".to_owned(),
            },
            next_check_at: None,
        })
    }
}
