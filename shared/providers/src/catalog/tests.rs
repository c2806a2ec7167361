//! The compiled-in catalog, and what a models file is refused for.

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
    assert_ne!(version("    models: [{ name: a, price: { input: \"1.1\" } }, { name: b }]")?, base);
    Ok(())
}

#[test]
fn a_faulty_file_is_refused_with_a_sentence_that_names_the_fault() {
    for (body, expected) in [
        ("    colour: red", "unknown field `colour`"),
        ("    openai_path: openai/", "`openai_path` starts with a slash"),
        ("    models: [{ name: a, prices: {} }]", "unknown field `prices`"),
        ("    models: [{ name: a }, { name: a }]", "model `a` is there twice"),
        ("    models: [{ name: a, price: { input: 1.5e-1 } }]", "not \"1.5e-1\""),
        ("    models: [{ name: a, price: { input: [1] } }]", "a price is US dollars"),
        ("    models: [{ name: a, price: { input: \"-1\" } }]", "not \"-1\""),
        ("    models: [{ name: a, price: { input: \"0.0000000001\" } }]", "at most 9 decimals"),
        ("    models: [{ name: a, price: { input: \"1000.1\" } }]", "a price of $1000.1"),
        ("    models: [{ name: a, price: { input: \"1\", cached_input: \"1.1\" } }]", "costs more than `input`"),
        ("    models: [{ name: \"\" }]", "no name"),
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
