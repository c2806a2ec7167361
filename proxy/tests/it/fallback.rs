//! The operator's OpenRouter key: the calls it serves, those it does not, and the headers and rows that show it.

use http::StatusCode;
use keyway_domain::{CredentialSource, IntegrationId, Invalidation, Limits, ProjectId, ServedBy, TenantId, Timestamp};
use keyway_store::{
    integrations::{self, Change},
    projects, tenants,
};
use keyway_testkit::{
    postgres::TestDatabase,
    simulator::{Fault, Script},
};
use keyway_vault::{Keyring, Vault};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::{
    harness::{Harness, Key, OPERATORS, SECRET, chat},
    scripted::{EVENTS, Scripted, chunk},
};

pub(super) const PATH: &str = "/v1/chat/completions";
pub(super) const DOLLAR: i64 = 1_000_000_000;
pub(super) const ANSWER: &str = r#"{"id":"gen-1","model":"openai/gpt-4o-mini","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"hi"}}],"usage":{"prompt_tokens":12,"completion_tokens":3,"total_tokens":15,"cost":0.00000375}}"#;

struct World {
    openrouter: Scripted,
    harness: Harness,
    own: IntegrationId,
    key: Key,
}

fn http(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
}

/// Builds a project whose `openai` has this secret, with consent up to a budget and a scripted OpenRouter.
async fn world(secret: &str, budget: Option<i64>, openrouter: Scripted) -> World {
    let (vault, trusted) = (Vault::open(Keyring::generate().unwrap()), [openrouter.host.clone()]);
    let database = TestDatabase::sqlite().unwrap();
    let harness = Harness::start_helped(database, vault, &trusted, Some(&openrouter.base_url)).await;
    let own = harness.integration("openai", secret).await;
    let key = harness.virtual_key(None).await;
    consent(&harness, (harness.tenant, harness.project), budget).await;
    World { openrouter, harness, own, key }
}

async fn helpful(secret: &str, budget: Option<i64>) -> World {
    world(secret, budget, Scripted::says(http("200 OK", "", ANSWER)).await).await
}

async fn consent(harness: &Harness, (tenant, project): (TenantId, ProjectId), budget: Option<i64>) {
    let tx = harness.store.tenant(tenant).await.unwrap();
    let version = projects::find(&tx, project).await.unwrap().unwrap().version;
    projects::update(&tx, project, "web", &Limits::default(), budget, version).await.unwrap();
    tx.commit().await.unwrap();
    harness.proxy.forget(tenant, Invalidation::Integrations);
}

async fn switch(harness: &Harness, id: IntegrationId, on: bool) {
    let tx = harness.store.tenant(harness.tenant).await.unwrap();
    integrations::set_enabled(&tx, id, on, None, Timestamp::now()).await.unwrap();
    tx.commit().await.unwrap();
    harness.proxy.forget(harness.tenant, Invalidation::Integrations);
}

async fn ask(world: &World) -> reqwest::Response {
    world.harness.post(PATH, &world.key, &chat(false)).send().await.unwrap()
}

fn header<'a>(answer: &'a reqwest::Response, name: &str) -> Option<&'a str> {
    answer.headers().get(name).map(|value| value.to_str().unwrap())
}

/// Returns the headers that name the credential: `x-keyway-credential`, `x-keyway-integration`, `x-keyway-attempts`.
fn whose(answer: &reqwest::Response) -> [Option<&str>; 3] {
    ["x-keyway-credential", "x-keyway-integration", "x-keyway-attempts"].map(|name| header(answer, name))
}

