//! The built-in catalog, and faults for which a models file is refused.

use super::*;

fn yaml(stanza: &str) -> String {
    format!(
        "providers:\n  - name: acme\n    display_name: Acme\n    kind: openai\n    base_url: https://api.acme.dev/v1/\n{stanza}"
    )
}

#[test]
fn the_compiled_in_catalog_prices_openai() -> Result<(), CatalogError> {
    let catalog = Catalog::load(None)?;
    let cost =
        |provider, model, tokens| catalog.cost(provider, model, tokens, &PriceTerms::default(), Timestamp::default());
    let tokens = TokenCounts { input: Some(20), output: Some(10), ..TokenCounts::default() };
    assert_eq!(cost("openai", "gpt-4o-mini", &tokens), Some(9_000));
    assert_eq!(cost("openai", "gpt-4o-mini-2024-07-18", &tokens), Some(9_000));
    assert_eq!(cost("openai", "gpt-4o-mini-2024-07", &tokens), None);
    assert_eq!(cost("openai", "gpt-nope", &tokens), None);
    assert_eq!(cost("nobody", "gpt-4o-mini", &tokens), None);
    let embedded = TokenCounts { input: Some(2), output: Some(0), ..TokenCounts::default() };
    assert_eq!(cost("openai", "text-embedding-3-small", &embedded), Some(40));
    for spec in catalog.providers() {
        assert_eq!(spec.base_url.scheme(), "https", "{}", spec.name);
        assert!(spec.models.iter().all(|model| model.price.is_some()), "{}", spec.name);
    }
    Ok(())
}

#[test]
fn a_model_has_the_name_that_openrouter_gives_it_or_none() -> Result<(), CatalogError> {
    let catalog = Catalog::load(None)?;
    for (provider, model, expected) in [
        ("openai", "gpt-4o-mini", Some("openai/gpt-4o-mini")),
        ("openai", "gpt-4o-mini-2024-07-18", Some("openai/gpt-4o-mini-2024-07-18")),
        ("anthropic", "claude-sonnet-5", Some("anthropic/claude-sonnet-5")),
        ("anthropic", "claude-sonnet-4-5", Some("anthropic/claude-sonnet-4.5")),
        ("anthropic", "claude-sonnet-4-5-20250929", Some("anthropic/claude-sonnet-4.5")),
        ("gemini", "gemini-2.5-flash", Some("google/gemini-2.5-flash")),
        ("xai", "grok-4.3", Some("x-ai/grok-4.3")),
        ("openai", "nobody-listed-it", None),
        ("mistral", "mistral-small-latest", None),
        ("openrouter", "openai/gpt-4o-mini", None),
    ] {
        let named = catalog.get(provider).and_then(|spec| spec.model_at_openrouter(model));
        assert_eq!(named.as_deref(), expected, "{provider} {model}");
    }
    Ok(())
}

