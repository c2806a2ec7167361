//! Properties of the scanner of figures, for tests and for `make fuzz`: whatever a provider sends, and however the
//! network cuts it, it never panics, and the cuts change nothing. An input is a shape, the length of a piece, and what is
//! sent.

use std::sync::LazyLock;

use bytes::Bytes;

use crate::{Catalog, Document, Ending, Figures, JsonBody, Metered};

static CATALOG: LazyLock<Option<Catalog>> = LazyLock::new(|| Catalog::load(None).ok());

/// Providers and paths whose answers have a shape each.
const SHAPES: [(&str, &str); 8] = [
    ("openai", "/v1/chat/completions"),
    ("openai", "/v1/responses"),
    ("openai", "/v1/embeddings"),
    ("openai", "/v1/realtime"),
    ("anthropic", "/v1/messages"),
    ("gemini", "/v1beta/models/m:generateContent"),
    ("cohere", "/v2/chat"),
    ("openrouter", "/v1/chat/completions"),
];
/// Length in bytes of the white space before a document that is too long to be kept.
const MUCH: usize = 16 << 10;

/// Checks that a body and a document in pieces say what they say whole.
///
/// # Panics
/// They do not.
pub fn figures(input: &[u8]) {
    let Some(([shape, length], sent)) = input.split_first_chunk() else { return };
    let pieces = || sent.chunks(usize::from(*length).max(1));
    let (provider, path) = SHAPES[usize::from(*shape) % SHAPES.len()];
    let spec = CATALOG.as_ref().and_then(|catalog| catalog.get(provider));
    assert!(spec.is_some(), "{provider} is not in the catalog");
    let Some(spec) = spec else { return };
    let whole = body(Figures::new(spec, path), [sent].into_iter());
    let cut = body(Figures::new(spec, path), pieces());
    assert_eq!(whole, cut, "a body of {provider} at {path}");

    let much = vec![b' '; MUCH];
    let whole = document([&much[..], sent].into_iter());
    let cut = document([&much[..]].into_iter().chain(pieces()));
    assert_eq!(whole, cut, "a document");
    let mut figures = Figures::new(spec, path);
    figures.event(&cut);
    figures.event(sent);
    let _ = (figures.ending(), figures.take());
}

fn body<'a>(mut figures: Figures, pieces: impl Iterator<Item = &'a [u8]>) -> (Metered, Ending) {
    let mut body = JsonBody::default();
    for piece in pieces {
        body.push(&mut figures, &Bytes::copy_from_slice(piece));
    }
    body.finish(&mut figures);
    let ending = figures.ending();
    (figures.take(), ending)
}

fn document<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut document = Document::default();
    pieces.for_each(|piece| document.push(piece));
    document.text().to_vec()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    const WORDS: &str = "(\\{|\\}|\\[|\\]|,|:|\"|\\\\| |\n|-1|7|0.5|1e3|null|true|é|\"usage\"|\"model\"|\"m\"|\"input_tokens\"\
        |\"output_tokens\"|\"prompt_tokens\"|\"completion_tokens\"|\"total_tokens\"|\"choices\"|\"type\"|\"message_start\"\
        |\"message\"|\"response\"|\"response.completed\"|\"usageMetadata\"|\"promptTokenCount\"|\"cost\"|\"id\"|\"object\"\
        |\\{\"usage\":\\{\"prompt_tokens\":3,\"completion_tokens\":4\\}\\}){0,40}";

    const LISTS: &str = "( |\n){0,3}\\[?( |)D((,|, |)D){0,2}( |)\\]?";
    const DOCUMENTS: [&str; 3] = [
        "{\"model\":\"m\",\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}",
        "{\"type\":\"message\",\"usage\":{\"input_tokens\":7,\"output_tokens\":2}}",
        "{\"usageMetadata\":{\"promptTokenCount\":3,\"candidatesTokenCount\":4}}",
    ];

    proptest! {
        #[test]
        fn cuts_change_no_figure(shape in any::<u8>(), length in 1u8..20, text in WORDS) {
            super::figures(&[&[shape, length], text.as_bytes()].concat());
        }

        #[test]
        fn cuts_change_no_list(shape in any::<u8>(), length in 1u8..20, list in LISTS, document in 0usize..3) {
            let text = list.replace('D', DOCUMENTS[document]);
            super::figures(&[&[shape, length], text.as_bytes()].concat());
        }

        #[test]
        fn no_bytes_panic(input in proptest::collection::vec(any::<u8>(), 0..300)) {
            super::figures(&input);
        }
    }
}
