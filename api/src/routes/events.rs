//! `/events`: a stream of what changed, for pages that are open. Ids and versions only: a page asks for what it shows.

use crate::{answer::Answer, call::Call, error::ApiError, live};

/// Stream what changes in the tenant, as server-sent events.
///
/// Each event (`status`, `operation`, `request`, `audit`) has `kind`, `id` and `version` as JSON. `ready` begins a
/// stream; `reset` says that changes may have been missed, so that everything shown has to be asked for anew. A stream
/// ends after ten minutes, and when its caller's rights change: connect again with `Last-Event-ID`.
#[utoipa::path(get, path = "/api/v1/events", operation_id = "stream_events", tag = "events",
    responses((status = 200, description = "server-sent events", content_type = "text/event-stream", body = String)))]
#[expect(clippy::unused_async, reason = "a handler of the table")]
pub(crate) async fn stream(call: Call) -> Result<Answer, ApiError> {
    Ok(Answer::events(live::of_call(call)))
}