#[tokio::test]
async fn it_serves_where_the_projects_own_integration_does_not() {
    for (secret, status) in
        [("sk-sim-revoked-a", "401"), ("sk-sim-429-a", "429"), ("sk-sim-500-a", "500"), ("sk-sim-nocredit-a", "429")]
    {
        let mut world = helpful(secret, Some(DOLLAR)).await;
        let body = chat(false);
        let request = world.harness.post(PATH, &world.key, &body).header("openai-organization", "org-theirs");
        let answer = request.send().await.unwrap();
        let tried = format!("{};{status}, fallback;200", world.own);
        assert_eq!(whose(&answer), [Some("fallback"), None, Some(tried.as_str())], "{secret}");
        assert_eq!((answer.status(), answer.text().await.unwrap().as_str()), (StatusCode::OK, ANSWER));
        let sent = world.openrouter.requests.recv().await.unwrap();
        assert!(sent.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{sent}");
        assert!(sent.contains(&format!("authorization: Bearer {OPERATORS}\r\n")), "{sent}");
        assert!(!sent.contains(secret) && !sent.contains(&world.key.text) && !sent.contains("org-theirs"), "{sent}");
        let (_, sent) = sent.split_once("\r\n\r\n").unwrap();
        let mut expected = body;
        expected["model"] = json!("openai/gpt-4o-mini");
        assert_eq!(serde_json::from_str::<Value>(sent).unwrap(), expected);
        let record = world.harness.records(1).await.remove(0);
        assert_eq!((record.credential, record.served_by), (CredentialSource::Fallback, ServedBy::NoIntegration));
        assert_eq!((record.provider.as_str(), record.model.as_deref()), ("openrouter", Some("openai/gpt-4o-mini")));
        assert_eq!((record.cost_nano_usd, record.tokens.input, record.attempts), (Some(3_750), Some(12), 2));
        assert_eq!(record.refused[0].integration_id, world.own, "its verification is brought forward");
        // It cools down meanwhile, so it is not asked before.
        assert_eq!(whose(&ask(&world).await), [Some("fallback"), None, None], "{secret}");
    }
}

#[tokio::test]
async fn it_serves_where_nobody_answers_and_where_the_providers_own_endpoint_is_called() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = listener.local_addr().unwrap().to_string();
    drop(listener);
    let openrouter = Scripted::says(http("200 OK", "", ANSWER)).await;
    let (vault, trusted) = (Vault::open(Keyring::generate().unwrap()), [openrouter.host.clone(), nobody.clone()]);
    let database = TestDatabase::sqlite().unwrap();
    let harness = Harness::start_helped(database, vault, &trusted, Some(&openrouter.base_url)).await;
    let own = harness.integration_at("anthropic", SECRET, &format!("http://{nobody}/v1")).await;
    let key = harness.virtual_key(None).await;
    consent(&harness, (harness.tenant, harness.project), Some(DOLLAR)).await;
    let mut world = World { openrouter, harness, own, key };
    let mut body = chat(false);
    body["model"] = json!("claude-sonnet-4-5-20250929");
    let answer = world.harness.post("/proxy/anthropic/v1/chat/completions?beta=true", &world.key, &body).send();
    let tried = format!("{};upstream_unreachable, fallback;200", world.own);
    assert_eq!(whose(&answer.await.unwrap())[2], Some(tried.as_str()));
    let sent = world.openrouter.requests.recv().await.unwrap();
    assert!(sent.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{sent}");
    assert!(sent.contains(r#""model":"anthropic/claude-sonnet-4.5""#), "{sent}");
    // Anthropic's own shape is not OpenRouter's.
    let answer = world.harness.post("/v1/messages", &world.key, &body).send().await.unwrap();
    assert_eq!(header(&answer, "x-keyway-error"), Some("upstream_unreachable"));
}

#[tokio::test]
async fn it_serves_where_an_integrations_limit_is_used_up_or_its_key_is_wrong() {
    let world = helpful(SECRET, Some(DOLLAR)).await;
    let answer = ask(&world).await;
    assert_eq!(whose(&answer), [Some("own"), Some(world.own.to_string().as_str()), None]);
    let limits = Limits { requests_per_minute: Some(0), ..Limits::default() };
    let tx = world.harness.store.tenant(world.harness.tenant).await.unwrap();
    let change = Change { limits: Some(limits), ..Change::default() };
    integrations::update(&tx, world.own, change, None, Timestamp::now()).await.unwrap();
    tx.commit().await.unwrap();
    world.harness.proxy.forget(world.harness.tenant, Invalidation::Integrations);
    let tried = format!("{};rate_limited, fallback;200", world.own);
    assert_eq!(whose(&ask(&world).await), [Some("fallback"), None, Some(tried.as_str())]);

    let tx = world.harness.store.system().await.unwrap();
    let id = world.harness.literal(world.own.uuid());
    let wrong = format!("UPDATE integrations SET status = 'error' WHERE id = {id}");
    keyway_store::raw::execute(&tx, &wrong).await.unwrap();
    tx.commit().await.unwrap();
    world.harness.proxy.forget(world.harness.tenant, Invalidation::Integrations);
    assert_eq!(whose(&ask(&world).await), [Some("fallback"), None, None], "nobody else is asked");
}

#[tokio::test]
async fn it_serves_every_endpoint_that_openrouter_has() {
    let mut world = helpful("sk-sim-500-a", Some(DOLLAR)).await;
    let embed = json!({ "model": "text-embedding-3-small", "input": "one two" });
    for (path, body, asked, model) in [
        ("/proxy/openai", json!({ "payload": chat(false) }), "/v1/chat/completions", "openai/gpt-4o-mini"),
        ("/v1/embeddings", embed.clone(), "/v1/embeddings", "openai/text-embedding-3-small"),
        ("/proxy/openai/v1/embeddings", embed, "/v1/embeddings", "openai/text-embedding-3-small"),
    ] {
        // Otherwise the last one's body would pass unread: it is one provider's whatever its model.
        let request = world.harness.post(path, &world.key, &body).header("x-keyway-cache", "on");
        assert_eq!(whose(&request.send().await.unwrap())[0], Some("fallback"), "{path}");
        let sent = world.openrouter.requests.recv().await.unwrap();
        assert!(sent.starts_with(&format!("POST {asked} HTTP/1.1\r\n")), "{path}: {sent}");
        assert!(sent.contains(&format!(r#""model":"{model}""#)), "{path}: {sent}");
    }
}

#[tokio::test]
async fn own_integrations_that_are_ready_come_before_it_and_those_that_cool_down_behind_it() {
    let refusing = Scripted::says(http("404 Not Found", "", r#"{"error":{"code":404}}"#)).await;
    let mut world = world("sk-sim-500-a", Some(DOLLAR), refusing).await;
    let second = world.harness.integration("openai", SECRET).await;
    let tx = world.harness.store.tenant(world.harness.tenant).await.unwrap();
    let change = Change { priority: Some(1), ..Change::default() };
    integrations::update(&tx, second, change, None, Timestamp::now()).await.unwrap();
    tx.commit().await.unwrap();
    world.harness.proxy.forget(world.harness.tenant, Invalidation::Integrations);
    let (first, second) = (world.own.to_string(), second.to_string());
    let tried = format!("{first};500, {second};200");
    assert_eq!(whose(&ask(&world).await), [Some("own"), Some(second.as_str()), Some(tried.as_str())]);
    assert!(world.openrouter.requests.try_recv().is_err(), "OpenRouter was asked");
    let script = Script { key: SECRET.to_owned(), fault: Fault::RateLimited, times: Some(1), latency_ms: 0 };
    world.harness.simulator.script(script);
    let answer = ask(&world).await;
    let tried = format!("{second};429, fallback;404, {first};500");
    assert_eq!(whose(&answer), [Some("own"), Some(first.as_str()), Some(tried.as_str())]);
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR, "the last of its own");
}

#[tokio::test]
async fn a_stream_is_served_and_metered() {
    let openrouter = Scripted::start(|mut stream| async move {
        let first = chunk(": OPENROUTER PROCESSING\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n");
        let last = chunk(
            "data: {\"model\":\"openai/gpt-4o-mini\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":\
             {\"prompt_tokens\":12,\"completion_tokens\":3,\"cost\":0.5}}\n\ndata: [DONE]\n\n",
        );
        stream.write_all([EVENTS, &first, &last, "0\r\n\r\n"].concat().as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
    });
    let world = world("sk-sim-500-a", Some(2 * DOLLAR), openrouter.await).await;
    let answer = world.harness.post(PATH, &world.key, &chat(true)).send().await.unwrap();
    assert_eq!(whose(&answer)[0], Some("fallback"));
    assert!(answer.text().await.unwrap().ends_with("data: [DONE]\n\n"));
    let record = world.harness.records(1).await.remove(0);
    assert_eq!((record.streamed, record.complete, record.credential), (true, true, CredentialSource::Fallback));
    assert_eq!((record.tokens.output, record.cost_nano_usd), (Some(3), Some(DOLLAR / 2)));
}

#[tokio::test]
async fn a_call_under_way_when_the_process_dies_is_settled_as_the_operators() {
    let openrouter = Scripted::start(|_stream| std::future::pending()).await;
    let World { mut openrouter, mut harness, key, .. } = world("sk-sim-500-a", Some(DOLLAR), openrouter).await;
    let spool = harness.directory.join("spool");
    let dies = async {
        assert!(openrouter.requests.recv().await.is_some());
        let files = std::fs::read_dir(&spool).unwrap().map(|entry| entry.unwrap().path());
        let calls: Vec<_> = files.filter(|path| path.extension().is_some_and(|it| it == "calls")).collect();
        // As if the process had died now: nobody has a lock on what it left.
        std::fs::copy(&calls[0], spool.join("0198died.calls")).unwrap();
    };
    tokio::select! {
        answer = harness.post(PATH, &key, &chat(false)).send() => panic!("nobody answers: {answer:?}"),
        () = dies => {}
    }
    harness.restart().await;
    let mut both = harness.records(2).await;
    both.sort_unstable_by_key(|call| call.settled);
    // This process did not die after all: its own record of the call that its caller left comes too.
    assert_eq!([both[0].settled, both[1].settled], [false, true], "{both:?}");
    for call in both {
        assert_eq!((call.credential, call.served_by), (CredentialSource::Fallback, ServedBy::NoIntegration));
        assert_eq!((call.http_status, call.cost_nano_usd, call.attempts), (None, None, 2), "{call:?}");
    }
}

#[tokio::test]
async fn nobody_is_helped_who_did_not_ask_for_it() {
    let mut world = helpful("sk-sim-revoked-a", None).await;
    let own = world.own.to_string();
    let refused = |answer: &reqwest::Response, why: &str| {
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{why}");
        assert_eq!(whose(answer), [Some("own"), Some(own.as_str()), None], "{why}");
    };
    refused(&ask(&world).await, "no consent");
    consent(&world.harness, (world.harness.tenant, world.harness.project), Some(DOLLAR)).await;
    let asked = || world.harness.post(PATH, &world.key, &chat(false));
    let answer = asked().header("x-keyway-fallback", "off").send().await.unwrap();
    refused(&answer, "declined");
    let answer = asked().header("x-keyway-integration", &own).send().await.unwrap();
    refused(&answer, "pinned");
    let answer = asked().header("x-keyway-fallback", "on").send().await.unwrap();
    assert_eq!(header(&answer, "x-keyway-error"), Some("invalid_header"));
    let upload = world.harness.post("/proxy/openai/v1/files", &world.key, &json!({}));
    let upload = upload.header("content-type", "multipart/form-data; boundary=x").body("--x--\r\n".repeat(9));
    refused(&upload.send().await.unwrap(), "its body passes unread");
    let mut unpriced = chat(false);
    unpriced["model"] = json!("nobody-listed-it");
    refused(&world.harness.post(PATH, &world.key, &unpriced).send().await.unwrap(), "its price is not known");
    let mut steering = chat(false);
    steering["models"] = json!(["openai/gpt-4o-mini", "openai/o1-pro"]);
    let answer = world.harness.post(PATH, &world.key, &steering).send().await.unwrap();
    let tried = format!("fallback;fallback_unavailable, {own};401");
    assert_eq!(whose(&answer), [Some("own"), Some(own.as_str()), Some(tried.as_str())], "it would be another model");
    switch(&world.harness, world.own, false).await;
    assert_eq!(header(&ask(&world).await, "x-keyway-error"), Some("integration_disabled"));
    assert!(world.openrouter.requests.try_recv().is_err(), "OpenRouter was asked");
}

#[tokio::test]
async fn another_tenants_consent_helps_nobody_else() {
    let mut world = helpful("sk-sim-revoked-a", None).await;
    let tx = world.harness.store.system().await.unwrap();
    let rival = tenants::insert(&tx, "rival", Timestamp::now()).await.unwrap().id;
    tx.commit().await.unwrap();
    let tx = world.harness.store.tenant(rival).await.unwrap();
    let theirs = projects::insert(&tx, "web", Limits::default(), Some(DOLLAR), Timestamp::now()).await.unwrap().id;
    tx.commit().await.unwrap();
    let base_url = world.harness.simulator.base_url.clone();
    world.harness.integration_in((rival, theirs), "openai", "sk-sim-revoked-b", Some(&base_url)).await;
    assert_eq!(ask(&world).await.status(), StatusCode::UNAUTHORIZED);
    assert!(world.openrouter.requests.try_recv().is_err(), "OpenRouter was asked");
}

#[tokio::test]
async fn a_ceiling_that_is_used_up_leaves_what_the_own_integration_said() {
    // One call may pass while less is left than it may cost; it is charged for.
    let mut world = helpful("sk-sim-429-a", Some(1)).await;
    assert_eq!(whose(&ask(&world).await)[0], Some("fallback"));
    world.harness.records(1).await;
    world.openrouter.requests.recv().await.unwrap();
    let answer = ask(&world).await;
    let tried = format!("fallback;budget_exceeded, {};429", world.own);
    let own = world.own.to_string();
    assert_eq!(whose(&answer), [Some("own"), Some(own.as_str()), Some(tried.as_str())], "though it cools down");
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(header(&answer, "x-keyway-limit"), None, "the ceiling is not the caller's limit");
    // Another process has not seen the integration fail, and asks the database how much is left.
    world.harness.restart().await;
    let tried = format!("{};429, fallback;budget_exceeded", world.own);
    assert_eq!(whose(&ask(&world).await), [Some("own"), Some(own.as_str()), Some(tried.as_str())]);
    assert!(world.openrouter.requests.try_recv().is_err(), "OpenRouter was asked");

    let mut world = helpful("sk-sim-429-a", Some(0)).await;
    let answer = ask(&world).await;
    let (own, tried) = (world.own.to_string(), format!("{};429, fallback;budget_exceeded", world.own));
    assert_eq!(whose(&answer), [Some("own"), Some(own.as_str()), Some(tried.as_str())]);
    assert_eq!((answer.status(), header(&answer, "retry-after")), (StatusCode::TOO_MANY_REQUESTS, Some("20")));
    let record = world.harness.records(1).await.remove(0);
    assert_eq!((record.credential, record.served_by.integration()), (CredentialSource::Own, Some(world.own)));
    assert_eq!((record.http_status, record.attempts, record.refused.len()), (Some(429), 1, 0));
    assert!(world.openrouter.requests.try_recv().is_err(), "OpenRouter was asked");
}

#[tokio::test]
async fn what_openrouter_refuses_is_nobodys_answer_and_its_key_nobodys_to_read() {
    let quoted = format!(r#"{{"error":{{"code":401,"message":"User not found: {OPERATORS}"}}}}"#);
    let world_of =
        async |status: &str| world("sk-sim-429-a", Some(DOLLAR), Scripted::says(http(status, "", &quoted)).await).await;
    for (status, code) in [("401 Unauthorized", "401"), ("404 Not Found", "404"), ("503 Service Unavailable", "503")] {
        let world = world_of(status).await;
        let answer = ask(&world).await;
        let (own, tried) = (world.own.to_string(), format!("{};429, fallback;{code}", world.own));
        assert_eq!(whose(&answer), [Some("own"), Some(own.as_str()), Some(tried.as_str())]);
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
        assert!(!answer.text().await.unwrap().contains("canary"));
        let record = world.harness.records(1).await.remove(0);
        assert_eq!((record.credential, record.http_status, record.attempts), (CredentialSource::Own, Some(429), 2));
        assert_eq!(record.path, "/v1/chat/completions");
    }
    let world = world_of("402 Payment Required").await;
    let tx = world.harness.store.system().await.unwrap();
    let id = world.harness.literal(world.own.uuid());
    keyway_store::raw::execute(&tx, &format!("UPDATE integrations SET status = 'error' WHERE id = {id}"))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    world.harness.proxy.forget(world.harness.tenant, Invalidation::Integrations);
    let answer = ask(&world).await;
    assert_eq!((answer.status(), header(&answer, "x-keyway-error")), (StatusCode::CONFLICT, Some("integration_error")));
    assert!(!answer.text().await.unwrap().contains("canary"));
    let record = world.harness.records(1).await.remove(0);
    assert_eq!((record.credential, record.http_status), (CredentialSource::Fallback, Some(402)));
}

#[tokio::test]
async fn the_operators_key_stands_in_no_header_and_in_no_file() {
    let echo = format!("x-echo: Bearer {OPERATORS}\r\nx-generation-id: gen-1\r\n");
    let openrouter = Scripted::says(http("200 OK", &echo, ANSWER)).await;
    let world = world("sk-sim-500-a", Some(DOLLAR), openrouter).await;
    let answer = ask(&world).await;
    assert_eq!((header(&answer, "x-echo"), header(&answer, "x-generation-id")), (None, Some("gen-1")));
    drop(answer.text().await.unwrap());
    let (mut searched, mut directories) = (0, vec![world.harness.directory.clone()]);
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                assert!(memchr::memmem::find(&bytes, b"canary-of-the-operator").is_none(), "{}", path.display());
                searched += 1;
            }
        }
    }
    assert!(searched > 1, "the call was written down nowhere");
    for record in world.harness.records(1).await {
        assert!(!serde_json::to_string(&record).unwrap().contains("canary"));
    }
}
