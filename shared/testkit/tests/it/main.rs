//! Rules that no compiler checks: the shape of the repository, and the test tools themselves.

mod fault_proxy;
mod imports;
mod tidy;
mod troubleshooting;
