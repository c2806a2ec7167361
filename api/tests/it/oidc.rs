//! Signing in at an identity provider of somebody else's making: whom it lets in as what, and what is not believed.

use anyhow::{Context, Result, ensure};
use keyway_api::OidcSettings;
use keyway_domain::TenantId;
use keyway_testkit::postgres::TestDatabase;
use keyway_vault::SecretString;
use reqwest::{Method, Url};
use serde_json::json;

use crate::{
    fixture::{Api, Options, Reply, send},
    members::with,
    oidc_provider::{ORIGIN, OidcProvider, SECRET, browse},
    people::{PASSWORD, anybody, audited, set_up},
};

const ROLES: &str = "ops=operator,dev=developer,staff=auditor";

/// Keyway beside a provider, as its client for an algorithm.
async fn beside(provider: &OidcProvider, database: TestDatabase, algorithm: &str) -> Result<Api> {
    start(provider, database, format!("kw-{algorithm}"), false).await
}

async fn start(provider: &OidcProvider, database: TestDatabase, client: String, is_required: bool) -> Result<Api> {
    let (issuer, host) = (provider.issuer.clone(), provider.host.clone());
    let oidc = move |tenant: TenantId| -> Result<(OidcSettings, String)> {
        let client = (client.as_str(), SecretString::new(SECRET.to_owned()));
        let required_in = if is_required { tenant.to_string() } else { String::new() };
        let settings = OidcSettings::read(&issuer, client, "example.org", ("groups", ROLES), &required_in)?;
        Ok((settings, host.clone()))
    };
    let public_url = Some(ORIGIN.to_owned());
    Api::start(database, Options { oidc: Some(Box::new(oidc)), public_url, ..Options::usual()? }).await
}

/// A browser at Keyway: begins, and returns the provider's address and its own cookie.
async fn begun(api: &Api) -> Result<(Url, String)> {
    let reply = send(no_redirects(api, "/api/v1/oidc/begin?return_to=/integrations")?).await?.expect(303)?;
    let cookie = reply.header("set-cookie").to_owned();
    ensure!(cookie.contains("; HttpOnly; SameSite=Lax; Max-Age=600"), "{cookie}");
    let pair = cookie.split(';').next().unwrap_or_default().to_owned();
    ensure!(pair.starts_with("keyway_oidc="), "{pair}");
    Ok((Url::parse(reply.header("location"))?, pair))
}

fn no_redirects(api: &Api, path: &str) -> Result<reqwest::RequestBuilder> {
    Ok(crate::oidc_provider::browser()?.get(format!("{}{path}", api.base)))
}

/// Comes back to Keyway with a cookie.
async fn back(api: &Api, to: &Url, cookie: &str) -> Result<Reply> {
    let path = format!("{}?{}", to.path(), to.query().unwrap_or_default());
    send(no_redirects(api, &path)?.header("cookie", cookie)).await
}

async fn sign_in(api: &Api, login: &str) -> Result<Reply> {
    let (url, cookie) = begun(api).await?;
    back(api, &browse(url.as_str(), login).await?, &cookie).await
}

/// Returns the token of the session that a reply begins.
fn token(reply: &Reply) -> Result<String> {
    let cookies: Vec<_> = reply.headers.get_all("set-cookie").iter().filter_map(|it| it.to_str().ok()).collect();
    ensure!(reply.status == 303 && reply.header("location") == "/integrations", "{} {}", reply.status, reply.text);
    ensure!(cookies.iter().any(|cookie| cookie.starts_with("keyway_oidc=; ")), "{cookies:?}");
    let session = cookies.iter().find_map(|cookie| cookie.strip_prefix("keyway_session=")).context("no session")?;
    Ok(session.split(';').next().unwrap_or_default().to_owned())
}

