//! No two files of a crate import each other, directly or in a circle: whoever reads a file reads what is below it, and never
//! comes back. `use` lines and paths in code are read as text, without tests.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Result, ensure};

const CRATES: &[&str] = &[
    "src",
    "api/src",
    "proxy/src",
    "workers/src",
    "migrations/src",
    "shared/domain/src",
    "shared/audit/src",
    "shared/content/src",
    "shared/vault/src",
    "shared/store/src",
    "shared/bus/src",
    "shared/providers/src",
    "shared/http/src",
    "shared/config/src",
    "shared/telemetry/src",
    "shared/testkit/src",
];

/// A module, by its path from the root of its crate.
type Module = Vec<String>;
/// What each module imports.
type Imports = BTreeMap<Module, BTreeSet<Module>>;

#[test]
fn no_two_files_of_a_crate_import_each_other() -> Result<()> {
    let (mut found, mut circles) = (0, Vec::new());
    for folder in CRATES {
        let files = modules(folder)?;
        let imports = imports(&files);
        found += imports.values().map(BTreeSet::len).sum::<usize>();
        let circle = circle(&imports);
        if !circle.is_empty() {
            circles.push(format!("{folder}: these files import each other: {}", shown(&circle)));
        }
    }
    ensure!(circles.is_empty(), "{}", circles.join("\n"));
    ensure!(found > 1_000, "the search finds the imports: {found}");
    Ok(())
}

#[test]
fn a_room_of_the_proxy_imports_none_that_imports_it() -> Result<()> {
    let files = modules("proxy/src")?;
    let mut rooms = Imports::new();
    for (module, targets) in imports(&files).into_iter().filter(|(module, _)| !module.is_empty()) {
        let room = vec![module[0].clone()];
        let others = targets.into_iter().filter(|target| !target.is_empty()).map(|target| vec![target[0].clone()]);
        rooms.entry(room.clone()).or_default().extend(others.filter(|other| *other != room));
    }
    ensure!(rooms.len() > 10, "the search finds the rooms: {rooms:?}");
    let circle = circle(&rooms);
    ensure!(circle.is_empty(), "these rooms import each other: {}", shown(&circle));
    let refusal = rooms.get(&vec!["refusal".to_owned()]).map_or(0, BTreeSet::len);
    ensure!(refusal == 0, "`refusal` imports no room");
    Ok(())
}

#[test]
fn circles_are_found() {
    let read = |files: &[(&str, &str)]| {
        let module = |name: &str| name.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let files = files.iter().map(|(name, text)| (module(name), code(text))).collect();
        shown(&circle(&imports(&files)))
    };
    let one_way =
        [("", "mod a;\nmod b;\npub use a::A;"), ("a", "use crate::b::B;"), ("b", "// use crate::a::A;\nfn f() {}")];
    assert_eq!(read(&one_way), "");
    assert_eq!(read(&[("a", "use super::{b::{self, C}, d};"), ("b", "pub use crate::a;")]), "a, b");
    assert_eq!(
        read(&[("a", "fn f() { crate::b::g() }"), ("b", "use super::c::C;"), ("c", "use super::a::A;")]),
        "a, b, c"
    );
    let by_the_root = [("", "mod a;\nmod b;\npub use a::A;"), ("a", "use crate::b::B;"), ("b", "use crate::A;")];
    assert_eq!(read(&by_the_root), "a, b", "a name of the crate's root is its file's");
    let below = [("a", "mod c;\npub struct A;\nuse self::c::C;"), ("a::c", "use super::A;")];
    assert_eq!(read(&below), "a, a::c");
    let in_tests = [("a", "use crate::b::B;"), ("b", "struct B;\n#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}")];
    assert_eq!(read(&in_tests), "");
}

/// Reads the files of a crate that are no tests, without their own tests and comments.
fn modules(folder: &str) -> Result<BTreeMap<Module, String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    let (mut files, mut folders) = (BTreeMap::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_stem().map_or(String::new(), |name| name.to_string_lossy().into_owned());
            if path.is_dir() && name != "tests" {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !name.ends_with("tests") {
                files.insert(module_of(path.strip_prefix(&root)?), code(&fs::read_to_string(&path)?));
            }
        }
    }
    ensure!(!files.is_empty(), "{folder} has no files");
    Ok(files)
}

fn module_of(path: &Path) -> Module {
    let path: PathBuf = path.with_extension("");
    let mut module: Module = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|name| matches!(name.as_str(), "mod" | "lib" | "main")) {
        module.pop();
    }
    module
}

/// Takes tests and comments out of a file.
fn code(text: &str) -> String {
    let tests = text.find("#[cfg(test)]\nmod ").or_else(|| text.find("#[cfg(test)]\n#[path"));
    let text = &text[..tests.unwrap_or(text.len())];
    text.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code)).collect::<Vec<_>>().join("\n")
}

