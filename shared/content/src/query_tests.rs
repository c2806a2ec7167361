//! Tables of queries that are good or bad.

use serde_json::json;

use super::*;

fn read(text: &str) -> Result<Query, ContentError> {
    let pairs: Vec<_> = text.split('&').filter(|pair| !pair.is_empty()).collect();
    Query::read(pairs.iter().map(|pair| pair.split_once('=').unwrap_or((pair, ""))))
}

fn entry() -> Value {
    json!({"slug": "a", "title": "Hello", "published_at": "2026-11-20T00:00:00Z", "parent_id": null,
        "data": {"topic": "x", "n": 7, "on": true, "tags": ["a", "b"], "deep": {"er": 1.5}}})
}

#[test]
fn conditions_hold_as_the_value_is() {
    for (query, expected) in [
        ("", true),
        ("filter[data.topic][eq]=x", true),
        ("filter[data.topic][eq]=y", false),
        ("filter[data.topic][in]=y,x", true),
        ("filter[data.topic][ne]=y&filter[data.n][gt]=6", true),
        // As numbers: as texts 7 is above 10.
        ("filter[data.n][lt]=10", true),
        ("filter[data.n][lte]=7&filter[data.n][gte]=7", true),
        ("filter[data.n][eq]=seven", false),
        ("filter[data.on][eq]=true", true),
        ("filter[data.on][eq]=1", false),
        ("filter[data.tags][eq]=b", true),
        ("filter[data.tags][ne]=b", false),
        ("filter[data.deep.er][eq]=1.5", true),
        ("filter[title][contains]=ELL", true),
        ("filter[published_at][gt]=2026-11-01", true),
        ("filter[data.none][exists]=false", true),
        ("filter[data.none][eq]=x", false),
        ("filter[data.none][ne]=x", true),
        ("filter[parent_id][exists]=true", false),
        ("filter[data.topic.more][eq]=x", false),
    ] {
        assert_eq!(read(query).unwrap().holds(&entry()), expected, "{query}");
    }
}

#[test]
fn what_cannot_be_used_is_named() {
    for (query, says) in [
        ("filter[data.topic]=x", "filter[field][comparison]"),
        ("filter[data.topic][like]=x", "eq, ne"),
        ("filter=x", "filter[field]"),
        ("filter[secret][eq]=x", "`secret` is no field"),
        ("filter[data.][eq]=x", "no field"),
        ("filter[data.a.b.c.d.e.f.g.h.i][eq]=x", "no field"),
        ("filter[data.a][exists]=maybe", "true or false"),
        ("sort=", "no field"),
        ("sort=--title", "no field"),
        ("fields=title,,slug", "no field"),
        ("fields=data.x;y", "no field"),
    ] {
        assert!(read(query).unwrap_err().to_string().contains(says), "{query}");
    }
    assert!(read(&"filter[title][eq]=x&".repeat(11)).is_err());
    assert!(read(&format!("filter[title][eq]={}", "x".repeat(201))).is_err());
    assert!(read(&format!("fields={}", ["slug"; 31].join(","))).is_err());
    assert_eq!(read("locale=en&limit=2").unwrap().others.len(), 2);
}

#[test]
fn orders_are_whole_and_put_what_is_missing_last() {
    let compare = |order: &str, one: Value, other: Value| {
        let order = read(&format!("sort={order}")).unwrap().order;
        let (one, other) = (json!({"data": {"n": one}}), json!({"data": {"n": other}}));
        order.compare((&order.key(&one), "1"), (&order.key(&other), "2"))
    };
    assert_eq!(compare("data.n", json!(2), json!(10)), Ordering::Less);
    assert_eq!(compare("-data.n", json!(2), json!(10)), Ordering::Greater);
    assert_eq!(compare("data.n", json!("b"), json!("a")), Ordering::Greater);
    assert_eq!(compare("data.n", json!(null), json!(1)), Ordering::Greater);
    assert_eq!(compare("-data.n", json!(null), json!(1)), Ordering::Greater);
    assert_eq!(compare("data.n", json!(1), json!(1)), Ordering::Less);
    assert_eq!(compare("-data.n", json!(1), json!(1)), Ordering::Greater);
    assert_eq!(compare("data.n", json!(9), json!("a")), Ordering::Less);
}

#[test]
fn only_the_named_fields_are_shown() {
    let fields = |text: &str| read(&format!("fields={text}")).unwrap().fields;
    assert_eq!(projected(&entry(), &[]), entry());
    assert_eq!(projected(&entry(), &fields("slug,data.deep.er")), json!({"slug": "a", "data": {"deep": {"er": 1.5}}}));
    assert_eq!(projected(&entry(), &fields("data.topic,data.n,metadata")), json!({"data": {"topic": "x", "n": 7}}));
}
