//! Tables of flows that are good, bad or hostile.

use serde_json::json;

use super::*;

fn flow(nodes: Value, edges: Value) -> Value {
    json!({"nodes": nodes, "edges": edges, "viewport": {"x": 0, "y": -3.5, "zoom": 1}})
}

fn node(id: &str) -> Value {
    json!({"id": id, "position": {"x": 0, "y": 0}, "data": {}})
}

fn edge(id: &str, source: &str, target: &str) -> Value {
    json!({"id": id, "source": source, "target": target})
}

fn types() -> NodeTypes {
    let mut types = NodeTypes::default();
    let schema = json!({"type": "object", "required": ["model"], "properties": {"model": {"type": "string"}}});
    types.add("llm", Schema::compile(&schema).unwrap(), true);
    types
}

#[test]
fn flows_of_the_library_are_accepted() {
    let full = json!({"id": "a", "type": "llm", "position": {"x": 1.5, "y": -2}, "data": {"model": "m"}, "width": null,
        "measured": {"width": 150, "height": 40}, "selected": true, "parentId": "g", "extent": "parent"});
    let joined = json!({"id": "e", "source": "a", "target": "g", "sourceHandle": null, "animated": true, "data": {}});
    for good in [
        flow(json!([]), json!([])),
        flow(json!([full, node("g")]), json!([joined])),
        // A circle is refused only where a type says so.
        flow(json!([node("a"), node("b")]), json!([edge("1", "a", "b"), edge("2", "b", "a"), edge("3", "a", "a")])),
    ] {
        check_flow(&good, &types()).unwrap();
    }
    let many: Vec<_> = (0..MOST_NODES).map(|at| node(&at.to_string())).collect();
    let chain: Vec<_> =
        (1..MOST_NODES).map(|at| edge(&at.to_string(), &(at - 1).to_string(), &at.to_string())).collect();
    check_flow(&flow(json!(many), json!(chain)), &types()).unwrap();
}

#[test]
fn what_is_wrong_is_named_by_its_pointer() {
    let at = |position: Value| json!([{"id": "a", "position": position}]);
    let llm = |id: &str, data: Value| json!({"id": id, "type": "llm", "position": {"x": 0, "y": 0}, "data": data});
    let model = || json!({"model": "m"});
    let child = |id: &str, parent: &str| json!({"id": id, "parentId": parent, "position": {"x": 0, "y": 0}});
    let many: Vec<_> = (0..10_000).map(|at| node(&at.to_string())).collect();
    let circle = json!([edge("1", "a", "b"), edge("2", "b", "a")]);
    for (document, pointer, says) in [
        (json!([]), "", "object"),
        (json!({"nodes": [], "edges": []}), "/viewport", "missing"),
        (json!({"nodes": {}, "edges": [], "viewport": {"x": 0, "y": 0, "zoom": 1}}), "/nodes", "list"),
        (json!({"nodes": [], "edges": [], "viewport": {"x": 0, "y": 0, "zoom": 0}}), "/viewport/zoom", "above 0"),
        (json!({"nodes": [], "edges": [], "viewport": {"x": null, "y": 0, "zoom": 1}}), "/viewport/x", "finite"),
        (json!({"nodes": [], "edges": [], "viewport": {"x": 0, "y": 0, "zoom": 1}, "more": 1}), "/more", "alone"),
        // NaN and infinities are null in JSON.
        (flow(at(json!({"x": null, "y": 0})), json!([])), "/nodes/0/position/x", "finite"),
        (flow(at(json!({"x": 1, "y": "2"})), json!([])), "/nodes/0/position/y", "finite"),
        (flow(at(json!(null)), json!([])), "/nodes/0/position", "object"),
        (flow(json!([{"id": "a"}]), json!([])), "/nodes/0/position", "missing"),
        (flow(json!([node("")]), json!([])), "/nodes/0/id", "1 to 200"),
        (flow(json!([{"id": 7, "position": {"x": 0, "y": 0}}]), json!([])), "/nodes/0/id", "1 to 200"),
        (flow(json!(["a"]), json!([])), "/nodes/0", "object"),
        (flow(json!([node("a"), node("a")]), json!([])), "/nodes/1/id", "another node"),
        (flow(json!([node("a")]), json!([edge("1", "a", "b")])), "/edges/0/target", "id of a node"),
        (flow(json!([node("a")]), json!([{"id": "1", "target": "a"}])), "/edges/0/source", "id of a node"),
        (flow(json!([node("a")]), json!([edge("1", "a", "a"), edge("1", "a", "a")])), "/edges/1/id", "another edge"),
        (flow(json!([child("a", "b")]), json!([])), "/nodes/0/parentId", "no node"),
        (flow(json!([child("a", "b"), child("b", "a")]), json!([])), "/nodes/0/parentId", "within itself"),
        (flow(json!([child("a", "a")]), json!([])), "/nodes/0/parentId", "within itself"),
        (flow(json!([llm("a", json!({"model": 5}))]), json!([])), "/nodes/0/data/model", "string"),
        (flow(json!([llm("a", json!({}))]), json!([])), "/nodes/0/data", "model"),
        (flow(json!([node("b"), llm("a", model())]), circle), "/nodes/1", "back to it"),
        (flow(json!([llm("a", model())]), json!([edge("1", "a", "a")])), "/nodes/0", "back to it"),
        (flow(json!(many), json!([])), "/nodes", "5000"),
    ] {
        let error = check_flow(&document, &types()).expect_err(pointer);
        assert_eq!(error.faults()[0].pointer, pointer, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
    let large = flow(json!([{"id": "a", "position": {"x": 0, "y": 0}, "data": "x".repeat(FLOW_BYTES)}]), json!([]));
    assert!(matches!(check_flow(&large, &types()), Err(ContentError::TooLarge { .. })));
}

#[test]
fn looks_make_no_difference_and_all_else_does() {
    let one = flow(json!([node("a")]), json!([edge("1", "a", "a")]));
    let with = |at: &str, value: Value| {
        let mut other = one.clone();
        let (parent, name) = at.rsplit_once('/').unwrap();
        other.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(name.to_owned(), value);
        other
    };
    for (at, value, same) in [
        ("/nodes/0/measured", json!({"width": 150}), true),
        ("/nodes/0/selected", json!(true), true),
        ("/nodes/0/dragging", json!(false), true),
        ("/nodes/0/resizing", json!(true), true),
        ("/edges/0/selected", json!(true), true),
        ("/nodes/0/data", json!({"selected": true}), false),
        ("/nodes/0/position", json!({"x": 1, "y": 0}), false),
        ("/nodes/0/width", json!(10), false),
        ("/viewport/x", json!(7), false),
    ] {
        assert_eq!(same_but_for_looks(&one, &with(at, value)), same, "{at}");
    }
}
