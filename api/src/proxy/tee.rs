//! Keeps what metering needs of a JSON answer while it passes: all of it up to a limit, beyond that
//! its end, where the figures are.

use bytes::Bytes;
use keyway_providers::{Metered, Provider};
use memchr::memmem;

const MAX_KEPT_BYTES: usize = 1 << 20;

/// What was seen of one answer.
#[derive(Default)]
pub(super) struct Tee {
    /// The first chunk, shared and not copied: most answers have no other.
    first: Bytes,
    rest: Vec<u8>,
    cut: bool,
}

impl Tee {
    /// Looks at a chunk that passes.
    pub(super) fn see(&mut self, chunk: &Bytes) {
        if self.first.is_empty() && self.rest.is_empty() {
            self.first = chunk.clone();
            return;
        }
        if self.rest.is_empty() {
            self.rest.reserve(self.first.len() + chunk.len());
            self.rest.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.rest.extend_from_slice(chunk);
        if self.rest.len() > 2 * MAX_KEPT_BYTES {
            self.rest.drain(..self.rest.len() - MAX_KEPT_BYTES);
            self.cut = true;
        }
    }

    /// Reads the figures of the answer to a call of `path`.
    pub(super) fn metered(&self, ways: &dyn Provider, path: &str) -> Metered {
        let kept = if self.rest.is_empty() { &self.first[..] } else { &self.rest[..] };
        if !self.cut {
            return ways.meter_body(path, kept);
        }
        let field = format!("\"{}\"", ways.figures_field(path));
        let Some(at) = memmem::rfind(kept, field.as_bytes()) else { return Metered::default() };
        // Whatever follows the figures closes the answer; as an object of their own they read the same.
        let end = [b"{", &kept[at..]].concat();
        ways.meter_body(path, &end)
    }
}

#[cfg(test)]
mod tests {
    use keyway_providers::{Catalog, for_spec};

    use super::*;

    fn metered(body: &str, cut: usize) -> Metered {
        let catalog = Catalog::load(None).unwrap();
        let mut tee = Tee::default();
        for piece in body.as_bytes().chunks(cut) {
            tee.see(&Bytes::copy_from_slice(piece));
        }
        tee.metered(&*for_spec(catalog.get("openai").unwrap()), "/v1/embeddings")
    }

    #[test]
    fn figures_are_read_from_short_and_from_endless_answers() {
        let usage = r#""model":"e","usage":{"prompt_tokens":8,"total_tokens":8}"#;
        let short = format!("{{\"data\":[0.1],{usage}}}");
        for cut in [1, 7, 1000] {
            let found = metered(&short, cut);
            assert_eq!((found.model.as_deref(), found.tokens.input), (Some("e"), Some(8)));
        }
        let long = format!("{{\"data\":[{}0],{usage}}}", "0.123456789,".repeat(400_000));
        for cut in [8192, 100_000] {
            assert_eq!(metered(&long, cut).tokens.input, Some(8), "cut {cut}");
        }
        assert_eq!(metered("<html>", 2), Metered::default());
    }
}
