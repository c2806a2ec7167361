//! The plan of a call: its upstreams in the order in which they are tried, its path there, and its body with the few
//! changes that routing and metering need.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Method, header, request::Parts};
use hyper::body::Body;
use keyway_domain::ProjectId;
use keyway_providers::LiveCatalog;

use super::{
    choice::Choice,
    endpoint::{ENDPOINTS, shape},
    owners::Owners,
    payload::Payload,
    project::{Language, Offered, Project},
    upstream::Upstream,
};
use crate::{
    refusal::{Code, Refusal},
    request::{
        affinity::Ties,
        document::Document,
        intake::{self, Source},
        multipart,
        path::{self, Route},
        room::Room,
    },
};

/// A call that is ready to be made.
pub(crate) struct Plan {
    /// Upstreams in the order in which they are tried; at least one.
    pub(crate) upstreams: Vec<Arc<Upstream>>,
    pub(crate) path: PathThere,
    pub(crate) payload: Payload,
    /// Model that the caller asked for, if the path names it or the body was read.
    pub(crate) model: Option<String>,
    /// `true` if it refers to an object that one key keeps, so that another key is asked if the object is not found.
    pub(crate) refers: bool,
    /// Refusal for the caller if no integration of the project can serve and the operator's key does not.
    pub(crate) own_refusal: Option<Refusal>,
}

impl Plan {
    /// Returns the first of the project's own upstreams; the operator's key if it is alone.
    pub(crate) fn first(&self) -> Option<&Arc<Upstream>> {
        self.upstreams.iter().find(|upstream| !upstream.is_fallback()).or(self.upstreams.first())
    }
}

/// Path at a provider, without its query.
pub(crate) enum PathThere {
    /// The provider's own path, as the caller wrote it.
    Given(String),
    /// An endpoint of a shape, below each provider's base URL.
    Endpoint(Cow<'static, str>),
    /// The provider's chat endpoint.
    Chat,
}

/// Input of planning.
pub(crate) struct Planner<'a> {
    pub(crate) project_id: ProjectId,
    pub(crate) project: &'a Project,
    pub(crate) catalog: &'a LiveCatalog,
    pub(crate) choice: Choice<'a>,
    pub(crate) owners: &'a Owners,
    pub(crate) room: &'a Room,
    /// `true` if bodies are read where possible: because the call's use is limited, or its answer may be cached.
    pub(crate) reads_bodies: bool,
}

/// A body that was parsed as JSON.
pub(crate) struct Read {
    pub(crate) document: Document,
    pub(crate) from: Source,
}

