//! Mails over a real SMTP server that is away, defers, refuses, and breaks off: each is sent once, told by its
//! Message-ID, and says so in its row.

use anyhow::{Context as _, Result, ensure};
use keyway_domain::{
    Code, InvitationMail, MailContent, MailId, MailState, Measure, Message, OperationState, PasswordResetMail, Role,
    Timestamp,
};
use keyway_store::{
    limits::{self, Ask, Told},
    link_tokens::{self, Purpose},
    mails::{self, Letter, MailOwner, MailRow, Outgoing, SealedLink},
    memberships, outbox, raw,
    users::{self, NewUser, UserRow},
};
use keyway_testkit::smtp::{Received, SmtpServer};
use keyway_vault::{AccessToken, AccessTokenKind, SecretString};

use crate::{
    observe::until,
    world::{World, in_both},
};

in_both! {
    each_mail_is_sent_once_whatever_its_server_does
    a_server_that_is_away_for_an_hour_gets_it_when_it_is_back
    without_a_server_a_mail_is_kept_as_unsent
    a_forgotten_password_is_looked_up_by_who_sends_the_mail
    who_may_act_is_told_once_of_a_key_that_expires
    a_budget_is_told_of_at_each_share_once
}

const LINK: &str = "https://keyway.example.com/invite#the-token";

async fn each_mail_is_sent_once_whatever_its_server_does(world: &mut World) -> Result<()> {
    let server = start(world).await?;
    let mut written = Vec::new();
    for (name, attempts, state, times) in [
        ("ok", 1, MailState::Sent, 1),
        ("grey", 3, MailState::Sent, 1),
        ("full", 2, MailState::Sent, 1),
        ("drop", 2, MailState::Sent, 1),
        ("lost", 2, MailState::Sent, 2),
        ("gone", 1, MailState::Bounced, 0),
    ] {
        let to = format!("{name}@example.org");
        written.push((to.clone(), world.invite(&to).await?, attempts, state, times));
    }
    world.start()?;
    for (to, (id, message), attempts, state, times) in written {
        let operation = world.hastened(&message).await?;
        let mail = world.mail(id).await?;
        ensure!((mail.state, mail.attempts, operation.attempt) == (state, attempts, attempts), "{to}: {mail:?}");
        let received = server.received_by(&to)?;
        ensure!(received.len() == times, "{to}: {received:?}");
        if state == MailState::Bounced {
            let failed = (operation.state, operation.error, mail.error);
            ensure!(failed == (OperationState::Failed, Some(Code::MailBounced), Some(Code::MailBounced)), "{failed:?}");
            continue;
        }
        ensure!(operation.state == OperationState::Succeeded && mail.sent_at.is_some(), "{to}: {operation:?}");
        ensure!(mail.link.is_none(), "the link of a mail that was sent is not kept");
        let own = format!("<{}>", mail.message_id);
        ensure!(received.iter().all(|mail| mail.message_id == own), "{to}: {received:?}");
        ensure!(received.iter().all(|mail| mail.text.contains(LINK) && mail.html.contains(LINK)), "{received:?}");
        ensure!(received[0].subject == "Ana invites you to Acme on Keyway", "{received:?}");
    }
    // Once more what was handled: nothing follows.
    let (id, message) = world.invite("ok2@example.org").await?;
    world.ended(&message).await?;
    world.publish(&[message.clone(), message]).await?;
    world.settle().await?;
    ensure!(server.received_by("ok2@example.org")?.len() == 1, "it was sent again");
    ensure!(world.mail(id).await?.attempts == 1, "it was counted again");
    Ok(())
}

async fn a_server_that_is_away_for_an_hour_gets_it_when_it_is_back(world: &mut World) -> Result<()> {
    let mut server = start(world).await?;
    server.stop()?;
    let (id, message) = world.invite("ok@example.org").await?;
    world.start()?;
    // By then an hour is over, as the delays between attempts go, which are not waited for here.
    let waited = async || {
        let operation = world.operation(&message).await?;
        let due = "UPDATE outbox SET available_at_ms = 0 WHERE route = 'mail'";
        raw_run(world, due).await?;
        Ok(operation.attempt >= 11)
    };
    until("it is tried again and again", waited).await?;
    let mail = world.mail(id).await?;
    ensure!((mail.state, mail.error) == (MailState::Waiting, Some(Code::MailUnreachable)), "{mail:?}");
    server.resume()?;
    let operation = world.hastened(&message).await?;
    ensure!(operation.state == OperationState::Succeeded, "{operation:?}");
    ensure!(world.mail(id).await?.state == MailState::Sent && server.received()?.len() == 1, "it arrived once");
    Ok(())
}

