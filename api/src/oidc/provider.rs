//! The issuer itself: its metadata and keys, read when they are first needed and again when they do not fit any more, and
//! the exchange of a code for a person.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderValue, Method, header};
use keyway_domain::Timestamp;
use keyway_providers::{
    GuardedClient,
    guard::{Answer, Question},
    secret_header,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use url::{Url, form_urlencoded};

use super::{
    Handshake, OidcError, OidcSettings, Person,
    id_token::{self, Expected, TokenFault},
    keys::KeySet,
    person,
};

/// Time after which metadata and keys are read anew, even if they fit.
const KNOWN_FOR: Duration = Duration::from_secs(600);

/// The issuer, and what is known of it.
pub(crate) struct Oidc {
    pub(crate) settings: OidcSettings,
    http: GuardedClient,
    known: Mutex<Option<Arc<Known>>>,
}

struct Known {
    metadata: Metadata,
    keys: KeySet,
    until: Instant,
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: Address,
    token_endpoint: Address,
    userinfo_endpoint: Option<Address>,
    jwks_uri: Address,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// Address that the issuer gives.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
struct Address(Url);

impl TryFrom<String> for Address {
    type Error = url::ParseError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Url::parse(&text).map(Self)
    }
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
    access_token: Option<String>,
}

/// Redirect of a browser that comes back.
pub(crate) struct Redirect<'a> {
    pub(crate) code: &'a str,
    /// Issuer that the redirect names (RFC 9207).
    pub(crate) issuer: Option<&'a str>,
    /// Address that it came to.
    pub(crate) uri: &'a str,
}

impl Oidc {
    pub(crate) fn new(settings: OidcSettings, http: GuardedClient) -> Self {
        Self { settings, http, known: Mutex::new(None) }
    }

