//! The operator is killed before and after every write to the API server and every statement to the database, started
//! again, and must end where an undisturbed run ends: the same objects, the same catalogue, a login with every
//! Secret, nothing left over. In a second round the resources are deleted right after the kill, and nothing may be
//! left at all.
//!
//! Each round of a scenario has its version of PostgreSQL, so that every cast is killed on both: from 16 on an
//! administrator who is no superuser rules over the roles that it created alone, and lends itself their rights by
//! memberships with options.
//!
//! The points are counted in an undisturbed run by the proxies that later kill. A run that is disturbed may take
//! another way, so a point beyond its end counts as not visited; the tests fail when too few were.
//!
//! All together are nearly two thousand, most of an hour on two cores. An ordinary run visits every one of the creation,
//! the change of password, the update and the deletion of accounts and databases, and every fifth of the other scenarios,
//! which go much of the same way. With `DBOPS_CRASH_POINTS=all` in the environment (`just crash-points`) it visits every
//! one of all of them.

#![expect(clippy::print_stdout, reason = "how many points were visited is for a person to see")]

#[path = "crash_points/lane.rs"]
mod lane;
#[path = "crash_points/points.rs"]
mod points;
#[path = "crash_points/scenario.rs"]
mod scenario;

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use testkit::postgres::Version;

use lane::Lane;
use points::{Point, Survey};
use scenario::Scenario;

/// Waiting for the API server and for pauses is most of a visit, so several go on side by side.
const LANES: usize = 3;

/// Before the rules of roles changed.
const OLD: Version = Version::Distribution;
/// And after.
const NEW: Version = Version::Newer;

/// Of so many points an ordinary run visits one: odd, so that it is before and after by turns.
fn stride(scenario: Scenario) -> usize {
    let all = std::env::var("DBOPS_CRASH_POINTS").is_ok_and(|which| which == "all");
    let whole = matches!(scenario, Scenario::Create | Scenario::Password | Scenario::Update | Scenario::Delete);
    if all || whole { 1 } else { 5 }
}

/// Visits the points of a scenario on a version of the server and says how many were met. Fails if fewer than
/// `at_least` would be if it visited every one.
async fn visit(scenario: Scenario, version: Version, deleting: bool, at_least: usize) -> Result<()> {
    let stride = stride(scenario);
    let mut first = Lane::open(scenario, version).await?;
    let survey = first.survey().await?;
    println!("{scenario:?} on {version:?}: {survey}");
    let points: Vec<Point> = survey.points().into_iter().step_by(stride).collect();
    let (total, at_least) = (points.len(), at_least / stride);
    let queue = Mutex::new(VecDeque::from(points));
    let mut first = Some(first);
    let lanes = (0..LANES).map(|_| drive(first.take(), (scenario, version), deleting, &survey, &queue));
    let visited: usize = try_join_all(lanes.collect::<Vec<_>>()).await?.into_iter().sum();
    let round = if deleting { "deleted right after the kill" } else { "restarted" };
    println!("{scenario:?} on {version:?}, {round}: {visited} of {total} points visited ({survey})");
    ensure!(visited >= at_least, "only {visited} points were visited, at least {at_least} are expected");
    Ok(())
}

/// Takes points from the queue until it is empty.
async fn drive(
    lane: Option<Lane>,
    (scenario, version): (Scenario, Version),
    deleting: bool,
    survey: &Survey,
    queue: &Mutex<VecDeque<Point>>,
) -> Result<usize> {
    let mut lane = match lane {
        Some(lane) => lane,
        None => Lane::open(scenario, version).await?,
    };
    let mut visited = 0;
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(point) = next else { return Ok(visited) };
        let began = Instant::now();
        let met = lane.visit(point, deleting, survey).await;
        let met = met.with_context(|| format!("{scenario:?} on {version:?}, killed {point}"))?;
        println!("{point}: {} in {:?}", if met { "met" } else { "beyond the end" }, began.elapsed());
        visited += usize::from(met);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_ends_where_an_undisturbed_one_ends() -> Result<()> {
    visit(Scenario::Create, NEW, false, 170).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_that_is_deleted_after_the_kill_leaves_nothing() -> Result<()> {
    visit(Scenario::Create, OLD, true, 170).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_password_ends_where_an_undisturbed_one_ends() -> Result<()> {
    visit(Scenario::Password, OLD, false, 20).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_password_that_is_deleted_after_the_kill_leaves_nothing() -> Result<()> {
    visit(Scenario::Password, NEW, true, 10).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_ends_where_an_undisturbed_one_ends() -> Result<()> {
    visit(Scenario::Update, NEW, false, 50).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_is_deleted_after_the_kill_leaves_nothing() -> Result<()> {
    visit(Scenario::Update, OLD, true, 50).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_leaves_nothing() -> Result<()> {
    visit(Scenario::Delete, NEW, false, 140).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_with_its_companions_ends_where_an_undisturbed_one_ends() -> Result<()> {
    visit(Scenario::CreateOwned, NEW, false, 110).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_with_its_companions_that_is_deleted_after_the_kill_leaves_nothing() -> Result<()> {
    visit(Scenario::CreateOwned, OLD, true, 110).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_companions_change_of_password_ends_where_an_undisturbed_one_ends() -> Result<()> {
    visit(Scenario::PasswordOwned, OLD, false, 40).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_companions_change_of_password_that_is_deleted_after_the_kill_leaves_nothing() -> Result<()> {
    visit(Scenario::PasswordOwned, NEW, true, 40).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_takes_its_companions_along_leaves_nothing() -> Result<()> {
    visit(Scenario::DeleteOwned, NEW, false, 45).await
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_are_given_end_where_an_undisturbed_run_ends() -> Result<()> {
    visit(Scenario::Give, NEW, false, 45).await
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_are_given_and_deleted_after_the_kill_leave_nothing() -> Result<()> {
    visit(Scenario::Give, OLD, true, 45).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_rights_ends_where_an_undisturbed_one_ends() -> Result<()> {
    visit(Scenario::Narrow, OLD, false, 190).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_rights_that_is_deleted_after_the_kill_leaves_nothing() -> Result<()> {
    visit(Scenario::Narrow, NEW, true, 190).await
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_are_taken_leave_nothing() -> Result<()> {
    visit(Scenario::Take, NEW, false, 30).await
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_in_another_namespace_end_where_an_undisturbed_run_ends() -> Result<()> {
    visit(Scenario::Elsewhere, NEW, false, 70).await
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_in_another_namespace_that_are_deleted_after_the_kill_leave_nothing() -> Result<()> {
    visit(Scenario::Elsewhere, OLD, true, 70).await
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_that_move_end_where_an_undisturbed_run_ends() -> Result<()> {
    visit(Scenario::Move, OLD, false, 45).await
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_that_move_and_are_deleted_after_the_kill_leave_nothing() -> Result<()> {
    visit(Scenario::Move, NEW, true, 45).await
}
