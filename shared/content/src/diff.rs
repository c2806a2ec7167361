//! The difference of two documents, member by member.

use serde::Serialize;
use serde_json::Value;

use crate::pointer;

/// Most changes that a difference names.
const MOST: usize = 1_000;

/// A place at which two documents differ.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// JSON Pointer to the place.
    pub pointer: String,
    /// Value in the older one; `None`: it has nothing there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// Value in the newer one; `None`: it has nothing there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
}

/// Returns the places at which two documents differ, the first thousand of them.
#[must_use]
pub fn diff(from: &Value, to: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    compare(from, to, String::new(), &mut changes);
    changes
}

fn compare(from: &Value, to: &Value, at: String, changes: &mut Vec<Change>) {
    if changes.len() >= MOST || from == to {
        return;
    }
    match (from, to) {
        (Value::Object(from), Value::Object(to)) => {
            let added = to.iter().filter(|(name, _)| !from.contains_key(*name)).map(|(name, _)| name);
            for name in from.keys().chain(added) {
                both(from.get(name), to.get(name), pointer::member(&at, name), changes);
            }
        }
        (Value::Array(from), Value::Array(to)) => {
            for index in 0..from.len().max(to.len()) {
                both(from.get(index), to.get(index), pointer::item(&at, index), changes);
            }
        }
        _ => changes.push(Change { pointer: at, from: Some(from.clone()), to: Some(to.clone()) }),
    }
}

fn both(from: Option<&Value>, to: Option<&Value>, pointer: String, changes: &mut Vec<Change>) {
    match (from, to) {
        (Some(from), Some(to)) => compare(from, to, pointer, changes),
        _ if changes.len() < MOST => changes.push(Change { pointer, from: from.cloned(), to: to.cloned() }),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_differs_is_named() {
        let from = json!({"a": 1, "b": [1, 2, 3], "c": {"d/e": "x"}, "same": {"x": null}});
        let to = json!({"a": 2, "b": [1, 5], "c": {"d/e": "y", "new": null}, "same": {"x": null}});
        let named: Vec<_> =
            diff(&from, &to).into_iter().map(|change| (change.pointer, change.from, change.to)).collect();
        let named: Vec<_> = named.iter().map(|(at, from, to)| (at.as_str(), from.clone(), to.clone())).collect();
        assert_eq!(
            named,
            [
                ("/a", Some(json!(1)), Some(json!(2))),
                ("/b/1", Some(json!(2)), Some(json!(5))),
                ("/b/2", Some(json!(3)), None),
                ("/c/d~1e", Some(json!("x")), Some(json!("y"))),
                ("/c/new", None, Some(Value::Null)),
            ]
        );
        assert!(diff(&from, &from).is_empty());
        assert_eq!(diff(&json!(vec![1; 5_000]), &json!([])).len(), MOST);
    }
}
