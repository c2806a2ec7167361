//! Azure: accepted forms of an application's credential, and every recorded answer of the token endpoint and of Cost
//! Management.

use std::time::Duration;

use keyway_domain::KeyFamily;
use keyway_domain::VerdictKind::{self, Invalid, Misconfigured, RateLimited, Restricted, Unreachable, Valid};
use keyway_providers::{FetchError, Finding, UsageCall, UsagePage, UsageQuery};
use keyway_testkit::replay::{Fixture, Received, Replay};
use serde_json::{Value, json};
use url::Url;

use crate::world::{client, november, predefined, secret, target};

const TENANT: &str = "11111111-2222-3333-4444-555555555555";
const CLIENT: &str = "66666666-7777-8888-9999-aaaaaaaaaaaa";
pub(crate) const SECRET: &str = "c4n8Q~ryThi5MustN3v3rL34k.xyzXYZ_9876543";
pub(crate) const SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000000";

pub(crate) fn credential() -> Value {
    json!({ "tenant_id": TENANT, "client_id": CLIENT, "client_secret": SECRET })
}

pub(crate) fn with(field: &str, value: Value) -> String {
    let mut credential = credential();
    credential[field] = value;
    credential.to_string()
}

#[test]
fn what_cannot_be_an_applications_credential_is_refused_by_its_field() -> anyhow::Result<()> {
    let (azure, _) = predefined("azure")?;
    let facts = azure.check_format(&secret(&credential().to_string()))?;
    assert_eq!((facts.hint.as_str(), facts.family), (CLIENT, KeyFamily::Admin));
    assert!(azure.check_format(&secret(&with("tenant_id", json!("contoso.onmicrosoft.com")))).is_ok());
    assert!(azure.check_format(&secret(&with("subscription_id", json!(SUBSCRIPTION)))).is_ok());
    for (credential, expected) in [
        ("{".to_owned(), "a JSON object"),
        (json!({ "tenant_id": TENANT, "client_id": CLIENT }).to_string(), "`client_secret` is missing"),
        (with("tenant_id", json!("nope")), "neither a tenant's id nor its domain"),
        (with("tenant_id", json!("contoso.com/../evil")), "neither a tenant's id nor its domain"),
        (with("tenant_id", json!("..")), "neither a tenant's id nor its domain"),
        (with("client_id", json!("nope")), "`client_id` is not an id"),
        (with("client_secret", json!(CLIENT)), "is the secret's ID"),
        (with("client_secret", json!("11111111")), "not a client secret"),
        (with("client_secret", json!("c4n8Q~***********************xyz")), "masked"),
        (with("subscription_id", json!("Production")), "`subscription_id` is not an id"),
    ] {
        let error = azure.check_format(&secret(&credential)).err().ok_or_else(|| anyhow::anyhow!("{credential}"))?;
        assert!(error.to_string().contains(expected), "{credential}: {error}");
        assert!(!error.to_string().contains("c4n8") && !error.to_string().contains("6666"), "{error}");
    }
    Ok(())
}

fn load(names: &[&str]) -> anyhow::Result<Vec<Fixture>> {
    names.iter().map(|name| Fixture::load(&format!("azure/{name}"))).collect()
}

async fn probed(cases: Vec<Fixture>, credential: &str) -> anyhow::Result<(Finding, Vec<Received>)> {
    let server = Replay::start(cases).await?;
    let (azure, _) = predefined("azure")?;
    let base: Url = server.root.parse()?;
    let finding = azure.probe(target(&base, &secret(credential)), &client(&server.host)?).await;
    Ok((finding, server.received()))
}

