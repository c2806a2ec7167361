//! The two ceremonies (WebAuthn 7.1 and 7.2): adding a passkey, and proving by one.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{authenticator, cbor::Cbor, error::PasskeyError, key, place::Place};
use crate::signature::is_signed;

const MAX_PART_BYTES: usize = 16 * 1024;

/// Answer of a browser, as its `toJSON()` writes it. Fields that decide nothing here are passed over.
#[derive(Deserialize)]
pub(crate) struct Credential {
    id: String,
    response: Response,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    #[serde(rename = "clientDataJSON")]
    client_data_json: String,
    attestation_object: Option<String>,
    authenticator_data: Option<String>,
    signature: Option<String>,
    user_handle: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    r#type: String,
    challenge: String,
    origin: String,
    #[serde(default)]
    cross_origin: bool,
}

/// New passkey.
#[derive(Debug)]
pub(crate) struct Registered {
    pub(crate) challenge: String,
    pub(crate) credential_id: Vec<u8>,
    pub(crate) public_key: Vec<u8>,
    pub(crate) sign_count: i64,
    pub(crate) may_be_backed_up: bool,
    pub(crate) is_backed_up: bool,
}

/// Proof by a passkey, as far as its own bytes go: whose it is, is in the database.
#[derive(Debug)]
pub(crate) struct Assertion {
    pub(crate) challenge: String,
    pub(crate) credential_id: Vec<u8>,
    pub(crate) user_handle: Option<Vec<u8>>,
    pub(crate) sign_count: i64,
    pub(crate) may_be_backed_up: bool,
    pub(crate) is_backed_up: bool,
    signed: Vec<u8>,
    signature: Vec<u8>,
}

/// Reads a new passkey.
///
/// # Errors
/// [`PasskeyError`].
pub(crate) fn registration(credential: &Credential, place: &Place) -> Result<Registered, PasskeyError> {
    let wrong = PasskeyError::Wrong;
    let (client_data, _) = client_data(credential, "webauthn.create", place)?;
    let attestation = part(credential.response.attestation_object.as_deref())?;
    let (attestation, rest) = Cbor::read(&attestation).ok_or(wrong)?;
    let data = attestation.at("authData").and_then(Cbor::bytes).filter(|_| rest.is_empty()).ok_or(wrong)?;
    let data = authenticator::read(data, place)?;
    let (credential_id, public_key) = data.credential.ok_or(wrong)?;
    if part(Some(&credential.id))? != credential_id {
        return Err(wrong);
    }
    Ok(Registered {
        challenge: client_data.challenge,
        credential_id: credential_id.to_vec(),
        public_key: public_key.to_vec(),
        sign_count: data.sign_count,
        may_be_backed_up: data.may_be_backed_up,
        is_backed_up: data.is_backed_up,
    })
}

/// Reads a proof.
///
/// # Errors
/// [`PasskeyError`].
pub(crate) fn assertion(credential: &Credential, place: &Place) -> Result<Assertion, PasskeyError> {
    let (client_data, hash) = client_data(credential, "webauthn.get", place)?;
    let response = &credential.response;
    let mut signed = part(response.authenticator_data.as_deref())?;
    let data = authenticator::read(&signed, place)?;
    let (sign_count, may_be_backed_up, is_backed_up) = (data.sign_count, data.may_be_backed_up, data.is_backed_up);
    signed.extend_from_slice(&hash);
    Ok(Assertion {
        challenge: client_data.challenge,
        credential_id: part(Some(&credential.id))?,
        user_handle: response.user_handle.as_deref().map(|handle| part(Some(handle))).transpose()?,
        sign_count,
        may_be_backed_up,
        is_backed_up,
        signed,
        signature: part(response.signature.as_deref())?,
    })
}

impl Assertion {
    /// Returns `true` if this key signed it.
    pub(crate) fn is_of(&self, public_key: &[u8]) -> bool {
        key::read(public_key).is_ok_and(|(key, algorithm, rest)| {
            rest.is_empty() && is_signed(&key, algorithm, &self.signed, &self.signature)
        })
    }
}

/// Returns what the browser says, and its hash, which the authenticator signs.
fn client_data(credential: &Credential, kind: &str, place: &Place) -> Result<(ClientData, [u8; 32]), PasskeyError> {
    let bytes = part(Some(&credential.response.client_data_json))?;
    let data: ClientData = serde_json::from_slice(&bytes).map_err(|_| PasskeyError::Wrong)?;
    if data.r#type != kind {
        return Err(PasskeyError::Wrong);
    }
    if data.origin != place.origin || data.cross_origin {
        return Err(PasskeyError::Place);
    }
    Ok((data, Sha256::digest(&bytes).into()))
}

fn part(text: Option<&str>) -> Result<Vec<u8>, PasskeyError> {
    let text = text.filter(|text| text.len() <= MAX_PART_BYTES).ok_or(PasskeyError::Wrong)?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| PasskeyError::Wrong)
}

#[cfg(test)]
#[path = "ceremony_tests.rs"]
mod tests;
