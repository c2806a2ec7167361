//! Every route for every role: in its own tenant, in another one, and without a principal.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use keyway_domain::{Level, Permission, Permissions, ProjectId, Role, TenantId, Timestamp};
use keyway_store::users::UserRow;
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::{
    content,
    document::document,
    fixture::{Api, KEY, Reply, on_both, send},
    members::{member, service, session, with},
    things::{self, Things},
};

on_both! {
    every_route_answers_every_role_what_the_table_says
    a_role_in_a_project_reaches_that_project_only
}

/// Paths of what belongs to one project.
const OF_PROJECTS: [&str; 5] = ["integrations", "operations", "projects", "requests", "virtual-keys"];
const FRESH: Duration = Duration::ZERO;
const STALE: Duration = Duration::from_secs(600);

/// A row of the route table, as the document has it.
struct Row {
    method: Method,
    path: String,
    /// Permission that it needs; `None`: it is about one's own account.
    permission: Option<Permission>,
    needs_proof: bool,
    is_open: bool,
}

impl Row {
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Returns whether it acts in the tenant that the header names.
    fn takes_tenant(&self) -> bool {
        self.permission.is_some() && !self.path.starts_with("/api/v1/tenants")
    }
}

fn rows() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (path, methods) in document()?["paths"].as_object().context("no paths")? {
        for (method, operation) in methods.as_object().context("no methods")? {
            if ["/proxy/", "/v1/", "/content/"].iter().any(|open| path.starts_with(open)) {
                continue;
            }
            let permission = operation["x-keyway-access"]["permission"].as_str().map(str::parse).transpose()?;
            rows.push(Row {
                method: Method::from_bytes(method.to_uppercase().as_bytes())?,
                path: path.clone(),
                permission,
                needs_proof: operation["x-keyway-access"]["step_up"] == true,
                is_open: operation["security"] == json!([{}]),
            });
        }
    }
    ensure!(rows.len() > 50, "the document is not complete: {}", rows.len());
    Ok(rows)
}

/// Ids of things of a tenant, by the segment of the path behind which they stand.
async fn ids(api: &mut Api, tenant: TenantId) -> Result<Vec<(&'static str, String)>> {
    api.acting_in = Some(tenant.to_string());
    let Things { project, key, integration, operation, provider, model } = things::made(api).await?;
    member(api, tenant, Role::Auditor, None).await?;
    let members = api.get("/api/v1/members").await?.expect(200)?;
    let invitation = json!({ "email": "ben@example.org", "role": "auditor" });
    let invitation = api.post("/api/v1/invitations", invitation).await?.expect(201)?.text_at("/id").to_owned();
    let mail = api.get("/api/v1/mails").await?.expect(200)?.text_at("/items/0/id").to_owned();
    let expires_at = Timestamp::now().after(Duration::from_secs(3600));
    let service = json!({ "name": "billing", "permissions": ["usage.read"], "expires_at": expires_at });
    let service = api.post("/api/v1/services", service).await?.expect(201)?.text_at("/id").to_owned();
    content::switch_on(api).await?;
    content::articles(api, "public").await?;
    let entry = content::entry(api, json!({ "slug": "a" })).await?.rsplit('/').next().unwrap_or_default().to_owned();
    let flow = api.post("/api/v1/flows", json!({ "name": "f", "document": content::flow(0.0) })).await?.expect(201)?;
    let flow = flow.text_at("/id").to_owned();
    api.acting_in = None;
    Ok(vec![
        ("tenants", tenant.to_string()),
        ("projects", project),
        ("virtual-keys", key),
        ("integrations", integration),
        ("operations", operation),
        ("models", model),
        ("providers", provider),
        ("requests", "req_00000000000000000000000000000000".to_owned()),
        ("dead-letters", "msg_00000000000000000000000000000000".to_owned()),
        ("members", members.text_at("/items/0/id").to_owned()),
        ("invitations", invitation),
        ("mails", mail),
        ("services", service),
        ("passkeys", "psk_00000000000000000000000000000000".to_owned()),
        ("sessions", "ses_00000000000000000000000000000000".to_owned()),
        ("content-types", "article".to_owned()),
        ("node-types", "step".to_owned()),
        ("{type}", entry),
        ("flows", flow),
        ("scenes", "scn_00000000000000000000000000000000".to_owned()),
    ])
}

