//! The address that passkeys are for: an origin and the name of its host, never a path.

use url::Url;

/// Place that passkeys are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Address that the browser shows, without a path.
    pub(crate) origin: String,
    /// Name of its host.
    pub(crate) rp_id: String,
}

impl Place {
    /// Returns the place of an address; `None` where passkeys cannot be used there: a host needs a name.
    pub(crate) fn of(origin: &str) -> Option<Self> {
        let rp_id = Url::parse(origin).ok()?.domain()?.to_owned();
        Some(Self { origin: origin.to_owned(), rp_id })
    }
}
