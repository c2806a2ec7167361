//! The answer of every code in every shape, as a snapshot that a review sees: SDKs and agents match on all of it.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Map, Value, json};

use super::*;

#[test]
fn every_code_answers_as_its_snapshot_says_in_every_shape() {
    let mut snapshots = BTreeMap::new();
    for code in Code::ALL {
        let mut bodies = Map::new();
        let refused = || Refusal::new(*code, "the sentence that says what to do");
        for shape in std::iter::successors(Some(Shape::OpenAi), |shape| next(*shape)) {
            let body: Value = serde_json::from_slice(&refused().body(shape)).unwrap();
            bodies.insert(format!("{shape:?}"), body);
        }
        let response = refused().into_response(Shape::OpenAi);
        let headers: BTreeMap<_, _> =
            response.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        let answer = json!({ "status": response.status().as_u16(), "headers": headers, "bodies": bodies });
        snapshots.insert(code.text().to_owned(), answer);
    }
    assert_eq!(snapshots.len(), Code::ALL.len(), "two codes have one text");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots/refusals");
    keyway_testkit::snapshots::compare(&folder, &snapshots).unwrap();
}

/// Walks every shape: one that is not here does not compile.
const fn next(shape: Shape) -> Option<Shape> {
    match shape {
        Shape::OpenAi => Some(Shape::Responses),
        Shape::Responses => Some(Shape::Anthropic),
        Shape::Anthropic => Some(Shape::Google),
        Shape::Google => Some(Shape::Cohere),
        Shape::Cohere => None,
    }
}
