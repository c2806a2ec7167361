//! An index of the rounds of the usage schedule that still run, which the next round looks at. Few rows are in it at any
//! time: fetches are none of them.

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
