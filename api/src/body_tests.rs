//! Bodies that are refused, and the messages about them.

use bytes::Bytes;
use futures::stream;
use http::HeaderValue;
use keyway_domain::RequestId;
use serde::Deserialize;

use super::*;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the errors are looked at")]
struct Example {
    name: String,
    inner: Option<Inner>,
    limit: Option<u64>,
    on: Option<bool>,
    tags: Option<Vec<String>>,
    color: Option<Color>,
    at: Option<keyway_domain::Timestamp>,
    id: Option<keyway_domain::ProjectId>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Color {
    Red,
    Green,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the errors are looked at")]
struct Inner {
    base_url: String,
}

fn headers(kind: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers
}

fn shown(error: ApiError) -> (u16, String) {
    let response = error.into_response(RequestId::new());
    (response.status().as_u16(), String::from_utf8_lossy(response.body()).into_owned())
}

#[test]
fn each_wrong_body_has_its_status_and_no_value_is_repeated() {
    for (text, status, says) in [
        ("", 400, "malformed_json"),
        ("{", 400, "malformed_json"),
        (r#"{"name":"x"} trailing"#, 400, "malformed_json"),
        (r#"{"name":"canary"#, 400, "malformed_json"),
        (r#"{"name":"x","nmae":"canary"}"#, 422, "there is no field `nmae`"),
        (r#"{"name":"x","name":"canary"}"#, 422, "`name` is given twice"),
        ("{}", 422, "`name` is missing"),
        (r#"["canary"]"#, 422, "invalid_field"),
        (r#"{"name":{"canary":1}}"#, 422, "`name`: expected text, in quotes"),
        (r#"{"name":"x","inner":"canary"}"#, 422, "`inner`: expected an object"),
        (r#"{"name":"x","inner":{"base_url":7}}"#, 422, "`inner.base_url`: expected text, in quotes"),
        (r#"{"name":"x","limit":"canary"}"#, 422, "`limit`: expected a whole number"),
        (r#"{"name":"x","limit":-5}"#, 422, "`limit`: expected a whole number"),
        (r#"{"name":"x","limit":1.5}"#, 422, "`limit`: expected a whole number"),
        (r#"{"name":"x","on":"canary"}"#, 422, "`on`: expected true or false"),
        (r#"{"name":"x","tags":"canary"}"#, 422, "`tags`: expected a list"),
        (r#"{"name":"x","color":"canary"}"#, 422, "`color`: expected `red` or `green`"),
        (r#"{"name":"x","at":"2026-11-20"}"#, 422, "`at`: a day needs its time too, like 2026-11-20T00:00:00Z"),
        (r#"{"name":"x","at":"canary"}"#, 422, "`at`: expected a time like 2026-11-20T12:00:00Z"),
        (r#"{"name":"x","id":"canary"}"#, 422, "`id`: expected an id that looks like prj_"),
    ] {
        let body = SecretBytes::new(text.as_bytes().to_vec());
        let (got, body) = shown(json::<Example>(&headers("application/json"), &body).unwrap_err());
        assert_eq!(got, status, "{text}: {body}");
        assert!(body.contains(says) && !body.contains("canary"), "{text}: {body}");
    }
}

#[test]
fn a_name_that_may_be_a_secret_is_not_repeated() {
    for name in [
        "sk-proj-canary",
        "kw_live_canary",
        "gsk_canary",
        "ghp_canary",
        "AKIACANARY",
        "canary0192837465",
        "canary with spaces",
        "canary.canary",
        "canary/canary+canary=",
        "canarycanarycanarycanary",
        "canary_canary_canary_canary_canary_canary_canary",
        "canäry",
    ] {
        let body = SecretBytes::new(format!(r#"{{"name":"x","{name}":1}}"#).into_bytes());
        let (status, said) = shown(json::<Example>(&headers("application/json"), &body).unwrap_err());
        assert!(status == 422 && said.contains("there is no field of that name here"), "{name}: {said}");
        assert!(!said.to_lowercase().contains("canary") && !said.contains("canäry"), "{name}: {said}");
        let pair = url::form_urlencoded::Serializer::new(String::new()).append_pair(name, "1").finish();
        let (status, said) = shown(query::<Example>(&format!("name=x&{pair}")).unwrap_err());
        assert!(status == 400 && !said.to_lowercase().contains("canary") && !said.contains("canäry"), "{name}: {said}");
    }
    for name in ["nmae", "max_output_tokens_per_day", "maxOutputTokens", "sha256", "x-api-version"] {
        let body = SecretBytes::new(format!(r#"{{"name":"x","{name}":1}}"#).into_bytes());
        let (_, said) = shown(json::<Example>(&headers("application/json"), &body).unwrap_err());
        assert!(said.contains(&format!("there is no field `{name}` here")), "{said}");
    }
}

#[test]
fn only_json_is_json() {
    let body = SecretBytes::new(br#"{"name":"x"}"#.to_vec());
    for kind in ["application/json", "application/json; charset=utf-8", "Application/JSON"] {
        assert!(json::<Example>(&headers(kind), &body).is_ok(), "{kind}");
    }
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
        assert_eq!(shown(json::<Example>(&headers(kind), &body).unwrap_err()).0, 415, "{kind}");
    }
}

#[test]
fn a_query_is_as_strict() {
    assert!(query::<Example>("name=a&limit=3").is_ok());
    for (text, says) in [
        ("name=a&x=canary", "no field `x`"),
        ("limit=3", "`name` is missing"),
        ("name=a&limit=canary", "`limit`: expected a whole number"),
        ("name=a&limit=", "`limit`: expected a whole number"),
        ("name=a&limit=99999999999999999999999", "`limit`: expected a whole number"),
        ("name=a&on=canary", "`on`: expected true or false"),
        ("name=a&color=canary", "`color`: expected `red` or `green`"),
        ("name=a&at=2026-11-20", "`at`: a day needs its time too"),
    ] {
        let (status, body) = shown(query::<Example>(text).unwrap_err());
        assert_eq!(status, 400, "{body}");
        assert!(body.contains(says) && !body.contains("canary"), "{text}: {body}");
    }
}

#[tokio::test]
async fn a_body_is_counted_as_it_comes_and_late_ones_are_given_up() {
    let pieces = |count: usize| stream::iter((0..count).map(|_| Ok::<_, ()>(Bytes::from_static(b"0123456789"))));
    let second = Duration::from_secs(1);
    let whole = read(pieces(10), &HeaderMap::new(), 100, second).await.unwrap();
    assert_eq!(whole.plain().len(), 100);
    assert_eq!(shown(read(pieces(11), &HeaderMap::new(), 100, second).await.unwrap_err()).0, 413);
    let mut declared = HeaderMap::new();
    declared.insert(header::CONTENT_LENGTH, HeaderValue::from_static("101"));
    assert_eq!(shown(read(pieces(1), &declared, 100, second).await.unwrap_err()).0, 413);
    let never = stream::pending::<Result<Bytes, ()>>();
    assert_eq!(shown(read(never, &HeaderMap::new(), 100, Duration::from_millis(5)).await.unwrap_err()).0, 408);
}
