//! Names of models that may stand in the ledger. A caller's name may be any text, a prompt or a key in the wrong place:
//! where nobody vouches for it, only what looks like a name may be written down.

use keyway_domain::is_invisible;

/// Longest name that nobody vouches for, in bytes.
const MAX_BYTES: usize = 200;
/// Longest run of letters and digits in one; those of keys are longer.
const LONGEST_RUN_BYTES: usize = 20;

/// Returns `true` if a name can be stored as text: PostgreSQL accepts no NUL, and no name has signs that are not seen.
pub(super) fn is_text(model: &str) -> bool {
    !model.chars().any(|sign| sign.is_control() || is_invisible(sign))
}

/// Returns `true` for a text that looks like a model's name, and like neither a sentence nor a key.
pub(super) fn is_likely(text: &str) -> bool {
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:/@+".contains(&byte);
    let mut runs = text.split(|sign: char| !sign.is_ascii_alphanumeric());
    (1..=MAX_BYTES).contains(&text.len()) && text.bytes().all(of_name) && runs.all(|run| run.len() <= LONGEST_RUN_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_with_a_sign_that_is_not_seen_is_unknown() {
        assert!(is_text("gpt-4o-mini") && is_text("modèle"));
        for bad in ["gpt\0", "\u{1}", "a\nb", "\u{7f}", "\u{85}", "gpt\u{200b}", "\u{202e}tpg"] {
            assert!(!is_text(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_name_is_told_from_a_sentence_and_a_key() {
        for name in [
            "gpt-9",
            "accounts/fireworks/models/llama-v3p1-405b-instruct",
            "anthropic.claude-3-5-sonnet-20241022-v2:0",
            "ft:gpt-4o-mini-2024-07-18:acme::AbCdEf12",
            "@cf/meta/llama-3.1-8b-instruct",
        ] {
            assert!(is_likely(name), "{name}");
        }
        let key = format!("sk-proj-{}", "a1B2c3D4".repeat(3));
        for text in ["", "tell me", "naïve", "a\"b", &key, &"a-".repeat(101)] {
            assert!(!is_likely(text), "{text}");
        }
    }
}
