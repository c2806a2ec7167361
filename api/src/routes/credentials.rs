//! `/credentials`: the way in that openagent's documents print. It leads where `/integrations` does, and never adds
//! anything of its own.

use keyway_domain::Routing;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    answer::Answer,
    call::Call,
    commands::submit_integration::SubmitIntegration,
    config::{Meta, Settings},
    error::ApiError,
    input::{self, Credentials, CredentialsSchema},
    limits::LimitsInput,
    view::Submitted,
};

/// A credential to keep, verify and use, in openagent's words.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CredentialInput {
    /// Name of a predefined or custom provider.
    #[schema(min_length = 1, max_length = 64, example = "openai")]
    service: String,
    /// The key, or for a cloud provider its JSON object.
    #[schema(value_type = CredentialsSchema)]
    key: Credentials,
    /// Note of your own: see `POST /api/v1/integrations`.
    meta: Option<Meta>,
    /// Name, 1 to 100 characters, unique in the default project; that of the provider if left out.
    #[schema(min_length = 1, max_length = 100, example = "prod")]
    name: Option<String>,
}

/// Submit a credential to the default project: `POST /api/v1/integrations` in openagent's words.
#[utoipa::path(post, path = "/credentials", operation_id = "create_credential", tag = "integrations", request_body = CredentialInput,
    responses((status = 202, body = Submitted), (status = 409, description = "`duplicate_key`, naming the integration that has it; `name_taken`")))]
pub(crate) async fn create(call: Call) -> Result<Answer, ApiError> {
    let CredentialInput { service, key, meta, name } = call.json()?;
    let submit = SubmitIntegration {
        project_id: None,
        name: input::name("name", name.as_deref().unwrap_or(&service))?,
        provider: service,
        credentials: key,
        base_url: None,
        settings: Settings::default(),
        meta: meta.map(Meta::checked).transpose()?,
        expires_at: None,
        routing: Routing::default(),
        limits: LimitsInput::default(),
    };
    call.commit(submit).await
}
