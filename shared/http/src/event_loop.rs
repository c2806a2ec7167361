//! Event loops: one thread per processor, with its own connections to callers and to providers. A proxied request is
//! read, forwarded and answered on one thread, without waking another.
//!
//! A loop must never wait for anything but connections: whatever asks the database runs at [`keyway_telemetry::Home`].

use std::{
    future::Future,
    io,
    sync::{Arc, OnceLock},
    thread,
};

use keyway_telemetry::spawn;
use tokio::{
    runtime::Builder,
    sync::{mpsc, oneshot},
    task::AbortHandle,
};

/// The loops of one server, which serve accepted connections of type `C`.
pub(crate) struct EventLoops<C>(Vec<EventLoop<C>>);

struct EventLoop<C> {
    given: mpsc::UnboundedSender<Given<C>>,
    load: Load,
    ended: oneshot::Receiver<()>,
}

/// A connection on its way to its loop, counted until it has ended.
struct Given<C>(C, Load, Task);

/// Where the task of a connection is told.
type Task = Arc<OnceLock<AbortHandle>>;

/// Reference count of a loop's connections: one more than there are.
type Load = Arc<()>;

/// Spawns the tasks of a connection into the loop of that connection.
#[derive(Clone, Copy)]
pub(crate) struct Spawner;

impl<F: Future<Output: Send + 'static> + Send + 'static> hyper::rt::Executor<F> for Spawner {
    fn execute(&self, future: F) {
        drop(spawn("http2", future));
    }
}

impl<C: Send + 'static> EventLoops<C> {
    /// Starts one loop per processor; `server` makes the function that serves the connections of one.
    ///
    /// # Errors
    /// The system has no thread or no file handle left.
    pub(crate) fn start<S, F>(mut server: impl FnMut() -> S) -> io::Result<Self>
    where
        S: Fn(C) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let count = thread::available_parallelism().map_or(1, usize::from);
        (0..count).map(|at| EventLoop::start(at, server())).collect::<io::Result<_>>().map(Self)
    }

    /// Gives a connection to the loop with the fewest, which sets `task` to the one that serves it.
    pub(crate) fn give(&self, connection: C, task: Task) {
        if let Some(least) = self.0.iter().min_by_key(|it| Arc::strong_count(&it.load)) {
            // A loop that ended dropped what it had, and drops this.
            let _ = least.given.send(Given(connection, Arc::clone(&least.load), task));
        }
    }

    /// Ends the loops and drops their connections.
    pub(crate) async fn end(self) {
        for EventLoop { given, ended, .. } in self.0 {
            drop(given);
            // An error says the same: it is gone.
            let _ = ended.await;
        }
    }
}

impl<C: Send + 'static> EventLoop<C> {
    fn start<S, F>(at: usize, serve: S) -> io::Result<Self>
    where
        S: Fn(C) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (given, mut connections) = mpsc::unbounded_channel();
        let (end, ended) = oneshot::channel();
        thread::Builder::new().name(format!("event-loop-{at}")).spawn(move || {
            runtime.block_on(async {
                while let Some(Given(connection, load, task)) = connections.recv().await {
                    let serving = serve(connection);
                    let spawned = spawn("connection", async move {
                        let _load = load;
                        serving.await;
                    });
                    // Set once: a connection has one task.
                    let _ = task.set(spawned.abort_handle());
                }
            });
            // Drops the connections, and does not wait for a name that is being resolved.
            runtime.shutdown_background();
            // Nobody may be waiting.
            let _ = end.send(());
        })?;
        Ok(Self { given, load: Load::default(), ended })
    }
}
