//! Which crate may depend on which: the house's arrows, read from the Cargo.toml files.
//!
//! A crate that the table does not know is an error, so a new one has to say where it stands.

use std::collections::BTreeMap;

use crate::tree::Tree;

/// What a crate may depend on, of ours.
enum Ours {
    /// These and no others.
    Only(&'static [&'static str]),
    /// Its own option types and the SDK: what every engine may, ours or a stranger's.
    Engine,
    /// Tests and chores see everything.
    Any,
}

/// The arrows, by folder. `*` stands for one folder's name.
const ARROWS: &[(&str, Ours)] = &[
    ("crds", Ours::Only(&["postgres-options", "mysql-options", "clickhouse-options"])),
    ("planning", Ours::Only(&["dbprovision-crds"])),
    ("sandbox", Ours::Only(&["dbprovision-compiled"])),
    ("sandbox/compiled", Ours::Only(&[])),
    ("host", Ours::Only(&["dbprovision-crds", "dbprovision-planning", "dbprovision-sandbox"])),
    ("sdk", Ours::Only(&["dbprovision-entropy"])),
    ("sdk/entropy", Ours::Only(&[])),
    ("sdk/whoami", Ours::Only(&[])),
    ("engines/*", Ours::Engine),
    ("engines/*/options", Ours::Only(&[])),
    ("testkit", Ours::Only(&[])),
    ("tests", Ours::Any),
    ("tests/guests", Ours::Only(&["dbprovision-sdk"])),
    ("xtask", Ours::Any),
];

/// Crates of others that only some of ours may depend on: the folders that may, and why no other.
const RESERVED: &[(&[&str], &[&str], &str)] = &[
    (&["wasmtime"], &["sandbox", "sandbox/compiled"], "the sandbox alone runs guests"),
    (
        &["kube", "kube-lease-manager"],
        &["crds", "host", "testkit", "tests", "xtask"],
        "the host alone talks to Kubernetes",
    ),
    (
        &[
            "tokio-postgres",
            "postgres",
            "postgres-protocol",
            "postgres-types",
            "mysql",
            "mysql_async",
            "mysql_common",
            "sqlx",
            "diesel",
            "sea-orm",
            "tiberius",
            "clickhouse",
            "rusqlite",
            "redis",
            "mongodb",
        ],
        &["engines/*", "testkit", "tests", "xtask"],
        "the operator knows no engine",
    ),
];

/// A crate and what its Cargo.toml says it needs.
struct Package<'a> {
    folder: &'a str,
    name: String,
    needs: Vec<Need>,
}

struct Need {
    /// The package's own name, whatever the dependent calls it.
    package: String,
    /// Only tests need it.
    for_tests: bool,
}

/// The arrows point one way.
pub(crate) fn arrows(tree: &Tree) -> Vec<String> {
    let packages = packages(tree);
    let own: Vec<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let mut found = Vec::new();
    for package in &packages {
        let folder = package.folder;
        let Some((_, allowed)) = ARROWS.iter().find(|(pattern, _)| stands_for(pattern, folder)) else {
            found.push(format!("{folder}/Cargo.toml: no arrow says what {} may depend on", package.name));
            continue;
        };
        for need in package.needs.iter().filter(|need| own.contains(&need.package.as_str())) {
            // What is left of a test is gone when the crate is built for use.
            let is_test_world = need.for_tests && need.package == "dbprovision-testkit";
            let may = match allowed {
                Ours::Only(names) => names.contains(&need.package.as_str()),
                Ours::Engine => {
                    let options = folder.rsplit('/').next().map(|engine| format!("{engine}-options"));
                    need.package == "dbprovision-sdk" || options.as_ref() == Some(&need.package)
                }
                Ours::Any => true,
            };
            if !may && !is_test_world {
                found.push(format!("{folder}/Cargo.toml: {} must not depend on {}", package.name, need.package));
            }
        }
        for (names, folders, why) in RESERVED {
            for need in package.needs.iter().filter(|need| names.contains(&need.package.as_str())) {
                if !folders.iter().any(|pattern| stands_for(pattern, folder)) {
                    found.push(format!(
                        "{folder}/Cargo.toml: {} must not depend on {}: {why}",
                        package.name, need.package
                    ));
                }
            }
        }
    }
    found
}

fn stands_for(pattern: &str, folder: &str) -> bool {
    let (pattern, folder): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), folder.split('/').collect());
    pattern.len() == folder.len() && pattern.iter().zip(&folder).all(|(part, name)| *part == "*" || part == name)
}

fn packages(tree: &Tree) -> Vec<Package<'_>> {
    let workspace = tree.text("Cargo.toml").unwrap_or_default();
    let renamed: BTreeMap<String, String> = entries(workspace)
        .filter(|(section, _, _)| *section == "workspace.dependencies")
        .filter_map(|(_, name, value)| Some((name.to_owned(), renamed_to(value)?.to_owned())))
        .collect();
    tree.ending("/Cargo.toml")
        .map(|(path, text)| {
            let name = entries(text).find(|(section, key, _)| *section == "package" && *key == "name");
            let needs = entries(text).filter_map(|(section, key, value)| {
                let kind = section.rsplit('.').next().filter(|kind| kind.ends_with("dependencies"))?;
                let package = renamed_to(value).or_else(|| renamed.get(key).map(String::as_str)).unwrap_or(key);
                Some(Need { package: package.to_owned(), for_tests: kind == "dev-dependencies" })
            });
            Package {
                folder: path.trim_end_matches("/Cargo.toml"),
                name: name.map(|(_, _, value)| value.trim_matches('"').to_owned()).unwrap_or_default(),
                needs: needs.collect(),
            }
        })
        .collect()
}

/// Section, key and value of each line that has them; a dotted key counts by its first part.
fn entries(text: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    text.lines()
        .scan("", |section, line| {
            let line = line.trim();
            if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                *section = header;
                return Some(None);
            }
            let entry = line.split_once('=').filter(|_| !line.starts_with('#')).map(|(key, value)| {
                let key = key.trim();
                (*section, key.split_once('.').map_or(key, |(first, _)| first), value.trim())
            });
            Some(entry)
        })
        .flatten()
}

/// The package that an inline table names.
fn renamed_to(value: &str) -> Option<&str> {
    let (_, after) = value.split_once("package = \"")?;
    after.split('"').next()
}
