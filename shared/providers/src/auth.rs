//! Authentication of requests to providers. The key goes into one header, marked sensitive, and nowhere else.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use keyway_vault::{ProviderSecret, SecretString};
use url::Url;

use crate::{
    AuthStyle, BadSecret, GuardError, GuardedClient,
    guard::{Answer, Question},
    secret_header::secret_header,
};

/// Adds the key in the provider's style, replacing an earlier one. The key may be empty for a host that checks no keys.
pub(crate) fn add(style: AuthStyle, headers: &mut HeaderMap, secret: &ProviderSecret) -> Result<(), BadSecret> {
    match style {
        _ if secret.is_empty() => Ok(()),
        AuthStyle::Bearer => bearer(headers, secret),
        AuthStyle::ApiKey => alone(headers, HeaderName::from_static("api-key"), secret),
        AuthStyle::XApiKey => alone(headers, HeaderName::from_static("x-api-key"), secret),
    }
}

/// Sets `Authorization: Bearer <secret>`.
pub(crate) fn bearer(headers: &mut HeaderMap, secret: &ProviderSecret) -> Result<(), BadSecret> {
    set(headers, header::AUTHORIZATION, "Bearer ", secret)
}

/// Sets a header to the key alone.
pub(crate) fn alone(headers: &mut HeaderMap, name: HeaderName, secret: &ProviderSecret) -> Result<(), BadSecret> {
    set(headers, name, "", secret)
}

/// Sends a request with the key that accepts JSON.
pub(crate) async fn ask(
    http: &GuardedClient,
    style: AuthStyle,
    method: Method,
    url: Url,
    secret: &ProviderSecret,
) -> Result<Answer, GuardError> {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    add(style, &mut headers, secret).map_err(|_| unsendable())?;
    http.ask(Question { method, url, headers, body: Bytes::new() }).await
}

/// Returns the error for a key that no header can carry: nothing was sent.
pub(crate) const fn unsendable() -> GuardError {
    GuardError::Refused("the key holds characters that no header can carry; enter it again")
}

fn set(headers: &mut HeaderMap, name: HeaderName, scheme: &str, secret: &ProviderSecret) -> Result<(), BadSecret> {
    // A provider is told its own secret, in the header of a call to it: what the secret is for.
    headers.insert(name, secret_header(SecretString::new([scheme, secret.expose()].concat()))?);
    Ok(())
}
