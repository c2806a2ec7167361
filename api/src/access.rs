//! Access: requirement of a route on its caller. A row of the route table cannot be written without one; there is no
//! default.

use keyway_domain::{Permission, Resource, Verb};

/// Requirement of a route on its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// None: what is sent proves itself.
    Anybody,
    /// Any principal.
    Known,
    /// A person, for what is its own.
    Own,
    /// A person that has proved itself in the last minutes, for what proves it.
    Proved,
    /// An application, by its virtual key, for what is its own.
    Application,
    /// A permission.
    Needs(Permission, Scope),
}

/// Rows that a permission is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The tenant's, or those of its projects that the caller reaches.
    Tenant,
    /// The tenant's; those without a tenant are the operator's, which a handler checks with
    /// [`crate::call::Call::beyond_tenant`].
    TenantAndBeyond,
    /// The tenant's, even those of a deleted one that outlive it.
    TenantOrDeleted,
    /// Those of the tenant that the path names.
    NamedTenant,
    /// The installation's.
    Installation,
}

impl Access {
    /// Returns the permission that is needed, if one is.
    pub(crate) const fn permission(self) -> Option<Permission> {
        match self {
            Self::Needs(permission, _) => Some(permission),
            Self::Anybody | Self::Known | Self::Own | Self::Proved | Self::Application => None,
        }
    }

    /// Returns whose rows they are, if a permission is needed.
    pub(crate) const fn scope(self) -> Option<Scope> {
        match self {
            Self::Needs(_, scope) => Some(scope),
            Self::Anybody | Self::Known | Self::Own | Self::Proved | Self::Application => None,
        }
    }

    /// Returns `true` if the caller acts in a tenant that `Keyway-Tenant` names.
    pub(crate) const fn is_in_tenant(self) -> bool {
        matches!(self, Self::Known | Self::Needs(_, Scope::Tenant | Scope::TenantAndBeyond | Scope::TenantOrDeleted))
    }

    /// Returns `true` if a person has to have proved itself in the last minutes.
    pub(crate) const fn needs_step_up(self) -> bool {
        match self {
            Self::Needs(permission, _) => permission.needs_step_up(),
            Self::Proved => true,
            Self::Anybody | Self::Known | Self::Own | Self::Application => false,
        }
    }

    /// Builds the requirement of a permission while the program is built.
    pub(crate) const fn needs(resource: Resource, verb: Verb, scope: Scope) -> Self {
        match Permission::new(resource, verb) {
            Some(permission) => Self::Needs(permission, scope),
            None => no_such_permission(),
        }
    }
}

/// Stops the build: rows are constants.
#[expect(clippy::panic, reason = "rows are constants: this stops a build and never a process")]
const fn no_such_permission() -> Access {
    panic!("the resource has no such verb")
}
