//! What is to be sent where: the upstreams of a request in the order in which they are tried, its path
//! there, and its body with the few changes that routing and metering need.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, header, request::Parts};
use http_body_util::Full;
use hyper::body::{Body, Incoming};

use super::{
    choice::Choice,
    client::RequestBody,
    fallback,
    inspect::Fields,
    intake::{self, Room, Source},
    path::{self, Route},
    project::Project,
    refusal::{Code, Refusal},
    upstream::Upstream,
};
use keyway_providers::{Capability, LiveCatalog};

/// A call that is ready to be made.
pub(super) struct Plan {
    /// In the order in which they are tried: one at least.
    pub(super) upstreams: Vec<Arc<Upstream>>,
    pub(super) path: PathThere,
    pub(super) payload: Payload,
    /// The model the caller asked for, where the path names it or the body was read.
    pub(super) model: Option<String>,
    /// Whether `include_usage` was set by us and its traces are to be taken out again.
    pub(super) hides_usage: bool,
    /// What the caller is told should the operator's key not serve, where no integration of the project can.
    pub(super) own_refusal: Option<Refusal>,
}

impl Plan {
    /// The first of the project's own; the operator's key where it is alone.
    pub(super) fn first(&self) -> Option<&Arc<Upstream>> {
        self.upstreams.iter().find(|upstream| !upstream.is_fallback()).or(self.upstreams.first())
    }
}

/// The path at a provider, without its query.
pub(super) enum PathThere {
    /// The provider's own, as the caller wrote it.
    Given(String),
    /// An endpoint that every provider of a shape has, below its base URL.
    Endpoint(&'static str),
    /// The provider's chat endpoint.
    Chat,
}

/// What is sent.
pub(super) enum Payload {
    /// Read already, so that it can be sent again.
    Whole(Bytes, Option<Source>),
    /// Passed on as it arrives: it can be sent once.
    Passing(Option<Incoming>),
}

/// What is needed to plan.
pub(super) struct Planner<'a> {
    pub(super) project: &'a Project,
    pub(super) catalog: &'a LiveCatalog,
    pub(super) choice: Choice<'a>,
    pub(super) room: &'a Room,
    /// Whether its body is read where it can be: what the call uses counts, or its answer may be kept.
    pub(super) reads_bodies: bool,
}

