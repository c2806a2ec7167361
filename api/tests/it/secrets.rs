//! Invariant: a plaintext secret is in no response, no log line and no table. A canary is planted in
//! every place a caller can put one, and searched for everywhere.

use std::{
    io,
    sync::{Mutex, PoisonError},
};

use anyhow::{Result, ensure};
use keyway_store::raw;
use reqwest::Method;
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::fixture::{Api, Reply, on_both, send};

on_both! { a_secret_is_in_no_response_log_or_table }

const CANARY: &str = "CANARYcanaryCANARYcanary";

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Collects what is logged.
struct Collect;

impl io::Write for Collect {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Collect {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        Self
    }
}

fn clean(reply: &Reply) -> Result<()> {
    let headers = format!("{:?}", reply.headers);
    ensure!(!reply.text.contains(CANARY) && !headers.contains(CANARY), "{}", reply.text);
    Ok(())
}

async fn a_secret_is_in_no_response_log_or_table(api: Api) -> Result<()> {
    // The client under test logs what it sends; only what Keyway and its database driver say counts.
    let filter = "trace,reqwest=off,hyper_util=off,hyper=info";
    // In a process that runs several tests, the first one has set it already.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Collect).try_init();
    let key = format!("sk-proj-{CANARY}wxyz");
    let good = json!({ "provider": "openai", "name": "prod", "credentials": key });
    let keyed = |body: &serde_json::Value| {
        api.request(Method::POST, "/api/v1/integrations").header("idempotency-key", "once").json(body)
    };
    let submitted = send(keyed(&good)).await?.expect(202)?;
    clean(&submitted)?;
    clean(&send(keyed(&good)).await?.expect(202)?)?;
    let id = submitted.text_at("/integration/id").to_owned();
    let misplaced = [
        json!({ "provider": "openai", "name": "twice", "credentials": key }),
        json!({ "provider": key, "name": "x", "credentials": "sk-proj-AAAAAAAAAAAAAAAAAAAA" }),
        json!({ "provider": "openai", "name": [key], "credentials": key }),
        json!({ "provider": "openai", "name": "x", "credentials": [key] }),
        json!({ "provider": "openai", "name": "x", "credentials": format!("{key} {key}") }),
        json!({ "provider": "openai", "name": "x", "credentials": { "key": key } }),
        json!({ "provider": "openai", "name": "x", "credentials": key, "config": key }),
        json!({ "provider": "openai", "name": "x", "credentials": key, "expires_at": key }),
        json!({ "provider": "openai", "name": "x", "credentials": key, "project_id": key }),
        json!({ "provider": "openai", "name": "x", "credentials": key, "config": { "base_url": key } }),
        json!(key),
    ];
    for body in &misplaced {
        let reply = api.post("/api/v1/integrations", body.clone()).await?;
        ensure!(reply.status >= 400, "{}", reply.text);
        clean(&reply)?;
    }
    for path in [format!("/api/v1/integrations/{key}"), format!("/api/v1/projects?cursor={key}"), format!("/{key}")] {
        let reply = api.get(&path).await?;
        ensure!(reply.status >= 400);
        clean(&reply)?;
    }
    clean(&send(api.anonymous(Method::GET, "/api/v1/projects").bearer_auth(&key)).await?.expect(401)?)?;
    let path = format!("/api/v1/integrations/{id}/credentials");
    clean(&api.put(&path, json!({ "credentials": format!("{key}2") })).await?.expect(202)?)?;
    for path in ["integrations", "operations", "audit", "providers", &format!("integrations/{id}")] {
        clean(&api.get(&format!("/api/v1/{path}")).await?.expect(200)?)?;
    }
    let virtual_key = api.request(Method::POST, "/api/v1/virtual-keys").header("idempotency-key", "once");
    let shown = send(virtual_key.json(&json!({ "name": "app" }))).await?.expect(201)?;
    let secret_part = shown.text_at("/key").trim_start_matches("kw_live_").get(..32).unwrap_or_default().to_owned();
    ensure!(secret_part.len() == 32);
    for planted in [CANARY, &secret_part] {
        let log = String::from_utf8_lossy(&LOG.lock().unwrap_or_else(PoisonError::into_inner)).into_owned();
        let line = log.lines().find(|line| line.contains(planted));
        ensure!(line.is_none(), "a log line holds the secret: {line:?}");
        ensure!(tables_without(&api, planted).await? > 50, "hardly a column was searched");
    }
    Ok(())
}

/// Searches every column of every table; returns how many there are.
pub(crate) async fn tables_without(api: &Api, text: &str) -> Result<usize> {
    let tx = api.store.system_read().await?;
    let columns = if api.is_postgres {
        "SELECT table_name || '.' || column_name AS name FROM information_schema.columns WHERE table_schema = 'public'"
    } else {
        "SELECT m.name || '.' || c.name AS name FROM sqlite_master AS m, pragma_table_info(m.name) AS c WHERE m.type = 'table'"
    };
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let columns = raw::names(&tx, columns).await?;
    for column in &columns {
        let Some((table, column)) = column.split_once('.') else { continue };
        // PostgreSQL shows bytes as hexadecimal text.
        let condition = if api.is_postgres {
            format!("CAST(\"{column}\" AS TEXT) LIKE '%{text}%' OR CAST(\"{column}\" AS TEXT) LIKE '%{hex}%'")
        } else {
            format!("instr(CAST(\"{column}\" AS BLOB), CAST('{text}' AS BLOB)) > 0")
        };
        let found = raw::number(&tx, &format!("SELECT count(*) AS n FROM \"{table}\" WHERE {condition}")).await;
        // The migrations' own table is not readable for this role.
        if let Ok(found) = found {
            ensure!(found == 0, "{table}.{column} holds the secret");
        }
    }
    Ok(columns.len())
}