/// Returns the path with the id that belongs in it.
fn filled(path: &str, ids: &[(&str, String)]) -> Result<String> {
    let whole = |path: &str| path.replace("{type}", "article").replace("{version}", "1");
    let Some((before, _)) = path.split_once("/{id}") else { return Ok(whole(path)) };
    let of = before.rsplit('/').next().unwrap_or_default();
    let (_, id) = ids.iter().find(|(name, _)| *name == of).with_context(|| format!("no id for {path}"))?;
    Ok(whole(&path.replace("{id}", id)))
}

/// Adds a body that the route can read, so that it looks for what is named.
fn with_body(row: &Row, request: RequestBuilder) -> RequestBuilder {
    if matches!(row.method, Method::GET | Method::DELETE) {
        return request;
    }
    request.json(&match row.path.as_str() {
        "/api/v1/tenants/{id}" => json!({ "name": "another" }),
        "/api/v1/integrations/{id}/credentials" => json!({ "credentials": KEY }),
        "/api/v1/services/{id}/rotate" => json!({ "expires_at": Timestamp::now().after(Duration::from_secs(3600)) }),
        "/api/v1/reveals" => json!({ "allowed": false }),
        "/api/v1/providers/{id}" => json!({ "display_name": "x", "base_url": "https://x.example.com" }),
        "/api/v1/providers/{id}/models" => json!({ "models": ["x"] }),
        _ => json!({}),
    })
}

/// Checks that an answer is neither 401 nor a 403 for a missing permission.
fn is_let_in(reply: &Reply, what: &str) -> Result<()> {
    ensure!(reply.status != 401 && reply.status != 403 && reply.status < 500, "{what}: {}", reply.text);
    Ok(())
}

async fn every_route_answers_every_role_what_the_table_says(mut api: Api) -> Result<()> {
    let other = api.post("/api/v1/tenants", json!({ "name": "other" })).await?.expect(201)?.text_at("/id").parse()?;
    let theirs = ids(&mut api, other).await?;
    let mut nothing: Vec<_> = theirs.iter().map(|(name, id)| (*name, unknown(id))).collect();
    // The one that always stays, and keeps its name.
    nothing[0].1 = api.tenant.to_string();
    let rows = rows()?;
    nobody(&api, &rows, &theirs).await?;
    for role in Role::ALL {
        let user = member(&api, api.tenant, role, None).await?;
        for row in rows.iter().filter(|row| !row.is_open) {
            let what = format!("{role}: {}", row.name());
            in_own_tenant(&api, row, (&user, role.permissions()), &nothing).await.with_context(|| what.clone())?;
            in_another(&api, row, (&user, role.permissions(), other), &theirs).await.context(what)?;
        }
    }
    for role in Role::ALL {
        let permissions: Permissions = role.permissions();
        let token = service(&api, api.tenant, permissions, None).await?;
        for row in rows.iter().filter(|row| !row.is_open) {
            let path = filled(&row.path, &nothing)?;
            let reply = send(with_body(row, with(&api, &token, row.method.clone(), &path))).await?;
            by_service(row, &reply, permissions).with_context(|| format!("service as {role}: {}", row.name()))?;
        }
    }
    Ok(())
}

fn by_service(row: &Row, reply: &Reply, permissions: Permissions) -> Result<()> {
    match row.permission {
        Some(permission) if !permissions.allow(permission) => is_refused(reply, permission),
        Some(_) => is_let_in(reply, "permitted"),
        None if row.method == Method::GET && ["/api/v1/me", "/api/v1/events"].contains(&row.path.as_str()) => {
            is_let_in(reply, "known")
        }
        None => {
            ensure!(reply.status == 403 && reply.text_at("/error/code") == "not_allowed", "{}", reply.text);
            Ok(())
        }
    }
}

/// Returns the id of the same kind that nothing has.
fn unknown(id: &str) -> String {
    format!("{}_00000000000000000000000000000000", id.split('_').next().unwrap_or_default())
}

fn is_refused(reply: &Reply, permission: Permission) -> Result<()> {
    let named = reply.text_at("/error/message").contains(&format!(" {permission},"));
    ensure!(reply.status == 403 && reply.text_at("/error/code") == "not_allowed" && named, "{}", reply.text);
    Ok(())
}

