//! What a browser brings back from the identity provider.

use serde::Deserialize;
use utoipa::IntoParams;

/// Answer of the provider, by way of the browser. Providers add fields of their own.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Callback {
    /// Code that the provider exchanges for the person.
    #[param(value_type = Option<String>)]
    pub(crate) code: Option<String>,
    /// Text that the sign-in was begun with.
    pub(crate) state: Option<String>,
    /// Issuer.
    pub(crate) iss: Option<String>,
    /// Reason why there is no code.
    pub(crate) error: Option<String>,
}
