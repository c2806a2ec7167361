//! `SendMail` (lane `mail`): sends one mail to its recipient, again with the same Message-ID until the server has it,
//! refuses it, or time is over.
//!
//! The link of a mail is opened here and nowhere else. That of a forgotten password is made here too, so that the
//! request for it takes the same time whether or not there is such an account.

use std::{sync::Arc, time::Duration};

use keyway_domain::{
    Code, Email, MailContent, MailId, MailState, Message, OperationKind, Outcome, RetryPolicy, Timestamp,
};
use keyway_store::{
    link_tokens::{self, Purpose},
    mails::{self, MailRow, SealedLink},
    users::{self, SignIn},
};
use keyway_telemetry::metrics;
use keyway_vault::{AccessToken, AccessTokenKind, SecretString};

use crate::{
    Ctx, HandlerError,
    mail::{Answer, Mailer},
};

/// Version that a link is sealed as; it never changes.
const LINK_VERSION: i32 = 1;
const SECONDS_OF_MINUTE: u64 = 60;

/// Link of a mail that is about to be sent.
enum Link {
    /// The mail has none.
    Without,
    /// It is open.
    Open(SecretString),
    /// It does not open with this keyring.
    Unreadable,
}

/// Sends one mail once.
pub(super) async fn run(ctx: &Ctx, message: &Message, id: MailId) -> Result<Outcome, HandlerError> {
    let found = mails::find_any(&ctx.store.system_read().await?, id).await?;
    // It is gone with its tenant or its person.
    let Some(mut mail) = found else { return Ok(Outcome::Done(Vec::new())) };
    match mail.state {
        MailState::Sent => return Ok(Outcome::Done(Vec::new())),
        MailState::Bounced => return Ok(Outcome::Failed { code: Code::MailBounced, events: Vec::new() }),
        MailState::Waiting | MailState::Unsent => {}
    }
    let Some(mailer) = &ctx.mailer else { return given_up(ctx, id, Code::MailUnset).await };
    if mail.ends_at.is_some_and(|end| end <= Timestamp::now()) {
        return given_up(ctx, id, Code::MailTooLate).await;
    }
    if let (MailContent::PasswordReset(reset), None) = (&mail.content, &mail.link) {
        let holds = Duration::from_secs(reset.minutes * SECONDS_OF_MINUTE);
        match with_reset_link(ctx, mailer, message, &mail, holds).await? {
            Some(ready) => mail = ready,
            None => return Ok(Outcome::Done(Vec::new())),
        }
    }
    let link = match link(ctx, message, &mail).await? {
        Link::Without => None,
        Link::Open(link) => Some(link),
        Link::Unreadable => return given_up(ctx, id, Code::Undecryptable).await,
    };
    let answer = mailer.send(&mail, link.as_ref()).await.unwrap_or(Answer::Bounced);
    let outcome = note(ctx, message, &mail, answer).await?;
    mailer.settled(id);
    metrics().mails.with_label_values(&[mail.content.kind().name(), answer.name()]).inc();
    Ok(outcome)
}

/// Notes the end of the attempt in the mail's row.
async fn note(ctx: &Ctx, message: &Message, mail: &MailRow, answer: Answer) -> Result<Outcome, HandlerError> {
    let tx = ctx.store.system().await?;
    let outcome = match answer.code() {
        None => {
            mails::sent(&tx, mail.id, Timestamp::now()).await?;
            Outcome::Done(Vec::new())
        }
        Some(code @ Code::MailBounced) => {
            mails::bounced(&tx, mail.id, code).await?;
            Outcome::Failed { code, events: Vec::new() }
        }
        Some(code) => {
            if RetryPolicy::of(OperationKind::SendMail).is_last(message.attempt) {
                mails::unsent(&tx, mail.id, code).await?;
            } else {
                mails::deferred(&tx, mail.id, code).await?;
            }
            Outcome::Retry { code, after: None, next: None, events: Vec::new() }
        }
    };
    tx.commit().await?;
    Ok(outcome)
}

async fn given_up(ctx: &Ctx, id: MailId, code: Code) -> Result<Outcome, HandlerError> {
    let tx = ctx.store.system().await?;
    mails::unsent(&tx, id, code).await?;
    tx.commit().await?;
    Ok(Outcome::Failed { code, events: Vec::new() })
}

/// Opens the link of a mail.
async fn link(ctx: &Ctx, message: &Message, mail: &MailRow) -> Result<Link, HandlerError> {
    let Some(SealedLink { envelope, data_key_id }) = &mail.link else { return Ok(Link::Without) };
    let tx = ctx.store.tenant_read(message.tenant_id).await?;
    let keys = ctx.keys.by_id(&tx, *data_key_id).await?;
    let opened =
        keys.open(mail.id.sealed_link(), LINK_VERSION, envelope).and_then(keyway_vault::SecretBytes::into_text);
    Ok(opened.map_or(Link::Unreadable, Link::Open))
}

/// Makes the link of a forgotten password and returns the mail with it. `None`: there is no such account, or none with a
/// password, and the mail is gone.
async fn with_reset_link(
    ctx: &Ctx,
    mailer: &Arc<Mailer>,
    message: &Message,
    mail: &MailRow,
    holds: Duration,
) -> Result<Option<MailRow>, HandlerError> {
    let tx = ctx.store.tenant(message.tenant_id).await?;
    let keys = ctx.keys.current(&tx).await?;
    tx.commit().await?;
    let tx = ctx.store.system().await?;
    let found = match mail.recipient.parse::<Email>() {
        Ok(email) => users::find_for_sign_in(&tx, &email).await?,
        Err(_) => None,
    };
    let Some(SignIn { user, password_hash: Some(_) }) = found.filter(|found| found.user.disabled_at.is_none()) else {
        mails::delete(&tx, mail.id).await?;
        tx.commit().await?;
        return Ok(None);
    };
    let random = |error: keyway_vault::VaultError| HandlerError::Unavailable(error.to_string());
    let token = AccessToken::generate(AccessTokenKind::Link).map_err(random)?;
    // Behind the mark, so that no server on the way has it in its log.
    let link = SecretString::new(format!("{}#{}", mailer.page("/reset"), token.plain()));
    let envelope = keys.seal(mail.id.sealed_link(), LINK_VERSION, link.plain().as_bytes()).map_err(random)?;
    let (now, sealed) = (Timestamp::now(), SealedLink { envelope, data_key_id: keys.id() });
    let ends_at = now.after(holds);
    link_tokens::insert(&tx, Purpose::PasswordReset, user.id, &token.sha256(), (now, ends_at)).await?;
    // Another delivery of the message may have made one: then that one is sent.
    if mails::keep_link(&tx, mail.id, &user, &sealed, ends_at).await? {
        tx.commit().await?;
    } else {
        drop(tx);
    }
    Ok(mails::find_any(&ctx.store.system_read().await?, mail.id).await?)
}
