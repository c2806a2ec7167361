//! Reasons why a sign-in at an identity provider fails. Holds no text of the provider.

/// Reason why a sign-in by the issuer does not succeed: a sentence for the person, without any text of the issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OidcError {
    /// The browser has no cookie of this sign-in, or of another one.
    #[error("this sign-in was not begun in this browser, or took too long: begin it anew")]
    State,
    /// The issuer says no.
    #[error("the identity provider did not sign you in: begin it anew, or ask its administrator")]
    Denied,
    /// The redirect names another issuer, or none where it has to.
    #[error("the answer comes from another identity provider than the configured one")]
    Issuer,
    /// The issuer cannot be reached or its answer cannot be used.
    #[error(
        "the identity provider cannot be reached, or its answer cannot be used: try again, and have its settings checked"
    )]
    Provider,
    /// The ID token is signed by an algorithm that is not accepted.
    #[error(
        "the identity provider signs with an algorithm that Keyway does not accept: choose RS256, PS256, ES256, ES384 or EdDSA there"
    )]
    Algorithm,
    /// The ID token does not hold.
    #[error("the identity provider's proof does not hold: begin the sign-in anew")]
    Token,
    /// The ID token holds no longer, or not yet.
    #[error("the identity provider's proof has expired or is not valid yet: compare the clocks of both machines")]
    Time,
    /// The address is missing or not verified.
    #[error("the identity provider vouches for no e-mail address of yours: have it verified there")]
    Email,
    /// The address is of no allowed domain.
    #[error("people of your e-mail domain may not sign in here")]
    Domain,
    /// No role fits.
    #[error("the identity provider gives you no role here: ask its administrator")]
    Role,
}
