//! Development only: private services, the provider simulator and fault tools for tests.
pub mod fault_proxy;
pub mod figures;
pub mod hosts;
pub mod ports;
pub mod postgres;
pub mod private_postgres;
mod programs;
pub mod python;
pub mod rabbitmq;
pub mod replay;
pub mod simulator;
pub mod smtp;
pub mod snapshots;
