//! Hosts of many providers at once: each answers with its provider's own recorded cases, and the text of a key selects
//! the case. For behaviour that all providers share; the simulator plays single ones in depth.

use std::{
    convert::Infallible,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use anyhow::Context as _;
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet};

use crate::replay::Fixture;

/// Text in a key and the case it selects; any other key is a good one.
pub const WAYS: [(&str, &str); 3] =
    [("wrong", "verify_invalid_key"), ("waiting", "rate_limited"), ("failing", "server_error")];

/// Parts of the paths of reports, each with the cases of its first and second page.
const REPORTS: [(&str, &str, &str, &str); 6] = [
    ("openai", "/organization/usage/completions", "usage_completions_page1", "usage_completions_page2_last"),
    ("openai", "/organization/usage/embeddings", "usage_embeddings", "usage_embeddings"),
    ("openai", "/organization/costs", "costs_page1", "costs_page2_last"),
    ("anthropic", "/usage_report/messages", "usage_page1", "usage_page2_last"),
    ("anthropic", "/cost_report", "cost_page1", "cost_page2_last"),
    ("openrouter", "/activity", "credits_forbidden", "credits_forbidden"),
];

/// The host of one provider.
pub struct Host {
    /// `http://127.0.0.1:<port>`.
    pub root: String,
    /// `127.0.0.1:<port>`, for the list of trusted upstreams.
    pub host: String,
    cases: Arc<Cases>,
    _server: JoinSet<()>,
}

struct Cases {
    provider: String,
    good: Fixture,
    admin: Fixture,
    ways: Vec<(&'static str, Fixture)>,
    reports: Vec<(&'static str, Fixture, Fixture)>,
    hangs: AtomicBool,
    heals: AtomicBool,
}

impl Host {
    /// Starts the host of a provider on a free port.
    ///
    /// # Errors
    /// A case is not recorded, or no port could be opened.
    pub async fn start(provider: &str) -> anyhow::Result<Self> {
        let case = |name: &str| Fixture::load(&format!("{provider}/{name}"));
        let good = case("verify_ok")?;
        let reports = REPORTS.iter().filter(|(of, ..)| *of == provider);
        let cases = Arc::new(Cases {
            provider: provider.to_owned(),
            admin: if provider == "anthropic" { case("admin_verify_ok")? } else { good.clone() },
            ways: WAYS.iter().map(|(way, name)| Ok((*way, case(name)?))).collect::<anyhow::Result<_>>()?,
            reports: reports
                .map(|(_, path, first, second)| Ok((*path, case(first)?, case(second)?)))
                .collect::<anyhow::Result<_>>()?,
            good,
            hangs: AtomicBool::new(false),
            heals: AtomicBool::new(false),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("a port")?;
        let host = listener.local_addr()?.to_string();
        let mut server = JoinSet::new();
        server.spawn(accept(listener, Arc::clone(&cases)));
        Ok(Self { root: format!("http://{host}"), host, cases, _server: server })
    }

    /// Leaves all further calls unanswered.
    pub fn hang(&self) {
        self.cases.hangs.store(true, Relaxed);
    }

    /// Accepts every key from now on.
    pub fn heal(&self) {
        self.cases.hangs.store(false, Relaxed);
        self.cases.heals.store(true, Relaxed);
    }
}

impl Cases {
    fn answer(&self, path: &str, query: &str, headers: &HeaderMap) -> &Fixture {
        let key = key(headers).unwrap_or_default();
        if let Some((_, first, second)) = self.reports.iter().find(|(part, ..)| path.contains(part)) {
            return if query.contains("page=") { second } else { first };
        }
        let way = self.ways.iter().find(|(way, _)| key.contains(way) && !self.heals.load(Relaxed));
        match way {
            Some((_, case)) => case,
            None if self.provider == "anthropic" && path.contains("/organizations/") => &self.admin,
            None => &self.good,
        }
    }
}

fn key(headers: &HeaderMap) -> Option<&str> {
    let names = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];
    names.iter().find_map(|name| headers.get(*name)?.to_str().ok())
}

async fn accept(listener: TcpListener, cases: Arc<Cases>) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let cases = Arc::clone(&cases);
        connections.spawn(async move {
            let service = service_fn(move |request| respond(Arc::clone(&cases), request));
            http1::Builder::new().serve_connection(TokioIo::new(socket), service).await
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn respond(cases: Arc<Cases>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    if cases.hangs.load(Relaxed) {
        std::future::pending::<()>().await;
    }
    let uri = request.uri();
    Ok(cases.answer(uri.path(), uri.query().unwrap_or_default(), request.headers()).response())
}
