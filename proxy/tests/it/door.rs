//! Entrances of callers: paths in every spelling, keys in the query, web pages, and Keyway's own errors in the caller's
//! shape.

use keyway_domain::{Invalidation, Timestamp};
use keyway_http::ServerLimits;
use keyway_proxy::CorsOrigins;
use keyway_store::{provider_models, providers};
use serde_json::{Value, json};

use super::{
    front::Front,
    harness::{Harness, Key, chat},
    scripted::{Reply, Scripted, behind, raw, trusting},
};

const GEMINI: &str = "/proxy/gemini/v1beta/models/gemini-2.5-flash:generateContent";

/// Requests a path exactly as written, and returns the answer.
async fn get(url: &str, path: &str, key: &Key) -> String {
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n", key.text);
    raw(url, &request).await
}

#[tokio::test]
async fn slashes_are_folded_and_names_keep_theirs() {
    let (mut provider, harness, key) = behind(Scripted::by(|_| Reply::json(200, "{}")).await).await;
    let front = Front::of(&harness, ServerLimits::default()).await;
    for (path, asked) in [
        ("/v1//files", "/v1/files"),
        ("//v1/files", "/v1/files"),
        ("/v1/files/", "/v1/files"),
        ("/v1/files//?limit=2", "/v1/files?limit=2"),
        ("/proxy/openai//v1///models//", "/v1/models"),
        ("//proxy//openai/v1/files/file-1/content/?a=//b/", "/v1/files/file-1/content?a=//b/"),
        ("/proxy/openai/v1/models/meta-llama%2FLlama-3.1-8B", "/v1/models/meta-llama%2FLlama-3.1-8B"),
        ("/proxy/openai/v1/models//meta-llama%2fLlama", "/v1/models/meta-llama%2fLlama"),
        ("/v1/files/a%2Fb", "/v1/files/a%2Fb"),
        ("/proxy/openai/v1/files/a%20b", "/v1/files/a%20b"),
    ] {
        let answer = get(&front.url, path, &key).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
        let sent = provider.requests.recv().await.unwrap();
        assert!(sent.starts_with(&format!("GET {asked} HTTP/1.1\r\n")), "{path}: {sent}");
    }
    for path in [
        "/proxy/openai/v1/./models",
        "/proxy/openai/v1/%2e/models",
        "/proxy/openai/v1/%2E%2e/models",
        "/v1/files/./x",
        "/v1/files/%2e%2e/x",
        "/v1//files/..",
        "/proxy/openai/v1/files/a%2F..%2Fb",
    ] {
        let answer = get(&front.url, path, &key).await;
        assert!(
            answer.starts_with("HTTP/1.1 400 ") && answer.contains("x-keyway-error: invalid_path"),
            "{path}: {answer}"
        );
    }
    assert!(provider.requests.try_recv().is_err(), "what is refused goes nowhere");
}

#[tokio::test]
async fn a_model_is_found_by_its_name_however_its_slash_is_written() {
    let (_provider, harness, key) = behind(Scripted::by(|_| Reply::json(200, "{}")).await).await;
    let models = ["meta-llama/Llama-3.1-8B", "llama3:8b", "GPT-OSS:120B-cloud", "a/b/c"];
    let tx = harness.store.tenant(harness.tenant).await.unwrap();
    providers::insert(&tx, "acme", "Acme", &harness.simulator.base_url, "bearer", Timestamp::now()).await.unwrap();
    let names: Vec<_> = models.iter().map(|&model| model.to_owned().into()).collect();
    provider_models::insert(&tx, "acme", &names, Timestamp::now()).await.unwrap();
    tx.commit().await.unwrap();
    harness.integration_of("acme", "a-key", None).await;
    harness.proxy.forget(harness.tenant, Invalidation::Providers);
    for model in models {
        for path in [model.to_owned(), model.replace('/', "%2F"), model.replace('/', "%2f").replace(':', "%3A")] {
            let answer = get(&harness.url, &format!("/v1/models/{path}"), &key).await;
            assert!(
                answer.starts_with("HTTP/1.1 200 ") && answer.contains(&format!("\"id\":\"{model}\"")),
                "{path}: {answer}"
            );
        }
    }
    assert!(get(&harness.url, "/v1/models/meta-llama", &key).await.contains("x-keyway-error: model_not_found"));
}

