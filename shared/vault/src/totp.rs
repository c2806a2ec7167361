//! Codes of authenticator apps (RFC 6238): SHA-1, six digits, a new one every thirty seconds, which is what every app
//! takes. A code holds for one step before and after its own, and never again once a code as late as it was accepted.

use keyway_domain::Timestamp;
use totp_rs::{Algorithm, Builder};
use zeroize::Zeroizing;

use crate::{Secret, SecretBytes, SecretString, VaultError, derive::random};

const SECRET_BYTES: usize = 20;
const STEP_SECONDS: u64 = 30;
const SKEW_STEPS: u16 = 1;
const DIGITS: u8 = 6;
const ISSUER: &str = "Keyway";

/// An authenticator of a person.
pub struct Totp(totp_rs::Totp);

impl Totp {
    /// A fresh secret, to be sealed.
    ///
    /// # Errors
    /// [`VaultError::Keyring`] when the system gives no random bytes.
    pub fn new_secret() -> Result<SecretBytes, VaultError> {
        Ok(Secret::new(Zeroizing::new(random::<SECRET_BYTES>()?).to_vec()))
    }

    /// The authenticator with this secret, which an app shows under this account.
    ///
    /// # Errors
    /// [`VaultError::Malformed`] when the secret is too short to be one of ours.
    pub fn new(secret: &SecretBytes, account: &str) -> Result<Self, VaultError> {
        // The colon parts issuer and account in the address that apps read.
        let account = account.replace(':', " ");
        Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(DIGITS)
            .with_skew(SKEW_STEPS)
            .with_step_duration(STEP_SECONDS)
            .with_secret(secret.plain().clone())
            .with_issuer(Some(ISSUER))
            .with_account_name(account)
            .build()
            .map(Self)
            .map_err(|_| VaultError::Malformed)
    }

    /// The address that an app reads from a QR code: it holds the secret.
    ///
    /// # Errors
    /// [`VaultError::Malformed`] without an account.
    pub fn url(&self) -> Result<SecretString, VaultError> {
        self.0.to_url().map(Secret::new).map_err(|_| VaultError::Malformed)
    }

    /// The secret as people type it: base32.
    #[must_use]
    pub fn typed_secret(&self) -> SecretString {
        Secret::new(self.0.secret().to_base32())
    }

    /// The step that a code is of; `None` where it is wrong, or not later than the last accepted step. It is accepted
    /// only when that step is stored as the last one.
    #[must_use]
    pub fn step_of(&self, code: &str, now: Timestamp, last_step: Option<i64>) -> Option<i64> {
        let typed = code.chars().filter(|c| !c.is_whitespace()).take(usize::from(DIGITS) + 1);
        let code: Zeroizing<String> = typed.collect::<String>().into();
        let is_code = code.len() == usize::from(DIGITS) && code.bytes().all(|byte| byte.is_ascii_digit());
        let seconds = u64::try_from(now.seconds()).ok().filter(|_| is_code)?;
        let step = i64::try_from(self.0.check(&code, seconds)?).ok()?;
        last_step.is_none_or(|last| step > last).then_some(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_the_rfc() -> Totp {
        Totp::new(&Secret::new(b"12345678901234567890".to_vec()), "ana@example.org").unwrap()
    }

    /// RFC 6238, appendix B, SHA-1: time in seconds, and the last six of its eight digits.
    const VECTORS: [(i64, &str); 6] = [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ];

    #[test]
    fn the_codes_are_those_of_the_rfc() {
        for (seconds, code) in VECTORS {
            let now = Timestamp::from_seconds(seconds);
            assert_eq!(of_the_rfc().step_of(code, now, None), Some(seconds / 30), "{seconds}");
        }
    }

    #[test]
    fn a_code_holds_one_step_around_its_own_and_only_once() {
        let (totp, at, code) = (of_the_rfc(), 1_234_567_890, "005924");
        let own = at / 30;
        for (late, expected) in [(-60, None), (-30, Some(own)), (0, Some(own)), (30, Some(own)), (60, None)] {
            let now = Timestamp::from_seconds(at + late);
            assert_eq!(totp.step_of(code, now, None), expected, "{late} s");
        }
        let now = Timestamp::from_seconds(at);
        for (last, expected) in [(own - 1, Some(own)), (own, None), (own + 1, None)] {
            assert_eq!(totp.step_of(code, now, Some(last)), expected, "after {last}");
        }
    }

    #[test]
    fn only_six_digits_are_a_code() {
        let now = Timestamp::from_seconds(1_234_567_890);
        assert!(of_the_rfc().step_of(" 005 924\n", now, None).is_some());
        for bad in ["", "5924", "05924", "0059245", "00592a", "\u{ff10}\u{ff10}5924", "-05924", "+05924"] {
            assert_eq!(of_the_rfc().step_of(bad, now, None), None, "{bad:?}");
        }
        assert_eq!(of_the_rfc().step_of("005924", Timestamp::from_seconds(-1), None), None);
    }

    #[test]
    fn an_app_reads_the_secret_from_the_address() {
        let url = of_the_rfc().url().unwrap();
        let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        assert!(url.plain().starts_with("otpauth://totp/Keyway:ana%40example.org?"), "{}", url.plain());
        assert!(url.plain().contains(&format!("secret={secret}")) && url.plain().contains("issuer=Keyway"));
        assert_eq!(of_the_rfc().typed_secret().plain(), secret);
        assert!(Totp::new(&Secret::new(vec![1; 10]), "ana").is_err(), "too short");
        let fresh = Totp::new_secret().unwrap();
        assert_eq!(fresh.plain().len(), 20);
        assert_ne!(fresh.plain(), Totp::new_secret().unwrap().plain());
        assert!(Totp::new(&fresh, "a:b").unwrap().url().is_ok());
    }
}