impl Planner<'_> {
    /// The plan for a request on a route that is forwarded.
    pub(super) async fn plan(&self, route: &Route<'_>, parts: &mut Parts, from: Source) -> Result<Plan, Refusal> {
        match *route {
            Route::Provider { provider, path } => self.endpoint(provider, path, parts, from).await,
            Route::Wrapped { provider, stream } => self.wrapped(provider, stream, parts, from).await,
            Route::Unified(path) => self.unified(path, parts, from).await,
            Route::Realtime => self.realtime(parts, from),
            Route::Models | Route::Model(_) => Err(Refusal::new(Code::UnknownRoute, "this route is not forwarded")),
        }
    }

    async fn endpoint(&self, provider: &str, path: &str, parts: &Parts, mut from: Source) -> Result<Plan, Refusal> {
        let offered = self.project.by_provider(provider, self.catalog)?;
        self.check(offered)?;
        // Only for its model or its bounds a body is not refused for its length.
        let names_model = || offered.iter().any(|upstream| upstream.ways.names_model(path));
        let for_its_model = || (self.reads_bodies || !names_model()) && self.room.has(&from);
        let is_read = intake::is_completion(&parts.method, path) || parts.method == Method::POST && for_its_model();
        let there = PathThere::Given(path.to_owned());
        if !is_read || !intake::is_plain_json(&parts.headers) {
            let model = there.model().or_else(|| path::model_asked(parts.uri.query()));
            return self.as_it_is(offered, there, Payload::unread(from), model);
        }
        let body = self.room.read(&mut from).await?;
        let Ok(fields) = Fields::of(&body) else {
            // Not for us to judge: the provider says what is wrong with it.
            let model = there.model();
            return self.as_it_is(offered, there, Payload::Whole(body, Some(from)), model);
        };
        let asks = intake::is_completion(&Method::POST, path);
        self.call(offered, there, (body, from), &fields, asks)
    }

    async fn wrapped(
        &self,
        provider: &str,
        stream: bool,
        parts: &mut Parts,
        mut from: Source,
    ) -> Result<Plan, Refusal> {
        let offered = self.project.by_provider(provider, self.catalog)?;
        self.check(offered)?;
        let mut payload = intake::payload(&self.json(parts, &mut from).await?)?;
        let mut fields = Fields::of(&payload).map_err(|_| malformed())?;
        if stream {
            payload = fields.with_stream(&payload);
            fields = Fields::of(&payload).map_err(|_| malformed())?;
        }
        parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let asks = offered.iter().any(|it| intake::is_completion(&Method::POST, &it.chat_endpoint()));
        self.call(offered, PathThere::Chat, (payload, from), &fields, asks)
    }

    async fn unified(&self, path: &'static str, parts: &Parts, mut from: Source) -> Result<Plan, Refusal> {
        let mut body = self.json(parts, &mut from).await?;
        let mut fields = Fields::of(&body).map_err(|_| malformed())?;
        let Some(model) = fields.model(&body) else {
            return Err(Refusal::new(Code::BadBody, "the body needs a model: it says which integration serves"));
        };
        let offered = self.project.by_model(&model, shape(path))?;
        self.check(offered.upstreams.iter().copied())?;
        if let Some(renamed) = offered.renamed {
            body = fields.with_model(&body, renamed);
            fields = Fields::of(&body).map_err(|_| malformed())?;
        }
        let asks = intake::is_completion(&Method::POST, path);
        self.call(offered.upstreams.iter().copied(), PathThere::Endpoint(path), (body, from), &fields, asks)
    }

    /// The plan for a WebSocket, whose query names the model.
    fn realtime(&self, parts: &mut Parts, from: Source) -> Result<Plan, Refusal> {
        let Some(asked) = path::model_asked(parts.uri.query()) else {
            let message = "the query needs one model, as in ?model=gpt-realtime: it says which integration serves";
            return Err(Refusal::new(Code::MissingModel, message));
        };
        let offered = self.project.by_model(&asked, shape(path::REALTIME))?;
        let model = offered.renamed.unwrap_or(&asked).to_owned();
        if offered.renamed.is_some() {
            parts.uri = path::with_model(&parts.uri, &model)?;
        }
        let path = PathThere::Endpoint(path::REALTIME);
        self.as_it_is(offered.upstreams, path, Payload::unread(from), Some(model))
    }

    /// The plan for a call that goes to the project's own integrations, and with the body that came.
    fn as_it_is<'u>(
        &self,
        offered: impl IntoIterator<Item = &'u Arc<Upstream>> + Clone,
        path: PathThere,
        payload: Payload,
        model: Option<String>,
    ) -> Result<Plan, Refusal> {
        self.choice.check(offered.clone())?;
        let upstreams = self.choice.order(offered, None, model.as_deref());
        Ok(Plan { upstreams, path, payload, model, hides_usage: false, own_refusal: None })
    }

    /// The plan for a call whose body was read. The stream of a completion is made to carry figures.
    fn call<'u>(
        &self,
        offered: impl IntoIterator<Item = &'u Arc<Upstream>> + Clone,
        path: PathThere,
        (body, from): (Bytes, Source),
        fields: &Fields,
        is_completion: bool,
    ) -> Result<Plan, Refusal> {
        let model = path.model().or_else(|| fields.model(&body));
        let asks = is_completion && fields.streams(&body);
        let asked = if asks { fields.with_usage(&body).map_err(|_| malformed())? } else { None };
        let hides_usage = asked.is_some();
        let (mut fallback, mut own_refusal) = (None, None);
        if self.may_fall_back() {
            fallback = self.fallback(offered.clone(), &path, model.as_deref());
            own_refusal = match (self.choice.check(offered.clone()), fallback) {
                (Err(refusal), None) => return Err(refusal),
                (checked, _) => checked.err(),
            };
        }
        let upstreams = self.choice.order(offered, fallback, model.as_deref());
        let payload = Payload::Whole(asked.unwrap_or(body), Some(from));
        Ok(Plan { upstreams, path, payload, model, hides_usage, own_refusal })
    }

    /// Refuses what nobody can serve, whatever its body says.
    fn check<'u>(&self, offered: impl IntoIterator<Item = &'u Arc<Upstream>>) -> Result<(), Refusal> {
        if self.may_fall_back() { Ok(()) } else { self.choice.check(offered) }
    }

    fn may_fall_back(&self) -> bool {
        self.choice.allows_fallback && self.choice.pinned.is_none() && self.project.fallback.exists()
    }

    fn fallback<'u>(
        &self,
        offered: impl IntoIterator<Item = &'u Arc<Upstream>> + Clone,
        path: &PathThere,
        model: Option<&str>,
    ) -> Option<&Arc<Upstream>> {
        let endpoint = offered.clone().into_iter().find_map(|upstream| path.endpoint(upstream));
        self.project.fallback.serving(offered, endpoint, model).ok()
    }

    async fn json(&self, parts: &Parts, from: &mut Source) -> Result<Bytes, Refusal> {
        if !intake::is_plain_json(&parts.headers) {
            return Err(Refusal::new(Code::BadBody, "the body must be JSON and not compressed"));
        }
        self.room.read(from).await
    }
}

