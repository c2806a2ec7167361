//! Tests of the bus: one conformance suite on both implementations, and tests of each alone.

mod conformance;
mod embedded;
mod harness;
mod rabbit;
mod rabbit_faults;
