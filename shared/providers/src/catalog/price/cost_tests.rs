//! Costs by plain prices: every kind of token and fee, every unknown figure, terms, dates and hours.

use super::*;
use crate::catalog::{
    Catalog,
    price::{Period, Rates, Tier},
};

const MILLION_USD: i64 = 1_000_000;

fn cost(price: &Price, tokens: &TokenCounts) -> Option<NanoUsd> {
    price.cost(tokens, &PriceTerms::default(), Timestamp::default())
}

fn tokens(input: Option<i64>, cached_input: Option<i64>, output: Option<i64>) -> TokenCounts {
    TokenCounts { input, cached_input, output, ..TokenCounts::default() }
}

fn flat(rates: Rates) -> Price {
    of(Period { rates, ..Period::default() })
}

fn of(period: Period) -> Price {
    Price { periods: vec![period], ..Price::default() }
}

fn rates<const N: usize>(rates: [(Rate, i64); N]) -> Rates {
    rates.into_iter().collect()
}

#[test]
fn a_cost_is_exact_and_unknown_is_never_zero() {
    let mini = flat(rates([(Rate::Input, 150_000_000), (Rate::CachedInput, 75_000_000), (Rate::Output, 600_000_000)]));
    let embedding = flat(rates([(Rate::Input, 20_000_000), (Rate::Output, 0)]));
    let unpriced = flat(Rates::default());
    for (name, price, counts, expected) in [
        ("plain", &mini, tokens(Some(20), None, Some(10)), Some(9_000)),
        ("cached", &mini, tokens(Some(20), Some(10), Some(10)), Some(8_250)),
        ("nothing", &mini, tokens(Some(0), Some(0), Some(0)), Some(0)),
        ("no counts", &mini, tokens(None, None, None), None),
        ("no input count", &mini, tokens(None, None, Some(1)), None),
        ("no output count", &mini, tokens(Some(1), None, None), None),
        ("more cached than input", &mini, tokens(Some(1), Some(2), Some(0)), None),
        ("negative", &mini, tokens(Some(-1), None, Some(0)), None),
        ("embedding", &embedding, tokens(Some(8), None, None), Some(160)),
        ("cached without a price", &embedding, tokens(Some(8), Some(1), Some(0)), None),
        ("no price at all", &unpriced, tokens(Some(1), None, Some(1)), None),
        ("no period", &Price::default(), tokens(Some(1), None, Some(1)), None),
        ("too large", &mini, tokens(Some(i64::MAX), None, Some(i64::MAX)), None),
    ] {
        assert_eq!(cost(price, &counts), expected, "{name}");
    }
}

#[test]
fn what_is_written_to_the_cache_has_its_own_price() {
    let all = rates([
        (Rate::Input, 3_000_000_000),
        (Rate::CachedInput, 300_000_000),
        (Rate::CacheWrite, 3_750_000_000),
        (Rate::CacheWrite1h, 6_000_000_000),
        (Rate::CacheWrite12h, 7_500_000_000),
        (Rate::Output, 15_000_000_000),
    ]);
    let counts = |cache_write, cache_write_1h, cache_write_12h| TokenCounts {
        input: Some(2160),
        cached_input: Some(2048),
        cache_write: Some(cache_write),
        cache_write_1h,
        cache_write_12h,
        output: Some(5),
        ..TokenCounts::default()
    };
    let base = 2048 * 300 + 5 * 15_000;
    let price = flat(all);
    assert_eq!(cost(&price, &counts(100, None, None)), Some(base + 12 * 3000 + 100 * 3750));
    assert_eq!(cost(&price, &counts(100, Some(40), None)), Some(base + 12 * 3000 + 60 * 3750 + 40 * 6000));
    assert_eq!(cost(&price, &counts(100, None, Some(60))), Some(base + 12 * 3000 + 40 * 3750 + 60 * 7500));
    assert_eq!(
        cost(&price, &counts(100, Some(10), Some(60))),
        Some(base + 12 * 3000 + 30 * 3750 + 10 * 6000 + 60 * 7500)
    );
    assert_eq!(cost(&price, &counts(113, None, None)), None, "more written than there was input");
    assert_eq!(cost(&price, &counts(10, Some(11), None)), None, "more kept long than written");
    assert_eq!(cost(&price, &counts(10, Some(6), Some(5))), None, "more kept long than written, together");
    let unpriced = flat(all.with(Rate::CacheWrite, None).with(Rate::CacheWrite12h, None));
    assert_eq!(cost(&unpriced, &counts(100, None, None)), None);
    assert_eq!(cost(&unpriced, &counts(100, Some(100), None)), Some(base + 12 * 3000 + 100 * 6000));
    assert_eq!(cost(&unpriced, &counts(100, None, Some(100))), None);
    assert_eq!(cost(&unpriced, &counts(0, None, None)), Some(base + 112 * 3000));
}