async fn nobody(api: &Api, rows: &[Row], ids: &[(&str, String)]) -> Result<()> {
    let ask = async |row: &Row| -> Result<()> {
        let path = filled(&row.path, ids)?;
        let reply = send(with_body(row, api.anonymous(row.method.clone(), &path))).await?;
        if row.is_open {
            // There is no identity provider to lead to.
            let expected = match row.path.as_str() {
                path if path.contains("/oidc/") => 404,
                // The address of the test is a number.
                "/api/v1/sessions/passkey/begin" => 409,
                _ => 422,
            };
            ensure!(reply.status == expected, "{}: {}", row.name(), reply.text);
        } else {
            reply.expect_error(401, "unauthenticated").with_context(|| row.name())?;
        }
        Ok(())
    };
    try_join_all(rows.iter().map(ask)).await?;
    Ok(())
}

async fn in_own_tenant(
    api: &Api,
    row: &Row,
    (user, permissions): (&UserRow, Permissions),
    nothing: &[(&str, String)],
) -> Result<()> {
    let path = filled(&row.path, nothing)?;
    let ask = async |proved_ago| -> Result<Reply> {
        // One for each, as some end the session they come in.
        let token = session(api, user, proved_ago).await?;
        send(with_body(row, with(api, &token, row.method.clone(), &path))).await
    };
    match row.permission {
        // That is an application's.
        None if row.path == "/api/v1/me/usage" => drop(ask(FRESH).await?.expect_error(403, "not_allowed")?),
        Some(permission) if !permissions.allow(permission) => is_refused(&ask(FRESH).await?, permission)?,
        _ => {
            is_let_in(&ask(FRESH).await?, "permitted")?;
            let later = ask(STALE).await?;
            if row.needs_proof {
                later.expect_error(403, "step_up_required")?;
            } else {
                is_let_in(&later, "without a proof")?;
            }
        }
    }
    Ok(())
}

async fn in_another(
    api: &Api,
    row: &Row,
    (user, permissions, other): (&UserRow, Permissions, TenantId),
    theirs: &[(&str, String)],
) -> Result<()> {
    let Some(permission) = row.permission else { return Ok(()) };
    let token = session(api, user, FRESH).await?;
    let path = filled(&row.path, theirs)?;
    let ask = || with_body(row, with(api, &token, row.method.clone(), &path));
    if row.takes_tenant() {
        let reply = send(ask().header("Keyway-Tenant", other.to_string())).await?;
        reply.expect_error(404, "not_found").context("by the header")?;
    }
    if row.path.contains("{id}") && (permissions.allow(permission) || !row.takes_tenant()) {
        send(ask()).await?.expect_error(404, "not_found").context("by the id")?;
    }
    Ok(())
}

/// Who is a member of one project sees and touches the rows of that project only.
async fn a_role_in_a_project_reaches_that_project_only(mut api: Api) -> Result<()> {
    let tenant = api.tenant;
    let theirs = ids(&mut api, tenant).await?;
    let default = api.get("/api/v1/projects").await?.expect(200)?;
    let items = default.at("/items").as_array().context("no projects")?.clone();
    let own = items.iter().find(|item| item["name"] == "shop").context("no shop")?["id"].clone();
    let own: ProjectId = own.as_str().context("no id")?.parse()?;
    let key = json!({ "name": "own", "project_id": own });
    let key = api.post("/api/v1/virtual-keys", key).await?.expect(201)?.text_at("/id").to_owned();
    let user = member(&api, api.tenant, Role::Developer, Some(own)).await?;
    let elsewhere = items.iter().find(|item| item["name"] == "default").context("no default")?["id"].clone();
    let mut foreign = theirs.clone();
    foreign[1].1 = elsewhere.as_str().context("no id")?.to_owned();
    every_route_answers_a_role_in(&api, own, &foreign).await?;
    let token = session(&api, &user, FRESH).await?;
    let ask = |method, path: &str| with(&api, &token, method, path);
    let seen = send(ask(Method::GET, "/api/v1/virtual-keys")).await?.expect(200)?;
    ensure!(ids_of(&seen) == [key.clone()], "{}", seen.text);
    let projects = send(ask(Method::GET, "/api/v1/projects")).await?.expect(200)?;
    ensure!(ids_of(&projects) == [own.to_string()], "{}", projects.text);
    send(ask(Method::GET, &format!("/api/v1/virtual-keys/{key}"))).await?.expect(200)?;
    let foreign = filled("/api/v1/virtual-keys/{id}", &theirs)?;
    for (method, path) in [
        (Method::GET, foreign.clone()),
        (Method::PATCH, foreign.clone()),
        (Method::DELETE, foreign.clone()),
        (Method::POST, format!("{foreign}/revoke")),
        (Method::POST, filled("/api/v1/integrations/{id}/test", &theirs)?),
    ] {
        let reply = send(ask(method, &path).json(&json!({}))).await?;
        reply.expect_error(404, "not_found").context(path)?;
    }
    for body in [json!({ "name": "x" }), json!({ "name": "x", "project_id": elsewhere })] {
        send(ask(Method::POST, "/api/v1/virtual-keys").json(&body)).await?.expect_error(404, "not_found")?;
    }
    let body = json!({ "name": "x", "project_id": own });
    send(ask(Method::POST, "/api/v1/virtual-keys").json(&body)).await?.expect(201)?;
    for path in
        ["/api/v1/usage", "/api/v1/usage/drift", "/api/v1/requests", "/api/v1/usage?group_by=project&ledger=reported"]
    {
        let reply = send(ask(Method::GET, path)).await?.expect(200)?;
        ensure!(reply.at("/items") == &json!([]), "{path}: {}", reply.text);
    }
    let named = format!("/api/v1/requests?project_id={}", elsewhere.as_str().unwrap_or_default());
    send(ask(Method::GET, &named)).await?.expect_error(404, "not_found")?;
    let audit = send(ask(Method::GET, "/api/v1/audit")).await?;
    is_refused(&audit, "audit.read".parse()?)
}

