//! Replaces the provider's key in an answer that repeats it, even across chunks: in errors, and in good answers where the
//! integration asks for that. Every byte of the key becomes `*`, so the body keeps its length.
//!
//! It knows the key as it was sent and none of its encodings: it finds nothing in what is compressed.

use bytes::Bytes;
use keyway_providers::is_secret;
use keyway_vault::ProviderSecret;
use memchr::memmem;

/// Searches one answer for the key.
pub(crate) struct Redactor {
    secret: ProviderSecret,
    /// End of the last chunk, if it may be the beginning of the key.
    held_back: Vec<u8>,
}

impl Redactor {
    /// Builds a search for this secret.
    pub(crate) const fn new(secret: ProviderSecret) -> Self {
        Self { secret, held_back: Vec::new() }
    }

    /// Takes a chunk and returns the bytes that may pass now.
    pub(crate) fn pass(&mut self, chunk: Bytes) -> Bytes {
        // Searched for in the answer, so that it does not leave in one.
        let secret = self.secret.expose().as_bytes();
        if !is_secret(secret) {
            return chunk;
        }
        let is_clean = self.held_back.is_empty() && memmem::find(&chunk, secret).is_none();
        if is_clean && begun(&chunk, secret) == 0 {
            return chunk;
        }
        let mut text = std::mem::take(&mut self.held_back);
        text.extend_from_slice(&chunk);
        let found: Vec<usize> = memmem::find_iter(&text, secret).collect();
        for at in found {
            text[at..at + secret.len()].fill(b'*');
        }
        self.held_back = text.split_off(text.len() - begun(&text, secret));
        text.into()
    }

    /// Returns the bytes held back at the end of the answer.
    pub(crate) fn finish(&mut self) -> Bytes {
        std::mem::take(&mut self.held_back).into()
    }
}

/// Returns the number of bytes at the end of a text that may be the beginning of `secret`.
pub(crate) fn begun(text: &[u8], secret: &[u8]) -> usize {
    let longest = text.len().min(secret.len().saturating_sub(1));
    (1..=longest).rev().find(|length| text.ends_with(&secret[..*length])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_secret_is_left_where_it_stands() {
        for word in ["ollama", "none", "a"] {
            let mut redactor = Redactor::new(ProviderSecret::new(word.to_owned()));
            let body = Bytes::from(format!("none of ollama's {word}"));
            assert_eq!(redactor.pass(body.clone()), body);
            assert!(redactor.finish().is_empty());
        }
    }

    #[test]
    fn the_key_is_found_however_it_is_cut() {
        let secret = "sk-sk-sim-1";
        for (body, expected) in [
            ("Incorrect key: sk-sk-sim-1.", "Incorrect key: ***********."),
            ("sk-sk-sim-1sk-sk-sim-1", "**********************"),
            ("sk-sk-sk-sim-1", "sk-***********"),
            ("ends with sk-sk-", "ends with sk-sk-"),
            ("nothing of it", "nothing of it"),
            ("", ""),
        ] {
            for cut in 1..=body.len().max(1) {
                let mut redactor = Redactor::new(ProviderSecret::new(secret.to_owned()));
                let mut out = Vec::new();
                for piece in body.as_bytes().chunks(cut) {
                    out.extend_from_slice(&redactor.pass(Bytes::copy_from_slice(piece)));
                }
                out.extend_from_slice(&redactor.finish());
                assert_eq!(String::from_utf8_lossy(&out), expected, "cut {cut}");
            }
        }
    }
}
