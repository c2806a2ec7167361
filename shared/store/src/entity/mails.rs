//! A mail to one recipient; its link is sealed.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mails")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub tenant_id: Option<Uuid>,
    pub user_id: Option<Uuid>,
    pub kind: String,
    pub recipient: String,
    pub locale: String,
    pub content: String,
    pub envelope: Option<Vec<u8>>,
    pub data_key_id: Option<Uuid>,
    pub message_id: String,
    pub state: String,
    pub error_code: Option<String>,
    pub attempts: i32,
    pub operation_id: Option<Uuid>,
    pub created_at_ms: i64,
    pub ends_at_ms: Option<i64>,
    pub sent_at_ms: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
