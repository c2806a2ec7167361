//! The OpenAPI document and the page that shows it.

use std::collections::HashSet;

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::fixture::{Api, send};

#[tokio::test]
async fn the_document_and_its_page_are_open_and_complete() -> Result<()> {
    let api = Api::sqlite().await?;
    let served = send(api.anonymous(Method::GET, "/api/openapi.json")).await?.expect(200)?;
    ensure!(served.json == document()?);
    for path in ["/api/docs", "/api/docs/", "/api/docs/swagger-ui.css", "/api/docs/swagger-initializer.js"] {
        let page = send(api.anonymous(Method::GET, path)).await?.expect(200)?;
        ensure!(!page.text.is_empty() && !page.header("content-type").is_empty(), "{path}");
    }
    send(api.anonymous(Method::GET, "/api/docs/no-such-file")).await?.expect_error(404, "not_found")?;
    let initializer = send(api.anonymous(Method::GET, "/api/docs/swagger-initializer.js")).await?;
    ensure!(initializer.text.contains("/api/openapi.json"));
    Ok(())
}

/// The document of both doors.
pub(crate) fn document() -> Result<Value> {
    let mut document = keyway_api::openapi_document();
    keyway_proxy::describe(&mut document);
    Ok(serde_json::to_value(document)?)
}

/// Returns every operation, by its method and path.
pub(crate) fn operations() -> Result<Vec<(String, Value)>> {
    let mut found = Vec::new();
    for (path, methods) in document()?["paths"].as_object().context("no paths")? {
        for (method, operation) in methods.as_object().context("no methods")? {
            found.push((format!("{method} {path}"), operation.clone()));
        }
    }
    Ok(found)
}

/// Returns `true` for an operation of the management API; the others are the proxy's, or anybody's to read.
pub(crate) fn is_managed(name: &str) -> bool {
    ![" /proxy/", " /v1/", " /content/"].iter().any(|beginning| name.contains(beginning))
}

#[test]
fn every_operation_says_what_it_takes_and_what_can_go_wrong() -> Result<()> {
    for (name, operation) in operations()?.iter().filter(|(name, _)| is_managed(name)) {
        let responses = operation["responses"].as_object().context("no responses")?;
        let is_redirect = name.contains("/oidc/");
        let of_success = |status: &str| status.starts_with('2') || is_redirect && status == "303";
        let succeeds = responses.iter().find(|(status, _)| of_success(status)).context(name.clone())?;
        let has_schema =
            ["application/json", "text/event-stream"].iter().any(|kind| succeeds.1["content"][kind].is_object());
        ensure!(is_redirect || succeeds.0 == "204" || has_schema, "{name}: no schema");
        for parameter in operation["parameters"].as_array().into_iter().flatten().filter(|it| it["in"] == "path") {
            let place = format!("{{{}}}", parameter["name"].as_str().unwrap_or_default());
            ensure!(name.contains(&place), "{name}: {place} is not in its path");
        }
        for status in ["400", "401", "403", "500", "503"] {
            let schema = &responses[status]["content"]["application/json"]["schema"]["$ref"];
            ensure!(schema == "#/components/schemas/ErrorBody", "{name} {status}: {schema}");
        }
        ensure!(!name.contains('{') || responses.contains_key("404"), "{name}: 404");
        ensure!(operation["requestBody"].is_null() || responses.contains_key("422"), "{name}: 422");
        ensure!(is_redirect || !name.starts_with("get ") || responses.contains_key("304"), "{name}: 304");
    }
    Ok(())
}

#[test]
fn every_operation_in_a_tenant_takes_the_header_that_chooses_it() -> Result<()> {
    for (name, operation) in operations()?.iter().filter(|(name, _)| is_managed(name)) {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let takes = parameters.filter(|parameter| parameter["name"] == "Keyway-Tenant").count();
        let is_of_one = ![
            "/api/v1/tenants",
            "/api/v1/sessions",
            "/api/v1/setup",
            "/api/v1/oidc/",
            "/invitations/accept",
            "/password-resets",
            "/me/notifications",
            "patch /api/v1/me",
            "/api/v1/me/",
        ]
        .iter()
        .any(|other| name == other || *other != "patch /api/v1/me" && name.contains(other));
        ensure!(takes == usize::from(is_of_one), "{name}: {takes}");
    }
    Ok(())
}

#[test]
fn the_proxys_routes_say_who_may_call_and_what_keyway_itself_answers() -> Result<()> {
    let document = document()?;
    let proxied: Vec<_> =
        operations()?.into_iter().filter(|(name, _)| !is_managed(name) && !name.contains(" /content/")).collect();
    for wanted in [
        "post /proxy/{provider}",
        "post /proxy/{provider}/stream",
        "get /proxy/{provider}/{path}",
        "delete /proxy/{provider}/{path}",
        "post /v1/chat/completions",
        "post /v1/completions",
        "post /v1/embeddings",
        "post /v1/messages",
        "post /v1/messages/count_tokens",
        "get /v1/models",
        "get /v1/models/{id}",
        "get /v1/realtime",
    ] {
        ensure!(proxied.iter().any(|(name, _)| name == wanted), "{wanted} is missing");
    }
    for (name, operation) in &proxied {
        let schemes: Vec<_> = operation["security"].as_array().into_iter().flatten().collect();
        ensure!(schemes.len() == 4, "{name}: {schemes:?}");
        for scheme in schemes.iter().filter_map(|scheme| scheme.as_object()?.keys().next()) {
            ensure!(document["components"]["securitySchemes"][scheme].is_object(), "{name}: {scheme}");
        }
        for status in ["401", "402", "429"] {
            let schema = &operation["responses"][status]["content"]["application/json"]["schema"]["$ref"];
            ensure!(schema == "#/components/schemas/ProxyError", "{name} {status}: {schema}");
        }
        ensure!(operation["description"].as_str().is_some_and(|text| text.contains("x-keyway-error")), "{name}");
        for (status, code) in [("409", "integration_error"), ("413", "body_too_large"), ("504", "upstream_timeout")] {
            let said = operation["responses"][status]["description"].as_str().context(name.clone())?;
            ensure!(said.contains(&format!("`{code}`")), "{name} {status}: {said}");
        }
    }
    Ok(())
}

