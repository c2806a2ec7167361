//! The one place that spawns tasks, so that none loses its span or panics unseen.

use std::future::Future;

use tokio::task::JoinHandle;
use tracing::Instrument;

/// Runs `future` as a task of its own, inside the current span. A panic is logged with `name` and
/// counted; the task's handle then yields the panic as its error.
#[expect(clippy::disallowed_methods, reason = "the one home of tokio::spawn")]
pub fn spawn<F>(name: &'static str, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let alarm = Alarm { name };
    tokio::spawn(
        async move {
            let _alarm = alarm;
            future.await
        }
        .in_current_span(),
    )
}

struct Alarm {
    name: &'static str,
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            crate::metrics().task_panics.inc();
            tracing::error!(task = self.name, "a task panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn a_panic_is_counted_and_reaches_the_handle() {
        let before = crate::metrics().task_panics.get();
        let result = super::spawn("test", async { panic!("on purpose") }).await;
        assert!(result.is_err());
        assert_eq!(crate::metrics().task_panics.get(), before + 1);
    }
}
