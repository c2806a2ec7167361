//! The operator's commands at a terminal, for every tenant: the same commands as over HTTP, in the same transactions.
//! Nothing is authenticated here: the operator is whoever has the database's settings.

use std::sync::Arc;

use keyway_domain::{Actor, MessageId, OperationId, ProjectId, Reach, RequestId, Routing, TenantId, Timestamp};
use keyway_store::{Page, StoreError, dead_letters, operations};
use keyway_vault::ProviderSecret;
use serde_json::{Value, json};

use crate::{
    App,
    answer::Answer,
    auth::Caller,
    code::Code,
    commands::{
        discard_dead_letter::{DiscardDeadLetter, discard_unowned},
        fetch_usage::FetchUsage,
        replay_dead_letter::{ReplayDeadLetter, replay_unowned},
        submit_integration::SubmitIntegration,
    },
    config::Settings,
    error::ApiError,
    limits::LimitsInput,
    principal::Principal,
    routes::default_from,
    trace,
    view::{DeadLetterView, OperationView},
    work::{self, Command},
};

/// The operator's commands.
pub struct Console {
    pub(crate) app: Arc<App>,
}

/// A credential to submit.
pub struct Submission {
    /// Tenant; `None`: the default one.
    pub tenant_id: Option<TenantId>,
    /// Project; `None`: the tenant's default one.
    pub project_id: Option<ProjectId>,
    /// The provider's name.
    pub provider: String,
    /// The integration's name.
    pub name: String,
    /// A key, or the JSON text of an object.
    pub credentials: ProviderSecret,
    /// Base URL of the credential, if not the provider's own.
    pub base_url: Option<String>,
}

/// Reason why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// Nothing was changed; the sentence names the remedy.
    #[error("{0}")]
    Refused(String),
    /// The credential exists already; the sentence names its integration.
    #[error("{0}")]
    Duplicate(String),
    /// The database did not answer: try again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Console {
    /// Builds a console on an API's state, which need not be served.
    #[must_use]
    pub const fn new(app: Arc<App>) -> Self {
        Self { app }
    }

    /// Submits a credential; returns the integration and the operation that verifies it, in the API's JSON.
    ///
    /// # Errors
    /// See [`ConsoleError`].
    pub async fn submit(&self, submission: Submission) -> Result<Value, ConsoleError> {
        let caller = operator(submission.tenant_id.unwrap_or(self.app.default_tenant));
        let command = SubmitIntegration {
            project_id: submission.project_id,
            provider: submission.provider,
            name: submission.name,
            credentials: submission.credentials.into(),
            base_url: submission.base_url,
            settings: Settings::default(),
            meta: None,
            routing: Routing::default(),
            limits: LimitsInput::default(),
            expires_at: None,
        };
        let answer = self.carry_out(&caller, command).await.map_err(refused)?;
        Ok(serde_json::from_slice(answer.body().plain()).unwrap_or_default())
    }

    /// Starts fetching usage of every active integration of a tenant, of one provider or of all; returns the operation,
    /// in the API's JSON.
    ///
    /// # Errors
    /// See [`ConsoleError`].
    pub async fn fetch_usage(&self, tenant: Option<TenantId>, provider: Option<String>) -> Result<Value, ConsoleError> {
        let to = Timestamp::now();
        let command = FetchUsage { from: default_from(to), to, integration_id: None, provider };
        let caller = operator(tenant.unwrap_or(self.app.default_tenant));
        let answer = self.carry_out(&caller, command).await.map_err(refused)?;
        let mut started: Value = serde_json::from_slice(answer.body().plain()).unwrap_or_default();
        Ok(started["operation"].take())
    }

    /// Returns an operation of a tenant, in the API's JSON.
    ///
    /// # Errors
    /// See [`ConsoleError`].
    pub async fn operation(&self, tenant: Option<TenantId>, id: OperationId) -> Result<Value, ConsoleError> {
        let tx = self.app.store.tenant_read(tenant.unwrap_or(self.app.default_tenant)).await?;
        let found = operations::find(&tx, id).await?;
        let row = found.ok_or_else(|| ConsoleError::Refused("there is no such operation".to_owned()))?;
        Ok(json!(OperationView::from(row)))
    }

    /// Returns the latest dead letters of every tenant and of none, in the API's JSON.
    ///
    /// # Errors
    /// See [`ConsoleError`].
    pub async fn dead_letters(&self, limit: u64) -> Result<Vec<Value>, ConsoleError> {
        let tx = self.app.store.system_read().await?;
        let letters = dead_letters::list_all(&tx, Page::first(limit)).await?.items;
        Ok(letters.into_iter().map(|letter| json!(DeadLetterView::from(letter))).collect())
    }

    /// Returns one dead letter with its envelope: the message as JSON, or as text if it is no JSON.
    ///
    /// # Errors
    /// See [`ConsoleError`].
    pub async fn dead_letter(&self, id: MessageId) -> Result<Value, ConsoleError> {
        let tx = self.app.store.system_read().await?;
        let letter = dead_letters::find_any(&tx, id).await?.ok_or_else(missing)?;
        let text = || Value::String(String::from_utf8_lossy(&letter.body).into_owned());
        let envelope = serde_json::from_slice(&letter.body).unwrap_or_else(|_| text());
        let mut shown = json!(DeadLetterView::from(letter));
        shown["envelope"] = envelope;
        Ok(shown)
    }

    /// Replays a dead letter; returns it.
    ///
    /// # Errors
    /// See [`ConsoleError`].
    pub async fn replay(&self, id: MessageId) -> Result<Value, ConsoleError> {
        let answered = match self.owner(id).await? {
            Some(owner) => self.carry_out(&operator(owner), ReplayDeadLetter { id }).await,
            None => replay_unowned(&self.app, &operator(self.app.default_tenant), None, id).await,
        };
        let answer: Answer = answered.map_err(refused)?;
        Ok(serde_json::from_slice(answer.body().plain()).unwrap_or_default())
    }

    /// Discards a dead letter.
    ///
    /// # Errors
    /// See [`ConsoleError`].
    pub async fn discard(&self, id: MessageId) -> Result<(), ConsoleError> {
        let answered = match self.owner(id).await? {
            Some(owner) => self.carry_out(&operator(owner), DiscardDeadLetter { id }).await,
            None => discard_unowned(&self.app, &operator(self.app.default_tenant), None, id).await,
        };
        answered.map(drop).map_err(refused)
    }

    async fn owner(&self, id: MessageId) -> Result<Option<TenantId>, ConsoleError> {
        let tx = self.app.store.system_read().await?;
        Ok(dead_letters::find_any(&tx, id).await?.ok_or_else(missing)?.tenant_id)
    }

    /// Carries out a command, whatever waits: the operator decides.
    async fn carry_out(&self, caller: &Caller, command: impl Command) -> Result<Answer, ApiError> {
        work::carry_out(&self.app, caller, command, (None, || Ok(()))).await
    }
}

pub(crate) fn operator(tenant_id: TenantId) -> Caller {
    let actor = Actor::System { part: "console".to_owned() };
    Caller {
        tenant_id,
        principal: Arc::new(Principal::Operator(actor)),
        reach: Reach::Tenant,
        address: None,
        request_id: RequestId::new(),
        traceparent: trace::fresh(),
    }
}

fn missing() -> ConsoleError {
    ConsoleError::Refused("there is no such dead letter".to_owned())
}

pub(crate) fn refused(error: ApiError) -> ConsoleError {
    match error.code() {
        Code::DuplicateKey => ConsoleError::Duplicate(error.into_message()),
        _ => ConsoleError::Refused(error.into_message()),
    }
}
