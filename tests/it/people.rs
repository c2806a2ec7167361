//! People on several replicas: what ends a session ends it everywhere within a second, and what a person may do is what
//! it may do now, whichever replica it asks.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Api, Keyway, text, until};

/// Time limit after the answer to what ends a session, or the end of the command that does.
const EVERYWHERE: Duration = Duration::from_secs(1);
const ANA: (&str, &str) = ("ana@example.org", "a quiet orchard at dusk");
const BEN: (&str, &str) = ("ben@example.org", "another quiet orchard");

#[tokio::test]
async fn what_ends_a_session_ends_it_on_every_replica_within_a_second() -> Result<()> {
    let keyway = Keyway::cluster(2, 1).await?;
    let apis: Vec<_> = keyway.apis().cloned().collect();
    let ana = first_owner(&keyway).await?;
    let ben = second_person(&apis, &ana).await?;
    let of_ben = membership(&ana, BEN.0).await?;

    // Another role, given on one replica: the session that works on the other one ends.
    works_on_all(&apis, &ben).await?;
    let role = json!({ "role": "admin" });
    ana.send(Method::PATCH, &format!("/api/v1/members/{of_ben}"), Some(role), &[]).await?.expect(200)?;
    ends_on_all(&apis, &ben).await?;
    let ben = sign_in(&apis[1], BEN).await?;
    works_on_all(&apis, &ben).await?;

    // A new password: the session that changed it goes on under a new token, every other one ends.
    let here = sign_in(&apis[0], BEN).await?;
    works_on_all(&apis, &here).await?;
    let change = json!({ "current_password": BEN.1, "password": "a louder orchard at dawn" });
    let changed = apis[0].with_key(&here).post("/me/password", change, 200).await?;
    ends_on_all(&apis, &ben).await?;
    ends_on_all(&apis, &here).await?;
    let ben = text(&changed, "/session/token")?;
    works_on_all(&apis, &ben).await?;

    // Shut out at a terminal, while both replicas run.
    keyway.run(&["users", "disable", BEN.0])?;
    ends_on_all(&apis, &ben).await?;
    let again = json!({ "email": BEN.0, "password": "a louder orchard at dawn" });
    apis[1].send(Method::POST, "/api/v1/sessions", Some(again), &[]).await?.expect(401)?;
    keyway.run(&["users", "enable", BEN.0])?;
    keyway.finish().await
}

/// A session that goes on while its own person gives itself another role: what it may do follows on every replica.
#[tokio::test]
async fn a_role_that_changes_under_a_session_counts_on_every_replica_within_a_second() -> Result<()> {
    let keyway = Keyway::cluster(2, 1).await?;
    let apis: Vec<_> = keyway.apis().cloned().collect();
    let ana = first_owner(&keyway).await?;
    second_person(&apis, &ana).await?;
    let of_ben = membership(&ana, BEN.0).await?;
    let owner = json!({ "role": "owner" });
    ana.send(Method::PATCH, &format!("/api/v1/members/{of_ben}"), Some(owner), &[]).await?.expect(200)?;
    let ben = sign_in(&apis[0], BEN).await?;
    for (at, api) in apis.iter().enumerate() {
        api.with_key(&ben).post("/projects", json!({ "name": format!("as an owner {at}") }), 201).await?;
    }
    let less = json!({ "role": "auditor" });
    let path = format!("/api/v1/members/{of_ben}");
    apis[0].with_key(&ben).send(Method::PATCH, &path, Some(less), &[]).await?.expect(200)?;
    let answered = Instant::now();
    for (at, api) in apis.iter().enumerate() {
        loop {
            let asked = answered.elapsed();
            let body = json!({ "name": format!("as an auditor {at} {}", fastrand::u64(..)) });
            let answer = api.with_key(&ben).send(Method::POST, "/api/v1/projects", Some(body), &[]).await?;
            if answer.status == 403 {
                break;
            }
            ensure!(asked < EVERYWHERE, "replica {at} answers {} after {asked:?}", answer.status);
        }
        let me = api.with_key(&ben).get("/me").await?;
        ensure!(me["tenants"][0]["role"] == "auditor", "{me}");
    }
    keyway.finish().await
}

