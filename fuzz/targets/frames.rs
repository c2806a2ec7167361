//! Bytes of a WebSocket in one direction.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| keyway_api::proxy::fuzzing::frames(input));
