//! Passkeys over HTTP, from an authenticator in software: alone, as a second factor and as a new proof, and what is not
//! believed. A real browser is in `dashboard/test/browser/passkeys.ts`.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use keyway_domain::Role;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{
    fixture::{Api, Reply, on_both, send},
    members::{member, session},
    passkey_device::{Device, Words, encoded},
    people::{EMAIL, PASSWORD, audited, set_up},
    secrets::tables_without,
};

on_both! {
    a_passkey_signs_in_alone
    a_passkey_is_a_second_factor_and_a_new_proof
    with_the_last_factor_goes_what_stands_in_for_it
    a_passkey_is_one_person_s_and_of_one_place
}

const HOST: &str = "localhost:8080";
const ORIGIN: &str = "http://localhost:8080";

/// Change of what a device says.
type Change = fn(&mut Words);

/// A person at Keyway by its name, as passkeys need one, and a device of hers.
struct Ana {
    api: Api,
    token: String,
    device: Device,
    handle: String,
    codes: Vec<Value>,
    id: String,
}

fn at(api: &Api, method: Method, path: &str) -> RequestBuilder {
    api.anonymous(method, path).header("host", HOST)
}

async fn anybody(api: &Api, path: &str, body: Value) -> Result<Reply> {
    send(at(api, Method::POST, path).json(&body)).await
}

async fn ask(api: &Api, token: &str, path: &str, body: Value) -> Result<Reply> {
    send(at(api, Method::POST, path).bearer_auth(token).json(&body)).await
}

async fn creation(api: &Api, token: &str) -> Result<Value> {
    Ok(ask(api, token, "/api/v1/me/passkeys/begin", json!({})).await?.expect(200)?.at("/public_key").clone())
}

async fn request(api: &Api) -> Result<Value> {
    Ok(anybody(api, "/api/v1/sessions/passkey/begin", json!({})).await?.expect(200)?.at("/public_key").clone())
}

async fn enter(api: &Api, credential: &Value) -> Result<Reply> {
    anybody(api, "/api/v1/sessions/passkey", json!({ "credential": credential })).await
}

/// Lets the next attempt come at once.
async fn wait_no_more(api: &Api) -> Result<()> {
    api.execute("UPDATE sign_in_attempts SET next_at_ms = 0").await.map(drop)
}

impl Ana {
    async fn with(api: Api, device: Device) -> Result<Self> {
        let token = set_up(&api).await?;
        let options = creation(&api, &token).await?;
        let credential = device.create(&Words::honest(ORIGIN, &options), &device.cose())?;
        let body = json!({ "name": "laptop", "credential": credential });
        let added = ask(&api, &token, "/api/v1/me/passkeys", body).await?.expect(201)?;
        let codes = added.at("/recovery_codes").as_array().context("no codes")?.clone();
        let (handle, id) =
            (options["user"]["id"].as_str().context("no handle")?.to_owned(), added.text_at("/passkey/id"));
        let (id, token) = (id.to_owned(), added.text_at("/session/token").to_owned());
        Ok(Self { api, token, device, handle, codes, id })
    }

    /// Returns what her device says to a fresh challenge.
    async fn words(&self) -> Result<Words> {
        let handle = Some(self.handle.clone());
        Ok(Words { handle, ..Words::honest(ORIGIN, &request(&self.api).await?) })
    }

    async fn proof(&mut self) -> Result<Value> {
        self.device.count += 1;
        self.device.get(&self.words().await?)
    }
}

