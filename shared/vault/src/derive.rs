//! Keys from other keys, and random ones. Keeps none.

use hkdf::Hkdf;
use rand::{TryRng, rngs::SysRng};
use sha2::Sha256;

use crate::VaultError;

/// Derives a key with HKDF-SHA-256 and length-prefixed info: `keyway/v1`, purpose, version, context.
pub(crate) fn derive(
    salt: &[u8],
    root: &[u8; 32],
    purpose: &str,
    version: u32,
    context: &[u8],
    out: &mut [u8],
) -> Result<(), VaultError> {
    let mut info = Vec::with_capacity(64);
    for part in [b"keyway/v1".as_slice(), purpose.as_bytes(), &version.to_be_bytes(), context] {
        length_prefixed(&mut info, part);
    }
    Hkdf::<Sha256>::new(Some(salt), root)
        .expand(&info, out)
        .map_err(|_| VaultError::Keyring("a derived key would be too long".to_owned()))
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], VaultError> {
    let mut bytes = [0; N];
    SysRng
        .try_fill_bytes(&mut bytes)
        .map_err(|_| VaultError::Keyring("the system gives no random bytes".to_owned()))?;
    Ok(bytes)
}

fn length_prefixed(out: &mut Vec<u8>, part: &[u8]) {
    out.extend_from_slice(&length(part));
    out.extend_from_slice(part);
}

/// The length of a part, before it: no two lists of parts have the same bytes.
pub(crate) fn length(part: &[u8]) -> [u8; 4] {
    u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes()
}
