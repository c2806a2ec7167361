//! Pages of reports and the rows they are read as.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use keyway_domain::UsageWindow;

use super::*;

fn query(source: &'static str, page: Option<&'static str>) -> UsageQuery<'static> {
    let from = Timestamp::parse("2026-11-01T10:20:00Z").expect("a time");
    let to = Timestamp::parse("2026-11-01T12:00:00Z").expect("a time");
    UsageQuery { source, window: UsageWindow { from, to }, page, provider_key_ids: &[] }
}

fn read_body(status: u16, body: &str, page: Option<&'static str>) -> Result<UsagePage, FetchError> {
    let status = StatusCode::from_u16(status).expect("a status");
    let answer = Answer { status, headers: HeaderMap::new(), body: Bytes::copy_from_slice(body.as_bytes()) };
    read(&answer, &ProviderSecret::new("sk-admin-canary".to_owned()), query(COSTS, page))
}

fn entries(results: &str) -> String {
    format!(
        r#"{{"data":[{{"start_time":0,"end_time":86400,"results":[{results}]}}],"has_more":false,"next_page":null}}"#
    )
}

#[test]
fn a_window_is_widened_to_whole_buckets() -> Result<(), FetchError> {
    let base = "https://api.openai.com/v1".parse().expect("a URL");
    let hours = url(&base, query(COMPLETIONS, Some("page_a=b&c")))?;
    assert_eq!(
        hours.as_str(),
        "https://api.openai.com/v1/organization/usage/completions?start_time=1793527200&end_time=1793534400\
         &bucket_width=1h&limit=24&group_by=model&page=page_a%3Db%26c"
    );
    let days = url(&base, query(COSTS, None))?;
    assert!(days.as_str().ends_with(
        "/organization/costs?start_time=1793491200&end_time=1793577600&bucket_width=1d&limit=14&group_by=line_item"
    ));
    let of_keys = url(&base, UsageQuery { provider_key_ids: &["key_a", "key_b"], ..query(COMPLETIONS_BY_KEY, None) })?;
    assert!(
        of_keys.as_str().ends_with(
            "&bucket_width=1h&limit=24&group_by=model&group_by=api_key_id&api_key_ids=key_a&api_key_ids=key_b"
        )
    );
    assert!(matches!(url(&base, query("gossip", None)), Err(FetchError::NotReportable { .. })));
    Ok(())
}

#[test]
fn a_report_of_keys_names_them_and_no_other_does() -> Result<(), FetchError> {
    let body = r#"{"data":[{"start_time":1793491200,"end_time":1793494800,"results":[
        {"model":"m","api_key_id":"key_a","input_tokens":5},{"model":"m","api_key_id":"key_b","input_tokens":7},
        {"model":"m","api_key_id":"key_a","input_tokens":1},{"model":"m","api_key_id":null,"input_tokens":9}]}],
        "has_more":false,"next_page":null}"#;
    let answer =
        Answer { status: StatusCode::OK, headers: HeaderMap::new(), body: Bytes::from_static(body.as_bytes()) };
    let figures = |source| -> Result<Vec<_>, FetchError> {
        let page = read(&answer, &ProviderSecret::new("sk-admin-canary".to_owned()), query(source, None))?;
        Ok(page.rows.into_iter().map(|row| (row.line_item, row.tokens.input)).collect())
    };
    let named = |id: &str, tokens| (Some(id.to_owned()), Some(tokens));
    assert_eq!(figures(COMPLETIONS_BY_KEY)?, [(None, Some(9)), named("key_a", 6), named("key_b", 7)]);
    assert_eq!(figures(COMPLETIONS)?, [(None, Some(22))]);
    Ok(())
}

