//! Text copied along with keys, or in their place: variables, headers, placeholders of documents.
//!
//! Must never refuse a key that a provider may issue: refused texts have forms that no random text has.

use super::FormatError;

/// Checks that the text is one key and no more.
pub(super) fn check(text: &str) -> Result<(), FormatError> {
    if text.starts_with('{') && serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).is_ok() {
        return Err(FormatError::AnObject);
    }
    if is_header(text) {
        return Err(FormatError::Header);
    }
    if is_assignment(text) {
        return Err(FormatError::Assignment);
    }
    if text.starts_with("https://") || text.starts_with("http://") {
        return Err(FormatError::Address);
    }
    const QUOTES: [char; 9] = ['"', '\'', '`', '“', '”', '„', '‘', '’', '«'];
    if text.starts_with(QUOTES) || text.ends_with(QUOTES) {
        return Err(FormatError::Quoted);
    }
    let is_cut = text.ends_with("...") || text.ends_with('…');
    if is_cut || is_in_brackets(text) || asks_for_yours(text) {
        return Err(FormatError::Placeholder);
    }
    if text.contains("***") || text.contains("...") || text.contains(['…', '•', '●']) {
        return Err(FormatError::Masked);
    }
    Ok(())
}

/// Returns `true` for a placeholder word, which only a host that checks no keys can be meant to get.
pub(super) fn is_stand_in(key: &str) -> bool {
    let letters: String = key.chars().filter(char::is_ascii_alphanumeric).map(|it| it.to_ascii_lowercase()).collect();
    letters.contains("xxxxxx")
        || ["apikeyhere", "keyhere", "changeme", "replaceme", "insertkey", "mysecretkey", "myapikey", "exampleapikey"]
            .iter()
            .any(|word| letters.contains(word))
}

/// Returns `true` for `Bearer sk-...`, `Authorization: Bearer sk-...`, `x-api-key: sk-...`.
fn is_header(text: &str) -> bool {
    const SCHEMES: [&str; 3] = ["bearer", "basic", "token"];
    const NAMES: [&str; 5] = ["authorization", "api-key", "x-api-key", "x-goog-api-key", "proxy-authorization"];
    let begins = |word: &str, end: &[char]| {
        let (first, rest) = (text.get(..word.len()), text.get(word.len()..));
        first.is_some_and(|first| first.eq_ignore_ascii_case(word)) && rest.is_some_and(|rest| rest.starts_with(end))
    };
    SCHEMES.iter().any(|scheme| begins(scheme, &[' ', '\t'])) || NAMES.iter().any(|name| begins(name, &[':']))
}

/// Returns `true` for `NAME=value`, perhaps with a shell's keyword in front.
fn is_assignment(text: &str) -> bool {
    const WORDS: [&str; 5] = ["export ", "set ", "setx ", "env ", "$env:"];
    let line = WORDS.iter().find_map(|word| text.strip_prefix(word)).unwrap_or(text);
    let Some((name, value)) = line.split_once('=') else { return line.len() < text.len() };
    let name = name.trim_end();
    let is_part_of_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_name =
        name.len() > 1 && name.bytes().all(is_part_of_name) && !name.starts_with(|first: char| first.is_ascii_digit());
    let is_capital = !name.bytes().any(|byte| byte.is_ascii_lowercase());
    let lower = name.to_ascii_lowercase();
    let names_key = ["key", "token", "secret"].iter().any(|word| lower.contains(word));
    // What is in base64 ends in signs of equality and has none before.
    let has_value = !value.trim_matches('=').is_empty();
    is_name && if has_value { is_capital || names_key } else { is_capital && names_key }
}

/// Returns `true` for `<key>`, `sk-<key>`, `{{API_KEY}}`, `${OPENAI_API_KEY}`, `$OPENAI_API_KEY`, `%OPENAI_API_KEY%`,
/// `[your key]`.
fn is_in_brackets(text: &str) -> bool {
    const PAIRS: [(char, char); 2] = [('<', '>'), ('{', '}')];
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    };
    let within = |open: char, close: char| text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    PAIRS.iter().any(|(open, close)| text.contains(*open) && text.ends_with(*close))
        || within('[', ']').is_some()
        || within('%', '%').is_some_and(is_name)
        || text.strip_prefix('$').is_some_and(is_name)
}

