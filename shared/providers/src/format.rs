//! Looks at a pasted credential before it is stored or sent anywhere. It refuses only what cannot
//! be a key; formats drift, so a key of unknown form is always let through. Never keeps or prints
//! the credential.

use crate::ProviderSpec;

/// What a credential shows by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    /// What may be shown of it: fixed public beginning, dots, the last four characters.
    pub hint: String,
    /// What kind of key it is.
    pub family: KeyFamily,
}

/// What kind of key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFamily {
    /// Calls models.
    Ordinary,
    /// Reads an organisation's usage and costs; cannot call models.
    Admin,
}

impl KeyFamily {
    /// The text in the table and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ordinary => "ordinary",
            Self::Admin => "admin",
        }
    }

    /// Reads [`Self::name`].
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Ordinary, Self::Admin].into_iter().find(|family| family.name() == name)
    }
}

/// Why a text cannot be a key. Each sentence says what to enter instead and repeats nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Nothing was entered.
    #[error("the key is empty; paste the whole key")]
    Empty,
    /// A space or line break.
    #[error("the key contains a space or a line break; paste the key alone, without `Bearer` and in one line")]
    Whitespace,
    /// A character outside ASCII, or a control character.
    #[error("the key contains a character that no key has; copy it again from the provider")]
    NotAscii,
    /// Quotes around it.
    #[error("the key is in quotes; paste it without them")]
    Quoted,
    /// A shortened display form.
    #[error("this is the masked form of a key; paste the whole key, which the provider shows once when it is made")]
    Masked,
    /// An example from a document.
    #[error("this is a placeholder; paste the real key")]
    Placeholder,
    /// Only the beginning, or far too short.
    #[error("this is too short to be a key; paste the whole key")]
    TooShort,
    /// Longer than any key.
    #[error("this is too long to be a key; paste the key alone")]
    TooLong,
    /// A login token.
    #[error("this is a login token that expires soon, not an API key; create an API key at the provider")]
    LoginToken,
    /// Certainly a key of somebody else; sending it there would give it away.
    #[error("this looks like a key of {0}; choose that provider or paste the right key")]
    OtherProvider(&'static str),
    /// No JSON object, where the credential is one; says which fields it has.
    #[error("this credential is a JSON object; paste {0}")]
    NotAnObject(&'static str),
    /// A field of a credential that is an object is missing or cannot be right.
    #[error("`{field}` {problem}")]
    Field {
        /// The field's own name.
        field: &'static str,
        /// What is wrong with it, and what to enter instead.
        problem: &'static str,
    },
}

const MAX_CHARS: usize = 4096;
const MIN_CHARS: usize = 8;
const TAIL_CHARS: usize = 4;
/// With fewer characters after the prefix than this, four of them would show too much.
const MIN_CHARS_FOR_TAIL: usize = 12;

/// Beginnings that belong to one provider alone.
const OTHERS: &[(&str, &str, &str)] = &[
    ("sk-ant-", "anthropic", "Anthropic"),
    ("sk-or-v1-", "openrouter", "OpenRouter"),
    ("sk-proj-", "openai", "OpenAI"),
    ("sk-svcacct-", "openai", "OpenAI"),
    ("sk-admin-", "openai", "OpenAI"),
    ("xai-", "xai", "xAI"),
    ("gsk_", "groq", "Groq"),
    ("AIza", "gemini", "Google Gemini"),
];

/// The checks every provider shares; the family is the caller's to judge.
pub(crate) fn check(spec: &ProviderSpec, key: &str) -> Result<(), FormatError> {
    if key.is_empty() {
        return Err(FormatError::Empty);
    }
    if key.len() > MAX_CHARS {
        return Err(FormatError::TooLong);
    }
    if key.contains("***") || key.contains("...") || key.contains(['…', '•', '●']) {
        return Err(FormatError::Masked);
    }
    if key.chars().any(char::is_whitespace) {
        return Err(FormatError::Whitespace);
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(FormatError::NotAscii);
    }
    if key.starts_with(['"', '\'', '`']) || key.ends_with(['"', '\'', '`']) {
        return Err(FormatError::Quoted);
    }
    if is_placeholder(key) {
        return Err(FormatError::Placeholder);
    }
    if key.len() < MIN_CHARS || spec.key_prefixes.iter().any(|prefix| prefix == key) {
        return Err(FormatError::TooShort);
    }
    // A custom host may take any kind of token, and keys of anybody it passes calls on to.
    if spec.custom {
        return Ok(());
    }
    if key.starts_with("ya29.") || (key.starts_with("eyJ") && key.matches('.').count() == 2) {
        return Err(FormatError::LoginToken);
    }
    match OTHERS.iter().find(|(prefix, ..)| key.starts_with(prefix)) {
        Some((_, name, display_name)) if *name != spec.name && knows_others(spec) => {
            Err(FormatError::OtherProvider(display_name))
        }
        _ => Ok(()),
    }
}

/// The part of a key that may be shown.
pub(crate) fn hint(spec: &ProviderSpec, key: &str) -> String {
    let known = spec.key_prefixes.iter().map(String::as_str).find(|prefix| key.starts_with(prefix));
    let prefix = known.unwrap_or_else(|| if key.starts_with("sk-") { "sk-" } else { "" });
    let secret_part = key.get(prefix.len()..).unwrap_or_default();
    let tail = match secret_part.len() {
        MIN_CHARS_FOR_TAIL.. => secret_part.get(secret_part.len() - TAIL_CHARS..).unwrap_or_default(),
        _ => "",
    };
    format!("{prefix}...{tail}")
}

/// An operator's models file may give a well-known name's keys to a host of its own name.
fn knows_others(spec: &ProviderSpec) -> bool {
    const WITHOUT_PREFIX: [&str; 4] = ["azure_openai", "cohere", "deepseek", "mistral"];
    OTHERS.iter().any(|(_, name, _)| *name == spec.name) || WITHOUT_PREFIX.contains(&spec.name.as_str())
}

fn is_placeholder(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    let letters: String = lower.chars().filter(char::is_ascii_alphanumeric).collect();
    lower.contains(['<', '>', '{', '}', '$'])
        || lower.contains("xxxxxx")
        || ["yourapikey", "yourkey", "apikeyhere", "keyhere", "changeme", "replaceme", "insertkey", "mysecretkey"]
            .iter()
            .any(|word| letters.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Catalog;

    fn checked(provider: &str, key: &str) -> Result<String, FormatError> {
        let catalog = Catalog::load(None).expect("the compiled-in catalog");
        let spec = catalog.get(provider).expect("a predefined provider");
        check(spec, key).map(|()| hint(spec, key))
    }

    #[test]
    fn what_cannot_be_a_key_is_refused() {
        for (key, expected) in [
            ("", FormatError::Empty),
            ("sk-proj-abc def", FormatError::Whitespace),
            ("sk-proj-abcdefghijklmnop\n", FormatError::Whitespace),
            ("Bearer sk-proj-abcdefghijklmnop", FormatError::Whitespace),
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
    fn a_custom_host_may_take_any_token() {
        let url = "https://api.acme.dev/v1".parse().expect("a URL");
        let spec = ProviderSpec::custom("acme", "Acme", url, crate::AuthStyle::Bearer, vec![]);
        for key in ["eyJhbGciOi.eyJzdWIi.c2ln", "gsk_AAAAAAAAAAAAAAAA", "sk-proj-AAAAAAAAAAAAAAAA"] {
            assert_eq!(check(&spec, key), Ok(()), "{key}");
        }
        assert_eq!(check(&spec, "sk-***"), Err(FormatError::Masked));
    }
}