impl Planner<'_> {
    /// Plans a request on a forwarded route.
    pub(crate) async fn plan(&self, route: &Route<'_>, parts: &mut Parts, from: Source) -> Result<Plan, Refusal> {
        match *route {
            Route::Provider { provider, path } => self.endpoint(provider, path, parts, from).await,
            Route::Wrapped { provider, stream } => self.wrapped(provider, stream, parts, from).await,
            Route::Unified(path) => self.unified(path, parts, from).await,
            Route::Family(path) => self.family(path, parts, from).await,
            Route::Realtime => self.realtime(parts, from),
            Route::Models | Route::Model(_) => Err(Refusal::new(Code::UnknownRoute, "this route is not forwarded")),
        }
    }

    async fn endpoint(&self, provider: &str, path: &str, parts: &Parts, mut from: Source) -> Result<Plan, Refusal> {
        let offered = match self.present(self.project.by_provider(provider, self.catalog))? {
            Ok(offered) => offered,
            Err(refusal) => return self.endpoint_alone(refusal, (provider, path), parts, from).await,
        };
        self.check(offered)?;
        let id = path::id_in(path);
        let planner = self.keeping(id);
        // Only for its model, its bounds or another try a body is not refused for its length.
        let names_model = || offered.iter().any(|upstream| upstream.provider.names_model(path));
        let has_others = offered.len() > 1 && path::is_inference(path);
        let is_wanted = || (self.reads_bodies || has_others || !names_model()) && self.room.has(&from);
        let is_read = intake::is_completion(&parts.method, path) || parts.method == Method::POST && is_wanted();
        let there = PathThere::Given(path.to_owned());
        if !is_read || !intake::is_plain_json(&parts.headers) {
            let model = there.model().or_else(|| path::model_asked(parts.uri.query()));
            let plan = planner.as_it_is(offered, there, Payload::unread(from), model)?;
            return Ok(Plan { refers: id.is_some(), ..plan });
        }
        let body = self.room.read(&mut from).await?;
        let Ok(document) = Document::of(body.clone()) else {
            // Not for us to judge: the provider says what is wrong with it.
            let model = there.model();
            return planner.as_it_is(offered, there, Payload::whole(body, from), model);
        };
        let asks = intake::is_completion(&Method::POST, path);
        planner.call(offered, there, parts, Read { document, from }, asks)
    }

    async fn wrapped(
        &self,
        provider: &str,
        stream: bool,
        parts: &mut Parts,
        mut from: Source,
    ) -> Result<Plan, Refusal> {
        let offered = self.present(self.project.by_provider(provider, self.catalog))?;
        if let Ok(offered) = offered {
            self.check(offered)?;
        }
        let body = intake::payload(&self.json(parts, &mut from).await?)?;
        let mut document = Document::of(body).map_err(|_| malformed())?;
        if stream {
            document.set_stream();
        }
        parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let read = Read { document, from };
        let offered = match offered {
            Ok(offered) => offered,
            Err(refusal) => return self.alone(refusal, Some(provider), PathThere::Chat, read),
        };
        let asks = offered.iter().any(|it| intake::is_completion(&Method::POST, &it.chat_endpoint()));
        self.call(offered, PathThere::Chat, parts, read, asks)
    }

    async fn unified(&self, path: &'static str, parts: &Parts, from: Source) -> Result<Plan, Refusal> {
        let read = self.read(parts, from).await?;
        let Some(model) = read.document.model() else {
            let message = "the body needs a model: it says which integration serves";
            return Err(Refusal::new(Code::MissingModel, message));
        };
        let offered = match self.present(self.project.by_model(&model, Language::Of(shape(path))))? {
            Ok(offered) => offered,
            Err(refusal) => return self.alone(refusal, None, PathThere::Endpoint(path.into()), read),
        };
        self.check(offered.upstreams.iter().copied())?;
        let asks = intake::is_completion(&Method::POST, path);
        self.renamed(&offered, path.into(), parts, read, asks)
    }

    /// Plans a call of another endpoint of OpenAI's SDK: by the model that it names, else by the id.
    async fn family(&self, path: &str, parts: &Parts, mut from: Source) -> Result<Plan, Refusal> {
        let id = path::id_in(path);
        let planner = self.keeping(id);
        let there: Cow<'static, str> = path.to_owned().into();
        if parts.method == Method::POST && id.is_none() {
            if intake::is_plain_json(&parts.headers) && !from.body.is_end_stream() {
                return planner.made(there, parts, from).await;
            }
            if let Some(boundary) = multipart::boundary(&parts.headers).filter(|_| multipart::names_model(path)) {
                let form = self.room.read(&mut from).await?;
                if let Some(at) = multipart::model(&form, &boundary) {
                    return planner.form(there, (form, from), at);
                }
                return planner.kept(there, Payload::whole(form, from), false);
            }
        }
        let is_small = intake::is_plain_json(&parts.headers) && self.room.has(&from);
        let payload = if id.is_some() && is_small {
            let body = self.room.read(&mut from).await?;
            Payload::whole(body, from)
        } else {
            Payload::unread(from)
        };
        planner.kept(there, payload, id.is_some())
    }

    /// Plans the creation of an object, asked for in JSON.
    async fn made(&self, path: Cow<'static, str>, parts: &Parts, from: Source) -> Result<Plan, Refusal> {
        let read = self.read(parts, from).await?;
        let Some(model) = read.document.model() else {
            let ties = Ties::of(&parts.headers, read.document.text());
            let planner = self.keeping(ties.refers_to.as_deref());
            return planner.kept(path, Payload::whole(read.document.into_text(), read.from), ties.refers_to.is_some());
        };
        let offered = self.project.by_model(&model, Language::OpenAi)?;
        self.choice.check(offered.upstreams.iter().copied())?;
        self.renamed(&offered, path, parts, read, false)
    }

    /// Plans a form that names its model at `at`.
    fn form(
        &self,
        path: Cow<'static, str>,
        (form, from): (Bytes, Source),
        at: std::ops::Range<usize>,
    ) -> Result<Plan, Refusal> {
        let asked = String::from_utf8_lossy(&form[at.clone()]).into_owned();
        let offered = self.project.by_model(&asked, Language::OpenAi)?;
        let body = offered.renamed.map_or_else(|| form.clone(), |name| multipart::with_model(&form, at, name));
        let model = offered.renamed.unwrap_or(&asked).to_owned();
        self.as_it_is(offered.upstreams, PathThere::Endpoint(path), Payload::whole(body, from), Some(model))
    }

    /// Plans a call that names no model.
    fn kept(&self, path: Cow<'static, str>, payload: Payload, is_kept: bool) -> Result<Plan, Refusal> {
        let offered = self.project.by_family(&self.choice, is_kept)?;
        let plan = self.as_it_is(offered, PathThere::Endpoint(path), payload, None)?;
        Ok(Plan { refers: is_kept, ..plan })
    }

    /// Plans a WebSocket, whose query names the model.
    fn realtime(&self, parts: &mut Parts, from: Source) -> Result<Plan, Refusal> {
        let Some(asked) = path::model_asked(parts.uri.query()) else {
            let message = "the query needs one model, as in ?model=gpt-realtime: it says which integration serves";
            return Err(Refusal::new(Code::MissingModel, message));
        };
        let offered = self.project.by_model(&asked, Language::OpenAi)?;
        let model = offered.renamed.unwrap_or(&asked).to_owned();
        if offered.renamed.is_some() {
            parts.uri = path::with_model(&parts.uri, &model)?;
        }
        let path = PathThere::Endpoint(path::REALTIME.into());
        self.as_it_is(offered.upstreams, path, Payload::unread(from), Some(model))
    }

    /// Plans a call to the project's own integrations with an unchanged body.
    fn as_it_is<'u>(
        &self,
        offered: impl IntoIterator<Item = &'u Arc<Upstream>> + Clone,
        path: PathThere,
        payload: Payload,
        model: Option<String>,
    ) -> Result<Plan, Refusal> {
        self.choice.check(offered.clone())?;
        let upstreams = self.choice.order(offered, None, model.as_deref());
        Ok(Plan { upstreams, path, payload, model, refers: false, own_refusal: None })
    }

    /// Plans a call of a model whose name at the provider may differ from the caller's.
    fn renamed(
        &self,
        offered: &Offered<'_>,
        path: Cow<'static, str>,
        parts: &Parts,
        mut read: Read,
        is_completion: bool,
    ) -> Result<Plan, Refusal> {
        if let Some(renamed) = offered.renamed {
            read.document.set_model(renamed);
        }
        self.call(offered.upstreams.iter().copied(), PathThere::Endpoint(path), parts, read, is_completion)
    }

    /// Plans a call whose body was read. The stream of a completion gets `include_usage`.
    fn call<'u>(
        &self,
        offered: impl IntoIterator<Item = &'u Arc<Upstream>> + Clone,
        path: PathThere,
        parts: &Parts,
        Read { document, from }: Read,
        is_completion: bool,
    ) -> Result<Plan, Refusal> {
        let model = path.model().or_else(|| document.model());
        let (mut fallback, mut own_refusal) = (None, None);
        if self.may_fall_back() {
            fallback = self.fallback(offered.clone(), &path, model.as_deref());
            own_refusal = match (self.choice.check(offered.clone()), fallback) {
                (Err(refusal), None) => return Err(refusal),
                (checked, _) => checked.err(),
            };
        }
        let mut choice = self.choice;
        let mut refers = false;
        if offered.clone().into_iter().nth(1).is_some() {
            let ties = Ties::of(&parts.headers, document.text());
            refers |= ties.refers_to.is_some();
            choice.session = ties.session;
            choice.keeper = self.keeping(ties.refers_to.as_deref()).choice.keeper;
        }
        let upstreams = choice.order(offered, fallback, model.as_deref());
        let asks = is_completion && document.streams();
        Ok(Plan { upstreams, path, payload: Payload::read(document, asks, from), model, refers, own_refusal })
    }

    /// Returns a planner that asks the owner of this id first, if known.
    fn keeping(&self, id: Option<&str>) -> Planner<'_> {
        let keeper = id.and_then(|id| self.owners.of(self.project_id, id)).or(self.choice.keeper);
        Planner { choice: Choice { keeper, ..self.choice }, ..*self }
    }

    /// Checks that some upstream can serve, whatever the body says.
    fn check<'u>(&self, offered: impl IntoIterator<Item = &'u Arc<Upstream>>) -> Result<(), Refusal> {
        if self.may_fall_back() { Ok(()) } else { self.choice.check(offered) }
    }

    pub(crate) fn may_fall_back(&self) -> bool {
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

    pub(crate) async fn read(&self, parts: &Parts, mut from: Source) -> Result<Read, Refusal> {
        let body = self.json(parts, &mut from).await?;
        let document = Document::of(body).map_err(|_| malformed())?;
        Ok(Read { document, from })
    }

    async fn json(&self, parts: &Parts, from: &mut Source) -> Result<Bytes, Refusal> {
        if !intake::is_plain_json(&parts.headers) {
            return Err(Refusal::new(Code::BadBody, "the body must be JSON and not compressed"));
        }
        self.room.read(from).await
    }
}

impl PathThere {
    /// The model that it names.
    pub(crate) fn model(&self) -> Option<String> {
        match self {
            Self::Given(path) => path::model_in(path),
            Self::Endpoint(_) | Self::Chat => None,
        }
    }

    /// Returns the OpenRouter endpoint that corresponds to the path at `upstream`, if any.
    fn endpoint(&self, upstream: &Upstream) -> Option<&'static str> {
        let path = self.at(upstream);
        ENDPOINTS.into_iter().find(|endpoint| upstream.endpoint(endpoint) == path)
    }

    /// Returns the path at `upstream`.
    pub(crate) fn at(&self, upstream: &Upstream) -> String {
        match self {
            Self::Given(path) if upstream.is_fallback() => {
                let endpoint = ENDPOINTS.into_iter().find(|endpoint| path.ends_with(endpoint));
                upstream.endpoint(endpoint.unwrap_or(path))
            }
            Self::Given(path) => path.clone(),
            Self::Endpoint(path) => upstream.endpoint(path),
            Self::Chat => upstream.chat_endpoint(),
        }
    }
}

fn malformed() -> Refusal {
    Refusal::new(Code::BadBody, "the body must be one JSON object that names no field twice")
}