/// Asks every route as a member of a project alone: of what is the whole tenant's its role says nothing, and what is
/// another project's does not exist for it.
async fn every_route_answers_a_role_in(api: &Api, own: ProjectId, theirs: &[(&str, String)]) -> Result<()> {
    for role in Role::ALL.into_iter().filter(|role| role.fits_a_project()) {
        let user = member(api, api.tenant, role, Some(own)).await?;
        for row in rows()?.iter().filter(|row| !row.is_open) {
            let Some(permission) = row.permission else { continue };
            // One for each, as some end the session they come in.
            let token = session(api, &user, FRESH).await?;
            let path = filled(&row.path, theirs)?;
            let reply = send(with_body(row, with(api, &token, row.method.clone(), &path))).await?;
            let holds = permission.resource().level() == Level::Project && role.permissions().allow(permission);
            let what = format!("{role} in a project: {}", row.name());
            if !holds {
                is_refused(&reply, permission).context(what)?;
            } else if OF_PROJECTS.iter().any(|of| row.path.starts_with(&format!("/api/v1/{of}/{{id}}"))) {
                ensure!(reply.status == 404, "{what}: {} {}", reply.status, reply.text);
            } else {
                ensure!(reply.status != 401 && reply.status < 500, "{what}: {} {}", reply.status, reply.text);
            }
        }
    }
    Ok(())
}

fn ids_of(reply: &Reply) -> Vec<String> {
    let items = reply.at("/items").as_array().cloned().unwrap_or_default();
    items.iter().filter_map(|item| item["id"].as_str().map(str::to_owned)).collect()
}

/// What a service may do ends with what its maker may do.
#[tokio::test]
async fn a_service_may_no_more_than_its_maker() -> Result<()> {
    let api = Api::sqlite().await?;
    let maker = member(&api, api.tenant, Role::Billing, None).await?;
    let permissions: Permissions =
        ["integrations.read", "usage.read"].iter().filter_map(|it| it.parse().ok()).collect();
    let token = service(&api, api.tenant, permissions, Some(maker.id)).await?;
    send(with(&api, &token, Method::GET, "/api/v1/usage")).await?.expect(200)?;
    send(api.anonymous(Method::GET, "/api/v1/usage").header("x-api-key", &token)).await?.expect(200)?;
    is_refused(&send(with(&api, &token, Method::GET, "/api/v1/integrations")).await?, "integrations.read".parse()?)?;
    is_refused(&send(with(&api, &token, Method::GET, "/api/v1/audit")).await?, "audit.read".parse()?)?;
    let me = send(with(&api, &token, Method::GET, "/api/v1/me")).await?.expect(200)?;
    ensure!(me.at("/permissions") == &json!(["usage.read"]) && me.at("/principal") == "service", "{}", me.text);
    let wrong = format!("{}A", &token[..token.len() - 1]);
    let wrong = if wrong == token { format!("{}Q", &token[..token.len() - 1]) } else { wrong };
    send(with(&api, &wrong, Method::GET, "/api/v1/usage")).await?.expect_error(401, "unauthenticated")?;
    Ok(())
}
