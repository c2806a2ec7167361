//! Endpoints of OpenAI's SDK beside chat and embeddings: a call that names a model, in JSON or in a form, goes to a
//! provider with that model, and one that names none to OpenAI.

use serde_json::{Value, json};

use super::{
    harness::{Harness, Key},
    scripted::{Reply, Scripted, trusting},
};

/// Builds a project with integrations of these providers at one host.
async fn project(names: &[&str]) -> (Harness, Key, Scripted) {
    let provider = Scripted::by(|_| Reply::json(200, r#"{"id":"x"}"#)).await;
    let harness = trusting(&provider).await;
    for name in names {
        let base = format!("http://{}/of/{name}", provider.host);
        harness.integration_at(name, "a-key", &base).await;
    }
    let key = harness.virtual_key(None).await;
    (harness, key, provider)
}

fn form(model: Option<&str>) -> String {
    let part = |head: &str, value: &str| format!("--x\r\ncontent-disposition: form-data; {head}\r\n\r\n{value}\r\n");
    let file = part("name=\"file\"; filename=\"model.wav\"", "RIFF--model\r\n");
    [file, model.map(|it| part("name=\"model\"", it)).unwrap_or_default(), "--x--\r\n".to_owned()].concat()
}

#[tokio::test]
async fn a_model_leads_to_whoever_may_have_it_in_json_and_in_forms() {
    let (harness, key, mut provider) = project(&["openai", "groq", "anthropic", "gemini"]).await;
    for (path, model, sent) in [
        ("/audio/transcriptions", "openai/whisper-1", Ok(("openai", "whisper-1"))),
        ("/audio/transcriptions", "groq/whisper-large-v3", Ok(("groq", "whisper-large-v3"))),
        ("/audio/translations", "groq/whisper-large-v3", Ok(("groq", "whisper-large-v3"))),
        ("/images/edits", "openai/gpt-image-1", Ok(("openai", "gpt-image-1"))),
        ("/images/variations", "gpt-4o-mini", Ok(("openai", "gpt-4o-mini"))),
        ("/images/edits", "gpt-image-1", Err((404, "model_not_found"))),
        ("/audio/transcriptions", "claude-opus-4-6", Err((400, "not_callable"))),
        ("/audio/transcriptions", "gemini/gemini-2.5-flash", Err((400, "not_callable"))),
        ("/audio/speech", "openai/tts-1", Ok(("openai", "tts-1"))),
        ("/images/generations", "openai/gpt-image-1", Ok(("openai", "gpt-image-1"))),
        ("/moderations", "openai/omni-moderation-latest", Ok(("openai", "omni-moderation-latest"))),
        ("/responses", "groq/openai/gpt-oss-20b", Ok(("groq", "openai/gpt-oss-20b"))),
        ("/responses", "claude-opus-4-6", Err((400, "not_callable"))),
        ("/responses", "nobody-has-it", Err((404, "model_not_found"))),
    ] {
        let is_form = path.starts_with("/audio/trans") || matches!(path, "/images/edits" | "/images/variations");
        let request = harness.http.post(format!("{}/v1{path}", harness.url)).bearer_auth(&key.text);
        let request = if is_form {
            request.header("content-type", "multipart/form-data; boundary=x").body(form(Some(model)))
        } else {
            request.json(&json!({ "model": model, "input": "x" }))
        };
        let answer = request.send().await.unwrap();
        match sent {
            Ok((name, model)) => {
                assert_eq!(answer.status(), 200, "{path} {model}");
                let asked = provider.requests.recv().await.unwrap();
                assert!(asked.starts_with(&format!("POST /of/{name}{path} ")), "{path} {model}: {asked}");
                let (_, body) = asked.split_once("\r\n\r\n").unwrap();
                if is_form {
                    assert_eq!(body, form(Some(model)), "{path}");
                } else {
                    assert_eq!(serde_json::from_str::<Value>(body).unwrap()["model"], model, "{path}");
                }
            }
            Err((status, code)) => {
                assert_eq!(answer.status(), status, "{path} {model}");
                assert_eq!(answer.headers()["x-keyway-error"], code, "{path} {model}");
            }
        }
    }
    assert!(provider.requests.try_recv().is_err(), "what is refused goes nowhere");
}

#[tokio::test]
async fn whoever_has_no_such_endpoint_does_not_stand_in_the_way() {
    let (harness, key, mut provider) = project(&["anthropic", "gemini", "cohere", "openai"]).await;
    for (path, model) in [
        ("/audio/transcriptions", Some("whisper-1")),
        ("/images/edits", Some("gpt-image-1")),
        ("/images/edits", None),
        ("/audio/transcriptions", None),
    ] {
        let request = harness.http.post(format!("{}/v1{path}", harness.url)).bearer_auth(&key.text);
        let request = request.header("content-type", "multipart/form-data; boundary=x").body(form(model));
        assert_eq!(request.send().await.unwrap().status(), 200, "{path} {model:?}");
        let asked = provider.requests.recv().await.unwrap();
        assert!(asked.starts_with(&format!("POST /of/openai{path} ")) && asked.ends_with(&form(model)), "{asked}");
    }
    for (path, body) in [
        ("/images/generations", json!({ "model": "gpt-image-1", "prompt": "x" })),
        ("/audio/speech", json!({ "model": "tts-1", "input": "x" })),
        ("/moderations", json!({ "model": "omni-moderation-latest", "input": "x" })),
        ("/moderations", json!({ "input": "x" })),
        ("/responses", json!({ "model": "gpt-of-tomorrow", "input": "x" })),
        ("/batches", json!({ "input_file_id": "file-1" })),
        ("/conversations", json!({})),
    ] {
        assert_eq!(harness.post(&format!("/v1{path}"), &key, &body).send().await.unwrap().status(), 200, "{path}");
        let asked = provider.requests.recv().await.unwrap();
        assert!(asked.starts_with(&format!("POST /of/openai{path} ")), "{asked}");
    }
    for path in ["/files?limit=2", "/batches", "/conversations/c/items", "/responses/r"] {
        assert_eq!(harness.get(&format!("/v1{path}"), &key).send().await.unwrap().status(), 200, "{path}");
        assert!(provider.requests.recv().await.unwrap().starts_with(&format!("GET /of/openai{path} ")), "{path}");
    }
}

#[tokio::test]
async fn without_openai_a_call_that_names_nothing_needs_a_word_from_its_caller() {
    let (harness, key, mut provider) = project(&["groq", "xai"]).await;
    let refused = harness.post("/v1/batches", &key, &json!({})).send().await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["x-keyway-error"]),
        (404, &"integration_not_found".parse().unwrap())
    );
    let (only, key, mut other) = project(&["anthropic"]).await;
    let refused = only.get("/v1/files", &key).send().await.unwrap();
    assert_eq!(refused.headers()["x-keyway-error"], "integration_not_found");
    assert!(provider.requests.try_recv().is_err() && other.requests.try_recv().is_err());
}
