//! Prices in whole nano-USD, by date, input length and terms. Never a float; an unknown price is `None`, never 0.

mod bound;
mod clock;
mod cost;
mod effective;
mod factor;
mod of_model;
mod rates;
mod rule;
mod rule_stanza;
mod source;
mod stanza;

pub use clock::Clock;
pub use factor::Factor;
pub use of_model::{Fees, Period, Price, Tier, ToolPrice};
pub use rates::{Rate, Rates};
pub use rule::{Effect, Rule, Term, When};
pub(super) use rule_stanza::{RuleStanza, ToolStanza, add_rules};
pub use source::Source;
pub(super) use stanza::{PriceStanza, check_source, read};
