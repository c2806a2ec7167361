//! Wrong sign-ins in a row, by account and by network address, counted where every replica sees them.
//!
//! An attempt is counted before it is judged: however many come at the same moment, on however many replicas, one of
//! them is judged and the others wait. Nobody is locked out for good, and an account that does not exist is counted
//! like one that does.

use std::{net::IpAddr, time::Duration};

use keyway_domain::{Email, Timestamp, UserId};

use crate::{
    StoreError, SystemTx,
    entity::sign_in_attempts as table,
    sql::{Sql, for_update},
};

/// The longest anybody waits after a wrong attempt.
pub const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// After so long without an attempt the count begins anew.
pub const FORGOTTEN_AFTER: Duration = Duration::from_secs(86_400);

/// Behind one address there are many people: so many attempts in a row are free of any wait there.
const FREE_FROM_NETWORK: i32 = 20;
/// And as often one of them is forgiven there, or an office would wait for the mistakes of a whole day.
const FORGIVEN_EVERY: Duration = Duration::from_secs(60);

/// What attempts are counted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The account with this address, whether there is one or not.
    Account(Email),
    /// Requests for a link to choose another password of the account with this address, whether there is one or not.
    PasswordReset(Email),
    /// The second factor of a person whose password was right: right passwords in between do not begin it anew.
    SecondFactor(UserId),
    /// The network that a request comes from: an IPv4 address, or the half of an IPv6 address that a customer is given.
    Network(IpAddr),
}

impl Subject {
    fn text(&self) -> String {
        match self {
            Self::Account(email) => format!("account {}", email.key()),
            Self::PasswordReset(email) => format!("password reset of {}", email.key()),
            Self::SecondFactor(user_id) => format!("second factor of {user_id}"),
            Self::Network(address) => match address.to_canonical() {
                IpAddr::V4(address) => format!("network {address}"),
                IpAddr::V6(address) => {
                    let [a, b, c, d, ..] = address.segments();
                    format!("network {a:x}:{b:x}:{c:x}:{d:x}::/64")
                }
            },
        }
    }

    const fn free(&self) -> i32 {
        match self {
            Self::Account(_) | Self::PasswordReset(_) | Self::SecondFactor(_) => 0,
            Self::Network(_) => FREE_FROM_NETWORK,
        }
    }

    /// How many of these attempts still count, and the time that the next ones are forgiven from.
    fn still_counted(&self, attempts: i32, last_at: Timestamp, now: Timestamp) -> (i32, Timestamp) {
        let rest = now.since(last_at);
        let forgiven = match self {
            Self::Network(_) => u32::try_from(rest.as_secs() / FORGIVEN_EVERY.as_secs()).unwrap_or(u32::MAX),
            Self::Account(_) | Self::PasswordReset(_) | Self::SecondFactor(_) => 0,
        };
        let left = attempts.saturating_sub(i32::try_from(forgiven).unwrap_or(i32::MAX));
        if rest >= FORGOTTEN_AFTER || left <= 0 {
            (0, now)
        } else if forgiven > 0 {
            (left, last_at.after(FORGIVEN_EVERY * forgiven))
        } else if matches!(self, Self::Network(_)) {
            (left, last_at)
        } else {
            (left, now)
        }
    }
}

/// Asks whether an attempt may be judged now by all it is counted by, and if so, counts it as a wrong one until
/// [`succeeded`] says otherwise. Otherwise says how long to wait, and counts nothing: asking too early makes no wait
/// longer. To be committed before the judgement.
///
/// # Errors
/// See [`StoreError`]: where it cannot be counted, nothing must be judged.
pub async fn begin(tx: &SystemTx, subjects: &[Subject], now: Timestamp) -> Result<Option<Duration>, StoreError> {
    let text = "INSERT INTO sign_in_attempts (subject, attempts, last_at_ms, next_at_ms) VALUES ($1, 0, $2, $2) \
                ON CONFLICT DO NOTHING";
    let (mut held, mut longest) = (Vec::new(), None);
    for subject in in_order(subjects) {
        Sql::with(text, [subject.text().into(), now.ms().into()]).run(tx).await?;
        let row = hold(tx, subject).await?.ok_or(StoreError::NotFound)?;
        let next_at = Timestamp::from_ms(row.next_at_ms);
        if next_at > now {
            longest = longest.max(Some(next_at.since(now)));
        }
        held.push((subject, row));
    }
    if longest.is_some() {
        return Ok(longest);
    }
    for (subject, row) in held {
        let (before, since) = subject.still_counted(row.attempts, Timestamp::from_ms(row.last_at_ms), now);
        let attempts = before.saturating_add(1);
        set(tx, subject, attempts, (since, now.after(wait(attempts, subject.free())))).await?;
    }
    Ok(None)
}

/// Says how long until an attempt may be judged, without counting one; `None`: it may be judged now.
///
/// # Errors
/// See [`StoreError`].
pub async fn wait_of(tx: &SystemTx, subject: &Subject, now: Timestamp) -> Result<Option<Duration>, StoreError> {
    let text = "SELECT * FROM sign_in_attempts WHERE subject = $1 AND next_at_ms > $2";
    let sql = Sql::with(text, [subject.text().into(), now.ms().into()]);
    let waiting = sql.models::<table::Entity>(tx).await?.pop();
    Ok(waiting.map(|row| Timestamp::from_ms(row.next_at_ms).since(now)))
}