async fn a_passkey_signs_in_alone(api: Api) -> Result<()> {
    let mut ana = Ana::with(api, Device::p256(b"laptop")?).await?;
    ensure!(ana.codes.len() == 10 && !ana.handle.contains("usr_"), "{}", ana.handle);
    ensure!(audited(&ana.api, "factor.added").await?.0.contains("\"type\":\"user\""));
    let proof = ana.proof().await?;
    let entered = enter(&ana.api, &proof).await?.expect(201)?;
    ensure!(entered.text_at("/user/email") == EMAIL, "{}", entered.text);
    let token = entered.text_at("/session/token").to_owned();
    let sessions = send(at(&ana.api, Method::GET, "/api/v1/sessions").bearer_auth(&token)).await?.expect(200)?;
    ensure!(sessions.at("/items/0/proved_by") == "passkey", "{}", sessions.text);
    let challenge = ana.words().await?.challenge;
    ensure!(tables_without(&ana.api, &challenge).await? > 50, "a challenge is stored");

    let again = enter(&ana.api, &proof).await?;
    again.expect_error(401, "invalid_credentials").context("a second time")?;
    wait_no_more(&ana.api).await?;
    let mut forged = ana.proof().await?;
    forged["response"]["signature"] = proof["response"]["signature"].clone();
    enter(&ana.api, &forged).await?.expect_error(401, "invalid_credentials").context("another one's signature")?;
    let wrong: [(&str, u32, Change); 5] = [
        ("a count that stands still, as that of a copy", 1, |_| {}),
        ("nobody's name", 5, |words| words.handle = None),
        ("another one's name", 5, |words| words.handle = Some(encoded("ben"))),
        ("may suddenly be copied", 5, |words| words.flags = 0x0d),
        ("a challenge that nobody made", 5, |words| words.challenge = encoded([7; 72])),
    ];
    for (name, count, change) in wrong {
        wait_no_more(&ana.api).await?;
        ana.device.count = count;
        let mut words = ana.words().await?;
        change(&mut words);
        let refused = enter(&ana.api, &ana.device.get(&words)?).await?;
        refused.expect_error(401, "invalid_credentials").context(name)?;
    }
    wait_no_more(&ana.api).await?;
    let proof = ana.proof().await?;
    ana.api.execute("UPDATE users SET disabled_at_ms = 1").await?;
    enter(&ana.api, &proof).await?.expect_error(401, "invalid_credentials").context("shut out")?;
    Ok(())
}

async fn a_passkey_is_a_second_factor_and_a_new_proof(api: Api) -> Result<()> {
    let mut ana = Ana::with(api, Device::ed25519(b"laptop")?).await?;
    let password = json!({ "email": EMAIL, "password": PASSWORD });
    let asked = anybody(&ana.api, "/api/v1/sessions", password).await?.expect(200)?;
    ensure!(asked.at("/second_factor") == &json!(["passkey", "recovery"]), "{}", asked.text);
    let proof = ana.proof().await?;
    let second = |proof: &Value| json!({ "challenge": asked.text_at("/challenge"), "passkey": proof });
    anybody(&ana.api, "/api/v1/sessions/second-factor", second(&proof)).await?.expect(201)?;
    let again = anybody(&ana.api, "/api/v1/sessions/second-factor", second(&proof)).await?;
    again.expect_error(401, "invalid_credentials")?;

    ana.api.execute("UPDATE sessions SET proof_at_ms = 1").await?;
    let refused = ask(&ana.api, &ana.token, "/api/v1/me/passkeys/begin", json!({})).await?;
    refused.expect_error(403, "step_up_required")?;
    let step_up = |proof: &Value| json!({ "passkey": proof });
    let spent = ask(&ana.api, &ana.token, "/api/v1/sessions/step-up", step_up(&proof)).await?;
    spent.expect_error(401, "invalid_credentials").context("a proof is one sign-in's or one step's")?;
    wait_no_more(&ana.api).await?;
    let proof = ana.proof().await?;
    let proved = ask(&ana.api, &ana.token, "/api/v1/sessions/step-up", step_up(&proof)).await?.expect(200)?;
    creation(&ana.api, proved.text_at("/session/token")).await?;
    Ok(())
}