async fn without_a_server_a_mail_is_kept_as_unsent(world: &mut World) -> Result<()> {
    // Written while there was a server, and after.
    let (before, message) = world.invite("ok@example.org").await?;
    let tx = world.store.tenant(world.tenant.id).await?;
    let letter = invitation("ok2@example.org", None);
    let after = letter.id;
    let owner = MailOwner::Tenant(world.tenant.id);
    let none = mails::write(&tx, owner, letter, &Outgoing::unset(), Timestamp::now()).await?;
    tx.commit().await?;
    ensure!(none.is_none(), "there is nothing to do: {none:?}");
    world.start()?;
    let operation = world.ended(&message).await?;
    ensure!((operation.state, operation.error) == (OperationState::Failed, Some(Code::MailUnset)), "{operation:?}");
    for id in [before, after] {
        let mail = world.mail(id).await?;
        ensure!((mail.state, mail.error) == (MailState::Unsent, Some(Code::MailUnset)), "{mail:?}");
    }
    world.stop().await?;
    // It is not lost: with a server it is sent, link and all.
    let server = start(world).await?;
    let tx = world.store.tenant(world.tenant.id).await?;
    let again = mails::send_again(&tx, owner, before, Timestamp::now()).await?.context("it can be sent again")?;
    outbox::insert(&tx, std::slice::from_ref(&again), Timestamp::now()).await?;
    tx.commit().await?;
    world.start()?;
    world.ended(&again).await?;
    ensure!(server.received()?.iter().any(|mail| mail.text.contains(LINK)), "{:?}", server.received()?);
    let tx = world.store.tenant(world.tenant.id).await?;
    ensure!(mails::send_again(&tx, owner, before, Timestamp::now()).await?.is_none(), "it was sent");
    Ok(())
}

async fn a_forgotten_password_is_looked_up_by_who_sends_the_mail(world: &mut World) -> Result<()> {
    let server = start(world).await?;
    let ana = person(world, "Ana@example.org", "es", Some("a stored hash")).await?;
    person(world, "elsewhere@example.org", "en", None).await?;
    world.start()?;
    for unknown in ["nobody@example.org", "elsewhere@example.org"] {
        let (id, message) = world.forget(unknown).await?;
        let operation = world.ended(&message).await?;
        ensure!(operation.state == OperationState::Succeeded, "{operation:?}");
        let tx = world.store.system_read().await?;
        ensure!(mails::find_any(&tx, id).await?.is_none(), "nothing is kept of {unknown}");
    }
    let (id, message) = world.forget("ana@EXAMPLE.org").await?;
    world.ended(&message).await?;
    let received = server.received()?;
    // To the address that the account has, in its language.
    let [Received { to, text, subject, .. }] = received.as_slice() else { anyhow::bail!("{received:?}") };
    ensure!(to == "Ana@example.org" && subject == "Elija una contraseña nueva para Keyway", "{received:?}");
    let token = text.split("https://keyway.example.com/reset#").nth(1).and_then(|rest| rest.lines().next());
    let token = AccessToken::sha256_of_sent(AccessTokenKind::Link, token.context("no link")?).context("a token")?;
    let tx = world.store.system_read().await?;
    ensure!(link_tokens::find(&tx, Purpose::PasswordReset, &token, Timestamp::now()).await? == Some(ana.id));
    ensure!(world.mail(id).await?.user_id == Some(ana.id));
    Ok(())
}

async fn who_may_act_is_told_once_of_a_key_that_expires(world: &mut World) -> Result<()> {
    let server = start(world).await?;
    for (email, role) in
        [("owner@example.org", Role::Owner), ("quiet@example.org", Role::Owner), ("auditor@example.org", Role::Auditor)]
    {
        let user = person(world, email, "en", None).await?;
        let tx = world.store.system().await?;
        memberships::insert(&tx, world.tenant.id, user.id, (role, None), Timestamp::now()).await?;
        if email.starts_with("quiet") {
            mails::choose(&tx, user.id, keyway_domain::MailKind::KeyExpiring, false).await?;
        }
        tx.commit().await?;
    }
    let submitted = world.place(world.tenant, "sk-sim-good-expiring").await?;
    let soon = Timestamp::now().after(std::time::Duration::from_secs(5 * 86_400)).ms();
    raw_run(world, &format!("UPDATE integrations SET expires_at_ms = {soon}")).await?;
    world.start()?;
    until("a mail is sent", async || Ok(!server.received()?.is_empty())).await?;
    world.settle().await?;
    // Another look, by workers that were just started, gives no warning twice.
    world.start()?;
    world.settle().await?;
    let received = server.received()?;
    let [mail] = received.as_slice() else { anyhow::bail!("{received:?}") };
    ensure!(mail.to == "owner@example.org", "{mail:?}");
    ensure!(mail.subject == format!("The key {} (openai) expires within 7 days", submitted.key), "{mail:?}");
    Ok(())
}

