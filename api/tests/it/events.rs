//! The stream of events: whom it tells what, and how a page goes on after its connection broke.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use keyway_domain::{
    IntegrationId, Invalidation, MessageId, Notice, Noticed, OperationId, RequestId, Role, TenantId, Timestamp,
};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::{
    fixture::{Api, on_both, send},
    members::{member, session, with},
};

const DEADLINE: Duration = Duration::from_secs(10);
const PATH: &str = "/api/v1/events";

on_both! {
    a_page_hears_of_its_tenant_and_goes_on_where_it_was
    a_role_hears_of_what_it_may_read_and_its_stream_ends_with_it
    a_stop_does_not_wait_for_open_pages
}

/// An open page.
struct Page {
    response: Response,
    text: String,
}

/// One event: its name, its id and its data.
type Heard = (String, String, Value);

async fn a_page_hears_of_its_tenant_and_goes_on_where_it_was(api: Api) -> Result<()> {
    let mut page = Page::open(api.request(Method::GET, PATH)).await?;
    let (name, begun, _) = page.next().await?.context("it begins")?;
    ensure!(name == "ready");
    let (integration, operation) = (IntegrationId::new(), OperationId::new());
    let told = |tenant, of| Notice::new(tenant, of, Timestamp::from_ms(17));
    api.app.notify(vec![
        told(TenantId::new(), Noticed::Status(Some(IntegrationId::new()))),
        told(api.tenant, Noticed::Status(Some(integration))),
        told(api.tenant, Noticed::Operation(operation)),
    ]);
    let (name, status_id, data) = page.next().await?.context("a status")?;
    ensure!(name == "status" && data == json!({ "kind": "status", "id": integration, "version": 17 }), "{data}");
    let (name, last, data) = page.next().await?.context("an operation")?;
    ensure!(name == "operation" && data["id"] == operation.to_string(), "another tenant's row is told: {data}");

    let again = |id: &str| Page::open(api.request(Method::GET, PATH).header("last-event-id", id));
    let (name, id, _) = again(&status_id).await?.next().await?.context("what was missed")?;
    ensure!((name.as_str(), &id) == ("operation", &last));
    ensure!(again(&last).await?.next().await?.context("nothing was missed")?.0 == "ready");
    for unknown in ["1-1", "yesterday", ""] {
        ensure!(again(unknown).await?.next().await?.context("it begins")?.0 == "reset", "{unknown:?}");
    }
    api.app.notices_lost();
    ensure!(page.next().await?.context("a gap")?.0 == "reset");
    ensure!(again(&begun).await?.next().await?.context("it begins")?.0 == "reset", "a gap lies between");
    Ok(())
}

async fn a_role_hears_of_what_it_may_read_and_its_stream_ends_with_it(api: Api) -> Result<()> {
    let project = api.post("/api/v1/projects", json!({ "name": "shop" })).await?.expect(201)?;
    let project = project.text_at("/id").parse()?;
    let developer = member(&api, api.tenant, Role::Developer, Some(project)).await?;
    let token = session(&api, &developer, Duration::ZERO).await?;
    let mut page = Page::open(with(&api, &token, Method::GET, PATH)).await?;
    page.next().await?.context("it begins")?;
    let told = |of| Notice::new(api.tenant, of, Timestamp::from_ms(17));
    api.app.notify(vec![
        told(Noticed::Audit(MessageId::new())),
        told(Noticed::Status(Some(IntegrationId::new()))),
        told(Noticed::Request(RequestId::new())),
    ]);
    let (name, _, data) = page.next().await?.context("a request")?;
    ensure!(name == "request", "a developer reads requests, and neither {name}");
    ensure!(data["id"].is_null(), "the row may be in a project that the developer does not know: {data}");

    api.app.note(api.tenant, Invalidation::User { id: member(&api, api.tenant, Role::Owner, None).await?.id });
    api.app.notify(vec![told(Noticed::Request(RequestId::new()))]);
    ensure!(page.next().await?.context("somebody else changed")?.0 == "request", "its stream goes on");
    api.app.note(api.tenant, Invalidation::User { id: developer.id });
    ensure!(page.next().await?.is_none(), "it asks anew with what it may do now");

    let mut page = Page::open(with(&api, &token, Method::GET, PATH)).await?;
    page.next().await?.context("it begins")?;
    api.app.forget_principals();
    ensure!(page.next().await?.is_none(), "a change of its rights may have been missed");

    let operator = member(&api, api.tenant, Role::Operator, None).await?;
    let token = session(&api, &operator, Duration::ZERO).await?;
    let mut page = Page::open(with(&api, &token, Method::GET, PATH)).await?;
    page.next().await?.context("it begins")?;
    api.app.note(api.tenant, Invalidation::Integrations);
    let (name, _, data) = page.next().await?.context("a status")?;
    ensure!(name == "status" && data["id"].is_null(), "it may be any of them: {data}");
    send(api.anonymous(Method::GET, PATH)).await?.expect(401)?;
    Ok(())
}

async fn a_stop_does_not_wait_for_open_pages(api: Api) -> Result<()> {
    let mut page = Page::open(api.request(Method::GET, PATH)).await?;
    page.next().await?.context("it begins")?;
    api.app.end_streams();
    ensure!(page.next().await?.is_none());
    Ok(())
}

impl Page {
    async fn open(request: RequestBuilder) -> Result<Self> {
        let response = request.send().await?;
        let kind = response.headers().get("content-type").context("a content type")?.clone();
        ensure!(response.status() == 200 && kind == "text/event-stream", "{} {kind:?}", response.status());
        ensure!(response.headers().get("cache-control").is_some_and(|value| value == "no-store"));
        Ok(Self { response, text: String::new() })
    }

    /// Returns the next event; `None`: the stream has ended.
    async fn next(&mut self) -> Result<Option<Heard>> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let line = event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
                    line.map(|value| value.trim_start().to_owned())
                };
                let heard = (field("event"), field("id"), field("data"));
                self.text = rest.to_owned();
                match heard {
                    (Some(name), Some(id), Some(data)) => return Ok(Some((name, id, serde_json::from_str(&data)?))),
                    (None, None, None) => continue,
                    other => bail!("{other:?} is no event"),
                }
            }
            match tokio::time::timeout(DEADLINE, self.response.chunk()).await?? {
                Some(chunk) => self.text.push_str(std::str::from_utf8(&chunk)?),
                None => return Ok(None),
            }
        }
    }
}
