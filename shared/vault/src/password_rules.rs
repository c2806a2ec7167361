//! Which passwords are let in: long ones that are not guessed at once. No rule asks for kinds of characters.

use crate::Password;

/// The fewest characters where the password is all that a person proves itself by.
pub const MIN_PASSWORD_CHARS: usize = 15;
/// The fewest characters beside a second factor.
pub const MIN_PASSWORD_CHARS_WITH_FACTOR: usize = 8;
/// The most characters.
pub const MAX_PASSWORD_CHARS: usize = 256;

/// No more of a password than this is judged: what is longer costs tens of milliseconds and says nothing more.
const JUDGED_CHARS: usize = 100;
/// Below this many characters, a name stands in too many words by chance to be refused inside a password.
const TELLING_CHARS: usize = 4;
/// Of names, no more words than this are looked at.
const MOST_WORDS: usize = 8;
/// More guesses than this, and a password is not among those that are tried.
const MIN_GUESSES_LOG10: f64 = 8.0;

/// Why a password is not let in, in a sentence that says what to do; never what was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordFault {
    /// It has fewer characters than it needs.
    #[error("the password needs at least {least} characters")]
    TooShort {
        /// How many.
        least: usize,
    },
    /// It has more characters than are taken.
    #[error("the password may have at most {most} characters")]
    TooLong {
        /// How many.
        most: usize,
    },
    /// It is among those that are tried first.
    #[error("the password is too easy to guess: choose several words that do not belong together")]
    Common,
    /// It holds the person's own address or name.
    #[error("the password must not contain your address or your name")]
    OwnData,
    /// It holds the name of this software.
    #[error("the password must not contain the word Keyway")]
    NamesKeyway,
}

impl PasswordFault {
    /// Its name for programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooShort { .. } => "too_short",
            Self::TooLong { .. } => "too_long",
            Self::Common => "common",
            Self::OwnData => "own_data",
            Self::NamesKeyway => "names_keyway",
        }
    }
}

/// Whose password it is to be.
#[derive(Clone, Copy, Debug)]
pub struct PasswordOwner<'a> {
    /// The address.
    pub email: &'a str,
    /// The name.
    pub name: &'a str,
    /// Whether a second factor is asked for at every sign-in.
    pub has_second_factor: bool,
}

impl Password {
    /// Judges a new password. It takes some milliseconds: on the threads that hash.
    ///
    /// # Errors
    /// [`PasswordFault`]: the first thing that is wrong with it.
    pub fn check(&self, owner: PasswordOwner<'_>) -> Result<(), PasswordFault> {
        let least = if owner.has_second_factor { MIN_PASSWORD_CHARS_WITH_FACTOR } else { MIN_PASSWORD_CHARS };
        match self.text().chars().count() {
            chars if chars < least => return Err(PasswordFault::TooShort { least }),
            chars if chars > MAX_PASSWORD_CHARS => return Err(PasswordFault::TooLong { most: MAX_PASSWORD_CHARS }),
            _ => {}
        }
        let lower = zeroize::Zeroizing::new(self.text().to_lowercase());
        if lower.contains("keyway") {
            return Err(PasswordFault::NamesKeyway);
        }
        let words = own_words(owner);
        let tells = |word: &String| word.chars().count() >= TELLING_CHARS && lower.contains(word.as_str());
        if words.iter().any(tells) {
            return Err(PasswordFault::OwnData);
        }
        let judged: zeroize::Zeroizing<String> = self.text().chars().take(JUDGED_CHARS).collect::<String>().into();
        let known: Vec<&str> = words.iter().map(String::as_str).chain(["keyway"]).collect();
        if zxcvbn::zxcvbn(&judged, &known).guesses_log10() < MIN_GUESSES_LOG10 {
            return Err(PasswordFault::Common);
        }
        Ok(())
    }
}