/// Features that some generator of clients refuses: `scripts/check_document.py` runs them.
#[test]
fn nothing_is_in_it_that_makers_of_clients_refuse() -> Result<()> {
    let document = document()?;
    let mut dangling = Vec::new();
    references(&document, &document, &mut dangling);
    ensure!(dangling.is_empty(), "{dangling:?}");
    ensure!(!document.to_string().contains("prefixItems"), "a tuple is in it");
    let mut ids = HashSet::new();
    for (name, operation) in operations()? {
        let id = operation["operationId"].as_str().context(name.clone())?.to_owned();
        ensure!(id.contains('_') && id.bytes().all(|it| it.is_ascii_lowercase() || it == b'_'), "{name}: {id}");
        ensure!(ids.insert(id.clone()), "{name}: {id} is that of another operation");
        ensure!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{name}: no summary");
        let responses = operation["responses"].as_object().context("no responses")?;
        ensure!(
            responses.keys().any(|status| status.starts_with('2') || ["101", "303"].contains(&status.as_str())),
            "{name}: none succeeds"
        );
        for (status, response) in responses {
            ensure!(response["description"].as_str().is_some_and(|text| !text.is_empty()), "{name} {status}");
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            ensure!(parameter["schema"].is_object(), "{name}: {parameter}");
        }
    }
    Ok(())
}

#[test]
fn words_have_all_their_values_and_fields_their_bounds() -> Result<()> {
    let document = document()?;
    let schema = |name: &str| document["components"]["schemas"][name].clone();
    for (name, values) in [
        ("IntegrationStatus", &["verifying", "connected", "error", "disabled"][..]),
        ("OperationState", &["queued", "running", "succeeded", "failed", "cancelled"]),
        ("OperationKind", &["verify_key", "plan_usage", "fetch_usage", "revoke", "send_mail", "check_schema"]),
        ("OperationOrigin", &["request", "schedule", "parent"]),
        ("CallOutcome", &["completed", "broken_off", "settled", "refused"]),
        ("GroupBy", &["provider", "model", "integration", "project", "day", "hour", "virtual_key", "credential"]),
        ("Ledger", &["metered", "reported"]),
        ("Credential", &["own", "fallback"]),
        ("KeyFamily", &["ordinary", "admin"]),
        ("AuthStyle", &["bearer", "api_key", "x_api_key"]),
    ] {
        ensure!(schema(name)["enum"] == json!(values), "{name}: {}", schema(name));
    }
    ensure!(schema("VerdictKind")["enum"].as_array().map(Vec::len) == Some(keyway_domain::VerdictKind::ALL.len()));
    let status = &schema("IntegrationView")["properties"]["status"]["$ref"];
    ensure!(status == "#/components/schemas/IntegrationStatus", "{status}");
    for (name, field, bounds) in [
        ("IntegrationInput", "name", json!({ "minLength": 1, "maxLength": 100 })),
        ("IntegrationInput", "priority", json!({ "minimum": 0, "maximum": 100 })),
        ("IntegrationInput", "weight", json!({ "minimum": 1, "maximum": 1000 })),
        ("LimitsInput", "tokens_per_minute", json!({ "minimum": 0, "maximum": 9_007_199_254_740_991_i64 })),
        ("ProviderInput", "models", json!({ "maxItems": 500 })),
        ("VirtualKeyInput", "expires_at", json!({ "format": "date-time" })),
        ("ProjectId", "", json!({ "pattern": "^prj_[0-9a-f]{32}$" })),
    ] {
        let schema = if field.is_empty() { schema(name) } else { schema(name)["properties"][field].clone() };
        for (bound, value) in bounds.as_object().into_iter().flatten() {
            ensure!(&schema[bound] == value, "{name}.{field}: {schema}");
        }
    }
    Ok(())
}

fn references(node: &Value, document: &Value, dangling: &mut Vec<String>) {
    match node {
        Value::Object(fields) => {
            if let Some(target) = fields.get("$ref").and_then(|target| target.as_str())
                && document.pointer(target.trim_start_matches('#')).is_none()
            {
                dangling.push(target.to_owned());
            }
            fields.values().for_each(|field| references(field, document, dangling));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, document, dangling)),
        _ => {}
    }
}

#[tokio::test]
async fn requests_are_counted_by_template_never_by_path() -> Result<()> {
    let api = Api::sqlite().await?;
    let id = keyway_domain::ProjectId::new();
    api.get(&format!("/api/v1/projects/{id}")).await?.expect(404)?;
    api.get("/some/path").await?.expect(404)?;
    let metrics = String::from_utf8(keyway_telemetry::metrics().encode())?;
    for (route, method) in [("/api/v1/projects/{id}", "GET"), ("unmatched", "any")] {
        let line = format!("keyway_api_requests_total{{method=\"{method}\",route=\"{route}\",status=\"404\"}}");
        ensure!(metrics.contains(&line), "{line} is missing");
    }
    ensure!(!metrics.contains("some/path") && !metrics.contains(&id.to_string()));
    Ok(())
}
