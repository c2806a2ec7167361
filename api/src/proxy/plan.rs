//! What is to be sent where: the upstream of a request, its path there, and its body with the few
//! changes that routing and metering need.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, header, request::Parts};
use http_body_util::Full;
use keyway_domain::Timestamp;

use super::{
    client::RequestBody,
    inspect::Fields,
    intake::{self, Room, Source},
    path::{self, Route},
    project::Project,
    refusal::{Code, Refusal},
    upstream::Upstream,
};
use keyway_providers::{Capability, Catalog};

/// A call that is ready to be made.
pub(super) struct Plan {
    pub(super) upstream: Arc<Upstream>,
    /// The path at the provider, without its query.
    pub(super) path: String,
    pub(super) body: RequestBody,
    /// The model the caller asked for, where the path names it or the body was read.
    pub(super) model: Option<String>,
    /// Whether `include_usage` was set by us and its traces are to be taken out again.
    pub(super) hides_usage: bool,
}

/// What is needed to plan.
pub(super) struct Planner<'a> {
    pub(super) project: &'a Project,
    pub(super) catalog: &'a Catalog,
    pub(super) now: Timestamp,
    pub(super) room: &'a Room,
}

impl Planner<'_> {
    /// The plan for a request on a route that is forwarded.
    pub(super) async fn plan(&self, route: &Route<'_>, parts: &mut Parts, from: Source) -> Result<Plan, Refusal> {
        match *route {
            Route::Provider { provider, path } => self.endpoint(provider, path, parts, from).await,
            Route::Wrapped { provider, stream } => self.wrapped(provider, stream, parts, from).await,
            Route::Unified(path) => self.unified(path, parts, from).await,
            Route::Models | Route::Model(_) => Err(Refusal::new(Code::UnknownRoute, "this route is not forwarded")),
        }
    }

    async fn endpoint(&self, provider: &str, path: &str, parts: &Parts, mut from: Source) -> Result<Plan, Refusal> {
        let upstream = Arc::clone(self.project.by_provider(provider, self.catalog, self.now)?);
        let path = path.to_owned();
        // Only for its model a body is not refused for its length.
        let for_its_model = || !upstream.ways.names_model(&path) && self.room.has(&from);
        let is_read = intake::is_completion(&parts.method, &path) || parts.method == Method::POST && for_its_model();
        if !is_read || !intake::is_plain_json(&parts.headers) {
            let (body, model) = (RequestBody::Passing(from.body), path::model_in(&path));
            return Ok(Plan { upstream, path, body, model, hides_usage: false });
        }
        let body = self.room.read(&mut from).await?;
        match Fields::of(&body) {
            Ok(fields) => completion(upstream, path, (body, from), &fields),
            // Not for us to judge: the provider says what is wrong with it.
            Err(_) => Ok(Plan { upstream, path, body: whole(body, from), model: None, hides_usage: false }),
        }
    }

    async fn wrapped(
        &self,
        provider: &str,
        stream: bool,
        parts: &mut Parts,
        mut from: Source,
    ) -> Result<Plan, Refusal> {
        let upstream = Arc::clone(self.project.by_provider(provider, self.catalog, self.now)?);
        let mut payload = intake::payload(&self.json(parts, &mut from).await?)?;
        let mut fields = Fields::of(&payload).map_err(|_| malformed())?;
        if stream {
            payload = fields.with_stream(&payload);
            fields = Fields::of(&payload).map_err(|_| malformed())?;
        }
        parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let path = upstream.chat_endpoint();
        completion(upstream, path, (payload, from), &fields)
    }

    async fn unified(&self, path: &str, parts: &Parts, mut from: Source) -> Result<Plan, Refusal> {
        let mut body = self.json(parts, &mut from).await?;
        let mut fields = Fields::of(&body).map_err(|_| malformed())?;
        let Some(model) = fields.model(&body) else {
            return Err(Refusal::new(Code::BadBody, "the body needs a model: it says which integration serves"));
        };
        let (upstream, renamed) = self.project.by_model(&model, shape(path), self.now)?;
        if let Some(renamed) = renamed {
            body = fields.with_model(&body, renamed);
            fields = Fields::of(&body).map_err(|_| malformed())?;
        }
        let path_there = upstream.endpoint(path);
        completion(Arc::clone(upstream), path_there, (body, from), &fields)
    }

    async fn json(&self, parts: &Parts, from: &mut Source) -> Result<Bytes, Refusal> {
        if !intake::is_plain_json(&parts.headers) {
            return Err(Refusal::new(Code::BadBody, "the body must be JSON and not compressed"));
        }
        self.room.read(from).await
    }
}

/// What a provider has to speak to serve an endpoint.
fn shape(path: &str) -> Capability {
    match path {
        "/embeddings" => Capability::Embeddings,
        "/completions" => Capability::Completions,
        path if path.starts_with("/messages") => Capability::Messages,
        _ => Capability::Chat,
    }
}

/// The plan for a call whose body was read. The stream of a completion is made to carry figures.
fn completion(
    upstream: Arc<Upstream>,
    path: String,
    (body, from): (Bytes, Source),
    fields: &Fields,
) -> Result<Plan, Refusal> {
    let model = fields.model(&body);
    let asks = intake::is_completion(&Method::POST, &path) && fields.streams(&body);
    let asked = if asks { fields.with_usage(&body).map_err(|_| malformed())? } else { None };
    let hides_usage = asked.is_some();
    Ok(Plan { upstream, path, body: whole(asked.unwrap_or(body), from), model, hides_usage })
}

fn whole(body: Bytes, from: Source) -> RequestBody {
    RequestBody::Whole(Full::new(body), from)
}

fn malformed() -> Refusal {
    Refusal::new(Code::BadBody, "the body must be one JSON object that names no field twice")
}
