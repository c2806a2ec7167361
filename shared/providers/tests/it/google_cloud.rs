//! Google Cloud: accepted forms of a service account's key, signatures that other software can verify, and every
//! recorded answer of the token endpoint and of Cloud Monitoring. Keys are made when they are needed.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use keyway_domain::KeyFamily;
use keyway_domain::{
    Timestamp,
    VerdictKind::{self, Invalid, Misconfigured, RateLimited, Unreachable, Valid},
};
use keyway_providers::{FetchError, Finding, UsageCall, UsagePage, UsageQuery};
use keyway_testkit::replay::{Fixture, Received, Replay};
use serde_json::{Value, json};
use url::Url;

use crate::world::{client, november, predefined, secret, target};

const EMAIL: &str = "finops-reader@my-project.iam.gserviceaccount.com";
const KEY_ID: &str = "0123456789abcdef0123456789abcdef01234567";
const BAD_INPUTS: &str = include_str!("../../../testkit/fixtures/google_cloud/service_account_bad_inputs.json");

/// A key in PEM, and a folder of its own that holds it.
fn new_key(name: &str, algorithm: &[&str]) -> Result<(String, PathBuf)> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("google-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let file = folder.join("key.pem");
    openssl(Command::new("openssl").arg("genpkey").args(algorithm).arg("-out").arg(&file))?;
    Ok((fs::read_to_string(&file)?, folder))
}