/// What a provider has to speak to serve an endpoint.
pub(super) fn shape(path: &str) -> Capability {
    match path {
        "/embeddings" => Capability::Embeddings,
        "/completions" => Capability::Completions,
        path if path.starts_with("/messages") => Capability::Messages,
        _ => Capability::Chat,
    }
}

impl PathThere {
    /// The model that it names.
    fn model(&self) -> Option<String> {
        match self {
            Self::Given(path) => path::model_in(path),
            Self::Endpoint(_) | Self::Chat => None,
        }
    }

    /// Which endpoint of OpenAI's shape that OpenRouter may have it is at `upstream`, if it is one.
    fn endpoint(&self, upstream: &Upstream) -> Option<&'static str> {
        let path = self.at(upstream);
        fallback::ENDPOINTS.into_iter().find(|endpoint| upstream.endpoint(endpoint) == path)
    }

    /// The path at `upstream`.
    pub(super) fn at(&self, upstream: &Upstream) -> String {
        match self {
            Self::Given(path) if upstream.is_fallback() => {
                let endpoint = fallback::ENDPOINTS.into_iter().find(|endpoint| path.ends_with(endpoint));
                upstream.endpoint(endpoint.unwrap_or(path))
            }
            Self::Given(path) => path.clone(),
            Self::Endpoint(path) => upstream.endpoint(path),
            Self::Chat => upstream.chat_endpoint(),
        }
    }
}

impl Payload {
    fn unread(from: Source) -> Self {
        // What has nothing in it can be sent again.
        if from.body.is_end_stream() { Self::Whole(Bytes::new(), Some(from)) } else { Self::Passing(Some(from.body)) }
    }

    /// Whether it can be sent more than once.
    pub(super) const fn can_repeat(&self) -> bool {
        matches!(self, Self::Whole(..))
    }

    /// The body of an attempt, with this name for its model where `upstream` has another one; the last attempt takes
    /// along what it was read from.
    pub(super) fn body(&mut self, upstream: &Upstream, model: Option<&str>, is_last: bool) -> RequestBody {
        match self {
            Self::Whole(body, from) => {
                let renamed = upstream.renamed(model);
                let renamed = renamed.and_then(|name| Some(Fields::of(body).ok()?.with_model(body, &name)));
                let sent = renamed.unwrap_or_else(|| body.clone());
                RequestBody::Whole(Full::new(sent), if is_last { from.take() } else { None })
            }
            Self::Passing(body) => {
                body.take().map_or_else(|| RequestBody::Whole(Full::default(), None), RequestBody::Passing)
            }
        }
    }
}

fn malformed() -> Refusal {
    Refusal::new(Code::BadBody, "the body must be one JSON object that names no field twice")
}
