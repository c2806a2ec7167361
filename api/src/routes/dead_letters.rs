//! `/dead-letters`: messages that no handler could process. Their bodies are not shown.

use keyway_store::dead_letters;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    answer::Answer,
    call::Call,
    commands::{discard_dead_letter, replay_dead_letter},
    cursor::{self, List},
    error::ApiError,
    listing::ListScope,
    openapi::words,
    view::DeadLetterView,
};

/// Filter of dead letters.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeadLetterQuery {
    /// Scope; `tenant` if left out.
    #[serde(default)]
    #[param(value_type = Option<words::DeadLetterScope>)]
    scope: ListScope,
    /// Page size, 1 to 200; 50 if left out.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List dead letters.
#[utoipa::path(get, path = "/api/v1/dead-letters", operation_id = "list_dead_letters", tag = "dead letters", params(DeadLetterQuery),
    responses((status = 200, body = List<DeadLetterView>)))]
pub(crate) async fn list(call: Call) -> Result<Answer, ApiError> {
    let DeadLetterQuery { scope, limit, cursor } = call.query()?;
    let page = cursor::page(limit, cursor.as_deref())?;
    let letters = match scope {
        ListScope::Tenant => dead_letters::list(&call.read().await?, page).await?,
        ListScope::Installation => {
            call.beyond_tenant()?;
            dead_letters::list_all(&call.app.store.system_read().await?, page).await?
        }
    };
    Ok(Answer::ok(&List::of(letters, |row| row.id, DeadLetterView::from)))
}

/// Hand a dead letter to its lane again. One with reason `exhausted` tries its operation again. One that belongs
/// to no tenant can be replayed from `default`. Messages of a newer build are replayed automatically after an upgrade.
#[utoipa::path(post, path = "/api/v1/dead-letters/{id}/replay", operation_id = "replay_dead_letter", tag = "dead letters", params(("id" = inline(words::MessageId), Path)),
    responses((status = 202, body = DeadLetterView), (status = 409, description = "it is not a message this build can read")))]
pub(crate) async fn replay(call: Call) -> Result<Answer, ApiError> {
    replay_dead_letter::run(&call, call.id("dead letter")?).await
}

/// Discard a dead letter. One that belongs to no tenant can be discarded from `default`.
#[utoipa::path(post, path = "/api/v1/dead-letters/{id}/discard", operation_id = "discard_dead_letter", tag = "dead letters", params(("id" = inline(words::MessageId), Path)),
    responses((status = 204)))]
pub(crate) async fn discard(call: Call) -> Result<Answer, ApiError> {
    discard_dead_letter::run(&call, call.id("dead letter")?).await
}
