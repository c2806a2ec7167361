//! The process' own runtime, for tasks that ask the database. A database connection opened on an event loop would end
//! with that loop.

use std::future::Future;

use tokio::{
    runtime::Handle,
    task::{JoinError, JoinHandle},
};
use tokio_util::task::AbortOnDropHandle;

use crate::task::spawn;

/// A handle to the process' own runtime, for use on any thread.
#[derive(Clone)]
pub struct Home(Handle);

impl Home {
    /// Returns a handle to the current runtime.
    #[must_use]
    pub fn here() -> Self {
        Self(Handle::current())
    }

    /// Spawns a task on the runtime, which goes on when its handle is dropped.
    pub fn spawn<F>(&self, name: &'static str, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let _entered = self.0.enter();
        spawn(name, future)
    }

    /// Runs a task on the runtime and waits for it; dropping the future aborts the task.
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
