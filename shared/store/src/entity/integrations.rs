//! One credential for one provider in a project.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "integrations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub tenant_id: Uuid,
    pub project_id: Uuid,
    pub provider: String,
    pub name: String,
    pub status: String,
    pub hint: String,
    pub base_url: Option<String>,
    pub config: String,
    pub meta: String,
    pub key_family: String,
    pub usage_not_reportable: Option<String>,
    pub secret_id: Uuid,
    pub secret_version: i32,
    pub fingerprint: Vec<u8>,
    pub fingerprint_key_id: Uuid,
    pub expires_at_ms: Option<i64>,
    pub expiry_warned_at_ms: Option<i64>,
    pub verdict_kind: Option<String>,
    pub verdict_http_status: Option<i32>,
    pub verdict_request_id: Option<String>,
    pub verdict_code: Option<String>,
    pub verdict_reason: Option<String>,
    pub checked_at_ms: Option<i64>,
    pub next_check_at_ms: Option<i64>,
    pub last_used_at_ms: Option<i64>,
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
    pub version: i32,
    pub priority: i32,
    pub weight: i32,
    pub requests_per_minute: Option<i64>,
    pub tokens_per_minute: Option<i64>,
    pub daily_budget_nano_usd: Option<i64>,
    pub monthly_budget_nano_usd: Option<i64>,
    pub settled_status: Option<String>,
    pub served_at_ms: Option<i64>,
    pub away_since_ms: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
