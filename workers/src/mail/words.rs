//! Words of mails, in each language.

use keyway_domain::MailContent;

use super::{
    english::English,
    language::{Language, Words},
    spanish::Spanish,
};

/// Returns the words of a mail in the language of a person; in English where it has none of ours.
pub(super) fn of(locale: &str, content: &MailContent) -> Words {
    if locale == Spanish::CODE { said::<Spanish>(content) } else { said::<English>(content) }
}

fn said<L: Language>(content: &MailContent) -> Words {
    let (subject, paragraphs, button) = match content {
        MailContent::Invitation(mail) => L::invitation(mail),
        MailContent::PasswordReset(mail) => L::password_reset(mail),
        MailContent::NewSignIn(mail) => L::new_sign_in(mail),
        MailContent::FactorChanged(mail) => L::factor_changed(mail),
        MailContent::KeyExpiring(mail) => L::key_expiring(mail),
        MailContent::KeyRefused(mail) => L::key_refused(mail),
        MailContent::UsedOutside(mail) => L::used_outside(mail),
        MailContent::Budget(mail) => L::budget(mail),
    };
    Words { language: L::CODE, subject, paragraphs, button, footer: L::FOOTER }
}

#[cfg(test)]
mod tests {
    use keyway_domain::{
        BudgetMail, Factor, FactorChangedMail, InvitationMail, KeyExpiringMail, KeyRefusedMail, LimitScope, MailKind,
        NewSignInMail, PasswordResetMail, Role, Timestamp, UsedOutsideMail, VerdictKind,
    };

    use super::*;

    const AT: Timestamp = Timestamp::from_seconds(1_795_909_260);

    fn samples() -> Vec<MailContent> {
        let (tenant, integration, provider) = ("Acme".to_owned(), "prod".to_owned(), "openai".to_owned());
        let invited_by = Some("Ana".to_owned());
        let invitation = InvitationMail { tenant: tenant.clone(), role: Role::Developer, invited_by, expires_at: AT };
        let expiring = |days| KeyExpiringMail {
            tenant: tenant.clone(),
            integration: integration.clone(),
            provider: provider.clone(),
            days,
            expires_at: AT,
        };
        vec![
            MailContent::Invitation(InvitationMail { invited_by: None, ..invitation.clone() }),
            MailContent::Invitation(invitation),
            MailContent::PasswordReset(PasswordResetMail { minutes: 30 }),
            MailContent::NewSignIn(NewSignInMail {
                at: AT,
                address: Some("203.0.113.7".to_owned()),
                device: Some("Firefox".to_owned()),
            }),
            MailContent::NewSignIn(NewSignInMail { at: AT, address: None, device: None }),
            MailContent::FactorChanged(FactorChangedMail { factor: Factor::App, is_added: true, at: AT }),
            MailContent::FactorChanged(FactorChangedMail { factor: Factor::Passkey, is_added: false, at: AT }),
            MailContent::FactorChanged(FactorChangedMail { factor: Factor::RecoveryCodes, is_added: true, at: AT }),
            MailContent::KeyExpiring(expiring(30)),
            MailContent::KeyExpiring(expiring(1)),
            MailContent::KeyExpiring(expiring(0)),
            MailContent::KeyRefused(KeyRefusedMail {
                tenant: tenant.clone(),
                integration: integration.clone(),
                provider: provider.clone(),
                verdict: VerdictKind::NoCredit,
                at: AT,
            }),
            MailContent::UsedOutside(UsedOutsideMail {
                tenant: tenant.clone(),
                integration,
                provider,
                day: "2026-11-20".to_owned(),
                reported_tokens: Some(5000),
                metered_tokens: 100,
            }),
            MailContent::Budget(BudgetMail {
                tenant,
                scope: LimitScope::Project,
                name: "shop".to_owned(),
                percent: 80,
                budget_nano_usd: 5_000_000_000,
            }),
        ]
    }

    #[test]
    fn both_languages_have_every_mail_and_say_different_things() {
        let samples = samples();
        for kind in MailKind::ALL {
            assert!(samples.iter().any(|content| content.kind() == kind), "no sample of {}", kind.name());
        }
        for content in &samples {
            let (english, spanish) = (of("en", content), of("es", content));
            assert_eq!((english.language, spanish.language), ("en", "es"));
            assert_ne!(english.subject, spanish.subject, "{content:?}");
            assert_ne!(english.button, spanish.button);
            for words in [&english, &spanish] {
                assert!(!words.subject.is_empty() && words.subject.chars().count() < 120, "{words:?}");
                assert!(
                    words.paragraphs.len() >= 2 && words.paragraphs.iter().all(|text| text.len() > 10),
                    "{words:?}"
                );
                assert!(!format!("{words:?}").contains("://"), "a link is put in by the page alone: {words:?}");
            }
            // The same facts in both.
            let facts = |words: &Words| words.paragraphs.join(" ").matches(|c: char| c.is_ascii_digit()).count();
            assert_eq!(facts(&english), facts(&spanish), "{english:?} {spanish:?}");
        }
        assert_eq!(of("fr", &samples[0]).language, "en");
    }
}
