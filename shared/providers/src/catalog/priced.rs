//! The listed model that prices a call: providers answer with another name than the requested one, and some of those
//! names are only another spelling. Must never take one model for another.

use super::{Catalog, Model, ProviderSpec};

/// Prefix of Google's own model names.
const RESOURCE: &str = "models/";
/// Suffix of an alias that moves with its newest version.
const LATEST: &str = "-latest";
/// Words that only tell the stage of a version.
const STAGES: [&str; 4] = ["preview", "exp", "experimental", "latest"];

impl Catalog {
    /// Looks up the provider and calls [`ProviderSpec::priced_model`].
    #[must_use]
    pub fn priced_model(&self, provider: &str, answered: Option<&str>, asked: Option<&str>) -> Option<&Model> {
        self.get(provider)?.priced_model(answered, asked)
    }
}

impl ProviderSpec {
    /// Returns the model whose price a call has: the answered one if it is listed (by its own name, or as a dated
    /// snapshot), else the asked one if the answer names only a version of it. `None`: another model, or none.
    #[must_use]
    pub fn priced_model(&self, answered: Option<&str>, asked: Option<&str>) -> Option<&Model> {
        let listed = |name: &str| self.model(name).or_else(|| self.model(name.strip_prefix(RESOURCE)?));
        match (answered, asked) {
            (None, asked) => listed(asked?),
            (Some(answered), None) => listed(answered),
            (Some(answered), Some(asked)) => {
                listed(answered).or_else(|| listed(asked).filter(|_| is_version_of(answered, asked)))
            }
        }
    }
}

/// Returns `true` if the answered name is the asked one with a path in front, or with a date or stage behind.
fn is_version_of(answered: &str, asked: &str) -> bool {
    let asked = asked.strip_prefix(RESOURCE).unwrap_or(asked);
    let family = asked.strip_suffix(LATEST).unwrap_or(asked);
    // Every place where a name can begin: the start, and behind each slash.
    let starts = std::iter::once(0).chain(answered.match_indices('/').map(|(at, _)| at + 1));
    starts.filter_map(|start| answered[start..].strip_prefix(family)).any(is_version)
}

/// Returns `true` if `rest` is only dates and stages: `-preview-09-2025`, `-2603`, `@20250929`.
fn is_version(rest: &str) -> bool {
    let Some(words) = rest.strip_prefix(['-', '@']) else { return rest.is_empty() };
    let words: Vec<_> = words.split('-').collect();
    let mut left = &words[..];
    while let Some(word) = left.first() {
        let taken = if STAGES.contains(word) { 1 } else { date(left) };
        if taken == 0 {
            return false;
        }
        left = &left[taken..];
    }
    true
}

