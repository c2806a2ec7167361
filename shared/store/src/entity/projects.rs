//! A group of integrations and virtual keys inside a tenant.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "projects")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub tenant_id: Uuid,
    pub name: String,
    pub created_at_ms: i64,
    pub version: i32,
    pub requests_per_minute: Option<i64>,
    pub tokens_per_minute: Option<i64>,
    pub daily_budget_nano_usd: Option<i64>,
    pub monthly_budget_nano_usd: Option<i64>,
    pub fallback_budget_nano_usd: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