/// Returns `url` with another value of a parameter; `None`: without it.
fn changed(url: &Url, name: &str, value: Option<&str>) -> Url {
    let pairs: Vec<_> = url.query_pairs().into_owned().filter(|(own, _)| own != name).collect();
    let mut url = url.clone();
    url.query_pairs_mut().clear().extend_pairs(pairs).extend_pairs(value.map(|value| (name, value)));
    url
}

async fn members_are_made_once(api: Api, provider: OidcProvider) -> Result<()> {
    let first = token(&sign_in(&api, "ana+ops@example.org").await?)?;
    let me = send(with(&api, &first, Method::GET, "/api/v1/me")).await?.expect(200)?;
    ensure!(me.at("/tenants/0/role") == "operator" && me.at("/user/name") == "Ana", "{}", me.text);
    ensure!(me.at("/user/email") == "ana+ops@example.org", "{}", me.text);
    audited(&api, "user.created").await?;
    let sessions = send(with(&api, &first, Method::GET, "/api/v1/sessions")).await?.expect(200)?;
    ensure!(sessions.at("/items/0/proved_by") == "oidc", "{}", sessions.text);
    let again = token(&sign_in(&api, "ana+ops@example.org").await?)?;
    let second = send(with(&api, &again, Method::GET, "/api/v1/me")).await?.expect(200)?;
    ensure!(second.at("/user/id") == me.at("/user/id"), "{}", second.text);

    for (login, status, code) in [
        ("ana+ops@evil.net", 403, "not_allowed"),
        ("unverified.ana+ops@example.org", 401, "invalid_credentials"),
        ("nobody@example.org", 403, "not_allowed"),
        // Another identity with an address that is taken.
        ("moved.ana+ops@example.org", 409, "conflict"),
    ] {
        sign_in(&api, login).await?.expect_error(status, code).context(login)?;
    }
    token(&sign_in(&api, "text.ben+dev@example.org").await?)?;
    ensure!(api.number("SELECT count(*) AS n FROM users").await? == 2);
    // From the token itself, where the provider puts all into it.
    provider.again(&json!({ "round": 1, "conform": false })).await?;
    let third = token(&sign_in(&api, "cleo+staff@example.org").await?)?;
    let me = send(with(&api, &third, Method::GET, "/api/v1/me")).await?.expect(200)?;
    ensure!(me.at("/tenants/0/role") == "auditor", "{}", me.text);
    Ok(())
}

#[tokio::test]
async fn members_are_made_once_on_postgres() -> Result<()> {
    let provider = OidcProvider::start().await?;
    members_are_made_once(beside(&provider, TestDatabase::postgres().await?, "RS256").await?, provider).await
}

#[tokio::test]
async fn members_are_made_once_on_sqlite() -> Result<()> {
    let provider = OidcProvider::start().await?;
    members_are_made_once(beside(&provider, TestDatabase::sqlite()?, "ES256").await?, provider).await
}

