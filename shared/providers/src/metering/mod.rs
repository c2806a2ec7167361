//! Reads the figures in an answer, whole or streamed, in the shape of any provider at any provider's path.
//!
//! Keeps none of an answer's content, whatever its length. A figure of an unexpected kind is unknown, not 0; so is the
//! usage of a stream that broke off before it stated it.

mod answer;
mod document;
mod failure;
mod fields;
mod gemini;
mod marks;
mod pick;
mod session;
mod usage;

use keyway_domain::{NanoUsd, PriceTerms, TokenCounts};

use self::{answer::Answer, marks::Marks, usage::Usage};
use crate::{
    OutputTokens, ProviderSpec,
    lenient::{Count, Maybe},
};

pub use document::{Document, JsonBody};
pub use failure::failed_with;
pub use session::session_model;
pub(crate) use usage::CacheCreation;

/// Figures of one answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metered {
    /// Model that the provider says it used.
    pub model: Option<String>,
    /// Tokens as counted by the provider.
    pub tokens: TokenCounts,
    /// Price terms beside tokens.
    pub terms: PriceTerms,
    /// Charge in nano-USD that the answer states, if any.
    pub cost_nano_usd: Option<NanoUsd>,
    /// Id of an answer made in the background, which can be read more than once.
    pub answer_id: Option<String>,
}

/// End of an answer, by its own shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Complete by its shape, or in a shape without a known end mark.
    Whole,
    /// Without the end mark of its shape.
    Cut,
    /// With an error of the provider.
    Failed,
}

/// Reads the figures of one answer: of a document, or event by event.
pub struct Figures {
    output_tokens: OutputTokens,
    states_charge: bool,
    kind: Kind,
    so_far: Metered,
    marks: Marks,
    id: Option<String>,
    /// `true` if an earlier call made the answer, and it is only read again.
    is_reread: bool,
}

/// Endpoint of a call, from its path: decides the shape of the answer, and the kinds of tokens it cannot use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Completion,
    Responses,
    Messages,
    Gemini,
    CohereChat,
    Conversations,
    /// A WebSocket with many answers.
    Session,
    /// Uses input tokens only.
    Embeddings,
    /// Uses no tokens.
    Counting,
    Other,
}

impl Figures {
    /// Builds a reader of the answer to a call of `path` at a provider.
    #[must_use]
    pub fn new(spec: &ProviderSpec, path: &str) -> Self {
        Self {
            output_tokens: spec.output_tokens,
            states_charge: spec.states_charge,
            kind: Kind::of(path),
            so_far: Metered::default(),
            marks: Marks::default(),
            id: None,
            is_reread: false,
        }
    }

    /// Builds a reader of an answer that an earlier call made. It has used nothing now, unless it was made in the
    /// background: then its figures were never read before.
    #[must_use]
    pub fn of_reread(spec: &ProviderSpec, path: &str) -> Self {
        Self { is_reread: true, ..Self::new(spec, path) }
    }

    /// Reads the data of one event, or one of several documents; returns `true` if it has figures. Cheap for those
    /// without.
    pub fn event(&mut self, data: &[u8]) -> bool {
        if self.marks.is_end(data) {
            return false;
        }
        if self.kind == Kind::Responses {
            self.marks.number(data);
        }
        if !marks::is_telling(self.kind, data, self.so_far.model.is_none()) {
            return false;
        }
        let Some(answer) = parsed(data) else { return false };
        self.marks.see(self.kind, &answer);
        let is_final = match self.kind {
            // The chunk that states the figures of all others.
            Kind::Completion => answer.choices.0.as_ref().is_some_and(|choices| choices.0.is_empty()),
            Kind::Embeddings | Kind::Other => !is_anthropic(&answer),
            _ => false,
        };
        let has_figures = self.read(answer);
        self.marks.is_finished |= is_final && has_figures;
        has_figures
    }

    /// Reads a whole answer that is one document.
    pub fn document(&mut self, json: &[u8]) {
        if let Some(answer) = parsed(json) {
            self.answer(answer);
        }
    }

    /// Reads bytes that are exactly one object; returns `false`, and reads nothing, if they are not.
    fn whole(&mut self, json: &[u8]) -> bool {
        let is_object = json.trim_ascii_start().starts_with(b"{");
        let Some(Ok(Maybe(Some(answer)))) = is_object.then(|| serde_json::from_slice(json)) else { return false };
        self.answer(answer);
        true
    }

    fn answer(&mut self, answer: Answer) {
        // A stream that ended behind its first document.
        let is_part = answer.event_type.0.is_some() || answer.done.0 == Some(false);
        if is_part {
            self.marks.see(self.kind, &answer);
        } else {
            self.marks.whole(&answer);
        }
        if self.kind == Kind::Counting {
            self.counted(&answer);
        } else {
            self.read(answer);
        }
    }

    /// Returns how the answer ended. Call it once the whole answer was read.
    #[must_use]
    pub fn ending(&self) -> Ending {
        self.marks.ending(self.kind)
    }

    /// Returns `true` if a session has an answer under way in this direction.
    #[must_use]
    pub const fn is_under_way(&self) -> bool {
        self.marks.is_under_way()
    }

