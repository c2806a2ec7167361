//! Roles by table: what each may do, where, and what nobody may.

use super::*;

fn permission(text: &str) -> Permission {
    text.parse().unwrap_or_else(|_| panic!("{text}"))
}

#[test]
fn the_table_has_each_resource_once() {
    assert_eq!(TABLE.map(|(resource, _)| resource), Resource::ALL);
}

#[test]
fn each_role_may_what_it_is_for() {
    // In the order of Role::ALL: owner, admin, operator, developer, auditor, billing.
    for (text, expected) in [
        ("integrations.read", [true, true, true, false, true, false]),
        ("integrations.create", [true, true, true, false, false, false]),
        ("integrations.rotate", [true, true, true, false, false, false]),
        ("integrations.use", [true, true, true, true, false, false]),
        ("integrations.reveal", [false; 6]),
        ("virtual_keys.create", [true, true, true, true, false, false]),
        ("virtual_keys.delete", [true, true, true, true, false, false]),
        ("limits.update", [true, true, true, false, false, false]),
        ("budgets.update", [true, true, true, false, false, true]),
        ("operations.update", [true, true, true, false, false, false]),
        ("dead_letters.update", [true, true, true, false, false, false]),
        ("usage.read", [true, true, true, true, true, true]),
        ("usage.export", [true, true, false, false, true, true]),
        ("requests.read", [true, true, true, true, true, false]),
        ("projects.create", [true, true, false, false, false, false]),
        ("audit.read", [true, true, false, false, true, false]),
        ("audit.export", [true, true, false, false, true, false]),
        ("tenants.update", [true, true, false, false, false, false]),
        ("tenants.delete", [true, false, false, false, false, false]),
        ("lock.manage", [true, false, false, false, false, false]),
        ("lock.read", [true, true, true, false, true, false]),
        ("owners.manage", [true, false, false, false, false, false]),
        ("reveals.manage", [true, false, false, false, false, false]),
        ("members.read", [true, true, false, false, true, false]),
        ("members.update", [true, true, false, false, false, false]),
        ("invitations.create", [true, true, false, false, false, false]),
        ("services.create", [true, true, false, false, false, false]),
        ("content_types.create", [true, true, true, false, false, false]),
        ("content_types.read", [true, true, true, true, true, false]),
        ("content.update", [true, true, true, true, false, false]),
        ("publications.create", [true, true, true, false, false, false]),
        ("users.read", [false; 6]),
        ("keyring.rotate", [false; 6]),
        ("installation.manage", [false; 6]),
    ] {
        assert_eq!(Role::ALL.map(|role| role.permissions().allow(permission(text))), expected, "{text}");
    }
}

#[test]
fn an_owner_may_everything_of_its_tenant_but_reveal() {
    for permission in Permission::all() {
        let of_tenant = permission.resource().level() != Level::Installation;
        let expected = of_tenant && permission.verb() != Verb::Reveal;
        assert_eq!(Role::Owner.permissions().allow(permission), expected, "{permission}");
    }
    for role in Role::ALL {
        assert!(Role::Owner.permissions().cover(&role.permissions()), "{role}");
    }
}

#[test]
fn an_auditor_reads_everything_of_its_tenant_and_changes_nothing() {
    for permission in Permission::all().filter(|permission| permission.resource().level() != Level::Installation) {
        let looks = matches!(permission.verb(), Verb::Read | Verb::Export);
        assert_eq!(Role::Auditor.permissions().allow(permission), looks, "{permission}");
    }
}

#[test]
fn a_role_in_a_project_holds_there_only() {
    let (mine, other) = (ProjectId::new(), ProjectId::new());
    let of = |role, project_id| Grant { role, project_id, may_reveal: false };
    let developer: Rights = [of(Role::Developer, Some(mine))].into_iter().collect();
    let (create, members) = (permission("virtual_keys.create"), permission("members.read"));
    assert!(developer.allow(create, Some(mine)));
    assert!(!developer.allow(create, Some(other)));
    assert!(!developer.allow(create, None));
    assert_eq!(developer.reach(create), Reach::Projects(vec![mine]));
    assert_eq!(developer.reach(members), Reach::Projects(vec![]));
    assert!(developer.allow_somewhere(create) && !developer.allow_somewhere(members));
    assert_eq!(developer.of_tenant(), Permissions::NONE);

    // Not even an admin of a project sees what is the tenant's, whichever project is named.
    let admin: Rights = [of(Role::Admin, Some(mine))].into_iter().collect();
    assert!(admin.allow(permission("integrations.delete"), Some(mine)));
    for project_id in [None, Some(mine), Some(other)] {
        assert!(!admin.allow(members, project_id));
        assert!(!admin.allow(permission("projects.create"), None));
    }

    let both: Rights = [of(Role::Developer, Some(mine)), of(Role::Billing, None)].into_iter().collect();
    assert_eq!(both.reach(permission("usage.read")), Reach::Tenant);
    assert_eq!(both.reach(permission("requests.read")), Reach::Projects(vec![mine]));
    assert_eq!(both.of_tenant(), Role::Billing.permissions());
    let everywhere: Rights = [of(Role::Developer, None)].into_iter().collect();
    assert_eq!(everywhere.reach(create), Reach::Tenant);
    assert!(Rights::default().is_empty() && !Rights::default().allow_somewhere(create));
}

#[test]
fn only_a_member_that_was_allowed_to_reveals_and_only_where_it_is_one() {
    let (mine, other) = (ProjectId::new(), ProjectId::new());
    let one = |role, project_id, may_reveal| Rights::from_iter([Grant { role, project_id, may_reveal }]);
    for role in Role::ALL {
        assert!(!one(role, None, false).allow_somewhere(Permission::REVEAL), "{role}");
        assert!(one(role, None, true).allow(Permission::REVEAL, Some(mine)), "{role}");
    }
    let developer = one(Role::Developer, Some(mine), true);
    assert!(developer.allow(Permission::REVEAL, Some(mine)));
    assert!(!developer.allow(Permission::REVEAL, Some(other)) && !developer.allow(Permission::REVEAL, None));
}

#[test]
fn roles_print_and_parse_and_other_names_are_mapped() {
    for role in Role::ALL {
        assert_eq!(role.to_string().parse(), Ok(role));
        assert_eq!(serde_json::from_str::<Role>(&serde_json::to_string(&role).unwrap()).unwrap(), role);
        assert_eq!(role.fits_a_project(), role != Role::Owner);
        assert_eq!(role.needs_of_giver().is_some(), role == Role::Owner);
    }
    for bad in ["", "Owner", "superadmin", "root"] {
        assert_eq!(bad.parse::<Role>(), Err(UnknownRole), "{bad}");
    }
    for (name, role) in [
        ("superadmin", Some(Role::Owner)),
        ("admin", Some(Role::Admin)),
        ("moderator", Some(Role::Operator)),
        ("elevated", Some(Role::Developer)),
        ("user", Some(Role::Auditor)),
        ("owner", None),
    ] {
        assert_eq!(Role::by_other_name(name), role, "{name}");
    }
}
