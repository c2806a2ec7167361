//! The reader of `.env` files against files as found in practice, and against arbitrary text.

use proptest::prelude::{ProptestConfig, any, proptest};

use super::*;

fn values(text: &str) -> Vec<(String, String)> {
    let file = parse(text);
    assert_eq!(file.unread, [], "{text:?}");
    plain(&file)
}

fn plain(file: &EnvFile) -> Vec<(String, String)> {
    file.variables.iter().map(|(name, value)| (name.clone(), value.plain().clone())).collect()
}

#[test]
fn a_value_is_read_in_every_usual_form() {
    for (line, expected) in [
        ("N=value", "value"),
        ("N=My App", "My App"),
        ("  N = My App  ", "My App"),
        ("export N=value", "value"),
        ("export\tN=value", "value"),
        ("N=value # a comment", "value"),
        ("N=My App\t# a comment # and more", "My App"),
        ("N=pa#ss#word", "pa#ss#word"),
        ("N=#ffffff", "#ffffff"),
        ("N=", ""),
        ("N=   ", ""),
        ("N= # nothing yet", ""),
        ("N=\"\"", ""),
        ("N=''", ""),
        ("N=a=b=c==", "a=b=c=="),
        ("N=it's fine", "it's fine"),
        ("N=the \"best\" one", "the \"best\" one"),
        ("N=C:\\new\\table", "C:\\new\\table"),
        ("N=$HOME/${X}", "$HOME/${X}"),
        ("N='single # not a comment'", "single # not a comment"),
        ("N='C:\\new'", "C:\\new"),
        ("N=\"double # not a comment\" # a comment", "double # not a comment"),
        ("N=\"it's\"", "it's"),
        ("N='say \"hi\"'", "say \"hi\""),
        ("N=\"say \\\"hi\\\"\"", "say \"hi\""),
        ("N=\"a\\nb\\tc\\\\d\\$e\\x\"", "a\nb\tc\\d$e\\x"),
        ("N='it''s'", "its"),
        ("N='it'\\''s'", "it's"),
        ("N=\"a\"b'c'", "abc"),
        ("N=`it's \"both\"`", "it's \"both\""),
        ("N='one\ntwo'", "one\ntwo"),
        ("N=\"-----BEGIN KEY-----\nAB=\n-----END KEY-----\"", "-----BEGIN KEY-----\nAB=\n-----END KEY-----"),
        ("N=\"one\r\ntwo\"", "one\ntwo"),
        ("N='{\n  \"type\": \"service_account\"\n}' # json", "{\n  \"type\": \"service_account\"\n}"),
        ("N=grün ☃", "grün ☃"),
    ] {
        assert_eq!(values(line), [("N".to_owned(), expected.to_owned())], "{line:?}");
        for more in [format!("{line}\r\nM=1\r\n"), format!("# first\n\n{line}\nM=1")] {
            let found = values(&more);
            assert_eq!(found.len(), 2, "{more:?}");
            assert_eq!((found[0].1.as_str(), found[1].1.as_str()), (expected, "1"), "{more:?}");
        }
    }
}

#[test]
fn what_cannot_be_read_is_named_by_its_line_and_holds_up_no_other() {
    for (line, name) in [
        ("no equals sign", None),
        ("1N=x", None),
        ("N N=x", None),
        ("=x", None),
        ("export=", Some("")),
        ("N=\"never closed", Some("N")),
        ("N='never closed", Some("N")),
        ("N=\"closed\" and more", Some("N")),
        ("N=\"a\"\\", Some("N")),
        ("N=a\0b", Some("N")),
    ] {
        let text = format!("A=1\n{line}\nB=\"2\"\nC='3'\n");
        let file = parse(&text);
        if name == Some("") {
            // It is a name like any other.
            assert_eq!(file.variables[1].0, "export");
            continue;
        }
        let expected = [UnreadLine { number: 2, name: name.map(str::to_owned) }];
        assert_eq!(file.unread, expected, "{line:?}");
        let names: Vec<_> = file.variables.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["A", "B", "C"], "{line:?}");
    }
    let after = parse("A='one\ntwo'\nbroken\n");
    assert_eq!(after.unread[0].number, 3, "lines within a value are counted");
}

#[test]
fn marks_and_encodings_of_other_tools_are_read() {
    let utf16 = |mark: &[u8], write: fn(u16) -> [u8; 2]| -> Vec<u8> {
        mark.iter().copied().chain("A=grün\r\nB=2\r\n".encode_utf16().flat_map(write)).collect()
    };
    let expected = [("A", "grün"), ("B", "2")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    for bytes in [
        "\u{feff}A=grün\r\nB=2".as_bytes().to_vec(),
        utf16(&[0xFF, 0xFE], u16::to_le_bytes),
        utf16(&[0xFE, 0xFF], u16::to_be_bytes),
    ] {
        assert_eq!(values(&text(&bytes)), expected, "{bytes:?}");
    }
    let latin1 = parse(&text(b"A=gr\xfcn\nB=2\n"));
    assert_eq!((latin1.unread[0].number, latin1.variables.len()), (1, 1));
}

#[test]
fn a_file_that_is_none_is_not_read_whole() {
    let file = std::env::temp_dir().join(format!("keyway-large-env-{}", std::process::id()));
    std::fs::write(&file, vec![b'x'; (1 << 20) + 1]).unwrap();
    let error = read(&file).unwrap_err();
    std::fs::remove_file(&file).unwrap();
    assert!(error.contains("larger than"), "{error}");
    assert!(read(&file).is_err() && read(&std::env::temp_dir()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn anything_is_read_without_a_panic(bytes in any::<Vec<u8>>(), signs in "[A-Z='\"`\\\\#$ \t\r\n\u{feff}é]{0,80}") {
        let _ = parse(&text(&bytes));
        let file = parse(&signs);
        let lines = signs.lines().count();
        assert!(file.unread.iter().all(|line| (1..=lines).contains(&line.number)));
    }

    #[test]
    fn a_value_in_quotes_comes_back(value in "[^\0\r\u{fffd}]{0,40}", comment in "( # [a-z]{0,5})?") {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
        let read = parse(&format!("N=\"{escaped}\"{comment}\nM=1\n"));
        assert_eq!(read.variables.len(), 2);
        assert_eq!(*read.variables[0].1.plain(), value);
    }
}
