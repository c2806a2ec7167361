//! AWS: accepted forms of an access key, every recorded answer, and moto with its checks of signatures and permissions
//! switched on.

use keyway_domain::KeyFamily;
use keyway_domain::{
    Timestamp,
    VerdictKind::{Invalid, Misconfigured, RateLimited, Unreachable, Valid},
};
use keyway_providers::{
    FetchError, FormatError, GuardSettings, GuardedClient, PageTrail, UsageCall, UsagePage, UsageQuery,
};
use keyway_testkit::replay::{Fixture, Received, Replay};
use serde_json::{Value, json};
use url::Url;

use crate::{
    moto::Moto,
    world::{client, november, predefined, secret, target},
};

const ID: &str = "AKIACANARY7H1SMU5TN3";
pub(crate) const SECRET: &str = "c4n4ryThi5MustN3v3rL34k/9876543210+VWXYZ";

pub(crate) fn credential() -> Value {
    json!({ "access_key_id": ID, "secret_access_key": SECRET })
}

fn with(field: &str, value: Value) -> String {
    let mut credential = credential();
    credential[field] = value;
    credential.to_string()
}

fn query(page: Option<&str>) -> UsageQuery<'_> {
    UsageQuery { source: "costs", window: november(10, 60), page, provider_key_ids: &[] }
}

