//! Requests and answers that want more than they may: nothing of the provider's key comes back, and
//! nothing reaches the provider that was not meant for it.

use super::{
    harness::{Harness, SECRET, chat},
    scripted::{Scripted, behind, raw},
};

pub(super) const ANSWER: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nset-cookie: a=b\r\n\r\n{}";

#[tokio::test]
async fn an_echo_of_the_key_does_not_leave_in_a_header() {
    let secret = "sk-sim-echo-canary-77";
    let (harness, key) = Harness::ready_with(secret).await;
    for path in ["/proxy/openai/v1/models", "/proxy/openai/v1/chat/completions"] {
        let call =
            if path.ends_with("models") { harness.get(path, &key) } else { harness.post(path, &key, &chat(false)) };
        let answer = call.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let headers = format!("{:?}", answer.headers());
        assert!(!headers.contains("canary"), "{headers}");
        assert!(answer.headers().get("set-cookie").is_none());
    }
    let records = format!("{:?}", harness.records(2).await);
    assert!(!records.contains("canary"), "{records}");
}

#[tokio::test]
async fn an_error_that_quotes_the_key_comes_without_it() {
    let body = format!("{{\"error\":{{\"message\":\"Incorrect API key provided: {SECRET}.\"}}}}");
    for (status, kind) in [(401, "application/json"), (400, "text/plain"), (500, "text/event-stream")] {
        let length = body.len();
        let answer = format!("HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}");
        let (_provider, harness, key) = behind(Scripted::says(answer).await).await;
        let told = harness.post("/v1/chat/completions", &key, &chat(true)).send().await.unwrap();
        assert_eq!((told.status().as_u16(), told.content_length()), (status, Some(length as u64)));
        assert_eq!(told.text().await.unwrap(), body.replace(SECRET, &"*".repeat(SECRET.len())), "{kind}");
        assert!(harness.records(1).await.remove(0).complete);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_its_target_is_not_told() {
    let (harness, key) = Harness::ready_with("sk-sim-redirect-1").await;
    let answer = harness.post("/v1/chat/completions", &key, &chat(false)).send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["x-keyway-error"]),
        (502, &"upstream_redirect".parse().unwrap())
    );
    assert!(answer.headers().get("location").is_none());
    assert!(!answer.text().await.unwrap().contains("169.254"));
    assert_eq!(harness.records(1).await.remove(0).http_status, Some(307));
}

#[tokio::test]
async fn the_provider_sees_its_own_key_and_nothing_of_the_caller() {
    let (mut provider, harness, key) = behind(Scripted::says(ANSWER).await).await;
    let token = &key.text;
    let request = format!(
        "GET /proxy/openai/v1/models?key={token}&after=x HTTP/1.1\r\nHost: keyway.internal\r\nAuthorization: Bearer {token}\r\n\
         X-Api-Key: {token}\r\nCookie: session={token}\r\nConnection: close, X-Secret-Hop\r\nX-Secret-Hop: {token}\r\n\
         X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Host: evil\r\nProxy-Authorization: Basic {token}\r\nTE: trailers\r\n\
         Upgrade: h2c\r\nOpenAI-Beta: x\r\n\r\n"
    );
    let answer = raw(&harness.url, &request).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(!answer.contains("set-cookie"));
    let sent = provider.requests.recv().await.unwrap();
    assert!(!sent.contains("kw_live_") && !sent.to_lowercase().contains("x-forwarded"), "{sent}");
    for gone in ["cookie", "x-secret-hop", "proxy-authorization", "te:", "upgrade", "keyway.internal", "key="] {
        assert!(!sent.to_lowercase().contains(gone), "{gone}: {sent}");
    }
    assert!(sent.starts_with("GET /v1/models?after=x HTTP/1.1\r\n"), "{sent}");
    assert!(sent.contains(&format!("host: {}\r\n", provider.host)));
    assert!(sent.contains(&format!("authorization: Bearer {SECRET}\r\n")));
    assert!(sent.contains("openai-beta: x\r\n"));
}

#[tokio::test]
async fn a_path_that_means_two_things_is_refused() {
    let (harness, key) = Harness::ready().await;
    for path in [
        "/proxy/openai/../admin",
        "/proxy/openai/v1/%2e%2e/%2e%2e/admin",
        "/proxy/openai/v1/..%2fadmin",
        "/proxy/openai/v1/%2fmodels",
        "/proxy/openai//evil.example/v1",
        "/proxy/openai/\\evil.example",
        "/proxy/openai/%252e%252e/x",
        "/proxy/openai/v1/%0d%0aHost:%20evil",
        "/proxy/openai@evil.example/v1/models",
    ] {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
            key.text
        );
        let answer = raw(&harness.url, &request).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{path}: {answer}");
    }
    assert!(harness.simulator.all_calls().is_empty());
}

#[tokio::test]
async fn a_request_with_two_lengths_is_one_request() {
    let (mut provider, harness, key) = behind(Scripted::says(ANSWER).await).await;
    let smuggled = "GET /v1/smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    for (first, second) in
        [("Content-Length: 4", "Transfer-Encoding: chunked"), ("Transfer-Encoding: chunked", "Content-Length: 4")]
    {
        let request = format!(
            "POST /proxy/openai/v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n{first}\r\n{second}\r\n\r\n\
             3\r\nabc\r\n0\r\n\r\n{smuggled}",
            key.text
        );
        let answer = raw(&harness.url, &request).await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "what follows is never read as a request: {answer}");
        let sent = provider.requests.recv().await.unwrap();
        assert!(
            sent.contains("transfer-encoding: chunked") && !sent.to_lowercase().contains("content-length"),
            "{sent}"
        );
        assert!(sent.ends_with("3\r\nabc\r\n0\r\n\r\n") && !sent.contains("smuggled"), "{sent}");
    }
}
