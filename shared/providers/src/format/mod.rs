//! Checks a pasted credential before it is stored or sent anywhere. Refuses only texts that cannot be a key; formats
//! drift, so a key of unknown form is always accepted. Never keeps or prints the credential.

mod error;
mod example;
mod foreign;

use keyway_domain::{KeyFamily, is_invisible};
use keyway_vault::{ProviderSecret, SecretString};

use crate::ProviderSpec;

pub use error::FormatError;
pub use foreign::begins_like_key;
pub(crate) use foreign::is_keyways;

/// Facts that the text of a credential shows by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    /// Redacted form that may be shown: public prefix, dots, the last four characters.
    pub hint: String,
    /// Family of the key.
    pub family: KeyFamily,
}

const MAX_CHARS: usize = 4096;
const MIN_CHARS: usize = 8;
const TAIL_CHARS: usize = 4;
/// Fewest characters after the prefix with which the last four are shown.
const MIN_CHARS_FOR_TAIL: usize = 12;

/// Takes a pasted text as a secret, without surrounding blanks, line ends, byte order mark and invisible characters.
#[must_use]
pub fn pasted(text: SecretString) -> ProviderSecret {
    let trimmed = trimmed(text.plain());
    if trimmed.len() == text.plain().len() { text.into() } else { ProviderSecret::new(trimmed.to_owned()) }
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(|it: char| it.is_whitespace() || is_invisible(it))
}

/// Returns `true` if the key is long enough to be redacted from texts. Shorter ones are words for hosts that check no
/// keys, which any text may contain.
#[must_use]
pub const fn is_secret(key: &[u8]) -> bool {
    key.len() >= MIN_CHARS
}

/// Runs the checks that every provider shares; the caller judges the family.
pub(crate) fn check(spec: &ProviderSpec, secret: &ProviderSecret) -> Result<(), FormatError> {
    // Only its text can say that it is no key; nothing of it gets into the error.
    let key = secret.expose();
    if key.is_empty() {
        // A host of somebody's own may check no keys at all.
        return if spec.custom { Ok(()) } else { Err(FormatError::Empty) };
    }
    if key.len() > MAX_CHARS {
        return Err(FormatError::TooLong);
    }
    example::check(key)?;
    if key.chars().any(char::is_whitespace) {
        return Err(FormatError::Whitespace);
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(FormatError::NotAscii);
    }
    foreign::check(spec, key)?;
    // A host of somebody's own may take any word, and any kind of token.
    if spec.custom {
        return Ok(());
    }
    if example::is_stand_in(key) {
        return Err(FormatError::Placeholder);
    }
    if key.len() < MIN_CHARS || spec.key_prefixes.iter().any(|prefix| prefix == key) {
        return Err(FormatError::TooShort);
    }
    if key.starts_with("ya29.") || (key.starts_with("eyJ") && key.matches('.').count() == 2) {
        return Err(FormatError::LoginToken);
    }
    Ok(())
}

