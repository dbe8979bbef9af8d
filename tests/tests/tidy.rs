//! The habits and the house's arrows, held by reading the files of the repository.
//!
//! Every check is a line in a table, together with a bad tree that it must refuse: a check that nobody has seen
//! to fail proves nothing. Deliberately absent: what the compiler, clippy or cargo-deny already hold.

#[path = "tidy/arrows.rs"]
mod arrows;
#[path = "tidy/documents.rs"]
mod documents;
#[path = "tidy/engines.rs"]
mod engines;
#[path = "tidy/habits.rs"]
mod habits;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/statements.rs"]
mod statements;
#[path = "tidy/tree.rs"]
mod tree;

use std::path::Path;

use tree::Tree;

/// A check, and what it must not let pass.
struct Check {
    run: fn(&Tree) -> Vec<String>,
    /// Trees that differ from a good one in one thing, and a part of what is said of each.
    bad: &'static [(&'static [(&'static str, &'static str)], &'static str)],
}

const HABITS: &[Check] = &[
    Check {
        run: |tree| habits::length_with(tree, &[("host/src/short.rs", "once long")]),
        bad: &[(&[("host/src/short.rs", "//! Short.\n")], "is listed as longer than 400 lines and is not")],
    },
    Check { run: habits::head, bad: &[(&[("host/src/a.rs", "use std::fmt;\n")], "does not open with //!")] },
    Check {
        run: habits::file_names,
        bad: &[
            (&[("host/src/a/mod.rs", "//! A.\n")], "a module's file has the module's name"),
            (&[("host/src/utils.rs", "//! A.\n")], "says nothing of what is in it"),
        ],
    },
    Check {
        run: habits::code,
        bad: &[
            (&[("host/src/a.rs", "//! A.\nenum E {\n    Read(#[from] io::Error),\n}")], "host/src/a.rs:3: #[from]"),
            (&[("tests/tests/a.rs", "//! A.\n#[test]\n#[ignore = \"slow\"]\nfn a() {}")], "a.rs:3: #[ignore"),
            (&[("tests/tests/a.rs", "//! A.\n#[test]\nfn test_a() {}")], "a test's name is a sentence"),
            (&[("host/src/a.rs", "//! A.\nfn a() { todo!() }")], "no stubs"),
        ],
    },
    Check {
        run: habits::reminders,
        bad: &[(&[("host/src/a.rs", "//! A.\n\n// TODO: later\nfn a() {}")], "a.rs:3: TODO without an issue")],
    },
];

const ARROWS: &[Check] = &[Check {
    run: arrows::arrows,
    bad: &[
        (
            &[
                (
                    "Cargo.toml",
                    "[workspace.dependencies]\nsandbox = { path = \"sandbox\", package = \"dbprovision-sandbox\" }",
                ),
                ("sandbox/Cargo.toml", "[package]\nname = \"dbprovision-sandbox\""),
                ("planning/Cargo.toml", "[package]\nname = \"p\"\n[dependencies]\nsandbox.workspace = true"),
            ],
            "p must not depend on dbprovision-sandbox",
        ),
        (
            &[
                ("planning/Cargo.toml", "[package]\nname = \"dbprovision-planning\""),
                (
                    "engines/oracle/Cargo.toml",
                    "[package]\nname = \"engine-oracle\"\n[dependencies]\nx = { package = \"dbprovision-planning\" }",
                ),
            ],
            "engine-oracle must not depend on dbprovision-planning",
        ),
        (
            &[
                ("engines/a/options/Cargo.toml", "[package]\nname = \"a-options\""),
                (
                    "engines/b/Cargo.toml",
                    "[package]\nname = \"engine-b\"\n[target.'cfg(unix)'.dependencies]\na-options.workspace = true",
                ),
            ],
            "engine-b must not depend on a-options",
        ),
        (
            &[("host/Cargo.toml", "[package]\nname = \"h\"\n[dependencies]\nwasmtime.workspace = true")],
            "alone runs guests",
        ),
        (
            &[("sandbox/Cargo.toml", "[package]\nname = \"s\"\n[dev-dependencies]\nkube.workspace = true")],
            "talks to Kubernetes",
        ),
        (
            &[("host/Cargo.toml", "[package]\nname = \"h\"\n[dependencies]\ntokio-postgres = \"0.7\"")],
            "knows no engine",
        ),
        (
            &[("planning/Cargo.toml", "[package]\nname = \"p\"\n[dependencies]\nmysql_common = \"1\"")],
            "knows no engine",
        ),
        (&[("new/Cargo.toml", "[package]\nname = \"new\"")], "no arrow says what new may depend on"),
    ],
}];

