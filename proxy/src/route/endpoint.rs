//! Endpoints of OpenAI's shape: what a provider has to speak to serve one, and which of them OpenRouter may have.

use keyway_providers::Capability;

/// The provider of the catalog that is asked.
pub(crate) const OPENROUTER: &str = "openrouter";
/// What OpenRouter may have of OpenAI's shape, as far as the catalog says that it can; longest first, because an
/// endpoint is found by how a path ends.
pub(crate) const ENDPOINTS: [&str; 3] = ["/chat/completions", "/completions", "/embeddings"];

/// Names what a provider has to speak to serve an endpoint.
pub(crate) fn shape(path: &str) -> Capability {
    match path {
        "/embeddings" => Capability::Embeddings,
        "/completions" => Capability::Completions,
        path if path.starts_with("/messages") => Capability::Messages,
        _ => Capability::Chat,
    }
}
