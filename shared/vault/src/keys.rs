//! The way from root key to sealed secret: derivation, tenant data keys, fingerprints.

use hmac::{Hmac, KeyInit, Mac};
use keyway_domain::{DataKeyId, TenantId};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use crate::{
    AuditSeed, CheckValue, Keyring, Sealed, Secret, SecretBytes, VaultError,
    derive::{length, random},
    envelope::{self, SivKey},
};

/// Opens and makes tenant keys, or holds the reason why it is sealed.
pub struct Vault {
    keyring: Result<Keyring, String>,
    /// Called before the keyring wraps a new data key.
    told: Option<Box<dyn Fn() + Send + Sync>>,
}

/// A tenant's data keys, wrapped, as the store keeps them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedDataKey {
    /// Id of the data key's row.
    pub id: DataKeyId,
    /// Tenant that owns the keys.
    pub tenant_id: TenantId,
    /// Version of the root key that wraps them.
    pub root_version: u32,
    /// Wrapped key that seals secrets.
    pub wrapped_enc: Vec<u8>,
    /// Wrapped key that makes fingerprints.
    pub wrapped_fp: Vec<u8>,
}

/// Fresh data keys of a tenant: the row to store, and the keys to use at once.
pub struct NewDataKey {
    /// Row to store.
    pub row: WrappedDataKey,
    /// Keys to seal with.
    pub keys: TenantKeys,
}

/// A tenant's data keys, unwrapped. Lives in memory only.
pub struct TenantKeys {
    id: DataKeyId,
    tenant_id: TenantId,
    enc: SivKey,
    fp: Secret<[u8; 32]>,
}

impl Vault {
    /// Builds a vault that opens with this keyring.
    #[must_use]
    pub const fn open(keyring: Keyring) -> Self {
        Self { keyring: Ok(keyring), told: None }
    }

    /// Has a function called before the keyring wraps a new data key, under which secrets will be sealed.
    #[must_use]
    pub fn tells(self, told: impl Fn() + Send + Sync + 'static) -> Self {
        Self { told: Some(Box::new(told)), ..self }
    }

    /// Builds a sealed vault, which opens nothing, with the reason.
    #[must_use]
    pub const fn sealed(reason: String) -> Self {
        Self { keyring: Err(reason), told: None }
    }

    /// Returns the reason why the vault is sealed; `None` if it is open.
    #[must_use]
    pub fn sealed_reason(&self) -> Option<&str> {
        self.keyring.as_ref().err().map(String::as_str)
    }

    /// Returns one check value per root key of this vault, to compare without revealing the keys.
    ///
    /// # Errors
    /// [`VaultError::Sealed`].
    pub fn check_values(&self) -> Result<Vec<CheckValue>, VaultError> {
        Ok(self.keyring()?.check_values())
    }

    /// Returns the seeds of the audit log's signing keys, one for each root key; that of the active one comes first.
    ///
    /// # Errors
    /// [`VaultError::Sealed`].
    pub fn audit_seeds(&self) -> Result<Vec<AuditSeed>, VaultError> {
        self.keyring()?.derive_audit_seeds()
    }

    /// Makes data keys for a tenant, wrapped under the active root key.
    ///
    /// # Errors
    /// [`VaultError::Sealed`], or [`VaultError::Keyring`] when the system has no randomness.
    pub fn new_data_key(&self, tenant_id: TenantId) -> Result<NewDataKey, VaultError> {
        let keyring = self.keyring()?;
        if let Some(told) = &self.told {
            told();
        }
        let id = DataKeyId::new();
        let keys = TenantKeys { id, tenant_id, enc: Secret::new(random()?), fp: Secret::new(random()?) };
        let root_version = keyring.active_version();
        let kek = keyring.derive_kek(root_version, tenant_id)?;
        let row = WrappedDataKey {
            id,
            tenant_id,
            root_version,
            wrapped_enc: envelope::wrap(&kek, root_version, &labels(b"dek", tenant_id, id), keys.enc.plain())?,
            wrapped_fp: envelope::wrap(&kek, root_version, &labels(b"fp", tenant_id, id), keys.fp.plain())?,
        };
        Ok(NewDataKey { row, keys })
    }

