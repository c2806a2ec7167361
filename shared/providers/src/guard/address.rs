//! Addresses that a connection may go to: public ones only. An address in another notation (IPv4 in IPv6) is judged as
//! the address it stands for, or refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Returns `true` for a public address of the Internet.
#[must_use]
pub fn is_allowed(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_public_v4(v4) && !is_metadata(address),
        IpAddr::V6(v6) => is_public_v6(v6) && !is_metadata(address),
    }
}

/// Returns `true` for the address of a cloud's metadata service, which is refused even for trusted hosts.
#[must_use]
pub fn is_metadata(address: IpAddr) -> bool {
    match address.to_canonical() {
        // Link-local as a whole is where clouds put such services.
        IpAddr::V4(v4) => METADATA_V4.contains(&v4) || v4.is_link_local(),
        IpAddr::V6(v6) => {
            let [first, second, third, .., high, low] = v6.segments();
            // fd00:ec2::/32 serves AWS; the rest are forms that carry an IPv4 address at the end.
            let carries_v4 = v6.segments().starts_with(&[0, 0, 0, 0, 0, 0])
                || v6.segments().starts_with(&[0x64, 0xff9b])
                || v6.segments().starts_with(&[0, 0, 0, 0, 0xffff, 0]);
            (first == 0xfd00 && second == 0xec2)
                || (carries_v4 && METADATA_V4.contains(&v4_of(high, low)))
                || (first == 0x2002 && METADATA_V4.contains(&v4_of(second, third)))
        }
    }
}

const METADATA_V4: [Ipv4Addr; 6] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 170, 23),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];

fn v4_of(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))
}

const fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 168, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 31, 196)
            | (192, 52, 193)
            | (192, 175, 48)
            | (198, 18..=19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    )
}

/// Returns `true` for global unicast (2000::/3) except its blocks for documentation, tunnels and protocols.
const fn is_public_v6(v6: Ipv6Addr) -> bool {
    let [first, second, ..] = v6.segments();
    matches!(first, 0x2000..=0x3fff)
        && !matches!((first, second), (0x2001, 0..=0x01ff | 0x0db8) | (0x2002, _) | (0x3fff, 0..=0x0fff))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: &[&str] = &[
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.0.1",
        "169.254.169.254",
        "169.254.170.2",
        "169.254.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.0.192",
        "192.0.2.1",
        "192.31.196.1",
        "192.52.193.1",
        "192.88.99.1",
        "192.168.1.1",
        "192.175.48.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "100.100.100.200",
        "168.63.129.16",
        "::",
        "::1",
        "::127.0.0.1",
        "::8.8.8.8",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::808:808",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:0:1::1",
        "2001:2::1",
        "2001:10::1",
        "2001:20::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:808:808::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd12:3456::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "4000::1",
    ];

    const ALLOWED: &[&str] = &[
        "1.1.1.1",
        "8.8.8.8",
        "100.63.255.255",
        "100.128.0.1",
        "172.15.0.1",
        "172.32.0.1",
        "192.0.1.1",
        "198.17.0.1",
        "198.20.0.1",
        "223.255.255.254",
        "104.18.6.192",
        "::ffff:8.8.8.8",
        "2606:4700::6812:6c0",
        "2001:4860:4860::8888",
        "2a00:1450::1",
        "2001:200::1",
        "3ffe::1",
    ];

    #[test]
    fn only_public_addresses_are_allowed() {
        for refused in REFUSED {
            let address: IpAddr = refused.parse().expect(refused);
            assert!(!is_allowed(address), "{refused}");
        }
        for allowed in ALLOWED {
            let address: IpAddr = allowed.parse().expect(allowed);
            assert!(is_allowed(address), "{allowed}");
        }
    }

    #[test]
    fn metadata_services_are_known_in_every_notation() {
        for address in [
            "169.254.169.254",
            "169.254.170.2",
            "169.254.170.23",
            "169.254.1.1",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
        ] {
            assert!(is_metadata(address.parse().expect(address)), "{address}");
        }
        for address in ["127.0.0.1", "10.0.0.1", "fd12::1", "::1", "8.8.8.8"] {
            assert!(!is_metadata(address.parse().expect(address)), "{address}");
        }
    }
}