#[test]
fn sound_has_prices_of_its_own_read_from_the_cache_and_not() {
    let all = rates([
        (Rate::Input, 2 * MILLION_USD),
        (Rate::CachedInput, MILLION_USD),
        (Rate::CacheWrite, 3 * MILLION_USD),
        (Rate::Output, 8 * MILLION_USD),
        (Rate::AudioInput, 30 * MILLION_USD),
        (Rate::CachedAudioInput, 10 * MILLION_USD),
        (Rate::AudioOutput, 60 * MILLION_USD),
    ]);
    let base = tokens(Some(100), None, Some(10));
    let sound = |audio_input, audio_output| TokenCounts { audio_input, audio_output, ..base };
    let cached = |cached_input, audio_input, cached_audio_input| TokenCounts {
        cached_input: Some(cached_input),
        audio_input: Some(audio_input),
        cached_audio_input,
        ..base
    };
    let text = 100 * 2 + 10 * 8;
    let price = flat(all);
    for (name, counts, expected) in [
        ("text alone", base, Some(text)),
        ("none of it", sound(Some(0), Some(0)), Some(text)),
        ("heard", sound(Some(40), None), Some(text + 40 * 28)),
        ("spoken", sound(None, Some(10)), Some(text + 10 * 52)),
        ("more heard than input", sound(Some(101), None), None),
        ("more spoken than output", sound(None, Some(11)), None),
        ("nobody says how much of the cached is sound", cached(50, 40, None), None),
        ("none of the cached is sound", cached(50, 40, Some(0)), Some(text - 50 + 40 * 28)),
        ("some of it", cached(50, 40, Some(30)), Some(10 * 30 + 30 * 10 + 20 + 40 * 2 + 80)),
        ("all that was heard was cached", cached(50, 40, Some(40)), Some(40 * 10 + 10 + 50 * 2 + 80)),
        ("more cached sound than sound", cached(50, 40, Some(41)), None),
        ("more cached sound than cached", cached(30, 40, Some(31)), None),
        ("written and heard", TokenCounts { cache_write: Some(1), ..sound(Some(40), None) }, None),
        ("written and not heard", TokenCounts { cache_write: Some(1), ..base }, Some(text + 1)),
    ] {
        assert_eq!(cost(&price, &counts), expected, "{name}");
    }
    let silent =
        flat(all.with(Rate::AudioInput, None).with(Rate::AudioOutput, None).with(Rate::CachedAudioInput, None));
    assert_eq!(cost(&silent, &base), Some(text));
    for unpriced in [sound(Some(1), None), sound(None, Some(1)), cached(1, 1, Some(1))] {
        assert_eq!(cost(&silent, &unpriced), None, "{unpriced:?}");
    }
}