pub(crate) fn rsa(name: &str) -> Result<(String, PathBuf)> {
    new_key(name, &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"])
}

fn openssl(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

pub(crate) fn account(pem: &str) -> Value {
    json!({
        "type": "service_account",
        "project_id": "my-project",
        "private_key_id": KEY_ID,
        "private_key": pem,
        "client_email": EMAIL,
        "client_id": "123456789012345678901",
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": "https://oauth2.googleapis.com/token",
        "universe_domain": "googleapis.com",
    })
}

#[test]
fn what_cannot_be_a_service_accounts_key_is_refused_by_its_field() -> Result<()> {
    let (google, _) = predefined("google_cloud")?;
    let (pem, folder) = rsa("format")?;
    let facts = google.check_format(&secret(&account(&pem).to_string()))?;
    assert_eq!((facts.hint, facts.family), (format!("{EMAIL} 01234567"), KeyFamily::Admin));
    assert!(
        google.check_format(&secret(&serde_json::to_string_pretty(&account(&pem))?)).is_ok(),
        "as it was downloaded"
    );

    let refused = |credential: &Value, expected: &str| -> Result<()> {
        let error = google.check_format(&secret(&credential.to_string())).err().with_context(|| expected.to_owned())?;
        assert!(error.to_string().contains(expected), "{expected}: {error}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(EMAIL) && !shown.contains("someone") && !shown.contains("MII"), "{shown}");
        Ok(())
    };
    let recorded: Vec<Value> = serde_json::from_str(BAD_INPUTS)?;
    for (name, expected) in [
        ("wrong_type_authorized_user", "a person's own login"),
        ("external_account", "workload identity"),
        ("missing_private_key", "`private_key` is missing"),
        ("pem_truncated", "`private_key` is not a whole PEM"),
        ("pem_escaped_twice", "`private_key` has `\\n`"),
        ("hostile_token_uri", "`token_uri` is not Google's own"),
        ("bad_email", "`client_email` is not the address"),
    ] {
        let case = recorded.iter().find(|case| case["name"] == name).context(name)?;
        let mut credential = case["json"].clone();
        match credential["private_key"].as_str() {
            Some(text) if text.contains("backslash") => credential["private_key"] = json!(pem.replace('\n', "\\n")),
            Some(text) if text.starts_with('{') => credential["private_key"] = json!(pem),
            _ => {}
        }
        refused(&credential, expected)?;
    }
    assert_eq!(recorded.len(), 7);
    let with = |field: &str, value: Value| {
        let mut credential = account(&pem);
        credential[field] = value;
        credential
    };
    let (short, short_folder) = new_key("short", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"])?;
    let (curve, curve_folder) = new_key("curve", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"])?;
    refused(&with("private_key", json!(short)), "2048 bits")?;
    refused(&with("private_key", json!(curve)), "not an RSA key")?;
    refused(&with("private_key_id", json!("nope")), "`private_key_id` is not the id")?;
    refused(&with("project_id", json!("my/../project")), "`project_id` is not the id")?;
    refused(&with("universe_domain", json!("evil.dev")), "`universe_domain` is not")?;
    refused(&with("type", json!("gdch_service_account")), "`type` is not")?;
    refused(&json!([1]), "a JSON object")?;
    for folder in [folder, short_folder, curve_folder] {
        fs::remove_dir_all(folder)?;
    }
    Ok(())
}

async fn probed(cases: Vec<Fixture>, credential: &str) -> Result<(Finding, Vec<Received>)> {
    let server = Replay::start(cases).await?;
    let (google, _) = predefined("google_cloud")?;
    let base: Url = server.root.parse()?;
    let finding = google.probe(target(&base, &secret(credential)), &client(&server.host)?).await;
    Ok((finding, server.received()))
}

#[tokio::test]
async fn the_assertion_is_signed_so_that_openssl_accepts_it() -> Result<()> {
    let (pem, folder) = rsa("signed")?;
    let before = Timestamp::now().seconds();
    let (finding, received) = probed(vec![Fixture::load("google_cloud/token_ok")?], &account(&pem).to_string()).await?;
    assert_eq!(finding.kind, Valid, "{finding:?}");
    let asked = received.first().context("nothing was asked")?;
    assert_eq!(asked.line, "POST /token");
    let form: Vec<_> = url::form_urlencoded::parse(&asked.body).into_owned().collect();
    let [(_, grant), (name, assertion)] = form.as_slice() else { anyhow::bail!("{form:?}") };
    assert_eq!((grant.as_str(), name.as_str()), ("urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion"));

    let (signed, signature) = assertion.rsplit_once('.').context("three parts")?;
    let (header, claims) = signed.split_once('.').context("three parts")?;
    let read = |part: &str| -> Result<Value> { Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part)?)?) };
    assert_eq!(read(header)?, json!({ "alg": "RS256", "typ": "JWT", "kid": KEY_ID }));
    let claims = read(claims)?;
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(EMAIL), &json!("https://oauth2.googleapis.com/token")));
    assert_eq!(claims["scope"], "https://www.googleapis.com/auth/monitoring.read");
    let issued = claims["iat"].as_i64().context("iat")?;
    assert!((before..before + 60).contains(&issued), "{claims}");
    assert_eq!(claims["exp"].as_i64(), Some(issued + 3600));

    let (text, sealed, public) = (folder.join("text"), folder.join("signature"), folder.join("public.pem"));
    fs::write(&text, signed)?;
    fs::write(&sealed, URL_SAFE_NO_PAD.decode(signature)?)?;
    openssl(
        Command::new("openssl")
            .arg("pkey")
            .arg("-in")
            .arg(folder.join("key.pem"))
            .arg("-pubout")
            .arg("-out")
            .arg(&public),
    )?;
    let mut verify = Command::new("openssl");
    verify.args(["dgst", "-sha256", "-verify"]).arg(&public).arg("-signature").arg(&sealed).arg(&text);
    assert_eq!(openssl(&mut verify)?.trim(), "Verified OK");
    Ok(fs::remove_dir_all(folder)?)
}

