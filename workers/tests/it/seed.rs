//! Puts tenants, integrations and operations in place, in transactions like the API's: change,
//! operation and outbox rows together.

use anyhow::{Context as _, Result};
use keyway_domain::{
    Actor, AuditEvent, AuditOutcome, Body, Command, Event, IntegrationId, Limits, Message, OperationId, ProjectId,
    Routing, SecretId, TenantId, Timestamp,
};
use keyway_providers::for_spec;
use keyway_store::{
    Store, TenantTx,
    integrations::{self, NewIntegration, SealedSecret},
    operations::{self, NewOperation, Origin},
    outbox, projects, tenants,
};

use crate::world::World;

/// A tenant and its project `default`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tenant {
    pub(crate) id: TenantId,
    pub(crate) project: ProjectId,
}

/// A submitted integration.
#[derive(Clone, Debug)]
pub(crate) struct Submitted {
    pub(crate) tenant: Tenant,
    pub(crate) id: IntegrationId,
    pub(crate) key: String,
    /// The first attempt of its verification.
    pub(crate) message: Message,
}

impl Tenant {
    pub(crate) async fn add(store: &Store, name: &str) -> Result<Self> {
        let tx = store.system().await?;
        let id = tenants::insert(&tx, name, Timestamp::now()).await?.id;
        tx.commit().await?;
        let tx = store.tenant_read(id).await?;
        let project = projects::find_by_name(&tx, projects::DEFAULT_NAME).await?.context("no default project")?.id;
        Ok(Self { id, project })
    }
}

/// A submission.
#[derive(Clone, Copy)]
struct Given<'a> {
    provider: &'a str,
    base_url: &'a str,
    key: &'a str,
}

impl World {
    /// Submits a key: integration, operation, audit event and message in one transaction.
    pub(crate) async fn submit(&self, key: &str) -> Result<Submitted> {
        let tx = self.store.tenant(self.tenant.id).await?;
        let submitted = self.add(&tx, self.tenant, self.openai(key)).await?;
        outbox::insert(&tx, &[submitted.message.clone(), created(&submitted)], Timestamp::now()).await?;
        tx.commit().await?;
        Ok(submitted)
    }

    /// The same without any message: nothing happens until the test sends one.
    pub(crate) async fn place(&self, tenant: Tenant, key: &str) -> Result<Submitted> {
        let tx = self.store.tenant(tenant.id).await?;
        let submitted = self.add(&tx, tenant, self.openai(key)).await?;
        tx.commit().await?;
        Ok(submitted)
    }

    /// The same for another provider at another host.
    pub(crate) async fn place_at(&self, provider: &str, base_url: &str, key: &str) -> Result<Submitted> {
        let tx = self.store.tenant(self.tenant.id).await?;
        let submitted = self.add(&tx, self.tenant, Given { provider, base_url, key }).await?;
        tx.commit().await?;
        Ok(submitted)
    }

    /// Starts an operation: its row and its first message in one transaction.
    pub(crate) async fn command(&self, tenant: Tenant, command: Command) -> Result<Message> {
        let message = self.open(tenant, command, None).await?;
        self.send(&message).await?;
        Ok(message)
    }

    /// Verifies a submitted integration once more.
    pub(crate) async fn verify(&self, submitted: &Submitted) -> Result<Message> {
        self.command(submitted.tenant, verify(submitted.id, 1)).await
    }

    /// An operation whose message nobody has written yet.
    pub(crate) async fn open(&self, tenant: Tenant, command: Command, parent: Option<OperationId>) -> Result<Message> {
        let tx = self.store.tenant(tenant.id).await?;
        let message = open(&tx, tenant, command, parent).await?;
        tx.commit().await?;
        Ok(message)
    }

    /// Writes a message to the outbox.
    pub(crate) async fn send(&self, message: &Message) -> Result<()> {
        let tx = self.store.tenant(message.tenant_id).await?;
        outbox::insert(&tx, std::slice::from_ref(message), Timestamp::now()).await?;
        Ok(tx.commit().await?)
    }

    /// A key sealed for a version of a secret.
    pub(crate) async fn seal(&self, tx: &TenantTx, id: SecretId, version: i32, key: &str) -> Result<SealedSecret> {
        self.seal_given(tx, (id, version), self.openai(key)).await
    }

    async fn seal_given(
        &self,
        tx: &TenantTx,
        (id, version): (SecretId, i32),
        Given { provider, key, .. }: Given<'_>,
    ) -> Result<SealedSecret> {
        let keys = self.keys.current(tx).await?;
        let facts = for_spec(self.catalog.now().get(provider).context("no such provider")?)
            .check_format(&keyway_vault::ProviderSecret::new(key.to_owned()))?;
        Ok(SealedSecret {
            envelope: keys.seal(id, version, key.as_bytes())?,
            data_key_id: keys.id(),
            fingerprint: keys.fingerprint(provider, key.as_bytes()),
            hint: facts.hint,
            key_family: facts.family,
        })
    }

    fn openai<'a>(&'a self, key: &'a str) -> Given<'a> {
        Given { provider: "openai", base_url: &self.simulator.base_url, key }
    }

    async fn add(&self, tx: &TenantTx, tenant: Tenant, given: Given<'_>) -> Result<Submitted> {
        let secret_id = SecretId::new();
        let new = NewIntegration {
            id: IntegrationId::new(),
            secret_id,
            project_id: tenant.project,
            provider: given.provider.to_owned(),
            name: given.key.to_owned(),
            base_url: Some(given.base_url.to_owned()),
            config: serde_json::json!({}),
            meta: serde_json::json!({}),
            expires_at: None,
            routing: Routing::default(),
            limits: Limits::default(),
            secret: self.seal_given(tx, (secret_id, 1), given).await?,
            next_check_at: None,
        };
        let id = integrations::insert(tx, new, Timestamp::now()).await?.id;
        let message = open(tx, tenant, verify(id, 1), None).await?;
        Ok(Submitted { tenant, id, key: given.key.to_owned(), message })
    }
}

/// The command that verifies a version of an integration's secret.
pub(crate) const fn verify(integration_id: IntegrationId, secret_version: i32) -> Command {
    Command::VerifyKey { integration_id, secret_version, confirming: false }
}

async fn open(tx: &TenantTx, tenant: Tenant, command: Command, parent_id: Option<OperationId>) -> Result<Message> {
    let now = Timestamp::now();
    let new = NewOperation { parent_id, ..NewOperation::of(tenant.id, Origin::Request, command.clone(), now) };
    let id = new.id;
    operations::insert(tx, new, now).await?;
    Ok(Message::command(tenant.id, id, command))
}

fn created(submitted: &Submitted) -> Message {
    let event = Event::Audited(AuditEvent {
        action: "integration.created".to_owned(),
        actor: Actor::Admin,
        target: submitted.id.to_string(),
        outcome: AuditOutcome::Success,
        occurred_at: Timestamp::now(),
        request_id: None,
        changes: serde_json::json!({ "provider": "openai" }),
    });
    Message::new(submitted.message.id.derived("created"), submitted.tenant.id, Body::Event(event))
}
