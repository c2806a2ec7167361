//! Locales: which form of an entry a reader gets.

/// Returns `true` for a locale as entries have it: `en`, `pt-BR`, `zh-Hant`.
#[must_use]
pub fn is_locale(text: &str) -> bool {
    let mut parts = text.split('-');
    let first = parts.next().unwrap_or_default();
    let alphabetic = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    text.len() <= 20
        && (2..=3).contains(&first.len())
        && first.bytes().all(|byte| byte.is_ascii_lowercase())
        && parts.all(|part| (2..=8).contains(&part.len()) && alphabetic(part))
}

/// Returns the locales that an `Accept-Language` asks for, the most wanted first, each followed by its language alone.
#[must_use]
pub fn preferred(accept_language: &str) -> Vec<String> {
    let mut wanted: Vec<(u16, usize, &str)> = Vec::new();
    for (index, part) in accept_language.split(',').take(20).enumerate() {
        let (locale, weight) = part.split_once(';').map_or((part, 1000), |(locale, weight)| (locale, weigh(weight)));
        if weight > 0 && locale.trim() != "*" && !locale.trim().is_empty() {
            wanted.push((weight, index, locale.trim()));
        }
    }
    wanted.sort_by_key(|(weight, index, _)| (std::cmp::Reverse(*weight), *index));
    let mut locales: Vec<String> = Vec::new();
    for (_, _, locale) in wanted {
        let language = locale.split('-').next().unwrap_or_default();
        for known in [locale, language] {
            if !locales.iter().any(|other| other.eq_ignore_ascii_case(known)) {
                locales.push(known.to_owned());
            }
        }
    }
    locales
}

/// Reads `q=0.8` as thousandths.
fn weigh(text: &str) -> u16 {
    let number = text.trim().strip_prefix("q=").and_then(|number| number.trim().parse::<f64>().ok());
    number.filter(|number| (0.0..=1.0).contains(number)).map_or(0, thousandths)
}

fn thousandths(number: f64) -> u16 {
    (0..=1000_u16).rev().find(|step| f64::from(*step) <= number * 1000.0 + 0.001).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_get_what_they_want_most() {
        for (header, expected) in [
            ("es", vec!["es"]),
            ("pt-BR, en;q=0.5", vec!["pt-BR", "pt", "en"]),
            ("en;q=0.1, de;q=0.9, fr;q=0", vec!["de", "en"]),
            ("en-GB,en;q=0.9", vec!["en-GB", "en"]),
            ("*", vec![]),
            ("", vec![]),
            ("en;q=NaN, de;q=7, fr;q=-1", vec![]),
        ] {
            assert_eq!(preferred(header), expected, "{header}");
        }
        for good in ["en", "pt-BR", "zh-Hant", "ast"] {
            assert!(is_locale(good), "{good}");
        }
        for bad in ["", "e", "EN", "en_US", "en-", "en-é", "englishlanguage", "en-x"] {
            assert!(!is_locale(bad), "{bad}");
        }
    }
}
