//! The process' own runtime, for whatever asks the database. An event loop has connections and nothing else: a
//! connection of the database that it opened would end with it.

use std::future::Future;

use tokio::{
    runtime::Handle,
    task::{JoinError, JoinHandle},
};
use tokio_util::task::AbortOnDropHandle;

use crate::task::spawn;

/// A way to the process' own runtime from any thread.
#[derive(Clone)]
pub struct Home(Handle);

impl Home {
    /// The runtime that this is called in.
    #[must_use]
    pub fn here() -> Self {
        Self(Handle::current())
    }

    /// Runs a task there, which goes on when nobody waits for it any more.
    pub fn spawn<F>(&self, name: &'static str, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let _entered = self.0.enter();
        spawn(name, future)
    }

    /// Runs a task there and waits for it; who stops waiting ends it.
    ///
    /// # Errors
    /// It panicked, which was logged, or the process ends.
    pub async fn run<F>(&self, name: &'static str, future: F) -> Result<F::Output, JoinError>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        AbortOnDropHandle::new(self.spawn(name, future)).await
    }
}