    /// Unwraps a tenant's data keys.
    ///
    /// # Errors
    /// [`VaultError::Sealed`], [`VaultError::UnknownVersion`], or [`VaultError::Unauthentic`] when the
    /// row was not wrapped by this keyring for this tenant.
    pub fn unwrap(&self, row: &WrappedDataKey) -> Result<TenantKeys, VaultError> {
        let kek = self.keyring()?.derive_kek(row.root_version, row.tenant_id)?;
        let key = |label, wrapped: &[u8]| {
            envelope::unwrap(&kek, row.root_version, &labels(label, row.tenant_id, row.id), wrapped)
        };
        Ok(TenantKeys {
            id: row.id,
            tenant_id: row.tenant_id,
            enc: fixed(&key(b"dek", &row.wrapped_enc)?)?,
            fp: fixed(&key(b"fp", &row.wrapped_fp)?)?,
        })
    }

    /// Computes a keyed digest of a request, equal for equal requests of a tenant. A holder of the digests without the
    /// keyring cannot test guesses of a request's content. Another active root key gives other digests.
    ///
    /// # Errors
    /// [`VaultError::Sealed`].
    pub fn request_digest(&self, tenant_id: TenantId, request: &[&[u8]]) -> Result<[u8; 32], VaultError> {
        Ok(mac(&self.keyring()?.derive_request_key(tenant_id)?, request))
    }

    fn keyring(&self) -> Result<&Keyring, VaultError> {
        self.keyring.as_ref().map_err(|reason| VaultError::Sealed(reason.clone()))
    }
}

impl TenantKeys {
    /// Returns the id of the data key's row.
    #[must_use]
    pub const fn id(&self) -> DataKeyId {
        self.id
    }

    /// Seals a secret of this tenant. Sealing the same text twice gives different bytes.
    ///
    /// # Errors
    /// [`VaultError::Keyring`] when the system has no randomness.
    pub fn seal(
        &self,
        secret_id: keyway_domain::SecretId,
        version: i32,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, VaultError> {
        let sealed = Sealed { tenant_id: self.tenant_id, secret_id, version };
        envelope::seal(&self.enc, self.id, &sealed, random()?, plaintext)
    }

    /// Opens a secret of this tenant.
    ///
    /// # Errors
    /// [`VaultError::Malformed`] or [`VaultError::Unauthentic`].
    pub fn open(
        &self,
        secret_id: keyway_domain::SecretId,
        version: i32,
        envelope: &[u8],
    ) -> Result<SecretBytes, VaultError> {
        envelope::open(&self.enc, self.id, &Sealed { tenant_id: self.tenant_id, secret_id, version }, envelope)
    }

    /// Computes a fingerprint, equal for equal secrets of this tenant and provider, without opening any. Another
    /// tenant's fingerprint of the same secret is different.
    #[must_use]
    pub fn fingerprint(&self, provider: &str, secret: &[u8]) -> [u8; 32] {
        mac(&self.fp, &[provider.as_bytes(), secret])
    }
}

/// Computes HMAC-SHA-256 over length-prefixed parts.
fn mac(key: &Secret<[u8; 32]>, parts: &[&[u8]]) -> [u8; 32] {
    // HMAC pads a key to its block of 64 bytes with zeros: the padded key is the same key.
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(key.plain());
    let mut mac = Hmac::<Sha256>::new((&*block).into());
    for part in parts {
        mac.update(&length(part));
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn labels(label: &'static [u8], tenant_id: TenantId, id: DataKeyId) -> [Vec<u8>; 3] {
    [label.to_vec(), tenant_id.uuid().as_bytes().to_vec(), id.uuid().as_bytes().to_vec()]
}

fn fixed<const N: usize>(bytes: &SecretBytes) -> Result<Secret<[u8; N]>, VaultError> {
    let mut array = [0; N];
    if bytes.plain().len() != N {
        return Err(VaultError::Malformed);
    }
    array.copy_from_slice(bytes.plain());
    let secret = Secret::new(array);
    array.zeroize();
    Ok(secret)
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
