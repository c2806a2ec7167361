//! The words of mails in Spanish.

use keyway_domain::{
    BudgetMail, Factor, FactorChangedMail, InvitationMail, KeyExpiringMail, KeyRefusedMail, LimitScope, NewSignInMail,
    PasswordResetMail, UsedOutsideMail, VerdictKind,
};

use super::language::{Language, Said, dollars, time};

/// Spanish.
pub(super) struct Spanish;

const OPEN: &str = "Abrir Keyway";

impl Language for Spanish {
    const CODE: &'static str = "es";
    const FOOTER: &'static str = "Keyway envió este mensaje de forma automática; nadie lee las respuestas. En su cuenta puede elegir qué correos recibe.";

    fn invitation(mail: &InvitationMail) -> Said {
        let who = mail.invited_by.as_deref().unwrap_or("El operador de Keyway");
        (
            format!("{who} le invita a {} en Keyway", mail.tenant),
            vec![
                format!("{who} le invita a {} en Keyway, con el rol {}.", mail.tenant, mail.role.name()),
                format!(
                    "El enlace de abajo es solo para usted. Funciona una vez, hasta el {}. Si no sabe de qué se trata, no \
                     haga nada: no pasará nada.",
                    time(mail.expires_at)
                ),
            ],
            "Aceptar la invitación",
        )
    }

    fn password_reset(mail: &PasswordResetMail) -> Said {
        (
            "Elija una contraseña nueva para Keyway".to_owned(),
            vec![
                "Alguien, probablemente usted, ha olvidado la contraseña de su cuenta en Keyway.".to_owned(),
                format!(
                    "El enlace de abajo le permite elegir otra. Funciona una vez, durante {} minutos. Después se cierran \
                     todas sus sesiones.",
                    mail.minutes
                ),
                "Si no ha sido usted, no haga nada: su contraseña no cambia.".to_owned(),
            ],
            "Elegir una contraseña nueva",
        )
    }

    fn new_sign_in(mail: &NewSignInMail) -> Said {
        let address = mail.address.as_deref().unwrap_or("desconocida");
        let device = mail.device.as_deref().unwrap_or("desconocido");
        (
            "Inicio de sesión en Keyway desde un lugar nuevo".to_owned(),
            vec![
                format!("Se inició sesión en su cuenta el {} desde un lugar nuevo.", time(mail.at)),
                format!("Dirección: {address}. Dispositivo: {device}."),
                "Si no ha sido usted, cambie su contraseña ahora: con ello se cierran todas las demás sesiones."
                    .to_owned(),
            ],
            OPEN,
        )
    }

    fn factor_changed(mail: &FactorChangedMail) -> Said {
        let what = match (mail.factor, mail.is_added) {
            (Factor::App, true) => "Se añadió una aplicación de autenticación a su cuenta",
            (Factor::App, false) => "Se quitó la aplicación de autenticación de su cuenta",
            (Factor::Passkey, true) => "Se añadió una llave de acceso a su cuenta",
            (Factor::Passkey, false) => "Se quitó una llave de acceso de su cuenta",
            (Factor::RecoveryCodes, true) => "Se crearon códigos de recuperación nuevos para su cuenta",
            (Factor::RecoveryCodes, false) => "Se quitaron los códigos de recuperación de su cuenta",
        };
        (
            format!("{what} en Keyway"),
            vec![
                format!("{what} el {}.", time(mail.at)),
                "Si no ha sido usted, cambie su contraseña ahora y revise sus segundos factores.".to_owned(),
            ],
            OPEN,
        )
    }

    fn key_expiring(mail: &KeyExpiringMail) -> Said {
        let KeyExpiringMail { tenant, integration, provider, .. } = mail;
        let when = match mail.days {
            0 => "ha caducado".to_owned(),
            1 => "caduca dentro de 1 día".to_owned(),
            days => format!("caduca dentro de {days} días"),
        };
        (
            format!("La clave {integration} ({provider}) {when}"),
            vec![
                format!("La clave de la integración {integration} ({provider}) en {tenant} {when}."),
                format!(
                    "Su dueño indicó como fin el {}. Cree una nueva en el proveedor y póngala en su lugar; la anterior sigue \
                     en servicio hasta que la nueva esté verificada.",
                    time(mail.expires_at)
                ),
            ],
            OPEN,
        )
    }

    fn key_refused(mail: &KeyRefusedMail) -> Said {
        let KeyRefusedMail { tenant, integration, provider, .. } = mail;
        let (why, act) = match mail.verdict {
            VerdictKind::NoCredit => ("se ha quedado sin saldo", "Pague en el proveedor y haga probar la clave."),
            _ => ("es rechazada por su proveedor", "Cree una nueva en el proveedor y póngala en su lugar."),
        };
        (
            format!("La clave {integration} ({provider}) {why}"),
            vec![
                format!(
                    "La clave de la integración {integration} ({provider}) en {tenant} {why}: verificada el {}.",
                    time(mail.at)
                ),
                format!("Las llamadas van a otras claves del proyecto, si las tiene. {act}"),
            ],
            OPEN,
        )
    }

    fn used_outside(mail: &UsedOutsideMail) -> Said {
        let UsedOutsideMail { tenant, integration, provider, day, .. } = mail;
        let reported = mail.reported_tokens.map_or("más llamadas".to_owned(), |tokens| format!("{tokens} tokens"));
        (
            format!("La clave {integration} ({provider}) se usó fuera de Keyway"),
            vec![
                format!(
                    "Para el {day} el proveedor informa de {reported} de la clave de la integración {integration} \
                     ({provider}) en {tenant}; por Keyway pasaron {} tokens.",
                    mail.metered_tokens
                ),
                "Alguien tiene una copia de la clave. Si no sabe quién, reemplácela en el proveedor.".to_owned(),
            ],
            OPEN,
        )
    }

    fn budget(mail: &BudgetMail) -> Said {
        let scope = match mail.scope {
            LimitScope::VirtualKey => "de la clave virtual",
            LimitScope::Project => "del proyecto",
            LimitScope::Integration => "de la integración",
            LimitScope::Provider => "del proveedor",
        };
        let BudgetMail { tenant, name, percent, .. } = mail;
        (
            format!("Se ha usado el {percent} % del presupuesto {scope} {name}"),
            vec![
                format!(
                    "Se ha usado el {percent} % del presupuesto {scope} {name} en {tenant}, de {}.",
                    dollars(mail.budget_nano_usd)
                ),
                "Al 100 % las llamadas se rechazan hasta que termine su periodo o se aumente el presupuesto."
                    .to_owned(),
            ],
            OPEN,
        )
    }
}
