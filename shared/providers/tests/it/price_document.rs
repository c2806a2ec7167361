//! Holds docs/prices.md to models.yaml, as far as Keyway's own figures go; what the lists say beside them
//! `make prices` compares, which needs a package index.

use keyway_providers::Catalog;

#[path = "../../examples/price_list/rows.rs"]
mod rows;

const DOCUMENT: &str = include_str!("../../../../docs/prices.md");

#[test]
fn the_document_has_every_price_and_no_other() -> anyhow::Result<()> {
    let catalog = Catalog::load(None)?;
    let sections: Vec<_> = catalog.providers().iter().filter_map(rows::Section::of).collect();
    let mut written = DOCUMENT.split("\n## ").skip(1).filter(|text| text.contains("\n| "));
    let mut count = 0;
    for section in &sections {
        let text = written.next().unwrap_or_default();
        assert_eq!(text.lines().next(), Some(section.display_name.as_str()));
        let is_head = |line: &&str| ["| model |", "| when |", "| --- |"].iter().any(|head| line.starts_with(head));
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with('|') && !is_head(line)).collect();
        let prices = section.prices.iter().map(|row| &row.cells);
        let rules = section.rules.iter().map(|row| &row.cells);
        let own: Vec<_> = prices.chain(rules).chain(section.tools.iter().map(|row| &row.cells)).collect();
        assert_eq!(lines.len(), own.len(), "{}: run scripts/check_prices.py --write", section.provider);
        for (line, cells) in lines.iter().zip(&own) {
            let start = format!("| {} | ", cells.join(" | "));
            assert!(line.starts_with(&start), "{line}\nis not {start}\nrun scripts/check_prices.py --write");
        }
        count += own.len();
    }
    assert_eq!(written.next(), None, "a provider that has no prices");
    assert!(count > 200, "the search finds the rows: {count}");
    Ok(())
}
