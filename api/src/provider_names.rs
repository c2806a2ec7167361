//! Look-up of named resources: a provider by name or id, a project or the default one.

use keyway_domain::{ProjectId, ProviderId};
use keyway_providers::{Catalog, ProviderSpec, Resolved, StoredProvider};
use keyway_store::{
    Only, Page, TenantTx, integrations, projects, provider_models,
    providers::{self, ProviderRow},
    virtual_keys,
};

use crate::{code::Code, error::ApiError, input};

/// Largest edit distance at which a name counts as misspelt.
const MAX_SLIPS: usize = 2;
const MAX_COMPARED_CHARS: usize = 64;
/// Largest number of names in a message; a tenant may have more.
const MAX_NAMES: usize = 40;

/// A provider, predefined or the tenant's own.
pub(crate) enum Named<'a> {
    Predefined(&'a ProviderSpec),
    Custom(ProviderRow),
}

impl Named<'_> {
    /// Returns the provider's name in integrations.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Predefined(spec) => &spec.name,
            Self::Custom(row) => &row.name,
        }
    }
}

/// The provider with this name, or with this id.
///
/// # Errors
/// 404 if there is none.
pub(crate) async fn find<'a>(catalog: &'a Catalog, tx: &TenantTx, name_or_id: &str) -> Result<Named<'a>, ApiError> {
    let row = match name_or_id.parse::<ProviderId>() {
        Ok(id) => providers::find(tx, id).await?,
        Err(_) => providers::find_by_name(tx, name_or_id).await?,
    };
    match catalog.resolve(name_or_id, row) {
        Some(Resolved::Custom(row)) => Ok(Named::Custom(row)),
        Some(Resolved::Predefined(spec)) => Ok(Named::Predefined(spec)),
        None => Err(ApiError::new(Code::NotFound, unknown(catalog, tx, name_or_id).await?)),
    }
}

/// Returns the tenant's own provider with this name or id.
///
/// # Errors
/// 404 if there is none; 409 for a predefined one, which cannot be changed.
pub(crate) async fn custom(catalog: &Catalog, tx: &TenantTx, name_or_id: &str) -> Result<ProviderRow, ApiError> {
    match find(catalog, tx, name_or_id).await? {
        Named::Custom(row) => Ok(row),
        Named::Predefined(_) => {
            Err(ApiError::conflict("a predefined provider cannot be changed; make a custom one under another name"))
        }
    }
}

/// Returns the spec of the provider of that name, for checks of its credentials. The tenant's own row is locked until
/// the transaction ends, so that a credential is never bound to another host than it was entered for.
///
/// # Errors
/// 422 when no provider of the catalog or of the tenant has this name.
pub(crate) async fn spec(catalog: &Catalog, tx: &TenantTx, name: &str) -> Result<ProviderSpec, ApiError> {
    // What cannot be a name is none, and no database need be asked about it.
    let row = match input::slug("provider", name) {
        Ok(name) => providers::hold_by_name(tx, &name).await?,
        Err(_) => None,
    };
    let row = match catalog.resolve(name, row) {
        Some(Resolved::Custom(row)) => row,
        Some(Resolved::Predefined(spec)) => return Ok(spec.clone()),
        None => return Err(ApiError::new(Code::UnknownProvider, unknown(catalog, tx, name).await?)),
    };
    let models = provider_models::list(tx, Some(name)).await?;
    let models = models.into_iter().map(|row| row.model).collect();
    let stored =
        StoredProvider { name: &row.name, display_name: &row.display_name, base_url: &row.base_url, auth: &row.auth };
    stored.spec(models).map_err(|error| ApiError::new(Code::Internal, error.to_string()))
}

