//! The model that a caller names in a message on a WebSocket, if neither path nor query names it.

use serde::Deserialize;

use crate::lenient::{Maybe, Object, Text};

/// Returns the model in the message that opens a live session or asks for a response: in Google's `setup`, OpenAI's
/// `session` and `response`, or a top-level `model`.
#[must_use]
pub fn session_model(message: &[u8]) -> Option<String> {
    let opening: Maybe<Opening> = serde_json::from_slice(message).ok()?;
    let Opening { model, setup, session, response } = opening.0?;
    let inner = [setup, session, response].into_iter().find_map(|part| part.0?.model.0);
    let model = model.0.or(inner)?;
    Some(model.strip_prefix("models/").map(str::to_owned).unwrap_or(model))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Opening {
    model: Text,
    setup: Maybe<Part>,
    session: Maybe<Part>,
    response: Maybe<Part>,
}

#[derive(Default, Deserialize)]
struct Part {
    #[serde(default)]
    model: Text,
}

impl Object for Opening {}
impl Object for Part {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_names_its_model_where_its_provider_wants_it() {
        for (message, model) in [
            (r#"{"setup":{"model":"models/gemini-live","generationConfig":{}}}"#, Some("gemini-live")),
            (r#"{"setup":{"model":"gemini-live"}}"#, Some("gemini-live")),
            (r#"{"type":"response.create","model":"gpt-5.4","input":[]}"#, Some("gpt-5.4")),
            (r#"{"type":"response.create","response":{"model":"gpt-5.4"}}"#, Some("gpt-5.4")),
            (r#"{"type":"session.update","session":{"model":"gpt-realtime"}}"#, Some("gpt-realtime")),
            (r#"{"setup":{"model":7}}"#, None),
            (r#"{"setup":[]}"#, None),
            (r#"{"clientContent":{"turns":[]}}"#, None),
            ("{", None),
        ] {
            assert_eq!(session_model(message.as_bytes()).as_deref(), model, "{message}");
        }
    }
}