/// Finds what each file imports of the others; what a file only hands on is its owner's.
fn imports(files: &BTreeMap<Module, String>) -> Imports {
    let paths: BTreeMap<_, _> = files.iter().map(|(module, text)| (module, paths_in(text, module))).collect();
    let target = |path: &Module| {
        let mut path = path.clone();
        for _ in 0..4 {
            let file =
                (0..=path.len()).rev().map(|length| path[..length].to_vec()).find(|it| files.contains_key(it))?;
            let Some(name) = path.get(file.len()) else { return Some(file) };
            let handed_on = paths.get(&file).into_iter().flatten();
            let Some(from) = handed_on.filter(|it| it.last() == Some(name) && it.len() > 1).find(|it| it[..] != path)
            else {
                return Some(file);
            };
            path = from.clone();
        }
        None
    };
    let of = |(module, paths): (&&Module, &Vec<Module>)| {
        let targets = paths.iter().filter_map(target).filter(|it| it != *module);
        ((*module).clone(), targets.collect())
    };
    paths.iter().map(|(module, paths)| of((module, paths))).collect()
}

/// Reads the paths in a file that lead into its own crate, from the crate's root.
fn paths_in(text: &str, module: &Module) -> Vec<Module> {
    let children: BTreeSet<_> = text
        .lines()
        .filter_map(|line| line.trim_end().strip_suffix(';')?.rsplit_once("mod ").map(|(_, name)| name.to_owned()))
        .collect();
    let mut paths = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_alphabetic() || c == '_') {
        rest = &rest[at..];
        let word = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let path = match &rest[..word] {
            "use" => {
                let (tree, after) = rest[word..].split_once(';').unwrap_or((&rest[word..], ""));
                rest = after;
                expanded(tree)
            }
            "crate" | "super" | "self" if rest[word..].starts_with("::") => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | ':'));
                let (path, after) = rest.split_at(end.unwrap_or(rest.len()));
                rest = after;
                expanded(path)
            }
            _ => {
                rest = &rest[word..];
                continue;
            }
        };
        paths.extend(path.into_iter().filter_map(|path| from_root(path, module, &children)));
    }
    paths
}

/// Writes a tree of imports out as paths.
fn expanded(tree: &str) -> Vec<Vec<String>> {
    let tree = tree.trim();
    let segments = |text: &str| text.split("::").map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()).collect();
    let Some((before, inner)) = tree.split_once('{') else {
        let path = tree.split_once(" as ").map_or(tree, |(path, _)| path);
        return vec![segments(path)];
    };
    let before: Vec<String> = segments(before);
    let inner = inner.trim_end().strip_suffix('}').unwrap_or(inner);
    let (mut parts, mut depth, mut begin) = (Vec::new(), 0_i32, 0);
    for (at, sign) in inner.char_indices() {
        match sign {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[begin..]);
    let parts = parts.into_iter().filter(|part| !part.trim().is_empty()).flat_map(expanded);
    parts.map(|part| before.iter().cloned().chain(part.into_iter().filter(|name| name != "self")).collect()).collect()
}

fn from_root(path: Vec<String>, module: &Module, children: &BTreeSet<String>) -> Option<Module> {
    let ups = path.iter().take_while(|name| *name == "super").count();
    match path.first()?.as_str() {
        "crate" => Some(path[1..].to_vec()),
        "self" => Some([module, &path[1..]].concat()),
        "super" => Some([module.get(..module.len().checked_sub(ups)?)?, &path[ups..]].concat()),
        first if children.contains(first) => Some([&module[..], &path[..]].concat()),
        _ => None,
    }
}

/// Finds modules that lead back to themselves; none of them where there is no circle.
fn circle(imports: &Imports) -> Vec<Module> {
    let reached: BTreeMap<_, _> = imports.keys().map(|module| (module, reached_from(module, imports))).collect();
    let Some(first) = imports.keys().find(|module| reached[module].contains(module)) else { return Vec::new() };
    let is_in = |module: &&Module| reached[first].contains(*module) && reached[*module].contains(first);
    imports.keys().filter(is_in).cloned().collect()
}

fn reached_from<'i>(from: &Module, imports: &'i Imports) -> BTreeSet<&'i Module> {
    let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(module) = next.pop() {
        for target in imports.get(module).into_iter().flatten() {
            if seen.insert(target) {
                next.push(target);
            }
        }
    }
    seen
}

fn shown(circle: &[Module]) -> String {
    let name = |module: &Module| if module.is_empty() { "the root".to_owned() } else { module.join("::") };
    circle.iter().map(name).collect::<Vec<_>>().join(", ")
}
