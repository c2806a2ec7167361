//! The bytes of sealed things: `"KW" | format | type | key reference | ...`.
//!
//! The header says which key sealed the rest and is authenticated with it. A parser checks lengths
//! before it slices, and an unknown format or type is an error, never a reason to try keys.
//!
//! | type | key reference | then |
//! |---|---|---|
//! | 1 data key | root version, u32 big endian | SIV (16), wrapped key |
//! | 2 secret | data key id (16) | nonce (16), SIV (16), ciphertext |

use aes_siv::{KeyInit, siv::Aes256Siv};
use keyway_domain::DataKeyId;

use crate::{Secret, SecretBytes, VaultError};

const MAGIC: &[u8; 2] = b"KW";
const FORMAT: u8 = 1;
const TYPE_DATA_KEY: u8 = 1;
const TYPE_SECRET: u8 = 2;
const DATA_KEY_HEADER_BYTES: usize = 8;
const SECRET_HEADER_BYTES: usize = 20;
const NONCE_BYTES: usize = 16;
const SIV_BYTES: usize = 16;

/// A 64-byte AES-256-SIV key.
pub(crate) type SivKey = Secret<[u8; 64]>;

/// Identity of the secret that an envelope seals; authenticated with it, so that rows cannot be swapped.
#[derive(Clone, Copy, Debug)]
pub struct Sealed {
    /// Tenant that owns the secret.
    pub tenant_id: keyway_domain::TenantId,
    /// Id of the secret's row.
    pub secret_id: keyway_domain::SecretId,
    /// Version of the secret.
    pub version: i32,
}

/// Returns the data key that a secret's envelope is sealed under.
///
/// # Errors
/// [`VaultError::Malformed`] when the bytes are not a secret's envelope.
pub fn sealed_under(envelope: &[u8]) -> Result<DataKeyId, VaultError> {
    let (header, _) = split(envelope, SECRET_HEADER_BYTES, TYPE_SECRET)?;
    let id: [u8; 16] = header[4..].try_into().map_err(|_| VaultError::Malformed)?;
    Ok(DataKeyId::from_uuid(uuid::Uuid::from_bytes(id)))
}

/// Wraps a data key. Deterministic: the plaintext is random, which is the key-wrap case of SIV.
pub(crate) fn wrap(kek: &SivKey, root_version: u32, labels: &[Vec<u8>; 3], key: &[u8]) -> Result<Vec<u8>, VaultError> {
    let mut header = Vec::with_capacity(DATA_KEY_HEADER_BYTES + SIV_BYTES + key.len());
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&[FORMAT, TYPE_DATA_KEY]);
    header.extend_from_slice(&root_version.to_be_bytes());
    let sealed = encrypt(kek, &data_key_headers(&header, labels), key)?;
    header.extend_from_slice(&sealed);
    Ok(header)
}

/// Unwraps a data key that [`wrap`] made with the same key, version and labels.
pub(crate) fn unwrap(
    kek: &SivKey,
    root_version: u32,
    labels: &[Vec<u8>; 3],
    wrapped: &[u8],
) -> Result<SecretBytes, VaultError> {
    let (header, sealed) = split(wrapped, DATA_KEY_HEADER_BYTES, TYPE_DATA_KEY)?;
    if header[4..] != root_version.to_be_bytes() {
        return Err(VaultError::Malformed);
    }
    decrypt(kek, &data_key_headers(header, labels), sealed)
}

/// Seals a secret under a data key.
pub(crate) fn seal(
    key: &SivKey,
    key_id: DataKeyId,
    sealed: &Sealed,
    nonce: [u8; NONCE_BYTES],
    plaintext: &[u8],
) -> Result<Vec<u8>, VaultError> {
    let mut envelope = Vec::with_capacity(SECRET_HEADER_BYTES + NONCE_BYTES + SIV_BYTES + plaintext.len());
    envelope.extend_from_slice(MAGIC);
    envelope.extend_from_slice(&[FORMAT, TYPE_SECRET]);
    envelope.extend_from_slice(key_id.uuid().as_bytes());
    let ciphertext = encrypt(key, &secret_headers(&envelope, sealed, &nonce), plaintext)?;
    envelope.extend_from_slice(&nonce);
    envelope.extend_from_slice(&ciphertext);
    Ok(envelope)
}

/// Opens an envelope that [`seal`] made for the same secret.
pub(crate) fn open(
    key: &SivKey,
    key_id: DataKeyId,
    sealed: &Sealed,
    envelope: &[u8],
) -> Result<SecretBytes, VaultError> {
    if sealed_under(envelope)? != key_id {
        return Err(VaultError::Malformed);
    }
    let (header, rest) = split(envelope, SECRET_HEADER_BYTES, TYPE_SECRET)?;
    let (nonce, ciphertext) = rest.split_at_checked(NONCE_BYTES).ok_or(VaultError::Malformed)?;
    decrypt(key, &secret_headers(header, sealed, nonce), ciphertext)
}

fn data_key_headers<'a>(header: &'a [u8], [label, tenant, id]: &'a [Vec<u8>; 3]) -> [&'a [u8]; 4] {
    [header, label, tenant, id]
}

/// Returns the associated data of a secret's envelope, the nonce last. This is RFC 5297's nonce-based use: equal
/// secrets give different bytes.
fn secret_headers(header: &[u8], sealed: &Sealed, nonce: &[u8]) -> [Vec<u8>; 6] {
    [
        header.to_vec(),
        b"secret".to_vec(),
        sealed.tenant_id.uuid().as_bytes().to_vec(),
        sealed.secret_id.uuid().as_bytes().to_vec(),
        sealed.version.to_be_bytes().to_vec(),
        nonce.to_vec(),
    ]
}

fn split(bytes: &[u8], header_bytes: usize, kind: u8) -> Result<(&[u8], &[u8]), VaultError> {
    let (header, rest) = bytes.split_at_checked(header_bytes).ok_or(VaultError::Malformed)?;
    if header[..2] != *MAGIC || header[2] != FORMAT || header[3] != kind || rest.len() < SIV_BYTES {
        return Err(VaultError::Malformed);
    }
    Ok((header, rest))
}

fn encrypt<H: AsRef<[u8]>>(key: &SivKey, headers: &[H], plaintext: &[u8]) -> Result<Vec<u8>, VaultError> {
    Aes256Siv::new(key.plain().into()).encrypt(headers, plaintext).map_err(|_| VaultError::Malformed)
}

fn decrypt<H: AsRef<[u8]>>(key: &SivKey, headers: &[H], ciphertext: &[u8]) -> Result<SecretBytes, VaultError> {
    Aes256Siv::new(key.plain().into())
        .decrypt(headers, ciphertext)
        .map(Secret::new)
        .map_err(|_| VaultError::Unauthentic)
}
