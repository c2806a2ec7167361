//! Prints every price of the built-in catalog as JSON, which `scripts/check_prices.py` compares with public lists and
//! writes into docs/prices.md. Computes no part of a cost.

mod rows;

use std::io::{Error, Write as _};

use keyway_providers::Catalog;

fn main() -> Result<(), Error> {
    let catalog = Catalog::load(None).map_err(Error::other)?;
    let sections: Vec<_> = catalog.providers().iter().filter_map(rows::Section::of).collect();
    let text = serde_json::to_vec(&sections)?;
    std::io::stdout().lock().write_all(&text)
}
