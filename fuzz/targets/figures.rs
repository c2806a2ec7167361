//! Answers of providers, as the scanner of figures sees them.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| keyway_providers::fuzzing::figures(input));
