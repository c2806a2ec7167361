//! Defines both families of error codes: one row per code, with its text, its status and its kind. A code without all
//! three does not compile.

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
            /// All codes.
            $vis const ALL: &[Self] = &[$(Self::$name),*];

            /// Returns the text that clients match on.
            $vis const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Returns the HTTP status of the code.
            $vis const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            $vis const fn kind(self) -> &'static str {
                match self { $(Self::$name => $kind,)* }
            }
        }
    };
}
