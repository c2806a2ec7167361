//! The object format of three.js, version 4, as `toJSON()` writes it after `updateMatrixWorld()`.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::{
    hosts::AllowedHosts,
    object::Faults,
    pointer,
    scene_parts::{MOST_NODES, address},
};

/// Lists of numbers that an object may have.
const NUMBERS: [(&str, usize); 5] = [("matrix", 16), ("up", 3), ("position", 3), ("scale", 3), ("rotation", 3)];

/// Notes what is wrong with a scene.
pub(crate) fn judge(faults: &mut Faults, scene: &Map<String, Value>, hosts: &AllowedHosts) {
    let metadata = scene.get("metadata").and_then(Value::as_object);
    let of = |name: &str| metadata.and_then(|metadata| metadata.get(name));
    if !of("version").and_then(Value::as_f64).is_some_and(|version| (4.0..5.0).contains(&version)) {
        faults.add("/metadata/version", "must be 4 or 4.x: export the scene with a release of three.js that writes it");
    }
    if of("type").and_then(Value::as_str) != Some("Object") {
        faults.add("/metadata/type", "must be \"Object\": export with toJSON() of an object, not of a part of it");
    }
    let geometries = named(faults, scene, "geometries");
    let materials = named(faults, scene, "materials");
    arrays(faults, scene.get("geometries"), "/geometries");
    arrays(faults, scene.get("animations"), "/animations");
    images(faults, scene, hosts);
    let Some(root) = scene.get("object").and_then(|root| faults.object(root, "/object")) else {
        if !scene.contains_key("object") {
            faults.add("/object", "is missing");
        }
        return;
    };
    let mut seen = HashSet::new();
    let mut open = vec![("/object".to_owned(), root)];
    while let Some((at, object)) = open.pop() {
        if seen.len() == MOST_NODES {
            faults.add("/object", format!("may have {MOST_NODES} objects at most"));
            return;
        }
        let id = faults.text(object, "uuid", &at).unwrap_or_default();
        if !seen.insert(id) {
            faults.add(pointer::member(&at, "uuid"), "another object has this uuid");
        }
        faults.text(object, "type", &at);
        one(faults, object, &at, (&geometries, &materials));
        for (index, child) in faults.items(object, "children", &at).iter().enumerate().rev() {
            let place = pointer::item(&pointer::member(&at, "children"), index);
            if let Some(child) = faults.object(child, &place) {
                open.push((place, child));
            }
        }
        if faults.are_enough() {
            return;
        }
    }
}

/// Judges the numbers of one object, and what it refers to.
fn one(
    faults: &mut Faults,
    object: &Map<String, Value>,
    at: &str,
    (geometries, materials): (&HashSet<&str>, &HashSet<&str>),
) {
    for (name, count) in NUMBERS {
        faults.numbers(object, (name, count), at);
    }
    faults.unit(object, "quaternion", at);
    for (name, known) in [("geometry", geometries), ("material", materials)] {
        let place = pointer::member(at, name);
        let many = matches!(object.get(name), Some(Value::Array(_)));
        let references = match object.get(name) {
            None | Some(Value::Null) => &[][..],
            Some(Value::Array(items)) => items,
            Some(single) => std::slice::from_ref(single),
        };
        for (index, reference) in references.iter().enumerate() {
            if !reference.as_str().is_some_and(|id| known.contains(id)) {
                let place = if many { pointer::item(&place, index) } else { place.clone() };
                faults.add(place, "must be the uuid of one that the document has");
            }
        }
    }
}

/// Returns the uuids of a list of things that objects refer to.
fn named<'v>(faults: &mut Faults, scene: &'v Map<String, Value>, name: &str) -> HashSet<&'v str> {
    let at = pointer::member("", name);
    let mut ids = HashSet::new();
    for (index, item) in faults.items(scene, name, "").iter().enumerate() {
        let place = pointer::item(&at, index);
        let Some(item) = faults.object(item, &place) else { continue };
        if faults.text(item, "uuid", &place).is_some_and(|id| !ids.insert(id)) {
            faults.add(pointer::member(&place, "uuid"), "another one has this uuid");
        }
    }
    ids
}

/// Judges each list of numbers of attributes and tracks. What was read from text has a bounded depth.
fn arrays(faults: &mut Faults, value: Option<&Value>, at: &str) {
    match value {
        Some(Value::Object(members)) => {
            for (name, member) in members {
                let place = pointer::member(at, name);
                match (name.as_str(), member) {
                    ("array" | "times", Value::Array(items)) => faults.all_numbers(items, &place),
                    _ => arrays(faults, Some(member), &place),
                }
            }
        }
        Some(Value::Array(items)) if items.iter().any(|item| item.is_object()) => {
            for (index, item) in items.iter().enumerate() {
                arrays(faults, Some(item), &pointer::item(at, index));
            }
        }
        _ => {}
    }
}

fn images(faults: &mut Faults, scene: &Map<String, Value>, hosts: &AllowedHosts) {
    for (index, image) in faults.items(scene, "images", "").iter().enumerate() {
        let at = format!("/images/{index}/url");
        let many = image["url"].is_array();
        let urls = match &image["url"] {
            Value::Array(urls) => urls.as_slice(),
            single => std::slice::from_ref(single),
        };
        for (index, url) in urls.iter().enumerate() {
            let at = if many { pointer::item(&at, index) } else { at.clone() };
            match url {
                Value::String(url) => address(faults, url, &at, hosts),
                // Pixels by value.
                Value::Object(_) => {}
                _ => faults.add(at, "must be an address, or pixels"),
            }
        }
    }
}