/// Refuses a filter that names what is not there, so that a slip is not taken for "nothing found". Asked about only where
/// the list is empty: what was deleted has left its calls behind, which are found by its name.
///
/// # Errors
/// 400 for a provider's name, 404 for an id.
pub(crate) async fn require_known(only: &Only, catalog: &Catalog, tx: &TenantTx) -> Result<(), ApiError> {
    if let Some(name) = &only.provider {
        require(catalog, tx, name).await?;
    }
    if let Some(id) = only.project_id {
        project(tx, Some(id)).await?;
    }
    if let Some(id) = only.integration_id
        && integrations::find(tx, id).await?.is_none()
    {
        return Err(ApiError::not_found("integration"));
    }
    match only.virtual_key_id {
        Some(id) if virtual_keys::find(tx, id).await?.is_none() => Err(ApiError::not_found("virtual key")),
        _ => Ok(()),
    }
}

/// Checks that a provider of this name exists.
///
/// # Errors
/// 400, listing the known names.
pub(crate) async fn require(catalog: &Catalog, tx: &TenantTx, name: &str) -> Result<(), ApiError> {
    if catalog.get(name).is_some() || providers::find_by_name(tx, name).await?.is_some() {
        return Ok(());
    }
    Err(ApiError::parameter(format!("`provider`: {}", unknown(catalog, tx, name).await?)))
}

/// Returns the message for an unknown provider's name: the nearest name, and the known ones.
async fn unknown(catalog: &Catalog, tx: &TenantTx, name: &str) -> Result<String, ApiError> {
    let own = providers::list(tx, Page::first(Page::<ProviderId>::MAX)).await?.items;
    let own = own.iter().map(|row| (row.name.as_str(), row.display_name.as_str()));
    let known: Vec<_> =
        catalog.providers().iter().map(|spec| (spec.name.as_str(), spec.display_name.as_str())).chain(own).collect();
    let meant = meant_by(name, &known).map(|meant| format!("did you mean {meant}? ")).unwrap_or_default();
    let names: Vec<_> = known.iter().take(MAX_NAMES).map(|(name, _)| *name).collect();
    let more = if known.len() > MAX_NAMES { " and others: see GET /api/v1/providers" } else { "" };
    Ok(format!("no provider has this name; {meant}The names are {}{more}", names.join(", ")))
}

/// Returns the provider with the nearest name or display name.
fn meant_by<'n>(name: &str, known: &[(&'n str, &str)]) -> Option<&'n str> {
    // What is longer is no name, and comparing it would take long.
    let name: String = name.chars().take(MAX_COMPARED_CHARS).flat_map(char::to_lowercase).collect();
    let slips = |known: &str| strsim::damerau_levenshtein(&known.to_lowercase(), &name);
    let (nearest, slips) =
        known.iter().map(|(own, shown)| (*own, slips(own).min(slips(shown)))).min_by_key(|(_, slips)| *slips)?;
    (slips <= MAX_SLIPS && slips < name.len()).then_some(nearest)
}

/// Returns the named project's id, or the default one's.
///
/// # Errors
/// 404 if there is none.
pub(crate) async fn project(tx: &TenantTx, id: Option<ProjectId>) -> Result<ProjectId, ApiError> {
    let found = match id {
        Some(id) => projects::find(tx, id).await?,
        None => projects::find_by_name(tx, projects::DEFAULT_NAME).await?,
    };
    found.map(|project| project.id).ok_or_else(|| ApiError::not_found("project"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_told_from_another_name() {
        let known =
            [("openai", "OpenAI"), ("gemini", "Google Gemini"), ("xai", "xAI"), ("azure_openai", "Azure OpenAI")];
        for (name, meant) in [
            ("OpenAI", Some("openai")),
            ("opnai", Some("openai")),
            ("opneai", Some("openai")),
            ("google gemini", Some("gemini")),
            ("azure-openai", Some("azure_openai")),
            ("nobody", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(meant_by(name, &known), meant, "{name}");
        }
        assert_eq!(meant_by(&"x".repeat(1_000_000), &known), None);
    }
}
