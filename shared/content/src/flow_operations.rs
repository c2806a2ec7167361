//! Changes of a flow, one node or edge at a time. All of a list apply, or none.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::{ContentError, Fault, Subject};

/// Most changes of one list.
const MOST: usize = 1_000;

/// Way of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// Adds what is not there.
    Insert,
    /// Merges members into what is there; null removes a member.
    Update,
    /// Removes what is there.
    Remove,
}

/// Part of a flow that a change is made to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Collection {
    Nodes,
    Edges,
    Viewport,
}

/// One change: `{"type": "insert", "collection": "nodes", "key": "a", "value": {...}}`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowOperation {
    r#type: Kind,
    collection: Collection,
    /// Id of the node or edge; of the viewport there is but one.
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    value: Option<Value>,
}

/// Nodes or edges with their places; removed ones leave a gap.
struct Items {
    items: Vec<Option<Value>>,
    by_id: HashMap<String, usize>,
}

/// Returns the flow with all changes made. Whether the result is a flow is for [`crate::check_flow`] to judge.
///
/// # Errors
/// [`ContentError`] with the pointer to the change that cannot be made.
pub fn apply(document: &Value, operations: &[FlowOperation]) -> Result<Value, ContentError> {
    if operations.is_empty() || operations.len() > MOST {
        return Err(refused("", format!("must have 1 to {MOST} changes")));
    }
    let mut flow = document.as_object().cloned().unwrap_or_default();
    let (mut nodes, mut edges) = (Items::take(&mut flow, "nodes"), Items::take(&mut flow, "edges"));
    for (index, operation) in operations.iter().enumerate() {
        let made = match operation.collection {
            Collection::Nodes => nodes.make(operation),
            Collection::Edges => edges.make(operation),
            Collection::Viewport => view(&mut flow, operation),
        };
        made.map_err(|(member, why)| refused(&format!("/{index}{member}"), why))?;
    }
    flow.insert("nodes".to_owned(), nodes.into_value());
    flow.insert("edges".to_owned(), edges.into_value());
    Ok(Value::Object(flow))
}

type Refusal = (&'static str, &'static str);

impl Items {
    fn take(flow: &mut Map<String, Value>, name: &str) -> Self {
        let items = match flow.remove(name) {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        };
        let id = |item: &Value| item["id"].as_str().map(str::to_owned);
        let by_id = items.iter().enumerate().filter_map(|(index, item)| Some((id(item)?, index))).collect();
        Self { items: items.into_iter().map(Some).collect(), by_id }
    }

    fn make(&mut self, operation: &FlowOperation) -> Result<(), Refusal> {
        let key = operation.key.as_deref().ok_or(("/key", "is missing: it is the id of the node or edge"))?;
        let at = self.by_id.get(key).copied();
        match (operation.r#type, at) {
            (Kind::Insert, Some(_)) => Err(("/key", "is there already; update it")),
            (Kind::Insert, None) => {
                let mut item = value(operation)?.clone();
                match item.get("id") {
                    Some(id) if id.as_str() != Some(key) => return Err(("/value/id", "is not the key")),
                    _ => drop(item.insert("id".to_owned(), key.into())),
                }
                self.by_id.insert(key.to_owned(), self.items.len());
                self.items.push(Some(Value::Object(item)));
                Ok(())
            }
            (Kind::Update | Kind::Remove, None) => Err(("/key", "is not there")),
            (Kind::Update, Some(at)) => {
                let patch = value(operation)?;
                if patch.get("id").is_some_and(|id| id.as_str() != Some(key)) {
                    return Err(("/value/id", "cannot be changed: remove it and insert another one"));
                }
                merge(self.items[at].get_or_insert_default(), patch);
                Ok(())
            }
            (Kind::Remove, Some(at)) => {
                self.items[at] = None;
                self.by_id.remove(key);
                Ok(())
            }
        }
    }

    fn into_value(self) -> Value {
        Value::Array(self.items.into_iter().flatten().collect())
    }
}

