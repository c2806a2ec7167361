//! A language: a type that has words for each kind of mail, or does not compile.

use keyway_domain::{
    BudgetMail, FactorChangedMail, InvitationMail, KeyExpiringMail, KeyRefusedMail, NewSignInMail, PasswordResetMail,
    Timestamp, UsedOutsideMail,
};

/// Words of one mail.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) language: &'static str,
    pub(super) subject: String,
    pub(super) paragraphs: Vec<String>,
    /// Text of the link.
    pub(super) button: &'static str,
    pub(super) footer: &'static str,
}

/// Words of each kind of mail in one language: subject, paragraphs and text of the link.
pub(super) trait Language {
    /// Its code, as people choose it.
    const CODE: &'static str;
    /// End of each mail.
    const FOOTER: &'static str;

    fn invitation(mail: &InvitationMail) -> Said;
    fn password_reset(mail: &PasswordResetMail) -> Said;
    fn new_sign_in(mail: &NewSignInMail) -> Said;
    fn factor_changed(mail: &FactorChangedMail) -> Said;
    fn key_expiring(mail: &KeyExpiringMail) -> Said;
    fn key_refused(mail: &KeyRefusedMail) -> Said;
    fn used_outside(mail: &UsedOutsideMail) -> Said;
    fn budget(mail: &BudgetMail) -> Said;
}

/// Subject, paragraphs and text of the link.
pub(super) type Said = (String, Vec<String>, &'static str);

/// Returns a time to the minute: `2026-11-28 23:41 UTC`.
pub(super) fn time(at: Timestamp) -> String {
    let text = at.to_string();
    let minute = text.get(..16).unwrap_or(&text).replace('T', " ");
    format!("{minute} UTC")
}

/// Returns an amount in US dollars.
pub(super) fn dollars(nano_usd: i64) -> String {
    let cents = nano_usd / 10_000_000;
    format!("{}.{:02} USD", cents / 100, (cents % 100).abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_amounts_are_written_as_people_read_them() {
        assert_eq!(time(Timestamp::from_seconds(0)), "1970-01-01 00:00 UTC");
        assert_eq!(dollars(5_000_000_000), "5.00 USD");
        assert_eq!(dollars(12_345_678_901), "12.34 USD");
    }
}
