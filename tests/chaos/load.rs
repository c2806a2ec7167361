//! Clients that submit, replace and delete keys without a pause, whatever happens to the installation.
//!
//! A client that got no answer asks again with the same `Idempotency-Key`, as clients are told to; only an
//! answer of 2xx goes into the ledger.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::Result;
use futures::future::join_all;
use keyway_telemetry::spawn;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{task::JoinHandle, time::interval};

use crate::{
    harness::{Api, until},
    ledger::Ledger,
};

const CLIENTS: usize = 4;
const PACE: Duration = Duration::from_millis(60);
/// Number of times that one request is sent before the client gives up.
const TRIES: usize = 4;

/// Running clients.
pub(crate) struct Load {
    over: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Result<()>>>,
    ledger: Arc<Ledger>,
}

impl Load {
    /// Starts clients, by turns at each of the listeners.
    pub(crate) fn start(apis: &[Api], base_url: &str, ledger: &Arc<Ledger>) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let turn = Arc::new(AtomicU64::new(0));
        let clients = (0..CLIENTS).map(|_| {
            let client = Client {
                apis: apis.iter().map(Api::apart).collect(),
                base_url: base_url.to_owned(),
                ledger: Arc::clone(ledger),
                turn: Arc::clone(&turn),
                own: Vec::new(),
            };
            spawn("client", client.run(Arc::clone(&over)))
        });
        Self { clients: clients.collect(), over, ledger: Arc::clone(ledger) }
    }

    /// Waits until so many more requests were accepted.
    pub(crate) async fn more(&self, count: u64) -> Result<()> {
        let goal = self.ledger.accepted.load(Relaxed) + count;
        until("requests are accepted", async || {
            let accepted = self.ledger.accepted.load(Relaxed);
            anyhow::ensure!(accepted >= goal, "{accepted} of {goal}");
            Ok(true)
        })
        .await
    }

    /// Lets every client finish its request and end.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.over.store(true, Relaxed);
        for ended in join_all(std::mem::take(&mut self.clients)).await {
            ended??;
        }
        Ok(())
    }
}

/// Aborts the clients, so that a scenario that failed leaves none behind.
impl Drop for Load {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
        self.clients.iter().for_each(JoinHandle::abort);
    }
}

struct Client {
    apis: Vec<Api>,
    base_url: String,
    ledger: Arc<Ledger>,
    turn: Arc<AtomicU64>,
    /// Integrations of this client, oldest first: no two clients change the same one.
    own: Vec<String>,
}

impl Client {
    async fn run(mut self, over: Arc<AtomicBool>) -> Result<()> {
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !over.load(Relaxed) {
            pace.tick().await;
            match self.turn.fetch_add(1, Relaxed) % 8 {
                5 if !self.own.is_empty() => self.replace().await?,
                6 if !self.own.is_empty() => self.test().await?,
                7 if self.own.len() > 2 => self.delete().await?,
                _ => self.submit().await?,
            }
        }
        Ok(())
    }

    async fn submit(&mut self) -> Result<()> {
        let kind = self.ledger.kind();
        let (name, credentials) = self.ledger.fresh(kind);
        let config = json!({ "base_url": self.base_url });
        let body = json!({ "provider": "openai", "name": name, "credentials": credentials, "config": config });
        match self.ask(Method::POST, "/api/v1/integrations", Some(body), 202).await {
            Some(answer) => self.own.push(self.ledger.submitted(kind, &answer)?),
            None => self.ledger.unanswered(None),
        }
        Ok(())
    }

    async fn replace(&self) -> Result<()> {
        let Some(id) = self.own.last() else { return Ok(()) };
        let kind = self.ledger.kind();
        let (_, credentials) = self.ledger.fresh(kind);
        let body = json!({ "credentials": credentials });
        let path = format!("/api/v1/integrations/{id}/credentials?force=true");
        match self.ask(Method::PUT, &path, Some(body), 202).await {
            Some(answer) => self.ledger.changed(id, Some(kind), &answer)?,
            None => self.ledger.unanswered(Some(id)),
        }
        Ok(())
    }

    async fn test(&self) -> Result<()> {
        let Some(id) = self.own.last() else { return Ok(()) };
        match self.ask(Method::POST, &format!("/api/v1/integrations/{id}/test"), Some(json!({})), 202).await {
            Some(answer) => self.ledger.changed(id, None, &answer)?,
            None => self.ledger.unanswered(None),
        }
        Ok(())
    }

    async fn delete(&mut self) -> Result<()> {
        let id = self.own.remove(0);
        match self.ask(Method::DELETE, &format!("/api/v1/integrations/{id}"), None, 204).await {
            Some(_) => self.ledger.deleted(&id),
            None => self.ledger.unanswered(Some(&id)),
        }
        Ok(())
    }

    /// Returns the body of the accepting answer; `None` if it was refused or never answered.
    async fn ask(&self, method: Method, path: &str, body: Option<Value>, status: u16) -> Option<Value> {
        let key = format!("{:032x}", fastrand::u128(..));
        let repeats = if method == Method::POST { TRIES } else { 1 };
        let first = fastrand::usize(..self.apis.len());
        for at in 0..repeats {
            let api = &self.apis[(first + at) % self.apis.len()];
            match api.send(method.clone(), path, body.clone(), &[("idempotency-key", &key)]).await {
                Ok(answer) if answer.status == status && (status == 204 || answer.body.is_object()) => {
                    return Some(answer.body);
                }
                // The same request is still under way at the listener that was asked before.
                Ok(answer) if at > 0 && answer.body["error"]["code"] == "idempotency_key_in_flight" => {}
                Ok(answer) if matches!(answer.status, 202 | 204 | 429 | 500..) => {}
                Ok(answer) => {
                    self.ledger.wrong(format!("{method} {path} was answered {}: {}", answer.status, answer.text));
                    return None;
                }
                Err(_) => {}
            }
            tokio::time::sleep(PACE).await;
        }
        None
    }
}
