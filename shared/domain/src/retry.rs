//! Retry policies: number of attempts and delays between them.

use std::time::Duration;

use crate::OperationKind;

/// Attempts and delays of one kind of operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Number of attempts in all, the first included.
    pub attempts: u32,
    /// Delay before the second attempt; doubles with each further one.
    pub base: Duration,
    /// Longest delay of our own choice.
    pub longest: Duration,
    /// Longest delay that a provider may ask for.
    pub cap: Duration,
}

impl RetryPolicy {
    /// Returns the policy of a kind.
    #[must_use]
    pub const fn of(kind: OperationKind) -> Self {
        match kind {
            OperationKind::VerifyKey => {
                // Whoever waited out an outage is to be asked within a minute of its end.
                let longest = Duration::from_secs(20);
                Self { attempts: 8, base: Duration::from_secs(2), longest, cap: Duration::from_secs(600) }
            }
            OperationKind::PlanUsage => Self::doubling(5, 1, 60),
            OperationKind::Revoke | OperationKind::CheckSchema => Self::doubling(5, 1, 60),
            OperationKind::FetchUsage => Self::doubling(6, 5, 900),
            // A little more than a day: a mail server may be away for a night.
            OperationKind::SendMail => Self::doubling(60, 30, 1800),
        }
    }

    const fn doubling(attempts: u32, base_seconds: u64, cap_seconds: u64) -> Self {
        let cap = Duration::from_secs(cap_seconds);
        Self { attempts, base: Duration::from_secs(base_seconds), longest: cap, cap }
    }

    /// Returns `true` if `attempt` (from 1) is the last one until the owner asks for another round.
    #[must_use]
    pub const fn is_last(&self, attempt: u32) -> bool {
        attempt.is_multiple_of(self.attempts)
    }

    /// Returns the delay after attempt number `attempt` (from 1). `asked` is what the provider wants: it can lengthen
    /// the delay up to the cap, never shorten it. `jitter` (0 to 1) spreads attempts over the upper half of the delay.
    #[must_use]
    pub fn delay(&self, attempt: u32, asked: Option<Duration>, jitter: f64) -> Duration {
        let doublings = (attempt.saturating_sub(1) % self.attempts).min(16);
        let full = self.base.saturating_mul(1 << doublings).min(self.longest);
        let own = full.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0));
        own.max(asked.unwrap_or_default().min(self.cap))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_delay_is_positive_and_capped_whatever_the_provider_asks(attempt in 0u32..1000, asked in 0u64..u64::MAX, jitter in -1.0f64..2.0) {
            for kind in OperationKind::ALL {
                let policy = RetryPolicy::of(kind);
                let delay = policy.delay(attempt, Some(Duration::from_secs(asked)), jitter);
                prop_assert!(delay <= policy.cap);
                prop_assert!(delay >= policy.base / 2);
            }
        }

        #[test]
        fn a_round_that_was_asked_for_is_as_long_as_the_first(round in 0u32..1000) {
            for kind in OperationKind::ALL {
                let policy = RetryPolicy::of(kind);
                let last = (1..=policy.attempts).filter(|attempt| policy.is_last(round * policy.attempts + attempt));
                prop_assert_eq!(last.collect::<Vec<_>>(), vec![policy.attempts]);
                let first = policy.delay(round * policy.attempts + 1, None, 1.0);
                prop_assert_eq!(first, policy.base);
            }
        }
    }
}