#[test]
fn the_price_version_changes_with_a_price_and_with_nothing_else() -> Result<(), CatalogError> {
    let version = |body: &str| Catalog::parse(&yaml(body)).map(|catalog| catalog.price_version().to_owned());
    let base = version("    models: [{ name: a, price: { input: \"1\" } }, { name: b }]")?;
    assert_eq!(base.len(), 12);
    assert_eq!(version("    models: [{ name: b }, { name: a, price: { input: \"1.0\" } }]")?, base);
    let seen = "price_source: { source: a list, seen: 2026-11-28 }";
    assert_eq!(
        version(&format!("    {seen}\n    models: [{{ name: a, price: {{ input: \"1\" }} }}, {{ name: b }}]"))?,
        base
    );
    let mut versions = vec![base];
    for body in [
        r#"models: [{ name: a, price: { input: "1.1" } }, { name: b }]"#,
        r#"models: [{ name: a, price: { output: "1" } }, { name: b }]"#,
        r#"models: [{ name: a, price: { input: "1", web_search: "1" } }, { name: b }]"#,
        r#"models: [{ name: a, price: { input: "1", grounded_prompt: "1" } }, { name: b }]"#,
        r#"models: [{ name: a, price: { input: "1", long_context: [{ above_input_tokens: 9, input: "1" }] } }, { name: b }]"#,
        r#"models: [{ name: a, price: { input: "1", long_context: [{ from_input_tokens: 9, input: "1" }] } }, { name: b }]"#,
        r#"models: [{ name: a, price: { input: "1", until: 2027-01-01, source: s, seen: 2026-11-28 } }, { name: b }]"#,
        r#"models: [{ name: a, price: { input: "1", until: 2027-01-02, source: s, seen: 2026-11-28 } }, { name: b }]"#,
        r#"models: [{ name: a, price: { input: "1" } }]
    price_rules: [{ speed: [fast], multiply: "2", source: s, seen: 2026-11-28 }]"#,
        r#"models: [{ name: a, price: { input: "1" } }]
    price_rules: [{ speed: [fast], multiply: "3", source: s, seen: 2026-11-28 }]"#,
        r#"models: [{ name: a, price: { input: "1" } }]
    price_rules: [{ speed: [fast], multiply: "3", long_context: false, source: s, seen: 2026-11-28 }]"#,
        r#"models: [{ name: a, price: { input: "1" } }]
    price_rules: [{ hours: ["01-02"], multiply: "2", source: s, seen: 2026-11-28 }]"#,
        r#"models: [{ name: a, price: { input: "1" } }]
    tool_prices: [{ name: t, per_thousand: "2", source: s, seen: 2026-11-28 }]"#,
    ] {
        versions.push(version(&format!("    {body}"))?);
    }
    let different: std::collections::HashSet<_> = versions.iter().collect();
    assert_eq!(different.len(), versions.len(), "{versions:?}");
    Ok(())
}

#[test]
fn a_faulty_file_is_refused_with_a_sentence_that_names_the_fault() {
    for (body, expected) in [
        ("    colour: red", "unknown field `colour`"),
        ("    openai_path: openai/", "`openai_path` starts with a slash"),
        ("    models: [{ name: a, pricing: {} }]", "unknown field `pricing`"),
        ("    models: [{ name: a, prices: [] }]", "has no price in it"),
        ("    models: [{ name: a }, { name: a }]", "model `a` is there twice"),
        ("    models: [{ name: a, price: { input: 1.5e-1 } }]", "not \"1.5e-1\""),
        ("    models: [{ name: a, price: { input: [1] } }]", "a price is US dollars"),
        ("    models: [{ name: a, price: { input: \"-1\" } }]", "not \"-1\""),
        ("    models: [{ name: a, price: { input: \"0.0000000001\" } }]", "at most 9 decimals"),
        ("    models: [{ name: a, price: { input: \"1000.1\" } }]", "a price of $1000.1"),
        ("    models: [{ name: a, price: { input: \"1\", cached_input: \"1.1\" } }]", "costs more than `input`"),
        ("    models: [{ name: \"\" }]", "no name"),
        ("    models: [{ name: a, price: {}, prices: [] }]", "either `price` or `prices`"),
        ("    models: [{ name: a, price: { from: 2026-10-01 } }]", "says its `source`"),
        ("    models: [{ name: a, price: { from: 2026-13-01, source: s, seen: 2026-11-28 } }]", "no day like"),
        ("    models: [{ name: a, price: { source: s, seen: soon } }]", "`seen`: `soon` is no day"),
        ("    models: [{ name: a, price: { source: s } }]", "says its `source`"),
        ("    models: [{ name: a, price: { web_search: \"1\", grounded_prompt: \"1\" } }]", "not both"),
        ("    models: [{ name: a, price: { above_input_tokens: 1 } }]", "belong into `long_context`"),
        ("    models: [{ name: a, price: { long_context: [{ input: \"1\" }] } }]", "has either `above_input_tokens`"),
        (
            "    models: [{ name: a, price: { long_context: [{ above_input_tokens: 1, web_search: \"1\" }] } }]",
            "and nothing else",
        ),
        (
            "    models: [{ name: a, price: { long_context: [{ above_input_tokens: 9 }, { from_input_tokens: 10 }] } }]",
            "ascending order",
        ),
        ("    price_source: { source: s }", "missing field `seen`"),
        ("    price_source: { source: s, seen: 2026-02-30 }", "no day like"),
        ("    tool_prices: [{ name: t, per_thousand: \"x\", source: s, seen: 2026-11-28 }]", "a price is US dollars"),
        ("    probe: { path: models, proof: /data, signals: [] }", "start with a slash"),
        ("    probe: { path: /models, proof: /data, signals: [] }", "names no answer"),
        (
            "    probe: { path: /m, proof: /data, signals: [{ status: 401, verdict: invalid }] }",
            "a status alone says nothing",
        ),
        ("  - { name: acme, display_name: A, kind: openai, base_url: \"https://a.dev\" }", "there twice"),
        ("  - { name: b, display_name: B, kind: magic, base_url: \"https://b.dev\" }", "kind `magic` does not exist"),
        ("  - { name: b, display_name: B, kind: openai_compatible, base_url: \"https://b.dev\" }", "needs a `probe`"),
        ("  - { name: b, display_name: B, kind: openai, base_url: \"https://u:p@b.dev\" }", "host and path alone"),
        ("  - { name: B!, display_name: B, kind: openai, base_url: \"https://b.dev\" }", "a name has"),
    ] {
        let error = Catalog::parse(&yaml(body)).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(expected), "{body}: {error}");
    }
    assert!(matches!(Catalog::parse("providers: []"), Err(CatalogError::Syntax(_))));
    assert!(matches!(Catalog::load(Some(Path::new("/nowhere.yaml"))), Err(CatalogError::Read { .. })));
}

