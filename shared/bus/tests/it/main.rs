//! The bus's tests: one conformance suite on both implementations, and what each has of its own.

mod conformance;
mod embedded;
mod harness;
mod rabbit;
mod rabbit_faults;
