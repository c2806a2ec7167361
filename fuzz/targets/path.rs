//! Paths that a caller of the proxy may send.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| keyway_proxy::fuzzing::path(input));
