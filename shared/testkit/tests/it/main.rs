//! Rules that no compiler checks: the shape of the repository, and the test tools themselves.

mod fault_proxy;
mod tidy;
mod troubleshooting;
