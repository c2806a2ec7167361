//! JSON Pointers (RFC 6901) to what is wrong.

/// Returns the pointer to a member of what a pointer leads to.
pub(crate) fn member(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// Returns the pointer to an item of what a pointer leads to.
pub(crate) fn item(pointer: &str, index: usize) -> String {
    format!("{pointer}/{index}")
}

/// Reads the fragment of a reference: `#/$defs/a%20b` leads to `/$defs/a b`. `None`: it leads out of the document.
pub(crate) fn of_reference(reference: &str) -> Option<String> {
    let fragment = reference.strip_prefix('#')?.as_bytes();
    let mut plain = Vec::with_capacity(fragment.len());
    let mut at = 0;
    while at < fragment.len() {
        if fragment[at] == b'%' {
            let digits = std::str::from_utf8(fragment.get(at + 1..at + 3)?).ok()?;
            plain.push(u8::from_str_radix(digits, 16).ok()?);
            at += 3;
        } else {
            plain.push(fragment[at]);
            at += 1;
        }
    }
    let pointer = String::from_utf8(plain).ok()?;
    (pointer.is_empty() || pointer.starts_with('/')).then_some(pointer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_names_any_member() {
        assert_eq!(member("/a", "b/c~d"), "/a/b~1c~0d");
        assert_eq!(item("", 3), "/3");
        for (reference, expected) in [
            ("#", Some("")),
            ("#/$defs/a%20b", Some("/$defs/a b")),
            ("#/a~1b", Some("/a~1b")),
            ("#anchor", None),
            ("other.json", None),
            ("#/%zz", None),
            ("#/%", None),
            ("#/%ff", None),
            ("", None),
        ] {
            assert_eq!(of_reference(reference).as_deref(), expected, "{reference}");
        }
    }
}