const ENGINES: &[Check] = &[
    Check {
        run: engines::no_statements,
        bad: &[
            (&[("host/src/a.rs", "//! A.\nfn a() { run(\"DROP DATABASE x\") }")], "a.rs:2: SQL in the operator"),
            (&[("sandbox/src/a.rs", "//! A.\nconst A: &str = r#\"select 1\"#;")], "SQL in the operator"),
            (&[("planning/src/a.rs", "//! A.\nconst A: &str = \"\n  GRANT x TO y\";")], "SQL in the operator"),
            (&[("host/src/a.rs", "//! A.\nconst A: &[u8] = br\"x from pg_catalog.pg_class\";")], "SQL in the operator"),
            (&[("host/src/a.rs", "//! A.\nconst A: &str = \"or give it away (REASSIGN OWNED) first\";")], "SQL in the"),
            (&[("host/src/a.rs", "//! A.\nconst A: &str = \"first RESET x, then SHOW y\";")], "SQL in the operator"),
            (&[("host/src/a.rs", "//! A.\nconst A: &str = \"; drop database {name}\";")], "SQL in the operator"),
            (&[("host/src/a.rs", "//! A.\nconst A: &str = \"as x; create user `x`\";")], "SQL in the operator"),
            (
                &[("host/src/a.rs", "//! A.\nconst A: &str = \"as x; Alter Role {role} createdb\";")],
                "SQL in the operator",
            ),
            (
                &[("host/src/a.rs", "//! A.\nconst A: &str = \"with a as (delete from {table})\";")],
                "SQL in the operator",
            ),
            (
                &[("host/src/a.rs", "//! A.\nconst A: &str = \"x; insert into marks values (1)\";")],
                "SQL in the operator",
            ),
            (&[("host/src/a.rs", "//! A.\nconst A: &str = \"x; update marks set state = 1\";")], "SQL in the operator"),
            (&[("host/src/a.rs", "//! A.\nconst A: &str = \"x; grant usage on {schema}\";")], "SQL in the operator"),
            (&[("host/src/a.rs", "//! A.\nconst A: &str = \"x; revoke {role} from {user}\";")], "SQL in the operator"),
            (&[("host/src/a.rs", "//! A.\nconst A: &str = \"x; select name from marks\";")], "SQL in the operator"),
            (&[("host/src/a.rs", "//! A.\nconst A: &str = \"x; set role {owner}\";")], "SQL in the operator"),
            (&[("host/src/a.rs", "//! A.\nconst A: &str = \"x; reassign owned by {user}\";")], "SQL in the operator"),
        ],
    },
    Check {
        run: engines::names,
        bad: &[
            (&[("host/src/a.rs", "//! A.\nfn a(e: &str) { match e { \"postgres\" => {} } }")], "an engine's name"),
            (&[("planning/src/a.rs", "//! A.\nfn a(e: &str) -> bool { e == \"MySQL\" }")], "an engine's name"),
        ],
    },
];

const ROOMS: &[Check] = &[Check {
    run: engines::rooms,
    bad: &[(&[("engines/new/src/lib.rs", "//! New.\n")], "engines/new/src/quote.rs is missing")],
}];

const DOCUMENTS: &[Check] = &[
    Check {
        run: documents::decisions,
        bad: &[
            (&[("docs/adr/README.md", ""), ("docs/adr/0001-a.md", "")], "0001-a.md is not in docs/adr/README.md"),
            (&[("docs/adr/README.md", "[a](0001-a.md)"), ("docs/adr/0001-a.md", "# A")], "lacks \"## Context\""),
            (&[("docs/adr/0001-a.md", ""), ("docs/adr/0001-b.md", "")], "0001-b.md has no number of its own"),
        ],
    },
    Check {
        run: documents::links,
        bad: &[(&[("docs/guide/a.md", "see [b](../b.md#part)")], "links to ../b.md#part, which is not there")],
    },
    Check {
        run: documents::invariants,
        bad: &[
            (&[("docs/ARCHITECTURE.md", "")], "0 invariants in its table instead of twelve"),
            (
                &[(
                    "docs/ARCHITECTURE.md",
                    "## The twelve invariants\n\n| # | rule | test |\n|---|---|---|\n| 1 | a | `b::a_test_that_is_gone` |\n",
                )],
                "names the test a_test_that_is_gone",
            ),
            (
                &[(
                    "docs/ARCHITECTURE.md",
                    "## The twelve invariants\n\n| # | rule | test |\n|---|---|---|\n| 1 | a | |\n",
                )],
                "an invariant names no test",
            ),
        ],
    },
    Check {
        run: documents::definitions,
        bad: &[
            (&[("crds/src/a.rs", "//! A.\n#[kube(\n    plural = \"as\",\n)]")], "deploy/crds/as.yaml is missing"),
            (&[("deploy/crds/bs.yaml", "")], "deploy/crds/bs.yaml belongs to no kind"),
        ],
    },
    Check {
        run: documents::examples,
        bad: &[
            (
                &[(
                    "README.md",
                    "```yaml\napiVersion: dbops.dbprovision.io/v1alpha1\nkind: Database\nmetadata: {name: a}\nspec: {name: a, ownr: b, instanceRef: {name: i}}\n```",
                )],
                "the API has no field .spec.ownr",
            ),
            (
                &[(
                    "deploy/samples/a.yaml",
                    "apiVersion: dbops.dbprovision.io/v1alpha1\nkind: Datbase\nmetadata: {name: a}\n",
                )],
                "there is no kind \"Datbase\"",
            ),
            (
                &[(
                    "deploy/samples/a.yaml",
                    "apiVersion: dbops.dbprovision.io/v1alpha1\nkind: DatabaseUser\nmetadata: {name: a}\nspec: {}\n",
                )],
                "missing field",
            ),
        ],
    },
];

