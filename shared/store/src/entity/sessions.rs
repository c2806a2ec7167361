//! A sign-in that still holds; only the hash of its token is kept.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Uuid,
    pub token_sha256: Vec<u8>,
    pub created_at_ms: i64,
    pub seen_at_ms: i64,
    pub idle_ms: i64,
    pub idle_ends_at_ms: i64,
    pub ends_at_ms: i64,
    pub address: Option<String>,
    pub device: Option<String>,
    pub proof_at_ms: i64,
    pub proved_by: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