#[tokio::test]
async fn a_key_in_the_query_opens_googles_paths_alone_and_goes_no_further() {
    let mut provider = Scripted::by(|_| Reply::json(200, "{}")).await;
    let harness = trusting(&provider).await;
    for name in ["gemini", "openai"] {
        harness.integration_at(name, "a-key", &provider.base_url).await;
    }
    let key = harness.virtual_key(None).await;
    for (path, opens) in [
        (GEMINI, true),
        ("/proxy/gemini/v1beta/models/gemini-2.5-flash:streamGenerateContent", true),
        ("/proxy/gemini/v1beta/files", true),
        ("/proxy/gemini/v1beta/openai/chat/completions", true),
        ("/proxy/openai/v1/chat/completions", false),
        ("/proxy/openai/v1/responses", false),
        ("/v1/chat/completions", false),
        ("/v1/files", false),
    ] {
        for query in [format!("key={}&alt=sse", key.text), format!("alt=sse&k%65y={}", key.text)] {
            let answer =
                harness.http.post(format!("{}{path}?{query}", harness.url)).json(&chat(false)).send().await.unwrap();
            if opens {
                assert_eq!(answer.status(), 200, "{path}");
                let sent = provider.requests.recv().await.unwrap();
                assert!(sent.lines().next().unwrap().ends_with("?alt=sse HTTP/1.1"), "{sent}");
                assert!(!sent.contains(&key.text) && sent.contains("a-key"), "{sent}");
            } else {
                assert_eq!(answer.status(), 401, "{path}");
                assert_eq!(answer.headers()["x-keyway-error"], "missing_virtual_key", "{path}");
            }
        }
    }
    let wrong = harness.http.post(format!("{}{GEMINI}?key=AIzaSomething", harness.url)).json(&json!({}));
    assert_eq!(wrong.send().await.unwrap().headers()["x-keyway-error"], "invalid_virtual_key");
    assert!(provider.requests.try_recv().is_err());
}

/// Builds a proxy for these pages, whose provider permits others in its own headers.
async fn for_pages(cors: CorsOrigins) -> (Scripted, Harness, Key) {
    let provider = Scripted::by(|_| {
        Reply::of(200, "access-control-allow-origin: https://provider.example\r\naccess-control-max-age: 1\r\n", "{}")
    });
    let (provider, mut harness, key) = behind(provider.await).await;
    harness.settings.cors = cors;
    harness.restart().await;
    (provider, harness, key)
}

