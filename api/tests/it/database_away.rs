//! Answers while the database takes no writes.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;
use tokio::time::Instant;

use crate::fixture::Api;

#[tokio::test]
async fn a_server_that_only_reads_is_unavailable_and_no_defect() -> Result<()> {
    let api = Api::postgres().await?;
    api.post("/api/v1/projects", json!({ "name": "before" })).await?.expect(201)?;
    api.database.only_reads(true).await?;
    for _ in 0..5 {
        let refused = api.post("/api/v1/projects", json!({ "name": "meanwhile" })).await?;
        let refused = refused.expect_error(503, "unavailable")?;
        ensure!(refused.header("retry-after") == "1", "it says when to come again");
    }
    api.database.only_reads(false).await?;
    // The sessions that there are would only read for ever.
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = api.post("/api/v1/projects", json!({ "name": "after" })).await?;
        if answer.status == 201 {
            return Ok(());
        }
        answer.expect_error(503, "unavailable")?;
        ensure!(Instant::now() < deadline, "the sessions are not replaced");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
