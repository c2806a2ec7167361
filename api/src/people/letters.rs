//! Mails that follow from what people do: their links, sealed, and the pages that these lead to.

use keyway_domain::{MailContent, MailId};
use keyway_store::{
    StoreError, TenantTx,
    mails::{self, Letter, SealedLink},
    users::UserRow,
};

use crate::{App, call::Call, error::ApiError, system_work::SystemWork};

/// Version that a link is sealed as; it never changes.
const LINK_VERSION: i32 = 1;

/// Returns the address of a page of Keyway, as people open it.
pub(crate) fn page(call: &Call, path: &str) -> String {
    format!("{}{path}", call.origin())
}

/// Writes a mail about a person's own account to that person, unless it has switched mails of the kind off.
///
/// # Errors
/// See [`StoreError`].
pub(crate) async fn tell(work: &mut SystemWork<'_>, user: &UserRow, content: MailContent) -> Result<(), StoreError> {
    if mails::choices(&work.tx, user.id).await?.contains(&(content.kind(), false)) {
        return Ok(());
    }
    work.mail(Letter {
        id: MailId::new(),
        user_id: Some(user.id),
        recipient: user.email.as_given().to_owned(),
        locale: user.locale.clone(),
        content,
        link: None,
        ends_at: None,
    })
    .await
}

/// Seals the link of a mail with the tenant's key.
///
/// # Errors
/// 503 while the vault is sealed.
pub(crate) async fn seal(app: &App, tx: &TenantTx, id: MailId, link: &str) -> Result<SealedLink, ApiError> {
    let keys = app.keys.current(tx).await?;
    let envelope = keys.seal(id.sealed_link(), LINK_VERSION, link.as_bytes())?;
    Ok(SealedLink { envelope, data_key_id: keys.id() })
}
