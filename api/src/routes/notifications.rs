//! `/me/notifications`: which mails a person gets. Invitations and links for a forgotten password come in any case: they
//! are asked for, each one.

use keyway_domain::MailKind;
use keyway_store::mails;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::{answer::Answer, call::Call, error::ApiError, system_work::SystemWork};

/// Mails that a person gets.
#[derive(Serialize, ToSchema)]
pub(crate) struct Notifications {
    /// A sign-in from a place that is new.
    new_sign_in: bool,
    /// A second factor was added or removed.
    factor_changed: bool,
    /// A key expires within 30, 7 or 1 days, or has expired.
    key_expiring: bool,
    /// A provider refuses a key that worked.
    key_refused: bool,
    /// A key was used outside Keyway.
    used_outside: bool,
    /// 80 or 100 % of a budget are used.
    budget: bool,
}

/// New choices; one that is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NotificationsChange {
    new_sign_in: Option<bool>,
    factor_changed: Option<bool>,
    key_expiring: Option<bool>,
    key_refused: Option<bool>,
    used_outside: Option<bool>,
    budget: Option<bool>,
}

impl Notifications {
    fn of(choices: &[(MailKind, bool)]) -> Self {
        let is_wanted = |kind| choices.contains(&(kind, true));
        Self {
            new_sign_in: is_wanted(MailKind::NewSignIn),
            factor_changed: is_wanted(MailKind::FactorChanged),
            key_expiring: is_wanted(MailKind::KeyExpiring),
            key_refused: is_wanted(MailKind::KeyRefused),
            used_outside: is_wanted(MailKind::UsedOutside),
            budget: is_wanted(MailKind::Budget),
        }
    }
}

impl NotificationsChange {
    fn choices(&self) -> impl Iterator<Item = (MailKind, bool)> {
        let all = [
            (MailKind::NewSignIn, self.new_sign_in),
            (MailKind::FactorChanged, self.factor_changed),
            (MailKind::KeyExpiring, self.key_expiring),
            (MailKind::KeyRefused, self.key_refused),
            (MailKind::UsedOutside, self.used_outside),
            (MailKind::Budget, self.budget),
        ];
        all.into_iter().filter_map(|(kind, wanted)| Some((kind, wanted?)))
    }
}

/// Show which mails one gets.
#[utoipa::path(get, path = "/api/v1/me/notifications", operation_id = "get_notifications", tag = "people", responses((status = 200, body = Notifications)))]
pub(crate) async fn detail(call: Call) -> Result<Answer, ApiError> {
    let id = call.by.person()?.user.id;
    let choices = mails::choices(&call.app.store.system_read().await?, id).await?;
    Ok(Answer::ok(&Notifications::of(&choices)))
}

/// Choose which mails one gets.
#[utoipa::path(patch, path = "/api/v1/me/notifications", operation_id = "update_notifications", tag = "people", request_body = NotificationsChange,
    responses((status = 200, body = Notifications)))]
pub(crate) async fn update(call: Call) -> Result<Answer, ApiError> {
    let change: NotificationsChange = call.json()?;
    let id = call.by.person()?.user.id;
    let mut work = SystemWork::begin(&call.app, &call.by).await?;
    for (kind, is_wanted) in change.choices() {
        mails::choose(&work.tx, id, kind, is_wanted).await?;
        work.audit("user.notifications_changed", id, json!({ "kind": kind, "is_wanted": is_wanted }));
    }
    let choices = mails::choices(&work.tx, id).await?;
    work.commit().await?;
    Ok(Answer::ok(&Notifications::of(&choices)))
}