#[tokio::test]
async fn every_recorded_answer_of_the_token_endpoint_is_graded() -> Result<()> {
    let (pem, folder) = rsa("graded")?;
    let credential = account(&pem).to_string();
    let cases: [(&str, VerdictKind, Option<&str>, &str); 10] = [
        ("token_ok", Valid, None, "accepts"),
        ("token_bad_signature", Invalid, Some("invalid_grant"), "no longer knows this key"),
        ("token_account_not_found", Invalid, Some("invalid_grant"), "deleted"),
        ("token_account_disabled", Invalid, Some("invalid_grant"), "disabled"),
        ("token_clock_skew", Unreachable, Some("invalid_grant"), "clock"),
        ("token_unauthorized_client", Unreachable, Some("unauthorized_client"), "no verdict"),
        ("token_invalid_scope", Misconfigured, None, "says nothing about the key"),
        ("token_rate_limited", RateLimited, Some("rate_limit_exceeded"), "wait"),
        ("token_server_error", Unreachable, None, "an error of its own"),
        ("monitoring_empty", Misconfigured, None, "documented form"),
    ];
    for (name, expected, code, says) in cases {
        let case = Fixture::load(&format!("google_cloud/{name}"))?;
        let status = case.status;
        let (finding, received) = probed(vec![case], &credential).await?;
        assert_eq!((finding.kind, received.len()), (expected, 1), "{name}: {finding:?}");
        assert_eq!(finding.evidence.http_status, Some(status), "{name}");
        assert_eq!(finding.evidence.provider_code.as_deref(), code, "{name}");
        assert!(finding.evidence.reason.contains(says), "{name}: {finding:?}");
        let shown = format!("{finding:?}");
        assert!(["Invalid grant", "iat", "ya29", EMAIL].iter().all(|text| !shown.contains(text)), "{shown}");
        assert!(!format!("{received:?}").contains("PRIVATE KEY"));
    }
    Ok(fs::remove_dir_all(folder)?)
}

fn query<'a>(source: &'a str, page: Option<&'a str>) -> UsageQuery<'a> {
    UsageQuery { source, window: november(10, 36), page, provider_key_ids: &[] }
}

async fn fetched(
    pem: &str,
    cases: Vec<Fixture>,
    query: UsageQuery<'_>,
) -> Result<(Result<UsagePage, FetchError>, Vec<Received>)> {
    let server = Replay::start(cases).await?;
    let (google, _) = predefined("google_cloud")?;
    let base: Url = server.root.parse()?;
    let key = secret(&account(pem).to_string());
    let page = google.usage_page(UsageCall { target: target(&base, &key), query, http: &client(&server.host)? }).await;
    Ok((page, server.received()))
}

/// The token, then the answer of the name.
fn answers(name: &str) -> Result<Vec<Fixture>> {
    ["token_ok", name].iter().map(|name| Fixture::load(&format!("google_cloud/{name}"))).collect()
}

