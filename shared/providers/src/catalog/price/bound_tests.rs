//! Bounds of real prices, and that no cost exceeds its bound.

use std::{collections::BTreeMap, sync::LazyLock};

use keyway_domain::TokenCounts;
use proptest::prelude::*;

use super::*;
use crate::catalog::Catalog;

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::load(None).expect("the catalog"));

fn bound(
    provider: &str,
    model: &str,
    (input, output, searches): (i64, i64, i64),
    asked: &PriceTerms,
) -> Option<NanoUsd> {
    let at = Timestamp::parse("2026-11-28T12:00:00Z").expect("a time");
    CATALOG.price(provider, model).expect(model).bound(input, output, searches, asked, at)
}

#[test]
fn the_highest_price_that_can_apply_counts() {
    let ordinary = PriceTerms::default();
    let tier = |tier: &str| PriceTerms { service_tier: Some(tier.to_owned()), ..PriceTerms::default() };
    let speed = |speed: &str| PriceTerms { speed: Some(speed.to_owned()), ..PriceTerms::default() };
    let region = |region: &str| PriceTerms { region: Some(region.to_owned()), ..PriceTerms::default() };
    let tools = |tool: &str| PriceTerms { tools: BTreeMap::from([(tool.to_owned(), 10)]), ..PriceTerms::default() };
    for (provider, model, counts, asked, expected) in [
        ("openai", "gpt-4o-mini", (1000, 10, 0), &ordinary, Some(1000 * 150 + 10 * 600)),
        // What is kept for twelve hours costs the most.
        ("openai", "gpt-6-sol", (1000, 10, 0), &ordinary, Some(1000 * 5000 + 10 * 10_000)),
        ("openai", "gpt-6-sol", (272_001, 10, 0), &ordinary, Some(272_001 * 10_000 + 10 * 15_000)),
        ("openai", "gpt-6-sol", (1000, 10, 2), &ordinary, Some(1000 * 5000 + 10 * 10_000 + 2 * 10_000_000)),
        ("openai", "gpt-6-sol", (1000, 10, 0), &tier("priority"), Some(1000 * 10_000 + 10 * 20_000)),
        // Whoever asks for a cheaper tier may not get it.
        ("openai", "gpt-6-sol", (1000, 10, 0), &tier("flex"), Some(1000 * 5000 + 10 * 10_000)),
        ("openai", "gpt-6-sol", (1000, 10, 0), &tier("golden"), None),
        ("openai", "gpt-5.5", (272_000, 10, 0), &tier("priority"), Some(272_000 * 12_500 + 10 * 75_000)),
        ("openai", "gpt-5.5", (272_001, 10, 0), &tier("priority"), None),
        ("openai", "gpt-4o", (1000, 10, 1), &ordinary, None),
        ("openai", "gpt-6-sol", (1000, 0, 0), &tools("file_search"), Some(1000 * 5000 + 10 * 2_500_000)),
        ("openai", "gpt-6-sol", (1000, 0, 0), &tools("image_generation"), None),
        ("anthropic", "claude-opus-5-5", (1000, 10, 0), &speed("fast"), Some(1000 * 16_000 + 10 * 40_000)),
        ("anthropic", "claude-opus-5-5", (1000, 10, 0), &region("us"), Some(1000 * 8800 + 10 * 22_000)),
        ("anthropic", "claude-haiku-4-5", (1000, 10, 0), &speed("fast"), None),
        // It is Saturday; the bound is that of the dear hours.
        ("deepseek", "deepseek-v4-pro", (1000, 10, 0), &ordinary, Some(1000 * 1320 + 10 * 3960)),
        ("xai", "grok-4.7", (199_999, 0, 0), &ordinary, Some(199_999 * 2000)),
        ("xai", "grok-4.7", (200_000, 0, 0), &ordinary, Some(200_000 * 4000)),
        // A prompt that is grounded by ten searches is charged once.
        ("gemini", "gemini-2.5-flash", (0, 0, 10), &ordinary, Some(35_000_000)),
        ("gemini", "gemini-3.8-flash", (0, 0, 10), &ordinary, Some(140_000_000)),
        ("cohere", "rerank-v3.5", (1000, 0, 0), &ordinary, None),
    ] {
        assert_eq!(bound(provider, model, counts, asked), expected, "{model} {counts:?} {asked:?}");
    }
}

