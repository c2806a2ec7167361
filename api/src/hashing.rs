//! The threads that hash passwords: as many at a time as there are cores, each in one block of memory that is used again,
//! with a limited queue before them. Whoever would wait too long is turned away, so that sign-ins never starve the API.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread::available_parallelism,
};

use keyway_vault::{HashMemory, Password, PasswordMatch, SecretString, VaultError};
use tokio::sync::Semaphore;

use crate::{code::Code, error::ApiError};

/// Largest number of passwords that wait, for each core.
const MOST_WAITING_PER_CORE: usize = 32;
const RETRY_AFTER_SECONDS: u16 = 2;

/// The queue and the memory.
pub(crate) struct Hashing {
    cores: usize,
    permits: Arc<Semaphore>,
    memory: Arc<Mutex<Vec<HashMemory>>>,
    waiting: AtomicUsize,
}

/// Judgement of a password that somebody sent.
pub(crate) struct Judged {
    pub(crate) is_right: bool,
    /// Hash with today's parameters, if the stored one was made with others.
    pub(crate) new_hash: Option<SecretString>,
}

/// One of those that wait, counted until dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Hashing {
    pub(crate) fn new() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self { cores, permits: Arc::new(Semaphore::new(cores)), memory: Arc::default(), waiting: AtomicUsize::new(0) }
    }

    /// Runs work that hashes.
    ///
    /// # Errors
    /// 503 when too many wait already.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut HashMemory) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let before = self.waiting.fetch_add(1, Relaxed);
        let waiting = Waiting(&self.waiting);
        if before >= self.cores * MOST_WAITING_PER_CORE {
            return Err(busy());
        }
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| busy())?;
        drop(waiting);
        let free = Arc::clone(&self.memory);
        let done = tokio::task::spawn_blocking(move || {
            let held = free.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut memory = held.unwrap_or_default();
            let done = work(&mut memory);
            free.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
            // Last: who comes next finds the memory.
            drop(permit);
            done
        });
        done.await.map_err(|_| ApiError::new(Code::Internal, "something went wrong in Keyway"))
    }

    /// Compares a password with a stored hash; without one it takes as long and is wrong.
    ///
    /// # Errors
    /// As for [`Self::run`].
    pub(crate) async fn judge(&self, typed: SecretString, stored: Option<SecretString>) -> Result<Judged, ApiError> {
        self.run(move |memory| judge(&typed, stored.as_ref(), memory)).await?.map_err(ApiError::from)
    }
}

fn judge(typed: &SecretString, stored: Option<&SecretString>, memory: &mut HashMemory) -> Result<Judged, VaultError> {
    // What is longer than any password costs as much as one.
    let (password, stored) = match Password::typed(typed) {
        Some(password) => (Some(password), stored),
        None => (Password::typed(&SecretString::new(String::new())), None),
    };
    let Some(password) = password else { return Ok(Judged { is_right: false, new_hash: None }) };
    let found = match password.compare(stored.map(|hash| hash.plain().as_str()), memory) {
        Ok(found) => found,
        Err(VaultError::StoredHash) => {
            // Nobody who guesses learns from the answer that there is such an account.
            tracing::error!("a stored password is not readable by this build");
            PasswordMatch::Wrong
        }
        Err(error) => return Err(error),
    };
    let new_hash = match found {
        PasswordMatch::RightButOld => Some(SecretString::new(password.hash(memory)?)),
        PasswordMatch::Right | PasswordMatch::Wrong => None,
    };
    Ok(Judged { is_right: found != PasswordMatch::Wrong, new_hash })
}

fn busy() -> ApiError {
    ApiError::new(Code::Overloaded, "too many people sign in at the moment; try again").retry_after(RETRY_AFTER_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn more_than_the_queue_holds_are_turned_away_and_memory_is_used_again() {
        let hashing = Hashing::new();
        let held = hashing.permits.acquire_many(hashing.cores as u32).await.unwrap();
        let most = hashing.cores * MOST_WAITING_PER_CORE;
        let mut queued: Vec<_> = (0..most).map(|_| Box::pin(hashing.run(|_| ()))).collect();
        for one in &mut queued {
            assert!(futures::poll!(one).is_pending());
        }
        assert!(hashing.run(|_| ()).await.is_err_and(|error| error.is(Code::Overloaded)));
        drop(queued);
        drop(held);
        for _ in 0..3 {
            hashing.run(|_| ()).await.unwrap();
        }
        assert_eq!(hashing.memory.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn what_cannot_be_right_is_wrong() {
        let hashing = Hashing::new();
        let typed = || SecretString::new("a quiet orchard at dusk".to_owned());
        let hash = hashing.run(move |memory| Password::typed(&typed()).unwrap().hash(memory)).await.unwrap().unwrap();
        let too_long = SecretString::new("x".repeat(100_000));
        for (typed, stored, is_right) in [
            (typed(), Some(hash.clone()), true),
            (typed(), None, false),
            (typed(), Some("no hash".to_owned()), false),
            (too_long, Some(hash), false),
        ] {
            let judged = hashing.judge(typed, stored.map(SecretString::new)).await.unwrap();
            assert_eq!(judged.is_right, is_right);
            assert!(judged.new_hash.is_none());
        }
    }
}
