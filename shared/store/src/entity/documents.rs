//! An entry, a flow or a scene: its draft, and where it stands.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "documents")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub tenant_id: Uuid,
    pub kind: String,
    pub type_id: Option<Uuid>,
    pub slug: String,
    pub title: String,
    pub locale: String,
    pub access: Option<String>,
    pub author: String,
    pub parent_id: Option<Uuid>,
    pub format: Option<String>,
    pub body: String,
    pub metadata: String,
    pub version: i32,
    pub published_version: Option<i32>,
    pub published_at_ms: Option<i64>,
    pub scheduled_version: Option<i32>,
    pub publish_at_ms: Option<i64>,
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
