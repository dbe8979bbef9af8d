//! The process: reads its flags, starts its log, runs the operator, and ends with its verdict.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use db_provision_operator::config::Config;
use db_provision_operator::engines::compile;
use db_provision_operator::operator;
use db_provision_operator::telemetry::logs;

fn main() -> ExitCode {
    let config = Config::parse();
    match run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the operator ends");
            ExitCode::FAILURE
        }
    }
}

fn run(config: Config) -> anyhow::Result<()> {
    logs::start(&config.log_level, config.log_format)?;
    // Said once for the process: two providers among the dependencies would make each of them ask.
    let provider = rustls::crypto::ring::default_provider();
    if provider.install_default().is_err() {
        tracing::debug!("a TLS provider was installed before");
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(async {
        if let Some(component) = &config.compile {
            return compile::component(component, config.compilation_cache.as_deref()).await;
        }
        let stop = operator::stop_on_signals().context("cannot listen for signals")?;
        Box::pin(operator::run(config, stop)).await?;
        anyhow::Ok(())
    })
}