#[test]
fn what_cannot_be_an_access_key_is_refused_by_its_field() -> anyhow::Result<()> {
    let (aws, _) = predefined("aws")?;
    let facts = aws.check_format(&secret(&credential().to_string()))?;
    assert_eq!((facts.hint.as_str(), facts.family), (ID, KeyFamily::Admin));
    let temporary = json!({ "access_key_id": "ASIAAAAAAAAAAAAAAAAA", "secret_access_key": SECRET,
        "session_token": "FwoGZXIvYXdzEXAMPLETOKEN==", "region": "us-gov-west-1" });
    assert_eq!(aws.check_format(&secret(&temporary.to_string()))?.hint, "ASIAAAAAAAAAAAAAAAAA");
    assert!(aws.check_format(&secret(&with("region", Value::Null))).is_ok());

    for (credential, expected) in [
        (String::new(), "the key is empty"),
        (ID.to_owned(), "a JSON object"),
        (json!([ID, SECRET]).to_string(), "`secret_access_key`"),
        ("x".repeat(20_000), "too long"),
        (json!({ "secret_access_key": SECRET }).to_string(), "`access_key_id` is missing"),
        (json!({ "access_key_id": ID }).to_string(), "`secret_access_key` is missing"),
        (with("access_key_id", json!(7)), "`access_key_id` is not a text"),
        (with("access_key_id", json!("AIDACANARY7H1SMU5TN3")), "begins with AKIA"),
        (with("access_key_id", json!("AKIA123")), "begins with AKIA"),
        (with("access_key_id", json!(SECRET)), "begins with AKIA"),
        (with("secret_access_key", json!("")), "`secret_access_key` is empty"),
        (with("secret_access_key", json!("************************************ABCD")), "masked"),
        (with("secret_access_key", json!(format!("{SECRET}\n"))), "a space or a line break"),
        (with("secret_access_key", json!(&SECRET[1..])), "40 letters"),
        (with("secret_access_key", json!(SECRET.replace('c', "é"))), "does not belong there"),
        (with("access_key_id", json!("ASIACANARY7H1SMU5TN3")), "only with its session token"),
        (with("session_token", json!("FwoGZXIvYXdz")), "leave it out"),
        (with("region", json!("us-east-1.evil.dev/")), "is not a region's name"),
        (with("region", json!("localhost")), "is not a region's name"),
    ] {
        let error: FormatError =
            aws.check_format(&secret(&credential)).err().ok_or_else(|| anyhow::anyhow!("{credential}"))?;
        assert!(error.to_string().contains(expected), "{credential}: {error}");
        assert!(!format!("{error} {error:?}").contains("7H1SMU5T") && !error.to_string().contains("c4n4ry"), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn every_recorded_answer_of_sts_is_graded() -> anyhow::Result<()> {
    for (name, expected, code, says) in [
        ("verify_ok", Valid, None, "accepts"),
        ("verify_ok_json", Valid, None, "accepts"),
        ("verify_invalid_key", Invalid, Some("InvalidClientTokenId"), "no such access key id"),
        ("verify_bad_secret", Invalid, Some("SignatureDoesNotMatch"), "not that of the access key id"),
        ("verify_expired_session", Invalid, Some("ExpiredToken"), "session"),
        ("verify_clock_skew", Unreachable, Some("SignatureDoesNotMatch"), "clock"),
        ("rate_limited", RateLimited, Some("Throttling"), "wait"),
        ("server_error", Unreachable, None, "an error of its own"),
        // Another's answers say nothing about the key.
        ("cost_empty", Misconfigured, None, "documented form"),
        ("cost_forbidden", Misconfigured, None, "says nothing about the key"),
    ] {
        let case = Fixture::load(&format!("aws/{name}"))?;
        let (status, has_id) = (case.status, case.headers.iter().any(|(name, _)| name == "x-amzn-requestid"));
        let server = Replay::start(vec![case]).await?;
        let (aws, _) = predefined("aws")?;
        let base: Url = server.root.parse()?;
        let key = secret(&credential().to_string());
        let finding = aws.probe(target(&base, &key), &client(&server.host)?).await;
        assert_eq!(finding.kind, expected, "{name}: {finding:?}");
        assert_eq!(finding.evidence.http_status, Some(status), "{name}");
        assert_eq!(finding.evidence.provider_request_id.is_some(), has_id, "{name}");
        assert_eq!(finding.evidence.provider_code.as_deref(), code, "{name}");
        assert!(finding.evidence.reason.contains(says), "{name}: {finding:?}");
        let shown = format!("{finding:?}");
        assert!(
            ["calculated", "20261101T", "arn:", "Rate exceeded", SECRET].iter().all(|text| !shown.contains(text)),
            "{shown}"
        );

        let received = server.received();
        let asked = received.first().ok_or_else(|| anyhow::anyhow!("nothing was asked"))?;
        assert_eq!((asked.line.as_str(), received.len()), ("POST /", 1));
        assert_eq!(asked.body, "Action=GetCallerIdentity&Version=2011-06-15");
        assert_signed(asked, "/us-east-1/sts/aws4_request");
    }
    Ok(())
}

fn assert_signed(asked: &Received, scope: &str) {
    let authorization = asked.headers["authorization"].to_str().unwrap_or_default();
    assert!(authorization.starts_with(&format!("AWS4-HMAC-SHA256 Credential={ID}/")), "{authorization}");
    assert!(authorization.contains(scope), "{authorization}");
    assert!(!format!("{:?}{:?}", asked.headers, asked.body).contains(SECRET));
}

#[tokio::test]
async fn a_stored_credential_that_is_not_readable_is_never_sent() -> anyhow::Result<()> {
    let server = Replay::start(vec![Fixture::load("aws/verify_ok")?]).await?;
    let (aws, _) = predefined("aws")?;
    let (base, key) = (server.root.parse()?, secret("{}"));
    let finding = aws.probe(target(&base, &key), &client(&server.host)?).await;
    assert_eq!(finding.kind, Unreachable);
    assert!(finding.evidence.reason.contains("enter the credential again"), "{finding:?}");
    let page = aws
        .usage_page(UsageCall { target: target(&base, &key), query: query(None), http: &client(&server.host)? })
        .await;
    assert_eq!(page, Err(FetchError::Refused));
    assert!(server.received().is_empty());
    Ok(())
}

async fn fetched(case: Fixture, page: Option<&str>) -> anyhow::Result<(Result<UsagePage, FetchError>, Received)> {
    let server = Replay::start(vec![case]).await?;
    let (aws, _) = predefined("aws")?;
    let base: Url = server.root.parse()?;
    let key = secret(&with("region", json!("eu-central-1")));
    let page = aws
        .usage_page(UsageCall { target: target(&base, &key), query: query(page), http: &client(&server.host)? })
        .await;
    let asked = server.received().pop().ok_or_else(|| anyhow::anyhow!("nothing was asked"))?;
    assert_signed(&asked, "/us-east-1/ce/aws4_request");
    Ok((page, asked))
}

#[tokio::test]
async fn recorded_costs_are_exact_and_their_pages_followed() -> anyhow::Result<()> {
    // Each amount is rounded to a nano-USD.
    for (name, page, next, nano_usd, rows) in [
        ("cost_page1", None, Some("eyJwYWdlIjoyfQ=="), 1_244_597_890, 3),
        ("cost_page2_last", Some("eyJwYWdlIjoyfQ=="), None, 2_500_000, 1),
        ("cost_empty", None, None, 0, 0),
    ] {
        let (got, asked) = fetched(Fixture::load(&format!("aws/{name}"))?, page).await?;
        let got = got?;
        assert_eq!((got.next.as_deref(), got.rows.len()), (next, rows), "{name}");
        assert_eq!(got.rows.iter().map(|row| row.cost_nano_usd).sum::<Option<i64>>(), Some(nano_usd), "{name}");
        let question: Value = serde_json::from_slice(&asked.body)?;
        assert_eq!(question["TimePeriod"], json!({ "Start": "2026-11-01", "End": "2026-11-04" }));
        assert_eq!(question["NextPageToken"].as_str(), page, "{name}");
        assert_eq!(asked.headers["x-amz-target"], "AWSInsightsIndexService.GetCostAndUsage");
    }
    let (got, _) = fetched(Fixture::load("aws/cost_page1")?, None).await?;
    let got = got?;
    let bedrock = got.rows.iter().find(|row| row.line_item.as_deref() == Some("Amazon Bedrock"));
    assert_eq!(
        bedrock.map(|row| (row.bucket_start.day(), row.cost_nano_usd)),
        Some(("2026-11-01".into(), Some(30_000)))
    );
    assert_eq!(got.complete_to.map(Timestamp::day).as_deref(), Some("2026-11-02"), "the second day may go on");
    let (circle, _) = fetched(Fixture::load("aws/cost_page1")?, Some("eyJwYWdlIjoyfQ==")).await?;
    assert_eq!(circle, Err(FetchError::BadAnswer), "a page that is its own next one");
    Ok(())
}

#[tokio::test]
async fn an_amount_that_is_no_plain_number_of_dollars_is_unknown() -> anyhow::Result<()> {
    for (metrics, expected) in [
        (json!({ "UnblendedCost": { "Amount": "0", "Unit": "USD" } }), Some(0)),
        (json!({ "UnblendedCost": { "Amount": "1E-7", "Unit": "USD" } }), Some(100)),
        (json!({ "UnblendedCost": { "Amount": "-0.5", "Unit": "USD" } }), None),
        (json!({ "UnblendedCost": { "Amount": "7", "Unit": "CNY" } }), None),
        (json!({ "UnblendedCost": { "Amount": "7" } }), None),
        (json!({ "UnblendedCost": { "Unit": "USD" } }), None),
        (json!({}), None),
    ] {
        let mut case = Fixture::load("aws/cost_empty")?;
        let mut body: Value = serde_json::from_slice(&case.body)?;
        body["ResultsByTime"][0]["Groups"] = json!([{ "Keys": ["Amazon Bedrock"], "Metrics": metrics }]);
        case.body = body.to_string().into_bytes();
        let (page, _) = fetched(case, None).await?;
        assert_eq!(page?.rows.first().map(|row| row.cost_nano_usd), Some(expected), "{metrics}");
    }
    Ok(())
}

#[tokio::test]
async fn recorded_refusals_of_cost_explorer_have_their_reason() -> anyhow::Result<()> {
    for (name, why) in [("cost_forbidden", "ce:GetCostAndUsage"), ("cost_not_enabled", "Billing console")] {
        let (result, _) = fetched(Fixture::load(&format!("aws/{name}"))?, None).await?;
        assert!(matches!(&result, Err(FetchError::NotReportable { why: said }) if said.contains(why)), "{result:?}");
    }
    for (name, expected) in [
        ("cost_invalid_key", FetchError::Refused),
        ("cost_bad_signature", FetchError::Refused),
        ("cost_rate_limited", FetchError::RateLimited { retry_after: None }),
        ("cost_limit_exceeded", FetchError::RateLimited { retry_after: None }),
        ("cost_data_unavailable", FetchError::BadAnswer),
        ("cost_bad_next_token", FetchError::BadAnswer),
        ("verify_ok", FetchError::BadAnswer),
        ("server_error", FetchError::Unreachable),
    ] {
        let (result, _) = fetched(Fixture::load(&format!("aws/{name}"))?, None).await?;
        assert_eq!(result, Err(expected), "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn moto_checks_our_signatures_and_hands_out_its_costs_page_by_page() -> anyhow::Result<()> {
    let moto = Moto::start().await?;
    let (aws, _) = predefined("aws")?;
    let http = GuardedClient::new(&GuardSettings { trusted: vec![moto.host.clone()], ..GuardSettings::default() })?;
    let base: Url = moto.root.parse()?;
    let key = |id: &Value, secret_access_key: &Value| {
        secret(&json!({ "access_key_id": id, "secret_access_key": secret_access_key }).to_string())
    };
    let (reader, stranger) = (&moto.keys["reader"], &moto.keys["stranger"]);
    let good = key(&reader["id"], &reader["secret"]);
    let unlicensed = key(&stranger["id"], &stranger["secret"]);
    for (name, key, expected) in [
        ("good", &good, Valid),
        ("without a policy", &unlicensed, Valid),
        ("wrong secret", &key(&reader["id"], &json!(SECRET)), Invalid),
        ("another's secret", &key(&reader["id"], &stranger["secret"]), Invalid),
        ("unknown id", &key(&json!(ID), &reader["secret"]), Invalid),
    ] {
        let finding = aws.probe(target(&base, key), &http).await;
        assert_eq!(finding.kind, expected, "{name}: {finding:?}");
    }

    let (mut trail, mut page, mut rows) = (PageTrail::default(), None, Vec::new());
    loop {
        let got = aws
            .usage_page(UsageCall { target: target(&base, &good), query: query(page.as_deref()), http: &http })
            .await?;
        rows.extend(got.rows);
        page = trail.follow(got.next)?;
        if page.is_none() {
            break;
        }
    }
    let rows: Vec<_> =
        rows.iter().map(|row| (row.bucket_start.day(), row.line_item.as_deref(), row.cost_nano_usd)).collect();
    let expected = [
        ("2026-11-01".to_owned(), Some("AWS Cost Explorer"), Some(10_000_000)),
        ("2026-11-01".to_owned(), Some("Amazon Bedrock"), Some(1_234_567_890)),
        ("2026-11-02".to_owned(), Some("Amazon Bedrock"), Some(250_000_000)),
    ];
    assert_eq!(rows, expected);
    let denied =
        aws.usage_page(UsageCall { target: target(&base, &unlicensed), query: query(None), http: &http }).await;
    assert!(matches!(denied, Err(FetchError::NotReportable { why }) if why.contains("ce:Get")), "{denied:?}");
    let wrong = key(&reader["id"], &json!(SECRET));
    assert_eq!(
        aws.usage_page(UsageCall { target: target(&base, &wrong), query: query(None), http: &http }).await,
        Err(FetchError::Refused)
    );
    Ok(())
}