fn repository() -> Tree {
    Tree::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap_or_default()
}

fn findings(checks: &[Check], tree: &Tree) -> String {
    checks.iter().flat_map(|check| (check.run)(tree)).collect::<Vec<_>>().join("\n")
}

/// All but the first habit, whose table of exceptions is one of the bad examples.
fn habits_of(tree: &Tree) -> String {
    let rest = HABITS.get(1..).map(|checks| findings(checks, tree)).unwrap_or_default();
    [habits::length(tree).join("\n"), rest].join("\n").trim().to_owned()
}

#[test]
fn every_file_keeps_the_habits() {
    assert_eq!(habits_of(&repository()), "");
}

#[test]
fn crates_depend_in_one_direction_only() {
    assert_eq!(findings(ARROWS, &repository()), "");
}

#[test]
fn the_operator_contains_no_sql_no_driver_and_no_engines_name() {
    let tree = repository();
    assert_eq!(findings(ENGINES, &tree), "");
    assert_eq!(findings(ARROWS, &tree), "");
}

#[test]
fn every_engine_has_the_same_rooms() {
    assert_eq!(findings(ROOMS, &repository()), "");
}

#[test]
fn the_documents_say_what_is_there() {
    assert_eq!(findings(DOCUMENTS, &repository()), "");
}

#[test]
fn every_check_refuses_its_bad_tree() {
    for check in [HABITS, ARROWS, ENGINES, ROOMS, DOCUMENTS].into_iter().flatten() {
        for (files, said) in check.bad {
            let found = (check.run)(&Tree::of(files)).join("\n");
            assert!(found.contains(said), "{files:?} should be refused with {said:?}, was: {found:?}");
        }
    }
    let long = "//! Long.\n".repeat(401);
    let found = habits::length(&Tree::of(&[("host/src/long.rs", &long)])).join("\n");
    assert!(found.contains("host/src/long.rs has 401 lines"), "{found}");
}

#[test]
fn what_only_looks_bad_is_let_pass() {
    let tree = Tree::of(&[
        (
            "host/src/a.rs",
            "//! Says \"DROP DATABASE\" and #[from] in a comment.\n// TODO(#12): later.\nfn a() { b(\"creating the database\", 'x', '\\'', \"#[ignore]\") }\n",
        ),
        (
            "host/src/b.rs",
            "//! B.\nfn a() {}\n\n#[cfg(test)]\nmod tests {\n    const A: &str = \"DROP DATABASE x\";\n}\n",
        ),
        ("engines/postgres/src/a.rs", "//! A.\nconst A: &str = \"DROP DATABASE x\";\n"),
        ("host/src/c.rs", "//! C.\nfn a<'r>(b: &'r str) -> &'r str { b } // \"postgres\"\n"),
        (
            "host/src/d.rs",
            "//! D.\nconst A: [&str; 6] = [\"drop the database, or create a user\", \"nobody may alter its role\", \
             \"cannot delete from the list what\", \"grant access to {name}, revoke rights on it\", \
             \"it must select its labels\", \"the update was set, SET\"];\n",
        ),
    ]);
    assert_eq!(habits_of(&tree), "");
    assert_eq!(findings(ENGINES, &tree), "");
}

#[test]
fn the_walk_sees_the_whole_repository() {
    let tree = repository();
    for path in ["Cargo.toml", "README.md", "sandbox/src/lib.rs", "wit/world.wit", "deploy/crds/databases.yaml"] {
        assert!(tree.has(path), "{path}");
    }
    assert!(tree.ending(".rs").count() > 100);
    assert!(tree.ending("/Cargo.toml").count() > 12);
}
