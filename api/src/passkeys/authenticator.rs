//! Authenticator data (WebAuthn 6.1): what the authenticator says of the place, of the person and of itself.

use sha2::{Digest as _, Sha256};

use super::{cbor::Cbor, error::PasskeyError, key, place::Place};

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const BACKUP_ELIGIBLE: u8 = 0x08;
const BACKED_UP: u8 = 0x10;
const ATTESTED: u8 = 0x40;
const EXTENDED: u8 = 0x80;
const MODEL_BYTES: usize = 16;
const MAX_CREDENTIAL_BYTES: usize = 1023;

/// Authenticator data of a person that was verified.
#[derive(Debug)]
pub(crate) struct AuthenticatorData<'a> {
    pub(crate) sign_count: i64,
    pub(crate) may_be_backed_up: bool,
    pub(crate) is_backed_up: bool,
    /// New credential: its id and its public key.
    pub(crate) credential: Option<(&'a [u8], &'a [u8])>,
}

/// Reads authenticator data.
///
/// # Errors
/// [`PasskeyError`] where it is of another place, of nobody that was verified, or of a key that is not verified here.
pub(crate) fn read<'a>(bytes: &'a [u8], place: &Place) -> Result<AuthenticatorData<'a>, PasskeyError> {
    let wrong = PasskeyError::Wrong;
    let (place_hash, rest) = bytes.split_at_checked(32).ok_or(wrong)?;
    let ([flags, count @ ..], rest) = rest.split_first_chunk::<5>().ok_or(wrong)?;
    if place_hash != Sha256::digest(&place.rp_id).as_slice() {
        return Err(PasskeyError::Place);
    }
    let has = |flag| flags & flag != 0;
    let (may_be_backed_up, is_backed_up) = (has(BACKUP_ELIGIBLE), has(BACKED_UP));
    if !has(USER_PRESENT) || !has(USER_VERIFIED) || is_backed_up && !may_be_backed_up {
        return Err(wrong);
    }
    let (credential, rest) = if has(ATTESTED) {
        let (id, key) = attested(rest).ok_or(wrong)?;
        let (_, _, rest) = key::read(key)?;
        (Some((id, &key[..key.len() - rest.len()])), rest)
    } else {
        (None, rest)
    };
    let rest = match Cbor::read(rest) {
        Some((Cbor::Map(_), rest)) if has(EXTENDED) => rest,
        _ if has(EXTENDED) => return Err(wrong),
        _ => rest,
    };
    if !rest.is_empty() {
        return Err(wrong);
    }
    let sign_count = i64::from(u32::from_be_bytes(*count));
    Ok(AuthenticatorData { sign_count, may_be_backed_up, is_backed_up, credential })
}

/// Returns the id of the credential, and what follows it: its public key, and more.
fn attested(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, rest) = rest.split_at_checked(MODEL_BYTES)?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_be_bytes(*length));
    if length == 0 || length > MAX_CREDENTIAL_BYTES {
        return None;
    }
    rest.split_at_checked(length)
}
