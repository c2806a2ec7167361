//! Calls about an object that one integration of several keeps, by its id: they go to its owner, or to one after the
//! other.

use keyway_domain::IntegrationId;
use serde_json::json;

use super::{
    failover::place,
    harness::{Harness, Key},
    scripted::{Reply, Scripted, trusting},
};

const A: &str = "canary-of-a";
const B: &str = "canary-of-b";

/// Two equal keys of OpenAI, each of which sees only objects made with it: their ids end with its letter.
struct Two {
    harness: Harness,
    key: Key,
    ids: [IntegrationId; 2],
    provider: Scripted,
}

impl Two {
    async fn start() -> Self {
        let provider = Scripted::by(|request| {
            let own = if request.contains(A) { "-a" } else { "-b" };
            let (line, _) = request.split_once(" HTTP/1.1").unwrap();
            let names_other = request.contains(if own == "-a" { "-b" } else { "-a" });
            match line.split('/').nth(2).unwrap() {
                _ if !names_other => {
                    Reply::json(200, format!(r#"{{"id":"id{own}","object":"x","status":"completed"}}"#))
                }
                "responses" if line == "POST /v1/responses" => {
                    Reply::json(400, r#"{"error":{"code":"previous_response_not_found"}}"#)
                }
                _ => Reply::json(404, r#"{"error":{"message":"No such object"}}"#),
            }
        })
        .await;
        let harness = trusting(&provider).await;
        let ids = [
            harness.integration_at("openai", A, &provider.base_url).await,
            harness.integration_at("openai", B, &provider.base_url).await,
        ];
        let key = harness.virtual_key(None).await;
        Self { harness, key, ids, provider }
    }

    /// Prefers this integration for calls without an owner.
    async fn prefer(&self, first: usize) {
        place(&self.harness, self.ids[first], 0, 1).await;
        place(&self.harness, self.ids[1 - first], 1, 1).await;
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> (u16, Option<String>, Option<String>) {
        let answer = request.bearer_auth(&self.key.text).send().await.unwrap();
        let header = |name| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        (answer.status().as_u16(), header("x-keyway-integration"), header("x-keyway-attempts"))
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.harness.http.request(method.parse().unwrap(), format!("{}{path}", self.harness.url))
    }
}

#[tokio::test]
async fn a_call_about_an_id_goes_to_whoever_gave_it() {
    let two = Two::start().await;
    for base in ["/v1", "/proxy/openai/v1"] {
        for owner in [0, 1] {
            for (made, about) in [
                (
                    "/responses",
                    &[("GET", ""), ("GET", "/input_items?limit=1"), ("POST", "/cancel"), ("DELETE", "")][..],
                ),
                ("/conversations", &[("GET", ""), ("POST", ""), ("POST", "/items"), ("GET", "/items"), ("DELETE", "")]),
                ("/files", &[("GET", ""), ("GET", "/content"), ("DELETE", "")]),
                ("/batches", &[("GET", ""), ("POST", "/cancel")]),
                ("/uploads", &[("POST", "/parts"), ("POST", "/complete"), ("POST", "/cancel")]),
            ] {
                two.prefer(owner).await;
                let body =
                    if made == "/responses" { json!({ "model": "gpt-4o-mini", "input": "x" }) } else { json!({}) };
                let form = "--x\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--x--\r\n";
                let request = two.request("POST", &format!("{base}{made}"));
                let request = if made == "/files" {
                    request.header("content-type", "multipart/form-data; boundary=x").body(form)
                } else {
                    request.json(&body)
                };
                let expected = Some(two.ids[owner].to_string());
                assert_eq!(two.send(request).await, (200, expected.clone(), None), "{base}{made}");
                two.prefer(1 - owner).await;
                let id = ["id-a", "id-b"][owner];
                for (method, rest) in about {
                    let path = format!("{base}{made}/{id}{rest}");
                    let request = two.request(method, &path);
                    let request = if *method == "POST" { request.json(&json!({})) } else { request };
                    assert_eq!(two.send(request).await, (200, expected.clone(), None), "{method} {path}");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_a_body_refers_to_is_with_whoever_gave_it() {
    let two = Two::start().await;
    for owner in [0, 1] {
        two.prefer(owner).await;
        let response = two.request("POST", "/v1/responses").json(&json!({ "model": "gpt-4o-mini", "input": "x" }));
        two.send(response).await;
        two.prefer(1 - owner).await;
        let id = ["id-a", "id-b"][owner];
        for (path, body) in [
            ("/v1/responses", json!({ "model": "gpt-4o-mini", "previous_response_id": id })),
            ("/proxy/openai/v1/responses", json!({ "model": "gpt-4o-mini", "previous_response_id": id })),
            ("/v1/responses", json!({ "model": "gpt-4o-mini", "conversation": { "id": id } })),
            ("/v1/responses", json!({ "model": "gpt-4o-mini", "conversation": id })),
            ("/v1/batches", json!({ "input_file_id": id, "endpoint": "/v1/responses" })),
        ] {
            let sent = two.send(two.request("POST", path).json(&body)).await;
            assert_eq!(sent, (200, Some(two.ids[owner].to_string()), None), "{path} {body}");
        }
    }
}

#[tokio::test]
async fn an_id_that_nobody_knows_is_tried_at_one_key_after_the_other() {
    let mut two = Two::start().await;
    two.prefer(0).await;
    let [a, b] = two.ids.map(|id| id.to_string());
    let found = |first: &str| (200, Some(b.clone()), Some(format!("{a};{first}, {b};200")));
    for (method, path, body, status) in [
        ("GET", "/v1/responses/id-b", None, "404"),
        ("DELETE", "/v1/files/id-b", None, "404"),
        ("GET", "/proxy/openai/v1/batches/id-b", None, "404"),
        ("POST", "/v1/conversations/id-b/items", Some(json!({ "items": [] })), "404"),
        ("POST", "/v1/responses", Some(json!({ "model": "gpt-4o-mini", "previous_response_id": "id-b" })), "400"),
        ("POST", "/v1/batches", Some(json!({ "input_file_id": "id-b" })), "404"),
    ] {
        two.harness.restart().await;
        let request = || {
            let request = two.request(method, path);
            if let Some(body) = &body { request.json(body) } else { request }
        };
        assert_eq!(two.send(request()).await, found(status), "{method} {path}");
        if body.is_none() {
            assert_eq!(two.send(request()).await, (200, Some(b.clone()), None), "{path}: it is known now");
        }
        // Nobody rests for it.
        let other = two.request("POST", "/v1/responses").json(&json!({ "model": "gpt-4o-mini" }));
        assert_eq!(two.send(other).await, (200, Some(a.clone()), None), "{path}");
    }
    let nobodys = two.send(two.request("GET", "/v1/responses/id-a-b")).await;
    assert_eq!(nobodys, (404, Some(b.clone()), Some(format!("{a};404, {b};404"))));
    assert!(two.provider.requests.try_recv().is_ok());
}
