//! Principals: who acts, as far as what it sent has proved it, and where it may do what. Read from the database; the
//! cache is in [`crate::principals`].

use std::time::Duration;

use keyway_domain::{Actor, Invalidation, Permission, Permissions, Reach, Rights, TenantId, Timestamp};
use keyway_store::{
    StoreError, SystemTx,
    memberships::{self, MembershipRow},
    services::{self, ServiceRow},
    sessions::{self, SessionRow},
    users::UserRow,
    virtual_keys::VirtualKeyRow,
};

/// Age up to which a proof counts as recent.
pub(crate) const PROOF_HOLDS: Duration = Duration::from_secs(5 * 60);

/// Who acts.
#[derive(Debug)]
pub(crate) enum Principal {
    /// Nobody that is known: on routes that anybody may call.
    Nobody,
    /// The operator, by the admin key or at the console.
    Operator(Actor),
    /// A person, by a session.
    User(SignedIn),
    /// A program, by its token.
    Service(KnownService),
    /// An application, by its virtual key.
    Application(VirtualKeyRow),
}

/// A person in a session.
#[derive(Clone, Debug)]
pub(crate) struct SignedIn {
    pub(crate) user: UserRow,
    pub(crate) session: SessionRow,
    pub(crate) memberships: Vec<MembershipRow>,
}

/// A service, with what it may do now: no more than its maker.
#[derive(Clone, Debug)]
pub(crate) struct KnownService {
    pub(crate) row: ServiceRow,
    pub(crate) permissions: Permissions,
}

impl Principal {
    /// Returns the actor of audit events.
    pub(crate) fn actor(&self) -> Actor {
        match self {
            Self::Nobody => Actor::System { part: "access".to_owned() },
            Self::Operator(actor) => actor.clone(),
            Self::User(signed_in) => Actor::User { id: signed_in.user.id },
            Self::Service(service) => Actor::Service { id: service.row.id },
            Self::Application(key) => Actor::VirtualKey { id: key.id },
        }
    }

    /// Returns its kind, one word.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Operator(_) => "operator",
            Self::User(_) => "user",
            Self::Service(_) => "service",
            Self::Application(_) => "application",
        }
    }

    /// Returns the id that it is counted by; `None` for who has none.
    pub(crate) fn id(&self) -> Option<String> {
        match self {
            Self::Nobody | Self::Operator(_) => None,
            Self::User(signed_in) => Some(signed_in.user.id.to_string()),
            Self::Service(service) => Some(service.row.id.to_string()),
            Self::Application(key) => Some(key.id.to_string()),
        }
    }

    /// Returns where in the tenant it may do this.
    pub(crate) fn reach(&self, tenant_id: TenantId, permission: Permission) -> Reach {
        let whole = |allowed| if allowed { Reach::Tenant } else { Reach::Projects(Vec::new()) };
        match self {
            Self::Nobody | Self::Application(_) => whole(false),
            Self::Operator(_) => whole(permission != Permission::REVEAL),
            Self::User(signed_in) => signed_in.rights(tenant_id).reach(permission),
            Self::Service(service) => {
                let is_there = service.row.tenant_id == tenant_id;
                whole(is_there && service.permissions.allow(permission))
            }
        }
    }

    /// Returns what it may do in the whole tenant, to hand on; `None`: everything a role can have.
    pub(crate) fn to_hand_on(&self, tenant_id: TenantId) -> Option<Permissions> {
        match self {
            Self::Nobody | Self::Application(_) => Some(Permissions::NONE),
            Self::Operator(_) => None,
            Self::User(signed_in) => Some(signed_in.rights(tenant_id).of_tenant()),
            Self::Service(service) => Some(service.permissions),
        }
    }

    /// Returns `true` if a change may have touched what it is or may do: a person's own, a service's own, or that of the
    /// person who made the service.
    pub(crate) fn is_touched_by(&self, what: Invalidation) -> bool {
        match (what, self) {
            (Invalidation::User { id }, Self::User(signed_in)) => signed_in.user.id == id,
            (Invalidation::User { id }, Self::Service(service)) => service.row.made_by == Some(id),
            (Invalidation::Service { id }, Self::Service(service)) => service.row.id == id,
            _ => false,
        }
    }

    /// Returns `true` for the operator.
    pub(crate) const fn is_operator(&self) -> bool {
        matches!(self, Self::Operator(_))
    }
}

impl SignedIn {
    /// Returns what the person may do in a tenant.
    pub(crate) fn rights(&self, tenant_id: TenantId) -> Rights {
        self.memberships.iter().filter(|row| row.tenant_id == tenant_id).map(|row| row.grant).collect()
    }

    /// Returns the tenants that the person is a member of, each once.
    pub(crate) fn tenants(&self) -> Vec<TenantId> {
        let mut tenants = Vec::new();
        for row in &self.memberships {
            if !tenants.contains(&row.tenant_id) {
                tenants.push(row.tenant_id);
            }
        }
        tenants
    }

    /// Returns `true` if the person proved itself in the last minutes.
    pub(crate) fn has_recent_proof(&self, now: Timestamp) -> bool {
        now.since(self.session.proof_at) <= PROOF_HOLDS
    }
}

/// Reads the person whose session's token has this hash.
///
/// # Errors
/// See [`StoreError`].
pub(crate) async fn signed_in(
    tx: &SystemTx,
    token_sha256: &[u8; 32],
    now: Timestamp,
) -> Result<Option<SignedIn>, StoreError> {
    let Some((session, user)) = sessions::find_by_token_hash(tx, token_sha256, now).await? else { return Ok(None) };
    let memberships = memberships::of_user(tx, user.id).await?;
    Ok(Some(SignedIn { user, session, memberships }))
}

/// Reads the service whose token has this public part.
///
/// # Errors
/// See [`StoreError`].
pub(crate) async fn service(
    tx: &SystemTx,
    public_id: &str,
    now: Timestamp,
) -> Result<Option<KnownService>, StoreError> {
    let Some(row) = services::find_by_public_id(tx, public_id).await?.filter(|row| row.is_valid(now)) else {
        return Ok(None);
    };
    let permissions = services::permissions_now(tx, &row).await?;
    Ok(Some(KnownService { row, permissions }))
}
