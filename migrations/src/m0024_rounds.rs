//! A partial index of the running rounds of the usage schedule, which the next round reads. It is small at any time, as
//! it leaves out fetches.

use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, sea_orm::DbErr};

use crate::table::indexes;

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0024_rounds"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let running = "operations_rounds ON operations (tenant_id) \
                       WHERE kind = 'plan_usage' AND origin = 'schedule' AND state IN ('queued', 'running')";
        indexes(manager, &[running]).await
    }
}
