//! What is believed of an authenticator, and what is not.

use serde_json::{Value, json};

use super::*;

#[path = "../../tests/it/passkey_device.rs"]
mod passkey_device;

use passkey_device::{Device, Words, encoded};

const ORIGIN: &str = "https://keyway.example.com";

/// Change of what a device says.
type Change = fn(&mut Words);

fn place() -> Place {
    Place::of(ORIGIN).unwrap()
}

fn creating() -> Words {
    Words::honest(ORIGIN, &json!({ "rp": { "id": "keyway.example.com" }, "challenge": "abc" }))
}

fn getting() -> Words {
    Words::honest(ORIGIN, &json!({ "rpId": "keyway.example.com", "challenge": "abc" }))
}

fn read<T>(
    answer: anyhow::Result<Value>,
    ceremony: fn(&Credential, &Place) -> Result<T, PasskeyError>,
) -> Result<T, PasskeyError> {
    ceremony(&serde_json::from_value(answer.unwrap()).unwrap(), &place())
}

#[test]
fn a_passkey_is_registered_and_proves_by_its_own_key() {
    let devices = [Device::ed25519(b"cred").unwrap(), Device::p256(b"cred").unwrap()];
    let made = devices.each_ref().map(|device| read(device.create(&creating(), &device.cose()), registration).unwrap());
    for (own, mut device) in devices.into_iter().enumerate() {
        device.count = 7;
        let handle = Some(encoded("ana"));
        let proof = read(device.get(&Words { handle, ..getting() }), assertion).unwrap();
        assert_eq!((proof.sign_count, proof.challenge.as_str()), (7, "abc"));
        assert_eq!(proof.user_handle.as_deref(), Some(&b"ana"[..]));
        for (at, made) in made.iter().enumerate() {
            assert_eq!(made.credential_id, b"cred");
            assert_eq!(proof.is_of(&made.public_key), at == own, "{own} by the key of {at}");
        }
        assert!(!proof.is_of(&[made[own].public_key.as_slice(), &[0]].concat()), "a key has no more bytes");
    }
}

#[test]
fn an_answer_of_another_place_kind_or_person_is_not_believed() {
    let (wrong, elsewhere) = (Some(PasskeyError::Wrong), Some(PasskeyError::Place));
    let cases: [(&str, Change, Option<PasskeyError>); 16] = [
        ("honest", |_| {}, None),
        ("backed up", |words| words.flags = 0x1d, None),
        ("extended", |words| (words.flags, words.rest) = (0x85, b"\xa1\x63uvm\xf5".to_vec()), None),
        ("another origin", |words| words.origin = "https://keyway.example.com.evil.net".to_owned(), elsewhere),
        ("without TLS", |words| words.origin = "http://keyway.example.com".to_owned(), elsewhere),
        ("another port", |words| words.origin = "https://keyway.example.com:8443".to_owned(), elsewhere),
        ("the rp above", |words| words.rp_id = "example.com".to_owned(), elsewhere),
        ("in a frame of others", |words| words.more = json!({ "crossOrigin": true }), elsewhere),
        ("no origin", |words| words.more = json!({ "origin": null }), wrong),
        ("the other ceremony", |words| words.kind = "payment.get", wrong),
        ("not verified", |words| words.flags = 0x01, wrong),
        ("not present", |words| words.flags = 0x04, wrong),
        ("backed up, and cannot be", |words| words.flags = 0x15, wrong),
        ("more bytes", |words| words.rest = vec![0xa0], wrong),
        ("extended by nothing", |words| words.flags = 0x85, wrong),
        ("extended by a list", |words| (words.flags, words.rest) = (0x85, vec![0x80]), wrong),
    ];
    for (name, change, expected) in cases {
        let device = Device::ed25519(b"cred").unwrap();
        let (mut created, mut got) = (creating(), getting());
        change(&mut created);
        change(&mut got);
        assert_eq!(read(device.create(&created, &device.cose()), registration).err(), expected, "create: {name}");
        assert_eq!(read(device.get(&got), assertion).err(), expected, "get: {name}");
    }
    let device = Device::ed25519(b"cred").unwrap();
    assert_eq!(read(device.get(&getting()), registration).err(), wrong, "a proof registers nothing");
    assert_eq!(
        read(device.create(&creating(), &device.cose()), assertion).err(),
        wrong,
        "a registration proves nothing"
    );
    let mut renamed = device.create(&creating(), &device.cose()).unwrap();
    renamed["id"] = json!(encoded("other"));
    assert_eq!(read(Ok(renamed), registration).err(), wrong, "the id beside it is another one");
}

#[test]
fn keys_of_other_kinds_and_cut_ones_are_refused() {
    let device = Device::ed25519(b"cred").unwrap();
    let register = |cose: &[u8]| read(device.create(&creating(), cose), registration).err();
    for (name, cose) in [
        ("ES384", &[0xa3, 0x01, 0x02, 0x03, 0x38, 0x22, 0x20, 0x02][..]),
        ("ES512", &[0xa3, 0x01, 0x02, 0x03, 0x38, 0x23, 0x20, 0x03]),
        ("ES256 on another curve", &[0xa3, 0x01, 0x02, 0x03, 0x26, 0x20, 0x08]),
        ("Ed25519 as ECDSA", &[0xa3, 0x01, 0x02, 0x03, 0x27, 0x20, 0x06]),
        ("no algorithm", &[0xa1, 0x01, 0x02]),
    ] {
        assert_eq!(register(cose), Some(PasskeyError::Algorithm), "{name}");
    }
    for cose in [device.cose(), Device::p256(b"cred").unwrap().cose()] {
        assert_eq!(register(&cose), None);
        for cut in 0..cose.len() {
            assert_eq!(register(&cose[..cut]), Some(PasskeyError::Wrong), "{cut} bytes of a key");
        }
    }
    let whole = device.create(&creating(), &device.cose()).unwrap();
    let attestation = part(whole["response"]["attestationObject"].as_str()).unwrap();
    for cut in 0..attestation.len() {
        let mut answer = whole.clone();
        answer["response"]["attestationObject"] = json!(encoded(&attestation[..cut]));
        assert_eq!(read(Ok(answer), registration).err(), Some(PasskeyError::Wrong), "{cut} bytes of an attestation");
    }
}

#[test]
fn a_place_needs_a_name() {
    assert_eq!(Place::of("http://localhost:8080").map(|place| place.rp_id).as_deref(), Some("localhost"));
    for bad in ["http://127.0.0.1:8080", "http://[::1]:8080", "", "keyway"] {
        assert_eq!(Place::of(bad), None, "{bad}");
    }
}
