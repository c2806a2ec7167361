//! The whole product: files that belong together, and flows across processes on the real services.

mod env_example;
