//! The answer of every code, as a snapshot that a review sees: clients match on its status, its type and its code.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Value, json};

use super::*;

#[test]
fn every_code_answers_as_its_snapshot_says() {
    let mut snapshots = BTreeMap::new();
    for code in Code::ALL {
        let request_id = RequestId::new();
        let response = ApiError::new(*code, "the sentence that says what to do").into_response(request_id);
        let mut body: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(body["error"]["request_id"], request_id.to_string());
        assert_eq!(response.headers()[REQUEST_ID], request_id.to_string());
        body["error"]["request_id"] = json!("req_[id]");
        snapshots.insert(code.text().to_owned(), json!({ "status": response.status().as_u16(), "body": body }));
    }
    assert_eq!(snapshots.len(), Code::ALL.len(), "two codes have one text");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots/errors");
    keyway_testkit::snapshots::compare(&folder, &snapshots).unwrap();
}