    /// Returns the address that a browser is sent to.
    ///
    /// # Errors
    /// [`OidcError::Provider`] where the issuer's metadata cannot be had.
    pub(crate) async fn authorization(&self, handshake: &Handshake, redirect_uri: &str) -> Result<Url, OidcError> {
        let known = self.known().await?;
        let mut url = known.metadata.authorization_endpoint.0.clone();
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", &self.settings.client_id),
            ("redirect_uri", redirect_uri),
            ("scope", "openid email profile"),
            ("state", &handshake.state()),
            ("nonce", &handshake.nonce()),
            ("code_challenge", &handshake.challenge()),
            ("code_challenge_method", "S256"),
        ]);
        Ok(url)
    }

    /// Exchanges the code of a redirect for the person it is about.
    ///
    /// # Errors
    /// [`OidcError`].
    pub(crate) async fn person(&self, handshake: &Handshake, redirect: Redirect<'_>) -> Result<Person, OidcError> {
        let known = self.known().await?;
        match redirect.issuer {
            Some(issuer) if issuer != self.settings.issuer_text => return Err(OidcError::Issuer),
            None if known.metadata.authorization_response_iss_parameter_supported => return Err(OidcError::Issuer),
            _ => {}
        }
        let answer = self.ask(self.exchange(&known.metadata, handshake, redirect)?).await?;
        // The issuer says why in its own words; whoever sent a wrong code learns that it was refused.
        if answer.status.is_client_error() {
            return Err(OidcError::Denied);
        }
        let tokens: Tokens = read(&answer)?;
        let mut claims = self.claims(known, handshake, &tokens).await?;
        self.add_userinfo(&mut claims, tokens.access_token.as_deref()).await?;
        person(&claims, &self.settings)
    }

    /// Builds the question for the tokens that a code stands for.
    fn exchange(
        &self,
        metadata: &Metadata,
        handshake: &Handshake,
        redirect: Redirect<'_>,
    ) -> Result<Question, OidcError> {
        let (id, secret) = (self.settings.client_id.as_str(), self.settings.client_secret.plain().as_str());
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", redirect.code)
            .append_pair("redirect_uri", redirect.uri)
            .append_pair("code_verifier", &handshake.verifier());
        let mut headers = accepting_json();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let methods = metadata.token_endpoint_auth_methods_supported.as_deref();
        if methods.is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic")) {
            headers.insert(header::AUTHORIZATION, sensitive(basic(id, secret))?);
        } else {
            form.append_pair("client_id", id).append_pair("client_secret", secret);
        }
        let url = metadata.token_endpoint.0.clone();
        let body = form.finish().into();
        Ok(Question { method: Method::POST, url, headers, body })
    }

    /// Returns the claims of the ID token. Keys that do not fit may have been rotated: they are read once more.
    async fn claims(
        &self,
        known: Arc<Known>,
        handshake: &Handshake,
        tokens: &Tokens,
    ) -> Result<Map<String, Value>, OidcError> {
        let nonce = handshake.nonce();
        let expected = Expected {
            issuer: &self.settings.issuer_text,
            client_id: &self.settings.client_id,
            nonce: &nonce,
            access_token: tokens.access_token.as_deref(),
            now: Timestamp::now(),
        };
        match id_token::claims(&tokens.id_token, &known.keys, expected) {
            Ok(claims) => return Ok(claims),
            Err(TokenFault::Error(error)) => return Err(error),
            Err(TokenFault::Unsigned) => {}
        }
        let known = self.known_after(Some(&known)).await?;
        id_token::claims(&tokens.id_token, &known.keys, expected).map_err(|fault| match fault {
            TokenFault::Error(error) => error,
            TokenFault::Unsigned => OidcError::Token,
        })
    }

    /// Adds what the issuer tells of the person at another place only, where the token has no address.
    async fn add_userinfo(&self, claims: &mut Map<String, Value>, access_token: Option<&str>) -> Result<(), OidcError> {
        let known = self.known().await?;
        let (Some(Address(url)), Some(access_token)) = (known.metadata.userinfo_endpoint.clone(), access_token) else {
            return Ok(());
        };
        if claims.contains_key("email") && claims.contains_key(&self.settings.role_claim) {
            return Ok(());
        }
        let mut headers = accepting_json();
        headers.insert(header::AUTHORIZATION, sensitive(format!("Bearer {access_token}"))?);
        let told: Map<String, Value> = read(&self.ask(Question::get(url, headers)).await?)?;
        // Who it is about is in the signed token (Core 5.3.2).
        if told.get("sub") != claims.get("sub") {
            return Err(OidcError::Token);
        }
        // An address and its verification are of one place, never mixed.
        let has_email = claims.contains_key("email");
        if !has_email {
            claims.remove("email_verified");
        }
        for (name, value) in told {
            let is_of_email = name == "email" || name == "email_verified";
            if is_of_email && !has_email {
                claims.insert(name, value);
            } else if !is_of_email {
                claims.entry(name).or_insert(value);
            }
        }
        Ok(())
    }

    async fn known(&self) -> Result<Arc<Known>, OidcError> {
        self.known_after(None).await
    }

    /// Returns what is known of the issuer; reads it anew where it is old, or still what did not fit.
    async fn known_after(&self, unfit: Option<&Arc<Known>>) -> Result<Arc<Known>, OidcError> {
        let mut held = self.known.lock().await;
        let is_unfit = |known: &Arc<Known>| unfit.is_some_and(|unfit| Arc::ptr_eq(unfit, known));
        if let Some(known) = held.as_ref().filter(|known| known.until > Instant::now() && !is_unfit(known)) {
            return Ok(Arc::clone(known));
        }
        let mut url = self.settings.issuer.clone();
        url.set_path(&format!("{}/.well-known/openid-configuration", url.path().trim_end_matches('/')));
        let metadata: Metadata = read(&self.ask(Question::get(url, accepting_json())).await?)?;
        if metadata.issuer != self.settings.issuer_text {
            return Err(OidcError::Issuer);
        }
        let answer = self.ask(Question::get(metadata.jwks_uri.0.clone(), accepting_json())).await?;
        let keys = KeySet::read(&answer.body).filter(|_| answer.status.is_success()).ok_or(OidcError::Provider)?;
        let known = Arc::new(Known { metadata, keys, until: Instant::now() + KNOWN_FOR });
        *held = Some(Arc::clone(&known));
        Ok(known)
    }

    async fn ask(&self, question: Question) -> Result<Answer, OidcError> {
        self.http.ask(question).await.map_err(|error| {
            tracing::warn!(%error, "the identity provider could not be asked");
            OidcError::Provider
        })
    }
}

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, OidcError> {
    if !answer.status.is_success() {
        tracing::warn!(status = answer.status.as_u16(), "the identity provider refused to answer");
        return Err(OidcError::Provider);
    }
    serde_json::from_slice(&answer.body).map_err(|_| OidcError::Provider)
}

fn accepting_json() -> HeaderMap {
    HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("application/json"))])
}

/// Builds the credentials of the client: both parts are form-encoded before they are joined (RFC 6749 2.3.1).
fn basic(id: &str, secret: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret))))
}

fn sensitive(text: String) -> Result<HeaderValue, OidcError> {
    secret_header(text.into()).map_err(|_| OidcError::Provider)
}
