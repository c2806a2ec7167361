//! The dashboard as it is served: which paths are its own, what browsers may keep of it, what they may not do with it.
//! Each test holds whether or not `make dashboard` has run, but for those on files, which say that it must.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use reqwest::{Method, Response};
use serde_json::Value;

use crate::harness::{Keyway, http_client};

const POLICY: [(&str, &str); 5] = [
    ("x-frame-options", "DENY"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; \
         worker-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
];

#[tokio::test]
async fn the_dashboard_is_served_below_the_root_alone() -> Result<()> {
    let keyway = Keyway::embedded().await?;
    let root = keyway.api()?.root().to_owned();
    pages(&root).await?;
    files(&root).await?;
    others(&root).await?;
    keyway.finish().await
}

/// The client is made from a copy of the document in the tree: a route that changed has to be in it.
#[tokio::test]
async fn the_client_is_made_from_the_document_that_is_served() -> Result<()> {
    let keyway = Keyway::embedded().await?;
    let answer = ask(Method::GET, &format!("{}/api/openapi.json", keyway.api()?.root()), &[]).await?;
    let mut served: Value = answer.json().await?;
    served["paths"].as_object_mut().context("paths")?.retain(|path, _| path.starts_with("/api/"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboard/openapi.json");
    let stored: Value = serde_json::from_slice(&fs::read(path)?)?;
    ensure!(served == stored, "dashboard/openapi.json is stale: `make dashboard-client` makes it and the client anew");
    keyway.finish().await
}

async fn pages(root: &str) -> Result<()> {
    for path in ["/", "/integrations", "/integrations/int_0198", "/a.b/c", "/apis", "//integrations/"] {
        let answer = ask(Method::GET, &format!("{root}{path}"), &[]).await?;
        ensure!(answer.status() == 200, "{path}: {}", answer.status());
        is_header(&answer, "content-type", "text/html; charset=utf-8")?;
        is_header(&answer, "cache-control", "no-store")?;
        for (name, value) in POLICY {
            is_header(&answer, name, value)?;
        }
        let text = answer.text().await?;
        ensure!(
            !text.contains("<style") && !text.contains("style="),
            "{path}: the policy forbids inline styles: {text}"
        );
        ensure!(text.matches("<script").count() == text.matches("src=\"").count(), "{path}: no inline script: {text}");
        let head = ask(Method::HEAD, &format!("{root}{path}"), &[]).await?;
        is_header(&head, "content-length", &text.len().to_string())?;
        ensure!(head.status() == 200 && head.text().await?.is_empty(), "{path}: HEAD");
    }
    Ok(())
}

async fn files(root: &str) -> Result<()> {
    let page = ask(Method::GET, root, &[]).await?.text().await?;
    let mut sources = page.split("src=\"").filter_map(|rest| rest.split('"').next());
    let script = sources.find(|source| source.starts_with("/assets/"));
    let script = script.context("this binary holds no dashboard: `make dashboard`, then compile it again")?;
    let url = format!("{root}{script}");

    let plain = ask(Method::GET, &url, &[("accept-encoding", "gzip, br;q=0")]).await?;
    ensure!(plain.status() == 200 && plain.headers().get("content-encoding").is_none(), "{plain:?}");
    let tag = plain.headers().get("etag").context("etag")?.to_str()?.to_owned();
    let plain_bytes = plain.bytes().await?.len();
    let packed = ask(Method::GET, &url, &[("accept-encoding", "gzip, deflate, br")]).await?;
    for (name, value) in [
        ("content-encoding", "br"),
        ("vary", "accept-encoding"),
        ("content-type", "text/javascript; charset=utf-8"),
        ("cache-control", "public, max-age=31536000, immutable"),
        ("etag", &tag),
    ] {
        is_header(&packed, name, value)?;
    }
    let packed_bytes = packed.bytes().await?.len();
    ensure!(packed_bytes * 2 < plain_bytes, "{packed_bytes} of {plain_bytes} bytes");

    let known = ask(Method::GET, &format!("{root}/favicon.svg"), &[]).await?;
    is_header(&known, "cache-control", "no-cache")?;
    let tag = known.headers().get("etag").context("etag")?.to_str()?.to_owned();
    let again = ask(Method::GET, &format!("{root}/favicon.svg"), &[("if-none-match", &tag)]).await?;
    is_header(&again, "etag", &tag)?;
    ensure!(again.status() == 304 && again.bytes().await?.is_empty(), "the copy still holds");
    let other = ask(Method::GET, &format!("{root}/favicon.svg"), &[("if-none-match", "W/\"0\"")]).await?;
    ensure!(other.status() == 200, "{other:?}");

    // A page of another build asks for files that are gone: a page in their place would be run as a script.
    for path in ["/assets/gone-0a1b2c.js", "/gone.js", "/assets/gone", "/index.html.br", "/.gitkeep", "/../Cargo.toml"]
    {
        let answer = ask(Method::GET, &format!("{root}{path}"), &[]).await?;
        ensure!(answer.status() == 404, "{path}: {}", answer.status());
        is_header(&answer, "x-content-type-options", "nosniff")?;
    }
    Ok(())
}

async fn others(root: &str) -> Result<()> {
    for (method, path, status) in [
        (Method::GET, "/api", 404),
        (Method::GET, "/api/nothing", 404),
        (Method::GET, "/api/v1/nothing", 404),
        (Method::GET, "/v1/nothing", 404),
        (Method::GET, "/proxy", 404),
        (Method::GET, "/proxy/nothing", 405),
        (Method::GET, "/api/v1/integrations", 401),
        (Method::POST, "/", 404),
        (Method::POST, "/integrations", 404),
    ] {
        let answer = ask(method.clone(), &format!("{root}{path}"), &[]).await?;
        let found = answer.status().as_u16();
        // Whatever it is, a browser that opens it runs and frames nothing.
        for (name, value) in [
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'; sandbox"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
        ] {
            is_header(&answer, name, value)?;
        }
        let text = answer.text().await?;
        let is_json = serde_json::from_str::<Value>(&text).is_ok_and(|body| body["error"].is_object());
        ensure!(found == status && is_json, "{method} {path}: {found} {text}");
    }
    let document = ask(Method::GET, &format!("{root}/api/docs/"), &[]).await?;
    ensure!(document.status() == 200, "the page of the document stays: {document:?}");
    let policy = document.headers().get("content-security-policy").context("no policy")?.to_str()?.to_owned();
    ensure!(policy.contains("script-src 'self';") && policy.contains("frame-ancestors 'none'"), "{policy}");
    let page = document.text().await?;
    ensure!(page.matches("<script").count() == page.matches("<script src=\"./").count(), "no inline script: {page}");
    Ok(())
}

async fn ask(method: Method, url: &str, headers: &[(&str, &str)]) -> Result<Response> {
    let request = http_client()?.request(method, url);
    Ok(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send().await?)
}

fn is_header(answer: &Response, name: &str, expected: &str) -> Result<()> {
    let found = answer.headers().get(name).and_then(|value| value.to_str().ok());
    ensure!(found == Some(expected), "{}: {name} is {found:?}, not {expected:?}", answer.url());
    Ok(())
}
