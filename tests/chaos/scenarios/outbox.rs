//! The outbox's messages once more: a copy of each is kept beside it, and put back.

use anyhow::Result;
use keyway_domain::Timestamp;
use sea_orm::{ConnectionTrait as _, DatabaseBackend};

use crate::{cluster::Cluster, harness::Database};

const COLUMNS: &str = "id, tenant_id, route, operation_id, body, available_at_ms, claimed_until_ms, created_at_ms";
/// The most messages that come again at a time.
const MOST: usize = 40;

/// Copies every message that is written to the outbox from now on.
pub(crate) async fn copy(cluster: &Cluster) -> Result<()> {
    let database = writable(cluster).await?;
    let new = COLUMNS.split(", ").map(|column| format!("NEW.{column}")).collect::<Vec<_>>().join(", ");
    let insert = format!("INSERT INTO chaos_copies ({COLUMNS}) VALUES ({new});");
    let statements = match database.0.get_database_backend() {
        DatabaseBackend::Postgres => vec![
            "CREATE TABLE chaos_copies (LIKE outbox)".to_owned(),
            format!(
                "CREATE FUNCTION chaos_copy() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS \
                 $$ BEGIN {insert} RETURN NEW; END $$"
            ),
            "CREATE TRIGGER chaos_copy AFTER INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION chaos_copy()".to_owned(),
        ],
        _ => vec![
            "CREATE TABLE chaos_copies AS SELECT * FROM outbox WHERE 0".to_owned(),
            format!("CREATE TRIGGER chaos_copy AFTER INSERT ON outbox BEGIN {insert} END"),
        ],
    };
    run(&database, &statements).await
}

/// No copies any more.
pub(crate) async fn stop_copying(cluster: &Cluster) -> Result<()> {
    let database = writable(cluster).await?;
    let statements: &[&str] = match database.0.get_database_backend() {
        DatabaseBackend::Postgres => &["DROP FUNCTION chaos_copy() CASCADE", "DROP TABLE chaos_copies"],
        _ => &["DROP TRIGGER chaos_copy", "DROP TABLE chaos_copies"],
    };
    run(&database, &statements.iter().map(ToString::to_string).collect::<Vec<_>>()).await
}

/// Puts the latest copies back, as they came or in any order. How many there were.
pub(crate) async fn again(cluster: &Cluster, shuffled: bool) -> Result<u64> {
    let database = writable(cluster).await?;
    let (now, order) = (Timestamp::now().ms(), if shuffled { "random()" } else { "created_at_ms" });
    let sql = format!(
        "INSERT INTO outbox ({COLUMNS}) SELECT id, tenant_id, route, operation_id, body, {now}, NULL, created_at_ms \
         FROM (SELECT DISTINCT * FROM chaos_copies ORDER BY created_at_ms DESC LIMIT {MOST}) AS latest \
         WHERE true ORDER BY {order} ON CONFLICT DO NOTHING"
    );
    Ok(database.0.execute_unprepared(&sql).await?.rows_affected())
}

async fn writable(cluster: &Cluster) -> Result<Database> {
    let data_dir = cluster.keyway.dir.join(&cluster.keyway.members()[0].process.name);
    Database::open(&cluster.keyway.services.database_url(&data_dir).replace("?mode=ro", "?mode=rw")).await
}

async fn run(database: &Database, statements: &[String]) -> Result<()> {
    for statement in statements {
        database.0.execute_unprepared(statement).await?;
    }
    Ok(())
}
