//! Figures in Gemini's own shape: cumulative in a stream, so that the last ones count. A count of 0 is left out, so
//! only the total tells "none" from "unknown".

use keyway_domain::{PriceTerms, TokenCounts};
use serde::Deserialize;

use super::{is_readable, usage::ordinary};
use crate::lenient::{Count, List, Maybe, Object, Present, Text};

/// `usageMetadata` of an answer, of an event, or of a message of a live session.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GeminiUsage {
    /// Prompt tokens, cached ones included.
    #[serde(default)]
    prompt_token_count: Count,
    #[serde(default)]
    cached_content_token_count: Count,
    /// Tokens that tools put into the context; not part of the prompt's count.
    #[serde(default)]
    tool_use_prompt_token_count: Count,
    /// Output tokens without thoughts.
    #[serde(default)]
    candidates_token_count: Count,
    /// Output tokens in live sessions.
    #[serde(default)]
    response_token_count: Count,
    #[serde(default)]
    thoughts_token_count: Count,
    #[serde(default)]
    total_token_count: Count,
    #[serde(default)]
    prompt_tokens_details: Maybe<List<Share>>,
    /// `prompt_tokens_details` in answers to embeddings.
    #[serde(default)]
    prompt_token_details: Maybe<List<Share>>,
    #[serde(default)]
    cache_tokens_details: Maybe<List<Share>>,
    #[serde(default)]
    candidates_tokens_details: Maybe<List<Share>>,
    #[serde(default)]
    response_tokens_details: Maybe<List<Share>>,
    /// Vertex AI's service tier: `ON_DEMAND`, `ON_DEMAND_PRIORITY`, `PROVISIONED_THROUGHPUT`.
    #[serde(default)]
    traffic_type: Text,
    /// AI Studio's service tier: `standard`, `flex`, `priority`.
    #[serde(default)]
    service_tier: Text,
}

/// Number of tokens of one modality: text, audio, images and so on.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Share {
    #[serde(default)]
    modality: Text,
    #[serde(default)]
    token_count: Option<Count>,
}

/// One of the alternative answers.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Candidate {
    #[serde(default)]
    pub(super) finish_reason: Text,
    #[serde(default)]
    grounding_metadata: Maybe<Grounding>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Grounding {
    #[serde(default)]
    web_search_queries: Maybe<List<Present>>,
    #[serde(default)]
    grounding_chunks: Maybe<List<Chunk>>,
}

#[derive(Default, Deserialize)]
struct Chunk {
    #[serde(default)]
    maps: Maybe<Present>,
}

impl Object for GeminiUsage {}
impl Object for Share {}
impl Object for Candidate {}
impl Object for Grounding {}
impl Object for Chunk {}

impl GeminiUsage {
    /// Returns the figures in the normal form.
    pub(super) fn tokens(&self) -> TokenCounts {
        let tools = self.tool_use_prompt_token_count.0.unwrap_or(0);
        let input = self.prompt_token_count.0.and_then(|prompt| prompt.checked_add(tools));
        let thoughts = self.thoughts_token_count.0;
        let beyond_input = || self.total_token_count.0?.checked_sub(input?).filter(|count| *count >= 0);
        let output = match self.candidates_token_count.0.or(self.response_token_count.0) {
            Some(count) => count.checked_add(thoughts.unwrap_or(0)),
            None => beyond_input(),
        };
        let heard = audio(&self.prompt_tokens_details).or(audio(&self.prompt_token_details));
        let spoken = audio(&self.candidates_tokens_details).or(audio(&self.response_tokens_details));
        let cached_heard = audio(&self.cache_tokens_details);
        TokenCounts {
            input: input.filter(|_| is_readable(heard) && is_readable(cached_heard)),
            cached_input: self.cached_content_token_count.0,
            output: output.filter(|_| is_readable(spoken)),
            reasoning: thoughts,
            audio_input: heard.and_then(|count| count.0),
            // What was cached is told apart by its kinds or not at all.
            cached_audio_input: match (cached_heard, &self.cache_tokens_details.0) {
                (Some(count), _) => count.0,
                (None, details) => details.as_ref().map(|_| 0),
            },
            audio_output: spoken.and_then(|count| count.0),
            ..TokenCounts::default()
        }
    }

    /// Returns the service tier, if the answer states one; `Some(None)` is the ordinary one.
    pub(super) fn service_tier(&self) -> Option<Option<String>> {
        let traffic = self.traffic_type.0.as_deref().map(|kind| {
            let kind = kind.strip_prefix("ON_DEMAND").unwrap_or(kind).trim_start_matches('_');
            kind.to_ascii_lowercase()
        });
        self.service_tier.0.clone().or(traffic).map(ordinary)
    }
}

/// Adds the searches that grounded an answer, and its uses of maps.
pub(super) fn grounded(candidates: &[Candidate], tokens: &mut TokenCounts, terms: &mut PriceTerms) {
    let grounding = || candidates.iter().filter_map(|candidate| candidate.grounding_metadata.0.as_ref());
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let queries: usize = grounding().filter_map(|it| it.web_search_queries.0.as_ref()).map(|list| list.0.len()).sum();
    if queries > 0 {
        // Later events of a stream repeat what earlier ones said.
        tokens.web_searches = tokens.web_searches.max(Some(count(queries)));
    }
    let has_maps = |it: &Grounding| it.grounding_chunks.0.iter().flat_map(|list| &list.0).any(|it| it.maps.0.is_some());
    let maps = grounding().filter(|it| has_maps(it)).count();
    if maps > 0 {
        terms.tools.insert("google_maps".to_owned(), count(maps));
    }
}

/// Returns the audio tokens. A count of 0 is left out by the provider.
fn audio(shares: &Maybe<List<Share>>) -> Option<Count> {
    let share = shares.0.as_ref()?.0.iter().find(|share| share.modality.0.as_deref() == Some("AUDIO"))?;
    Some(share.token_count.unwrap_or(Maybe(Some(0))))
}
