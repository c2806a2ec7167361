//! ID tokens that hold and that do not, signed here by Ed25519.

use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::json;

use super::*;

const NOW: i64 = 1_800_000_000;

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn keys(id: &str, seed: u8) -> KeySet {
    let x = URL_SAFE_NO_PAD.encode(pair(seed).public_key().as_ref());
    let key = json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": id, "use": "sig", "alg": "EdDSA" });
    let other = json!({ "kty": "oct", "k": "c2VjcmV0" });
    KeySet::read(json!({ "keys": [other, key] }).to_string().as_bytes()).unwrap()
}

fn good() -> Value {
    json!({
        "iss": "https://id.example.com", "aud": "kw", "sub": "ana", "nonce": "n", "iat": NOW, "exp": NOW + 300
    })
}

fn signed(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(pair(1).sign(message.as_bytes()).as_ref());
    format!("{message}.{signature}")
}

fn judged(header: &Value, claims: &Value) -> Result<Map<String, Value>, TokenFault> {
    let expected = Expected {
        issuer: "https://id.example.com",
        client_id: "kw",
        nonce: "n",
        access_token: Some("access"),
        now: Timestamp::from_seconds(NOW),
    };
    super::claims(&signed(header, claims), &keys("k1", 1), expected)
}

#[test]
fn a_token_holds_by_either_name_of_its_algorithm_and_with_any_key_named_or_not() {
    for header in [
        json!({ "alg": "EdDSA", "kid": "k1" }),
        json!({ "alg": "Ed25519", "kid": "k1", "typ": "JWT" }),
        json!({ "alg": "EdDSA" }),
    ] {
        assert_eq!(judged(&header, &good()).unwrap()["sub"], "ana", "{header}");
    }
}

#[test]
fn what_nobody_signed_is_told_from_what_is_never_accepted() {
    for (header, fault) in [
        (json!({ "alg": "EdDSA", "kid": "k2" }), TokenFault::Unsigned),
        (json!({ "alg": "ES256", "kid": "k1" }), TokenFault::Unsigned),
        (json!({ "alg": "none" }), TokenFault::Error(OidcError::Algorithm)),
        (json!({ "alg": "HS256", "kid": "k1" }), TokenFault::Error(OidcError::Algorithm)),
        (json!({ "alg": "ES512" }), TokenFault::Error(OidcError::Algorithm)),
        (json!({ "alg": "EdDSA", "crit": ["b64"] }), TokenFault::Error(OidcError::Token)),
        (json!({}), TokenFault::Error(OidcError::Token)),
    ] {
        assert_eq!(judged(&header, &good()), Err(fault), "{header}");
    }
    let token = signed(&json!({ "alg": "EdDSA" }), &good());
    let expected = Expected { issuer: "", client_id: "", nonce: "", access_token: None, now: Timestamp::now() };
    for bad in ["", "a.b", "a.b.c", &token.replace('.', "")] {
        assert!(matches!(super::claims(bad, &keys("k1", 1), expected), Err(TokenFault::Error(_))), "{bad}");
    }
    assert_eq!(super::claims(&token, &keys("k1", 2), expected), Err(TokenFault::Unsigned), "another key of this name");
}

#[test]
fn every_claim_that_a_token_hangs_on_is_checked() {
    let (token, time) = (Some(OidcError::Token), Some(OidcError::Time));
    for (name, value, expected) in [
        ("iss", json!("https://id.example.com/"), Some(OidcError::Issuer)),
        ("iss", json!(["https://id.example.com"]), Some(OidcError::Issuer)),
        ("aud", json!("other"), token),
        ("aud", json!(["kw"]), None),
        ("aud", json!(["kw", "other"]), token),
        ("aud", json!([]), token),
        ("azp", json!("kw"), None),
        ("azp", json!("other"), token),
        ("nonce", json!("m"), token),
        ("nonce", Value::Null, token),
        ("sub", json!(""), token),
        ("sub", json!(7), token),
        ("exp", json!(NOW - 59), None),
        ("exp", json!(NOW - 60), time),
        ("exp", json!((NOW - 59) as f64 + 0.5), None),
        ("exp", json!("2999"), token),
        ("iat", json!(NOW + 60), None),
        ("iat", json!(NOW + 61), time),
        ("iat", Value::Null, token),
        ("nbf", json!(NOW + 60), None),
        ("nbf", json!(NOW + 61), time),
        ("nbf", json!("soon"), token),
        ("at_hash", json!(half_hash(Algorithm::Ed25519, "access")), None),
        ("at_hash", json!(half_hash(Algorithm::Es256, "access")), token),
        ("at_hash", json!(1), token),
    ] {
        let mut claims = good();
        claims[name] = value.clone();
        let judged = judged(&json!({ "alg": "EdDSA" }), &claims);
        assert_eq!(judged.err(), expected.map(TokenFault::Error), "{name}: {value}");
    }
    let mut shared = good();
    (shared["aud"], shared["azp"]) = (json!(["other", "kw"]), json!("kw"));
    assert!(judged(&json!({ "alg": "EdDSA" }), &shared).is_ok());
}
