//! The place of each figure in an answer.

use keyway_domain::{PriceTerms, TokenCounts};

use super::{
    answer::{Answer, Item},
    gemini,
    usage::{Over, Usage, ordinary},
};
use crate::OutputTokens;

/// Tools that are charged by tokens alone, or that run on the caller's side.
const FREE_CALLS: [&str; 10] = [
    "apply_patch_call",
    "computer_call",
    "custom_tool_call",
    "function_call",
    "local_shell_call",
    "mcp_call",
    "shell_call",
    "tool_call",
    "tool_search_call",
    "web_search_call",
];
const SEARCH: &str = "web_search_call";
/// Longest accepted id in bytes.
const MAX_ID_BYTES: usize = 200;

/// Returns the `usage` object, wherever the provider puts it.
pub(super) fn usage(answer: &Answer) -> Option<&Usage> {
    fn own(answer: &Answer) -> Option<&Usage> {
        answer.usage.0.as_ref().or(answer.meta.0.as_ref())
    }
    let of_choice = || answer.choices.0.iter().flat_map(|list| &list.0).find_map(|choice| choice.usage.0.as_ref());
    own(answer)
        .or_else(|| own(answer.response.0.as_ref()?))
        .or_else(|| own(answer.message.0.as_ref()?))
        .or_else(|| answer.delta.0.as_ref()?.usage.0.as_ref())
        .or_else(|| answer.x_groq.0.as_ref()?.usage.0.as_ref())
        .or_else(of_choice)
}

/// Returns the answer's tokens, merged over those of earlier events.
pub(super) fn tokens(answer: &Answer, before: TokenCounts, output: OutputTokens, is_message: bool) -> TokenCounts {
    if let Some(usage) = usage(answer).filter(|usage| !usage.is_transcription()) {
        return usage.over(before, output, is_message);
    }
    if let Some(usage) = &answer.usage_metadata.0 {
        return usage.tokens().over(before);
    }
    let counts = (answer.prompt_eval_count.0, answer.eval_count.0);
    if let (input @ Some(_), output) | (input, output @ Some(_)) = counts {
        return TokenCounts { input, output, ..TokenCounts::default() }.over(before);
    }
    let embedded = answer.predictions.0.as_ref().map(|list| list.0.iter().map(|it| it.tokens()));
    if let Some(input) = embedded.and_then(Iterator::sum::<Option<i64>>) {
        return TokenCounts { input: Some(input), ..TokenCounts::default() }.over(before);
    }
    before
}

/// Adds the answer's price terms, and the uses of tools that are charged by number.
pub(super) fn terms(answer: &Answer, tokens: &mut TokenCounts, terms: &mut PriceTerms) {
    let inner = answer.response.0.as_deref();
    for tier in [&answer.service_tier.0, &inner.and_then(|inner| inner.service_tier.0.clone())].into_iter().flatten() {
        terms.service_tier = ordinary(tier.clone());
    }
    if let Some(usage) = usage(answer) {
        usage.terms_over(terms);
        if usage.is_transcription() {
            // Another model than the session's made it.
            *terms.tools.entry("transcription".to_owned()).or_default() += 1;
        }
    }
    if let Some(tier) = answer.usage_metadata.0.as_ref().and_then(gemini::GeminiUsage::service_tier) {
        terms.service_tier = tier;
    }
    if let Some(candidates) = &answer.candidates.0 {
        gemini::grounded(&candidates.0, tokens, terms);
    }
    let items = answer.output.0.as_ref().or_else(|| inner?.output.0.as_ref());
    if let Some(items) = items {
        used(&items.0, tokens, terms);
    }
    let ran = answer.choices.0.iter().flat_map(|list| &list.0).filter_map(|choice| choice.message.0.as_ref());
    let ran = ran.filter_map(|message| message.executed_tools.0.as_ref()).flat_map(|list| &list.0);
    for tool in ran.filter_map(|item| item.kind.0.clone()) {
        *terms.tools.entry(tool).or_default() += 1;
    }
}

/// Returns the id of the answer, or of the response in an event.
pub(super) fn id(answer: &Answer) -> Option<String> {
    answer.response.0.as_ref().and_then(|inner| inner.id.0.clone()).or_else(|| answer.id.0.clone())
}

/// Returns the id of an answer that was made in the background and has ended, which can be read again and again.
pub(super) fn answer_id(answer: &Answer) -> Option<String> {
    let inner = answer.response.0.as_deref().unwrap_or(answer);
    let is_over = matches!(inner.status.0.as_deref(), Some("completed" | "incomplete" | "failed" | "cancelled"));
    let is_id = |id: &String| id.len() <= MAX_ID_BYTES && id.bytes().all(|byte| byte.is_ascii_graphic());
    inner.id.0.clone().filter(is_id).filter(|_| is_over && inner.background.0 == Some(true))
}

/// Returns the model that the answer names.
pub(super) fn model(answer: Answer) -> Option<String> {
    let of_items = |answer: &Answer| {
        answer.outputs.0.iter().chain(&answer.output.0).flat_map(|list| &list.0).find_map(|item| item.model.0.clone())
    };
    let of_parts = of_items(&answer);
    let inner = |part: Option<Box<Answer>>| part.and_then(|part| part.model.0);
    let named = answer.model.0.or(answer.model_version.0);
    let named = named.or_else(|| inner(answer.response.0)).or_else(|| inner(answer.message.0)).or(of_parts)?;
    // Google's endpoints of OpenAI's shape name it by its path.
    Some(named.strip_prefix("models/").map(str::to_owned).unwrap_or(named))
}

/// Counts web searches, and other charged uses of tools. Pages opened or searched after a search do not count.
fn used(items: &[Item], tokens: &mut TokenCounts, terms: &mut PriceTerms) {
    let kind = |item: &Item| item.kind.0.clone().unwrap_or_default();
    let is_search = |item: &&Item| {
        let action = item.action.0.as_ref().and_then(|action| action.kind.0.as_deref());
        kind(item) == SEARCH && action.is_none_or(|action| action == "search")
    };
    let searches = items.iter().filter(is_search).count();
    if searches > 0 {
        tokens.web_searches = i64::try_from(searches).ok();
    }
    let mut tools = std::collections::BTreeMap::new();
    for kind in items.iter().map(kind).filter(|kind| !FREE_CALLS.contains(&kind.as_str())) {
        if let Some(tool) = kind.strip_suffix("_call") {
            *tools.entry(tool.to_owned()).or_default() += 1;
        }
    }
    terms.tools.extend(tools);
}
