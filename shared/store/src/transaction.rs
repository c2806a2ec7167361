//! What a transaction of either kind is to a query. Nobody outside this crate can make another kind.

pub(crate) mod sealed {
    use sea_orm::DatabaseTransaction;

    pub trait Inner {
        fn db(&self) -> &DatabaseTransaction;
        fn is_postgres(&self) -> bool;
        fn wrote_outbox(&self);
    }
}

/// A transaction of either kind, for queries that serve both.
pub trait Tx: sealed::Inner + Send + Sync {}