/// Takes back that an attempt was counted: it was right. What is one person's begins anew; of a network only this
/// attempt is taken back, or whoever has one account could go on guessing at others.
///
/// # Errors
/// See [`StoreError`].
pub async fn succeeded(tx: &SystemTx, subjects: &[Subject], now: Timestamp) -> Result<(), StoreError> {
    for subject in in_order(subjects) {
        if !matches!(subject, Subject::Network(_)) {
            reset(tx, subject).await?;
        } else if let Some(row) = hold(tx, subject).await? {
            let attempts = row.attempts.saturating_sub(1).max(0);
            let next_at = now.after(wait(attempts, subject.free())).min(Timestamp::from_ms(row.next_at_ms));
            set(tx, subject, attempts, (Timestamp::from_ms(row.last_at_ms), next_at)).await?;
        }
    }
    Ok(())
}

/// Begins anew: for an account whose password was set by a link or by the operator.
///
/// # Errors
/// See [`StoreError`].
pub async fn reset(tx: &SystemTx, subject: &Subject) -> Result<(), StoreError> {
    Sql::with("DELETE FROM sign_in_attempts WHERE subject = $1", [subject.text().into()]).run(tx).await.map(drop)
}

/// All lock rows in one order, so that nobody waits for who waits for it.
fn in_order(subjects: &[Subject]) -> Vec<&Subject> {
    let mut subjects: Vec<_> = subjects.iter().collect();
    subjects.sort_by_cached_key(|subject| subject.text());
    subjects
}

async fn hold(tx: &SystemTx, subject: &Subject) -> Result<Option<table::Model>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM sign_in_attempts WHERE subject = ");
    sql.bind(subject.text()).push(for_update(tx));
    Ok(sql.models::<table::Entity>(tx).await?.pop())
}

async fn set(
    tx: &SystemTx,
    subject: &Subject,
    attempts: i32,
    (last_at, next_at): (Timestamp, Timestamp),
) -> Result<(), StoreError> {
    let text = "UPDATE sign_in_attempts SET attempts = $1, last_at_ms = $2, next_at_ms = $3 WHERE subject = $4";
    let values = [attempts.into(), last_at.ms().into(), next_at.ms().into(), subject.text().into()];
    Sql::with(text, values).run(tx).await.map(drop)
}

/// One second after the first attempt that is not free, and twice as long after each further one.
fn wait(attempts: i32, free: i32) -> Duration {
    match u32::try_from(attempts.saturating_sub(free)) {
        Ok(counted @ 1..) => Duration::from_secs(1_u64 << (counted - 1).min(32)).min(LONGEST_WAIT),
        _ => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_doubles_up_to_a_quarter_of_an_hour() {
        for (attempts, free, seconds) in [
            (0, 0, 0),
            (1, 0, 1),
            (2, 0, 2),
            (3, 0, 4),
            (10, 0, 512),
            (11, 0, 900),
            (40, 0, 900),
            (i32::MAX, 0, 900),
            (20, 20, 0),
            (21, 20, 1),
            (i32::MIN, 20, 0),
        ] {
            assert_eq!(wait(attempts, free), Duration::from_secs(seconds), "{attempts} of which {free}");
        }
    }

    #[test]
    fn an_account_forgets_after_a_day_and_a_network_by_the_minute() {
        let (ana, here) =
            (Subject::Account("ana@example.org".parse().unwrap()), Subject::Network([203, 0, 113, 7].into()));
        let at = |seconds: i64| Timestamp::from_seconds(1_000_000 + seconds);
        for (subject, attempts, rest, expected) in [
            (&ana, 5, 0, (5, 0)),
            (&ana, 5, 3600, (5, 3600)),
            (&ana, 5, 86_400, (0, 86_400)),
            (&here, 30, 0, (30, 0)),
            (&here, 30, 59, (30, 0)),
            (&here, 30, 60, (29, 60)),
            (&here, 30, 150, (28, 120)),
            (&here, 30, 1800, (0, 1800)),
            (&here, 100_000, 86_400, (0, 86_400)),
        ] {
            let (left, since) = expected;
            assert_eq!(
                subject.still_counted(attempts, at(0), at(rest)),
                (left, at(since)),
                "{subject:?} after {rest} s"
            );
        }
    }

    #[test]
    fn a_customer_s_network_is_one_subject() {
        let text = |address: &str| Subject::Network(address.parse().unwrap()).text();
        assert_eq!(text("203.0.113.7"), "network 203.0.113.7");
        assert_eq!(text("::ffff:203.0.113.7"), text("203.0.113.7"));
        assert_ne!(text("203.0.113.8"), text("203.0.113.7"));
        assert_eq!(text("2001:db8:1:2:3:4:5:6"), text("2001:db8:1:2::1"));
        assert_ne!(text("2001:db8:1:3::1"), text("2001:db8:1:2::1"));
        let account = |email: &str| Subject::Account(email.parse().unwrap()).text();
        assert_eq!(account("Ana@Example.org"), account("ana@example.org"));
    }
}