#[test]
fn a_file_of_the_first_form_is_read_as_ever() -> Result<(), CatalogError> {
    let models = r#"    models:
      - name: a
        max_input_tokens: 10
        price:
          input: 0.5
          cached_input: "0.05"
          cache_write: "1"
          cache_write_1h: "2"
          output: 1.5
          audio_input: "3"
          audio_output: "4"
          web_search: "10"
          per_request: "0.001"
          long_context:
            - { above_input_tokens: 100, input: "1", output: "3" }
      - { name: b, mode: embedding, price: { input: "0.02" } }
      - { name: c }"#;
    let catalog = Catalog::parse(&yaml(models))?;
    let cost = |input, output, cache_write| {
        let tokens = TokenCounts { input: Some(input), output: Some(output), cache_write, ..TokenCounts::default() };
        catalog.cost("acme", "a", &tokens, &PriceTerms::default(), Timestamp::now())
    };
    assert_eq!(cost(100, 10, Some(50)), Some(50 * 500 + 50 * 1000 + 10 * 1500 + 1_000_000));
    assert_eq!(cost(101, 10, None), Some(101 * 1000 + 10 * 3000 + 1_000_000));
    assert_eq!(cost(101, 10, Some(50)), None, "a rate that is left out beyond the border is unknown there");
    assert!(catalog.price("acme", "b").is_some() && catalog.price("acme", "c").is_none());
    Ok(())
}

