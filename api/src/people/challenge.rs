//! The step between the first factor and the second one: a challenge that is its person's alone, good for minutes and for
//! one session. It proves that the first factor was right, and nothing else.

use std::time::Duration;

use keyway_domain::{Timestamp, UserId};
use keyway_store::{
    StoreError, SystemTx, factors as stored,
    link_tokens::{self, Purpose},
    sessions::Proof,
    users::{self, UserRow},
};
use keyway_vault::{AccessToken, AccessTokenKind, SecretString};
use serde::Serialize;
use utoipa::ToSchema;

use super::{attempts, begun, factors};
use crate::{answer::Answer, call::Call, error::ApiError, system_work::SystemWork};

const HOLDS: Duration = Duration::from_secs(5 * 60);
const ENDED: &str = "this sign-in has ended, or was finished already: begin it anew";

/// A sign-in whose first factor was right and that waits for the second one.
#[derive(Serialize, ToSchema)]
pub(crate) struct Challenge {
    /// Factors that the person has: `totp`, `passkey`, `recovery`. One of them is wanted.
    #[schema(example = json!(["totp", "recovery"]))]
    second_factor: Vec<&'static str>,
    /// Text to send with the second factor to `/api/v1/sessions/second-factor`. It is shown this once.
    challenge: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// End of the first step.
pub(crate) enum Entered {
    /// A session has begun.
    Session(Answer),
    /// A second factor is wanted.
    Asked(Challenge),
}

/// Challenge that somebody sent.
pub(crate) struct Sent([u8; 32]);

/// Lets a person in whose first factor was right: begins a session, or asks for the second factor if it has one.
///
/// # Errors
/// [`StoreError::Stale`] within the inner result: something of the person has changed, it is to be read again.
pub(crate) async fn enter(
    call: &Call,
    work: SystemWork<'_>,
    user: &UserRow,
    proved_by: Proof,
) -> Result<Result<Entered, StoreError>, ApiError> {
    let names = factors::names(stored::of(&work.tx, user.id).await?);
    if names.is_empty() {
        return Ok(begun::begin(call, work, user, proved_by).await?.map(Entered::Session));
    }
    match users::hold(&work.tx, user).await {
        Ok(()) => {}
        Err(error @ StoreError::Stale) => return Ok(Err(error)),
        Err(error) => return Err(error.into()),
    }
    let (token, expires_at) = (AccessToken::generate(AccessTokenKind::Link)?, work.now.after(HOLDS));
    let times = (work.now, expires_at);
    link_tokens::insert(&work.tx, Purpose::SecondFactor, user.id, &token.sha256(), times).await?;
    work.commit().await?;
    let challenge = Challenge { second_factor: names, challenge: token.plain().to_owned(), expires_at };
    Ok(Ok(Entered::Asked(challenge)))
}

impl Entered {
    /// Builds the answer to a program, or to a page of our own.
    pub(crate) fn into_answer(self) -> Answer {
        match self {
            Self::Session(answer) => answer,
            Self::Asked(challenge) => Answer::ok(&challenge).secret(),
        }
    }

    /// Builds the answer to a browser that comes from elsewhere: it goes on to `return_to`, or to the page that asks for
    /// the second factor. The challenge is behind the mark, so that no server on the way has it in its log.
    pub(crate) fn into_redirect(self, return_to: &str) -> Answer {
        match self {
            Self::Session(answer) => Answer::see_other(return_to).with_header(answer.into_cookie()),
            Self::Asked(Challenge { second_factor, challenge, .. }) => {
                let names = second_factor.join(",");
                Answer::see_other(&format!("/sign-in#challenge={challenge}&second_factor={names}"))
            }
        }
    }
}

impl Sent {
    /// Reads a challenge that somebody sent.
    ///
    /// # Errors
    /// 401 where the text cannot be one.
    pub(crate) fn read(text: &SecretString) -> Result<Self, ApiError> {
        let sha256 = AccessToken::sha256_of_sent(AccessTokenKind::Link, text.plain());
        sha256.map(Self).ok_or_else(ended)
    }

    /// Returns whose it is; it stays good.
    ///
    /// # Errors
    /// 401 where it is not good, or not any more.
    pub(crate) async fn owner(&self, tx: &SystemTx) -> Result<UserId, ApiError> {
        let owner = link_tokens::find(tx, Purpose::SecondFactor, &self.0, Timestamp::now()).await?;
        owner.ok_or_else(ended)
    }

    /// Uses it up. Of all who try at the same moment one succeeds.
    ///
    /// # Errors
    /// 401 for the others.
    pub(crate) async fn use_up(&self, tx: &SystemTx, owner: UserId, now: Timestamp) -> Result<UserRow, ApiError> {
        let taken = link_tokens::take(tx, Purpose::SecondFactor, &self.0, now).await?;
        let user = users::find(tx, taken.filter(|taken| *taken == owner).ok_or_else(ended)?).await?;
        user.ok_or_else(ended)
    }
}

fn ended() -> ApiError {
    attempts::wrong_factor(None, ENDED)
}
