//! Finding what a request names: a provider by name or id, a project or the default one.

use keyway_domain::{ProjectId, ProviderId};
use keyway_providers::{AuthStyle, Catalog, ProviderSpec};
use keyway_store::{
    TenantTx, projects, provider_models,
    providers::{self, ProviderRow},
};

use crate::error::{ApiError, Code};

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
        (None, None) => Err(ApiError::not_found("provider")),
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
    let Some(row) = providers::hold_by_name(tx, name).await? else {
        return catalog.get(name).cloned().ok_or_else(|| {
            ApiError::new(Code::UnknownProvider, "no provider has this name; GET /api/v1/providers lists them")
        });
    };
    let base_url = row.base_url.parse().map_err(|_| ApiError::new(Code::Internal, "a stored URL is not readable"))?;
    let auth = AuthStyle::named(&row.auth);
    let auth = auth.ok_or_else(|| ApiError::new(Code::Internal, "a stored auth style is not one of this build"))?;
    let models = provider_models::list(tx, Some(name)).await?;
    let models = models.into_iter().map(|row| row.model).collect();
    Ok(ProviderSpec::custom(&row.name, &row.display_name, base_url, auth, models))
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
