//! A service account's key as Google issues it, a JSON file: checked without a call, and used to sign. The private key
//! leaves this module only as a signature.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use keyway_domain::Timestamp;
use keyway_vault::{ProviderSecret, SecretString};
use rustls::{
    SignatureScheme,
    crypto::ring::sign::RsaSigningKey,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject},
    sign::SigningKey,
};
use serde_json::json;

use super::super::credential_fields::Fields;
use crate::FormatError;

const FORM: &str = "the whole JSON file of a service account's key";
/// The only token endpoint, and the audience of assertions.
const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";
/// The only scope of a token.
const SCOPE: &str = "https://www.googleapis.com/auth/monitoring.read";
/// Longest lifetime that Google accepts.
const LIFETIME: Duration = Duration::from_secs(3600);

/// A parsed key.
pub(crate) struct ServiceAccount {
    client_email: String,
    private_key_id: String,
    private_key: SecretString,
    project_id: String,
}

impl ServiceAccount {
    pub(crate) fn parse(credentials: &ProviderSecret) -> Result<Self, FormatError> {
        let fields = Fields::read(credentials, FORM)?;
        check_type(&fields)?;
        let private_key = fields.text("private_key")?;
        signing_key(&private_key)?;
        let private_key_id =
            fields.public("private_key_id", is_key_id, "is not the id of a key, which has 40 hexadecimal digits")?;
        let is_address = |text: &str| text.ends_with(".gserviceaccount.com") && text.contains('@');
        let client_email = fields.public("client_email", is_address, "is not the address of a service account")?;
        let project_id = fields.public("project_id", is_project_id, "is not the id of a project")?;
        let is_google = |text: &str| text == TOKEN_URI;
        fields.public("token_uri", is_google, "is not Google's own, https://oauth2.googleapis.com/token")?;
        let is_public_cloud = |text: &str| text == "googleapis.com";
        fields.optional_public(
            "universe_domain",
            is_public_cloud,
            "is not googleapis.com; other clouds are not asked",
        )?;
        Ok(Self { client_email, private_key_id, private_key, project_id })
    }

    /// Returns the project whose usage is reported.
    pub(crate) fn project_id(&self) -> &str {
        &self.project_id
    }

    /// Returns the redacted form: the account's address, and the beginning of the key's id.
    pub(crate) fn hint(&self) -> String {
        format!("{} {}", self.client_email, self.private_key_id.get(..8).unwrap_or_default())
    }

    /// Returns a JSON web token (RFC 7523) for one exchange.
    pub(crate) fn assertion(&self, now: Timestamp) -> Result<SecretString, FormatError> {
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": self.private_key_id });
        let claims = json!({
            "iss": self.client_email,
            "scope": SCOPE,
            "aud": TOKEN_URI,
            "iat": now.seconds(),
            "exp": now.after(LIFETIME).seconds(),
        });
        let part = |json: &serde_json::Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let key = signing_key(&self.private_key)?;
        let signer = key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256]).ok_or(NOT_RSA)?;
        let signature = signer.sign(signed.as_bytes()).map_err(|_| NOT_RSA)?;
        Ok(SecretString::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}

const NOT_RSA: FormatError =
    FormatError::Field { field: "private_key", problem: "is not an RSA key of 2048 bits or more; make a new one" };

fn check_type(fields: &Fields<'_>) -> Result<(), FormatError> {
    let problem = match fields.word("type")?.plain().as_str() {
        "service_account" => return Ok(()),
        "authorized_user" => "says that this is a person's own login; make a key for a service account",
        "external_account" => "says that this is a workload identity's configuration, which holds no key; make one",
        "impersonated_service_account" => "says that this borrows a service account; enter that account's own key",
        _ => "is not `service_account`; make a key for a service account",
    };
    Err(FormatError::Field { field: "type", problem })
}

fn signing_key(pem: &SecretString) -> Result<RsaSigningKey, FormatError> {
    let fault = |problem| FormatError::Field { field: "private_key", problem };
    if pem.plain().contains("\\n") {
        return Err(fault("has `\\n` where its line breaks belong; paste the file as it was downloaded"));
    }
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.plain().as_bytes())
        .map_err(|_| fault("is not a whole PEM private key; paste the file as it was downloaded"))?;
    RsaSigningKey::new(&PrivateKeyDer::Pkcs8(der)).map_err(|_| NOT_RSA)
}

fn is_key_id(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns `true` if the text is a project id, safe as a part of a path.
fn is_project_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.:".contains(&byte);
    (4..=100).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(plain)
}
