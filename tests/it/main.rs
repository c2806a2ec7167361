//! The whole product: files that belong together, and flows across processes on the real services.

mod answer_cache;
mod broker_away;
mod canary;
mod clouds;
mod cut_streams;
mod dead_letters;
mod env_example;
mod fleet;
mod harness;
mod http2;
mod import_env;
mod limits;
mod models_file;
mod observability;
mod prometheus;
mod restart;
mod revocation;
mod round;
mod sdk;
mod sdk_anthropic;
mod sdk_gemini;
mod sdk_usual;
mod sealed;
mod session;
mod traces;
