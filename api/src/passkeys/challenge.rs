//! Challenges that are stored nowhere: random bytes and their end, under a keyed digest that also says what they are for.
//! A challenge is used up by whoever it lets in, in the transaction that does.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use keyway_domain::{TenantId, Timestamp, UserId};
use keyway_vault::{AccessToken, AccessTokenKind, Vault, VaultError};
use sha2::{Digest as _, Sha256};

/// Time that a challenge is good for.
pub(crate) const HOLDS: Duration = Duration::from_secs(5 * 60);
const RANDOM_BYTES: usize = 32;
const TIME_BYTES: usize = 8;

/// Use of a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Adding a passkey of this person.
    Register(UserId),
    /// Proving who one is.
    Prove,
}

/// Makes a challenge, as base64url.
///
/// # Errors
/// [`VaultError::Sealed`], or [`VaultError::Keyring`] when the system gives no random bytes.
pub(crate) fn issue(vault: &Vault, tenant_id: TenantId, used_for: Use, now: Timestamp) -> Result<String, VaultError> {
    let random = AccessToken::generate(AccessTokenKind::Link)?.sha256();
    let body = [random.as_slice(), &now.after(HOLDS).ms().to_be_bytes()].concat();
    let digest = digest(vault, tenant_id, used_for, &body)?;
    Ok(URL_SAFE_NO_PAD.encode([body.as_slice(), &digest].concat()))
}

/// Returns the hash of a challenge that was issued for this use and still holds, and its end.
///
/// # Errors
/// [`VaultError::Sealed`].
pub(crate) fn judge(
    vault: &Vault,
    tenant_id: TenantId,
    used_for: Use,
    (text, now): (&str, Timestamp),
) -> Result<Option<([u8; 32], Timestamp)>, VaultError> {
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(text) else { return Ok(None) };
    let Some((body, sent)) = bytes.split_at_checked(RANDOM_BYTES + TIME_BYTES) else { return Ok(None) };
    let Some(ends_at) = body.last_chunk::<TIME_BYTES>().map(|bytes| Timestamp::from_ms(i64::from_be_bytes(*bytes)))
    else {
        return Ok(None);
    };
    // A digest is no secret of the caller's: what it may be compared with is compared as hashes.
    let is_ours = Sha256::digest(digest(vault, tenant_id, used_for, body)?) == Sha256::digest(sent);
    Ok((is_ours && ends_at > now).then(|| (Sha256::digest(&bytes).into(), ends_at)))
}

fn digest(vault: &Vault, tenant_id: TenantId, used_for: Use, body: &[u8]) -> Result<[u8; 32], VaultError> {
    match used_for {
        Use::Register(user_id) => {
            vault.request_digest(tenant_id, &[b"passkey to add", user_id.uuid().as_bytes().as_slice(), body])
        }
        Use::Prove => vault.request_digest(tenant_id, &[b"passkey to prove", body]),
    }
}

#[cfg(test)]
mod tests {
    use keyway_vault::Keyring;

    use super::*;

    #[test]
    fn a_challenge_holds_for_its_use_and_its_time_only() {
        let (vault, tenant, now) = (Vault::open(Keyring::generate().unwrap()), TenantId::new(), Timestamp::now());
        let (ana, ben) = (UserId::new(), UserId::new());
        for (used_for, others) in [
            (Use::Prove, [Use::Register(ana), Use::Register(ben)]),
            (Use::Register(ana), [Use::Prove, Use::Register(ben)]),
        ] {
            let text = issue(&vault, tenant, used_for, now).unwrap();
            let at = |used_for, text: &str, now| judge(&vault, tenant, used_for, (text, now)).unwrap();
            assert!(at(used_for, &text, now).is_some());
            assert!(at(used_for, &text, now.after(HOLDS)).is_none());
            for other in others {
                assert!(at(other, &text, now).is_none(), "{other:?}");
            }
            let first = if text.starts_with('A') { "B" } else { "A" };
            for bad in ["", "AAAA", &text[1..], &format!("{first}{}", &text[1..]), &format!("{text}AAAA")] {
                assert!(at(used_for, bad, now).is_none(), "{bad}");
            }
            assert!(judge(&vault, TenantId::new(), used_for, (&text, now)).unwrap().is_none());
        }
    }
}
