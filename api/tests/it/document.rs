//! The OpenAPI document and the page that shows it.

use anyhow::{Context, Result, ensure};
use reqwest::Method;

use crate::fixture::{Api, send};

#[tokio::test]
async fn the_document_and_its_page_are_open_and_complete() -> Result<()> {
    let api = Api::sqlite().await?;
    let served = send(api.anonymous(Method::GET, "/api/openapi.json")).await?.expect(200)?;
    ensure!(served.json == serde_json::to_value(keyway_api::openapi_document())?);
    for path in ["/api/docs", "/api/docs/", "/api/docs/swagger-ui.css", "/api/docs/swagger-initializer.js"] {
        let page = send(api.anonymous(Method::GET, path)).await?.expect(200)?;
        ensure!(!page.text.is_empty() && !page.header("content-type").is_empty(), "{path}");
    }
    send(api.anonymous(Method::GET, "/api/docs/no-such-file")).await?.expect_error(404, "not_found")?;
    let initializer = send(api.anonymous(Method::GET, "/api/docs/swagger-initializer.js")).await?;
    ensure!(initializer.text.contains("/api/openapi.json"));
    Ok(())
}

#[test]
fn every_operation_says_what_it_takes_and_what_can_go_wrong() -> Result<()> {
    let document = serde_json::to_value(keyway_api::openapi_document())?;
    let mut dangling = Vec::new();
    references(&document, &document, &mut dangling);
    ensure!(dangling.is_empty(), "{dangling:?}");
    for (path, methods) in document["paths"].as_object().context("no paths")? {
        for (method, operation) in methods.as_object().context("no methods")? {
            let name = format!("{method} {path}");
            let responses = operation["responses"].as_object().context("no responses")?;
            let succeeds = responses.iter().find(|(status, _)| status.starts_with('2')).context(name.clone())?;
            ensure!(succeeds.0 == "204" || succeeds.1["content"]["application/json"].is_object(), "{name}: no schema");
            for status in ["400", "401", "403", "500", "503"] {
                let schema = &responses[status]["content"]["application/json"]["schema"]["$ref"];
                ensure!(schema == "#/components/schemas/ErrorBody", "{name} {status}: {schema}");
            }
            ensure!(!path.contains('{') || responses.contains_key("404"), "{name}: 404");
            ensure!(operation["requestBody"].is_null() || responses.contains_key("422"), "{name}: 422");
            ensure!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{name}: no summary");
        }
    }
    Ok(())
}

fn references(node: &serde_json::Value, document: &serde_json::Value, dangling: &mut Vec<String>) {
    match node {
        serde_json::Value::Object(fields) => {
            if let Some(target) = fields.get("$ref").and_then(|target| target.as_str())
                && document.pointer(target.trim_start_matches('#')).is_none()
            {
                dangling.push(target.to_owned());
            }
            fields.values().for_each(|field| references(field, document, dangling));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| references(item, document, dangling)),
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