#[test]
fn a_name_that_no_database_takes_is_unknown_and_its_figures_stay() {
    let page = read_body(200, &entries(r#"{"model":"m\u0000","line_item":7,"num_model_requests":3}"#), None);
    let rows = page.expect("a page").rows;
    let named: Vec<_> = rows.iter().map(|row| (row.model.as_deref(), row.line_item.as_deref(), row.requests)).collect();
    assert_eq!(named, [(None, None, Some(3))]);
}

#[test]
fn money_is_exact_and_what_is_not_dollars_is_unknown() {
    for (amount, expected) in [
        (r#"{"value":0.06,"currency":"usd"}"#, Some(60_000_000)),
        (r#"{"value":1.2345678,"currency":"USD"}"#, Some(1_234_567_800)),
        (r#"{"value":1e-7,"currency":"usd"}"#, Some(100)),
        (r#"{"value":"0.5","currency":"usd"}"#, Some(500_000_000)),
        (r#"{"value":0,"currency":"usd"}"#, Some(0)),
        (r#"{"value":-1,"currency":"usd"}"#, None),
        (r#"{"value":null,"currency":"usd"}"#, None),
        (r#"{"value":1,"currency":"eur"}"#, None),
        (r#"{"value":1}"#, None),
        ("null", None),
    ] {
        let page = read_body(200, &entries(&format!(r#"{{"amount":{amount}}}"#)), None).expect("a page");
        assert_eq!(page.rows.first().map(|row| row.cost_nano_usd), Some(expected), "{amount}");
    }
}

#[test]
fn rows_of_one_natural_key_are_one_row_and_unknown_stays_unknown() {
    let body = entries(
        r#"{"model":"m","input_tokens":5,"output_tokens":1,"num_model_requests":1,"project_id":"a"},
           {"model":"m","input_tokens":7,"output_tokens":-2,"num_model_requests":2,"project_id":"b"},
           {"model":null,"input_tokens":9}"#,
    );
    let page = read_body(200, &body, None).expect("a page");
    let figures: Vec<_> =
        page.rows.iter().map(|row| (row.model.as_deref(), row.tokens.input, row.tokens.output, row.requests)).collect();
    assert_eq!(figures, [(None, Some(9), None, None), (Some("m"), Some(12), None, Some(3))]);
}

#[test]
fn a_page_that_makes_no_sense_is_a_bad_answer() {
    for body in [
        "<html></html>",
        "{}",
        r#"{"data":[],"has_more":true,"next_page":null}"#,
        r#"{"data":[],"has_more":true,"next_page":""}"#,
        r#"{"data":[],"has_more":true,"next_page":"again"}"#,
        r#"{"data":[{"start_time":5,"end_time":5,"results":[]}],"has_more":false}"#,
        r#"{"data":[{"start_time":-5,"end_time":5,"results":[]}],"has_more":false}"#,
        r#"{"data":[{"start_time":0,"end_"#,
    ] {
        assert_eq!(read_body(200, body, Some("again")), Err(FetchError::BadAnswer), "{body}");
    }
    let more = r#"{"data":[],"has_more":true,"next_page":"other"}"#;
    let other = UsagePage { next: Some("other".to_owned()), ..UsagePage::default() };
    assert_eq!(read_body(200, more, Some("again")), Ok(other));
    assert_eq!(read_body(200, r#"{"data":[],"has_more":false,"next_page":"x"}"#, None), Ok(UsagePage::default()));
}

#[test]
fn a_page_says_how_far_it_is_complete_only_when_it_is_in_order() {
    let page = |starts: [i64; 2]| {
        let bucket = |start: i64| format!(r#"{{"start_time":{start},"end_time":{},"results":[]}}"#, start + 3600);
        let body = format!(r#"{{"data":[{}],"has_more":false}}"#, starts.map(bucket).join(","));
        read_body(200, &body, None).expect("a page").complete_to
    };
    assert_eq!(page([0, 3600]), Some(Timestamp::from_seconds(7200)));
    assert_eq!(page([3600, 0]), None);
}

#[test]
fn a_refusal_is_told_from_a_missing_permission() {
    let error = |message: &str, code: &str| format!(r#"{{"error":{{"message":"{message}","code":"{code}"}}}}"#);
    for (status, body, expected) in [
        (401, error("Missing scopes: api.usage.read", ""), LACKS_SCOPE),
        (403, error("... must be made with a session key", ""), NEEDS_ADMIN_KEY),
        (401, error("Incorrect API key", "invalid_api_key"), FetchError::Refused),
        (403, "<html>".to_owned(), FetchError::BadAnswer),
        (429, error("wait", "rate_limit_exceeded"), FetchError::RateLimited { retry_after: None }),
        (429, error("pay", "insufficient_quota"), FetchError::Refused),
        (400, error("bad", "integer_above_max_value"), FetchError::BadAnswer),
        (307, String::new(), FetchError::Unreachable),
        (503, String::new(), FetchError::Unreachable),
    ] {
        assert_eq!(read_body(status, &body, None), Err(expected), "{status} {body}");
    }
    assert_eq!(FetchError::from(crate::GuardError::TooLarge), FetchError::BadAnswer);
    assert_eq!(FetchError::from(crate::GuardError::TimedOut), FetchError::Unreachable);
}
