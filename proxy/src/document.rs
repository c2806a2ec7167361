//! The proxy's routes in the document. Their bodies have the provider's own shapes and are described in words;
//! authentication and Keyway's own errors are described here once.

use utoipa::openapi::{
    ContentBuilder, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder, Schema,
    path::{HttpMethod, Operation, OperationBuilder, ParameterBuilder, ParameterIn, PathItem},
    request_body::RequestBodyBuilder,
    response::Responses,
    schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type},
    security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
};

use crate::refusal;

/// Shape of a route's body and answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// JSON, or events where the body asks for a stream.
    Inference,
    /// JSON in and out.
    Json,
    /// JSON out.
    Read,
    /// A form with files.
    Form,
    /// JSON in, audio out.
    Sound,
    /// Bytes out.
    Bytes,
    /// A session over a WebSocket.
    WebSocket,
}

use HttpMethod::{Delete, Get, Patch, Post, Put};
use Shape::{Bytes, Form, Inference, Json, Read, Sound, WebSocket};

/// Method, path, operation, summary, and shape.
const ROUTES: &[(HttpMethod, &str, &str, &str, Shape)] = &[
    (
        Post,
        "/v1/chat/completions",
        "create_chat_completion",
        "Chat, in OpenAI's shape, routed by its model.",
        Inference,
    ),
    (Post, "/v1/completions", "create_completion", "Completions, in OpenAI's shape, routed by its model.", Inference),
    (Post, "/v1/embeddings", "create_embedding", "Embeddings, in OpenAI's shape, routed by its model.", Json),
    (Post, "/v1/moderations", "create_moderation", "Moderation, in OpenAI's shape.", Json),
    (
        Post,
        "/v1/responses",
        "create_response",
        "A response, in the shape of OpenAI's Responses API, routed by its model.",
        Inference,
    ),
    (Get, "/v1/responses", "open_responses_socket", "Responses over a WebSocket.", WebSocket),
    (Post, "/v1/responses/compact", "compact_response", "Compact a conversation.", Json),
    (Post, "/v1/responses/input_tokens", "count_response_tokens", "Count the input tokens of a response.", Json),
    (Get, "/v1/responses/{id}", "get_response", "Read a stored response.", Read),
    (Delete, "/v1/responses/{id}", "delete_response", "Delete a stored response.", Read),
    (Post, "/v1/responses/{id}/cancel", "cancel_response", "Cancel a response in the background.", Read),
    (Get, "/v1/responses/{id}/input_items", "list_response_input_items", "Read what a response was given.", Read),
    (Post, "/v1/conversations", "create_conversation", "Begin a conversation.", Json),
    (Get, "/v1/conversations/{id}", "get_conversation", "Read a conversation.", Read),
    (Post, "/v1/conversations/{id}", "update_conversation", "Change a conversation.", Json),
    (Delete, "/v1/conversations/{id}", "delete_conversation", "Delete a conversation.", Read),
    (Get, "/v1/conversations/{id}/items", "list_conversation_items", "Read a conversation's items.", Read),
    (Post, "/v1/conversations/{id}/items", "create_conversation_items", "Add items to a conversation.", Json),
    (Post, "/v1/images/generations", "create_image", "Make an image, routed by its model.", Inference),
    (Post, "/v1/images/edits", "edit_image", "Edit an image.", Form),
    (Post, "/v1/images/variations", "vary_image", "Vary an image.", Form),
    (Post, "/v1/audio/speech", "create_speech", "Speak a text.", Sound),
    (Post, "/v1/audio/transcriptions", "create_transcription", "Write down what is spoken.", Form),
    (Post, "/v1/audio/translations", "create_translation", "Translate what is spoken.", Form),
    (Post, "/v1/files", "upload_file", "Upload a file.", Form),
    (Get, "/v1/files", "list_files", "List files.", Read),
    (Get, "/v1/files/{id}", "get_file", "Describe a file.", Read),
    (Delete, "/v1/files/{id}", "delete_file", "Delete a file.", Read),
    (Get, "/v1/files/{id}/content", "get_file_content", "Read a file.", Bytes),
    (Post, "/v1/uploads", "create_upload", "Begin an upload in parts.", Json),
    (Post, "/v1/uploads/{id}/parts", "add_upload_part", "Add a part to an upload.", Form),
    (Post, "/v1/uploads/{id}/complete", "complete_upload", "Put the parts of an upload together.", Json),
    (Post, "/v1/uploads/{id}/cancel", "cancel_upload", "Cancel an upload.", Read),
    (Post, "/v1/batches", "create_batch", "Begin a batch.", Json),
    (Get, "/v1/batches", "list_batches", "List batches.", Read),
    (Get, "/v1/batches/{id}", "get_batch", "Read a batch.", Read),
    (Post, "/v1/batches/{id}/cancel", "cancel_batch", "Cancel a batch.", Read),
    (Get, "/v1/models", "list_callable_models", "List the models that the key's project can call.", Read),
    (Get, "/v1/models/{id}", "get_callable_model", "Describe a model that the key's project can call.", Read),
    (
        Get,
        "/v1/realtime",
        "open_realtime_session",
        "A realtime session, in OpenAI's shape, routed by `?model=`.",
        WebSocket,
    ),
    (Post, "/v1/messages", "create_message", "A message, in Anthropic's shape, routed by its model.", Inference),
    (
        Post,
        "/v1/messages/count_tokens",
        "count_message_tokens",
        "Count the tokens of a message, in Anthropic's shape.",
        Json,
    ),
    (
        Post,
        "/proxy/{provider}",
        "call_chat_endpoint",
        "Call a provider's chat endpoint with `{\"payload\": {...}}`.",
        Inference,
    ),
    (Post, "/proxy/{provider}/stream", "stream_chat_endpoint", "As without `/stream`, answered as events.", Inference),
    (Get, "/proxy/{provider}/{path}", "proxy_get", "Any endpoint of a provider, byte for byte.", Bytes),
    (Post, "/proxy/{provider}/{path}", "proxy_post", "Any endpoint of a provider, byte for byte.", Inference),
    (Put, "/proxy/{provider}/{path}", "proxy_put", "Any endpoint of a provider, byte for byte.", Json),
    (Patch, "/proxy/{provider}/{path}", "proxy_patch", "Any endpoint of a provider, byte for byte.", Json),
    (Delete, "/proxy/{provider}/{path}", "proxy_delete", "Any endpoint of a provider, byte for byte.", Read),
];

