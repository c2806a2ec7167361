//! Finding what a request names: a provider by name or id, a project or the default one.

use keyway_domain::{IntegrationId, ProjectId, ProviderId, VirtualKeyId};
use keyway_providers::{AuthStyle, Catalog, ProviderSpec};
use keyway_store::{
    Page, TenantTx, integrations, projects, provider_models,
    providers::{self, ProviderRow},
    virtual_keys,
};

use crate::{code::Code, error::ApiError, input};

/// Names that differ by more are not taken for slips.
const MAX_SLIPS: usize = 2;
const MAX_COMPARED_CHARS: usize = 64;
/// So many names are said; a tenant may have more.
const MAX_NAMES: usize = 40;

/// A provider, predefined or the tenant's own.
pub(crate) enum Named<'a> {
    Predefined(&'a ProviderSpec),
    Custom(ProviderRow),
}

impl Named<'_> {
    /// The name integrations call it by.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Predefined(spec) => &spec.name,
            Self::Custom(row) => &row.name,
        }
    }
}

/// The provider with this name, or with this id. The tenant's own comes first: a name that the
/// catalog took later must not lead its keys elsewhere.
///
/// # Errors
/// 404.
pub(crate) async fn find<'a>(catalog: &'a Catalog, tx: &TenantTx, name_or_id: &str) -> Result<Named<'a>, ApiError> {
    let row = match name_or_id.parse::<ProviderId>() {
        Ok(id) => providers::find(tx, id).await?,
        Err(_) => providers::find_by_name(tx, name_or_id).await?,
    };
    match (row, catalog.get(name_or_id)) {
        (Some(row), _) => Ok(Named::Custom(row)),
        (None, Some(spec)) => Ok(Named::Predefined(spec)),
        (None, None) => Err(ApiError::new(Code::NotFound, unknown(catalog, tx, name_or_id).await?)),
    }
}

/// The tenant's own provider with this name or id.
///
/// # Errors
/// 404; 409 for a predefined one, which nobody changes.
pub(crate) async fn custom(catalog: &Catalog, tx: &TenantTx, name_or_id: &str) -> Result<ProviderRow, ApiError> {
    match find(catalog, tx, name_or_id).await? {
        Named::Custom(row) => Ok(row),
        Named::Predefined(_) => {
            Err(ApiError::conflict("a predefined provider cannot be changed; make a custom one under another name"))
        }
    }
}

/// What the provider of that name is, for checks of its credentials. The tenant's own stays as it is
/// until the transaction ends, so that a credential is never bound to another host than it was sent for.
///
/// # Errors
/// 422 when no provider of the catalog or of the tenant has this name.
pub(crate) async fn spec(catalog: &Catalog, tx: &TenantTx, name: &str) -> Result<ProviderSpec, ApiError> {
    // What cannot be a name is none, and no database need be asked about it.
    let row = match input::slug("provider", name) {
        Ok(name) => providers::hold_by_name(tx, &name).await?,
        Err(_) => None,
    };
    let Some(row) = row else {
        return match catalog.get(name) {
            Some(spec) => Ok(spec.clone()),
            None => Err(ApiError::new(Code::UnknownProvider, unknown(catalog, tx, name).await?)),
        };
    };
    let base_url = row.base_url.parse().map_err(|_| ApiError::new(Code::Internal, "a stored URL is not readable"))?;
    let auth = AuthStyle::named(&row.auth);
    let auth = auth.ok_or_else(|| ApiError::new(Code::Internal, "a stored auth style is not one of this build"))?;
    let models = provider_models::list(tx, Some(name)).await?;
    let models = models.into_iter().map(|row| row.model).collect();
    Ok(ProviderSpec::custom(&row.name, &row.display_name, base_url, auth, models))
}

/// What the filter of a list names. Asked about only where the list is empty: what was deleted has left its calls
/// behind, which are found by its name.
#[derive(Clone, Copy, Default)]
pub(crate) struct Filtered<'a> {
    pub(crate) project_id: Option<ProjectId>,
    pub(crate) integration_id: Option<IntegrationId>,
    pub(crate) virtual_key_id: Option<VirtualKeyId>,
    pub(crate) provider: Option<&'a str>,
}

impl Filtered<'_> {
    /// Refuses a filter that names what is not there, so that a slip is not taken for "nothing found".
    ///
    /// # Errors
    /// 400 for a provider's name, 404 for an id.
    pub(crate) async fn require_known(&self, catalog: &Catalog, tx: &TenantTx) -> Result<(), ApiError> {
        if let Some(name) = self.provider {
            require(catalog, tx, name).await?;
        }
        if let Some(id) = self.project_id {
            project(tx, Some(id)).await?;
        }
        if let Some(id) = self.integration_id
            && integrations::find(tx, id).await?.is_none()
        {
            return Err(ApiError::not_found("integration"));
        }
        match self.virtual_key_id {
            Some(id) if virtual_keys::find(tx, id).await?.is_none() => Err(ApiError::not_found("virtual key")),
            _ => Ok(()),
        }
    }
}

/// Refuses a name that no provider has.
///
/// # Errors
/// 400, with the names there are.
pub(crate) async fn require(catalog: &Catalog, tx: &TenantTx, name: &str) -> Result<(), ApiError> {
    if catalog.get(name).is_some() || providers::find_by_name(tx, name).await?.is_some() {
        return Ok(());
    }
    Err(ApiError::parameter(format!("`provider`: {}", unknown(catalog, tx, name).await?)))
}

/// What is said of a name that no provider has: which one is meant, and which there are.
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

/// The provider whose name, or name for people, is nearly this one.
fn meant_by<'n>(name: &str, known: &[(&'n str, &str)]) -> Option<&'n str> {
    // What is longer is no name, and comparing it would take long.
    let name: String = name.chars().take(MAX_COMPARED_CHARS).flat_map(char::to_lowercase).collect();
    let slips = |known: &str| strsim::damerau_levenshtein(&known.to_lowercase(), &name);
    let (nearest, slips) =
        known.iter().map(|(own, shown)| (*own, slips(own).min(slips(shown)))).min_by_key(|(_, slips)| *slips)?;
    (slips <= MAX_SLIPS && slips < name.len()).then_some(nearest)
}

/// The project that is named, or the default one.
///
/// # Errors
/// 404.
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