#[tokio::test]
async fn what_does_not_belong_to_the_sign_in_is_not_believed() -> Result<()> {
    let provider = OidcProvider::start().await?;
    let api = beside(&provider, TestDatabase::sqlite()?, "EdDSA").await?;
    let login = "ana+ops@example.org";
    let (url, cookie) = begun(&api).await?;
    let (_, other) = begun(&api).await?;
    let came = browse(url.as_str(), login).await?;
    for (to, cookie) in [
        (came.clone(), ""),
        (came.clone(), other.as_str()),
        (changed(&came, "state", Some("x")), cookie.as_str()),
        (changed(&came, "state", None), cookie.as_str()),
        (changed(&came, "iss", Some("http://localhost:1")), cookie.as_str()),
        // The provider says that it names itself in each redirect.
        (changed(&came, "iss", None), cookie.as_str()),
        (changed(&came, "code", None), cookie.as_str()),
        (changed(&came, "code", Some("x")), cookie.as_str()),
        (changed(&came, "error", Some("access_denied")), cookie.as_str()),
    ] {
        back(&api, &to, cookie).await?.expect_error(401, "invalid_credentials").context(to.to_string())?;
    }
    token(&back(&api, &came, &cookie).await?)?;
    back(&api, &came, &cookie).await?.expect_error(401, "invalid_credentials")?;
    // Somebody who is given the address, and not the cookie, chooses what comes back.
    for (name, value) in [("nonce", "x"), ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")] {
        let (url, cookie) = begun(&api).await?;
        let came = browse(changed(&url, name, Some(value)).as_str(), login).await?;
        back(&api, &came, &cookie).await?.expect_error(401, "invalid_credentials").context(name)?;
    }
    provider.again(&json!({ "round": 1, "late": 90 })).await?;
    token(&sign_in(&api, login).await?)?;
    provider.again(&json!({ "round": 2, "late": 3600 })).await?;
    let expired = sign_in(&api, login).await?.expect_error(401, "invalid_credentials")?;
    ensure!(expired.text_at("/error/message").contains("expired"), "{}", expired.text);
    // Other keys, also under the names of those before.
    for round in [3, 3] {
        provider.again(&json!({ "round": round })).await?;
        token(&sign_in(&api, login).await?)?;
    }
    for bad in ["//evil.example", "https://evil.example", "/%5Cevil.example"] {
        let reply = send(no_redirects(&api, &format!("/api/v1/oidc/begin?return_to={bad}"))?).await?;
        reply.expect_error(400, "invalid_parameter").context(bad)?;
    }
    drop(provider);
    let away = send(no_redirects(&api, "/api/v1/oidc/callback?state=x&code=y")?).await?;
    away.expect_error(401, "invalid_credentials")?;
    Ok(())
}

#[tokio::test]
async fn every_algorithm_that_the_provider_offers_is_verified() -> Result<()> {
    let provider = OidcProvider::start().await?;
    for algorithm in ["RS256", "PS256", "ES256", "EdDSA", "Ed25519"] {
        let api = beside(&provider, TestDatabase::sqlite()?, algorithm).await?;
        token(&sign_in(&api, "ana+ops@example.org").await?).context(algorithm)?;
    }
    Ok(())
}

/// Who has an account already keeps it, its role and its second factor; and a tenant may want the provider.
#[tokio::test]
async fn an_account_that_is_there_is_the_same_person() -> Result<()> {
    let provider = OidcProvider::start().await?;
    let api = start(&provider, TestDatabase::sqlite()?, "kw-RS256".to_owned(), true).await?;
    set_up(&api).await?;
    let entered = token(&sign_in(&api, "ana@example.org").await?)?;
    let me = send(with(&api, &entered, Method::GET, "/api/v1/me")).await?.expect(200)?;
    ensure!(me.at("/tenants/0/role") == "owner", "{}", me.text);
    // An owner keeps its password, and nobody else.
    let proof = json!({ "email": "ana@example.org", "password": PASSWORD });
    anybody(&api, "/api/v1/sessions", proof.clone()).await?.expect(201)?;
    api.execute("UPDATE memberships SET role = 'admin'").await?;
    let refused = anybody(&api, "/api/v1/sessions", proof).await?.expect_error(403, "not_allowed")?;
    ensure!(refused.text_at("/error/message").contains("/api/v1/oidc/begin"), "{}", refused.text);
    // Nor does an invitation lead past it.
    let invite = json!({ "email": "ben@example.org", "role": "auditor" });
    let link = api.post("/api/v1/invitations", invite).await?.expect(201)?.text_at("/token").to_owned();
    let accept = json!({ "token": link, "name": "Ben", "password": PASSWORD });
    anybody(&api, "/api/v1/invitations/accept", accept).await?.expect_error(403, "not_allowed")?;
    let entered = token(&sign_in(&api, "ben@example.org").await?)?;
    let me = send(with(&api, &entered, Method::GET, "/api/v1/me")).await?.expect(200)?;
    ensure!(me.at("/tenants/0/role") == "auditor" && me.at("/user/name") == "Ben", "{}", me.text);
    Ok(())
}
