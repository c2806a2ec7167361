//! Keys of checkpoints: Ed25519, in the text formats of C2SP's `signed-note`. A private key lives in a [`Signer`] only.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use keyway_vault::{AuditSeed, Vault, VaultError};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use sha2::{Digest, Sha256};

use crate::{checkpoint::Checkpoint, error::NoteFault};

/// Sign of an Ed25519 key in the format.
const ALGORITHM: u8 = 1;
/// What a line of a signature begins with.
const DASH: &str = "\u{2014} ";

/// Public key of checkpoints, with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    name: String,
    bytes: [u8; 32],
}

/// Key that signs checkpoints.
pub struct Signer {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl PublicKey {
    /// Returns the public keys of an installation, one for each root key; that of new checkpoints comes first.
    ///
    /// # Errors
    /// [`VaultError::Sealed`].
    pub fn all(vault: &Vault) -> Result<Vec<Self>, VaultError> {
        let key = |AuditSeed { version, seed }| {
            let signer = Signer::from_seed(&name(version), seed.plain());
            signer.map(|signer| signer.public).ok_or(VaultError::UnknownVersion(version))
        };
        vault.audit_seeds()?.into_iter().map(key).collect()
    }

    /// Reads `name+id+key`, as it is published; `None` if it is not that.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.trim().splitn(3, '+');
        let (name, id, key) = (parts.next()?, parts.next()?, parts.next()?);
        let key = STANDARD.decode(key).ok()?;
        let (algorithm, bytes) = key.split_first()?;
        let key = Self { name: name.to_owned(), bytes: bytes.try_into().ok()? };
        let named = !name.is_empty() && !name.contains(char::is_whitespace);
        (*algorithm == ALGORITHM && named && key.id_text() == id).then_some(key)
    }