#[test]
fn searches_units_tools_and_the_call_itself_have_fees() {
    let rates = rates([(Rate::Input, 0), (Rate::Output, 0)]);
    let fees = |fees| of(Period { rates, fees, ..Period::default() });
    let each = fees(Fees { web_search: Some(10_000), per_request: Some(5), ..Fees::default() });
    let grounded = fees(Fees { grounded_prompt: Some(35_000), ..Fees::default() });
    let units = fees(Fees { search_unit: Some(2_000), ..Fees::default() });
    let free = fees(Fees { search_unit: Some(0), ..Fees::default() });
    let none = fees(Fees::default());
    let searched = |web_searches| TokenCounts { web_searches, ..TokenCounts::default() };
    let of_units = |search_units| TokenCounts { search_units, ..TokenCounts::default() };
    for (name, price, counts, expected) in [
        ("the call", &each, searched(None), Some(5)),
        ("each search", &each, searched(Some(3)), Some(35)),
        ("negative", &each, searched(Some(-1)), None),
        ("no price for it", &none, searched(Some(1)), None),
        ("not grounded", &grounded, searched(Some(0)), Some(0)),
        ("grounded once", &grounded, searched(Some(1)), Some(35)),
        ("grounded by many searches", &grounded, searched(Some(7)), Some(35)),
        ("units", &units, of_units(Some(3)), Some(6)),
        ("nobody counted the units", &units, of_units(None), None),
        ("units that are free", &free, of_units(None), Some(0)),
        ("units without a price", &none, of_units(Some(1)), None),
        ("no units", &none, of_units(None), Some(0)),
    ] {
        assert_eq!(cost(price, &counts), expected, "{name}");
    }
}

#[test]
fn half_a_nano_usd_rounds_up_once_for_the_whole_call() {
    let price = flat(rates([(Rate::Input, 37_500_000), (Rate::Output, 500_000)]));
    assert_eq!(cost(&price, &tokens(Some(1), None, Some(0))), Some(38));
    assert_eq!(cost(&price, &tokens(Some(1), None, Some(1))), Some(38));
    assert_eq!(cost(&price, &tokens(Some(2), None, Some(0))), Some(75));
}

#[test]
fn long_input_changes_the_price_of_the_whole_call() {
    let rates = |input| rates([(Rate::Input, input), (Rate::Output, 0)]);
    let tier = |from_input_tokens, input| Tier { from_input_tokens, rates: rates(input) };
    let long_context = vec![tier(101, 2_000_000), tier(1001, 3_000_000)];
    let price = of(Period { rates: rates(1_000_000), long_context, ..Period::default() });
    for (input, expected) in [(100, 100), (101, 202), (1000, 2000), (1001, 3003)] {
        assert_eq!(cost(&price, &tokens(Some(input), None, Some(1))), Some(expected));
    }
    assert_eq!(cost(&price, &tokens(None, None, Some(1))), None, "nobody knows how long it was");
}

const RULES: &str = r#"
providers:
  - name: p
    display_name: P
    kind: openai
    base_url: https://p.dev
    price_rules:
      - { service_tier: [flex, batch], multiply: "0.5", source: s, seen: 2026-11-28 }
      - { service_tier: [flex], models: [odd], multiply: "0.5", unchanged: [cached_input], instead: { output: "9" }, source: s, seen: 2026-11-28 }
      - { service_tier: [priority], models: [odd], multiply: "2", long_context: false, source: s, seen: 2026-11-28 }
      - { speed: [fast], multiply: "2", source: s, seen: 2026-11-28 }
      - { region: [us], multiply: "1.1", source: s, seen: 2026-11-28 }
      - { weekdays: [sat, sun], multiply: "0.5", models: [by-clock], source: s, seen: 2026-11-28 }
    tool_prices:
      - { name: file_search, per_thousand: "2.5", source: s, seen: 2026-11-28 }
    models:
      - { name: plain, price: { input: "1", cached_input: "0.1", output: "10", per_request: "0.000001" } }
      - { name: odd, price: { input: "1", cached_input: "0.1", output: "10", long_context: [{ above_input_tokens: 1000, input: "2", cached_input: "0.2", output: "20" }] } }
      - { name: by-clock, price: { input: "1", output: "1" } }
      - name: dated
        prices:
          - { from: 2026-10-01, until: 2027-01-01, input: "1", output: "0", source: s, seen: 2026-11-28 }
          - { from: 2027-01-01, until: 2027-02-01, input: "2", output: "0", source: s, seen: 2026-11-28 }
