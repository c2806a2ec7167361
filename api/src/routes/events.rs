//! `/events`: a stream of what changed, for pages that are open. Ids and versions only: a page asks for what it shows.
//! Never tells of a row that its caller may not read.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use futures::stream;
use keyway_domain::{Permission, Reach, Verb};
use serde::Serialize;
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::Instant,
};
use warp::sse::Event;

use crate::{
    App,
    answer::Answer,
    auth::Caller,
    call::Call,
    error::ApiError,
    event_stream::EventStream,
    live::{Beginning, Numbered, Told},
};

/// Time after which a stream ends, so that its page proves again who asks.
const LIFETIME: Duration = Duration::from_secs(600);
/// Header of a page that goes on.
const LAST_EVENT_ID: &str = "last-event-id";

/// Stream what changes in the tenant, as server-sent events.
///
/// Each event (`status`, `operation`, `request`, `audit`) has `kind`, `id` and `version` as JSON, and tells of what its
/// caller may read; `id` is null where any row of the kind may have changed. `ready` begins a stream; `reset` says that
/// changes may have been missed, so that everything shown has to be asked for anew. A stream ends after ten minutes, and
/// when its caller's rights change: connect again with `Last-Event-ID`.
#[utoipa::path(get, path = "/api/v1/events", operation_id = "stream_events", tag = "events",
    responses((status = 200, description = "server-sent events", content_type = "text/event-stream", body = String)))]
pub(crate) async fn stream(call: Call) -> Result<Answer, ApiError> {
    Ok(Answer::events(opened(call)))
}

/// State of a stream.
struct Page {
    app: Arc<App>,
    by: Caller,
    receiver: Receiver<Told>,
    /// Events to send first.
    due: VecDeque<Event>,
    ends_at: Instant,
}

#[derive(Serialize)]
struct Shown {
    kind: &'static str,
    id: Option<String>,
    version: i64,
}

fn opened(call: Call) -> EventStream {
    let Call { app, by, headers, .. } = call;
    let last = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok());
    let (beginning, receiver) = app.live.subscribe(last);
    let mut page = Page { app, by, receiver, due: VecDeque::new(), ends_at: Instant::now() + LIFETIME };
    match beginning {
        Beginning::Whole => page.due.push_back(page.mark("ready")),
        Beginning::Missed(missed) => page.due = missed.iter().filter_map(|numbered| page.event(numbered)).collect(),
        Beginning::Unknown => page.due.push_back(page.mark("reset")),
    }
    EventStream(Box::pin(stream::unfold(page, |mut page| async {
        let event = page.next().await?;
        Some((Ok(event), page))
    })))
}

impl Page {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.due.pop_front() {
                return Some(event);
            }
            let told = tokio::time::timeout_at(self.ends_at, self.receiver.recv()).await.ok()?;
            match told {
                Ok(Told::Changed(numbered)) => self.due.extend(self.event(&numbered)),
                Ok(Told::Gap) | Err(RecvError::Lagged(_)) => self.due.push_back(self.mark("reset")),
                Ok(Told::Principal(what)) if self.by.principal.is_touched_by(what) => return None,
                Ok(Told::Principal(_)) => {}
                Ok(Told::End) | Err(RecvError::Closed) => return None,
            }
        }
    }

    /// Builds the event of a notice, if the caller may read what it is about.
    fn event(&self, Numbered { number, notice }: &Numbered) -> Option<Event> {
        let permission = Permission::new(notice.of.resource(), Verb::Read)?;
        if notice.tenant_id != self.by.tenant_id {
            return None;
        }
        let id = match self.by.principal.reach(self.by.tenant_id, permission) {
            Reach::Tenant => notice.of.id(),
            Reach::Projects(projects) if projects.is_empty() => return None,
            // The row may be in a project that the caller does not know of: the page asks for its own rows anew.
            Reach::Projects(_) => None,
        };
        let shown = Shown { kind: notice.of.kind(), id, version: notice.version };
        let text = serde_json::to_string(&shown).unwrap_or_default();
        Some(Event::default().event(shown.kind).id(self.app.live.id(*number)).data(text))
    }

    /// Builds an event that is about no row.
    fn mark(&self, name: &str) -> Event {
        Event::default().event(name).id(self.app.live.last_id()).data("{}")
    }
}
