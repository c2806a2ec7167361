//! A provider simulator: speaks its providers' real shapes over plain HTTP on this machine, scripted by the text of the
//! key or by `POST /__sim/script`, and counts its calls. Its figures are computed from the request, so a test knows
//! them beforehand. It never calls another host.

mod answer;
mod anthropic;
mod anthropic_messages;
mod anthropic_reports;
mod anthropic_shape;
mod anthropic_storage;
mod bomb;
mod call;
mod chat;
mod content;
mod fault;
mod files;
mod gemini;
mod gemini_files;
mod gemini_live;
mod gemini_shape;
mod key;
mod models;
mod openai;
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

/// A running simulator; stops on drop.
pub struct Simulator {
    /// Base URL for a provider: `http://127.0.0.1:<port>/v1`.
    pub base_url: String,
    /// Address it listens on.
    pub address: SocketAddr,
    state: Arc<State>,
    _stop: oneshot::Sender<()>,
}

impl Simulator {
    /// Starts a simulator on a free port of this machine, in the caller's runtime.
    ///
    /// # Errors
    /// No port could be opened.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into()).await
    }

    /// Starts a simulator on this address.
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

    /// Returns `host:port`, for the list of trusted upstreams.
    #[must_use]
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Scripts the answers to a key from now on, in place of the script in its text.
    pub fn script(&self, script: Script) {
        self.state.script(script);
    }

    /// Sets the target of redirects.
    pub fn redirect_to(&self, location: String) {
        self.state.redirect_to(location);
    }

    /// Counts the calls of `key` to `path` (`/v1/models`).
    #[must_use]
    pub fn calls(&self, key: &str, path: &str) -> u64 {
        self.state.calls(key, path)
    }

    /// Returns all counts so far, by key, then path.
    #[must_use]
    pub fn all_calls(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        self.state.all_calls()
    }

    /// Returns the body of the last request `key` made to `path`.
    #[must_use]
    pub fn last_body(&self, key: &str, path: &str) -> Option<Vec<u8>> {
        self.state.last_body(key, path)
    }
}