#[test]
fn periods_without_order_and_rules_without_sense_are_refused() {
    let period = |days: &str| format!("{{ {days}, input: \"1\", source: s, seen: 2026-11-28 }}");
    for (periods, expected) in [
        (
            ["until: 2026-10-01", "from: 2026-10-02"],
            "leave a gap: one ends on 2026-10-01, the next begins on 2026-10-02",
        ),
        (["until: 2026-10-02", "from: 2026-10-01"], "overlap: one ends on 2026-10-02, the next begins on 2026-10-01"),
        (["from: 2026-10-01", "until: 2026-10-01"], "in order of time"),
        (["until: 2026-10-01", "until: 2026-10-02"], "in order of time"),
        (["until: 2026-10-01", "from: 2026-10-01, until: 2026-10-01"], "ends before it begins"),
    ] {
        let body = format!("    models: [{{ name: a, prices: [{}, {}] }}]", period(periods[0]), period(periods[1]));
        let error = Catalog::parse(&yaml(&body)).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("model `a`") && error.contains(expected), "{body}: {error}");
    }
    let two = "prices: [{ until: 2026-10-01, source: s, seen: 2026-11-28 }, { from: 2026-10-01, source: s, seen: 2026-11-28 }]";
    for (rules, expected) in [
        ("service_tier: [flex]", "a rule says what it does"),
        ("multiply: \"2\"", "a rule holds for one of"),
        ("speed: [fast], region: [us], multiply: \"2\"", "a rule holds for one of"),
        ("speed: [fast], hours: [\"00-01\"], multiply: \"2\"", "a rule holds for one of"),
        ("speed: fast, multiply: \"2\"", "expected a sequence"),
        ("speed: [fast], multiply: \"0\"", "a factor is decimal text"),
        ("speed: [fast], multiply: \"-1\"", "a factor is decimal text"),
        ("speed: [fast], multiply: \"1.0001\"", "a factor is decimal text"),
        ("speed: [fast], unchanged: [colour], multiply: \"2\"", "unknown variant `colour`"),
        ("speed: [fast], instead: { input: \"1\" }", "names its `models`"),
        ("speed: [fast], models: [a], instead: { input: \"1\" }", "does not follow the dates of the model `a`"),
        ("speed: [fast], models: [b], multiply: \"2\"", "names the model `b`, which is not listed"),
        ("hours: [\"5-6\"], multiply: \"2\"", "no span of hours"),
        ("weekdays: [], multiply: \"2\"", "leave no hour at all"),
        ("weekdays: [someday], multiply: \"2\"", "unknown variant `someday`"),
        ("speed: [fast, fast], multiply: \"2\"", "two rules for speed `fast` are for the model `a`"),
    ] {
        let body = format!(
            "    models: [{{ name: a, {two} }}]\n    price_rules: [{{ {rules}, source: s, seen: 2026-11-28 }}]"
        );
        let error = Catalog::parse(&yaml(&body)).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(expected), "{rules}: {error}");
    }
    let seen = "multiply: \"2\", source: s, seen: 2026-11-28";
    for (rules, expected) in [
        (format!("{{ hours: [\"00-02\"], {seen} }}, {{ weekdays: [sun], {seen} }}"), "hold at the same hour"),
        (format!("{{ speed: [fast], {seen} }}, {{ speed: [fast], {seen} }}"), "two rules for speed `fast`"),
        ("{ speed: [fast], multiply: \"2\", seen: 2026-11-28 }".to_owned(), "missing field `source`"),
        ("{ speed: [fast], multiply: \"2\", source: s, seen: x }".to_owned(), "`seen`: `x` is no day"),
    ] {
        let body = format!("    models: [{{ name: a, {two} }}]\n    price_rules: [{rules}]");
        let error = Catalog::parse(&yaml(&body)).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(expected), "{rules}: {error}");
    }
    let tool = "{ name: t, per_thousand: \"1\", source: s, seen: 2026-11-28 }";
    let body = format!("    models: [{{ name: a, price: {{}} }}]\n    tool_prices: [{tool}, {tool}]");
    assert!(Catalog::parse(&yaml(&body)).is_err_and(|error| error.to_string().contains("the tool `t`")));
}

#[test]
fn endpoints_are_appended_to_the_base_url() -> Result<(), CatalogError> {
    let catalog = Catalog::parse(&yaml(""))?;
    let spec = catalog.get("acme").expect("it is there");
    assert_eq!(spec.endpoint("/chat/completions"), "/chat/completions");
    assert_eq!(spec.host_root(), "https://api.acme.dev");
    let custom = ProviderSpec::custom(
        "own",
        "Own",
        "https://own.dev:8443".parse().expect("a URL"),
        AuthStyle::Bearer,
        vec!["m".to_owned()],
    );
    let apart = Catalog::parse(&yaml("    openai_path: /openai\n    capabilities: [chat, messages]"))?;
    let apart = apart.get("acme").expect("it is there");
    assert_eq!(apart.endpoint("/embeddings"), "/openai/embeddings");
    assert_eq!((apart.endpoint("/messages"), apart.chat_endpoint()), ("/messages".to_owned(), "/messages".to_owned()));
    assert_eq!(custom.host_root(), "https://own.dev:8443");
    assert!(custom.model("m").is_some_and(|model| model.price.is_none()));
    Ok(())
}
