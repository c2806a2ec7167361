//! The operator's key for a project without a key of its own, or with one that does not open; and disabled
//! integrations.

use http::StatusCode;
use keyway_domain::{CredentialSource, IntegrationId, Invalidation, Limits, ServedBy, Timestamp};
use keyway_store::{TenantKeyCache, integrations, projects};
use keyway_testkit::postgres::TestDatabase;
use keyway_vault::{Keyring, Vault};
use serde_json::{Value, json};

use super::{
    fallback::{ANSWER, DOLLAR, PATH},
    harness::{Harness, Key, OPERATORS, SECRET, chat},
    scripted::Scripted,
};

struct World {
    openrouter: Scripted,
    harness: Harness,
    key: Key,
}

/// Builds a project without any integration, with consent or not, and an OpenRouter that serves.
async fn world(budget: Option<i64>) -> World {
    let length = ANSWER.len();
    let answer =
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{ANSWER}");
    let openrouter = Scripted::says(answer).await;
    let (vault, trusted) = (Vault::open(Keyring::generate().unwrap()), [openrouter.host.clone()]);
    let harness =
        Harness::start_helped(TestDatabase::sqlite().unwrap(), vault, &trusted, Some(&openrouter.base_url)).await;
    let key = harness.virtual_key(None).await;
    let tx = harness.store.tenant(harness.tenant).await.unwrap();
    let version = projects::find(&tx, harness.project).await.unwrap().unwrap().version;
    projects::update(&tx, harness.project, "web", &Limits::default(), budget, version).await.unwrap();
    tx.commit().await.unwrap();
    World { openrouter, harness, key }
}

impl World {
    async fn ask(&self, path: &str, body: &Value) -> Asked {
        let answer = self.harness.post(path, &self.key, body).send().await.unwrap();
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        Asked {
            status: answer.status(),
            credential: header("x-keyway-credential"),
            integration: header("x-keyway-integration"),
            error: header("x-keyway-error"),
        }
    }

    async fn switch(&self, id: IntegrationId, on: bool) {
        let tx = self.harness.store.tenant(self.harness.tenant).await.unwrap();
        integrations::set_enabled(&tx, id, on, None, Timestamp::now()).await.unwrap();
        tx.commit().await.unwrap();
        self.changed();
    }

    fn changed(&self) {
        self.harness.proxy.forget(self.harness.tenant, Invalidation::Integrations);
    }

    async fn models(&self) -> Vec<(String, String)> {
        let answer = self.harness.get("/v1/models", &self.key).send().await.unwrap();
        let listed: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        let text = |it: &Value, field: &str| it[field].as_str().unwrap().to_owned();
        listed["data"].as_array().unwrap().iter().map(|it| (text(it, "id"), text(it, "owned_by"))).collect()
    }
}

struct Asked {
    status: StatusCode,
    credential: Option<String>,
    integration: Option<String>,
    error: Option<String>,
}

impl Asked {
    fn helped(&self, what: &str) {
        let Self { status, credential, integration, error } = self;
        assert_eq!((*status, credential.as_deref()), (StatusCode::OK, Some("fallback")), "{what}: {error:?}");
        assert_eq!(*integration, None, "{what}");
    }

    fn refused(&self, status: u16, code: &str, what: &str) {
        assert_eq!((self.status.as_u16(), self.error.as_deref()), (status, Some(code)), "{what}");
    }
}

fn of(model: &str) -> Value {
    let mut body = chat(false);
    body["model"] = json!(model);
    body
}

