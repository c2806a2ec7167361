//! The processes of the comparison, and their start: a server prints its address and the key for its calls in its first
//! line.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result};
use tokio::net::TcpListener;

use crate::{floors, mock, own};

/// The key of the provider.
pub(crate) const PROVIDER_KEY: &str = "sk-upstream";

#[derive(Clone, Copy)]
pub(crate) enum Role {
    Mock,
    Hyper,
    WarpReqwest,
    Keyway,
}

/// A server of the comparison; ends on drop.
pub(crate) struct Server {
    pub(crate) address: String,
    pub(crate) key: String,
    pub(crate) pid: u32,
    child: Option<Child>,
}

impl Role {
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Mock, Self::Hyper, Self::WarpReqwest, Self::Keyway].into_iter().find(|role| role.name() == name)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Mock => "role-mock",
            Self::Hyper => "role-hyper",
            Self::WarpReqwest => "role-warp-reqwest",
            Self::Keyway => "role-keyway",
        }
    }

    /// Serves in this process; `target` is the provider's address or, for the mock, the address to listen on.
    pub(crate) fn run(self, target: Option<&str>) -> Result<()> {
        let mut runtime = match self {
            Self::Mock => tokio::runtime::Builder::new_current_thread(),
            _ => tokio::runtime::Builder::new_multi_thread(),
        };
        let provider = || target.map(str::to_owned).context("the role needs the provider's address");
        runtime.worker_threads(2).enable_all().build()?.block_on(async {
            let place = if let Self::Mock = self { target.unwrap_or("127.0.0.1:0") } else { "127.0.0.1:0" };
            let listener = TcpListener::bind(place).await?;
            match self {
                Self::Mock => mock::serve(listener).await,
                Self::Hyper => floors::hyper(listener, &provider()?).await,
                Self::WarpReqwest => floors::warp_reqwest(listener, &provider()?).await,
                Self::Keyway => own::serve(listener, &provider()?).await,
            }
        })
    }

    /// Starts the role in a process of its own.
    pub(crate) fn start(self, target: Option<&str>) -> Result<Server> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(self.name()).args(target).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let (address, key) = line.trim().split_once(' ').with_context(|| format!("{} did not start", self.name()))?;
        Ok(Server { address: address.to_owned(), key: key.to_owned(), pid: child.id(), child: Some(child) })
    }
}

impl Server {
    /// Returns a server that was started elsewhere.
    pub(crate) fn running(url: &str, pid: u32, key: &str) -> Self {
        let address = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        Self { address, key: key.to_owned(), pid, child: None }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Tells the parent process that calls may come.
pub(crate) fn ready(listener: &TcpListener, key: &str) -> Result<()> {
    println!("{} {key}", listener.local_addr()?);
    Ok(std::io::stdout().flush()?)
}
