//! The chores of this repository, as `cargo xtask CHORE`. Each installs what it needs and lacks.
//!
//! What a chore does is in `testkit` wherever a test could want it too; here is only what a person sees.

mod build;
mod definitions;
mod demo;
mod run_tests;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use testkit::toolchain;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "The chores of this repository")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Run the operator against a real PostgreSQL and MariaDB, with sample resources, and show what it made.
    Demo {
        /// Use this context of your own kubeconfig instead of a local control plane.
        #[arg(long)]
        context: Option<String>,
        #[command(subcommand)]
        action: Option<DemoAction>,
    },
    /// Run all tests against a real control plane and real databases.
    Test {
        /// Arguments for `cargo nextest run`; all of the workspace without any.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run the conformance suite against every other version of every server that can be had: PostgreSQL 13, 14, 16, 17
    /// and 18, MariaDB 10.5 and 11.8, MySQL 9.7. The distribution's own are part of `test`.
    Matrix {
        /// Arguments for `cargo nextest run`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Check licences, sources and who may depend on what; and with `advisories`, which needs the network, known faults.
    Deny {
        /// What `cargo deny check` checks, instead of all that needs no network.
        checks: Vec<String>,
    },
    /// Build the engines and the hostile guests as components.
    Engines,
    /// Measure the operator beside bare SQL, in release builds.
    Bench {
        /// `sweeps` for what looking for drift costs alone, `memory` for what objects take.
        #[arg(trailing_var_arg = true)]
        arguments: Vec<String>,
    },
    /// Write the definitions of the kinds to deploy/crds.
    Crds,
    /// Install everything that the other chores need.
    Install {
        /// Another major version of PostgreSQL for the adapter's tests (13 to 18), from wherever it can be
        /// had. Repeatable.
        #[arg(long)]
        postgres: Vec<u32>,
    },
}

#[derive(Debug, Subcommand)]
enum DemoAction {
    /// Stop what the demo left running.
    Stop,
}

fn main() -> ExitCode {
    match run(Arguments::parse().chore) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(chore: Chore) -> Result<ExitCode> {
    match chore {
        Chore::Demo { action: Some(DemoAction::Stop), .. } => runtime()?.block_on(demo::stop())?,
        Chore::Demo { action: None, context } => runtime()?.block_on(demo::run(context))?,
        Chore::Test { arguments } => return runtime()?.block_on(run_tests::run(&arguments)),
        Chore::Matrix { arguments } => return run_tests::matrix(&arguments),
        Chore::Deny { checks } => return build::deny(&checks),
        Chore::Engines => {
            build::components(build::ENGINES)?;
            build::components(build::GUESTS)?;
        }
        Chore::Bench { arguments } => return build::bench(&arguments),
        Chore::Crds => definitions::write()?,
        Chore::Install { postgres } => {
            toolchain::everything()?;
            for major in postgres {
                toolchain::postgres::packaged(major)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Runtime::new().context("start the asynchronous runtime")
}