#[tokio::test]
async fn a_project_without_any_key_of_its_own_is_served() {
    let mut world = world(Some(DOLLAR)).await;
    let embed = json!({ "model": "text-embedding-3-small", "input": "one two" });
    for (path, body, asked, model) in [
        (PATH, chat(false), "/v1/chat/completions", "openai/gpt-4o-mini"),
        (PATH, of("openai/gpt-4o-mini"), "/v1/chat/completions", "openai/gpt-4o-mini"),
        (PATH, of("claude-sonnet-4-5-20250929"), "/v1/chat/completions", "anthropic/claude-sonnet-4.5"),
        ("/proxy/openai/v1/chat/completions", chat(false), "/v1/chat/completions", "openai/gpt-4o-mini"),
        ("/proxy/openai", json!({ "payload": chat(false) }), "/v1/chat/completions", "openai/gpt-4o-mini"),
        ("/v1/embeddings", embed.clone(), "/v1/embeddings", "openai/text-embedding-3-small"),
        ("/proxy/openai/v1/embeddings", embed, "/v1/embeddings", "openai/text-embedding-3-small"),
    ] {
        world.ask(path, &body).await.helped(path);
        let sent = world.openrouter.requests.recv().await.unwrap();
        assert!(sent.starts_with(&format!("POST {asked} HTTP/1.1\r\n")), "{path}: {sent}");
        assert!(sent.contains(&format!(r#""model":"{model}""#)), "{path}: {sent}");
        assert!(sent.contains(&format!("authorization: Bearer {OPERATORS}\r\n")), "{path}: {sent}");
        let record = world.harness.records(1).await.remove(0);
        assert_eq!((record.credential, record.served_by), (CredentialSource::Fallback, ServedBy::NoIntegration));
        assert_eq!((record.cost_nano_usd, record.attempts), (Some(3_750), 1), "{path}");
    }
    let models = world.models().await;
    let has = |id: &str, owner: &str| models.contains(&(id.to_owned(), owner.to_owned()));
    assert!(has("gpt-4o-mini", "openai") && has("claude-sonnet-4-5", "anthropic"), "{models:?}");
    assert!(models.iter().all(|(_, owner)| owner != "mistral"), "OpenRouter has them by no known name");
}

#[tokio::test]
async fn what_it_cannot_serve_is_refused_as_without_it() {
    let mut helped = world(Some(DOLLAR)).await;
    for (path, body, code) in [
        (PATH, of("nobody-listed-it"), "model_not_found"),
        (PATH, of("codestral-latest"), "model_not_found"),
        ("/v1/messages", of("claude-sonnet-4-5-20250929"), "model_not_found"),
        ("/proxy/anthropic/v1/messages", of("claude-sonnet-4-5-20250929"), "integration_not_found"),
        ("/proxy/openai/v1/responses", of("gpt-4o-mini"), "integration_not_found"),
        ("/proxy/mistral/v1/chat/completions", of("codestral-latest"), "integration_not_found"),
        ("/proxy/nobody/v1/chat/completions", chat(false), "unknown_provider"),
    ] {
        helped.ask(path, &body).await.refused(404, code, path);
    }
    let request = || helped.harness.post(PATH, &helped.key, &chat(false));
    for (name, value) in
        [("x-keyway-fallback", "off"), ("x-keyway-integration", "int_0198c0de0198c0de0198c0de0198c0de")]
    {
        let answer = request().header(name, value).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{name}");
    }
    let alone = world(None).await;
    alone.ask(PATH, &chat(false)).await.refused(404, "model_not_found", "no consent");
    assert!(alone.models().await.is_empty());
    assert!(helped.openrouter.requests.try_recv().is_err(), "OpenRouter was asked");
}

#[tokio::test]
async fn what_its_owner_switched_off_stays_off() {
    let mut world = world(Some(DOLLAR)).await;
    let openai = world.harness.integration("openai", SECRET).await;
    world.switch(openai, false).await;
    world.ask(PATH, &chat(false)).await.refused(409, "integration_disabled", "its only key");
    let snapshot = of("gpt-4o-mini-2024-07-18");
    for (path, body) in [(PATH, &snapshot), (PATH, &of("claude-sonnet-4-5-20250929"))] {
        assert!(!world.ask(path, body).await.status.is_success(), "all that it has is off: {body}");
    }
    assert!(world.models().await.is_empty());
    // With a key of another provider, this one's still stays off, and what neither has is helped out.
    world.harness.integration("anthropic", SECRET).await;
    world.changed();
    world.ask(PATH, &chat(false)).await.refused(409, "integration_disabled", "its only key of that provider");
    assert!(world.openrouter.requests.try_recv().is_err(), "OpenRouter was asked");
    world.ask(PATH, &of("grok-4.3")).await.helped("nobody switched it off");
}

#[tokio::test]
async fn while_the_vault_is_sealed_it_serves_those_who_consented() {
    let mut world = world(Some(DOLLAR)).await;
    world.harness.integration("openai", SECRET).await;
    world.harness.integration("groq", SECRET).await;
    world.harness.keys = TenantKeyCache::new(std::sync::Arc::new(Vault::sealed("no keyring".to_owned())));
    world.harness.restart().await;
    world.ask(PATH, &chat(false)).await.helped("sealed");
    world.ask(PATH, &of("gpt-4o-mini-2024-07-18")).await.helped("a snapshot");
    let unlisted = of("nobody-listed-it");
    let path = "/proxy/openai/v1/chat/completions";
    world.ask(path, &unlisted).await.refused(503, "sealed", "its name there is not known");
    world.ask("/proxy/groq/openai/v1/chat/completions", &of("llama-3.3-70b-versatile")).await.refused(
        503,
        "sealed",
        "OpenRouter has it by no known name",
    );
    let models = world.models().await;
    assert!(models.contains(&("gpt-4o-mini".to_owned(), "openai".to_owned())), "{models:?}");
    assert!(world.harness.simulator.all_calls().is_empty());
    // Opened, its own key comes first again.
    let other = Vault::open(Keyring::generate().unwrap());
    world.harness.keys = TenantKeyCache::new(std::sync::Arc::new(other));
    world.harness.restart().await;
    world.ask(PATH, &chat(false)).await.helped("its secret does not open with this keyring");
}
