//! Tables of scenes that are good, bad or hostile.

use serde_json::json;

use super::*;
use crate::scene_parts::MOST_NODES;

const UNIT: [f64; 16] = [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0];

fn hosts() -> AllowedHosts {
    AllowedHosts::new(["cdn.example.com".to_owned()])
}

fn three() -> Value {
    json!({"metadata": {"version": 4.7, "type": "Object", "generator": "Object3D.toJSON"},
        "geometries": [{"uuid": "g", "type": "BufferGeometry", "data": {"attributes": {"position":
            {"itemSize": 3, "type": "Float32Array", "array": [0, 0, 0.5], "normalized": false}}}}],
        "materials": [{"uuid": "m", "type": "MeshStandardMaterial", "color": 255}],
        "images": [{"uuid": "i", "url": "https://cdn.example.com/a.png"}, {"uuid": "j", "url": ["data:image/png;base64,AA=="]}],
        "object": {"uuid": "s", "type": "Scene", "matrix": UNIT, "up": [0, 1, 0], "children": [
            {"uuid": "b", "type": "Mesh", "geometry": "g", "material": ["m"], "matrix": UNIT},
            {"uuid": "l", "type": "PointLight", "distance": null, "matrix": UNIT, "userData": {"x": null}}]}})
}

fn gltf() -> Value {
    json!({"asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": [0]}],
        "nodes": [{"children": [1, 2], "translation": [0, 1, 2]}, {"mesh": 0, "rotation": [0, 0, 0, 1]},
            {"camera": 0, "extensions": {"KHR_lights_punctual": {"light": 0}}}],
        "cameras": [{"type": "perspective", "perspective": {"yfov": 0.8, "znear": 0.1}}],
        "extensions": {"KHR_lights_punctual": {"lights": [{"type": "point", "color": [1, 1, 1], "intensity": 2}]}},
        "meshes": [{"primitives": []}], "buffers": [{"uri": "https://cdn.example.com/a.bin", "byteLength": 4}],
        "bufferViews": [{"buffer": 0, "byteLength": 4}], "images": [{"bufferView": 0, "mimeType": "image/png"}]})
}

/// Returns the document with another value at a place; `None` removes what is there.
fn with(mut document: Value, at: &str, value: Option<Value>) -> Value {
    let (parent, name) = at.rsplit_once('/').unwrap();
    match (document.pointer_mut(parent).unwrap(), value) {
        (Value::Array(items), Some(value)) => items[name.parse::<usize>().unwrap()] = value,
        (Value::Object(members), Some(value)) => drop(members.insert(name.to_owned(), value)),
        (Value::Object(members), None) => drop(members.remove(name)),
        _ => unreachable!(),
    }
    document
}

#[test]
fn scenes_of_the_libraries_are_accepted() {
    check_scene(&three(), SceneFormat::Three, &hosts()).unwrap();
    check_scene(&gltf(), SceneFormat::Gltf, &hosts()).unwrap();
    for format in [SceneFormat::Three, SceneFormat::Gltf] {
        assert_eq!(SceneFormat::parse(format.name()), Some(format));
    }
}

