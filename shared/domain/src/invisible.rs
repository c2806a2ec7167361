//! Characters that nobody sees, and that change how others are read: format characters, such as those of the direction
//! of writing and of no width, separators of lines, and fillers. A name that holds one can pass for another.

/// Returns `true` for a character that is not seen: Unicode's categories Cf, Zl and Zp, and fillers.
#[must_use]
pub const fn is_invisible(sign: char) -> bool {
    matches!(
        sign,
        '\u{ad}'
            | '\u{34f}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{890}'..='\u{891}'
            | '\u{8e2}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{110bd}'
            | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_that_are_seen_are_told_from_those_that_are_not() {
        for sign in ['\u{200b}', '\u{200d}', '\u{202e}', '\u{2066}', '\u{2029}', '\u{feff}', '\u{e0041}'] {
            assert!(is_invisible(sign), "{sign:?}");
        }
        for sign in ['a', ' ', 'é', 'ß', '名', '\u{5d0}', '\u{627}', '🦀', '\u{fe0f}', '\u{2011}', '\u{2070}'] {
            assert!(!is_invisible(sign), "{sign:?}");
        }
    }
}
