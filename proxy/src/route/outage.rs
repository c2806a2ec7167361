//! Look-ups of entries that are not cached, while the database may be away: none waits for long, and none waits behind
//! others that fail.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::refusal::{Code, Refusal};

/// Time limit of one look-up: a caller waits for it.
const LOOK_UP: Duration = Duration::from_millis(1500);
/// Time for which a failed look-up stands for all others, before the database is asked again.
const REMEMBERED: Duration = Duration::from_millis(500);

/// Time at which the database was last found to be away.
#[derive(Default)]
pub(crate) struct Outage(Mutex<Option<Instant>>);

impl Outage {
    /// Runs a look-up, unless the database was just found to be away.
    ///
    /// # Errors
    /// The look-up's own, or that the database is away.
    pub(crate) async fn look_up<T>(&self, load: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
        if self.is_on(Instant::now()) {
            return Err(away());
        }
        let found = tokio::time::timeout(LOOK_UP, load).await.unwrap_or_else(|_| {
            tracing::warn!("the database did not answer in time; a request's key or integration is not in memory");
            Err(away())
        });
        if found.as_ref().is_err_and(|refusal| matches!(refusal.code(), Code::Unavailable)) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        found
    }

    fn is_on(&self, now: Instant) -> bool {
        let found = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        found.is_some_and(|at| now.duration_since(at) < REMEMBERED)
    }
}

fn away() -> Refusal {
    Refusal::new(Code::Unavailable, "the database is not available at the moment; try again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_that_failed_speaks_for_the_others_for_a_short_while() {
        let outage = Outage::default();
        assert!(matches!(outage.look_up(async { Ok(1) }).await, Ok(1)));
        let refused = outage.look_up(async { Err::<u8, _>(Refusal::new(Code::InvalidKey, "no")) }).await;
        assert!(refused.is_err() && !outage.is_on(Instant::now()), "an answer is no outage");
        let failed = outage.look_up(async { Err::<u8, _>(away()) }).await;
        assert!(failed.is_err() && outage.is_on(Instant::now()));
        assert!(outage.look_up(async { Ok(1) }).await.is_err(), "nobody asks meanwhile");
        assert!(!outage.is_on(Instant::now() + REMEMBERED), "then somebody does");
    }

    #[tokio::test]
    async fn a_look_up_that_is_not_answered_ends() {
        let (outage, begun) = (Outage::default(), Instant::now());
        let failed = outage.look_up(std::future::pending::<Result<u8, _>>()).await;
        assert!(failed.is_err_and(|refusal| matches!(refusal.code(), Code::Unavailable)));
        assert!(begun.elapsed() < 2 * LOOK_UP && outage.is_on(Instant::now()));
    }
}