async fn a_budget_is_told_of_at_each_share_once(world: &mut World) -> Result<()> {
    let server = start(world).await?;
    for (email, role) in [("billing@example.org", Role::Billing), ("developer@example.org", Role::Developer)] {
        let user = person(world, email, "en", None).await?;
        let tx = world.store.system().await?;
        memberships::insert(&tx, world.tenant.id, user.id, (role, None), Timestamp::now()).await?;
        tx.commit().await?;
    }
    raw_run(world, "UPDATE projects SET daily_budget_nano_usd = 5000000000, monthly_budget_nano_usd = 90000000000")
        .await?;
    let (scope, tenant, store) = (world.tenant.project.uuid(), world.tenant.id, world.store.clone());
    let use_up = async |nano_usd: i64| -> Result<()> {
        let told =
            Told { window_start: Measure::DailyBudget.window(Timestamp::now()).start, returned: 0, used: nano_usd };
        let ask = Ask { measure: Measure::DailyBudget, limit: 5_000_000_000, need: 0, partial: true, told };
        let tx = store.tenant(tenant).await?;
        limits::lease(&tx, scope, &[Ask { told: Told::default(), ..ask }]).await?;
        limits::lease(&tx, scope, &[ask]).await?;
        Ok(tx.commit().await?)
    };
    use_up(4_100_000_000).await?;
    world.start()?;
    until("a mail is sent", async || Ok(!server.received()?.is_empty())).await?;
    use_up(1_000_000_000).await?;
    world.stop().await?;
    world.start()?;
    until("another mail is sent", async || Ok(server.received()?.len() > 1)).await?;
    world.settle().await?;
    let received = server.received()?;
    ensure!(received.len() == 2, "{received:?}");
    for (mail, percent) in received.iter().zip([80, 100]) {
        ensure!(mail.subject == format!("{percent} % of the budget of the project default is used"), "{mail:?}");
        ensure!(mail.to == "billing@example.org" && mail.text.contains("of 5.00 USD"), "{mail:?}");
    }
    Ok(())
}

impl World {
    /// Writes an invitation with a link, as the API does.
    async fn invite(&self, to: &str) -> Result<(MailId, Message)> {
        let tx = self.store.tenant(self.tenant.id).await?;
        let keys = self.keys.current(&tx).await?;
        let mut letter = invitation(to, None);
        let envelope = keys.seal(letter.id.sealed_link(), 1, LINK.as_bytes())?;
        letter.link = Some(SealedLink { envelope, data_key_id: keys.id() });
        let id = letter.id;
        let owner = MailOwner::Tenant(self.tenant.id);
        let message = mails::write(&tx, owner, letter, &set(), Timestamp::now()).await?.context("a message")?;
        outbox::insert(&tx, std::slice::from_ref(&message), Timestamp::now()).await?;
        tx.commit().await?;
        Ok((id, message))
    }

    /// Writes the mail of a forgotten password, as the API does.
    async fn forget(&self, address: &str) -> Result<(MailId, Message)> {
        let tx = self.store.system().await?;
        let content = MailContent::PasswordReset(PasswordResetMail { minutes: 30 });
        let letter = Letter { content, ..invitation(address, None) };
        let (id, owner) = (letter.id, MailOwner::Installation { by: self.tenant.id });
        let message = mails::write(&tx, owner, letter, &set(), Timestamp::now()).await?.context("a message")?;
        outbox::insert(&tx, std::slice::from_ref(&message), Timestamp::now()).await?;
        tx.commit().await?;
        Ok((id, message))
    }

    async fn mail(&self, id: MailId) -> Result<MailRow> {
        mails::find_any(&self.store.system_read().await?, id).await?.context("the mail is gone")
    }
}

async fn start(world: &mut World) -> Result<SmtpServer> {
    let server = tokio::task::spawn_blocking(|| SmtpServer::start(None)).await??;
    world.smtp_port = Some(server.port());
    Ok(server)
}

fn set() -> Outgoing {
    Outgoing { domain: "keyway.example.com".to_owned(), is_set: true }
}

fn invitation(to: &str, link: Option<SealedLink>) -> Letter {
    let content = InvitationMail {
        tenant: "Acme".to_owned(),
        role: Role::Developer,
        invited_by: Some("Ana".to_owned()),
        expires_at: Timestamp::from_seconds(2_000_000_000),
    };
    Letter {
        id: MailId::new(),
        user_id: None,
        recipient: to.to_owned(),
        locale: "en".to_owned(),
        content: MailContent::Invitation(content),
        link,
        ends_at: None,
    }
}

async fn person(world: &World, email: &str, locale: &str, hash: Option<&str>) -> Result<UserRow> {
    let tx = world.store.system().await?;
    let password_hash = hash.map(|hash| SecretString::new(hash.to_owned()));
    let new = NewUser { email: email.parse()?, name: "A".to_owned(), locale: locale.to_owned(), password_hash };
    let user = users::insert(&tx, new, Timestamp::now()).await?;
    tx.commit().await?;
    Ok(user)
}

async fn raw_run(world: &World, statement: &str) -> Result<()> {
    let tx = world.store.system().await?;
    raw::execute(&tx, statement).await?;
    Ok(tx.commit().await?)
}