    /// Writes the key as it is published: `name+id+key`.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}+{}+{}", self.name, self.id_text(), STANDARD.encode(self.tagged()))
    }

    fn tagged(&self) -> [u8; 33] {
        let mut tagged = [ALGORITHM; 33];
        tagged[1..].copy_from_slice(&self.bytes);
        tagged
    }

    fn id(&self) -> [u8; 4] {
        let digest = Sha256::new().chain_update(&self.name).chain_update(b"\n").chain_update(self.tagged()).finalize();
        [digest[0], digest[1], digest[2], digest[3]]
    }

    fn id_text(&self) -> String {
        self.id().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Signer {
    /// Makes the signer of an installation: by the active root key.
    ///
    /// # Errors
    /// [`VaultError::Sealed`].
    pub fn of(vault: &Vault) -> Result<Self, VaultError> {
        let seeds = vault.audit_seeds()?;
        let AuditSeed { version, seed } = seeds.first().ok_or(VaultError::UnknownVersion(0))?;
        Self::from_seed(&name(*version), seed.plain()).ok_or(VaultError::UnknownVersion(*version))
    }

    /// Makes the key of a seed; `None` if there is none of it.
    fn from_seed(name: &str, seed: &[u8; 32]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        let bytes = pair.public_key().as_ref().try_into().ok()?;
        Some(Self { pair, public: PublicKey { name: name.to_owned(), bytes } })
    }

    /// Returns the public key.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a checkpoint and returns the note: its lines, a blank one, and the signature.
    #[must_use]
    pub fn sign(&self, checkpoint: &Checkpoint) -> String {
        let text = checkpoint.text();
        let mut signed = self.public.id().to_vec();
        signed.extend_from_slice(self.pair.sign(text.as_bytes()).as_ref());
        format!("{text}\n{DASH}{} {}\n", self.public.name, STANDARD.encode(signed))
    }
}

fn name(version: u32) -> String {
    format!("keyway-{version}")
}

/// Takes notes apart that stand one after the other, with or without blank lines between.
pub(crate) fn notes(text: &str) -> Vec<String> {
    let (mut notes, mut note) = (Vec::new(), String::new());
    for line in text.lines() {
        let signature = line.starts_with(DASH);
        if !signature && note.lines().last().is_some_and(|last| last.starts_with(DASH)) {
            notes.push(std::mem::take(&mut note));
        }
        if !(note.is_empty() && line.is_empty()) {
            note.push_str(line);
            note.push('\n');
        }
    }
    if !note.is_empty() {
        notes.push(note);
    }
    notes
}

/// Reads a note that one of the keys has signed.
///
/// # Errors
/// See [`NoteFault`].
pub(crate) fn open(note: &str, keys: &[PublicKey]) -> Result<Checkpoint, NoteFault> {
    let (text, signatures) = note.rsplit_once("\n\n").ok_or(NoteFault::Malformed("it has no signature"))?;
    let text = format!("{text}\n");
    for line in signatures.lines() {
        let signature = line.strip_prefix(DASH).and_then(|line| line.split_once(' '));
        let (name, signature) = signature.ok_or(NoteFault::Malformed("a line of a signature is none"))?;
        let signature = STANDARD.decode(signature).map_err(|_| NoteFault::Malformed("a signature is not base64"))?;
        let (id, signature) =
            signature.split_first_chunk::<4>().ok_or(NoteFault::Malformed("a signature is too short"))?;
        if let Some(key) = keys.iter().find(|key| key.name == name && key.id() == *id) {
            let key = UnparsedPublicKey::new(&ED25519, key.bytes);
            key.verify(text.as_bytes(), signature).map_err(|_| NoteFault::Forged)?;
            return Checkpoint::read(&text);
        }
    }
    Err(NoteFault::UnknownKey)
}

#[cfg(test)]
mod tests {
    use keyway_domain::Timestamp;

    use super::*;

    fn checkpoint() -> Checkpoint {
        Checkpoint { log: "keyway.audit/ten_1".to_owned(), size: 7, root: [5; 32], at: Timestamp::from_ms(0) }
    }

    #[test]
    fn a_published_key_is_that_of_the_format() {
        // That of the checksum database of Go.
        let text = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
        assert_eq!(PublicKey::read(text).map(|key| key.text()).as_deref(), Some(text));
    }

    #[test]
    fn a_note_opens_with_the_key_that_signed_it_and_no_other() {
        let (signer, other) =
            (Signer::from_seed("keyway-1", &[1; 32]).unwrap(), Signer::from_seed("keyway-1", &[2; 32]).unwrap());
        let note = signer.sign(&checkpoint());
        assert_eq!(note.lines().count(), 6);
        assert_eq!(open(&note, &[other.public().clone(), signer.public().clone()]), Ok(checkpoint()));
        assert_eq!(open(&note, &[other.public().clone()]), Err(NoteFault::UnknownKey));
        let more = note.replacen("\n7\n", "\n8\n", 1);
        assert_eq!(open(&more, &[signer.public().clone()]), Err(NoteFault::Forged));
    }

    #[test]
    fn notes_that_stand_one_after_the_other_are_taken_apart() {
        let note = Signer::from_seed("keyway-1", &[1; 32]).unwrap().sign(&checkpoint());
        assert_eq!(notes(&format!("\n{note}{note}\n\n{note}\n")), [note.as_str(); 3]);
        assert!(notes("").is_empty() && notes("\n").is_empty());
    }

    #[test]
    fn text_that_is_no_key_or_no_note_is_refused() {
        let good = Signer::from_seed("keyway-1", &[1; 32]).unwrap();
        for text in ["", "keyway-1", "keyway-1+00000000+AQ==", &good.public().text().replace("keyway-1", "keyway-2")] {
            assert_eq!(PublicKey::read(text), None, "{text}");
        }
        for note in ["", "a\n\n", "a\n\n- b c\n", "a\n\n\u{2014} b c\n", "a\n\n\u{2014} b AAAA\n"] {
            assert!(open(note, &[good.public().clone()]).is_err(), "{note}");
        }
    }
}
