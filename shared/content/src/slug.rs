//! Slugs: the last part of an address.

const MOST_CHARS: usize = 96;

/// Returns `true` for a slug: 1 to 96 characters of a-z, 0-9 and single hyphens within.
#[must_use]
pub fn is_slug(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=MOST_CHARS).contains(&text.len())
        && text.bytes().all(allowed)
        && !text.starts_with('-')
        && !text.ends_with('-')
        && !text.contains("--")
}

/// Makes a slug of a title; `None` if nothing of it can be one.
#[must_use]
pub fn slug_of(title: &str) -> Option<String> {
    let mut slug = String::new();
    for letter in title.chars() {
        let plain = plain(letter);
        if plain.is_empty() {
            if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
        } else if slug.len() + plain.len() <= MOST_CHARS {
            slug.push_str(&plain);
        } else {
            break;
        }
    }
    let slug = slug.trim_end_matches('-');
    (!slug.is_empty()).then(|| slug.to_owned())
}

/// Returns the letters of a-z and 0-9 that stand for a letter; empty for what separates words.
fn plain(letter: char) -> String {
    let lower: String = letter.to_lowercase().collect();
    match lower.as_str() {
        "á" | "à" | "â" | "ã" | "å" => "a",
        "ä" | "æ" => "ae",
        "ç" => "c",
        "é" | "è" | "ê" | "ë" => "e",
        "í" | "ì" | "î" | "ï" => "i",
        "ñ" => "n",
        "ó" | "ò" | "ô" | "õ" => "o",
        "ö" | "ø" | "œ" => "oe",
        "ú" | "ù" | "û" => "u",
        "ü" => "ue",
        "ß" => "ss",
        other if other.bytes().all(|byte| byte.is_ascii_alphanumeric()) => other,
        _ => "",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_becomes_a_slug() {
        for (title, slug) in [
            ("Hello, World!", Some("hello-world")),
            ("  ¿Qué tal, señor?  ", Some("que-tal-senor")),
            ("Grüße aus Köln", Some("gruesse-aus-koeln")),
            ("a--b__c", Some("a-b-c")),
            ("東京", None),
            ("", None),
            ("!!", None),
        ] {
            assert_eq!(slug_of(title).as_deref(), slug, "{title}");
        }
        assert!(slug_of(&"long words ".repeat(50)).is_some_and(|slug| is_slug(&slug)));
    }

    #[test]
    fn what_is_no_slug_is_told_apart() {
        for good in ["a", "a-b", "2026-11-20", &"x".repeat(96)] {
            assert!(is_slug(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a--b", "A", "a b", "a/b", "a.b", "é", &"x".repeat(97)] {
            assert!(!is_slug(bad), "{bad}");
        }
    }
}