/// Headers that may carry the virtual key, one for each SDK's convention.
const SCHEMES: [(&str, Option<&str>); 4] = [
    ("virtual_key", None),
    ("virtual_key_x_api_key", Some("x-api-key")),
    ("virtual_key_api_key", Some("api-key")),
    ("virtual_key_x_goog_api_key", Some("x-goog-api-key")),
];

const SHAPES: &str = "Keyway's own answers carry `x-keyway-error` with their code, and are in the caller's shape: \
    OpenAI's `{\"error\": {\"message\", \"type\", \"param\", \"code\"}}`, at Anthropic's paths \
    `{\"type\": \"error\", \"error\": {\"type\", \"message\"}}`, at Google's `{\"error\": {\"code\", \"message\", \
    \"status\"}}`. All else is the provider's own answer.";

/// Adds the routes, and the four ways to send a virtual key.
pub fn describe(document: &mut OpenApi) {
    if let Some(components) = document.components.as_mut() {
        for (name, header) in SCHEMES {
            let scheme = match header {
                None => SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)),
                Some(header) => SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new(header))),
            };
            components.add_security_scheme(name, scheme);
        }
        let error = ObjectBuilder::new().description(Some(SHAPES)).build();
        components.schemas.insert(ERROR.to_owned(), RefOr::T(error.into()));
    }
    for (method, path, id, about, shape) in ROUTES {
        let item = PathItem::new(method.clone(), operation(path, id, about, *shape));
        document.paths.paths.entry((*path).to_owned()).or_default().merge_operations(item);
    }
}

/// Name of the schema of Keyway's own errors.
const ERROR: &str = "ProxyError";

fn operation(path: &str, id: &str, about: &str, shape: Shape) -> Operation {
    let mut operation = OperationBuilder::new()
        .tag("proxy")
        .operation_id(Some(id))
        .summary(Some(about))
        .description(Some(SHAPES))
        .responses(answers(shape))
        .securities(Some(SCHEMES.map(|(name, _)| SecurityRequirement::new(name, Vec::<String>::new()))));
    for (name, description) in [
        ("provider", "The provider's name."),
        ("path", "The provider's own path, with its slashes."),
        ("id", "The provider's own id."),
    ] {
        if path.contains(&format!("{{{name}}}")) {
            operation = operation.parameter(parameter(name, description, ParameterIn::Path));
        }
    }
    if path == "/v1/realtime" {
        operation = operation.parameter(parameter("model", "The model that the session is for.", ParameterIn::Query));
    }
    match shape {
        Inference | Json | Sound => {
            let content = ContentBuilder::new().schema(Some(object("The provider's own request."))).build();
            let body = RequestBodyBuilder::new().content("application/json", content).required(Some(Required::True));
            operation.request_body(Some(body.build())).build()
        }
        Form => {
            let content = ContentBuilder::new().schema(Some(object("The provider's own form."))).build();
            let body = RequestBodyBuilder::new().content("multipart/form-data", content).required(Some(Required::True));
            operation.request_body(Some(body.build())).build()
        }
        Read | Bytes | WebSocket => operation.build(),
    }
}

fn parameter(name: &str, description: &str, place: ParameterIn) -> utoipa::openapi::path::Parameter {
    let text = ObjectBuilder::new().schema_type(Type::String).build();
    let parameter = ParameterBuilder::new().name(name).parameter_in(place).required(Required::True);
    parameter.description(Some(description)).schema(Some(text)).build()
}

fn answers(shape: Shape) -> Responses {
    let mut answers = Responses::new();
    let json = || ContentBuilder::new().schema(Some(object("The provider's own answer."))).build();
    let bytes = || {
        let binary = ObjectBuilder::new().schema_type(Type::String);
        let binary = binary.format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary))).build();
        ContentBuilder::new().schema(Some(Schema::from(binary))).build()
    };
    let served = ResponseBuilder::new().description("the provider's answer, with its own status and headers");
    let served = match shape {
        Inference => {
            let text = ObjectBuilder::new().schema_type(Type::String).description(Some("Server-sent events.")).build();
            let events = ContentBuilder::new().schema(Some(text)).build();
            served.content("application/json", json()).content("text/event-stream", events)
        }
        Json | Read | Form => served.content("application/json", json()),
        Sound | Bytes => served.content("application/octet-stream", bytes()),
        WebSocket => served.description("the connection goes on as a WebSocket"),
    };
    let status = if shape == WebSocket { "101" } else { "200" };
    answers.responses.insert(status.to_owned(), RefOr::T(served.build()));
    for (status, codes) in refusal::statuses() {
        let description = format!("Keyway's own: `{}`; or the provider's", codes.join("`, `"));
        answers.responses.insert(status.to_string(), RefOr::T(failure(&description)));
    }
    answers
}

fn failure(description: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(ERROR))).build();
    ResponseBuilder::new().description(description).content("application/json", content).build()
}

fn object(description: &str) -> Schema {
    ObjectBuilder::new().schema_type(Type::Object).description(Some(description)).build().into()
}