async fn with_the_last_factor_goes_what_stands_in_for_it(api: Api) -> Result<()> {
    let ana = Ana::with(api, Device::p256(b"laptop")?).await?;
    let options = creation(&ana.api, &ana.token).await?;
    ensure!(options["excludeCredentials"][0]["id"] == encoded(b"laptop"), "{options}");
    ensure!(options["user"]["id"] == ana.handle.as_str(), "a person has one name at authenticators: {options}");
    let phone = Device::ed25519(b"phone")?;
    let credential = phone.create(&Words::honest(ORIGIN, &options), &phone.cose())?;
    let body = json!({ "name": "phone", "credential": credential });
    let added = ask(&ana.api, &ana.token, "/api/v1/me/passkeys", body).await?.expect(201)?;
    ensure!(added.at("/recovery_codes").is_null(), "those of the first one hold: {}", added.text);
    let (token, second) = (added.text_at("/session/token").to_owned(), added.text_at("/passkey/id"));

    let remove = |token: &str, id: &str, body: Value| {
        let request = at(&ana.api, Method::POST, &format!("/api/v1/me/passkeys/{id}/remove"));
        send(request.bearer_auth(token).json(&body))
    };
    let removed = remove(&token, &ana.id, json!({})).await?.expect(200)?;
    send(at(&ana.api, Method::GET, "/api/v1/me").bearer_auth(&token)).await?.expect_error(401, "unauthenticated")?;
    let token = removed.text_at("/session/token").to_owned();
    remove(&token, &ana.id, json!({})).await?.expect_error(404, "not_found")?;
    let missing = remove(&token, second, json!({})).await?.expect_error(422, "invalid_field")?;
    ensure!(missing.text_at("/error/message").contains("stand alone"), "{}", missing.text);
    let removed = remove(&token, second, json!({ "password": PASSWORD })).await?.expect(200)?;
    let factors = at(&ana.api, Method::GET, "/api/v1/me/factors").bearer_auth(removed.text_at("/session/token"));
    let factors = send(factors).await?.expect(200)?;
    ensure!(factors.json == json!({ "totp": null, "passkeys": 0, "recovery_codes_left": 0 }), "{}", factors.text);
    anybody(&ana.api, "/api/v1/sessions", json!({ "email": EMAIL, "password": PASSWORD })).await?.expect(201)?;
    let gone = ana.device.get(&ana.words().await?)?;
    enter(&ana.api, &gone).await?.expect_error(401, "invalid_credentials")?;
    Ok(())
}

async fn a_passkey_is_one_person_s_and_of_one_place(api: Api) -> Result<()> {
    let ana = Ana::with(api, Device::ed25519(b"laptop")?).await?;
    let ben = member(&ana.api, ana.api.tenant, Role::Auditor, None).await?;
    let token = session(&ana.api, &ben, Duration::ZERO).await?;
    let add = async |token: &str, words: &Words, cose: &[u8]| -> Result<Reply> {
        let credential = ana.device.create(words, cose)?;
        ask(&ana.api, token, "/api/v1/me/passkeys", json!({ "name": "mine", "credential": credential })).await
    };
    let (cose, words) = (ana.device.cose(), Words::honest(ORIGIN, &creation(&ana.api, &token).await?));
    add(&token, &words, &cose).await?.expect_error(409, "conflict").context("hers")?;
    add(&ana.token, &words, &cose).await?.expect_error(401, "invalid_credentials").context("his challenge")?;
    let es512 = [0xa3, 0x01, 0x02, 0x03, 0x38, 0x23, 0x20, 0x03];
    add(&token, &words, &es512).await?.expect_error(422, "invalid_field").context("another kind of key")?;
    let elsewhere = Words { origin: "http://localhost:8081".to_owned(), ..words };
    add(&token, &elsewhere, &cose).await?.expect_error(422, "invalid_field").context("another port")?;
    let proving = Words::honest(ORIGIN, &request(&ana.api).await?);
    let proving = Words { kind: "webauthn.create", ..proving };
    add(&token, &proving, &cose).await?.expect_error(401, "invalid_credentials").context("to prove, not to add")?;

    let own = at(&ana.api, Method::PATCH, &format!("/api/v1/me/passkeys/{}", ana.id)).json(&json!({ "name": "his" }));
    send(own.bearer_auth(&token)).await?.expect_error(404, "not_found")?;
    let by_number = ana.api.anonymous(Method::POST, "/api/v1/me/passkeys/begin").bearer_auth(&token);
    send(by_number).await?.expect_error(409, "conflict").context("an address that is a number")?;
    Ok(())
}