    /// Returns `true` if an answer has ended.
    #[must_use]
    pub const fn has_answered(&self) -> bool {
        self.marks.has_ended
    }

    /// Returns the id of the answer, or of the response in its events.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Returns the answer's next sequence number, if its events are numbered.
    #[must_use]
    pub const fn next_number(&self) -> u64 {
        self.marks.next_number
    }

    /// Returns the figures of the answer. Output and cost of an answer that was not finished are unknown, and so are
    /// the figures of an answer that has only zeros.
    #[must_use]
    pub fn take(&mut self) -> Metered {
        let mut metered = std::mem::take(&mut self.so_far);
        if self.is_reread && metered.answer_id.is_none() {
            return Metered::default();
        }
        let tokens = &mut metered.tokens;
        if !self.marks.is_finished {
            (tokens.output, tokens.reasoning, tokens.audio_output) = (None, None, None);
            metered.cost_nano_usd = None;
        }
        if self.kind != Kind::Counting && uses_nothing(&metered.tokens) {
            metered.tokens = TokenCounts::default();
            metered.cost_nano_usd = metered.cost_nano_usd.filter(|cost| *cost > 0);
        }
        metered
    }

    /// Works like [`Self::take`], for answers of a session that are read one after the other and add up.
    pub fn add_to(&mut self, sum: &mut Metered) {
        if self.so_far == Metered::default() {
            return;
        }
        self.marks.is_finished = true;
        let is_first = sum.tokens == TokenCounts::default();
        let found = self.take();
        let cost = if is_first { found.cost_nano_usd } else { both(sum.cost_nano_usd, found.cost_nano_usd) };
        for (tool, count) in found.terms.tools {
            *sum.terms.tools.entry(tool).or_default() += count;
        }
        sum.terms.service_tier = found.terms.service_tier.or(sum.terms.service_tier.take());
        sum.model = found.model.or(sum.model.take());
        (sum.tokens, sum.cost_nano_usd) = (sum.tokens.plus(found.tokens), cost);
    }

    fn counted(&mut self, answer: &Answer) {
        if answer.input_tokens.0.or(answer.total_tokens.0).is_none() {
            return;
        }
        self.so_far.tokens = TokenCounts { input: Some(0), output: Some(0), ..TokenCounts::default() };
        self.so_far.cost_nano_usd = Some(0);
    }

    /// Merges the fields of an answer; returns `true` if it has figures.
    fn read(&mut self, answer: Answer) -> bool {
        let is_message = self.kind == Kind::Messages || is_anthropic(&answer);
        let before = self.so_far.tokens;
        let mut tokens = fields::tokens(&answer, before, self.output_tokens, is_message);
        if self.kind == Kind::Embeddings && tokens.input.is_some() {
            // The shape of embeddings has no output count because there is no output to count.
            tokens.output = tokens.output.or(Some(0));
        }
        fields::terms(&answer, &mut tokens, &mut self.so_far.terms);
        let has_figures = tokens != before;
        self.so_far.tokens = tokens;
        let charge = fields::usage(&answer).and_then(Usage::cost_nano_usd);
        // A charge is one only where the provider is known to state it, in US dollars.
        self.so_far.cost_nano_usd = charge.filter(|_| self.states_charge).or(self.so_far.cost_nano_usd);
        self.id = fields::id(&answer).or(self.id.take());
        self.so_far.answer_id = fields::answer_id(&answer).or(self.so_far.answer_id.take());
        self.so_far.model = fields::model(answer).or(self.so_far.model.take());
        has_figures
    }
}

impl Kind {
    fn of(path: &str) -> Self {
        let last = path.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
        match last {
            "completions" => Self::Completion,
            "messages" => Self::Messages,
            "embeddings" | "embedContent" | "batchEmbedContents" | "embed" => Self::Embeddings,
            "count_tokens" | "countTokens" | "input_tokens" => Self::Counting,
            "generateContent" | "streamGenerateContent" => Self::Gemini,
            "chat" => Self::CohereChat,
            "realtime" => Self::Session,
            _ if path.contains("/responses") => Self::Responses,
            _ if path.contains("/conversations") => Self::Conversations,
            _ => Self::Other,
        }
    }
}

fn parsed(json: &[u8]) -> Option<Answer> {
    let first = serde_json::Deserializer::from_slice(json).into_iter::<Maybe<Answer>>().next();
    first.and_then(Result::ok)?.0
}

fn is_anthropic(answer: &Answer) -> bool {
    matches!(answer.kind.0.as_deref(), Some("message" | "message_start" | "message_delta"))
}

fn uses_nothing(tokens: &TokenCounts) -> bool {
    let beside = [tokens.search_units, tokens.web_searches];
    tokens.input == Some(0) && tokens.output.unwrap_or(0) == 0 && beside.iter().all(|count| count.unwrap_or(0) == 0)
}

fn both(a: Option<NanoUsd>, b: Option<NanoUsd>) -> Option<NanoUsd> {
    a?.checked_add(b?)
}

/// Returns `true` if the count of a dearer kind is readable or absent: otherwise the price of the whole is unknown.
fn is_readable(dearer: Option<Count>) -> bool {
    dearer.is_none_or(|count| count.0.is_some())
}

#[cfg(test)]
mod tests;
