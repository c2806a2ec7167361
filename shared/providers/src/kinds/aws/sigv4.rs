//! AWS Signature Version 4 for requests whose parameters are all in the body, like those of STS and Cost Explorer: no
//! query is signed, so none may be sent. The secret is used here and kept nowhere.

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use keyway_domain::Timestamp;
use keyway_vault::{SecretBytes, SecretString, to_hex};
use sha2::{Digest, Sha256};
use url::Url;

use crate::{BadSecret, guard::Question, secret_header::secret_header};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Key, region and service of a signature.
pub(crate) struct Signer<'a> {
    pub(crate) access_key_id: &'a str,
    pub(crate) secret_access_key: &'a SecretString,
    pub(crate) session_token: Option<&'a SecretString>,
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
}

impl Signer<'_> {
    /// Adds date, session token and signature to a request that is complete otherwise.
    pub(crate) fn sign(&self, question: &mut Question, now: Timestamp) -> Result<(), BadSecret> {
        let date = amz_date(now);
        question.headers.insert(AMZ_DATE, HeaderValue::from_str(&date).map_err(|_| BadSecret)?);
        if let Some(token) = self.session_token {
            question.headers.insert(SECURITY_TOKEN, secret_header(SecretString::new(token.plain().clone()))?);
        }
        let (canonical, signed_headers) = canonical_request(question);
        let scope = self.scope(&date);
        let signature = self.signature(&date, &string_to_sign(&date, &scope, &canonical));
        let value = format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={signed_headers}, Signature={signature}",
            self.access_key_id
        );
        question.headers.insert(header::AUTHORIZATION, secret_header(value.into())?);
        Ok(())
    }

    fn scope(&self, date: &str) -> String {
        let day = date.get(..8).unwrap_or_default();
        format!("{day}/{}/{}/aws4_request", self.region, self.service)
    }

    fn signature(&self, date: &str, string_to_sign: &str) -> String {
        let mut key = SecretBytes::new([b"AWS4", self.secret_access_key.plain().as_bytes()].concat());
        for part in [date.get(..8).unwrap_or_default(), self.region, self.service, "aws4_request"] {
            key = SecretBytes::new(hmac(key.plain(), part));
        }
        to_hex(&hmac(key.plain(), string_to_sign))
    }
}

/// Formats a time as `20261101T000000Z`.
fn amz_date(now: Timestamp) -> String {
    Timestamp::from_seconds(now.seconds()).to_string().replace(['-', ':'], "")
}

/// Returns the canonical request, and the names of the headers it signs: content type, host and all of AWS's own.
fn canonical_request(question: &Question) -> (String, String) {
    let mut headers = signed(&question.headers);
    headers.push(("host", host(&question.url)));
    headers.sort_unstable();
    let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let path = encoded(question.url.path());
    let body = to_hex(&Sha256::digest(&question.body));
    (format!("{}\n{path}\n\n{lines}\n{names}\n{body}", question.method), names)
}

fn signed(headers: &HeaderMap) -> Vec<(&str, String)> {
    let own = |name: &str| name == "content-type" || name.starts_with("x-amz-");
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).trim().to_owned();
    headers.iter().map(|(name, value)| (name.as_str(), text(value))).filter(|(name, _)| own(name)).collect()
}

/// Returns the host header as the client sends it: with the port, unless it is the scheme's default.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Percent-encodes a path, once more than it is sent.
fn encoded(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    path.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn string_to_sign(date: &str, scope: &str, canonical_request: &str) -> String {
    format!("{ALGORITHM}\n{date}\n{scope}\n{}", to_hex(&Sha256::digest(canonical_request)))
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use http::Method;
    use serde_json::Value;

    use super::*;

    /// Known answers computed with botocore, for AWS's public example key.
    const VECTORS: &str = include_str!("../../../../testkit/fixtures/aws/sigv4_vectors.json");

    #[test]
    fn requests_are_signed_as_botocore_signs_them() -> anyhow::Result<()> {
        let vectors: Value = serde_json::from_str(VECTORS)?;
        let vectors = vectors["vectors"].as_array().map(Vec::as_slice).unwrap_or_default();
        assert_eq!(vectors.len(), 5);
        for vector in vectors {
            let text = |field: &str| vector[field].as_str().unwrap_or_default();
            let name = text("name");
            let mut headers = HeaderMap::new();
            for (name, value) in vector["headers"].as_object().into_iter().flatten() {
                headers.insert(HeaderName::from_bytes(name.as_bytes())?, value.as_str().unwrap_or_default().parse()?);
            }
            let body = text("body").to_owned().into();
            let mut question = Question { method: Method::POST, url: text("url").parse()?, headers, body };
            let secret = SecretString::new(text("secret_access_key").to_owned());
            let token = vector["session_token"].as_str().map(|token| SecretString::new(token.to_owned()));
            let signer = Signer {
                access_key_id: text("access_key_id"),
                secret_access_key: &secret,
                session_token: token.as_ref(),
                region: text("region"),
                service: text("service"),
            };
            let now = Timestamp::parse("2026-11-01T00:00:00Z").expect("a time");
            signer.sign(&mut question, now.after(std::time::Duration::from_millis(999)))?;
            let (canonical, _) = canonical_request(&question);
            assert_eq!(canonical, text("canonical_request"), "{name}");
            let date = text("amz_date");
            assert_eq!(string_to_sign(date, &signer.scope(date), &canonical), text("string_to_sign"), "{name}");
            for (header, value) in vector["signed_headers_result"].as_object().into_iter().flatten() {
                let got = question.headers.get(header).and_then(|got| got.to_str().ok());
                assert_eq!(got, value.as_str(), "{name}: {header}");
            }
            assert!(question.headers[header::AUTHORIZATION].is_sensitive());
        }
        Ok(())
    }
}
