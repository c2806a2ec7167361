//! Endpoints of OpenAI's shape: what a provider has to speak to serve one, and which of them OpenRouter may have.

use keyway_providers::Capability;

/// Name of OpenRouter in the catalog.
pub(crate) const OPENROUTER: &str = "openrouter";
/// OpenAI-shaped endpoints that OpenRouter may serve, as far as the catalog lists them; longest first, because an
/// endpoint is found by the end of a path.
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