"#;

fn listed(model: &str, counts: &TokenCounts, terms: &PriceTerms, at: &str) -> Option<NanoUsd> {
    let catalog = Catalog::parse(RULES).expect("a catalog");
    catalog.cost("p", model, counts, terms, Timestamp::parse(at).expect(at))
}

#[test]
fn terms_multiply_rates_and_nothing_else_and_one_without_a_rule_makes_the_cost_unknown() {
    let now = "2026-11-27T12:00:00Z";
    let (short, long) = (tokens(Some(1000), Some(100), Some(10)), tokens(Some(1001), Some(100), Some(10)));
    let term = |tier: Option<&str>, speed: Option<&str>, region: Option<&str>| PriceTerms {
        service_tier: tier.map(str::to_owned),
        speed: speed.map(str::to_owned),
        region: region.map(str::to_owned),
        ..PriceTerms::default()
    };
    let (plain, fee) = (900 * 1000 + 100 * 100 + 10 * 10_000, 1000);
    for (model, counts, terms, expected) in [
        ("plain", &short, term(None, None, None), Some(plain + fee)),
        ("plain", &short, term(Some("flex"), None, None), Some(plain / 2 + fee)),
        ("plain", &short, term(None, Some("fast"), None), Some(plain * 2 + fee)),
        ("plain", &short, term(None, None, Some("us")), Some(plain / 10 * 11 + fee)),
        ("plain", &short, term(Some("batch"), Some("fast"), Some("us")), Some(plain / 10 * 11 + fee)),
        ("plain", &short, term(Some("priority"), None, None), None),
        ("plain", &short, term(Some("Flex"), None, None), None),
        ("plain", &short, term(None, Some("slow"), None), None),
        ("plain", &short, term(None, None, Some("eu")), None),
        ("odd", &short, term(Some("flex"), None, None), Some(900 * 500 + 100 * 100 + 10 * 9000)),
        ("odd", &long, term(Some("flex"), None, None), Some(901 * 1000 + 100 * 200 + 10 * 10_000)),
        ("odd", &short, term(Some("batch"), None, None), Some(plain / 2)),
        ("odd", &short, term(Some("priority"), None, None), Some(plain * 2)),
        ("odd", &long, term(Some("priority"), None, None), None),
    ] {
        assert_eq!(listed(model, counts, &terms, now), expected, "{model} {terms:?}");
    }
    let tools = |name: &str, uses| PriceTerms { tools: [(name.to_owned(), uses)].into(), ..PriceTerms::default() };
    assert_eq!(listed("plain", &short, &tools("file_search", 2), now), Some(plain + fee + 2 * 2_500_000));
    assert_eq!(listed("plain", &short, &tools("magic", 0), now), Some(plain + fee));
    for unknown in [tools("magic", 1), tools("file_search", -1)] {
        assert_eq!(listed("plain", &short, &unknown, now), None, "{unknown:?}");
    }
}

#[test]
fn the_moment_a_call_came_in_decides_on_its_price() {
    let (million, ordinary) = (tokens(Some(1_000_000), None, Some(0)), PriceTerms::default());
    for (model, at, expected) in [
        ("dated", "2026-09-30T23:59:59.999Z", None),
        ("dated", "2026-10-01T00:00:00Z", Some(1)),
        ("dated", "2026-12-31T23:59:59.999Z", Some(1)),
        ("dated", "2027-01-01T00:00:00Z", Some(2)),
        ("dated", "2027-01-01T00:30:00+01:00", Some(1)),
        ("dated", "2027-02-01T00:00:00Z", None),
    ] {
        let expected = expected.map(|dollars: i64| dollars * 1_000_000_000);
        assert_eq!(listed(model, &million, &ordinary, at), expected, "{at}");
    }
    let at = |at| listed("by-clock", &million, &ordinary, at);
    assert_eq!((at("2026-11-27T23:59:59Z"), at("2026-11-28T00:00:00Z")), (Some(1_000_000_000), Some(500_000_000)));
}
