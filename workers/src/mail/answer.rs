//! Answers of a mail server, told apart by what follows from them.

use keyway_domain::Code;
use lettre::transport::smtp::Error;

/// Codes by which a server refuses Keyway itself: login wanted, too weak or wrong, TLS wanted.
const ABOUT_US: [&str; 4] = ["530", "534", "535", "538"];

/// End of one attempt to send a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The server has the mail.
    Taken,
    /// It asks to try later.
    Deferred,
    /// It does not take the mail.
    Bounced,
    /// It refuses Keyway, whatever the mail.
    Refused,
    /// The connection failed, or broke: whether the server has the mail is unknown.
    Unreachable,
    /// It took too long: whether the server has the mail is unknown.
    TimedOut,
}

impl Answer {
    /// Every answer.
    pub(crate) const ALL: [Self; 6] =
        [Self::Taken, Self::Deferred, Self::Bounced, Self::Refused, Self::Unreachable, Self::TimedOut];

    /// Returns the label in metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Taken => "sent",
            Self::Deferred => "deferred",
            Self::Bounced => "bounced",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed_out",
        }
    }

    /// Returns the reason why the mail was not sent; `None`: it was.
    pub(crate) const fn code(self) -> Option<Code> {
        Some(match self {
            Self::Taken => return None,
            Self::Deferred => Code::MailDeferred,
            Self::Bounced => Code::MailBounced,
            Self::Refused => Code::MailRefused,
            Self::Unreachable => Code::MailUnreachable,
            Self::TimedOut => Code::TimedOut,
        })
    }
}

/// Judges a failed attempt. An error that says nothing is taken for a broken connection.
pub(super) fn judge(error: &Error) -> Answer {
    let status = error.status().map(|status| status.to_string());
    if error.is_permanent() {
        let is_about_us = status.is_some_and(|status| ABOUT_US.contains(&status.as_str()));
        return if is_about_us { Answer::Refused } else { Answer::Bounced };
    }
    if error.is_transient() {
        Answer::Deferred
    } else if error.is_client() || error.is_tls() {
        Answer::Refused
    } else {
        Answer::Unreachable
    }
}
