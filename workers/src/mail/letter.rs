//! A mail as it goes over the wire: the same bytes of headers in each attempt, text and HTML, nothing that tells of its
//! being read.

use std::time::{Duration, UNIX_EPOCH};

use keyway_store::mails::MailRow;
use lettre::{
    Address, Message,
    message::{
        Mailbox, MultiPart,
        header::{Header, HeaderName, HeaderValue},
    },
};

use super::{language::Words, page};

/// Tells other programs not to answer.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// Builds the mail; `None` if its recipient is no address that can be written to.
pub(super) fn build(from: &Mailbox, mail: &MailRow, words: &Words, link: &str) -> Option<Message> {
    let to = mail.recipient.parse::<Address>().ok()?;
    let created_at = Duration::from_millis(u64::try_from(mail.created_at.ms()).unwrap_or(0));
    let parts = MultiPart::alternative_plain_html(page::text(words, link), page::html(words, link));
    Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(words.subject.replace(char::is_control, " "))
        .message_id(Some(format!("<{}>", mail.message_id)))
        .date(UNIX_EPOCH + created_at)
        .header(AutoSubmitted)
        .multipart(parts)
        .ok()
}
