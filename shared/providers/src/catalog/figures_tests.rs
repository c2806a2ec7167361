//! Costs by the built-in catalog, in nano-USD, against independently computed figures.

use super::*;

/// A Saturday.
const TODAY: &str = "2026-11-28T12:00:00Z";

#[derive(Clone, Default)]
struct Call {
    provider: &'static str,
    model: &'static str,
    tokens: TokenCounts,
    terms: PriceTerms,
}

impl Call {
    fn of(provider: &'static str, model: &'static str, input: i64, output: i64) -> Self {
        let tokens = TokenCounts { input: Some(input), output: Some(output), ..TokenCounts::default() };
        Self { provider, model, tokens, terms: PriceTerms::default() }
    }

    fn cached(mut self, cached: i64, written: i64) -> Self {
        self.tokens.cached_input = Some(cached);
        self.tokens.cache_write = Some(written);
        self
    }

    fn counting(mut self, count: impl FnOnce(&mut TokenCounts)) -> Self {
        count(&mut self.tokens);
        self
    }

    fn tier(mut self, tier: &str) -> Self {
        self.terms.service_tier = Some(tier.to_owned());
        self
    }

    fn speed(mut self, speed: &str) -> Self {
        self.terms.speed = Some(speed.to_owned());
        self
    }

    fn region(mut self, region: &str) -> Self {
        self.terms.region = Some(region.to_owned());
        self
    }

    fn tool(mut self, tool: &str, uses: i64) -> Self {
        self.terms.tools.insert(tool.to_owned(), uses);
        self
    }

    fn cost(&self, at: &str) -> Option<NanoUsd> {
        let catalog = Catalog::load(None).expect("the catalog");
        catalog.cost(self.provider, self.model, &self.tokens, &self.terms, Timestamp::parse(at).expect(at))
    }
}

fn openai(model: &'static str, input: i64, output: i64) -> Call {
    Call::of("openai", model, input, output)
}

fn anthropic(model: &'static str, input: i64, output: i64) -> Call {
    Call::of("anthropic", model, input, output)
}

fn gemini(model: &'static str, input: i64, output: i64) -> Call {
    Call::of("gemini", model, input, output)
}

