//! Any sequence of changes, kills and repeated messages; then what the API shows is compared with a model.
//!
//! A case follows from its seed alone, which is printed with its steps when it fails: `SEED` repeats it.

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use reqwest::Method;
use serde_json::{Value, json};

use super::outbox;
use crate::{
    cluster::Cluster,
    harness::{Answer, text, until},
    ledger::bare,
    model::{Change, Known, Model, Step, sequence},
};

const STEPS: usize = 30;

/// Runs as many cases as there are rounds.
pub(crate) async fn cases(cluster: &mut Cluster) -> Result<u64> {
    outbox::copy(cluster).await?;
    let (mut faults, first) = (0, fastrand::u64(..));
    for seed in (0..cluster.rounds as u64).map(|case| first.wrapping_add(case)) {
        let steps = sequence(&mut Rng::with_seed(seed), STEPS, cluster.keyway.members().len());
        let mut case = Case { cluster: &mut *cluster, model: Model::default(), faults: 0 };
        let ran = case.run(&steps).await;
        ran.with_context(|| format!("case {seed}: {steps:?}, the model says {:?}", case.model))?;
        faults += case.faults;
    }
    outbox::stop_copying(cluster).await?;
    Ok(faults)
}

struct Case<'c> {
    cluster: &'c mut Cluster,
    model: Model,
    faults: u64,
}

impl Case<'_> {
    async fn run(&mut self, steps: &[Step]) -> Result<()> {
        for step in steps {
            match *step {
                Step::Change(slot, change) => self.change(slot, change).await?,
                Step::Crash(at) => {
                    self.cluster.crash(at)?;
                    self.faults += 1;
                }
                Step::Again { shuffled } => self.faults += outbox::again(self.cluster, shuffled).await?,
                Step::Settle => self.settle().await?,
            }
        }
        self.settle().await?;
        self.compare().await
    }

    async fn change(&mut self, slot: usize, change: Change) -> Result<()> {
        let at = format!("/api/v1/integrations/{}", self.model.slots[slot].clone().unwrap_or_default());
        let (method, path, body) = match change {
            Change::Create(kind) => {
                let (name, credentials) = self.cluster.ledger.fresh(kind);
                let config = json!({ "base_url": self.cluster.base_url() });
                let body = json!({ "provider": "openai", "name": name, "credentials": credentials, "config": config });
                (Method::POST, "/api/v1/integrations".to_owned(), Some(body))
            }
            Change::Rotate(kind) => {
                let (_, credentials) = self.cluster.ledger.fresh(kind);
                (Method::PUT, format!("{at}/credentials?force=true"), Some(json!({ "credentials": credentials })))
            }
            Change::Switch(on) => (Method::PATCH, at, Some(json!({ "enabled": on }))),
            Change::Test => (Method::POST, format!("{at}/test"), Some(json!({}))),
            Change::Delete => (Method::DELETE, at, None),
        };
        let answer = self.answered(&method, &path, body).await?;
        let expected = self.model.answer(slot, change);
        let operation = answer.body.pointer("/operation/id").and_then(Value::as_str).map(str::to_owned);
        ensure!(
            answer.status == expected.status && operation.is_some() == expected.starts,
            "{method} {path} was answered {} {}, expected was {expected:?}",
            answer.status,
            answer.text
        );
        let id = match change {
            Change::Create(_) => text(&answer.body, "/integration/id")?,
            _ => self.model.slots[slot].clone().context("sequences begin with creations")?,
        };
        if answer.status < 300 {
            self.cluster.ledger.accepted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            self.model.apply(slot, change, id, operation);
        }
        Ok(())
    }

    /// Repeats a request until it is answered, as the listener may be killed meanwhile.
    async fn answered(&self, method: &Method, path: &str, body: Option<Value>) -> Result<Answer> {
        let mut answered = None;
        until("a listener answers", async || {
            for api in self.cluster.keyway.apis() {
                if let Ok(answer) = api.apart().send(method.clone(), path, body.clone(), &[]).await
                    && answer.status != 503
                {
                    answered = Some(answer);
                    return Ok(true);
                }
            }
            Ok(false)
        })
        .await?;
        answered.context("an answer")
    }

    /// Waits until everything has ended, and checks the end of each operation.
    async fn settle(&mut self) -> Result<()> {
        self.cluster.ready().await?;
        let api = self.cluster.keyway.api()?.apart();
        for operation in self.model.known.values_mut().flat_map(|known| &mut known.operations) {
            let path = format!("/operations/{}", operation.id);
            let mut state = String::new();
            until("an operation ends", async || {
                let seen = api.get(&path).await?;
                state = text(&seen, "/state")?;
                ensure!(!seen["finished_at"].is_null(), "{seen}");
                Ok(true)
            })
            .await?;
            ensure!(operation.may_be(&state), "{operation:?} is {state}");
            operation.ended = Some(state);
        }
        self.cluster.keyway.settle().await
    }

    async fn compare(&self) -> Result<()> {
        for (id, known) in &self.model.known {
            let path = format!("/api/v1/integrations/{id}");
            let shown = self.answered(&Method::GET, &path, None).await?;
            if known.deleted {
                ensure!(shown.status == 404, "{id} was deleted: {}", shown.text);
            } else {
                looks_right(known, &shown.expect(200)?)?;
            }
            let lines = self.answered(&Method::GET, &format!("/api/v1/audit?limit=200&target={id}"), None).await?;
            let lines = lines.expect(200)?;
            let lines = lines["items"].as_array().context("a list")?;
            for action in ["created", "credentials_replaced", "updated", "tested", "deleted"] {
                let action = format!("integration.{action}");
                let count = lines.iter().filter(|line| line["action"] == action.as_str()).count();
                let expected = known.audited.get(action.as_str()).copied().unwrap_or(0);
                ensure!(count == expected, "{action} of {id} is in the audit log {count} times, expected: {expected}");
            }
        }
        Ok(())
    }
}

/// Checks the status, and one verdict for each operation that succeeded, never two.
fn looks_right(known: &Known, shown: &Value) -> Result<()> {
    let status = if known.enabled { known.kind.status } else { "disabled" };
    ensure!(shown["status"] == status, "expected: {status}, {known:?}, shown: {shown}");
    ensure!(!known.enabled || shown["verdict"]["kind"] == known.kind.verdict, "{known:?}, shown: {shown}");
    let history = shown["history"].as_array().context("a history")?;
    let conclusive = |verdict: &&Value| verdict["kind"] != "unreachable" && verdict["kind"] != "rate_limited";
    for operation in &known.operations {
        let of_it = |verdict: &&Value| verdict["operation_id"].as_str().map(bare) == Some(bare(&operation.id));
        let found = history.iter().filter(conclusive).filter(of_it).count();
        // One delivery may find a verdict while another finds the secret gone: the first to be heard ends it.
        let right = if operation.ended.as_deref() == Some("succeeded") { found == 1 } else { found <= 1 };
        ensure!(right, "{operation:?} has {found} verdicts: {shown}");
    }
    Ok(())
}
