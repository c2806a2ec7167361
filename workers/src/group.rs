//! Group commits: many handlers hand in one row each and await the one transaction that holds them.
//!
//! A pool with concurrency N commits up to N rows in one transaction. A row that the database refuses must not take its
//! neighbours with it, hence the second try one by one.

use std::{future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt as _;
use keyway_telemetry::metrics;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

use crate::HandlerError;

/// Time that a group waits for as many rows as the group before it had.
const GATHER: Duration = Duration::from_millis(2);

/// A way to write rows in groups.
pub(crate) struct Group<T> {
    queue: mpsc::Sender<(T, oneshot::Sender<Result<(), HandlerError>>)>,
}

impl<T: Send + Sync + 'static> Group<T> {
    /// Starts the writer task. `commit` writes all rows it is given in one transaction or none; it is called with at
    /// most `most` rows.
    pub(crate) fn start<C, F>(name: &'static str, most: usize, commit: C) -> Self
    where
        C: Fn(Arc<Vec<T>>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), HandlerError>> + Send,
    {
        let (queue, mut waiting) = mpsc::channel::<(T, oneshot::Sender<_>)>(most * 2);
        keyway_telemetry::spawn(name, async move {
            let (mut taken, mut expected) = (Vec::with_capacity(most), 1);
            while waiting.recv_many(&mut taken, most).await > 0 {
                gather(&mut waiting, &mut taken, expected).await;
                expected = taken.len();
                let (rows, answers): (Vec<_>, Vec<_>) = taken.drain(..).unzip();
                metrics()
                    .group_rows
                    .with_label_values(&[name])
                    .observe(f64::from(u32::try_from(rows.len()).unwrap_or(0)));
                for (answer, result) in answers.into_iter().zip(write(name, &commit, rows).await) {
                    // A handler that is gone will be given its message again.
                    let _ = answer.send(result);
                }
            }
        });
        Self { queue }
    }

    /// Hands in a row; returns when it is committed.
    ///
    /// # Errors
    /// Error of `commit` for the transaction with this row.
    pub(crate) async fn write(&self, row: T) -> Result<(), HandlerError> {
        let (answer, answered) = oneshot::channel();
        let ended = || HandlerError::Unavailable("the writer has ended".to_owned());
        self.queue.send((row, answer)).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }
}

/// Waits for more rows, as handlers whose rows were committed together come back together, but not at the same instant:
/// without the wait, a group of one would follow each large one.
async fn gather<R>(waiting: &mut mpsc::Receiver<R>, taken: &mut Vec<R>, expected: usize) {
    let until = Instant::now() + GATHER;
    while taken.len() < expected {
        let left = expected - taken.len();
        if !matches!(timeout_at(until, waiting.recv_many(taken, left)).await, Ok(1..)) {
            return;
        }
    }
}

async fn write<T, C, F>(name: &str, commit: &C, rows: Vec<T>) -> Vec<Result<(), HandlerError>>
where
    T: Send + Sync,
    C: Fn(Arc<Vec<T>>) -> F + Send + Sync,
    F: Future<Output = Result<(), HandlerError>> + Send,
{
    let rows = Arc::new(rows);
    let count = rows.len();
    let timer = metrics().database_seconds.with_label_values(&[name]).start_timer();
    let committed = guarded(commit(Arc::clone(&rows))).await;
    timer.observe_duration();
    match committed {
        Err(HandlerError::Defect(_)) if count > 1 => {
            let mut results = Vec::with_capacity(count);
            for row in Arc::into_inner(rows).unwrap_or_default() {
                results.push(guarded(commit(Arc::new(vec![row]))).await);
            }
            results
        }
        result => vec![result; count],
    }
}

/// Runs a commit and turns a panic into an error, so that one row cannot end the only writer of its lane.
async fn guarded(commit: impl Future<Output = Result<(), HandlerError>>) -> Result<(), HandlerError> {
    AssertUnwindSafe(commit).catch_unwind().await.unwrap_or_else(|_| {
        metrics().task_panics.inc();
        Err(HandlerError::Defect("the writer panicked".to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn rows_are_committed_together_and_a_bad_one_fails_alone() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&written);
        let group = Arc::new(Group::start("test", 64, move |rows: Arc<Vec<u32>>| {
            let log = Arc::clone(&log);
            async move {
                tokio::task::yield_now().await;
                assert!(!rows.contains(&17), "on purpose");
                if rows.contains(&13) {
                    return Err(HandlerError::Defect("13".to_owned()));
                }
                log.lock().unwrap().push(rows.to_vec());
                Ok(())
            }
        }));
        let results = futures::future::join_all((0..40).map(|row| {
            let group = Arc::clone(&group);
            async move { (row, group.write(row).await.is_ok()) }
        }))
        .await;
        for (row, ok) in results {
            assert_eq!(ok, ![13, 17].contains(&row), "{row}");
        }
        let mut rows: Vec<_> = written.lock().unwrap().iter().flatten().copied().collect();
        rows.sort_unstable();
        assert_eq!(rows, (0..40).filter(|row| ![13, 17].contains(row)).collect::<Vec<_>>());
    }
}
