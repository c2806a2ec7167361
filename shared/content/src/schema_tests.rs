//! Tables of schemas and of data that are good, bad or hostile.

use serde_json::{Map, Value, json};

use super::*;
use crate::schema_shape::DRAFT;

fn article() -> Value {
    json!({"$schema": DRAFT, "type": "object", "required": ["title"], "additionalProperties": false,
        "properties": {"title": {"type": "string", "minLength": 1, "maxLength": 20}, "topic": {"enum": ["a", "b"]},
            "mail": {"type": "string", "format": "email"}, "at": {"type": "string", "format": "date-time"},
            "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "maxItems": 3},
            "replies": {"type": "array", "items": {"$ref": "#"}}},
        "$defs": {"tag": {"type": "string", "pattern": "^[a-z]{1,5}$"}}})
}

/// A chain of so many definitions, each of which is the next one.
fn chain(length: usize, link: impl Fn(String) -> Value) -> Value {
    let last = (format!("d{length}"), json!({"type": "string"}));
    let links = (0..length).map(|at| (format!("d{at}"), link(format!("#/$defs/d{}", at + 1))));
    json!({"$ref": "#/$defs/d0", "$defs": Map::from_iter(links.chain([last]))})
}

#[test]
fn what_is_no_schema_is_refused_with_its_place() {
    let large = json!({"description": "x".repeat(5 << 20)});
    let twice = |to: String| json!({"allOf": [{"$ref": to}, {"$ref": to}]});
    let patterns: Map<String, Value> = (0..65).map(|at| (format!("^a{at}"), json!({}))).collect();
    for (name, schema, pointer, says) in [
        ("5 MiB", large, "", "may have 65536"),
        ("a list", json!([]), "", "must be an object"),
        ("a text", json!("x"), "", "must be an object"),
        ("an unknown type", json!({"properties": {"a": {"type": "strin"}}}), "/properties/a/type", "is not"),
        ("a negative length", json!({"minLength": -1}), "/minLength", "minimum"),
        ("draft 7", json!({"$schema": "http://json-schema.org/draft-07/schema#"}), "/$schema", "only"),
        ("a metaschema elsewhere", json!({"$schema": "http://localhost:9/m"}), "/$schema", "only"),
        ("another file", json!({"$ref": "file:///etc/passwd"}), "/$ref", "must lead"),
        ("another host", json!({"items": {"$ref": "http://localhost:9/x.json"}}), "/items/$ref", "must lead"),
        ("nothing there", json!({"$ref": "#/$defs/none"}), "/$ref", "must lead"),
        ("an address of its own", json!({"$id": "https://x.example/y", "$ref": "z.json"}), "/$id", "no address"),
        ("itself", json!({"$ref": "#"}), "", "refers to itself"),
        ("itself by way of another", json!({"allOf": [{"not": {"$ref": "#"}}]}), "", "refers to itself"),
        ("dependencies", json!({"dependencies": {"a": ["b"]}}), "/dependencies", "dependentRequired"),
        ("a dynamic reference", json!({"$dynamicRef": "#x"}), "/$dynamicRef", "use $ref"),
        ("no expression", json!({"pattern": "("}), "", "cannot be compiled"),
        ("look-around", json!({"pattern": "^(?=a)b"}), "", "cannot be compiled"),
        ("a back-reference", json!({"pattern": "^(a)\\1$"}), "", "cannot be compiled"),
        ("a huge repetition", json!({"pattern": "^(a{1000}){1000}$"}), "", "cannot be compiled"),
        ("too many patterns", json!({"patternProperties": patterns}), "", "64 patterns"),
        ("a long chain", chain(300, |to| json!({"$ref": to})), "", "one behind the other"),
        ("a doubling chain", chain(18, twice), "", "apply to one value"),
        ("a doubling circle", json!({"properties": {"a": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}}), "", "apply to"),
    ] {
        let error = Schema::compile(&schema).expect_err(name);
        assert!(error.to_string().contains(says), "{name}: {error}");
        if !error.faults().is_empty() && !says.contains("compiled") {
            assert_eq!(error.faults()[0].pointer, pointer, "{name}: {error}");
        }
    }
}

#[test]
fn schemas_that_people_write_are_accepted() {
    let variants: Vec<_> = (0..60).map(|at| json!({"properties": {"kind": {"const": at}}})).collect();
    for schema in [
        json!({}),
        article(),
        chain(200, |to| json!({"$ref": to})),
        chain(60, |to| json!({"properties": {"a": {"$ref": to}, "b": {"$ref": to}, "c": {"$ref": to}}})),
        json!({"oneOf": variants}),
        json!({"properties": {"name": {"pattern": "^\\p{L}+$"}}, "unevaluatedProperties": false}),
        json!({"properties": {"$ref": {"type": "string"}, "not": {"type": "string"}}}),
    ] {
        Schema::compile(&schema).unwrap();
    }
}

#[test]
fn data_fits_or_each_fault_is_named_without_its_value() {
    let schema = Schema::compile(&article()).unwrap();
    let good = json!({"title": "t", "topic": "a", "tags": ["x"], "mail": "a@b.example", "at": "2026-11-28T00:00:00Z",
        "replies": [{"title": "u", "replies": [{"title": "v"}]}]});
    schema.check(&good).unwrap();
    let bad = json!({"title": "sk-secret-value-that-is-long", "topic": "sk-secret", "tags": ["x", "SK-SECRET"],
        "mail": "sk-secret", "at": "sk-secret", "replies": [{"title": 5}], "sk_more": 1});
    let error = schema.check(&bad).unwrap_err();
    let mut pointers: Vec<_> = error.faults().iter().map(|fault| fault.pointer.as_str()).collect();
    pointers.sort_unstable();
    assert_eq!(pointers, ["", "/at", "/mail", "/replies/0/title", "/tags/1", "/title", "/topic"], "{error}");
    assert!(!error.to_string().to_lowercase().contains("sk-secret"), "{error}");
}

#[test]
fn data_is_bounded_in_size_and_depth_whatever_its_schema() {
    let any = Schema::compile(&json!({})).unwrap();
    assert!(matches!(any.check(&json!("x".repeat(DATA_BYTES))), Err(ContentError::TooLarge { .. })));
    let deep = (0..DATA_DEPTH).fold(json!(1), |deep, _| json!([deep]));
    any.check(&deep).unwrap();
    assert!(any.check(&json!([deep])).unwrap_err().to_string().contains("64 levels"));
    // An expression that backtracks elsewhere is linear here.
    let slow = Schema::compile(&json!({"pattern": "^(a+)+$"})).unwrap();
    assert!(slow.check(&json!("a".repeat(100_000) + "c")).is_err());
}