/// Returns how many of the first words make a date or a revision; 0: none. A lone number of one or two digits is the
/// version of another model.
fn date(words: &[&str]) -> usize {
    let number = |at: usize, digits: usize, most: u32| {
        let word =
            words.get(at).filter(|word| word.len() == digits && word.bytes().all(|byte| byte.is_ascii_digit()))?;
        word.parse::<u32>().ok().filter(|number| (1..=most).contains(number))
    };
    let (month, day, year) = (|at| number(at, 2, 12), |at| number(at, 2, 31), |at| number(at, 4, 9999));
    if year(0).is_some() {
        // 2026-04-23, else 2603 or 0709.
        if month(1).and(day(2)).is_some() { 3 } else { 1 }
    } else if month(0).is_some() {
        // 09-2025 or 05-20.
        if year(1).or(day(1)).is_some() { 2 } else { 0 }
    } else {
        // 20251101 or 001.
        usize::from(number(0, 8, 99_999_999).or(number(0, 3, 999)).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_of_the_asked_model_is_priced_as_it_and_another_model_never() {
        let yaml = "
providers:
  - name: p
    display_name: P
    kind: openai
    base_url: https://p.dev
    models:
      - { name: gemini-2.5-flash, price: {} }
      - { name: gpt-4o, price: {} }
      - { name: gpt-4o-2024-05-13, price: {} }
      - { name: gpt-5.4, price: {} }
      - { name: gpt-5.4-nano, price: {} }
      - { name: mistral-small-latest, price: {} }
      - { name: claude-opus-5, price: {} }
      - { name: openai/gpt-oss-120b, price: {} }
";
        let catalog = Catalog::parse(yaml).expect("a catalog");
        for (answered, asked, expected) in [
            (None, None, None),
            (None, Some("gpt-5.4"), Some("gpt-5.4")),
            (None, Some("models/gemini-2.5-flash"), Some("gemini-2.5-flash")),
            (None, Some("gpt-5.4-nano-2026-03-17"), Some("gpt-5.4-nano")),
            (None, Some("gpt-nope"), None),
            (Some("gpt-5.4"), None, Some("gpt-5.4")),
            (Some("gpt-4o-2024-08-06"), Some("gpt-4o"), Some("gpt-4o")),
            (Some("gpt-4o-2024-05-13"), Some("gpt-4o"), Some("gpt-4o-2024-05-13")),
            (Some("gpt-4o"), Some("gpt-4o-2024-05-13"), Some("gpt-4o")),
            (Some("gemini-2.5-flash-preview-09-2025"), Some("gemini-2.5-flash"), Some("gemini-2.5-flash")),
            (Some("gemini-2.5-flash-preview-05-20"), Some("gemini-2.5-flash"), Some("gemini-2.5-flash")),
            (Some("gemini-2.5-flash-001"), Some("gemini-2.5-flash"), Some("gemini-2.5-flash")),
            (Some("models/gemini-2.5-flash"), Some("gemini-2.5-flash"), Some("gemini-2.5-flash")),
            (Some("models/gemini-2.5-flash-preview-09-2025"), Some("gemini-2.5-flash"), Some("gemini-2.5-flash")),
            (Some("gemini-2.5-flash-preview-09-2025"), None, None),
            (Some("gemini-2.5-flash-preview-09-2025"), Some("gpt-4o"), None),
            (Some("gemini-2.5-flash-image"), Some("gemini-2.5-flash"), None),
            (Some("gemini-2.5-flash-lite"), Some("gemini-2.5-flash"), None),
            (Some("gemini-2.5-flash-preview-tts"), Some("gemini-2.5-flash"), None),
            (Some("gemini-2.5-flash-13-2025"), Some("gemini-2.5-flash"), None),
            (Some("mistral-small-2603"), Some("mistral-small-latest"), Some("mistral-small-latest")),
            (Some("mistral-small"), Some("mistral-small-latest"), Some("mistral-small-latest")),
            (Some("mistral-small-creative"), Some("mistral-small-latest"), None),
            (Some("gpt-5.4-mini-foo"), Some("gpt-5.4"), None),
            (Some("gpt-5.4-nano"), Some("gpt-5.4"), Some("gpt-5.4-nano")),
            (Some("gpt-5.4-5"), Some("gpt-5.4"), None),
            (Some("gpt-5.45"), Some("gpt-5.4"), None),
            (Some("gpt-5.4:free"), Some("gpt-5.4"), None),
            (Some("gpt-5.4-"), Some("gpt-5.4"), None),
            (Some("ft:gpt-5.4:org::abc"), Some("gpt-5.4"), None),
            (Some("claude-opus-5-5-20260101"), Some("claude-opus-5"), None),
            (Some("claude-opus-5@20260101"), Some("claude-opus-5"), Some("claude-opus-5")),
            (Some("anthropic/claude-opus-5-20260101"), Some("claude-opus-5"), Some("claude-opus-5")),
            (Some("x/openai/gpt-oss-120b"), Some("openai/gpt-oss-120b"), Some("openai/gpt-oss-120b")),
            (Some("gpt-oss-120b"), Some("openai/gpt-oss-120b"), None),
            (Some(""), Some("gpt-5.4"), None),
        ] {
            let priced = catalog.priced_model("p", answered, asked).map(|model| model.name.as_str());
            assert_eq!(priced, expected, "{answered:?} for {asked:?}");
        }
        assert!(catalog.priced_model("nobody", Some("gpt-5.4"), None).is_none());
    }
}