#[tokio::test]
async fn every_recorded_answer_of_the_token_endpoint_is_graded() -> anyhow::Result<()> {
    let cases: [(&str, VerdictKind, Option<&str>, &str); 11] = [
        ("token_bad_secret", Invalid, Some("AADSTS7000215"), "its value"),
        ("token_secret_expired", Invalid, Some("AADSTS7000222"), "expired"),
        ("token_app_not_found", Invalid, Some("AADSTS700016"), "no such application"),
        ("token_app_disabled", Invalid, Some("AADSTS7000112"), "disabled"),
        ("token_tenant_not_found", Invalid, Some("AADSTS90002"), "no such tenant"),
        ("token_bad_tenant_format", Invalid, Some("AADSTS900023"), "tenant id"),
        ("token_conditional_access", Unreachable, Some("AADSTS53003"), "Conditional Access"),
        ("token_bad_scope", Misconfigured, None, "says nothing about the key"),
        ("token_rate_limited", RateLimited, None, "wait"),
        ("token_server_error", Unreachable, None, "an error of its own"),
        ("subscriptions_ok", Misconfigured, None, "documented form"),
    ];
    for (name, expected, code, says) in cases {
        let case = Fixture::load(&format!("azure/{name}"))?;
        let status = case.status;
        let (finding, received) = probed(vec![case], &credential().to_string()).await?;
        assert_eq!(finding.kind, expected, "{name}: {finding:?}");
        assert_eq!(finding.evidence.http_status, Some(status), "{name}");
        assert_eq!(finding.evidence.provider_code.as_deref(), code, "{name}");
        assert!(finding.evidence.reason.contains(says), "{name}: {finding:?}");
        let shown = format!("{finding:?}");
        assert!(["Trace", CLIENT, TENANT, SECRET].iter().all(|text| !shown.contains(text)), "{shown}");
        assert_eq!(finding.retry_after, (name == "token_rate_limited").then_some(Duration::from_secs(10)), "{name}");

        assert_eq!(received.len(), 1, "{name}");
        let asked = received.first().ok_or_else(|| anyhow::anyhow!("nothing was asked"))?;
        assert_eq!(asked.line, format!("POST /{TENANT}/oauth2/v2.0/token"));
        let form: Vec<_> = url::form_urlencoded::parse(&asked.body).into_owned().collect();
        let expected = [
            ("client_id", CLIENT),
            ("client_secret", SECRET),
            ("scope", "https://management.azure.com/.default"),
            ("grant_type", "client_credentials"),
        ];
        assert_eq!(form, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    Ok(())
}

#[tokio::test]
async fn a_token_without_a_role_is_a_restricted_credential() -> anyhow::Result<()> {
    let other = with("subscription_id", json!("99999999-0000-0000-0000-000000000000"));
    let own = with("subscription_id", json!(SUBSCRIPTION));
    let plain = credential().to_string();
    for (answer, credential, expected) in [
        ("subscriptions_ok", &plain, Valid),
        ("subscriptions_ok", &own, Valid),
        ("subscriptions_ok", &other, Restricted),
        ("subscriptions_none", &plain, Restricted),
        ("server_error", &plain, Unreachable),
        ("cost_forbidden", &plain, Misconfigured),
    ] {
        let (finding, received) = probed(load(&["token_ok", answer])?, credential).await?;
        assert_eq!(finding.kind, expected, "{answer}: {finding:?}");
        assert_eq!(finding.evidence.reason.contains("Cost Management Reader"), expected == Restricted, "{finding:?}");
        let asked = received.last().ok_or_else(|| anyhow::anyhow!("nothing was asked"))?;
        assert_eq!(asked.line, "GET /subscriptions?api-version=2022-12-01");
        assert_eq!(asked.headers["authorization"], "Bearer eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.EXAMPLE.SIG");
    }
    Ok(())
}

fn query(page: Option<&str>) -> UsageQuery<'_> {
    UsageQuery { source: "costs", window: november(10, 60), page, provider_key_ids: &[] }
}

async fn fetched(
    cases: Vec<Fixture>,
    credential: &str,
    page: Option<&str>,
) -> anyhow::Result<(Result<UsagePage, FetchError>, Vec<Received>)> {
    let server = Replay::start(cases).await?;
    let (azure, _) = predefined("azure")?;
    let base: Url = server.root.parse()?;
    let page = azure
        .usage_page(UsageCall {
            target: target(&base, &secret(credential)),
            query: query(page),
            http: &client(&server.host)?,
        })
        .await;
    Ok((page, server.received()))
}

/// One page of costs, with the subscription in the credential.
async fn costs(case: Fixture) -> anyhow::Result<Result<UsagePage, FetchError>> {
    let own = with("subscription_id", json!(SUBSCRIPTION));
    Ok(fetched(vec![Fixture::load("azure/token_ok")?, case], &own, None).await?.0)
}

fn edited(name: &str, edit: impl FnOnce(&mut Value)) -> anyhow::Result<Fixture> {
    let mut case = Fixture::load(&format!("azure/{name}"))?;
    let mut body: Value = serde_json::from_slice(&case.body)?;
    edit(&mut body["properties"]);
    case.body = body.to_string().into_bytes();
    Ok(case)
}

fn sum(page: &UsagePage) -> Option<i64> {
    page.rows.iter().map(|row| row.cost_nano_usd).sum()
}

#[tokio::test]
async fn recorded_costs_are_read_by_the_names_of_their_columns() -> anyhow::Result<()> {
    for (name, nano_usd, rows) in
        [("cost_page2_last", 250_000_000, 1), ("cost_empty", 0, 0), ("cost_no_content_204", 0, 0)]
    {
        let page = costs(Fixture::load(&format!("azure/{name}"))?).await??;
        assert_eq!((sum(&page), page.rows.len(), page.next.as_deref()), (Some(nano_usd), rows, None), "{name}");
    }
    let turned = edited("cost_page1", |it| {
        it["nextLink"] = Value::Null;
        it["columns"].as_array_mut().expect("a list").reverse();
        it["rows"]
            .as_array_mut()
            .expect("a list")
            .iter_mut()
            .for_each(|row| row.as_array_mut().expect("a row").reverse());
    })?;
    let page = costs(turned).await??;
    let row = page.rows.first().ok_or_else(|| anyhow::anyhow!("no row"))?;
    assert_eq!((row.bucket_start.day().as_str(), row.bucket_end.day().as_str()), ("2026-11-01", "2026-11-02"));
    // Two meters of one service on one day, each rounded to a nano-USD.
    assert_eq!(
        (row.line_item.as_deref(), sum(&page), page.rows.len()),
        (Some("Cognitive Services"), Some(1_734_567_890), 1)
    );
    Ok(())
}

#[tokio::test]
async fn the_next_page_is_asked_for_at_our_own_host_and_no_link_is_followed() -> anyhow::Result<()> {
    // The recorded link leads to Azure's own host, which is not the one that this integration is bound to.
    assert_eq!(costs(Fixture::load("azure/cost_page1")?).await?, Err(FetchError::BadAnswer));
    let without_token = edited("cost_page1", |it| it["nextLink"] = json!("/relative"))?;
    assert_eq!(costs(without_token).await?, Err(FetchError::BadAnswer));

    let (azure, _) = predefined("azure")?;
    let mut cases =
        load(&["token_ok", "subscriptions_ok", "cost_page1", "token_ok", "subscriptions_ok", "cost_page2_last"])?;
    let server = Replay::start_with(|root| {
        let linked = String::from_utf8_lossy(&cases[2].body).replace("https://management.azure.com", root);
        cases[2].body = linked.into_bytes();
        cases
    })
    .await?;
    let base: Url = server.root.parse()?;
    let (key, http) = (secret(&credential().to_string()), client(&server.host)?);
    let first = azure.usage_page(UsageCall { target: target(&base, &key), query: query(None), http: &http }).await?;
    assert_eq!(first.next.as_deref(), Some("AQAAAA=="));
    let last = azure
        .usage_page(UsageCall { target: target(&base, &key), query: query(first.next.as_deref()), http: &http })
        .await?;
    assert_eq!(last.next, None);
    let received = server.received();
    let path =
        format!("POST /subscriptions/{SUBSCRIPTION}/providers/Microsoft.CostManagement/query?api-version=2025-03-01");
    let asked: Vec<_> =
        received.iter().map(|asked| asked.line.as_str()).filter(|line| line.starts_with(&path)).collect();
    assert_eq!(asked, [path.clone(), format!("{path}&%24skiptoken=AQAAAA%3D%3D")]);
    let question: Value = serde_json::from_slice(&received[5].body)?;
    assert_eq!(question["timePeriod"], json!({ "from": "2026-11-01T00:00:00Z", "to": "2026-11-03T23:59:59Z" }));
    assert_eq!(received[2].body, received[5].body);
    Ok(())
}

#[tokio::test]
async fn an_amount_that_is_no_plain_number_of_dollars_is_unknown() -> anyhow::Result<()> {
    for (cost, currency, expected) in [
        (json!(0), json!("USD"), Some(Some(0))),
        (json!(1e-7), json!("USD"), Some(Some(100))),
        (json!(-0.5), json!("USD"), Some(None)),
        (json!(7), json!("EUR"), Some(None)),
        (json!(7), Value::Null, Some(None)),
        (Value::Null, json!("USD"), Some(None)),
    ] {
        let case =
            edited("cost_empty", |it| it["rows"] = json!([[cost, 20_261_101, "Foundry Models", "m", currency]]))?;
        let page = costs(case).await??;
        assert_eq!(page.rows.first().map(|row| row.cost_nano_usd), expected, "{cost} {currency}");
    }
    for date in [json!("soon"), json!(20_261_301), json!(1), Value::Null] {
        let case = edited("cost_empty", |it| it["rows"] = json!([[1, date, "Foundry Models", "m", "USD"]]))?;
        assert_eq!(costs(case).await?, Err(FetchError::BadAnswer), "{date}");
    }
    Ok(())
}

#[tokio::test]
async fn recorded_refusals_of_cost_management_have_their_reason() -> anyhow::Result<()> {
    let cases =
        [("cost_forbidden", "Reader"), ("cost_rbac_denied_401", "Reader"), ("cost_unsupported_offer", "partner")];
    for (name, why) in cases {
        let result = costs(Fixture::load(&format!("azure/{name}"))?).await?;
        assert!(matches!(&result, Err(FetchError::NotReportable { why: said }) if said.contains(why)), "{result:?}");
    }
    for (name, expected) in [
        ("cost_rate_limited", FetchError::RateLimited { retry_after: Some(Duration::from_secs(36)) }),
        ("cost_expired_token", FetchError::BadAnswer),
        ("cost_invalid_token", FetchError::BadAnswer),
        ("subscriptions_ok", FetchError::BadAnswer),
        ("server_error", FetchError::Unreachable),
    ] {
        assert_eq!(costs(Fixture::load(&format!("azure/{name}"))?).await?, Err(expected), "{name}");
    }
    for (name, expected) in [
        ("token_bad_secret", FetchError::Refused),
        ("token_conditional_access", FetchError::Refused),
        ("token_rate_limited", FetchError::RateLimited { retry_after: Some(Duration::from_secs(10)) }),
        ("token_server_error", FetchError::Unreachable),
    ] {
        let (result, received) = fetched(load(&[name])?, &credential().to_string(), None).await?;
        assert_eq!((result, received.len()), (Err(expected), 1), "{name}");
    }
    let (none, _) = fetched(load(&["token_ok", "subscriptions_none"])?, &credential().to_string(), None).await?;
    assert!(matches!(none, Err(FetchError::NotReportable { why }) if why.contains("Reader")), "{none:?}");
    Ok(())
}
