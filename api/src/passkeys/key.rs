//! Public keys as COSE writes them (RFC 9052, 9053): those of the three algorithms that authenticators are asked for.

use super::{cbor::Cbor, error::PasskeyError};
use crate::signature::{Algorithm, PublicKey};

/// Algorithms that authenticators are asked for, by their COSE numbers, the wanted ones first: ES256, EdDSA, RS256.
pub(crate) const ALGORITHMS: [i64; 3] = [-7, -8, -257];

/// Reads a public key; returns it with its algorithm and with what follows it.
///
/// # Errors
/// [`PasskeyError::Algorithm`] for a key of another kind.
pub(crate) fn read(bytes: &[u8]) -> Result<(PublicKey, Algorithm, &[u8]), PasskeyError> {
    let (key, rest) = Cbor::read(bytes).ok_or(PasskeyError::Wrong)?;
    let int = |label| key.at_number(label).and_then(Cbor::int);
    let bytes = |label, length: usize| {
        let bytes = key.at_number(label).and_then(Cbor::bytes).filter(|bytes| bytes.len() == length);
        bytes.ok_or(PasskeyError::Wrong)
    };
    let (key, algorithm) = match (int(3), int(1), int(-1)) {
        (Some(-7), Some(2), Some(1)) => {
            (PublicKey::P256([&[4], bytes(-2, 32)?, bytes(-3, 32)?].concat()), Algorithm::Es256Der)
        }
        (Some(-8), Some(1), Some(6)) => (PublicKey::Ed25519(bytes(-2, 32)?.to_vec()), Algorithm::Ed25519),
        (Some(-257), Some(3), _) => {
            let part = |label| key.at_number(label).and_then(Cbor::bytes).ok_or(PasskeyError::Wrong);
            (PublicKey::Rsa { n: part(-1)?.to_vec(), e: part(-2)?.to_vec() }, Algorithm::Rs256)
        }
        _ => return Err(PasskeyError::Algorithm),
    };
    Ok((key, algorithm, rest))
}
