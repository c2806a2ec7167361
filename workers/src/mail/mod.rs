//! Mail: one server, one recipient at a time, over SMTP.
//!
//! A mail under way is never dropped: it runs to its end in a task of its own, with a time limit and a connection of its
//! own, whatever becomes of the handler that waits for it. Must never log or count an address, a link or a text of a
//! mail, nor what a server says of one: it may quote them.

mod answer;
mod english;
mod language;
mod letter;
mod page;
mod spanish;
mod words;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use keyway_domain::MailId;
use keyway_store::mails::{MailRow, Outgoing};
use keyway_vault::{SecretString, SmtpSecurity, SmtpUrl};
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::Mailbox,
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};
use tokio::sync::watch;

pub(crate) use answer::Answer;
use answer::judge;

/// Time limit of the connection.
const CONNECT: Duration = Duration::from_secs(20);
/// Time limit of a whole mail, below that of its handler.
const WHOLE: Duration = Duration::from_secs(120);
const OK: u16 = 250;

/// Where mails go, and whom they are from.
pub struct MailSettings {
    /// Server that takes them.
    pub server: SmtpUrl,
    /// Name of the sender.
    pub from_name: String,
    /// Address of the sender.
    pub from_address: String,
    /// Address that people open Keyway at.
    pub public_url: String,
}

/// Reason why mail cannot be sent with these settings.
#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    /// The sender is no address.
    #[error("the sender of mails cannot be used: {0}")]
    Sender(#[from] lettre::address::AddressError),
    /// The certificates that a server is checked by cannot be read.
    #[error("TLS to the mail server cannot be set up: {0}")]
    Tls(#[from] lettre::transport::smtp::Error),
}

/// Sends mails.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    public_url: String,
    /// Mails under way, and those whose sending is not noted in their rows yet.
    under_way: Mutex<HashMap<MailId, watch::Receiver<Option<Answer>>>>,
}

impl Mailer {
    /// Sets everything up; connects to nothing yet.
    ///
    /// # Errors
    /// [`MailerError`].
    pub fn new(settings: MailSettings) -> Result<Self, MailerError> {
        let MailSettings { server, from_name, from_address, public_url } = settings;
        let tls = || TlsParameters::builder(server.host.clone()).build_rustls();
        let tls = match server.security {
            SmtpSecurity::Plain => Tls::None,
            SmtpSecurity::StartTls => Tls::Required(tls()?),
            SmtpSecurity::Tls => Tls::Wrapper(tls()?),
        };
        let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(server.host.clone());
        let mut transport = transport.port(server.port).tls(tls).timeout(Some(CONNECT));
        if let Some((user, password)) = server.login {
            transport = transport.credentials(Credentials::new(user, password.plain().clone()));
        }
        let from = Mailbox::new(Some(from_name), from_address.parse::<Address>()?);
        Ok(Self { transport: transport.build(), from, public_url, under_way: Mutex::default() })
    }

    /// Returns how mails leave, for those who write some.
    #[must_use]
    pub fn outgoing(&self) -> Outgoing {
        Outgoing { domain: self.from.email.domain().to_owned(), is_set: true }
    }

    /// Returns the address of a page of Keyway.
    pub(crate) fn page(&self, path: &str) -> String {
        format!("{}{path}", self.public_url)
    }

    /// Sends a mail, or waits for its end if it is under way; `link` is what its button leads to. `None`: no mail can
    /// be made of it.
    pub(crate) async fn send(self: &Arc<Self>, mail: &MailRow, link: Option<&SecretString>) -> Option<Answer> {
        let home = self.page("/");
        let words = words::of(&mail.locale, &mail.content);
        let link = link.map_or(home.as_str(), |link| link.plain().as_str());
        let letter = letter::build(&self.from, mail, &words, link)?;
        let mut answer = self.begin(mail.id, letter);
        let ended = answer.wait_for(Option::is_some).await.map(|answer| *answer);
        // Without an answer the task has panicked: whether the server has the mail is unknown.
        Some(ended.ok().flatten().unwrap_or_else(|| {
            self.settled(mail.id);
            Answer::Unreachable
        }))
    }

    /// Forgets a mail whose end is noted in its row.
    pub(crate) fn settled(&self, id: MailId) {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    fn begin(self: &Arc<Self>, id: MailId, letter: Message) -> watch::Receiver<Option<Answer>> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = under_way.get(&id) {
            return answer.clone();
        }
        let (tell, answer) = watch::channel(None);
        under_way.insert(id, answer.clone());
        let mailer = Arc::clone(self);
        drop(keyway_telemetry::spawn("mail", async move {
            let answer = mailer.deliver(letter).await;
            // What was taken is remembered until its row says so, or it would be sent again when the database is away.
            if answer != Answer::Taken {
                mailer.settled(id);
            }
            tell.send_replace(Some(answer));
        }));
        answer
    }

    async fn deliver(&self, letter: Message) -> Answer {
        match tokio::time::timeout(WHOLE, self.transport.send(letter)).await {
            Ok(Ok(response)) if response.has_code(OK) => Answer::Taken,
            Ok(Ok(_)) => Answer::Unreachable,
            Ok(Err(error)) => judge(&error),
            Err(_) => Answer::TimedOut,
        }
    }
}
