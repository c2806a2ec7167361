//! Known ways around such a rule, each of which must be refused.

use super::*;

fn guard(trusted: &[&str]) -> Guard {
    Guard::new(&trusted.iter().map(|entry| (*entry).to_owned()).collect::<Vec<_>>()).expect("well-formed entries")
}

const BYPASSES: &[&str] = &[
    "",
    "api.example.com",
    "//api.example.com/v1",
    "http://api.example.com/v1",
    "ftp://api.example.com/",
    "file:///etc/passwd",
    "gopher://api.example.com/",
    "unix:/run/x.sock",
    "data:text/plain,x",
    "https://user@api.example.com/",
    "https://user:pass@api.example.com/",
    "https://api.example.com@127.0.0.1/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://127.0.0.1./",
    "https://0/",
    "https://0x08080808/",
    "https://134744072/",
    "https://10.1.2.3/",
    "https://192.168.0.1/",
    "https://172.20.0.1/",
    "https://100.64.1.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::127.0.0.1]/",
    "https://[fe80::1]/",
    "https://[fd00:ec2::254]/",
    "https://[2002:7f00:1::]/",
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://a.localhost/",
    "https://metadata/",
    "https://metadata.google.internal/",
    "https://db.internal/",
    "https://printer.local/",
    "https://gw.corp/",
    "https://nas.home.arpa/",
    "https://api.default.svc.cluster.local/",
    "https://kubernetes.default.svc/",
    "https://127.0.0.1.nip.io/",
    "https://10-0-0-1.sslip.io/",
    "https://a.localtest.me/",
    "https://localtest.me/",
    "https://x.lvh.me./",
    "https://①②⑦.⓪.⓪.①/",
    "https://１２７.0.0.1/",
    "https://127。0。0。1/",
    "https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/",
    "https://api.example.com:22/",
    "https://api.example.com:25/",
    "https://api.example.com:80/",
    "https://93.184.216.34:22/",
    "https://[2606:4700::6812:6c0]:25/",
    "https://api.example.com/v1?key=1",
    "https://api.example.com/v1#x",
    "https://api.example.com\\@127.0.0.1/",
    "https://api.example.com/ v1",
    " https://api.example.com",
    "https://api.example.com/\r\nHost: x",
    "https:///v1",
    "https://intranet/",
    "https://a.invalid/",
    "https://x.onion/",
    "https://%31%32%37.0.0.1/",
    "https://%6cocalhost/",
];

#[test]
fn every_known_bypass_is_refused() {
    let guard = guard(&[]);
    for url in BYPASSES {
        let refused = guard.check_base_url(url);
        assert!(matches!(refused, Err(GuardError::Refused(_))), "{url}: {refused:?}");
    }
    let long = format!("https://api.example.com/{}", "a".repeat(2048));
    assert!(guard.check_base_url(&long).is_err());
}

#[test]
fn ordinary_hosts_are_allowed() {
    let guard = guard(&[]);
    for url in [
        "https://api.openai.com/v1",
        "https://API.Example.com/v1",
        "https://api.example.com:8443/v1",
        "https://api.example.com:443",
        "https://8.8.8.8/v1",
        "https://[2606:4700::6812:6c0]/v1",
        "https://bücher.example.com/v1",
        "https://localhost.example.com",
        "https://notnip.io/v1",
        "https://internal.dev/v1",
    ] {
        assert_eq!(guard.check_base_url(url).err(), None, "{url}");
    }
}

#[test]
fn a_trusted_host_may_be_private_and_plain_but_never_metadata() {
    let guard = guard(&["127.0.0.1:9100", "llm.internal", "[::1]:9100", "169.254.169.254", "ok.internal:443"]);
    for url in [
        "http://127.0.0.1:9100/v1",
        "https://127.0.0.1:9100/v1",
        "http://llm.internal/v1",
        "https://LLM.internal.:7000",
        "http://[::1]:9100/",
        "https://ok.internal/v1",
    ] {
        assert_eq!(guard.check_base_url(url).err(), None, "{url}");
    }
    for url in [
        "http://127.0.0.1:9101/",
        "http://127.0.0.1/",
        "https://127.0.0.2:9100/",
        "http://169.254.169.254/",
        "http://sub.llm.internal/",
        "http://other.example.com/",
        "http://user@llm.internal/",
        "ftp://llm.internal/",
        "https://ok.internal:8443/",
        "http://[::2]:9100/",
    ] {
        assert!(guard.check_base_url(url).is_err(), "{url}");
    }
    for malformed in ["http://a.dev", "a b", "a.dev/path", "user@a.dev", ""] {
        assert!(Guard::new(&[malformed.to_owned()]).is_err(), "{malformed}");
    }
}

#[test]
fn every_resolved_address_is_checked() {
    let guard = guard(&["sim.test:9100"]);
    let addresses = |list: &[&str]| list.iter().map(|text| text.parse().expect(text)).collect::<Vec<IpAddr>>();
    let public = addresses(&["8.8.8.8", "2606:4700::1"]);
    assert_eq!(guard.check_addresses("api.example.com", &public), Ok(()));
    assert_eq!(guard.check_addresses("api.example.com", &[]), Err(GuardError::Unresolved));
    for mixed in
        [&["8.8.8.8", "127.0.0.1"][..], &["::ffff:10.0.0.1"], &["2606:4700::1", "fe80::1"], &["169.254.169.254"]]
    {
        let refused = guard.check_addresses("api.example.com", &addresses(mixed));
        assert!(matches!(refused, Err(GuardError::Refused(_))), "{mixed:?}");
    }
    assert_eq!(guard.check_addresses("SIM.test.", &addresses(&["127.0.0.1"])), Ok(()));
    assert!(guard.check_addresses("sim.test", &addresses(&["169.254.169.254"])).is_err());
}
