//! Permissions by table: what parses, what is implied, and what needs a fresh proof.

use super::*;

fn permission(text: &str) -> Permission {
    text.parse().unwrap_or_else(|_| panic!("{text}"))
}

#[test]
fn every_permission_prints_and_parses_and_nothing_else_does() {
    let all: Vec<_> = Permission::all().collect();
    for permission in &all {
        assert_eq!(permission.to_string().parse(), Ok(*permission));
        let json = serde_json::to_string(permission).unwrap();
        assert_eq!(serde_json::from_str::<Permission>(&json).unwrap(), *permission);
    }
    let mut names: Vec<_> = all.iter().map(ToString::to_string).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all.len(), "no two print alike");
    assert!(Resource::ALL.iter().all(|resource| resource.verbs() != 0));
    for bad in [
        "",
        ".",
        "integrations",
        "integrations.",
        ".read",
        "Integrations.read",
        "integrations.read ",
        "integrations.read.read",
        "integrations.approve",
        "audit.delete",
        "audit.reveal",
        "virtual_keys.reveal",
        "nothing.read",
    ] {
        assert_eq!(bad.parse::<Permission>(), Err(UnknownPermission), "{bad:?}");
    }
}

#[test]
fn only_an_integration_s_secret_can_be_revealed() {
    let reveals: Vec<_> = Permission::all().filter(|permission| permission.verb() == Verb::Reveal).collect();
    assert_eq!(reveals, [Permission::REVEAL]);
}

#[test]
fn manage_implies_every_verb_of_its_resource_but_reveal_and_no_other_verb_implies_anything() {
    for held in Permission::all() {
        let set = Permissions::NONE.with(held);
        for asked in Permission::all() {
            let implied =
                held.verb() == Verb::Manage && held.resource() == asked.resource() && asked.verb() != Verb::Reveal;
            assert_eq!(set.allow(asked), held == asked || implied, "{held} and {asked}");
        }
    }
}

#[test]
fn a_set_covers_what_it_allows() {
    let set = |texts: &[&str]| texts.iter().map(|text| permission(text)).collect::<Permissions>();
    let manages = set(&["integrations.manage"]);
    for (smaller, covered) in [
        (set(&[]), true),
        (set(&["integrations.read", "integrations.rotate"]), true),
        (set(&["integrations.manage"]), true),
        (set(&["integrations.reveal"]), false),
        (set(&["integrations.read", "audit.read"]), false),
    ] {
        assert_eq!(manages.cover(&smaller), covered, "{smaller:?}");
    }
    assert!(!set(&["integrations.read", "integrations.update"]).cover(&manages));
    assert_eq!(
        manages.and(&set(&["integrations.use", "integrations.reveal", "audit.read"])),
        set(&["integrations.use"])
    );
    let both = manages.or(set(&["audit.read"]));
    assert!(both.allow(permission("audit.read")) && both.allow(permission("integrations.delete")));
    let json = serde_json::to_string(&set(&["audit.read", "integrations.use"])).unwrap();
    assert_eq!(json, r#"["integrations.use","audit.read"]"#);
    assert_eq!(serde_json::from_str::<Permissions>(&json).unwrap(), set(&["audit.read", "integrations.use"]));
    assert!(serde_json::from_str::<Permissions>(r#"["audit.rewrite"]"#).is_err());
}

#[test]
fn what_shows_secrets_or_decides_over_people_needs_a_fresh_proof() {
    for (text, needed) in [
        ("integrations.reveal", true),
        ("audit.export", true),
        ("audit.read", false),
        ("members.update", true),
        ("members.delete", true),
        ("members.manage", true),
        ("members.read", false),
        ("owners.manage", true),
        ("invitations.create", true),
        ("invitations.read", false),
        ("services.create", true),
        ("services.rotate", true),
        ("sessions.delete", true),
        ("reveals.manage", true),
        ("users.update", true),
        ("keyring.rotate", true),
        ("keyring.read", false),
        ("lock.manage", true),
        ("lock.read", false),
        ("tenants.delete", true),
        ("tenants.update", false),
        ("integrations.rotate", false),
        ("integrations.manage", false),
        ("virtual_keys.create", false),
        ("usage.export", false),
    ] {
        assert_eq!(permission(text).needs_step_up(), needed, "{text}");
    }
}
