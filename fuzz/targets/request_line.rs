//! Request lines that a stranger may send.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| keyway_http::fuzzing::request_line(input));
