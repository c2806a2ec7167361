//! Roles: which permissions each one has, and what a person may do by its memberships in a tenant.
//!
//! The table below is the only place that says what a role may do. No role reveals secrets: an owner allows that to
//! single members.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    ProjectId,
    permission::{Permission, Permissions},
    resource::{Level, Resource, bits},
    verb::Verb,
};

/// What a member is in a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Has the tenant.
    Owner,
    /// Runs it for the owners.
    Admin,
    /// Keeps integrations and what goes through them at work.
    Operator,
    /// Builds applications in its projects.
    Developer,
    /// Looks at everything.
    Auditor,
    /// Looks after what it costs.
    Billing,
}

/// Why a text is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a role: owner, admin, operator, developer, auditor or billing")]
pub struct UnknownRole;

const NO: u16 = 0;
const READ: u16 = Verb::Read.bit();
const EDIT: u16 = bits(&[Verb::Read, Verb::Create, Verb::Update, Verb::Delete, Verb::Rotate]);
const LOOK: u16 = READ | Verb::Export.bit();
const TUNE: u16 = READ | Verb::Update.bit();
const USE: u16 = Verb::Use.bit();
/// Everything but to reveal.
const ALL: u16 = !Verb::Reveal.bit();

/// What each role may do, as far as the resource has the verb.
#[rustfmt::skip]
const TABLE: [(Resource, [u16; Role::ALL.len()]); Resource::COUNT] = [
    //                        owner admin operator developer auditor billing
    (Resource::Integrations, [ALL,  ALL,  ALL,     USE,      LOOK,   NO]),
    (Resource::Templates,    [ALL,  ALL,  ALL,     NO,       LOOK,   NO]),
    (Resource::VirtualKeys,  [ALL,  ALL,  ALL,     EDIT,     LOOK,   NO]),
    (Resource::Projects,     [ALL,  ALL,  READ,    READ,     LOOK,   READ]),
    (Resource::Providers,    [ALL,  ALL,  ALL,     NO,       LOOK,   NO]),
    (Resource::Models,       [ALL,  ALL,  ALL,     NO,       LOOK,   NO]),
    (Resource::Routing,      [ALL,  ALL,  ALL,     NO,       LOOK,   NO]),
    (Resource::Limits,       [ALL,  ALL,  ALL,     NO,       LOOK,   NO]),
    (Resource::Budgets,      [ALL,  ALL,  ALL,     NO,       LOOK,   TUNE]),
    (Resource::Operations,   [ALL,  ALL,  ALL,     NO,       LOOK,   NO]),
    (Resource::DeadLetters,  [ALL,  ALL,  ALL,     NO,       LOOK,   NO]),
    (Resource::Usage,        [ALL,  ALL,  TUNE,    READ,     LOOK,   LOOK]),
    (Resource::Requests,     [ALL,  ALL,  READ,    READ,     LOOK,   NO]),
    (Resource::Audit,        [ALL,  ALL,  NO,      NO,       LOOK,   NO]),
    (Resource::Tenants,      [ALL,  TUNE, READ,    READ,     LOOK,   READ]),
    (Resource::Lock,         [ALL,  READ, READ,    NO,       LOOK,   NO]),
    (Resource::Members,      [ALL,  ALL,  NO,      NO,       LOOK,   NO]),
    (Resource::Owners,       [ALL,  NO,   NO,      NO,       NO,     NO]),
    (Resource::Invitations,  [ALL,  ALL,  NO,      NO,       LOOK,   NO]),
    (Resource::Services,     [ALL,  ALL,  NO,      NO,       LOOK,   NO]),
    (Resource::Sessions,     [ALL,  ALL,  NO,      NO,       LOOK,   NO]),
    (Resource::Reveals,      [ALL,  READ, NO,      NO,       LOOK,   NO]),
    (Resource::Mails,        [ALL,  ALL,  NO,      NO,       LOOK,   NO]),
    (Resource::ContentTypes, [ALL,  ALL,  ALL,     READ,     LOOK,   NO]),
    (Resource::Content,      [ALL,  ALL,  ALL,     EDIT,     LOOK,   NO]),
    (Resource::Publications, [ALL,  ALL,  ALL,     NO,       LOOK,   NO]),
    (Resource::Users,        [NO,   NO,   NO,      NO,       NO,     NO]),
    (Resource::Keyring,      [NO,   NO,   NO,      NO,       NO,     NO]),
    (Resource::Installation, [NO,   NO,   NO,      NO,       NO,     NO]),
];

