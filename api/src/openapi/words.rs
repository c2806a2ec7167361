//! Enumerations and ids of the API document: each enumeration with its values, taken from their definitions, and each
//! id with its form. The types here exist for the document alone; nothing is parsed or written with them.

use std::borrow::Cow;

use keyway_domain as domain;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{ObjectBuilder, Type},
    },
};

fn one_of(about: &str, values: Vec<&'static str>) -> RefOr<Schema> {
    let object = ObjectBuilder::new().schema_type(Type::String).description(Some(about.trim()));
    object.enum_values(Some(values)).build().into()
}

fn id(about: &str, prefix: &str) -> RefOr<Schema> {
    let object = ObjectBuilder::new().schema_type(Type::String).description(Some(about.trim()));
    let example = format!("{prefix}_0198c0de0198c0de0198c0de0198c0de");
    object.pattern(Some(format!("^{prefix}_[0-9a-f]{{32}}$"))).examples([example]).build().into()
}

macro_rules! schemas {
    ($($(#[doc = $doc:literal])* $name:ident($schema:ident, $from:expr);)*) => {
        $(
            $(#[doc = $doc])*
            pub(crate) struct $name;

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    $schema(concat!($($doc),*), $from)
                }
            }

            impl ToSchema for $name {
                fn name() -> Cow<'static, str> {
                    Cow::Borrowed(stringify!($name))
                }
            }
        )*

        /// Returns all schemas, as those used only in parameters appear in no body and would be missing.
        pub(super) fn all() -> Vec<(String, RefOr<Schema>)> {
            vec![$((stringify!($name).to_owned(), $name::schema())),*]
        }
    };
}

macro_rules! names {
    ($values:expr) => {
        $values.iter().map(|it| it.name()).collect()
    };
}

schemas! {
    /// Status of an integration.
    IntegrationStatus(one_of, names!(domain::IntegrationStatus::ALL));
    /// Result of a verification.
    VerdictKind(one_of, names!(domain::VerdictKind::ALL));
    /// State of a credential that is to replace another one.
    ReplacementState(one_of, names!(keyway_store::replacements::ReplacementState::ALL));
    /// Kind of an operation.
    OperationKind(one_of, names!(domain::OperationKind::ALL));
    /// State of an operation: the last three are final.
    OperationState(one_of, names!(domain::OperationState::ALL));
    /// Trigger of an operation.
    OperationOrigin(one_of, names!(keyway_store::operations::Origin::ALL));
    /// Ledger: usage metered by the proxy, or reported by the provider.
    Ledger(one_of, names!([domain::Ledger::Metered, domain::Ledger::Reported]));
    /// Column that a usage report can be split by.
    GroupBy(one_of, crate::groupings::GROUPINGS.iter().map(|(name, _)| *name).collect());
    /// Column that an application's report of its own usage can be split by.
    OwnGroupBy(one_of, crate::groupings::OWN_GROUPINGS.iter().map(|(name, _)| *name).collect());
    /// Source of the secret that serves a call: the project's own integration or, with its consent, the operator's key.
    Credential(one_of, names!([domain::CredentialSource::Own, domain::CredentialSource::Fallback]));
    /// Outcome of a proxied call.
    CallOutcome(one_of, names!(domain::CallOutcome::ALL));
    /// Outcome of an audited act.
    AuditOutcome(one_of, vec!["success", "denied"]);
    /// Type of the actor: the holder of the admin key, an application, a person, a service, or Keyway itself.
    ActorType(one_of, vec!["admin", "virtual_key", "user", "service", "system"]);
    /// Kind of a caller: a person, a service, or the operator with the admin key.
    PrincipalKind(one_of, vec!["user", "service", "operator"]);
    /// Role of a member.
    Role(one_of, names!(domain::Role::ALL));
    /// Family of a key: one that calls models, or one that reads an organisation's usage.
    KeyFamily(one_of, names!(keyway_domain::KeyFamily::ALL));
    /// Header in which a provider takes its keys: `Authorization: Bearer`, `api-key` or `x-api-key`.
    AuthStyle(one_of, names!(AUTH_STYLES));
    /// Scope of a list of dead letters or mails: the tenant's, or those of every tenant and of none.
    DeadLetterScope(one_of, vec!["tenant", "installation"]);
    /// Kind of a mail.
    MailKind(one_of, names!(domain::MailKind::ALL));
    /// State of a mail.
    MailState(one_of, names!(domain::MailState::ALL));
    /// Kind of an error.
    ErrorType(one_of, crate::code::kinds());

    /// The id of a tenant.
    TenantId(id, "tnt");
    /// The id of a project.
    ProjectId(id, "prj");
    /// The id of an integration.
    IntegrationId(id, "int");
    /// The id of a virtual key, which is not the key.
    VirtualKeyId(id, "vk");
    /// The id of a custom provider.
    ProviderId(id, "prv");
    /// The id of a model that a tenant added.
    ModelId(id, "mdl");
    /// The id of an operation.
    OperationId(id, "op");
    /// The id of a request: of the management API or through the proxy.
    RequestId(id, "req");
    /// The id of an audited act, or of a dead letter.
    MessageId(id, "msg");
    /// The id of a person.
    UserId(id, "usr");
    /// The id of a session.
    SessionId(id, "ses");
    /// The id of a membership.
    MembershipId(id, "mem");
    /// The id of an invitation.
    InvitationId(id, "inv");
    /// The id of a mail.
    MailId(id, "mai");
    /// The id of a service.
    ServiceId(id, "svc");
    /// Id of a passkey.
    PasskeyId(id, "psk");
    /// The id of a content type, which paths name otherwise.
    ContentTypeId(id, "cty");
    /// The id of a process that serves.
    ReplicaId(id, "rep");
}

const AUTH_STYLES: [keyway_providers::AuthStyle; 3] = {
    use keyway_providers::AuthStyle::{ApiKey, Bearer, XApiKey};
    [Bearer, ApiKey, XApiKey]
};
