//! Groups single writes into few transactions: while one is being committed, the next group gathers.
//!
//! A caller is answered only after the commit of its group.

use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use crate::{BusError, task};

/// Largest number of items in one transaction, unless a single caller brings more.
const GROUP: usize = 512;

struct Entry<T> {
    items: Vec<T>,
    done: oneshot::Sender<Result<(), BusError>>,
}

/// Hands items to one writing task.
#[derive(Debug)]
pub(crate) struct Batcher<T>(mpsc::Sender<Entry<T>>);

impl<T: Send + 'static> Batcher<T> {
    /// Starts the writing task; it ends with the last clone of the batcher.
    pub(crate) fn new(write: impl Fn(Vec<T>) -> BoxFuture<'static, Result<(), BusError>> + Send + 'static) -> Self {
        let (sender, mut entries) = mpsc::channel::<Entry<T>>(GROUP);
        task::spawn(async move {
            while let Some(first) = entries.recv().await {
                // Whoever was woken together with the first caller gets a chance to join its group.
                tokio::task::yield_now().await;
                let (mut items, mut callers) = (first.items, vec![first.done]);
                while items.len() < GROUP
                    && let Ok(entry) = entries.try_recv()
                {
                    items.extend(entry.items);
                    callers.push(entry.done);
                }
                let answer = write(items).await;
                for caller in callers {
                    // A caller that went away does not want to know.
                    let _ = caller.send(answer.clone());
                }
            }
        });
        Self(sender)
    }

    /// Waits until the items are committed.
    pub(crate) async fn submit(&self, items: Vec<T>) -> Result<(), BusError> {
        let (done, answer) = oneshot::channel();
        self.0.send(Entry { items, done }).await.map_err(|_| BusError::Closed)?;
        answer.await.map_err(|_| BusError::Closed)?
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn callers_that_wait_together_share_a_transaction_and_its_answer() {
        let (writes, items) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let seen = (Arc::clone(&writes), Arc::clone(&items));
        let batcher = Batcher::new(move |group: Vec<u32>| {
            seen.0.fetch_add(1, Ordering::Relaxed);
            seen.1.fetch_add(group.len(), Ordering::Relaxed);
            let answer = if group.contains(&13) { Err(BusError::Journal("13".into())) } else { Ok(()) };
            async move { answer }.boxed()
        });
        let answers = futures::future::join_all((20..120).map(|n| batcher.submit(vec![n]))).await;
        assert!(answers.iter().all(Result::is_ok));
        assert_eq!(items.load(Ordering::Relaxed), 100);
        assert!(writes.load(Ordering::Relaxed) < 20, "{writes:?} transactions for 100 items");
        assert_eq!(batcher.submit(vec![13]).await, Err(BusError::Journal("13".into())));
        assert_eq!(batcher.submit(vec![14]).await, Ok(()));
    }
}
