//! A migrated database with a tenant, a project and a data key, and rows to put into it.

use anyhow::{Context, Result};
use keyway_domain::{
    Command, DataKeyId, IntegrationId, Limits, OperationId, ProjectId, Routing, SecretId, TenantId, Timestamp,
    UsageWindow,
};
use keyway_store::{
    DatabaseLimits, Store,
    data_keys::{self, DataKeyRow},
    integrations::{NewIntegration, SealedSecret},
    operations::{NewOperation, Origin},
    projects, tenants,
};
use keyway_testkit::postgres::TestDatabase;

/// Time of all events in the tests.
pub(crate) const NOW: Timestamp = Timestamp::from_ms(1_793_491_200_000);

/// A database, and one tenant in it.
pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) tenant: TenantId,
    pub(crate) project: ProjectId,
    pub(crate) data_key: DataKeyId,
    database: TestDatabase,
}

/// Runs a test on both databases.
macro_rules! on_both {
    ($($name:ident)*) => {$(
        mod $name {
            #[tokio::test]
            async fn postgres() -> anyhow::Result<()> {
                super::$name(crate::fixture::Fixture::postgres().await?).await
            }

            #[tokio::test]
            async fn sqlite() -> anyhow::Result<()> {
                super::$name(crate::fixture::Fixture::sqlite().await?).await
            }
        }
    )*};
}
pub(crate) use on_both;

impl Fixture {
    pub(crate) async fn postgres() -> Result<Self> {
        Self::on(TestDatabase::postgres().await?).await
    }

    pub(crate) async fn sqlite() -> Result<Self> {
        Self::on(TestDatabase::sqlite()?).await
    }

    async fn on(database: TestDatabase) -> Result<Self> {
        keyway_migrations::migrate(&database.url).await?;
        let limits = DatabaseLimits { connections: 4, ..DatabaseLimits::default() };
        let store = Store::connect(&database.url, limits).await?;
        let (tenant, project, data_key) = add_tenant(&store, "first").await?;
        Ok(Self { store, tenant, project, data_key, database })
    }

    pub(crate) fn url(&self) -> &str {
        &self.database.url
    }

    /// A secret whose fingerprint is made of `seed`.
    pub(crate) fn secret(&self, seed: u8) -> SealedSecret {
        secret(self.data_key, seed)
    }

    /// An integration whose secret is made of `seed`.
    pub(crate) fn integration(&self, name: &str, seed: u8) -> NewIntegration {
        integration(self.project, self.data_key, name, seed)
    }

    /// Adds an integration and returns its id.
    pub(crate) async fn add_integration(&self, name: &str, seed: u8) -> Result<IntegrationId> {
        let tx = self.store.tenant(self.tenant).await?;
        let row = keyway_store::integrations::insert(&tx, self.integration(name, seed), NOW).await?;
        tx.commit().await?;
        Ok(row.id)
    }

    /// Adds an operation and returns its id.
    pub(crate) async fn add_operation(&self, command: Command, parent_id: Option<OperationId>) -> Result<OperationId> {
        let tx = self.store.tenant(self.tenant).await?;
        let new = operation(self.tenant, command, parent_id);
        let row = keyway_store::operations::insert(&tx, new, NOW).await?;
        tx.commit().await?;
        Ok(row.id)
    }
}

/// Adds a tenant with a data key.
pub(crate) async fn add_tenant(store: &Store, name: &str) -> Result<(TenantId, ProjectId, DataKeyId)> {
    let tx = store.system().await?;
    let tenant = tenants::insert(&tx, name, NOW).await?.id;
    tx.commit().await?;
    let tx = store.tenant(tenant).await?;
    let project = projects::find_by_name(&tx, projects::DEFAULT_NAME).await?.context("the default project")?.id;
    let key = DataKeyRow {
        id: DataKeyId::new(),
        tenant_id: tenant,
        root_version: 1,
        wrapped_enc: vec![1; 88],
        wrapped_fp: vec![2; 88],
    };
    let key = data_keys::insert_if_absent(&tx, &key, NOW).await?;
    tx.commit().await?;
    Ok((tenant, project, key.id))
}

pub(crate) fn secret(data_key_id: DataKeyId, seed: u8) -> SealedSecret {
    SealedSecret {
        envelope: vec![seed; 80],
        data_key_id,
        fingerprint: [seed; 32],
        hint: format!("sk-...{seed:04}"),
        key_family: keyway_domain::KeyFamily::Ordinary,
    }
}

pub(crate) fn integration(project_id: ProjectId, data_key_id: DataKeyId, name: &str, seed: u8) -> NewIntegration {
    NewIntegration {
        id: IntegrationId::new(),
        secret_id: SecretId::new(),
        project_id,
        provider: "openai".to_owned(),
        name: name.to_owned(),
        base_url: None,
        config: serde_json::json!({"region": "eu"}),
        meta: serde_json::json!({}),
        expires_at: None,
        routing: Routing::default(),
        limits: Limits::default(),
        secret: secret(data_key_id, seed),
        next_check_at: Some(NOW),
    }
}

pub(crate) fn operation(tenant_id: TenantId, command: Command, parent_id: Option<OperationId>) -> NewOperation {
    NewOperation { parent_id, ..NewOperation::of(tenant_id, Origin::Request, command, NOW) }
}

pub(crate) fn verify(integration_id: IntegrationId) -> Command {
    Command::VerifyKey { integration_id, secret_version: 1, confirming: false }
}

pub(crate) fn fetch(integration_id: IntegrationId) -> Command {
    Command::FetchUsage { integration_id, window: window(), resume: None }
}

pub(crate) fn plan() -> Command {
    Command::PlanUsage { window: window(), spread_ms: 0, recheck: true, provider: None }
}

fn window() -> UsageWindow {
    UsageWindow { from: NOW, to: Timestamp::from_ms(NOW.ms() + 900_000) }
}
