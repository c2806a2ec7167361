//! Reasons why a text is not accepted as a credential. Each sentence says what the text looks like and what to enter
//! instead, and quotes nothing of it.

/// Reason why a text cannot be a key of this provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Nothing was entered.
    #[error("the key is empty; paste the whole key")]
    Empty,
    /// A space or line break inside.
    #[error("the key contains a space or a line break; paste the key alone and in one line")]
    Whitespace,
    /// A character outside ASCII, or a control character.
    #[error("the key contains a character that no key has; copy it again from the provider")]
    NotAscii,
    /// Quotes around the text.
    #[error("the key is in quotes; paste it without them")]
    Quoted,
    /// A line that sets a variable.
    #[error(
        "this looks like a line NAME=value of an environment file; paste only what is behind the `=`, without quotes"
    )]
    Assignment,
    /// A header, whole or without its name.
    #[error(
        "this looks like a header (`Authorization: Bearer ...`); paste the key alone, without `Bearer` or the header's name"
    )]
    Header,
    /// A URL.
    #[error("this is an address, not a key; paste the key, and enter a host of your own as its `base_url`")]
    Address,
    /// A JSON object where the credential is a text.
    #[error("this is a JSON object, but this provider's credential is a key: send the key alone, as text")]
    AnObject,
    /// A redacted display form: `sk-...4f2a`.
    #[error("this is the masked form of a key; paste the whole key, which the provider shows once when it is made")]
    Masked,
    /// A placeholder from a document.
    #[error("this is a placeholder from an example; paste the real key, which the provider shows once when it is made")]
    Placeholder,
    /// Only the prefix, or far too short.
    #[error("this is too short to be a key; paste the whole key")]
    TooShort,
    /// Longer than any key.
    #[error("this is too long to be a key; paste the key alone")]
    TooLong,
    /// A login token.
    #[error("this is a login token that expires soon, not an API key; create an API key at the provider")]
    LoginToken,
    /// A key that Keyway issued; sending it anywhere would give its own access away.
    #[error(
        "this is a key of Keyway itself, which no provider knows; paste the provider's own key here, and give this one \
         to the application that calls Keyway"
    )]
    Keyways,
    /// Certainly a key of the named provider; sending it elsewhere would give it away.
    #[error("this looks like a key of {0}; choose that provider or paste the right key")]
    OtherProvider(&'static str),
    /// Certainly a secret of a service that serves no models; sending it anywhere would give it away.
    #[error(
        "this looks like a secret of {0}, not like a key of this provider; it was not kept: paste the provider's API key"
    )]
    OtherService(&'static str),
    /// Not a JSON object where the credential is one; the text names its fields.
    #[error("this credential is a JSON object; paste {0}")]
    NotAnObject(&'static str),
    /// A field of a JSON credential is missing or invalid.
    #[error("`{field}` {problem}")]
    Field {
        /// Name of the field.
        field: &'static str,
        /// Fault, and the value to enter instead.
        problem: &'static str,
    },
}