#[tokio::test]
async fn pages_that_may_call_are_told_so_on_every_answer() {
    const PAGE: &str = "https://app.example.com";
    let listed = CorsOrigins::Listed(vec![PAGE.to_owned()]);
    for (cors, origin, allowed) in [
        (CorsOrigins::Any, PAGE, Some("*")),
        (CorsOrigins::Any, "http://localhost:5173", Some("*")),
        (CorsOrigins::Any, "null", Some("*")),
        (listed.clone(), PAGE, Some(PAGE)),
        (listed.clone(), "https://other.example.com", None),
        (listed, "http://app.example.com", None),
        (CorsOrigins::Listed(Vec::new()), PAGE, None),
    ] {
        let (_provider, harness, key) = for_pages(cors.clone()).await;
        let told = |answer: &reqwest::Response, name: &str| {
            answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
        };
        let url = |path: &str| format!("{}{path}", harness.url);
        for path in ["/v1/chat/completions", "/v1/messages", GEMINI, "/v1/nothing"] {
            let asked = harness.http.request(http::Method::OPTIONS, url(path)).header("origin", origin);
            let asked = asked.header("access-control-request-method", "POST");
            let answer =
                asked.header("access-control-request-headers", "authorization, x-stainless-os").send().await.unwrap();
            assert_eq!(told(&answer, "access-control-allow-origin").as_deref(), allowed, "{cors:?} {path}");
            assert_eq!(answer.status() == 204, allowed.is_some(), "{cors:?} {path}");
            let named = allowed.map(|_| "authorization, x-stainless-os");
            assert_eq!(told(&answer, "access-control-allow-headers").as_deref(), named, "{path}");
        }
        let post = |path: &str| harness.http.post(url(path)).header("origin", origin).json(&chat(false));
        for (request, status) in [
            (post("/v1/chat/completions").bearer_auth(&key.text), 200),
            (post("/v1/chat/completions"), 401),
            (post("/v1/nothing").bearer_auth(&key.text), 404),
            (harness.http.get(url("/v1/models")).header("origin", origin).bearer_auth(&key.text), 200),
        ] {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), status);
            assert_eq!(told(&answer, "access-control-allow-origin").as_deref(), allowed, "{cors:?} {status}");
            let exposed = allowed.map(|_| "*");
            assert_eq!(told(&answer, "access-control-expose-headers").as_deref(), exposed, "{cors:?}");
            assert_eq!(told(&answer, "access-control-max-age"), None, "the provider's own");
            let varies = allowed == Some(PAGE);
            assert_eq!(told(&answer, "vary").is_some_and(|vary| vary.contains("origin")), varies, "{cors:?}");
        }
    }
    let (_provider, harness, key) = for_pages(CorsOrigins::Any).await;
    let plain = harness.post("/v1/chat/completions", &key, &chat(false)).send().await.unwrap();
    assert!(!plain.headers().contains_key("access-control-allow-origin"), "nobody asked");
}

#[tokio::test]
async fn a_refusal_is_told_as_the_callers_sdk_reads_it() {
    let harness = Harness::start().await;
    for (path, header, pointers) in [
        ("/v1/chat/completions", "x-request-id", &["/error/code"][..]),
        ("/proxy/openai/v1/responses", "x-request-id", &["/error/code"]),
        ("/v1/messages", "request-id", &["/error/details/error_code", "/error/code"]),
        ("/proxy/anthropic/v1/messages/count_tokens", "request-id", &["/error/details/error_code"]),
        (GEMINI, "x-request-id", &["/error/details/0/reason"]),
        ("/proxy/cohere/v2/chat", "x-request-id", &["/code"]),
        ("/proxy/cohere/v2/embed", "x-request-id", &["/code"]),
    ] {
        let answer = harness.http.post(format!("{}{path}", harness.url)).json(&json!({})).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{path}");
        let id = answer.headers()["x-keyway-request-id"].to_str().unwrap().to_owned();
        assert!(id.starts_with("req_") && answer.headers()[header] == id.as_str(), "{path}");
        let other = if header == "request-id" { "x-request-id" } else { "request-id" };
        assert!(!answer.headers().contains_key(other), "{path}");
        let body: Value = answer.json().await.unwrap();
        for pointer in pointers {
            let code = body.pointer(pointer).and_then(Value::as_str).unwrap();
            assert_eq!(code.to_ascii_lowercase(), "missing_virtual_key", "{path}: {body}");
        }
        let kind = body.pointer("/error/type").or_else(|| body.pointer("/error/status"));
        let expected = if path == GEMINI { "UNAUTHENTICATED" } else { "authentication_error" };
        assert!(path.contains("cohere") || kind.unwrap() == expected, "{path}: {body}");
        assert_eq!(body.get("type").is_some(), header == "request-id", "{path}: {body}");
    }
}

