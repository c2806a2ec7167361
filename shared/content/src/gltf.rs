//! glTF 2.0: nodes, cameras and lights, with meshes and images by reference.

use serde_json::{Map, Value};

use crate::{
    graph,
    hosts::AllowedHosts,
    object::Faults,
    pointer,
    scene_parts::{MOST_NODES, address},
};

/// Lists that members of others refer to by number: list, member, list that is referred to.
const REFERENCES: [(&str, &str, &str); 8] = [
    ("nodes", "mesh", "meshes"),
    ("nodes", "camera", "cameras"),
    ("nodes", "skin", "skins"),
    ("bufferViews", "buffer", "buffers"),
    ("accessors", "bufferView", "bufferViews"),
    ("images", "bufferView", "bufferViews"),
    ("textures", "source", "images"),
    ("textures", "sampler", "samplers"),
];

/// Notes what is wrong with a document.
pub(crate) fn judge(faults: &mut Faults, gltf: &Map<String, Value>, hosts: &AllowedHosts) {
    if gltf.get("asset").and_then(|asset| asset["version"].as_str()) != Some("2.0") {
        faults.add("/asset/version", "must be \"2.0\"");
    }
    let nodes = faults.items(gltf, "nodes", "");
    if nodes.len() > MOST_NODES {
        faults.add("/nodes", format!("may have {MOST_NODES} items at most"));
        return;
    }
    for (list, member, to) in REFERENCES {
        let known = gltf.get(to).and_then(Value::as_array).map_or(0, Vec::len);
        for (index, item) in faults.items(gltf, list, "").iter().enumerate() {
            refer(faults, item.get(member), known, &format!("/{list}/{index}/{member}"));
        }
    }
    for (index, node) in nodes.iter().enumerate() {
        let at = format!("/nodes/{index}");
        if let Some(node) = faults.object(node, &at) {
            transform(faults, node, &at);
        }
    }
    tree(faults, gltf, nodes);
    cameras(faults, gltf);
    lights(faults, gltf, nodes);
    for list in ["buffers", "images"] {
        for (index, item) in faults.items(gltf, list, "").iter().enumerate() {
            let at = format!("/{list}/{index}/uri");
            match item.get("uri") {
                Some(Value::String(uri)) => address(faults, uri, &at, hosts),
                None if list == "images" && item.get("bufferView").is_some() => {}
                _ => faults.add(at, "must be an address: the document has no binary part beside it"),
            }
        }
    }
}

/// Notes a reference to what is not there.
fn refer(faults: &mut Faults, reference: Option<&Value>, known: usize, at: &str) -> Option<usize> {
    let reference = reference?;
    let found = reference.as_u64().and_then(|index| usize::try_from(index).ok()).filter(|index| *index < known);
    if found.is_none() {
        faults.add(at, format!("must be a number below {known}, the number of those that it refers to"));
    }
    found
}

fn transform(faults: &mut Faults, node: &Map<String, Value>, at: &str) {
    let single = ["translation", "rotation", "scale"];
    if node.contains_key("matrix") && single.iter().any(|name| node.contains_key(*name)) {
        faults.add(pointer::member(at, "matrix"), "excludes translation, rotation and scale");
    }
    for (name, count) in [("matrix", 16), ("translation", 3), ("scale", 3)] {
        faults.numbers(node, (name, count), at);
    }
    faults.unit(node, "rotation", at);
}

/// Judges that the nodes are trees: each has one parent at most, and none lies within itself.
fn tree(faults: &mut Faults, gltf: &Map<String, Value>, nodes: &[Value]) {
    let mut leads_to = vec![Vec::new(); nodes.len()];
    let mut has_parent = vec![false; nodes.len()];
    for (index, node) in nodes.iter().enumerate() {
        for (at, child) in node["children"].as_array().map(Vec::as_slice).unwrap_or_default().iter().enumerate() {
            let place = format!("/nodes/{index}/children/{at}");
            let Some(child) = refer(faults, Some(child), nodes.len(), &place) else { continue };
            if std::mem::replace(&mut has_parent[child], true) {
                faults.add(place, "has another parent already");
            }
            leads_to[index].push(child);
        }
    }
    for circle in graph::parts(&leads_to).iter().filter(|part| graph::is_circle(part, &leads_to)) {
        if let Some(first) = circle.iter().min() {
            faults.add(format!("/nodes/{first}/children"), "the node lies within itself");
        }
    }
    let scenes = faults.items(gltf, "scenes", "");
    refer(faults, gltf.get("scene"), scenes.len(), "/scene");
    for (index, scene) in scenes.iter().enumerate() {
        for (at, root) in scene["nodes"].as_array().map(Vec::as_slice).unwrap_or_default().iter().enumerate() {
            refer(faults, Some(root), nodes.len(), &format!("/scenes/{index}/nodes/{at}"));
        }
    }
}

fn cameras(faults: &mut Faults, gltf: &Map<String, Value>) {
    for (index, camera) in faults.items(gltf, "cameras", "").iter().enumerate() {
        let at = format!("/cameras/{index}");
        let needed: &[&str] = match camera["type"].as_str() {
            Some("perspective") => &["yfov", "znear"],
            Some("orthographic") => &["xmag", "ymag", "zfar", "znear"],
            _ => {
                faults.add(pointer::member(&at, "type"), "must be \"perspective\" or \"orthographic\"");
                continue;
            }
        };
        let name = camera["type"].as_str().unwrap_or_default();
        let place = pointer::member(&at, name);
        if let Some(lens) = faults.object(&camera[name], &place) {
            for member in needed {
                faults.number(lens, member, &place);
            }
        }
    }
}

/// Judges the lights of `KHR_lights_punctual`.
fn lights(faults: &mut Faults, gltf: &Map<String, Value>, nodes: &[Value]) {
    const LIST: &str = "/extensions/KHR_lights_punctual/lights";
    let extension = |of: &Value| of.pointer("/extensions/KHR_lights_punctual").cloned();
    let lights = gltf.get("extensions").and_then(|of| of.pointer("/KHR_lights_punctual/lights"));
    let lights = lights.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for (index, light) in lights.iter().enumerate() {
        let at = pointer::item(LIST, index);
        let Some(light) = faults.object(light, &at) else { continue };
        let kind = light.get("type").and_then(Value::as_str).unwrap_or_default();
        if !matches!(kind, "directional" | "point" | "spot") {
            faults.add(pointer::member(&at, "type"), "must be \"directional\", \"point\" or \"spot\"");
        }
        faults.numbers(light, ("color", 3), &at);
        for name in ["intensity", "range"].into_iter().filter(|name| light.contains_key(*name)) {
            faults.number(light, name, &at);
        }
    }
    for (index, node) in nodes.iter().enumerate() {
        let reference = extension(node).and_then(|extension| extension.get("light").cloned());
        let at = format!("/nodes/{index}/extensions/KHR_lights_punctual/light");
        refer(faults, reference.as_ref(), lights.len(), &at);
    }
}