fn view(flow: &mut Map<String, Value>, operation: &FlowOperation) -> Result<(), Refusal> {
    if operation.r#type != Kind::Update {
        return Err(("/type", "the viewport can only be updated"));
    }
    merge(flow.entry("viewport").or_insert_with(|| Value::Object(Map::new())), value(operation)?);
    Ok(())
}

fn value(operation: &FlowOperation) -> Result<&Map<String, Value>, Refusal> {
    operation.value.as_ref().and_then(Value::as_object).ok_or(("/value", "must be an object"))
}

/// Merges members as RFC 7396 says: null removes one.
fn merge(target: &mut Value, patch: &Map<String, Value>) {
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(target) = target.as_object_mut() else { return };
    for (name, value) in patch {
        match value {
            Value::Null => drop(target.remove(name)),
            Value::Object(patch) => merge(target.entry(name.clone()).or_insert(Value::Null), patch),
            value => drop(target.insert(name.clone(), value.clone())),
        }
    }
}

fn refused(pointer: &str, why: impl Into<String>) -> ContentError {
    ContentError::one(Subject::Operations, Fault::at(pointer, why))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document() -> Value {
        json!({"nodes": [{"id": "a", "position": {"x": 0, "y": 0}, "data": {"k": 1, "l": 2}}, {"id": "b"}],
            "edges": [{"id": "e", "source": "a", "target": "b"}], "viewport": {"x": 0, "y": 0, "zoom": 1}})
    }

    fn made(operations: Value) -> Result<Value, ContentError> {
        apply(&document(), &serde_json::from_value::<Vec<FlowOperation>>(operations).unwrap())
    }

    #[test]
    fn changes_are_made_in_their_order() {
        let changed = made(json!([
            {"type": "insert", "collection": "nodes", "key": "c", "value": {"position": {"x": 1, "y": 2}}},
            {"type": "update", "collection": "nodes", "key": "a", "value": {"data": {"k": null, "m": 3}, "type": "t"}},
            {"type": "remove", "collection": "edges", "key": "e"},
            {"type": "remove", "collection": "nodes", "key": "b"},
            {"type": "insert", "collection": "nodes", "key": "b", "value": {"id": "b", "hidden": true}},
            {"type": "update", "collection": "viewport", "value": {"zoom": 2}},
        ]));
        let expected = json!({"nodes": [
                {"id": "a", "type": "t", "position": {"x": 0, "y": 0}, "data": {"l": 2, "m": 3}},
                {"id": "c", "position": {"x": 1, "y": 2}}, {"id": "b", "hidden": true}],
            "edges": [], "viewport": {"x": 0, "y": 0, "zoom": 2}});
        assert_eq!(changed.unwrap(), expected);
    }

    #[test]
    fn one_that_cannot_be_made_is_named() {
        let many: Vec<_> = vec![json!({"type": "remove", "collection": "nodes", "key": "a"}); 1_001];
        for (operations, pointer) in [
            (json!([]), ""),
            (json!(many), ""),
            (json!([{"type": "insert", "collection": "nodes", "key": "a", "value": {}}]), "/0/key"),
            (json!([{"type": "update", "collection": "edges", "key": "z", "value": {}}]), "/0/key"),
            (json!([{"type": "remove", "collection": "nodes", "key": "z"}]), "/0/key"),
            (json!([{"type": "remove", "collection": "nodes"}]), "/0/key"),
            (json!([{"type": "insert", "collection": "nodes", "key": "c"}]), "/0/value"),
            (json!([{"type": "insert", "collection": "nodes", "key": "c", "value": {"id": "d"}}]), "/0/value/id"),
            (json!([{"type": "update", "collection": "nodes", "key": "a", "value": {"id": "d"}}]), "/0/value/id"),
            (json!([{"type": "remove", "collection": "viewport"}]), "/0/type"),
        ] {
            assert_eq!(made(operations).unwrap_err().faults()[0].pointer, pointer);
        }
        for unread in [
            json!({"type": "upsert", "collection": "nodes", "key": "a"}),
            json!({"type": "remove", "collection": "users", "key": "a"}),
            json!({"type": "remove", "collection": "nodes", "key": "a", "more": 1}),
        ] {
            assert!(serde_json::from_value::<FlowOperation>(unread).is_err());
        }
    }
}
