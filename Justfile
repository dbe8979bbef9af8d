# Every command a person needs. Each is one line of cargo: `just` itself is a convenience, not a need.

# Lists the commands.
default:
    @just --list

# Runs the operator against a real PostgreSQL with sample resources, and shows what it made.
demo *arguments:
    cargo xtask demo {{arguments}}

# Stops what the demo left running.
stop:
    cargo xtask demo stop

# Passes all tests against a real control plane and real databases. Arguments go to `cargo nextest run`.
test *arguments:
    cargo xtask test {{arguments}}

# Passes the conformance suite against the servers that are not the distribution's own: PostgreSQL 13, 14, 16, 17 and 18, MariaDB 11.8, MySQL 9.7.
matrix *arguments:
    cargo xtask matrix {{arguments}}

# Visits all crash points, those included that an ordinary run leaves out.
crash-points:
    DBOPS_CRASH_POINTS=all cargo xtask test -E 'binary(crash_points)'

# Measures the operator beside bare SQL, in release builds (the first takes some minutes).
bench *arguments:
    cargo xtask bench {{arguments}}

# Leaves the operator in target/release/db-provision-operator and the engines' components in target/engines/.
build:
    cargo build --release --package db-provision-operator
    cargo xtask engines

# Builds the engines' components, and the hostile guests of the tests.
engines:
    cargo xtask engines

# Writes the definitions of the kinds to deploy/crds.
crds:
    cargo xtask crds

# Installs what the other commands need.
install:
    cargo xtask install

# What CI runs.
ci:
    .ci/run

# Refuses what the compiler or clippy warns of, in the operator and in the guests.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo clippy --package engine-postgres --package engine-mysql --target wasm32-unknown-unknown -- -D warnings

# Formats everything.
fmt:
    cargo fmt --all

# Checks licences, advisories, sources and who may depend on what.
deny:
    cargo xtask deny bans licenses sources advisories
