use super::*;

#[test]
fn names_are_split_at_the_first_slash_and_come_back_as_they_were() {
    for (name, provider, model) in [
        ("openai/gpt-5-mini", Provider::OpenAi, "gpt-5-mini"),
        ("openai/meta-llama/Llama-3.1-8B", Provider::OpenAi, "meta-llama/Llama-3.1-8B"),
        ("openai/ft:gpt-4o:org::id", Provider::OpenAi, "ft:gpt-4o:org::id"),
        ("anthropic/claude-sonnet-5-5", Provider::Anthropic, "claude-sonnet-5-5"),
        ("gemini/gemini-3.5-flash", Provider::Gemini, "gemini-3.5-flash"),
        ("tollgate/extractive", Provider::Tollgate, "extractive"),
    ] {
        let parsed = ModelRef::parse(name).unwrap();
        assert_eq!((parsed.provider, parsed.model.as_str()), (provider, model));
        assert_eq!(parsed.to_string(), name);
    }
}

#[test]
fn names_that_lead_nowhere_are_unknown() {
    let long = format!("openai/{}", "a".repeat(201));
    for name in [
        "",
        "gpt-5",
        "openai/",
        "OpenAI/gpt-5",
        "mistral/large",
        "tollgate/other",
        "openai/a b",
        "openai/a\nb",
        "gemini/ü",
        &long,
    ] {
        let error = ModelRef::parse(name).unwrap_err();
        assert!(error.to_string().contains("does not exist"), "{name}");
        assert!(!error.name.contains('\n') && error.name.len() <= 100);
    }
}

#[test]
fn the_list_has_the_configured_providers_and_always_the_extractive_model() {
    let list: serde_json::Value = serde_json::from_str(&models_list(&[Provider::Gemini], 7)).unwrap();
    assert_eq!(list["object"], "list");
    let data = list["data"].as_array().unwrap();
    let owners: std::collections::BTreeSet<&str> =
        data.iter().map(|model| model["owned_by"].as_str().unwrap()).collect();
    assert_eq!(owners.into_iter().collect::<Vec<_>>(), ["gemini", "tollgate"]);
    for model in data {
        assert_eq!((&model["object"], &model["created"]), (&"model".into(), &7.into()));
        assert!(ModelRef::parse(model["id"].as_str().unwrap()).is_ok());
    }
    let none: serde_json::Value = serde_json::from_str(&models_list(&[], 7)).unwrap();
    assert_eq!(none["data"].as_array().unwrap().len(), 1);
    assert_eq!(none["data"][0]["id"], "tollgate/extractive");
}
