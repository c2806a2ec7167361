//! `.env.example` against the settings: every one is there, with its meaning and default, and no other.

use std::{fs, path::Path};

use keyway_config::settings;

#[test]
fn the_example_lists_every_setting_with_its_default_and_no_other() -> std::io::Result<()> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(".env.example"))?;
    let listed: Vec<&str> = text.lines().filter(|line| line.trim_start_matches('#').starts_with("KEYWAY_")).collect();
    let expected: Vec<String> = settings()
        .map(|setting| {
            let comment = if setting.default.is_empty() { "" } else { "#" };
            format!("{comment}{}={}", setting.name, setting.default)
        })
        .collect();
    assert_eq!(listed, expected);
    for (setting, line) in settings().zip(&expected) {
        assert!(text.contains(&format!("# {}\n{line}\n", setting.meaning)), "above {line}: {}", setting.meaning);
    }
    Ok(())
}
