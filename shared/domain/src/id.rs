//! Ids: UUIDv7 newtypes, printed with a prefix that names their kind (`int_0198...`).
//!
//! The prefix is part of the text form only. An id with another kind's prefix never parses.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::{Uuid, fmt::Simple};

/// Longest text form of an id in bytes: prefix (3), underscore (1) and hexadecimal digits.
const MAX_TEXT_BYTES: usize = 3 + 1 + Simple::LENGTH;

/// A text is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an id that looks like {prefix}_ followed by 32 hexadecimal digits")]
pub struct IdError {
    /// Prefix that the id should have, without the underscore.
    pub prefix: &'static str,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident, $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The text before the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// Returns a fresh id, ordered by creation time.
            #[must_use]
            #[expect(clippy::new_without_default, reason = "a fresh id is never a default")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// Wraps the UUID that the store or a message carries.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// Returns the bare UUID, as stored.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(text($prefix, self.0, &mut [0; MAX_TEXT_BYTES]))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse($prefix, text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(text($prefix, self.0, &mut [0; MAX_TEXT_BYTES]))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// A customer of this installation; owns projects.
    TenantId, "tnt";
    /// A group of integrations and virtual keys inside a tenant.
    ProjectId, "prj";
    /// One credential for one provider in a project.
    IntegrationId, "int";
    /// The sealed secret of an integration.
    SecretId, "sec";
    /// A tenant's wrapped data key.
    DataKeyId, "dek";
    /// A key an application presents to the proxy.
    VirtualKeyId, "vk";
    /// A unit of work that a command started; the dashboard polls it.
    OperationId, "op";
    /// A custom provider of a tenant (predefined providers are known by name alone).
    ProviderId, "prv";
    /// A process that serves calls from memory; each start is a new one.
    ReplicaId, "rep";
    /// A message on the bus; the AMQP `message_id` and the outbox row's key.
    MessageId, "msg";
    /// One HTTP request; shown to the caller, in logs and in the metered ledger.
    RequestId, "req";
    /// A person who can sign in; a member of any number of tenants.
    UserId, "usr";
    /// A sign-in of a person that still holds.
    SessionId, "ses";
    /// A passkey of a person.
    PasskeyId, "psk";
    /// What makes a person a member of a tenant, or of one of its projects.
    MembershipId, "mem";
    /// An offer of a membership, bound to an address.
    InvitationId, "inv";
    /// A program that calls the management API in one tenant.
    ServiceId, "svc";
    /// A mail to one recipient.
    MailId, "mai";
    /// A tenant's own form of an integration, without a secret.
    TemplateId, "tpl";
    /// A content type of a tenant.
    ContentTypeId, "cty";
    /// An entry of a content type.
    EntryId, "ent";
    /// A flow.
    FlowId, "flw";
    /// A scene.
    SceneId, "scn";
}

impl IntegrationId {
    /// Returns the id that stands for the operator's key in a project that consented to it, derived from the project's
    /// id. No integration ever has it.
    #[must_use]
    pub fn of_fallback(project: ProjectId) -> Self {
        Self(Uuid::new_v5(&project.0, b"fallback"))
    }
}

impl UserId {
    /// The id under which the secret of a person's authenticator app is sealed.
    #[must_use]
    pub fn totp_secret(self) -> SecretId {
        SecretId(Uuid::new_v5(&self.0, b"totp"))
    }
}

impl MailId {
    /// Returns the id under which the link of the mail is sealed.
    #[must_use]
    pub fn sealed_link(self) -> SecretId {
        SecretId(Uuid::new_v5(&self.0, b"link"))
    }
}

impl OperationId {
    /// Returns the id of the child that a fan-out writes for an integration: planning twice names it the same.
    #[must_use]
    pub fn child(self, integration: IntegrationId) -> Self {
        Self(Uuid::new_v5(&self.0, integration.0.as_bytes()))
    }
}

impl MessageId {
    /// Returns the id of attempt `attempt` of an operation: the same for everybody who derives it, so that writing the
    /// attempt twice is one row.
    #[must_use]
    pub fn of_attempt(operation: OperationId, attempt: u32) -> Self {
        Self(Uuid::new_v5(&operation.uuid(), &attempt.to_be_bytes()))
    }

    /// Returns the id of an attempt that waited its turn `turn` times before: the attempt's own id at first.
    #[must_use]
    pub fn of_turn(operation: OperationId, attempt: u32, turn: u32) -> Self {
        let first = Self::of_attempt(operation, attempt);
        if turn == 0 { first } else { first.derived(&format!("turn {turn}")) }
    }

    /// Returns the id of a message that follows from another one, told apart by `label`.
    #[must_use]
    pub fn derived(self, label: &str) -> Self {
        Self(Uuid::new_v5(&self.0, label.as_bytes()))
    }
}

/// Returns the text form, written without the formatting machinery: every record of a call holds five of them.
fn text<'b>(prefix: &str, uuid: Uuid, buffer: &'b mut [u8; MAX_TEXT_BYTES]) -> &'b str {
    let at = prefix.len();
    buffer[..at].copy_from_slice(prefix.as_bytes());
    buffer[at] = b'_';
    uuid.simple().encode_lower(&mut buffer[at + 1..]);
    str::from_utf8(&buffer[..at + 1 + Simple::LENGTH]).unwrap_or_default()
}

fn parse(prefix: &'static str, text: &str) -> Result<Uuid, IdError> {
    let error = IdError { prefix };
    let hex = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')).ok_or_else(|| error.clone())?;
    if hex.len() != 32 || hex.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(error);
    }
    Uuid::try_parse(hex).map_err(|_| error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_prints_and_parses_with_its_own_prefix_only() {
        let id = IntegrationId::new();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id.to_string().starts_with("int_"));
        assert!(id.to_string().parse::<ProjectId>().is_err());
        for bad in [
            "",
            "int_",
            "int",
            "int_xyz",
            "int_0198C0DE0198c0de0198c0de0198c0de",
            "int_0198c0de-198c-0de0-198c-0de0198c0de",
        ] {
            assert_eq!(bad.parse::<IntegrationId>(), Err(IdError { prefix: "int" }), "{bad}");
        }
    }

    #[test]
    fn the_secret_of_a_person_s_app_is_known_by_the_person_alone() {
        let (ana, ben) = (UserId::new(), UserId::new());
        assert_eq!(ana.totp_secret(), ana.totp_secret());
        assert_ne!(ana.totp_secret(), ben.totp_secret());
        assert_ne!(ana.totp_secret().uuid(), ana.uuid());
    }

    #[test]
    fn the_id_of_an_attempt_is_the_same_for_everybody() {
        let operation = OperationId::new();
        assert_eq!(MessageId::of_attempt(operation, 2), MessageId::of_attempt(operation, 2));
        assert_ne!(MessageId::of_attempt(operation, 2), MessageId::of_attempt(operation, 3));
    }
}