/// Returns the redacted form of a key.
pub(crate) fn hint(spec: &ProviderSpec, secret: &ProviderSecret) -> String {
    // The prefix is public, and the end tells a team's keys apart.
    let key = secret.expose();
    let known = spec.key_prefixes.iter().map(String::as_str).find(|prefix| key.starts_with(prefix));
    let prefix = known.unwrap_or_else(|| if key.starts_with("sk-") { "sk-" } else { "" });
    let secret_part = key.get(prefix.len()..).unwrap_or_default();
    let tail = match secret_part.len() {
        MIN_CHARS_FOR_TAIL.. => secret_part.get(secret_part.len() - TAIL_CHARS..).unwrap_or_default(),
        _ => "",
    };
    format!("{prefix}...{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Catalog;

    fn secret(key: &str) -> ProviderSecret {
        ProviderSecret::new(key.to_owned())
    }

    fn checked(provider: &str, key: &str) -> Result<String, FormatError> {
        let catalog = Catalog::load(None).expect("the compiled-in catalog");
        let spec = catalog.get(provider).expect("a predefined provider");
        check(spec, &secret(key)).map(|()| hint(spec, &secret(key)))
    }

    #[test]
    fn what_cannot_be_a_key_is_refused() {
        for (key, expected) in [
            ("", FormatError::Empty),
            ("sk-proj-abc def", FormatError::Whitespace),
            ("sk-proj-abc\ndefghijklmnop", FormatError::Whitespace),
            ("Bearer sk-proj-abcdefghijklmnop", FormatError::Header),
            ("OPENAI_API_KEY=sk-proj-abcdefghijklmnop", FormatError::Assignment),
            ("sk-proj-abcdéfghijklmnop", FormatError::NotAscii),
            ("sk-proj-abc\u{7}defghijklmnop", FormatError::NotAscii),
            ("sk-proj-***abcd", FormatError::Masked),
            ("sk-proj-…abcd", FormatError::Masked),
            ("sk-...abcd", FormatError::Masked),
            ("\"sk-proj-abcdefghijkl\"", FormatError::Quoted),
            ("your_api_key", FormatError::Placeholder),
            ("<OPENAI_API_KEY>", FormatError::Placeholder),
            ("$OPENAI_API_KEY", FormatError::Placeholder),
            ("sk-xxxxxxxxxxxxxxxx", FormatError::Placeholder),
            ("sk-A", FormatError::TooShort),
            ("sk-proj-", FormatError::TooShort),
            ("sk-admin-", FormatError::TooShort),
            ("eyJhbGciOi.eyJzdWIi.c2ln", FormatError::LoginToken),
            ("ya29.a0AfH6SMBabcdef", FormatError::LoginToken),
            ("sk-ant-api03-bbbbbbbbbbbb", FormatError::OtherProvider("Anthropic")),
            ("gsk_AAAAAAAAAAAAAAAA", FormatError::OtherProvider("Groq")),
            ("AKIAIOSFODNN7EXAMPLE", FormatError::OtherProvider("AWS")),
            ("hf_AAAAAAAAAAAAAAAA", FormatError::OtherService("Hugging Face")),
            ("ghp_AAAAAAAAAAAAAAAA", FormatError::OtherService("GitHub")),
            ("gho_AAAAAAAAAAAAAAAA", FormatError::OtherService("GitHub")),
            ("github_pat_AAAAAAAAAAAAAAAA", FormatError::OtherService("GitHub")),
            ("glpat-AAAAAAAAAAAAAAAA", FormatError::OtherService("GitLab")),
            ("xoxb-1234-AAAAAAAAAAAA", FormatError::OtherService("Slack")),
            ("SG.AAAAAAAAAAAA.AAAAAAA", FormatError::OtherService("SendGrid")),
            ("kw_live_AAAAAAAAAAAAAAAA", FormatError::Keyways),
            ("kw_admin_AAAAAAAAAAAAAAAA", FormatError::Keyways),
            ("sk-mysecretkey-1234", FormatError::Placeholder),
        ] {
            assert_eq!(checked("openai", key), Err(expected), "{key}");
        }
        assert_eq!(checked("openai", &"k".repeat(5000)), Err(FormatError::TooLong));
        assert_eq!(checked("mistral", "sk-proj-abcdefghijklmnop"), Err(FormatError::OtherProvider("OpenAI")));
    }

    #[test]
    fn what_may_be_a_key_passes_and_shows_its_public_parts_only() {
        for (provider, key, hint) in [
            ("openai", "sk-proj-AAAAAAAAAAAAAAAAAAAAwxyz", "sk-proj-...wxyz"),
            ("openai", "sk-admin-AAAAAAAAAAAAAAAAAAAAwxyz", "sk-admin-...wxyz"),
            ("openai", "sk-AAAAAAAAAAAAAAAAAAAAT3BlbkFJAAAAAAAAAAAAAAAAwxyz", "sk-...wxyz"),
            ("openai", "a-form-nobody-has-seen-yet-1234", "...1234"),
            ("openai", "sk-proj-short", "sk-proj-..."),
            ("groq", "gsk_AAAAAAAAAAAAAAAAwxyz", "gsk_...wxyz"),
            ("mistral", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAwxyz", "...wxyz"),
            ("deepseek", "sk-0000000000000000000000000000wxyz", "sk-...wxyz"),
        ] {
            assert_eq!(checked(provider, key), Ok(hint.to_owned()), "{key}");
        }
    }

    #[test]
    fn a_custom_host_may_take_any_word_and_any_token_of_a_host_of_models() {
        let url = "https://api.acme.dev/v1".parse().expect("a URL");
        let spec = ProviderSpec::custom("acme", "Acme", url, crate::AuthStyle::Bearer, vec![]);
        for key in [
            "",
            "ollama",
            "EMPTY",
            "none",
            "sk-1234",
            "x",
            "eyJhbGciOi.eyJzdWIi.c2ln",
            "gsk_AAAAAAAAAAAAAAAA",
            "sk-proj-AAAAAAAAAAAAAAAA",
            "hf_AAAAAAAAAAAAAAAA",
            // Whose it is only the Keyway that gave it out can tell.
            "kw_live_AAAAAAAAAAAAAAAA",
        ] {
            assert_eq!(check(&spec, &secret(key)), Ok(()), "{key}");
        }
        for (key, expected) in [
            ("sk-***", FormatError::Masked),
            ("sk-...", FormatError::Placeholder),
            ("your-api-key", FormatError::Placeholder),
            ("kw_admin_AAAAAAAAAAAAAAAA", FormatError::Keyways),
            ("ghp_AAAAAAAAAAAAAAAA", FormatError::OtherService("GitHub")),
            ("AKIAIOSFODNN7EXAMPLE", FormatError::OtherProvider("AWS")),
        ] {
            assert_eq!(check(&spec, &secret(key)), Err(expected), "{key}");
        }
    }

    #[test]
    fn a_services_own_hosts_and_a_provider_of_that_prefix_take_its_keys() {
        let custom = |url: &str| {
            let url = url.parse().expect("a URL");
            ProviderSpec::custom("acme", "Acme", url, crate::AuthStyle::Bearer, vec![])
        };
        let key = "github_pat_AAAAAAAAAAAAAAAA";
        assert_eq!(check(&custom("https://models.github.ai/inference"), &secret(key)), Ok(()));
        assert_eq!(check(&custom("https://notgithub.ai/"), &secret(key)), Err(FormatError::OtherService("GitHub")));
        let catalog = Catalog::load(None).expect("the compiled-in catalog");
        let mut spec = catalog.get("mistral").expect("mistral").clone();
        spec.key_prefixes = vec!["hf_".to_owned()];
        assert_eq!(check(&spec, &secret("hf_AAAAAAAAAAAAAAAA")), Ok(()));
    }

    #[test]
    fn what_copying_brings_along_is_no_part_of_a_key() {
        for text in [
            "sk-proj-abc",
            "  sk-proj-abc\r\n",
            "\u{feff}sk-proj-abc",
            "\u{200b}sk-proj-abc\u{200d}\n",
            "\u{a0}sk-proj-abc\t\u{2060}",
        ] {
            assert_eq!(trimmed(text), "sk-proj-abc", "{text:?}");
        }
        assert_eq!(trimmed("\u{feff} \n"), "");
        assert_eq!(trimmed("sk-proj\u{200b}-abc"), "sk-proj\u{200b}-abc", "within it, it is another text");
    }
}
