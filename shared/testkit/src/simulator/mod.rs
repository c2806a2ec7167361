//! A provider simulator: speaks its providers' real shapes over plain HTTP on this machine, scripted by
//! the text of the key or by `POST /__sim/script`, and counts what it was asked. Its figures are
//! computed from what it is sent, so a test knows them beforehand. It never calls anybody.

mod answer;
mod anthropic;
mod anthropic_reports;
mod anthropic_storage;
mod bomb;
mod chat;
mod fault;
mod files;
mod gemini;
mod gemini_files;
mod gemini_live;
mod key;
mod models;
mod realtime;
mod reports;
mod responses;
mod serve;
mod shape;
mod state;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use anyhow::Context as _;
use tokio::{net::TcpListener, sync::oneshot};

pub use chat::tokens_of;
pub use fault::Fault;
pub use state::Script;

use state::State;

/// A running simulator; it stops when this is dropped.
pub struct Simulator {
    /// What a provider's base URL is to be: `http://127.0.0.1:<port>/v1`.
    pub base_url: String,
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<State>,
    _stop: oneshot::Sender<()>,
}

impl Simulator {
    /// Starts one on a free port of this machine, in the caller's runtime.
    ///
    /// # Errors
    /// No port could be opened.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into()).await
    }

    /// Starts one on this address.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn start_at(address: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::default());
        let (stop, stopped) = oneshot::channel();
        #[expect(clippy::disallowed_methods, reason = "the testkit does not depend on keyway-telemetry")]
        tokio::spawn(serve::run(listener, Arc::clone(&state), stopped));
        Ok(Self { base_url: format!("http://{address}/v1"), address, state, _stop: stop })
    }

    /// `host:port`, for the list of trusted upstreams.
    #[must_use]
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// How a key is answered from now on; replaces what its text says.
    pub fn script(&self, script: Script) {
        self.state.script(script);
    }

    /// Where redirects lead from now on.
    pub fn redirect_to(&self, location: String) {
        self.state.redirect_to(location);
    }

    /// How often `key` has called `path` (`/v1/models`).
    #[must_use]
    pub fn calls(&self, key: &str, path: &str) -> u64 {
        self.state.calls(key, path)
    }

    /// Every count so far: key, then path.
    #[must_use]
    pub fn all_calls(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        self.state.all_calls()
    }

    /// The body of the last request `key` made to `path`.
    #[must_use]
    pub fn last_body(&self, key: &str, path: &str) -> Option<Vec<u8>> {
        self.state.last_body(key, path)
    }
}