#[tokio::test]
async fn recorded_series_are_read_by_day_and_model() -> Result<()> {
    let (pem, folder) = rsa("series")?;
    for (name, source, page, next, figures) in [
        ("monitoring_page1", "vertex.input_tokens", None, Some("CAEQ"), vec![9000, 12_000]),
        ("monitoring_page1", "vertex.output_tokens", None, Some("CAEQ"), vec![800]),
        ("monitoring_page2_last", "vertex.input_tokens", Some("CAEQ"), None, vec![7]),
        ("monitoring_page2_last", "vertex.requests", Some("CAEQ"), None, vec![7]),
        ("monitoring_empty", "vertex.output_tokens", None, None, vec![]),
    ] {
        let (got, received) = fetched(&pem, answers(name)?, query(source, page)).await?;
        let got = got?;
        let read: Option<Vec<i64>> = got
            .rows
            .iter()
            .map(|row| match source {
                "vertex.input_tokens" => row.tokens.input.filter(|_| row.tokens.output.is_none()),
                "vertex.output_tokens" => row.tokens.output.filter(|_| row.tokens.input.is_none()),
                _ => row.requests.filter(|_| row.tokens.input.is_none()),
            })
            .collect();
        assert_eq!((read, got.next.as_deref()), (Some(figures), next), "{name} {source}");
        assert!(got.rows.iter().all(|row| row.cost_nano_usd.is_none()), "money is not in it");

        let asked = received.get(1).context("no report was asked for")?;
        assert_eq!(asked.headers["authorization"], "Bearer ya29.c.EXAMPLE_ACCESS_TOKEN_NOT_REAL");
        let line = asked.line.strip_prefix("GET ").context("a GET")?;
        let url: Url = format!("http://host{line}").parse()?;
        assert_eq!(url.path(), "/v3/projects/my-project/timeSeries");
        let value = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        let filter = value("filter").unwrap_or_default();
        assert_eq!(filter.contains("model_invocation_count"), source == "vertex.requests", "{filter}");
        assert_eq!(filter.contains("metric.labels.type = \"input\""), source == "vertex.input_tokens", "{filter}");
        assert_eq!(value("interval.startTime").as_deref(), Some("2026-11-01T00:00:00Z"));
        assert_eq!(value("interval.endTime").as_deref(), Some("2026-11-03T00:00:00Z"));
        assert_eq!(value("pageToken").as_deref(), page);
    }
    let (got, _) = fetched(&pem, answers("monitoring_page1")?, query("vertex.input_tokens", None)).await?;
    let first = got?.rows.into_iter().next().context("no row")?;
    assert_eq!((first.bucket_start.day().as_str(), first.model.as_deref()), ("2026-11-01", Some("gemini-2.5-flash")));
    let (circle, _) = fetched(&pem, answers("monitoring_page1")?, query("vertex.input_tokens", Some("CAEQ"))).await?;
    assert_eq!(circle, Err(FetchError::BadAnswer), "a page that is its own next one");

    for (value, expected) in [
        (json!({ "int64Value": "0" }), Some(0)),
        (json!({ "int64Value": "-1" }), None),
        (json!({ "int64Value": 5 }), None),
        (json!({ "doubleValue": 5.0 }), None),
        (json!({}), None),
    ] {
        let mut cases = answers("monitoring_page2_last")?;
        let mut body: Value = serde_json::from_slice(&cases[1].body)?;
        body["timeSeries"][0]["points"][0]["value"] = value.clone();
        cases[1].body = body.to_string().into_bytes();
        let (got, _) = fetched(&pem, cases, query("vertex.input_tokens", None)).await?;
        assert_eq!(got?.rows.first().map(|row| row.tokens.input), Some(expected), "{value}");
    }
    Ok(fs::remove_dir_all(folder)?)
}

#[tokio::test]
async fn recorded_refusals_of_cloud_monitoring_have_their_reason() -> Result<()> {
    let (pem, folder) = rsa("refused")?;
    let input = || query("vertex.input_tokens", None);
    for (name, why) in [("monitoring_forbidden", "roles/monitoring.viewer"), ("monitoring_api_disabled", "is disabled")]
    {
        let (result, _) = fetched(&pem, answers(name)?, input()).await?;
        assert!(matches!(&result, Err(FetchError::NotReportable { why: said }) if said.contains(why)), "{result:?}");
    }
    for (name, expected) in [
        ("monitoring_rate_limited", FetchError::RateLimited { retry_after: None }),
        ("monitoring_unauthenticated", FetchError::BadAnswer),
        ("token_server_error", FetchError::Unreachable),
    ] {
        assert_eq!(fetched(&pem, answers(name)?, input()).await?.0, Err(expected), "{name}");
    }
    for (name, expected) in [
        ("token_bad_signature", FetchError::Refused),
        ("token_clock_skew", FetchError::Refused),
        ("token_rate_limited", FetchError::RateLimited { retry_after: None }),
        ("token_server_error", FetchError::Unreachable),
        ("monitoring_empty", FetchError::BadAnswer),
    ] {
        let (result, received) = fetched(&pem, vec![Fixture::load(&format!("google_cloud/{name}"))?], input()).await?;
        assert_eq!((result, received.len()), (Err(expected), 1), "{name}");
    }
    let (unknown, received) = fetched(&pem, answers("monitoring_empty")?, query("gossip", None)).await?;
    assert!(matches!(unknown, Err(FetchError::NotReportable { .. })) && received.is_empty(), "{unknown:?}");
    Ok(fs::remove_dir_all(folder)?)
}
