//! People who sign in at the identity provider only, because a tenant of theirs wants it. Its owners keep another way in,
//! or nobody could mend the provider's settings.

use keyway_domain::{Role, TenantId, UserId};
use keyway_store::{
    StoreError, SystemTx,
    memberships::{self, MembershipRow},
};

use crate::{App, code::Code, error::ApiError};

/// Returns `true` where a person may not sign in by a password.
///
/// # Errors
/// See [`StoreError`].
pub(crate) async fn is_bound(app: &App, tx: &SystemTx, user_id: UserId) -> Result<bool, StoreError> {
    match &app.oidc {
        Some(oidc) if !oidc.settings.required_in.is_empty() => {
            Ok(is_bound_by(&memberships::of_user(tx, user_id).await?, &oidc.settings.required_in))
        }
        _ => Ok(false),
    }
}

/// Builds the answer to somebody who is.
pub(crate) fn refusal() -> ApiError {
    let message = "your tenant signs in at its identity provider: GET /api/v1/oidc/begin leads there";
    ApiError::new(Code::NotAllowed, message)
}

fn is_bound_by(memberships: &[MembershipRow], required_in: &[TenantId]) -> bool {
    let wants = |row: &MembershipRow| required_in.contains(&row.tenant_id);
    let owns = |row: &MembershipRow| wants(row) && row.grant.role == Role::Owner;
    memberships.iter().any(wants) && !memberships.iter().any(owns)
}
