//! Authentication of requests to providers. The key goes into one header, marked sensitive, and nowhere else.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use url::Url;

use crate::{
    AuthStyle, BadSecret, GuardError, GuardedClient,
    guard::{Answer, Question},
};

/// Adds the key in the provider's style, replacing an earlier one. The key may be empty for a host that checks no keys.
pub(crate) fn add(style: AuthStyle, headers: &mut HeaderMap, secret: &[u8]) -> Result<(), BadSecret> {
    match style {
        _ if secret.is_empty() => Ok(()),
        AuthStyle::Bearer => bearer(headers, secret),
        AuthStyle::ApiKey => plain(headers, HeaderName::from_static("api-key"), secret),
        AuthStyle::XApiKey => plain(headers, HeaderName::from_static("x-api-key"), secret),
    }
}

/// Sets `Authorization: Bearer <secret>`.
pub(crate) fn bearer(headers: &mut HeaderMap, secret: &[u8]) -> Result<(), BadSecret> {
    plain(headers, header::AUTHORIZATION, &[b"Bearer ", secret].concat())
}

/// Sets a header to the key alone.
pub(crate) fn plain(headers: &mut HeaderMap, name: HeaderName, secret: &[u8]) -> Result<(), BadSecret> {
    let mut value = HeaderValue::from_bytes(secret).map_err(|_| BadSecret)?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

/// Sends a request with the key that accepts JSON.
pub(crate) async fn ask(
    http: &GuardedClient,
    style: AuthStyle,
    method: Method,
    url: Url,
    key: &str,
) -> Result<Answer, GuardError> {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    add(style, &mut headers, key.as_bytes()).map_err(|_| unsendable())?;
    http.ask(Question { method, url, headers, body: Bytes::new() }).await
}

/// Returns the error for a key that no header can carry: nothing was sent.
pub(crate) const fn unsendable() -> GuardError {
    GuardError::Refused("the key holds characters that no header can carry; enter it again")
}
