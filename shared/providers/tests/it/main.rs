//! The providers through the real client, against recorded answers and the simulator.

mod client;
mod metering;
mod probes;
mod reports;
mod world;
