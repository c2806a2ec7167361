//! Calls for which a project has no integration: the operator's key serves them alone, if the project consented to it,
//! or they are refused as without that key.

use std::{borrow::Cow, sync::Arc};

use http::{Method, request::Parts};

use super::{
    endpoint::ENDPOINTS,
    payload::Payload,
    plan::{PathThere, Plan, Planner, Read},
};
use crate::{
    refusal::Refusal,
    request::intake::{self, Source},
};

impl Planner<'_> {
    /// Splits off refusals of calls that the operator's key may serve alone: those are returned inside `Ok`, others as
    /// `Err`.
    pub(crate) fn present<T>(&self, found: Result<T, Refusal>) -> Result<Result<T, Refusal>, Refusal> {
        match found {
            Err(refusal) if !(refusal.leaves_call_alone() && self.may_fall_back()) => Err(refusal),
            found => Ok(found),
        }
    }

    /// Plans a call of a provider's own path with the operator's key; fails with `refusal`.
    pub(crate) async fn endpoint_alone(
        &self,
        refusal: Refusal,
        (provider, path): (&str, &str),
        parts: &Parts,
        from: Source,
    ) -> Result<Plan, Refusal> {
        let is_known = self.project.fallback.endpoint_at(provider, Some(path)).is_some();
        if !is_known || parts.method != Method::POST || !intake::is_plain_json(&parts.headers) {
            return Err(refusal);
        }
        let read = self.read(parts, from).await?;
        self.alone(refusal, Some(provider), PathThere::Given(path.to_owned()), read)
    }

    /// Plans a call of this provider, or of the one that has its model, with the operator's key; fails with `refusal`.
    pub(crate) fn alone(
        &self,
        refusal: Refusal,
        provider: Option<&str>,
        path: PathThere,
        mut read: Read,
    ) -> Result<Plan, Refusal> {
        let asked = path.model().or_else(|| read.document.model());
        let endpoint = match (&path, provider) {
            (PathThere::Given(path), Some(provider)) => self.project.fallback.endpoint_at(provider, Some(path)),
            (PathThere::Chat, Some(provider)) => self.project.fallback.endpoint_at(provider, None),
            (PathThere::Endpoint(path), _) => ENDPOINTS.into_iter().find(|endpoint| endpoint == path),
            (_, None) => None,
        };
        let Ok(alone) = self.project.helped_out(provider, endpoint, asked.as_deref()) else { return Err(refusal) };
        if asked.as_deref() != Some(alone.model) {
            read.document.set_model(alone.model);
        }
        let (upstreams, model) = (vec![Arc::clone(alone.upstream)], alone.model.to_owned());
        let at: Cow<'_, str> = endpoint.unwrap_or_default().into();
        let asks = intake::is_completion(&Method::POST, &at) && read.document.streams();
        let payload = Payload::read(read.document, asks, read.from);
        Ok(Plan { upstreams, path, payload, model: Some(model), refers: false, own_refusal: Some(refusal) })
    }
}
