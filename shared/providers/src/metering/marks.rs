//! Marks of an answer's state: finished, ended, failed. Most events have none of them, which is found without parsing.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::{Ending, Kind, answer::Answer};

/// The last event of every stream in OpenAI's shape.
const DONE: &[u8] = b"[DONE]";
/// Types of events that end a response or a message.
const TERMINAL: [&str; 9] = [
    "conversation.response.done",
    "message-end",
    "message_stop",
    "response.cancelled",
    "response.completed",
    "response.done",
    "response.failed",
    "response.incomplete",
    "stream-end",
];
/// Types of events that report an error.
const FAILED: [&str; 3] = ["conversation.response.error", "error", "response.failed"];
/// Finish reasons that mean an incomplete answer: at Cohere, DeepSeek, Mistral and OpenRouter.
const FAILED_REASONS: [&str; 5] = ["error", "error_limit", "error_toxic", "insufficient_system_resource", "timeout"];
const BEGUN: &str = "response.created";

static USAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"usage"));
static FINISH_REASON: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"finish_reason\""));
static FINISHED: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"finishReason\""));
static BLOCKED: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"blockReason\""));
static ERROR: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"error\""));
static TYPE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"type\""));
static MODEL: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"model\""));
static EVAL_COUNT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"eval_count\""));
static LAST: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"done\""));
static NUMBER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"sequence_number\""));

/// Marks seen so far.
#[derive(Default)]
pub(super) struct Marks {
    /// `true` if the figures are final.
    pub(super) is_finished: bool,
    pub(super) has_ended: bool,
    has_failed: bool,
    has_begun: bool,
    /// Number of the next event, in the Responses API.
    pub(super) next_number: u64,
}

impl Marks {
    /// Returns `true` if the data of an event is the end mark of the stream instead of a document.
    pub(super) fn is_end(&mut self, data: &[u8]) -> bool {
        let is_end = data == DONE;
        self.is_finished |= is_end;
        self.has_ended |= is_end;
        is_end
    }

    /// Notes the marks of an event.
    pub(super) fn see(&mut self, kind: Kind, event: &Answer) {
        let name = event.kind.0.as_deref().or(event.event_type.0.as_deref()).unwrap_or_default();
        let is_terminal = TERMINAL.contains(&name);
        let is_last = event.done.0 == Some(true) || event.is_finished.0 == Some(true);
        let has_reason = event.choices.0.iter().flat_map(|list| &list.0).any(|choice| choice.finish_reason.0.is_some())
            || event.candidates.0.iter().flat_map(|list| &list.0).any(|it| it.finish_reason.0.is_some())
            || event.prompt_feedback.0.as_ref().is_some_and(|feedback| feedback.block_reason.0.is_some());
        let stops = event
            .delta
            .0
            .as_ref()
            .is_some_and(|delta| delta.stop_reason.0.is_some() || delta.finish_reason.0.is_some());
        self.has_failed |= FAILED.contains(&name) || event.error.0.is_some() || stopped_short(event);
        self.has_ended |= is_terminal || is_last || has_reason;
        self.is_finished |= is_terminal || is_last || has_reason || stops;
        if kind == Kind::Session || kind == Kind::Responses {
            self.has_begun = (self.has_begun || name == BEGUN) && !is_terminal;
        }
    }

    /// Notes that the whole answer is one document, read to its end.
    pub(super) fn whole(&mut self, answer: &Answer) {
        (self.is_finished, self.has_ended) = (true, true);
        self.has_failed |= answer.error.0.is_some() || stopped_short(answer);
    }

    /// Notes the sequence number of an event, in the Responses API.
    pub(super) fn number(&mut self, data: &[u8]) {
        let digits = NUMBER.find(data).map(|at| value(&data[at + NUMBER.needle().len()..])).unwrap_or_default();
        let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
        let number = std::str::from_utf8(&digits[..end]).ok().and_then(|digits| digits.parse::<u64>().ok());
        self.next_number = number.map_or(self.next_number, |number| number.saturating_add(1));
    }

    pub(super) const fn is_under_way(&self) -> bool {
        self.has_begun
    }

    pub(super) const fn ending(&self, kind: Kind) -> Ending {
        match kind {
            _ if self.has_failed => Ending::Failed,
            Kind::Completion
            | Kind::Responses
            | Kind::Messages
            | Kind::Gemini
            | Kind::CohereChat
            | Kind::Conversations
                if !self.has_ended =>
            {
                Ending::Cut
            }
            _ => Ending::Whole,
        }
    }
}

/// Returns `true` if a finish reason says that the answer failed.
fn stopped_short(answer: &Answer) -> bool {
    let of_choices = answer.choices.0.iter().flat_map(|list| &list.0).map(|choice| &choice.finish_reason);
    let of_delta = answer.delta.0.iter().map(|delta| &delta.finish_reason);
    let reasons = of_choices.chain(of_delta).chain([&answer.finish_reason]).filter_map(|reason| reason.0.as_deref());
    reasons.into_iter().any(|reason| FAILED_REASONS.iter().any(|failed| failed.eq_ignore_ascii_case(reason)))
}

/// Returns `true` if an event can have figures or marks. Inside a text every quote is escaped, so a quoted name is a
/// name, or a text that consists of it.
pub(super) fn is_telling(kind: Kind, data: &[u8], wants_model: bool) -> bool {
    if USAGE.find_iter(data).any(|at| is_said(&data[at + 1..])) || ERROR.find(data).is_some() {
        return true;
    }
    match kind {
        Kind::Completion | Kind::CohereChat => {
            FINISH_REASON.find_iter(data).any(|at| is_said(&data[at + 1..]))
                || EVAL_COUNT.find(data).is_some()
                || LAST.find(data).is_some_and(|at| value(&data[at + LAST.needle().len()..]).starts_with(b"true"))
        }
        Kind::Gemini => FINISHED.find(data).is_some() || BLOCKED.find(data).is_some(),
        Kind::Messages | Kind::Responses | Kind::Session => is_mark(data),
        Kind::Conversations => is_mark(data) || wants_model && MODEL.find(data).is_some(),
        Kind::Embeddings | Kind::Counting | Kind::Other => EVAL_COUNT.find(data).is_some(),
    }
}

/// Returns `true` if the first `type` in an event is a mark. All shapes put it first; one that does not has figures in
/// the same events.
fn is_mark(data: &[u8]) -> bool {
    let Some(at) = TYPE.find(data) else { return false };
    let Some(name) = value(&data[at + TYPE.needle().len()..]).strip_prefix(b"\"") else { return false };
    let is = |mark: &str| name.strip_prefix(mark.as_bytes()).is_some_and(|rest| rest.starts_with(b"\""));
    is(BEGUN) || TERMINAL.into_iter().chain(FAILED).any(is)
}

/// Returns `true` if the field with this name has a value that is not null.
fn is_said(name: &[u8]) -> bool {
    let behind = memchr::memchr(b'"', name).map_or(&[][..], |end| &name[end + 1..]);
    behind.trim_ascii_start().starts_with(b":") && !value(behind).starts_with(b"null")
}

/// Returns the value behind a name.
fn value(behind_name: &[u8]) -> &[u8] {
    behind_name.trim_ascii_start().strip_prefix(b":").unwrap_or_default().trim_ascii_start()
}