/// Returns `true` for `your-api-key`, `sk-your-openai-api-key`, `YOUR_KEY_HERE`: words that no random text has side by
/// side.
fn asks_for_yours(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let mut words = lower.split(|it: char| !it.is_ascii_alphanumeric());
    let is_yours = words.any(|word| word == "your" || word == "yours");
    let means_key = |word: &str| ["key", "keys", "apikey", "token", "secret", "api"].contains(&word);
    is_yours && words.any(means_key) || ["yourapikey", "yourkey", "yourtoken"].iter().any(|it| lower.contains(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_files_and_headers_are_told_from_keys() {
        for (text, expected) in [
            ("OPENAI_API_KEY=sk-proj-abcdefgh", FormatError::Assignment),
            ("OPENAI_API_KEY = sk-proj-abcdefgh", FormatError::Assignment),
            ("export OPENAI_API_KEY=\"sk-proj-abcdefgh\"", FormatError::Assignment),
            ("set OPENAI_API_KEY=sk-proj-abcdefgh", FormatError::Assignment),
            ("$env:OPENAI_API_KEY=\"sk-proj-abcdefgh\"", FormatError::Assignment),
            ("apiKey=abcdefgh", FormatError::Assignment),
            ("OPENAI_API_KEY=", FormatError::Assignment),
            ("KEY=your-api-key", FormatError::Assignment),
            ("Bearer sk-proj-abcdefgh", FormatError::Header),
            ("bearer\tsk-proj-abcdefgh", FormatError::Header),
            ("Authorization: Bearer sk-proj-abcdefgh", FormatError::Header),
            ("x-api-key: sk-ant-api03-abcdefgh", FormatError::Header),
            ("https://api.acme.dev/v1", FormatError::Address),
            ("{\"api_key\": \"sk-proj-abcdefgh\"}", FormatError::AnObject),
            ("\"sk-proj-abcdefgh\"", FormatError::Quoted),
            ("“sk-proj-abcdefgh”", FormatError::Quoted),
            ("sk-...", FormatError::Placeholder),
            ("sk-…", FormatError::Placeholder),
            ("<key>", FormatError::Placeholder),
            ("[your key]", FormatError::Placeholder),
            ("your-api-key", FormatError::Placeholder),
            ("your_api_key", FormatError::Placeholder),
            ("YOUR_API_KEY_HERE", FormatError::Placeholder),
            ("YourApiKey", FormatError::Placeholder),
            ("sk-your-openai-api-key", FormatError::Placeholder),
            ("sk-ant-your-key", FormatError::Placeholder),
            ("${OPENAI_API_KEY}", FormatError::Placeholder),
            ("$OPENAI_API_KEY", FormatError::Placeholder),
            ("%OPENAI_API_KEY%", FormatError::Placeholder),
            ("{{ api_key }}", FormatError::Placeholder),
            ("sk-<key>", FormatError::Placeholder),
            ("sk-...abcd", FormatError::Masked),
        ] {
            assert_eq!(check(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn what_may_be_a_key_is_none_of_them() {
        for text in [
            "sk-proj-AAAAAAAAAAAAAAAAAAAAwxyz",
            "dGhpcyBpcyBub3QgYSBrZXk=",
            "QUJDREVGRw==",
            "a=b",
            "abc=def",
            "bearerAAAAAAAAAAAAAA",
            "token-1234567890",
            "basic",
            "ollama",
            "EMPTY",
            "none",
            "sk-1234",
            "[abc",
            "sk-yourOwnRandomPart7f3a",
            "user:password",
            "token:1234567890",
            "Pa$$w0rd<1>x",
            "eyJhbGciOi.eyJzdWIi.c2ln",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }
}
