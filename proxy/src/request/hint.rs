//! The base URL that serves a path, for a caller with a wrong one: most SDKs are first configured wrongly, and report
//! only 404.

use std::borrow::Cow;

/// Beginnings of providers' own paths, with the base URL that serves them. The first match counts.
const BEGINNINGS: &[(&str, &str)] = &[
    ("/v1beta/", "/proxy/gemini"),
    ("/v1alpha/", "/proxy/gemini"),
    ("/upload/v1", "/proxy/gemini"),
    ("/openai/deployments/", "/proxy/azure_openai"),
    ("/openai/v1", "/proxy/groq"),
    ("/api/v1/", "/proxy/openrouter"),
    ("/anthropic/", "/proxy/deepseek"),
    ("/compatibility/v1", "/proxy/cohere"),
    ("/v2/", "/proxy/cohere"),
    ("/v1/fim/", "/proxy/mistral"),
    ("/v1/agents/", "/proxy/mistral"),
    ("/v1/ocr", "/proxy/mistral"),
    ("/v1/rerank", "/proxy/cohere"),
    ("/v1/complete", "/proxy/anthropic"),
    ("/v1/organizations/", "/proxy/anthropic"),
];
/// Endpoints of OpenAI's and Anthropic's shape, which are below `/v1`.
const ENDPOINTS: [&str; 13] = [
    "/audio",
    "/batches",
    "/chat/completions",
    "/completions",
    "/conversations",
    "/embeddings",
    "/files",
    "/images",
    "/messages",
    "/models",
    "/moderations",
    "/realtime",
    "/responses",
];

/// Returns the message for a path without a route.
pub(crate) fn for_path(path: &str) -> Cow<'static, str> {
    let unversioned = path.strip_prefix("/v1/v1").or_else(|| path.strip_prefix("/v1beta/v1"));
    if unversioned.is_some() || (!path.starts_with("/v1") && is_endpoint(path)) {
        return "no route has this path; the base URL for it ends in /v1, once: http://<this host>/v1".into();
    }
    if let Some((_, base)) = BEGINNINGS.iter().find(|(beginning, _)| path.starts_with(beginning)) {
        return format!("no route has this path; the base URL for it is http://<this host>{base}").into();
    }
    if path.starts_with("/v1/") {
        return "no route has this path; a provider's other endpoints are below /proxy/<provider>, as in \
                http://<this host>/proxy/openai/v1; see /api/docs"
            .into();
    }
    "no route has this path; base URLs are http://<this host>/v1 and http://<this host>/proxy/<provider>; see /api/docs"
        .into()
}

/// Returns `true` if a caller means the path for a provider, so that it gets an error in a provider's shape.
pub(crate) fn is_meant_for_a_provider(path: &str) -> bool {
    match path.strip_prefix("/api/v1") {
        // The management API's own, beside what OpenRouter has there.
        Some(rest) => is_endpoint(rest),
        None => {
            path.starts_with("/v1")
                || is_endpoint(path)
                || BEGINNINGS.iter().any(|(beginning, _)| path.starts_with(beginning))
        }
    }
}

fn is_endpoint(path: &str) -> bool {
    ENDPOINTS
        .iter()
        .any(|endpoint| path.strip_prefix(endpoint).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_base_url_is_told_the_right_one() {
        for (path, expected) in [
            ("/chat/completions", "ends in /v1, once"),
            ("/responses", "ends in /v1, once"),
            ("/v1/v1/chat/completions", "ends in /v1, once"),
            ("/v1beta/models/gemini:generateContent", "/proxy/gemini"),
            ("/openai/v1/chat/completions", "/proxy/groq"),
            ("/openai/deployments/x/chat/completions", "/proxy/azure_openai"),
            ("/v2/chat", "/proxy/cohere"),
            ("/v1/fim/completions", "/proxy/mistral"),
            ("/api/v1/chat/completions", "/proxy/openrouter"),
            ("/v1/unknown", "/proxy/openai/v1"),
            ("/nothing", "/proxy/<provider>"),
        ] {
            assert!(for_path(path).contains(expected), "{path}: {}", for_path(path));
        }
        for (path, expected) in [
            ("/v2/chat", true),
            ("/chat/completions", true),
            ("/api/v1/chat/completions", true),
            ("/api/v1/projects", false),
            ("/api/docs", false),
            ("/", false),
        ] {
            assert_eq!(is_meant_for_a_provider(path), expected, "{path}");
        }
    }
}
