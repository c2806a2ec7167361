//! An authenticator in software that signs by ring, and says what it is told to. Used by the tests beside the code, too.

use anyhow::{Error, Result};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const PRESENT_AND_VERIFIED: u8 = 0x05;
const ATTESTED: u8 = 0x40;

enum Key {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

/// Authenticator with one passkey.
pub(crate) struct Device {
    key: Key,
    pub(crate) id: Vec<u8>,
    pub(crate) count: u32,
}

/// What an answer says; what is honest is taken from the options.
#[derive(Clone)]
pub(crate) struct Words {
    pub(crate) origin: String,
    pub(crate) rp_id: String,
    pub(crate) challenge: String,
    pub(crate) kind: &'static str,
    pub(crate) flags: u8,
    pub(crate) handle: Option<String>,
    /// Further fields of the client data.
    pub(crate) more: Value,
    /// Bytes behind the authenticator data.
    pub(crate) rest: Vec<u8>,
}

impl Words {
    /// Returns what an honest browser at `origin` says to these options.
    pub(crate) fn honest(origin: &str, options: &Value) -> Self {
        let creates = options["rp"]["id"].is_string();
        let rp_id = if creates { &options["rp"]["id"] } else { &options["rpId"] };
        Self {
            origin: origin.to_owned(),
            rp_id: rp_id.as_str().unwrap_or_default().to_owned(),
            challenge: options["challenge"].as_str().unwrap_or_default().to_owned(),
            kind: if creates { "webauthn.create" } else { "webauthn.get" },
            flags: PRESENT_AND_VERIFIED,
            handle: None,
            more: Value::Null,
            rest: Vec::new(),
        }
    }

    fn client_data(&self) -> String {
        let Self { origin, challenge, kind, .. } = self;
        let mut data = json!({ "type": kind, "challenge": challenge, "origin": origin, "crossOrigin": false });
        for (name, value) in self.more.as_object().into_iter().flatten() {
            data[name] = value.clone();
        }
        data.to_string()
    }

    fn data(&self, flags: u8, count: u32) -> Vec<u8> {
        let hash = Sha256::digest(&self.rp_id);
        [hash.as_slice(), &[self.flags | flags], &count.to_be_bytes()].concat()
    }
}

impl Device {
    pub(crate) fn ed25519(id: &[u8]) -> Result<Self> {
        let key = Key::Ed25519(Ed25519KeyPair::from_seed_unchecked(&[3; 32]).map_err(Error::msg)?);
        Ok(Self { key, id: id.to_vec(), count: 0 })
    }

    pub(crate) fn p256(id: &[u8]) -> Result<Self> {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).map_err(Error::msg)?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref(), &random)
            .map_err(Error::msg)?;
        Ok(Self { key: Key::P256(pair), id: id.to_vec(), count: 0 })
    }

    /// Returns the public key as COSE writes it.
    pub(crate) fn cose(&self) -> Vec<u8> {
        match &self.key {
            Key::Ed25519(pair) => {
                [&[0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20], pair.public_key().as_ref()].concat()
            }
            Key::P256(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                [&[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 0x20][..], x, &[0x22, 0x58, 0x20], y].concat()
            }
        }
    }

    /// Answers to the options of a registration, with the key that `cose` writes.
    pub(crate) fn create(&self, words: &Words, cose: &[u8]) -> Result<Value> {
        let length = u16::try_from(self.id.len())?.to_be_bytes();
        let attested = [&[0; 16][..], &length, &self.id, cose, &words.rest].concat();
        let data = [words.data(ATTESTED, self.count), attested].concat();
        let head = [&[0xa3, 0x63][..], b"fmt", &[0x64], b"none", &[0x67], b"attStmt", &[0xa0, 0x68], b"authData"];
        let length = u16::try_from(data.len())?.to_be_bytes();
        let attestation = [head.concat(), vec![0x59], length.to_vec(), data].concat();
        let response =
            json!({ "clientDataJSON": encoded(words.client_data()), "attestationObject": encoded(attestation) });
        Ok(self.answer(&response))
    }

    /// Answers to the options of a proof.
    pub(crate) fn get(&self, words: &Words) -> Result<Value> {
        let (client, data) = (words.client_data(), [words.data(0, self.count), words.rest.clone()].concat());
        let signed = [data.as_slice(), Sha256::digest(&client).as_slice()].concat();
        let signature = match &self.key {
            Key::Ed25519(pair) => pair.sign(&signed).as_ref().to_vec(),
            Key::P256(pair) => pair.sign(&SystemRandom::new(), &signed).map_err(Error::msg)?.as_ref().to_vec(),
        };
        let response = json!({
            "clientDataJSON": encoded(client), "authenticatorData": encoded(data), "signature": encoded(signature),
            "userHandle": words.handle
        });
        Ok(self.answer(&response))
    }

    fn answer(&self, response: &Value) -> Value {
        json!({ "id": encoded(&self.id), "rawId": encoded(&self.id), "type": "public-key", "response": response })
    }
}

pub(crate) fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