/// The commands for who cannot sign in: a password on standard input or printed once, and a new setup token.
#[tokio::test]
async fn the_operator_helps_who_cannot_sign_in() -> Result<()> {
    let keyway = Keyway::embedded().await?;
    let api = keyway.api()?.clone();
    let setup = |token: &str| json!({ "token": token, "email": ANA.0, "name": "Ana", "password": ANA.1 });
    let lost = setup_token(&keyway)?;
    let printed = keyway.run(&["users", "setup-token"])?;
    let fresh = word(&printed, "kw_setup_")?;
    let anybody = api.with_key("nobody");
    anybody.send(Method::POST, "/api/v1/setup", Some(setup(&lost)), &[]).await?.expect(401)?;
    anybody.send(Method::POST, "/api/v1/setup", Some(setup(&fresh)), &[]).await?.expect(201)?;
    ensure!(!keyway.run_any(&["users", "setup-token"])?.status.success(), "there is somebody");

    let made = keyway
        .run_with(&["users", "create", BEN.0, "--name", "Ben", "--role", "developer", "--password-stdin"], BEN.1)?;
    ensure!(made.contains("usr_") && !made.contains(BEN.1), "{made}");
    let ben = sign_in(&api, BEN).await?;
    let weak = ["users", "reset-password", BEN.0, "--password-stdin"];
    ensure!(keyway.run_with(&weak, "ben ben ben ben").is_err() && keyway.run_with(&weak, "").is_err(), "it took any");
    me(&api, &ben).await?.expect(200)?;
    let reset = keyway.run(&["users", "reset-password", BEN.0])?;
    let password = reset.split("as a hash): ").nth(1).and_then(|rest| rest.split_whitespace().next());
    let password = password.context("no password")?.to_owned();
    ends_soon(&api, &ben).await?;
    let ben = sign_in(&api, (BEN.0, &password)).await?;
    me(&api, &ben).await?.expect(200)?;
    keyway.run(&["users", "make-owner", BEN.0])?;
    ends_soon(&api, &ben).await?;
    let again = sign_in(&api, (BEN.0, &password)).await?;
    let me = api.with_key(&again).get("/me").await?;
    ensure!(me["tenants"][0]["role"] == "owner", "{me}");
    let listed: Value = serde_json::from_slice(&keyway.run_any(&["users", "list", "--json"])?.stdout)?;
    ensure!(listed["items"][0]["email"] == BEN.0 && listed["items"][0]["disabled_at"].is_null(), "{listed}");
    ensure!(!keyway.run_any(&["users", "disable", "nobody@example.org"])?.status.success(), "there is nobody");
    let taken = keyway.run(&["users", "remove-factors", BEN.0])?;
    ensure!(taken.contains("no authenticator app and 0 passkeys"), "{taken}");
    ends_soon(&api, &again).await?;
    for action in ["user.password_reset", "setup_token.made", "member.role_changed", "user.factors_removed"] {
        until(&format!("{action} is audited"), async || {
            let events = api.get(&format!("/audit?action={action}")).await?;
            Ok(events["items"][0]["actor"] == json!({ "type": "system", "part": "console" }))
        })
        .await?;
    }
    keyway.finish().await
}

/// Makes the first owner and signs it in.
async fn first_owner(keyway: &Keyway) -> Result<Api> {
    let body = json!({ "token": setup_token(keyway)?, "email": ANA.0, "name": "Ana", "password": ANA.1 });
    let made = keyway.api()?.with_key("nobody").post("/setup", body, 201).await?;
    Ok(keyway.api()?.with_key(&text(&made, "/session/token")?))
}

/// Returns the setup token that the first start printed.
fn setup_token(keyway: &Keyway) -> Result<String> {
    let logs = keyway.members().iter().map(|member| member.process.log()).collect::<Result<Vec<_>>>()?;
    word(&logs.join("\n"), "kw_setup_")
}

fn word(text: &str, prefix: &str) -> Result<String> {
    let found = text.split_whitespace().find(|word| word.starts_with(prefix));
    found.map(str::to_owned).with_context(|| format!("no {prefix}... in {text}"))
}

/// Invites the second person on one replica and lets it accept on another; returns its session's token.
async fn second_person(apis: &[Api], owner: &Api) -> Result<String> {
    let invite = json!({ "email": BEN.0, "role": "developer" });
    let token = text(&owner.post("/invitations", invite, 201).await?, "/token")?;
    let accept = json!({ "token": token, "name": "Ben", "password": BEN.1 });
    let accepted = apis[1].with_key("nobody").post("/invitations/accept", accept, 201).await?;
    text(&accepted, "/session/token")
}

async fn sign_in(api: &Api, (email, password): (&str, &str)) -> Result<String> {
    let body = json!({ "email": email, "password": password });
    text(&api.with_key("nobody").post("/sessions", body, 201).await?, "/session/token")
}

async fn membership(owner: &Api, email: &str) -> Result<String> {
    let members = owner.get("/members").await?;
    let rows = members["items"].as_array().context("no members")?;
    text(rows.iter().find(|row| row["email"] == email).context("no such member")?, "/id")
}

async fn me(api: &Api, token: &str) -> Result<Answer> {
    api.with_key(token).send(Method::GET, "/api/v1/me", None, &[]).await
}

/// Every replica knows the session, and has it in memory from now on.
async fn works_on_all(apis: &[Api], token: &str) -> Result<()> {
    for api in apis {
        me(api, token).await?.expect(200)?;
    }
    Ok(())
}

/// The session ends once the process has heard of what another one did to its database.
async fn ends_soon(api: &Api, token: &str) -> Result<()> {
    until("the session has ended", async || Ok(me(api, token).await?.status == 401)).await
}

/// Every replica refuses the session, within the second that is promised.
async fn ends_on_all(apis: &[Api], token: &str) -> Result<()> {
    let answered = Instant::now();
    for api in apis {
        loop {
            let (asked, answer) = (answered.elapsed(), me(api, token).await?);
            if answer.status == 401 {
                break;
            }
            ensure!(asked < EVERYWHERE, "{} answers {} after {asked:?}", api.root(), answer.status);
        }
    }
    Ok(())
}