/// Generates the percentage that a part has of a whole: unknown, none, all or some.
fn any_share() -> impl Strategy<Value = Option<u32>> {
    prop_oneof![2 => Just(None), 1 => Just(Some(0)), 2 => Just(Some(100)), 2 => (0_u32..=100).prop_map(Some)]
}

prop_compose! {
    /// Generates token counts that do not contradict each other.
    fn any_counts()(
        input in proptest::option::weighted(0.9, 0_i64..1_000_000),
        output in proptest::option::weighted(0.9, 0_i64..1_000_000),
        searches in proptest::option::of(0_i64..20),
        shares in proptest::array::uniform8(any_share()),
    ) -> TokenCounts {
        let part = |at: usize, of: i64| shares[at].map(|percent| of * i64::from(percent) / 100);
        let whole = input.unwrap_or(0);
        let cached_input = part(0, whole);
        let fresh = whole - cached_input.unwrap_or(0);
        let cache_write = part(1, fresh);
        let kept = cache_write.unwrap_or(0);
        let cache_write_12h = part(2, kept);
        let cached_audio_input = part(3, cached_input.unwrap_or(0));
        let heard = cached_audio_input.unwrap_or(0);
        TokenCounts {
            input,
            cached_input,
            cache_write,
            cache_write_1h: part(4, kept - cache_write_12h.unwrap_or(0)),
            cache_write_12h,
            output,
            reasoning: None,
            audio_input: part(5, fresh).map(|anew| anew + heard).or((heard > 0).then_some(heard)),
            cached_audio_input,
            audio_output: part(6, output.unwrap_or(0)),
            web_searches: searches,
            search_units: part(7, 20),
        }
    }
}

fn any_terms() -> impl Strategy<Value = PriceTerms> {
    let one_of = |values: &'static [&'static str]| {
        proptest::option::of(proptest::sample::select(values).prop_map(str::to_owned))
    };
    let tools = proptest::collection::btree_map("(file_search|google_maps|magic)", 0_i64..5, 0..2);
    (one_of(&["priority", "flex", "batch", "fast", "x"]), one_of(&["fast", "x"]), one_of(&["us", "eu"]), tools)
        .prop_map(|(service_tier, speed, region, tools)| PriceTerms { service_tier, speed, region, tools })
}

proptest! {
    #[test]
    fn a_cost_never_exceeds_the_bound_for_the_same_terms(
        counts in any_counts(),
        terms in any_terms(),
        at in 1_790_000_000_i64..1_830_000_000,
    ) {
        let at = Timestamp::from_seconds(at);
        let (input, output) = (counts.input.unwrap_or(0), counts.output.unwrap_or(0));
        for model in CATALOG.providers().iter().flat_map(|spec| &spec.models) {
            let Some(price) = &model.price else { continue };
            let cost = price.cost(&counts, &terms, at);
            let bound = price.bound(input, output, counts.web_searches.unwrap_or(0), &terms, at);
            if let (Some(cost), Some(bound)) = (cost, bound) {
                prop_assert!(cost <= bound, "{} costs {cost}, at most {bound}", model.name);
            }
        }
    }

    #[test]
    fn whatever_is_counted_a_cost_and_a_bound_never_panic(
        counts in proptest::array::uniform12(proptest::option::of(any::<i64>())),
        terms in any_terms(),
        at in any::<i64>(),
    ) {
        let [input, cached_input, cache_write, cache_write_1h, cache_write_12h, output, reasoning, audio_input,
            cached_audio_input, audio_output, web_searches, search_units] = counts;
        let counts = TokenCounts {
            input, cached_input, cache_write, cache_write_1h, cache_write_12h, output, reasoning, audio_input,
            cached_audio_input, audio_output, web_searches, search_units,
        };
        let at = Timestamp::from_ms(at);
        for model in CATALOG.providers().iter().flat_map(|spec| &spec.models) {
            let Some(price) = &model.price else { continue };
            let cost = price.cost(&counts, &terms, at);
            prop_assert!(cost.is_none_or(|cost| cost >= 0), "{} costs {cost:?}", model.name);
            let _ = price.bound(input.unwrap_or(0), output.unwrap_or(0), web_searches.unwrap_or(0), &terms, at);
        }
    }
}
