//! The models of a project in OpenAI's list shape: answered from memory, no provider is asked.

use http::{HeaderValue, Response, header};
use keyway_domain::Timestamp;
use serde::Serialize;

use super::relay::ProxyBody;
use crate::{
    refusal::{Code, Refusal},
    request::path::Route,
    route::{project::Project, upstream::Upstream},
};

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Listed<'a>>,
}

#[derive(Serialize)]
struct Listed<'a> {
    id: &'a str,
    object: &'static str,
    /// Time of creation of the integration, or of the project where the operator's key serves: the catalog does not
    /// know when models were created.
    created: i64,
    owned_by: &'a str,
}

/// Answers a request for models; `None` for any other route.
pub(crate) fn answered(
    route: &Route<'_>,
    project: &Project,
    now: Timestamp,
) -> Option<Result<Response<ProxyBody>, Refusal>> {
    match route {
        Route::Models => Some(list(project, now)),
        Route::Model(id) => Some(one(project, id, now)),
        _ => None,
    }
}

/// Lists the models of the project's integrations, and those that the operator's key serves. A model that several
/// providers have is listed as `provider/model` for each.
fn list(project: &Project, now: Timestamp) -> Result<Response<ProxyBody>, Refusal> {
    let models = project.models(now);
    json(&List {
        object: "list",
        data: models.iter().map(|(id, provider, upstream)| listed(id, provider, upstream)).collect(),
    })
}

/// Answers with one model.
fn one(project: &Project, id: &str, now: Timestamp) -> Result<Response<ProxyBody>, Refusal> {
    let models = project.models(now);
    match models.iter().find(|(listed, ..)| listed == id) {
        Some((id, provider, upstream)) => json(&listed(id, provider, upstream)),
        None => Err(Refusal::model("no integration of the project serves this model; GET /v1/models lists them")),
    }
}

fn listed<'a>(id: &'a str, provider: &'a str, upstream: &Upstream) -> Listed<'a> {
    Listed { id, object: "model", created: upstream.created_at.seconds(), owned_by: provider }
}

fn json(value: &impl Serialize) -> Result<Response<ProxyBody>, Refusal> {
    let body = serde_json::to_vec(value).map_err(|_| Refusal::new(Code::Internal, "the list cannot be written"))?;
    let mut response = Response::new(ProxyBody::whole(body.into()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