#[tokio::test]
async fn a_wrong_base_url_is_told_the_right_one() {
    let (harness, key) = Harness::ready().await;
    let front = Front::of(&harness, ServerLimits::default()).await;
    for (path, base) in [
        ("/chat/completions", "http://<this host>/v1"),
        ("/responses", "http://<this host>/v1"),
        ("/messages", "http://<this host>/v1"),
        ("/v1/v1/chat/completions", "http://<this host>/v1"),
        ("/v1/v1/messages", "http://<this host>/v1"),
        ("/v1beta/models/gemini-2.5-flash:generateContent", "http://<this host>/proxy/gemini"),
        ("/v1alpha/models", "http://<this host>/proxy/gemini"),
        ("/openai/v1/chat/completions", "http://<this host>/proxy/groq"),
        ("/openai/deployments/x/chat/completions", "http://<this host>/proxy/azure_openai"),
        ("/api/v1/chat/completions", "http://<this host>/proxy/openrouter"),
        ("/anthropic/v1/messages", "http://<this host>/proxy/deepseek"),
        ("/v2/chat", "http://<this host>/proxy/cohere"),
        ("/compatibility/v1/chat/completions", "http://<this host>/proxy/cohere"),
        ("/v1/fim/completions", "http://<this host>/proxy/mistral"),
        ("/v1/assistants", "http://<this host>/proxy/openai/v1"),
    ] {
        let answer = harness.http.post(format!("{}{path}", front.url)).bearer_auth(&key.text).json(&chat(false));
        let answer = answer.send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["x-keyway-error"]),
            (404, &"unknown_route".parse().unwrap()),
            "{path}"
        );
        let text = answer.text().await.unwrap();
        assert!(text.contains(&format!("{base}\"")) || text.contains(&format!("{base};")), "{path}: {text}");
    }
    let management = harness.http.get(format!("{}/api/v1/nothing", front.url)).send().await.unwrap();
    assert!(!management.headers().contains_key("x-keyway-error"), "what is no provider's is the API's own affair");
}

#[tokio::test]
async fn a_target_of_another_form_and_a_request_without_one_host_are_refused() {
    let harness = Harness::start().await;
    let front = Front::of(&harness, ServerLimits::default()).await;
    const HOST: &str = "host: keyway\r\n";
    let two = HOST.repeat(2);
    for (line, hosts, status) in [
        ("OPTIONS * HTTP/1.1", HOST, 400),
        ("GET * HTTP/1.1", HOST, 400),
        ("GET ftp://keyway/api/v1/projects HTTP/1.1", HOST, 400),
        ("GET http://a@keyway/api/v1/projects HTTP/1.1", HOST, 400),
        ("GET http://keyway?x HTTP/1.1", HOST, 400),
        ("CONNECT keyway:443 HTTP/1.1", HOST, 405),
        ("CONNECT /v1/models HTTP/1.1", HOST, 405),
        ("GET /api/v1/projects HTTP/1.1", "", 400),
        ("GET /api/v1/projects HTTP/1.1", &two, 400),
        ("GET /api/v1/projects HTTP/1.1", "host:\r\n", 400),
        ("GET /api/v1/projects HTTP/1.1", "host: a keyway\r\n", 400),
        ("POST /v1/chat/completions HTTP/1.1", "", 400),
        ("POST /v1/chat/completions HTTP/1.1", "host: keyway/x\r\n", 400),
        ("GET /api/v1/projects HTTP/1.0", "", 401),
        ("GET /api/v1/projects HTTP/1.1", HOST, 401),
        ("GET http://keyway:8080/api/v1/projects HTTP/1.1", HOST, 401),
        ("GET http://keyway/v1/models HTTP/1.1", "host: [::1]:8080\r\n", 401),
    ] {
        let request = format!("{line}\r\n{hosts}connection: close\r\n\r\n");
        let answer = raw(&front.url, &request).await;
        assert_eq!(answer.get(9..12), Some(status.to_string().as_str()), "{line}, {hosts}: {answer}");
    }
}
