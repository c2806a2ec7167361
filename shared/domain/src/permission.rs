//! Permissions: `resource.verb`, and sets of them.
//!
//! Only pairs that name something that can be done are permissions; any other text is refused. `manage` implies the
//! other verbs of its resource, except `reveal`, which nothing implies. `use` does not imply `read`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{resource::Resource, verb::Verb};

/// One verb on one resource.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permission {
    resource: Resource,
    verb: Verb,
}

/// Why a text is no permission.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a permission like integrations.read: a resource, a dot, and a verb that the resource has")]
pub struct UnknownPermission;

impl Permission {
    /// To reveal the secret of an integration.
    pub const REVEAL: Self = Self { resource: Resource::Integrations, verb: Verb::Reveal };
    /// To put another secret in the place of an integration's.
    pub const ROTATE: Self = Self { resource: Resource::Integrations, verb: Verb::Rotate };
    /// To test an integration, and to call its provider.
    pub const CALL: Self = Self { resource: Resource::Integrations, verb: Verb::Use };
    /// To change how much may be spent.
    pub const BUDGETS: Self = Self { resource: Resource::Budgets, verb: Verb::Update };
    /// To make somebody an owner, and to change or remove one.
    pub const OWNERS: Self = Self { resource: Resource::Owners, verb: Verb::Manage };

    /// The permission to do this; `None` where the resource has no such verb.
    #[must_use]
    pub const fn new(resource: Resource, verb: Verb) -> Option<Self> {
        if resource.verbs() & verb.bit() == 0 { None } else { Some(Self { resource, verb }) }
    }

    /// Every permission there is, in the order of resources and verbs.
    pub fn all() -> impl Iterator<Item = Self> {
        let of = |resource| Verb::ALL.into_iter().filter_map(move |verb| Self::new(resource, verb));
        Resource::ALL.into_iter().flat_map(of)
    }

    /// The resource in front of the dot.
    #[must_use]
    pub const fn resource(self) -> Resource {
        self.resource
    }

    /// The verb behind the dot.
    #[must_use]
    pub const fn verb(self) -> Verb {
        self.verb
    }

    /// Whether a person needs to have proved itself in the last minutes to do this: what shows secrets, takes the
    /// audit log out, decides who may do what, or stops a tenant or the installation from working.
    #[must_use]
    pub const fn needs_step_up(self) -> bool {
        use Resource::{
            Audit, Invitations, Keyring, Lock, Members, Owners, Reveals, Services, Sessions, Tenants, Users,
        };
        match (self.resource, self.verb) {
            (_, Verb::Reveal) | (Audit, Verb::Export) | (Keyring, Verb::Rotate) | (Tenants, Verb::Delete) => true,
            (_, Verb::Read) => false,
            (resource, _) => {
                matches!(resource, Users | Members | Owners | Invitations | Services | Sessions | Reveals | Lock)
            }
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.resource.name(), self.verb.name())
    }
}

impl fmt::Debug for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Permission {
    type Err = UnknownPermission;

    fn from_str(text: &str) -> Result<Self, UnknownPermission> {
        let (resource, verb) = text.split_once('.').ok_or(UnknownPermission)?;
        let resource = Resource::ALL.into_iter().find(|known| known.name() == resource);
        let verb = Verb::ALL.into_iter().find(|known| known.name() == verb);
        resource.zip(verb).and_then(|(resource, verb)| Self::new(resource, verb)).ok_or(UnknownPermission)
    }
}

impl Serialize for Permission {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Permission {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A set of permissions, a few machine words long: asked on every request.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Permissions([u16; Resource::COUNT]);

impl Permissions {
    /// None at all.
    pub const NONE: Self = Self([0; Resource::COUNT]);

    /// Whether the set holds this permission, or what implies it.
    #[must_use]
    pub const fn allow(&self, permission: Permission) -> bool {
        let held = self.0[permission.resource as usize];
        let implied = match permission.verb {
            Verb::Reveal => 0,
            _ => Verb::Manage.bit(),
        };
        held & (permission.verb.bit() | implied) != 0
    }

    /// Whether everything that `other` allows is allowed here too.
    #[must_use]
    pub fn cover(&self, other: &Self) -> bool {
        Permission::all().all(|permission| !other.allow(permission) || self.allow(permission))
    }

    /// The set with one more permission.
    #[must_use]
    pub const fn with(mut self, permission: Permission) -> Self {
        self.0[permission.resource as usize] |= permission.verb.bit();
        self
    }

    /// The set without this permission; what implies it still does.
    #[must_use]
    pub const fn without(mut self, permission: Permission) -> Self {
        self.0[permission.resource as usize] &= !permission.verb.bit();
        self
    }

    /// What is allowed here or there.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        for (held, more) in self.0.iter_mut().zip(other.0) {
            *held |= more;
        }
        self
    }

    /// What is allowed both here and there.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Permission::all().filter(|permission| self.allow(*permission) && other.allow(*permission)).collect()
    }

    /// Everything that is allowed, what is implied too.
    pub fn iter(&self) -> impl Iterator<Item = Permission> + '_ {
        Permission::all().filter(|permission| self.allow(*permission))
    }

    /// The set of these verbs, as far as the resource has them.
    pub(crate) const fn with_verbs(mut self, resource: Resource, verbs: u16) -> Self {
        self.0[resource as usize] |= verbs & resource.verbs();
        self
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        permissions.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for Permissions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Permissions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<Permission>::deserialize(deserializer).map(|permissions| permissions.into_iter().collect())
    }
}

#[cfg(test)]
#[path = "permission_tests.rs"]
mod tests;
