//! The habits of every source file: its length, its head, its names, and what it must not contain.

use crate::source::{Kind, pieces};
use crate::tree::Tree;

/// Past this many lines a file is two rooms.
const LONGEST: usize = 400;

/// Files that are longer, and why each is one room. A line goes when its file has become shorter.
const LONGER: &[(&str, &str)] = &[];

/// A file of such a name holds what belongs somewhere else.
const NAMES: [&str; 9] = ["manager", "helper", "helpers", "util", "utils", "common", "misc", "handler", "handlers"];

/// No file is too long, and no exception is older than its reason.
pub(crate) fn length(tree: &Tree) -> Vec<String> {
    length_with(tree, LONGER)
}

/// The same with another table of exceptions.
pub(crate) fn length_with(tree: &Tree, exceptions: &[(&str, &str)]) -> Vec<String> {
    let is_exception = |path: &str| exceptions.iter().any(|(exception, _)| *exception == path);
    let lines = |text: &str| text.lines().count();
    let too_long = tree
        .ending(".rs")
        .filter(|(path, text)| lines(text) > LONGEST && !is_exception(path))
        .map(|(path, text)| format!("{path} has {} lines: make rooms of it, or list it with a reason", lines(text)));
    let too_short = exceptions
        .iter()
        .filter(|(path, _)| tree.text(path).is_none_or(|text| lines(text) <= LONGEST))
        .map(|(path, _)| format!("{path} is listed as longer than {LONGEST} lines and is not"));
    too_long.chain(too_short).collect()
}

/// Every file opens by saying what it decides.
pub(crate) fn head(tree: &Tree) -> Vec<String> {
    tree.ending(".rs")
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(path, _)| format!("{path} does not open with //!"))
        .collect()
}

/// Modules name themselves, and by what they are.
pub(crate) fn file_names(tree: &Tree) -> Vec<String> {
    tree.ending(".rs")
        .filter_map(|(path, _)| {
            let stem = path.rsplit('/').next()?.strip_suffix(".rs")?;
            match stem {
                "mod" => Some(format!("{path}: a module's file has the module's name")),
                stem if NAMES.contains(&stem) => Some(format!("{path}: the name says nothing of what is in it")),
                _ => None,
            }
        })
        .collect()
}

/// What no code may contain, and what to do instead.
pub(crate) fn code(tree: &Tree) -> Vec<String> {
    const FORBIDDEN: [(&str, &str); 4] = [
        ("#[from]", "map the error where it happens, so that it names its operation"),
        ("#[ignore", "a test that does not run proves nothing"),
        ("fn test_", "a test's name is a sentence"),
        ("todo!", "there are no stubs"),
    ];
    let mut found = Vec::new();
    for (path, text) in tree.ending(".rs") {
        for piece in pieces(text).iter().filter(|piece| piece.kind == Kind::Code) {
            for (word, instead) in FORBIDDEN {
                // A piece may have many lines; the place inside it is the line's.
                if let Some((before, _)) = piece.text.split_once(word) {
                    let line = piece.line + before.matches('\n').count();
                    found.push(format!("{path}:{line}: {word}: {instead}"));
                }
            }
        }
    }
    found
}

/// What is left to do has an issue where it can be found.
pub(crate) fn reminders(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in tree.ending(".rs") {
        for piece in pieces(text).iter().filter(|piece| piece.kind == Kind::Comment) {
            for word in ["TODO", "FIXME"] {
                let Some((_, after)) = piece.text.split_once(word) else { continue };
                if !after.starts_with("(#") {
                    found.push(format!("{path}:{}: {word} without an issue, as in {word}(#12)", piece.line));
                }
            }
        }
    }
    found
}
