//! Places that people sign in from: a person is told of one that is new.

use std::net::IpAddr;

use keyway_domain::{MailContent, NewSignInMail};
use keyway_store::{StoreError, known_places, users::UserRow};
use keyway_vault::token;

use super::letters;
use crate::system_work::SystemWork;

/// Notes where a session begins, and writes a mail if its person was never seen there. Its first place is no news.
///
/// # Errors
/// See [`StoreError`].
pub(crate) async fn note(
    work: &mut SystemWork<'_>,
    user: &UserRow,
    address: Option<IpAddr>,
    device: Option<&str>,
) -> Result<(), StoreError> {
    let place = token::sha256(&format!("{}\n{}", address.map(network).unwrap_or_default(), kind(device)));
    if !known_places::note(&work.tx, user.id, &place, work.now).await? {
        return Ok(());
    }
    let content = NewSignInMail {
        at: work.now,
        address: address.map(|address| address.to_canonical().to_string()),
        device: device.map(str::to_owned),
    };
    letters::tell(work, user, MailContent::NewSignIn(content)).await
}

/// Returns the network of an address, as it is given to one customer or one office.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}::/48")
        }
    }
}

/// Returns the device without its versions, which change by themselves.
fn kind(device: Option<&str>) -> String {
    device.unwrap_or_default().chars().filter(|c| !c.is_ascii_digit() && *c != '.').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_network_and_a_device_whatever_its_version() {
        let network = |text: &str| network(text.parse().unwrap());
        assert_eq!(network("203.0.113.7"), network("::ffff:203.0.113.200"));
        assert_ne!(network("203.0.113.7"), network("203.0.114.7"));
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:ffff::9"));
        assert_ne!(network("2001:db8:1::1"), network("2001:db8:2::1"));
        assert_eq!(kind(Some("Firefox/145.0 (Linux)")), kind(Some("Firefox/146.0.1 (Linux)")));
        assert_ne!(kind(Some("Firefox/145.0 (Linux)")), kind(Some("curl/8.5.0")));
    }
}
