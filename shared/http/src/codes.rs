//! How both error families are written down: one row for each code, with its word, its status and
//! its kind. A code without all three does not compile.

/// Writes an error family down as an enum, with the word, the status and the kind of each code.
#[macro_export]
macro_rules! codes {
    ($(#[$about:meta])* $vis:vis enum $Code:ident; $($(#[$doc:meta])* $name:ident, $text:literal, $status:ident, $kind:literal;)*) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $vis enum $Code {
            $($(#[$doc])* $name,)*
        }

        impl $Code {
            /// Every code.
            $vis const ALL: &[Self] = &[$(Self::$name),*];

            /// The word that clients match on.
            $vis const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The HTTP status it comes with.
            $vis const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            $vis const fn kind(self) -> &'static str {
                match self { $(Self::$name => $kind,)* }
            }
        }
    };
}