/// The table by role, read once when the program is built.
const BY_ROLE: [Permissions; Role::ALL.len()] = {
    let mut by_role = [Permissions::NONE; Role::ALL.len()];
    let mut row = 0;
    while row < TABLE.len() {
        let (resource, verbs) = TABLE[row];
        let mut role = 0;
        while role < verbs.len() {
            by_role[role] = by_role[role].with_verbs(resource, verbs[role]);
            role += 1;
        }
        row += 1;
    }
    by_role
};

/// What people know these roles by who come from a product with five ranks.
const OTHER_NAMES: [(&str, Role); 5] = [
    ("superadmin", Role::Owner),
    ("admin", Role::Admin),
    ("moderator", Role::Operator),
    ("elevated", Role::Developer),
    ("user", Role::Auditor),
];

impl Role {
    /// Every role, the one that may do most first.
    pub const ALL: [Self; 6] =
        [Self::Owner, Self::Admin, Self::Operator, Self::Developer, Self::Auditor, Self::Billing];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Operator => "operator",
            Self::Developer => "developer",
            Self::Auditor => "auditor",
            Self::Billing => "billing",
        }
    }

    /// What it may do wherever it holds.
    #[must_use]
    pub const fn permissions(self) -> Permissions {
        BY_ROLE[self as usize]
    }

    /// Whether it may be given in one project alone. An owner has the whole tenant, or is none.
    #[must_use]
    pub const fn fits_a_project(self) -> bool {
        !matches!(self, Self::Owner)
    }

    /// What somebody needs, beside the right to change members or to invite, to give this role or to take it.
    #[must_use]
    pub const fn needs_of_giver(self) -> Option<Permission> {
        match self {
            Self::Owner => Some(Permission::OWNERS),
            _ => None,
        }
    }

    /// The role that another product calls so; see the document on people.
    #[must_use]
    pub fn by_other_name(name: &str) -> Option<Self> {
        OTHER_NAMES.into_iter().find(|(other, _)| *other == name).map(|(_, role)| role)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(name: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.name() == name).ok_or(UnknownRole)
    }
}

impl Serialize for Role {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

/// What one membership gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// As what.
    pub role: Role,
    /// Where alone; `None`: in the whole tenant.
    pub project_id: Option<ProjectId>,
    /// Whether an owner allowed it to reveal secrets there.
    pub may_reveal: bool,
}

impl Grant {
    /// What it allows where it holds.
    #[must_use]
    pub fn permissions(&self) -> Permissions {
        let permissions = self.role.permissions();
        if self.may_reveal { permissions.with(Permission::REVEAL) } else { permissions }
    }
}

/// In which projects of a tenant somebody may do something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// In the whole tenant.
    Tenant,
    /// In these projects only; in none where the list is empty.
    Projects(Vec<ProjectId>),
}

/// What somebody may do in one tenant: the sum of its memberships there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights(Vec<Grant>);

impl Rights {
    /// Whether it may do this: to a thing of `project_id`, or to what is the whole tenant's.
    #[must_use]
    pub fn allow(&self, permission: Permission, project_id: Option<ProjectId>) -> bool {
        self.0.iter().any(|grant| {
            let holds = grant.project_id.is_none()
                || grant.project_id == project_id && permission.resource().level() == Level::Project;
            holds && grant.permissions().allow(permission)
        })
    }

    /// Where it may do this: what its lists show.
    #[must_use]
    pub fn reach(&self, permission: Permission) -> Reach {
        if self.allow(permission, None) {
            return Reach::Tenant;
        }
        let mut projects: Vec<_> = self.0.iter().filter_map(|grant| grant.project_id).collect();
        projects.sort_unstable();
        projects.dedup();
        projects.retain(|project_id| self.allow(permission, Some(*project_id)));
        Reach::Projects(projects)
    }

    /// Whether it may do this anywhere in the tenant.
    #[must_use]
    pub fn allow_somewhere(&self, permission: Permission) -> bool {
        self.reach(permission) != Reach::Projects(Vec::new())
    }

    /// What it may do in the whole tenant: no more than this can it hand to a service.
    #[must_use]
    pub fn of_tenant(&self) -> Permissions {
        let whole = self.0.iter().filter(|grant| grant.project_id.is_none());
        whole.fold(Permissions::NONE, |sum, grant| sum.or(grant.permissions()))
    }

    /// Whether it has none at all: who is no member.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Grant> for Rights {
    fn from_iter<I: IntoIterator<Item = Grant>>(grants: I) -> Self {
        Self(grants.into_iter().collect())
    }
}

#[cfg(test)]
#[path = "role_tests.rs"]
mod tests;