#[test]
fn what_is_wrong_with_an_object_of_three_is_named_by_its_pointer() {
    let mesh = "/object/children/0";
    for (at, value, pointer, says) in [
        ("/metadata/version", Some(json!(3.2)), "/metadata/version", "4.x"),
        ("/metadata/version", Some(json!("4.7")), "/metadata/version", "4.x"),
        ("/metadata/type", Some(json!("Geometry")), "/metadata/type", "Object"),
        ("/metadata", None, "/metadata/version", "4.x"),
        ("/object", None, "/object", "missing"),
        ("/object", Some(json!([])), "/object", "object"),
        ("/object/matrix/5", Some(json!(null)), "/object/matrix/5", "finite"),
        ("/object/matrix", Some(json!([1, 2])), "/object/matrix", "16 numbers"),
        ("/object/up/1", Some(json!("1")), "/object/up/1", "finite"),
        ("/object/quaternion", Some(json!([0, 0, 0, 2])), "/object/quaternion", "unit"),
        ("/object/children/1/uuid", Some(json!("b")), "/object/children/1/uuid", "another object"),
        ("/object/children/0/uuid", None, "/object/children/0/uuid", "1 to 200"),
        ("/object/children/0/geometry", Some(json!("none")), "/object/children/0/geometry", "uuid"),
        ("/object/children/0/material", Some(json!(["m", "n"])), "/object/children/0/material/1", "uuid"),
        (mesh, Some(json!(7)), mesh, "object"),
        (
            "/geometries/0/data/attributes/position/array/2",
            Some(json!(null)),
            "/geometries/0/data/attributes/position/array/2",
            "finite",
        ),
        ("/images/0/url", Some(json!("http://cdn.example.com/a.png")), "/images/0/url", "https"),
        ("/images/0/url", Some(json!("https://10.0.0.1/a.png")), "/images/0/url", "not allowed"),
        ("/images/1/url/0", Some(json!("data:text/html;base64,AA==")), "/images/1/url/0", "https"),
        ("/images/0/url", Some(json!("blob:https://cdn.example.com/1")), "/images/0/url", "https"),
        ("/images/0/url", None, "/images/0/url", "address"),
    ] {
        let error = check_scene(&with(three(), at, value), SceneFormat::Three, &hosts()).expect_err(at);
        assert_eq!(error.faults()[0].pointer, pointer, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[test]
fn what_is_wrong_with_gltf_is_named_by_its_pointer() {
    for (at, value, pointer, says) in [
        ("/asset/version", Some(json!("1.0")), "/asset/version", "2.0"),
        ("/nodes/1/mesh", Some(json!(1)), "/nodes/1/mesh", "below 1"),
        ("/nodes/2/camera", Some(json!(-1)), "/nodes/2/camera", "below 1"),
        ("/nodes/0/children/1", Some(json!(9)), "/nodes/0/children/1", "below 3"),
        ("/nodes/0/children/1", Some(json!(1)), "/nodes/0/children/1", "another parent"),
        ("/nodes/1/children", Some(json!([0])), "/nodes/0/children", "within itself"),
        ("/nodes/1/rotation", Some(json!([0, 0, 0, 0])), "/nodes/1/rotation", "unit"),
        ("/nodes/1/rotation/3", Some(json!(null)), "/nodes/1/rotation/3", "finite"),
        ("/nodes/0/matrix", Some(json!(UNIT)), "/nodes/0/matrix", "excludes"),
        ("/nodes/0/translation", Some(json!([1, 2])), "/nodes/0/translation", "3 numbers"),
        ("/scene", Some(json!(1)), "/scene", "below 1"),
        ("/scenes/0/nodes/0", Some(json!(3)), "/scenes/0/nodes/0", "below 3"),
        ("/cameras/0/type", Some(json!("fisheye")), "/cameras/0/type", "perspective"),
        ("/cameras/0/perspective/yfov", None, "/cameras/0/perspective/yfov", "finite"),
        ("/buffers/0/uri", Some(json!("a.bin")), "/buffers/0/uri", "https"),
        ("/buffers/0/uri", Some(json!("https://evil.example.org/a.bin")), "/buffers/0/uri", "not allowed"),
        ("/buffers/0/uri", None, "/buffers/0/uri", "no binary"),
        ("/bufferViews/0/buffer", Some(json!(2)), "/bufferViews/0/buffer", "below 1"),
    ] {
        let error = check_scene(&with(gltf(), at, value), SceneFormat::Gltf, &hosts()).expect_err(at);
        assert_eq!(error.faults()[0].pointer, pointer, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
    let lights = "/extensions/KHR_lights_punctual/lights";
    for (member, value) in [("type", json!("area")), ("color", json!([1])), ("intensity", json!(null))] {
        let at = format!("{lights}/0/{member}");
        let error = check_scene(&with(gltf(), &at, Some(value)), SceneFormat::Gltf, &hosts()).expect_err(member);
        assert_eq!(error.faults()[0].pointer, at, "{error}");
    }
}

#[test]
fn meshes_by_value_and_nodes_are_bounded() {
    let array = Value::Array(vec![json!(0.125); SCENE_BYTES / 6 + 1]);
    let heavy = with(three(), "/geometries/0/data/attributes/position/array", Some(array));
    assert!(matches!(check_scene(&heavy, SceneFormat::Three, &hosts()), Err(ContentError::TooLarge { .. })));
    let children: Vec<_> = (0..MOST_NODES).map(|at| json!({"uuid": at.to_string(), "type": "Group"})).collect();
    let many = with(three(), "/object/children", Some(json!(children)));
    assert!(check_scene(&many, SceneFormat::Three, &hosts()).unwrap_err().to_string().contains("10000"));
    let many = with(gltf(), "/nodes", Some(json!(vec![json!({}); MOST_NODES + 1])));
    assert!(check_scene(&many, SceneFormat::Gltf, &hosts()).unwrap_err().to_string().contains("10000"));
}
