//! Settings of sign-in by an identity provider. Lists are read by whoever knows domains, roles and tenants.

use keyway_vault::SecretString;

use crate::{
    ConfigError, Setting,
    setting::setting,
    values::{Values, invalid},
};

const ISSUER: Setting = setting(
    "KEYWAY_OIDC_ISSUER",
    "",
    "OpenID provider that people sign in at, as it spells itself: https://id.example.com; unset: none",
);
const CLIENT_ID: Setting = setting("KEYWAY_OIDC_CLIENT_ID", "", "client id that the OpenID provider gave Keyway");
pub(crate) const CLIENT_SECRET: Setting = setting("KEYWAY_OIDC_CLIENT_SECRET", "", "client secret that belongs to it");
const DOMAINS: Setting =
    setting("KEYWAY_OIDC_DOMAINS", "", "e-mail domains that may sign in there, comma separated: example.com");
const ROLE_CLAIM: Setting = setting("KEYWAY_OIDC_ROLE_CLAIM", "groups", "claim that a new member's role is read from");
const ROLES: Setting = setting(
    "KEYWAY_OIDC_ROLES",
    "*=auditor",
    "role for each value of that claim, comma separated, the first that fits: ops=operator,*=auditor",
);
const REQUIRED_IN: Setting = setting(
    "KEYWAY_OIDC_REQUIRED_IN",
    "",
    "ids of tenants whose members sign in there only, comma separated; owners keep their password",
);

/// Every one of them.
pub(crate) const SETTINGS: &[Setting] = &[ISSUER, CLIENT_ID, CLIENT_SECRET, DOMAINS, ROLE_CLAIM, ROLES, REQUIRED_IN];

/// Settings of sign-in by an identity provider.
#[derive(Debug)]
pub struct OidcConfig {
    /// Issuer, as it spells itself.
    pub issuer: String,
    /// Client id.
    pub client_id: String,
    /// Client secret.
    pub client_secret: SecretString,
    /// Domains that may sign in, with commas between them.
    pub domains: String,
    /// Claim that a new member's role is read from.
    pub role_claim: String,
    /// Roles by value of the claim, with commas between them.
    pub roles: String,
    /// Tenants whose members have no other way in, with commas between them.
    pub required_in: String,
}

impl OidcConfig {
    /// Reads them; `None`: there is no identity provider.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] where one is set without the issuer.
    pub(crate) fn read(values: &mut Values) -> Result<Option<Self>, ConfigError> {
        let Some(issuer) = values.set(&ISSUER) else {
            let lonely = [CLIENT_ID, CLIENT_SECRET, DOMAINS, REQUIRED_IN].into_iter().find(|it| values.is_set(it));
            return lonely.map_or(Ok(None), |it| Err(invalid(&it, "it belongs to KEYWAY_OIDC_ISSUER: set that, too")));
        };
        Ok(Some(Self {
            issuer,
            client_id: values.text(&CLIENT_ID),
            client_secret: values.secret(&CLIENT_SECRET).unwrap_or_else(|| SecretString::new(String::new())),
            domains: values.text(&DOMAINS),
            role_claim: values.text(&ROLE_CLAIM),
            roles: values.text(&ROLES),
            required_in: values.text(&REQUIRED_IN),
        }))
    }
}
