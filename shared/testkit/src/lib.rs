//! Development only: private services, the provider simulator and fault tools for tests.
pub mod rabbitmq;
