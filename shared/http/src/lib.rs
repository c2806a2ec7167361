//! The listener: accepts connections, gives each to an event loop, and holds it to its deadlines. Behind it hang doors, which
//! answer what callers ask.
//!
//! It knows no path and no key, and asks no database. What both doors need to write their errors down is here, too.

mod browser;
mod caller_stream;
mod codes;
mod crowd;
mod door;
mod event_loop;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod server;
mod target;
mod traffic;

pub use caller_stream::{CallerStream, Patience};
pub use door::{Connection, Door, head_bytes};
pub use server::{ServerLimits, serve};
pub use target::{Misdirected, check_target};
pub use traffic::{Flushed, Traffic};
