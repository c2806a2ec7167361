//! Flows: documents as React Flow's `toObject()` gives them.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::{
    error::{ContentError, Subject},
    flow_cycles::{self, Node},
    object::Faults,
    pointer,
    schema::{Schema, check_bytes},
};

/// Largest flow in bytes, as compact JSON.
pub const FLOW_BYTES: usize = 2 << 20;
const MOST_NODES: usize = 5_000;
const MOST_EDGES: usize = 20_000;
/// Members of nodes and edges that say how they look to one person at the moment.
const LOOKS: [&str; 4] = ["measured", "selected", "dragging", "resizing"];

/// Types of nodes that a tenant has defined. Nodes of another type are taken as they are.
#[derive(Debug, Default)]
pub struct NodeTypes(HashMap<String, (Schema, bool)>);

impl NodeTypes {
    /// Adds a type with the schema of its data; `is_acyclic` if no circle may lead through its nodes.
    pub fn add(&mut self, name: &str, schema: Schema, is_acyclic: bool) {
        self.0.insert(name.to_owned(), (schema, is_acyclic));
    }
}

/// Checks a flow.
///
/// # Errors
/// [`ContentError`] with the pointer to each thing that is wrong.
pub fn check_flow(document: &Value, types: &NodeTypes) -> Result<(), ContentError> {
    check_bytes(document, Subject::Flow, FLOW_BYTES)?;
    let mut faults = Faults::default();
    if let Some(flow) = faults.object(document, "") {
        for name in flow.keys().filter(|name| !matches!(name.as_str(), "nodes" | "edges" | "viewport")) {
            faults.add(pointer::member("", name), "a flow has nodes, edges and viewport alone");
        }
        for name in ["nodes", "edges", "viewport"].into_iter().filter(|name| !flow.contains_key(*name)) {
            faults.add(pointer::member("", name), "is missing");
        }
        judge(&mut faults, flow, types);
    }
    faults.end(Subject::Flow)
}

fn judge(faults: &mut Faults, flow: &Map<String, Value>, types: &NodeTypes) {
    let (nodes, edges) = (faults.items(flow, "nodes", ""), faults.items(flow, "edges", ""));
    for (name, items, most) in [("nodes", nodes, MOST_NODES), ("edges", edges, MOST_EDGES)] {
        if items.len() > most {
            faults.add(pointer::member("", name), format!("may have {most} items at most"));
            return;
        }
    }
    if let Some(viewport) = flow.get("viewport").and_then(|viewport| faults.object(viewport, "/viewport")) {
        faults.number(viewport, "x", "/viewport");
        faults.number(viewport, "y", "/viewport");
        if faults.number(viewport, "zoom", "/viewport").is_some_and(|zoom| zoom <= 0.0) {
            faults.add("/viewport/zoom", "must be above 0");
        }
    }
    let mut by_id = HashMap::new();
    for (index, item) in nodes.iter().enumerate() {
        let at = pointer::item("/nodes", index);
        if let Some(id) = node(faults, item, &at, types)
            && by_id.insert(id, index).is_some()
        {
            faults.add(pointer::member(&at, "id"), "another node has this id");
        }
    }
    let parents = links(faults, nodes, &by_id);
    let ends = ends(faults, edges, &by_id);
    if !faults.is_empty() {
        return;
    }
    let is_acyclic = |node: &Value| {
        node["type"].as_str().and_then(|name| types.0.get(name)).is_some_and(|(_, is_acyclic)| *is_acyclic)
    };
    let nodes: Vec<_> = nodes.iter().map(|node| Node { is_acyclic: is_acyclic(node) }).collect();
    flow_cycles::judge(faults, &nodes, &parents, &ends);
}

/// Judges one node and returns its id.
fn node<'v>(faults: &mut Faults, item: &'v Value, at: &str, types: &NodeTypes) -> Option<&'v str> {
    let node = faults.object(item, at)?;
    let place = pointer::member(at, "position");
    match node.get("position") {
        None => faults.add(&place, "is missing"),
        Some(position) => {
            if let Some(position) = faults.object(position, &place) {
                faults.number(position, "x", &place);
                faults.number(position, "y", &place);
            }
        }
    }
    let known = match node.get("type") {
        None => None,
        Some(_) => faults.text(node, "type", at).and_then(|name| types.0.get(name)),
    };
    if let Some((schema, _)) = known {
        let place = pointer::member(at, "data");
        faults.extend(schema.faults(node.get("data").unwrap_or(&Value::Null), &place));
    }
    faults.text(node, "id", at)
}

/// Returns each node's parent.
fn links(faults: &mut Faults, nodes: &[Value], by_id: &HashMap<&str, usize>) -> Vec<Option<usize>> {
    let parents = nodes.iter().enumerate().map(|(index, node)| {
        let parent = node.get("parentId").filter(|parent| !parent.is_null())?;
        let found = parent.as_str().and_then(|id| by_id.get(id)).copied();
        if found.is_none() {
            faults.add(format!("/nodes/{index}/parentId"), "no node of the flow has this id");
        }
        found
    });
    parents.collect()
}

/// Returns each edge's source and target.
fn ends(faults: &mut Faults, edges: &[Value], by_id: &HashMap<&str, usize>) -> Vec<(usize, usize)> {
    let (mut ids, mut ends) = (HashSet::new(), Vec::with_capacity(edges.len()));
    for (index, item) in edges.iter().enumerate() {
        let at = pointer::item("/edges", index);
        let Some(edge) = faults.object(item, &at) else { continue };
        if faults.text(edge, "id", &at).is_some_and(|id| !ids.insert(id)) {
            faults.add(pointer::member(&at, "id"), "another edge has this id");
        }
        let mut end = |name| {
            let found = edge.get(name).and_then(Value::as_str).and_then(|id| by_id.get(id)).copied();
            if found.is_none() {
                faults.add(pointer::member(&at, name), "must be the id of a node of the flow");
            }
            found
        };
        if let (Some(source), Some(target)) = (end("source"), end("target")) {
            ends.push((source, target));
        }
    }
    ends
}

/// Returns `true` if two flows differ at most in what one person sees at the moment: what is measured, selected, dragged
/// or resized.
#[must_use]
pub fn same_but_for_looks(one: &Value, other: &Value) -> bool {
    let plain = |flow: &Value| {
        let mut flow = flow.clone();
        for name in ["nodes", "edges"] {
            let items = flow.get_mut(name).and_then(Value::as_array_mut);
            for item in items.into_iter().flatten().filter_map(Value::as_object_mut) {
                LOOKS.into_iter().for_each(|look| drop(item.remove(look)));
            }
        }
        flow
    };
    one == other || plain(one) == plain(other)
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
