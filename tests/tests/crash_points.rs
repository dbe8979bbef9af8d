//! The operator is killed before and after every write to the API server and every statement to the database, started
//! again, and must end where an undisturbed run ends: the same objects, the same catalogue, a login with every
//! Secret, nothing left over. In a second round the resources are deleted right after the kill, and nothing may be
//! left at all.
//!
//! The points are counted in an undisturbed run by the proxies that later kill. A run that is disturbed may take
//! another way, so a point beyond its end counts as not visited; the tests fail when too few were.

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

use lane::Lane;
use points::{Point, Survey};
use scenario::Scenario;

/// Waiting for the API server and for pauses is most of a visit, so several go on side by side.
const LANES: usize = 3;

/// Visits every point of a scenario and says how many were met.
async fn visit(scenario: Scenario, deleting: bool, at_least: usize) -> Result<()> {
    let mut first = Lane::open(scenario).await?;
    let survey = first.survey().await?;
    println!("{scenario:?}: {survey}");
    let points = survey.points();
    let total = points.len();
    let queue = Mutex::new(VecDeque::from(points));
    let mut first = Some(first);
    let lanes = (0..LANES).map(|_| drive(first.take(), scenario, deleting, &survey, &queue));
    let visited: usize = try_join_all(lanes.collect::<Vec<_>>()).await?.into_iter().sum();
    let round = if deleting { "deleted right after the kill" } else { "restarted" };
    println!("{scenario:?}, {round}: {visited} of {total} points visited ({survey})");
    ensure!(visited >= at_least, "only {visited} points were visited, at least {at_least} are expected");
    Ok(())
}

/// Takes points from the queue until it is empty.
async fn drive(
    lane: Option<Lane>,
    scenario: Scenario,
    deleting: bool,
    survey: &Survey,
    queue: &Mutex<VecDeque<Point>>,
) -> Result<usize> {
    let mut lane = match lane {
        Some(lane) => lane,
        None => Lane::open(scenario).await?,
    };
    let mut visited = 0;
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(point) = next else { return Ok(visited) };
        let began = Instant::now();
        let met = lane.visit(point, deleting, survey).await;
        let met = met.with_context(|| format!("{scenario:?}, killed {point}"))?;
        println!("{point}: {} in {:?}", if met { "met" } else { "beyond the end" }, began.elapsed());
        visited += usize::from(met);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_ends_where_an_undisturbed_one_ends() -> Result<()> {
    visit(Scenario::Create, false, 170).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_that_is_deleted_after_the_kill_leaves_nothing() -> Result<()> {
    visit(Scenario::Create, true, 170).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_password_ends_where_an_undisturbed_one_ends() -> Result<()> {
    visit(Scenario::Password, false, 20).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_password_that_is_deleted_after_the_kill_leaves_nothing() -> Result<()> {
    visit(Scenario::Password, true, 10).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_ends_where_an_undisturbed_one_ends() -> Result<()> {
    visit(Scenario::Update, false, 50).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_is_deleted_after_the_kill_leaves_nothing() -> Result<()> {
    visit(Scenario::Update, true, 50).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_leaves_nothing() -> Result<()> {
    visit(Scenario::Delete, false, 140).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_with_its_companions_ends_where_an_undisturbed_one_ends() -> Result<()> {
    visit(Scenario::CreateOwned, false, 110).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_with_its_companions_that_is_deleted_after_the_kill_leaves_nothing() -> Result<()> {
    visit(Scenario::CreateOwned, true, 110).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_companions_change_of_password_ends_where_an_undisturbed_one_ends() -> Result<()> {
    visit(Scenario::PasswordOwned, false, 40).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_companions_change_of_password_that_is_deleted_after_the_kill_leaves_nothing() -> Result<()> {
    visit(Scenario::PasswordOwned, true, 40).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_takes_its_companions_along_leaves_nothing() -> Result<()> {
    visit(Scenario::DeleteOwned, false, 45).await
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_are_given_end_where_an_undisturbed_run_ends() -> Result<()> {
    visit(Scenario::Give, false, 45).await
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_are_given_and_deleted_after_the_kill_leave_nothing() -> Result<()> {
    visit(Scenario::Give, true, 45).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_rights_ends_where_an_undisturbed_one_ends() -> Result<()> {
    visit(Scenario::Narrow, false, 190).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_rights_that_is_deleted_after_the_kill_leaves_nothing() -> Result<()> {
    visit(Scenario::Narrow, true, 190).await
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_are_taken_leave_nothing() -> Result<()> {
    visit(Scenario::Take, false, 30).await
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_in_another_namespace_end_where_an_undisturbed_run_ends() -> Result<()> {
    visit(Scenario::Elsewhere, false, 70).await
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_in_another_namespace_that_are_deleted_after_the_kill_leave_nothing() -> Result<()> {
    visit(Scenario::Elsewhere, true, 70).await
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_that_move_end_where_an_undisturbed_run_ends() -> Result<()> {
    visit(Scenario::Move, false, 45).await
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_that_move_and_are_deleted_after_the_kill_leave_nothing() -> Result<()> {
    visit(Scenario::Move, true, 45).await
}
