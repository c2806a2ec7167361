//! The verdict of one attempt of a verification.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "verdicts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub operation_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub attempt: i32,
    pub tenant_id: Uuid,
    pub integration_id: Uuid,
    pub secret_version: i32,
    pub kind: String,
    pub http_status: Option<i32>,
    pub provider_request_id: Option<String>,
    pub provider_code: Option<String>,
    pub reason: String,
    pub checked_at_ms: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
