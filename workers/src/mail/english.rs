//! The words of mails in English.

use keyway_domain::{
    BudgetMail, Factor, FactorChangedMail, InvitationMail, KeyExpiringMail, KeyRefusedMail, LimitScope, NewSignInMail,
    PasswordResetMail, UsedOutsideMail, VerdictKind,
};

use super::language::{Language, Said, dollars, time};

/// English.
pub(super) struct English;

const OPEN: &str = "Open Keyway";

impl Language for English {
    const CODE: &'static str = "en";
    const FOOTER: &'static str =
        "Keyway sent this by itself; nobody reads answers. Under your account you choose which mails you get.";

    fn invitation(mail: &InvitationMail) -> Said {
        let who = mail.invited_by.as_deref().unwrap_or("The operator of Keyway");
        (
            format!("{who} invites you to {} on Keyway", mail.tenant),
            vec![
                format!("{who} invites you to {} on Keyway, with the role {}.", mail.tenant, mail.role.name()),
                format!(
                    "The link below is for you alone. It works once, until {}. If you do not know what this is about, \
                     leave it alone: nothing happens.",
                    time(mail.expires_at)
                ),
            ],
            "Take the invitation up",
        )
    }

    fn password_reset(mail: &PasswordResetMail) -> Said {
        (
            "Choose a new password for Keyway".to_owned(),
            vec![
                "Somebody, probably you, has forgotten the password of your account on Keyway.".to_owned(),
                format!(
                    "The link below lets you choose another one. It works once, for {} minutes. Afterwards you are \
                     signed out everywhere.",
                    mail.minutes
                ),
                "If it was not you, leave it alone: your password stays as it is.".to_owned(),
            ],
            "Choose a new password",
        )
    }

    fn new_sign_in(mail: &NewSignInMail) -> Said {
        let address = mail.address.as_deref().unwrap_or("unknown");
        let device = mail.device.as_deref().unwrap_or("unknown");
        (
            "A sign-in to Keyway from a new place".to_owned(),
            vec![
                format!("Your account was signed in to on {} from a place that is new.", time(mail.at)),
                format!("Address: {address}. Device: {device}."),
                "If it was not you, change your password now: all other sessions end with that.".to_owned(),
            ],
            OPEN,
        )
    }

    fn factor_changed(mail: &FactorChangedMail) -> Said {
        let what = match (mail.factor, mail.is_added) {
            (Factor::App, true) => "An authenticator app was added to your account",
            (Factor::App, false) => "The authenticator app of your account was removed",
            (Factor::Passkey, true) => "A passkey was added to your account",
            (Factor::Passkey, false) => "A passkey of your account was removed",
            (Factor::RecoveryCodes, true) => "New recovery codes were made for your account",
            (Factor::RecoveryCodes, false) => "The recovery codes of your account were removed",
        };
        (
            format!("{what} on Keyway"),
            vec![
                format!("{what} on {}.", time(mail.at)),
                "If it was not you, change your password now, and look at your second factors.".to_owned(),
            ],
            OPEN,
        )
    }

    fn key_expiring(mail: &KeyExpiringMail) -> Said {
        let KeyExpiringMail { tenant, integration, provider, .. } = mail;
        let when = match mail.days {
            0 => "has expired".to_owned(),
            1 => "expires within 1 day".to_owned(),
            days => format!("expires within {days} days"),
        };
        (
            format!("The key {integration} ({provider}) {when}"),
            vec![
                format!("The key of the integration {integration} ({provider}) in {tenant} {when}."),
                format!(
                    "Its owner gave {} as its end. Make a new one at the provider and put it in its place; the one before \
                     goes on serving until the new one is verified.",
                    time(mail.expires_at)
                ),
            ],
            OPEN,
        )
    }

    fn key_refused(mail: &KeyRefusedMail) -> Said {
        let KeyRefusedMail { tenant, integration, provider, .. } = mail;
        let (why, act) = match mail.verdict {
            VerdictKind::NoCredit => ("has no credit left", "Pay at the provider, then have the key tested."),
            _ => ("is refused by its provider", "Make a new one at the provider and put it in its place."),
        };
        (
            format!("The key {integration} ({provider}) {why}"),
            vec![
                format!(
                    "The key of the integration {integration} ({provider}) in {tenant} {why}: verified on {}.",
                    time(mail.at)
                ),
                format!("Calls go to other keys of the project, if it has any. {act}"),
            ],
            OPEN,
        )
    }

    fn used_outside(mail: &UsedOutsideMail) -> Said {
        let UsedOutsideMail { tenant, integration, provider, day, .. } = mail;
        let reported = mail.reported_tokens.map_or("more calls".to_owned(), |tokens| format!("{tokens} tokens"));
        (
            format!("The key {integration} ({provider}) was used outside Keyway"),
            vec![
                format!(
                    "For {day} the provider reports {reported} for the key of the integration {integration} ({provider}) \
                     in {tenant}; {} tokens went through Keyway.",
                    mail.metered_tokens
                ),
                "Somebody has a copy of the key. If you do not know who, replace it at the provider.".to_owned(),
            ],
            OPEN,
        )
    }

    fn budget(mail: &BudgetMail) -> Said {
        let scope = match mail.scope {
            LimitScope::VirtualKey => "virtual key",
            LimitScope::Project => "project",
            LimitScope::Integration => "integration",
            LimitScope::Provider => "provider",
        };
        let BudgetMail { tenant, name, percent, .. } = mail;
        (
            format!("{percent} % of the budget of the {scope} {name} is used"),
            vec![
                format!(
                    "{percent} % of the budget of the {scope} {name} in {tenant} is used, of {}.",
                    dollars(mail.budget_nano_usd)
                ),
                "At 100 % calls are refused until its window ends or the budget is raised.".to_owned(),
            ],
            OPEN,
        )
    }
}