fn check(calls: impl IntoIterator<Item = (&'static str, Call, Option<NanoUsd>)>) {
    for (name, call, expected) in calls {
        assert_eq!(call.cost(TODAY), expected, "{name}: {} {:?}", call.model, call.terms);
    }
}

#[test]
fn every_kind_of_token_has_its_price_on_both_sides_of_a_border() {
    let five = |input| openai("gpt-5.5", input, 10_000).cached(200_000, 0);
    let sol = || openai("gpt-6-sol", 1000, 300).cached(800, 100);
    let sonnet = || anthropic("claude-sonnet-5-5", 900_010, 3000).cached(800_000, 100_000);
    check([
        ("beyond 100,000, written", anthropic("claude-haiku-5-5", 120_000, 500).cached(117_000, 2000), Some(8_850_000)),
        ("beyond 272,000, written", openai("gpt-6-sol", 300_000, 1000).cached(200_000, 10_000), Some(505_000_000)),
        ("short of the border", five(271_999), Some(759_995_000)),
        ("on it", five(272_000), Some(760_000_000)),
        ("beyond it", five(272_001), Some(1_370_010_000)),
        ("long from 200,000 on", Call::of("xai", "grok-4.7", 200_000, 1000), Some(812_000_000)),
        ("just short", Call::of("xai", "grok-4.7", 199_999, 1000), Some(405_998_000)),
        ("long output is not long input", openai("gpt-5.5", 100, 300_000), Some(9_000_500_000)),
        ("read and written", sol(), Some(3_610_000)),
        ("written for twelve hours", sol().counting(|it| it.cache_write_12h = Some(60)), Some(3_760_000)),
        ("written at the rate of input", openai("gpt-5.5", 1000, 300).cached(0, 100), Some(14_000_000)),
        ("written for an hour", sonnet().counting(|it| it.cache_write_1h = Some(40_000)), Some(420_020_000)),
        ("nobody says for how long", sonnet(), Some(360_020_000)),
        ("more cached than input", openai("gpt-6-sol", 100, 300).cached(150, 0), None),
    ]);
}

#[test]
fn sound_has_its_price_where_it_has_one_of_its_own_and_where_not() {
    let heard = |model, of_cached: Option<i64>| {
        gemini(model, 1000, 300).cached(800, 0).counting(|it| {
            it.audio_input = Some(600);
            it.cached_audio_input = of_cached;
        })
    };
    check([
        ("dearer than text", heard("gemini-2.5-flash", Some(500)), Some(939_000)),
        ("as dear as text", heard("gemini-3.8-flash", Some(500)), Some(1_335_000)),
        ("nobody says how much was cached", heard("gemini-2.5-flash", None), None),
        (
            "a chat with sound",
            openai("gpt-audio-1.5", 1000, 300).counting(|it| it.audio_input = Some(600)),
            Some(23_200_000),
        ),
    ]);
}

#[test]
fn terms_have_their_price_or_the_cost_is_unknown() {
    let sol = || openai("gpt-6-sol", 1000, 300).cached(800, 100);
    let opus = || anthropic("claude-opus-5-5", 1000, 300);
    check([
        ("ordinary", opus(), Some(10_000_000)),
        ("in a region", opus().region("us"), Some(11_000_000)),
        ("fast", opus().speed("fast"), Some(20_000_000)),
        ("both", opus().speed("fast").region("us"), Some(22_000_000)),
        ("batch", opus().tier("batch"), Some(5_000_000)),
        ("no such region", opus().region("mars"), None),
        ("no such speed", opus().speed("ludicrous"), None),
        ("a capacity that was bought ahead", opus().tier("priority"), None),
        ("not sold fast", anthropic("claude-haiku-4-5", 1000, 300).speed("fast"), None),
        ("priority", sol().tier("priority"), Some(7_220_000)),
        ("its other name", sol().tier("fast"), Some(7_220_000)),
        ("flex", sol().tier("flex"), Some(1_805_000)),
        ("batch", sol().tier("batch"), Some(1_805_000)),
        ("no such tier", sol().tier("golden"), None),
        ("priority, two and a half times", openai("gpt-5.5", 1000, 100).tier("priority"), Some(20_000_000)),
        ("priority beyond the border", openai("gpt-5.5", 272_001, 100).tier("priority"), None),
        ("a rounded rate", openai("gpt-5.4", 1000, 0).cached(1000, 0).tier("flex"), Some(130_000)),
        ("no multiple", openai("gpt-4o-mini", 1000, 300).cached(800, 0).tier("priority"), Some(450_000)),
        ("cached as ever", gemini("gemini-2.5-flash", 1000, 0).cached(1000, 0).tier("flex"), Some(30_000)),
        ("cached cheaper, too", gemini("gemini-3.8-flash", 1000, 0).cached(1000, 0).tier("flex"), Some(37_500)),
        ("priority at Gemini", gemini("gemini-3.8-flash", 1000, 300).tier("priority"), Some(3_375_000)),
        ("batch at xAI", Call::of("xai", "grok-4.7", 1000, 100).tier("batch"), Some(2_080_000)),
        ("batch at Mistral", Call::of("mistral", "mistral-small-latest", 1000, 100).tier("batch"), Some(105_000)),
    ]);
}

#[test]
fn searches_units_and_tools_have_their_fees() {
    let searched = |count| move |it: &mut TokenCounts| it.web_searches = Some(count);
    let rerank = |model, tokens: TokenCounts| Call { provider: "cohere", model, tokens, ..Call::default() };
    let units = TokenCounts { search_units: Some(3), ..TokenCounts::default() };
    let read = TokenCounts { input: Some(1000), search_units: Some(1), ..TokenCounts::default() };
    check([
        ("a search", openai("gpt-5.4", 1000, 300).counting(searched(1)), Some(17_000_000)),
        ("one of a model that pays as much", openai("gpt-6-sol", 1000, 300).counting(searched(1)), Some(15_000_000)),
        ("disputed", openai("gpt-4o", 1000, 300).counting(searched(1)), None),
        ("each search", gemini("gemini-3.5-flash", 1000, 100).counting(searched(2)), Some(2_400_000 + 28_000_000)),
        ("each prompt", gemini("gemini-2.5-flash", 1000, 100).counting(searched(2)), Some(550_000 + 35_000_000)),
        ("none", gemini("gemini-2.5-flash", 1000, 100).counting(searched(0)), Some(550_000)),
        ("units of searching", rerank("rerank-v3.5", units), Some(6_000_000)),
        ("tokens, whatever the units", rerank("rerank-v5.0-fast", read), Some(20_000)),
        ("nobody counted", rerank("rerank-v3.5", TokenCounts::default()), None),
        ("files", openai("gpt-6-sol", 1000, 300).tool("file_search", 2), Some(10_000_000)),
        ("a tool without a price", openai("gpt-6-sol", 1000, 300).tool("code_interpreter", 1), None),
        ("maps", gemini("gemini-3.8-flash", 1000, 0).tool("google_maps", 1), Some(14_750_000)),
    ]);
}

#[test]
fn days_and_hours_have_their_prices() {
    let deepseek = |model| Call::of("deepseek", model, 1_000_000, 1_000_000);
    let mistral = || Call::of("mistral", "mistral-large-4", 1_000_000, 100_000);
    let flash = || gemini("gemini-3.8-flash", 1_000_000, 100_000);
    for (call, at, expected) in [
        (deepseek("deepseek-v4-pro"), "2026-11-28T02:00:00Z", 2_640_000_000),
        (deepseek("deepseek-v4-pro"), "2026-11-27T02:00:00Z", 5_280_000_000),
        (deepseek("deepseek-v4-pro"), "2026-11-27T12:00:00Z", 2_640_000_000),
        (deepseek("deepseek-v4-pro"), "2026-11-27T06:00:00Z", 5_280_000_000),
        (deepseek("deepseek-v4-pro"), "2026-11-27T10:00:00Z", 2_640_000_000),
        (deepseek("deepseek-v4-flash"), "2026-11-27T09:59:59Z", 1_500_000_000),
        (deepseek("deepseek-flash"), "2026-11-29T09:00:00Z", 750_000_000),
        (mistral(), "2026-10-19T23:59:59.999Z", 889_000_000),
        (mistral(), "2026-10-20T00:00:00Z", 1_778_000_000),
        (mistral(), "2026-10-28T23:59:59.999Z", 1_778_000_000),
        (mistral(), "2026-10-29T00:00:00Z", 910_000_000),
        (mistral(), TODAY, 910_000_000),
        (flash(), "2026-12-31T23:59:59.999Z", 1_125_000_000),
        (flash(), "2027-01-01T00:00:00Z", 2_250_000_000),
        (flash().tier("flex"), "2027-01-01T00:00:00Z", 1_125_000_000),
        (gemini("gemini-flash-latest", 1_000_000, 0), "2027-01-01T00:00:00Z", 1_500_000_000),
        (gemini("gemini-3.6-flash", 1_000_000, 0), "2027-01-01T00:00:00Z", 1_500_000_000),
        (gemini("gemini-4-argon", 1_000_000, 0), "2026-11-30T23:59:59Z", 2_000_000_000),
        (gemini("gemini-4-argon", 1_000_000, 0), "2026-12-01T00:00:00Z", 4_000_000_000),
    ] {
        assert_eq!(call.cost(at), Some(expected), "{} at {at}", call.model);
    }
}

#[test]
fn each_name_has_its_own_price_and_a_snapshot_that_of_its_model() {
    check([
        ("dearer than what followed", openai("gpt-4o-2024-05-13", 1_000_000, 100_000), Some(6_500_000_000)),
        ("as its model", openai("gpt-4o-2024-08-06", 1_000_000, 100_000), Some(3_500_000_000)),
        ("sol", openai("gpt-5.6-sol", 1000, 300), Some(10_000_000)),
        ("terra", openai("gpt-5.6-terra", 1000, 300), Some(5_600_000)),
        ("6.1", openai("gpt-6.1-terra", 1000, 300), Some(2_500_000)),
        ("snapshot", anthropic("claude-opus-4-5-20251101", 1000, 300), Some(12_500_000)),
        ("opus", anthropic("claude-opus-4-7", 1000, 300), Some(12_500_000)),
        ("flash", gemini("gemini-3.7-flash", 1000, 300), Some(1_875_000)),
        ("by its resource name", gemini("models/gemini-3.7-flash", 1000, 300), Some(1_875_000)),
        ("another model", openai("gpt-5.5-mini-foo", 1000, 300), None),
        ("fine-tuned", openai("ft:gpt-4o-mini:org::abc", 1000, 300), None),
    ]);
}