/// Address and name, whole and in parts, in lower case.
fn own_words(owner: PasswordOwner<'_>) -> Vec<String> {
    let (email, name) = (owner.email.trim().to_lowercase(), owner.name.trim().to_lowercase());
    let local = email.split('@').next().unwrap_or_default().to_owned();
    let parts = name.split_whitespace().take(MOST_WORDS).map(ToOwned::to_owned).collect::<Vec<_>>();
    let together = parts.concat();
    let words = [email, local, name, together].into_iter().chain(parts);
    words.filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, any, proptest};

    use super::*;
    use crate::Secret;

    const ANA: PasswordOwner<'_> =
        PasswordOwner { email: "Ana.Ruiz@example.org", name: "Ana Ruiz", has_second_factor: false };

    fn check(text: &str, owner: PasswordOwner<'_>) -> Result<(), PasswordFault> {
        Password::typed(&Secret::new(text.to_owned())).unwrap().check(owner)
    }

    #[test]
    fn a_password_is_let_in_or_refused_for_its_reason() {
        let (short, long) = (PasswordFault::TooShort { least: 15 }, PasswordFault::TooLong { most: 256 });
        let varied = |chars: usize| "plum9 orbit Xv~ ".chars().cycle().take(chars).collect::<String>();
        for (text, expected) in [
            ("a quiet orchard at dusk".to_owned(), Ok(())),
            ("jWq3kz8TnX2bVr0P".to_owned(), Ok(())),
            ("дождь над тихим садом".to_owned(), Ok(())),
            ("🦉🌲🚲🎻🍇🧭🪁🏔️🎲🐙🥁🪴🧩🕰️🪞".to_owned(), Ok(())),
            ("  spaces at both ends stay  ".to_owned(), Ok(())),
            (varied(256), Ok(())),
            (varied(257), Err(long)),
            (String::new(), Err(short)),
            ("jWq3kz8TnX2bVr".to_owned(), Err(short)),
            // Fifteen as typed, fourteen once the accent has joined its letter.
            ("jWq3kz8TnX2bVe\u{301}".to_owned(), Err(short)),
            ("passwordpassword".to_owned(), Err(PasswordFault::Common)),
            ("aaaaaaaaaaaaaaaa".to_owned(), Err(PasswordFault::Common)),
            ("qwertyuiopasdfgh".to_owned(), Err(PasswordFault::Common)),
            ("1234567890123456".to_owned(), Err(PasswordFault::Common)),
            ("\u{ff50}assword\u{ff50}assword".to_owned(), Err(PasswordFault::Common)),
            ("x".repeat(256), Err(PasswordFault::Common)),
            ("my ANA.RUIZ@example.org is it".to_owned(), Err(PasswordFault::OwnData)),
            ("orbit ruiz plum 77 green".to_owned(), Err(PasswordFault::OwnData)),
            ("9x anaruiz plum 77 green".to_owned(), Err(PasswordFault::OwnData)),
            ("a banana boat at dusk 7".to_owned(), Ok(())),
            ("my KeyWay vault of plums".to_owned(), Err(PasswordFault::NamesKeyway)),
        ] {
            assert_eq!(check(&text, ANA), expected, "{text}");
        }
    }

    #[test]
    fn beside_a_second_factor_a_password_may_be_shorter_but_not_common() {
        let owner = PasswordOwner { has_second_factor: true, ..ANA };
        assert_eq!(check("jWq3kz8T", owner), Ok(()));
        assert_eq!(check("jWq3kz8", owner), Err(PasswordFault::TooShort { least: 8 }));
        assert_eq!(check("password1", owner), Err(PasswordFault::Common));
        assert_eq!(check("anna2019", PasswordOwner { name: "", email: "", ..owner }), Err(PasswordFault::Common));
    }

    #[test]
    fn each_reason_has_a_name_of_its_own() {
        let faults = [
            PasswordFault::TooShort { least: 15 },
            PasswordFault::TooLong { most: 256 },
            PasswordFault::Common,
            PasswordFault::OwnData,
            PasswordFault::NamesKeyway,
        ];
        let mut codes = faults.map(PasswordFault::code).to_vec();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), faults.len());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
        #[test]
        fn any_text_is_judged(text in any::<String>(), email in any::<String>(), name in any::<String>()) {
            let owner = PasswordOwner { email: &email, name: &name, has_second_factor: true };
            if let Some(password) = Password::typed(&Secret::new(text)) {
                let _ = password.check(owner);
            }
        }
    }
}
