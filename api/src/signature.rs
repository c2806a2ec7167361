//! Signatures of others: of identity providers and of passkeys. An algorithm is named by who verifies, never chosen by
//! the length of a key, and one that is not in the list verifies nothing.

use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

/// Public key with what it is used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PublicKey {
    /// Point on P-256, uncompressed.
    P256(Vec<u8>),
    /// Point on P-384, uncompressed.
    P384(Vec<u8>),
    /// Ed25519.
    Ed25519(Vec<u8>),
    /// Modulus and exponent, big-endian.
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

/// Algorithm of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// ECDSA on P-256 with SHA-256; both numbers at their full length.
    Es256,
    /// The same as DER.
    Es256Der,
    /// ECDSA on P-384 with SHA-384; both numbers at their full length.
    Es384,
    /// Ed25519.
    Ed25519,
    /// RSA with SHA-256, PKCS #1.
    Rs256,
    /// RSA with SHA-256, PSS.
    Ps256,
}

/// Returns `true` if the key signed the message by this algorithm.
pub(crate) fn is_signed(key: &PublicKey, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
    let by = |algorithm: &'static dyn VerificationAlgorithm, key: &[u8]| {
        UnparsedPublicKey::new(algorithm, key).verify(message, signature).is_ok()
    };
    match (algorithm, key) {
        (Algorithm::Es256, PublicKey::P256(point)) => by(&ECDSA_P256_SHA256_FIXED, point),
        (Algorithm::Es256Der, PublicKey::P256(point)) => by(&ECDSA_P256_SHA256_ASN1, point),
        (Algorithm::Es384, PublicKey::P384(point)) => by(&ECDSA_P384_SHA384_FIXED, point),
        (Algorithm::Ed25519, PublicKey::Ed25519(key)) => by(&ED25519, key),
        (Algorithm::Rs256, PublicKey::Rsa { n, e }) => {
            RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
        }
        (Algorithm::Ps256, PublicKey::Rsa { n, e }) => {
            RsaPublicKeyComponents { n, e }.verify(&RSA_PSS_2048_8192_SHA256, message, signature).is_ok()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{Ed25519KeyPair, KeyPair as _};

    use super::*;

    #[test]
    fn a_key_verifies_by_its_own_algorithm_only() {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let key = PublicKey::Ed25519(pair.public_key().as_ref().to_vec());
        let signature = pair.sign(b"message");
        assert!(is_signed(&key, Algorithm::Ed25519, b"message", signature.as_ref()));
        assert!(!is_signed(&key, Algorithm::Ed25519, b"another", signature.as_ref()));
        for other in [Algorithm::Es256, Algorithm::Es256Der, Algorithm::Es384, Algorithm::Rs256, Algorithm::Ps256] {
            assert!(!is_signed(&key, other, b"message", signature.as_ref()), "{other:?}");
        }
        let as_point = PublicKey::P256(pair.public_key().as_ref().to_vec());
        assert!(!is_signed(&as_point, Algorithm::Es256, b"message", signature.as_ref()));
        let empty = PublicKey::Rsa { n: Vec::new(), e: Vec::new() };
        assert!(!is_signed(&empty, Algorithm::Rs256, b"message", signature.as_ref()));
    }
}
