//! Resources: what permissions speak of, and which verbs each has.
//!
//! A resource that belongs to the installation is in no role of a tenant: only the operator has it.

use crate::verb::Verb::{self, Create, Delete, Export, Manage, Read, Reveal, Rotate, Update, Use};

/// Whose a resource is, and thus where a permission on it can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// No tenant's: the operator's alone.
    Installation,
    /// A tenant's as a whole; a role in a project says nothing of it.
    Tenant,
    /// A project's of a tenant.
    Project,
}

macro_rules! resources {
    ($($(#[$doc:meta])* $name:ident $text:literal $level:ident [$($verb:ident)*];)*) => {
        /// What permissions speak of.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Resource {
            $($(#[$doc])* $name),*
        }

        impl Resource {
            /// Every resource.
            pub const ALL: [Self; Self::COUNT] = [$(Self::$name),*];
            /// How many there are.
            pub const COUNT: usize = [$($text),*].len();

            /// Its name in front of the dot.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text),*
                }
            }

            /// Whose it is.
            #[must_use]
            pub const fn level(self) -> Level {
                match self {
                    $(Self::$name => Level::$level),*
                }
            }

            pub(crate) const fn verbs(self) -> u16 {
                match self {
                    $(Self::$name => bits(&[$($verb),*])),*
                }
            }
        }
    };
}

resources! {
    /// Credentials for providers; `rotate` puts new ones in their place, `use` tests them and lets calls go through them.
    Integrations "integrations" Project [Read Create Update Delete Use Reveal Rotate Manage];
    /// Ready forms of integrations, without their secrets.
    Templates "templates" Tenant [Read Create Update Delete Manage];
    /// Keys of applications.
    VirtualKeys "virtual_keys" Project [Read Create Update Delete Rotate Manage];
    /// Groups of integrations and virtual keys.
    Projects "projects" Project [Read Create Update Delete Manage];
    /// Custom providers.
    Providers "providers" Tenant [Read Create Update Delete Manage];
    /// Models of custom providers.
    Models "models" Tenant [Read Create Delete Manage];
    /// The explanation of where a call would go.
    Routing "routing" Project [Read];
    /// How much may be called.
    Limits "limits" Project [Read Update Manage];
    /// How much may be spent.
    Budgets "budgets" Project [Read Update Manage];
    /// What commands have started; `update` cancels and retries.
    Operations "operations" Tenant [Read Update Manage];
    /// Messages that were given up; `update` replays, `delete` discards.
    DeadLetters "dead_letters" Tenant [Read Update Delete Manage];
    /// Sums of both ledgers; `update` has the reported one fetched.
    Usage "usage" Project [Read Update Export Manage];
    /// Single calls through the proxy.
    Requests "requests" Project [Read Export Manage];
    /// The audit log.
    Audit "audit" Tenant [Read Export];
    /// The tenant itself.
    Tenants "tenants" Tenant [Read Update Delete Manage];
    /// Whether the tenant's secrets can be opened at all.
    Lock "lock" Tenant [Read Manage];
    /// People in the tenant, and their roles.
    Members "members" Tenant [Read Update Delete Manage];
    /// Who is an owner of the tenant.
    Owners "owners" Tenant [Manage];
    /// Invitations to the tenant.
    Invitations "invitations" Tenant [Read Create Delete Manage];
    /// Programs that call the management API.
    Services "services" Tenant [Read Create Update Delete Rotate Manage];
    /// Sessions of the tenant's other members; for one's own nothing is needed.
    Sessions "sessions" Tenant [Read Delete Manage];
    /// Whether secrets may be revealed, and by whom.
    Reveals "reveals" Tenant [Read Manage];
    /// Mails of the tenant; `update` has one sent again.
    Mails "mails" Tenant [Read Update Manage];
    /// Types of content and of nodes.
    ContentTypes "content_types" Tenant [Read Create Update Delete Manage];
    /// Entries, flows and scenes, as drafts.
    Content "content" Tenant [Read Create Update Delete Manage];
    /// Entries, flows and scenes as readers get them; `create` publishes, `delete` withdraws.
    Publications "publications" Tenant [Create Delete Manage];
    /// People of every tenant.
    Users "users" Installation [Read Create Update Delete Manage];
    /// The root keys.
    Keyring "keyring" Installation [Read Rotate];
    /// Everything else that is no tenant's, tenants being made among it.
    Installation "installation" Installation [Read Manage];
}

pub(crate) const fn bits(verbs: &[Verb]) -> u16 {
    let (mut bits, mut at) = (0, 0);
    while at < verbs.len() {
        bits |= verbs[at].bit();
        at += 1;
    }
    bits
}
