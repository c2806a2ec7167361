//! Codes: why an attempt did not succeed, and what the reader can do. Never holds a provider's text.

use serde::{Deserialize, Serialize};

/// Reason why an attempt did not succeed: a closed list, stored, counted and shown. Each code has a sentence that tells
/// the reader what to do; no provider text is ever stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The first of two probes found the key or its address wrong; the second is due.
    ConfirmationDue,
    /// The provider asked to wait, or its concurrency limit is reached.
    RateLimited,
    /// The provider could not be reached, or answered 5xx.
    Unreachable,
    /// The provider's answer does not have its documented shape.
    BadAnswer,
    /// The provider refused this secret for this call.
    Refused,
    /// The sealed secret cannot be opened.
    Undecryptable,
    /// The integration was deleted or disabled meanwhile.
    Gone,
    /// The handler exceeded its deadline.
    TimedOut,
    /// The handler panicked; a defect of ours.
    Panicked,
    /// The last allowed attempt was inconclusive.
    AttemptsExhausted,
    /// A live replica did not acknowledge that it dropped the revoked entries.
    ReplicaSilent,
    /// The secret that was to replace another one was not accepted.
    NewKeyRefused,
    /// The mail server asked to try again later.
    MailDeferred,
    /// The mail server could not be reached, or the connection broke.
    MailUnreachable,
    /// The mail server refuses Keyway itself, whatever the recipient.
    MailRefused,
    /// The mail server does not take the mail for its recipient.
    MailBounced,
    /// No mail server is set.
    MailUnset,
    /// The link in the mail ended before it could be sent.
    MailTooLate,
    /// Stored entries do not fit the schema that their type was to have.
    EntriesMisfit,
}

impl Code {
    /// Every code, for documents.
    pub const ALL: [Self; 19] = [
        Self::ConfirmationDue,
        Self::RateLimited,
        Self::Unreachable,
        Self::BadAnswer,
        Self::Refused,
        Self::Undecryptable,
        Self::Gone,
        Self::TimedOut,
        Self::Panicked,
        Self::AttemptsExhausted,
        Self::ReplicaSilent,
        Self::NewKeyRefused,
        Self::MailDeferred,
        Self::MailUnreachable,
        Self::MailRefused,
        Self::MailBounced,
        Self::MailUnset,
        Self::MailTooLate,
        Self::EntriesMisfit,
    ];

    /// Returns the text in tables, JSON and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConfirmationDue => "confirmation_due",
            Self::RateLimited => "rate_limited",
            Self::Unreachable => "unreachable",
            Self::BadAnswer => "bad_answer",
            Self::Refused => "refused",
            Self::Undecryptable => "undecryptable",
            Self::Gone => "gone",
            Self::TimedOut => "timed_out",
            Self::Panicked => "panicked",
            Self::AttemptsExhausted => "attempts_exhausted",
            Self::ReplicaSilent => "replica_silent",
            Self::NewKeyRefused => "new_key_refused",
            Self::MailDeferred => "mail_deferred",
            Self::MailUnreachable => "mail_unreachable",
            Self::MailRefused => "mail_refused",
            Self::MailBounced => "mail_bounced",
            Self::MailUnset => "mail_unset",
            Self::MailTooLate => "mail_too_late",
            Self::EntriesMisfit => "entries_misfit",
        }
    }

    /// Reads [`Self::name`].
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.name() == name)
    }

    /// Returns one sentence for the reader: what happened and what to do.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::ConfirmationDue => "the provider did not take the key once; a second, independent check is due",
            Self::RateLimited => "the provider takes no more calls at the moment; the next attempt is scheduled",
            Self::Unreachable => "the provider could not be reached; the key is verified as soon as it answers",
            Self::BadAnswer => "the provider's answer was not in its documented form",
            Self::Refused => "the provider does not allow this call with this key; check the key's permissions",
            Self::Undecryptable => "the stored secret cannot be opened; check the keyring or enter the secret again",
            Self::Gone => "the integration was deleted or disabled before this ran",
            Self::TimedOut => "the attempt took too long and was ended",
            Self::Panicked => "the attempt hit a defect in Keyway; the log has the details",
            Self::AttemptsExhausted => {
                "every allowed attempt was inconclusive; start it again when the provider is well"
            }
            Self::ReplicaSilent => {
                "a replica did not say that it has dropped what was revoked; it serves nothing from memory for longer \
                 than a minute, but look into its log, and try the operation again"
            }
            Self::NewKeyRefused => {
                "the new key was not accepted and is not kept; the one before it goes on serving: enter the right key, \
                 or replace it unchecked with `?force=true`"
            }
            Self::MailDeferred => "the mail server asked to try again later; the next attempt is scheduled",
            Self::MailUnreachable => {
                "the mail server could not be reached, or the connection broke; the mail is sent again under the same \
                 Message-ID"
            }
            Self::MailRefused => {
                "the mail server does not accept Keyway itself, by its login, its TLS or its sender; check \
                 `KEYWAY_SMTP_URL` and `KEYWAY_MAIL_FROM`"
            }
            Self::MailBounced => "the mail server does not take mail for this address; check how it is written",
            Self::MailUnset => "no mail server is set; set `KEYWAY_SMTP_URL` and send the mail again",
            Self::MailTooLate => "the link in the mail ended before it could be sent; ask for another one",
            Self::EntriesMisfit => {
                "stored entries do not fit the new schema, which is not in use; the content type's `last_check` names \
                 them: correct them, or change the schema with `force`"
            }
        }
    }
}
