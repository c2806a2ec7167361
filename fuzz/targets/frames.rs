//! Bytes of a WebSocket in one direction.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| keyway_proxy::fuzzing::frames(input));
