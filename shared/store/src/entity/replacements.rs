//! A credential that waits to replace an integration's, or was refused.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "replacements")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub integration_id: Uuid,
    pub version: i32,
    pub state: String,
    pub envelope: Vec<u8>,
    pub data_key_id: Uuid,
    pub fingerprint: Vec<u8>,
    pub hint: String,
    pub key_family: String,
    pub base_url: Option<String>,
    pub config: Option<String>,
    pub operation_id: Uuid,
    pub verdict_kind: Option<String>,
    pub verdict_http_status: Option<i32>,
    pub verdict_request_id: Option<String>,
    pub verdict_code: Option<String>,
    pub verdict_reason: Option<String>,
    pub checked_at_ms: Option<i64>,
    pub created_at_ms: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
