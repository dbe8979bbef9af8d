//! One suite for every adapter, as the component that it is, in the sandbox, against every server that can be had.
//!
//! The rooms know no engine. What is engine-specific is a table of cases, in one file for each adapter (`postgres.rs`,
//! `mysql.rs`), beside the server's start and a client that is not the adapter. Somebody who writes a third adapter
//! adds a table and a line at the end of this file for each version of its server.
//!
//! The distribution's own servers are part of every run; the others are in the module `matrix`, which the default
//! filter of `.config/nextest.toml` leaves out and `cargo xtask matrix` runs.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "all of it is tests, also what is not a test function itself"
)]

#[path = "conformance/candidate.rs"]
mod candidate;
#[path = "conformance/cases.rs"]
mod cases;
#[path = "conformance/describe.rs"]
mod describe;
#[path = "conformance/grants.rs"]
mod grants;
#[path = "conformance/inside.rs"]
mod inside;
#[path = "conformance/law.rs"]
mod law;
#[path = "conformance/life.rs"]
mod life;
#[path = "conformance/mysql.rs"]
mod mysql;
#[path = "conformance/names.rs"]
mod names;
#[path = "conformance/objects.rs"]
mod objects;
#[path = "conformance/postgres.rs"]
mod postgres;
#[path = "conformance/references.rs"]
mod references;
#[path = "conformance/refusals.rs"]
mod refusals;
#[path = "conformance/schema.rs"]
mod schema;
#[path = "conformance/sessions.rs"]
mod sessions;
#[path = "conformance/settings.rs"]
mod settings;
#[path = "conformance/users.rs"]
mod users;

/// The suite on one version of one engine's server. Every test has a server of its own.
macro_rules! suite {
    ($name:ident: $engine:ident on $version:expr) => {
        mod $name {
            use sandbox::contract::ObjectKind;

            use crate::{
                describe, grants, inside, law, life, names, references, refusals, sessions, settings, users, $engine,
            };

            #[tokio::test(flavor = "multi_thread")]
            async fn what_is_described_is_there_and_nothing_else() {
                let candidate = $engine::on_stage($version).await;
                describe::is_consistent(&candidate).await;
                describe::has_a_case_for_every_field(&candidate);
                describe::does_nothing_else(&candidate).await;
                describe::owners_are_refused_where_there_are_none(&candidate).await;
                references::are_all_told(&candidate).await;
                references::and_privileges_are_told(&candidate).await;
                settings::act(&candidate).await;
                settings::tell_the_server(&candidate).await;
                inside::make(&candidate).await;
                inside::schemas_and_extensions_come_and_go(&candidate).await;
                inside::scripts_stop_at_the_first_failure(&candidate).await;
                candidate.end().await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn what_is_wrong_is_refused_and_what_is_the_engines_own_is_left_alone() {
                let candidate = $engine::on_stage($version).await;
                refusals::name_the_field(&candidate).await;
                refusals::say_what_would_be_right(&candidate).await;
                refusals::protect_the_engines_own(&candidate).await;
                names::that_cannot_be_kept_are_refused(&candidate).await;
                candidate.end().await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn databases_obey_the_law() {
                let candidate = $engine::on_stage($version).await;
                life::is_told_by_marks(&candidate, ObjectKind::Database).await;
                life::is_never_taken(&candidate, ObjectKind::Database).await;
                sessions::end_where_that_is_asked_for(&candidate).await;
                law::holds(&candidate, ObjectKind::Database).await;
                candidate.end().await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn users_and_roles_obey_the_law() {
                let candidate = $engine::on_stage($version).await;
                // One after the other: where both are roles of the server they share the names of the suite.
                for kind in [ObjectKind::User, ObjectKind::Role] {
                    life::is_told_by_marks(&candidate, kind).await;
                    life::is_never_taken(&candidate, kind).await;
                    law::holds(&candidate, kind).await;
                    law::ends(&candidate, kind).await;
                }
                users::log_in_with_their_last_password(&candidate).await;
                users::without_a_password_nobody_gets_in(&candidate).await;
                users::a_dropped_user_is_not_let_in(&candidate).await;
                users::an_owner_is_not_dropped(&candidate).await;
                users::a_missing_role_is_waited_for(&candidate).await;
                candidate.end().await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn every_level_of_rights_opens_what_it_says() {
                let candidate = $engine::on_stage($version).await;
                grants::set_the_scene(&candidate).await;
                grants::wait_for_what_is_missing(&candidate).await;
                grants::leave_foreign_rights_unless_authoritative(&candidate).await;
                grants::give_again_what_was_taken(&candidate).await;
                grants::form_a_union(&candidate).await;
                grants::roles_carry_rights(&candidate).await;
                grants::open_what_they_say(&candidate).await;
                candidate.end().await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn names_are_names_and_nothing_else() {
                let candidate = $engine::candidate($version).await;
                names::are_taken_literally(&candidate, ObjectKind::Database).await;
                names::are_taken_literally(&candidate, ObjectKind::User).await;
                names::are_taken_literally(&candidate, ObjectKind::Role).await;
                names::in_grants_are_no_patterns(&candidate).await;
                candidate.end().await;
            }
        }
    };
}

suite!(postgres_15: postgres on testkit::postgres::Version::Distribution);
suite!(mariadb_10_11: mysql on testkit::mysql::Version::Distribution);

/// What is not the distribution's own.
mod matrix {
    suite!(postgres_13: postgres on testkit::postgres::Version::Oldest);
    suite!(postgres_14: postgres on testkit::postgres::Version::Fourteen);
    suite!(postgres_16: postgres on testkit::postgres::Version::Sixteen);
    suite!(postgres_17: postgres on testkit::postgres::Version::Newer);
    suite!(postgres_18: postgres on testkit::postgres::Version::Newest);
    suite!(mariadb_10_5: mysql on testkit::mysql::Version::OldestMariaDb);
    suite!(mariadb_11_8: mysql on testkit::mysql::Version::NewerMariaDb);
    suite!(mysql_9_7: mysql on testkit::mysql::Version::MySql);
}
