//! Settings of the issuer, and what its claims give.

use keyway_domain::{Email, Role, TenantId};
use keyway_vault::SecretString;
use url::Url;

/// Claim value that every person has.
const EVERYBODY: &str = "*";

/// Settings of sign-in by an issuer.
#[derive(Debug)]
pub struct OidcSettings {
    /// Issuer, exactly as its ID tokens spell it.
    pub issuer: Url,
    /// Spelling of the issuer in its tokens.
    pub issuer_text: String,
    /// Client id that the issuer gave Keyway.
    pub client_id: String,
    /// Client secret.
    pub client_secret: SecretString,
    /// Domains of e-mail addresses that may sign in, in lower case.
    pub domains: Vec<String>,
    /// Claim that the role is read from.
    pub role_claim: String,
    /// Role for each value of the claim; the first that fits counts.
    pub roles: Vec<(String, Role)>,
    /// Tenants whose members have no other way in, owners apart.
    pub required_in: Vec<TenantId>,
}

/// Setting that cannot be used, in a sentence that says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OidcFault {
    /// The issuer is no address.
    #[error("KEYWAY_OIDC_ISSUER must be an https address, as the provider spells it, like https://id.example.com")]
    Issuer,
    /// The client is not complete.
    #[error("KEYWAY_OIDC_CLIENT_ID and KEYWAY_OIDC_CLIENT_SECRET belong to KEYWAY_OIDC_ISSUER: set all three")]
    Client,
    /// No domain is allowed, so that nobody could sign in.
    #[error("KEYWAY_OIDC_DOMAINS must list the e-mail domains that may sign in, like example.com,example.org")]
    Domains,
    /// An entry of the roles is none.
    #[error("KEYWAY_OIDC_ROLES is a list of value=role, like ops=operator,*=auditor, with roles of Keyway")]
    Roles,
    /// An entry of the tenants is none.
    #[error("KEYWAY_OIDC_REQUIRED_IN is a list of tenants' ids, like tnt_0198c0de0198c0de0198c0de0198c0de")]
    Tenants,
}

impl OidcSettings {
    /// Reads the settings as an operator writes them: lists are separated by commas.
    ///
    /// # Errors
    /// [`OidcFault`] names the first that is wrong.
    pub fn read(
        issuer: &str,
        (client_id, client_secret): (&str, SecretString),
        domains: &str,
        (role_claim, roles): (&str, &str),
        required_in: &str,
    ) -> Result<Self, OidcFault> {
        let url = Url::parse(issuer).map_err(|_| OidcFault::Issuer)?;
        if !matches!(url.scheme(), "https" | "http") || url.query().is_some() || url.fragment().is_some() {
            return Err(OidcFault::Issuer);
        }
        if client_id.is_empty() || client_secret.plain().is_empty() {
            return Err(OidcFault::Client);
        }
        let domains: Vec<_> = list(domains).map(|domain| domain.trim_start_matches('@').to_lowercase()).collect();
        if domains.is_empty() || !domains.iter().all(|domain| domain.contains('.')) {
            return Err(OidcFault::Domains);
        }
        let role = |entry: &str| {
            let (value, role) = entry.rsplit_once('=')?;
            Some((value.trim().to_owned(), role.trim().parse().ok()?))
        };
        let roles = list(roles).map(role).collect::<Option<Vec<_>>>().ok_or(OidcFault::Roles)?;
        if roles.is_empty() {
            return Err(OidcFault::Roles);
        }
        let required_in: Result<_, _> = list(required_in).map(str::parse).collect();
        Ok(Self {
            issuer: url,
            issuer_text: issuer.to_owned(),
            client_id: client_id.to_owned(),
            client_secret,
            domains,
            role_claim: role_claim.to_owned(),
            roles,
            required_in: required_in.map_err(|_| OidcFault::Tenants)?,
        })
    }

    /// Returns the role of somebody whose claim has these values; `None`: it has none here.
    pub(crate) fn role_of(&self, values: &[String]) -> Option<Role> {
        let fits = |of: &String| of == EVERYBODY || values.contains(of);
        self.roles.iter().find(|(of, _)| fits(of)).map(|(_, role)| *role)
    }

    /// Returns `true` if people with this address may sign in.
    pub(crate) fn allows(&self, email: &Email) -> bool {
        self.domains.iter().any(|domain| domain == email.domain())
    }
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(issuer: &str, id: &str, domains: &str, roles: &str, tenants: &str) -> Result<OidcSettings, OidcFault> {
        let secret = SecretString::new("s".to_owned());
        OidcSettings::read(issuer, (id, secret), domains, ("groups", roles), tenants)
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let (issuer, roles) = ("https://id.example.com", "*=auditor");
        for (given, expected) in [
            (read("id.example.com", "kw", "example.com", roles, ""), OidcFault::Issuer),
            (read("https://id.example.com?a=b", "kw", "example.com", roles, ""), OidcFault::Issuer),
            (read(issuer, "", "example.com", roles, ""), OidcFault::Client),
            (read(issuer, "kw", " , ", roles, ""), OidcFault::Domains),
            (read(issuer, "kw", "com", roles, ""), OidcFault::Domains),
            (read(issuer, "kw", "example.com", "ops=king", ""), OidcFault::Roles),
            (read(issuer, "kw", "example.com", "", ""), OidcFault::Roles),
            (read(issuer, "kw", "example.com", roles, "default"), OidcFault::Tenants),
        ] {
            assert_eq!(given.err(), Some(expected));
        }
    }

    #[test]
    fn the_first_role_that_fits_counts_and_only_whole_domains_do() {
        let settings = read("https://id", "kw", "@Example.com, example.org", "ops=operator, a=b=admin,*=auditor", "");
        let settings = settings.unwrap();
        for (values, role) in [
            (&["dev", "ops"][..], Role::Operator),
            (&["a=b"], Role::Admin),
            (&["OPS"], Role::Auditor),
            (&[], Role::Auditor),
        ] {
            let values: Vec<_> = values.iter().map(|value| (*value).to_owned()).collect();
            assert_eq!(settings.role_of(&values), Some(role), "{values:?}");
        }
        for (email, allowed) in [
            ("ana@example.com", true),
            ("ana@EXAMPLE.org", true),
            ("ana@sub.example.com", false),
            ("ana@example.com.evil.net", false),
        ] {
            assert_eq!(settings.allows(&email.parse().unwrap()), allowed, "{email}");
        }
    }
}
