//! What the operator is told at its start: flags, each with an environment variable of the same name.
//!
//! Read once, in `main`, and passed down. Deliberately absent: files, defaults that depend on the cluster
//! (they are filled in where the cluster is known), and everything that belongs into a resource.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Parser, ValueEnum};
use crds::names::{GROUP, label};
use ipnet::IpNet;
use sha2::{Digest as _, Sha256};

/// The beginning of the name of the Lease that the replicas of one operator share.
const LEASE: &str = "db-provision-operator";

/// Manages databases and users on the database servers that `DatabaseInstance` resources name.
#[derive(Clone, Debug, Parser)]
#[command(name = "db-provision-operator", version, about)]
pub struct Config {
    /// Folder with the engines' adapters; every file in it that ends in .wasm is loaded, and again when it changes.
    #[arg(long, env = "DBOPS_ENGINES", value_name = "DIR")]
    pub engines: PathBuf,

    /// Addresses that instances may name although they are refused by default, such as 127.0.0.0/8.
    /// Repeatable, or separated by commas.
    #[arg(long, env = "DBOPS_ALLOW_ENDPOINT_CIDR", value_name = "CIDR", value_delimiter = ',')]
    pub allow_endpoint_cidr: Vec<IpNet>,

    /// Where /metrics is served; 0 turns it off.
    #[arg(
        long,
        env = "DBOPS_METRICS_BIND_ADDRESS",
        value_name = "ADDRESS",
        default_value = "0.0.0.0:8080",
        value_parser = parse_bind_address
    )]
    pub metrics_bind_address: BindAddress,

    /// Where /healthz and /readyz are served; 0 turns it off.
    #[arg(
        long,
        env = "DBOPS_HEALTH_PROBE_BIND_ADDRESS",
        value_name = "ADDRESS",
        default_value = "0.0.0.0:8081",
        value_parser = parse_bind_address
    )]
    pub health_probe_bind_address: BindAddress,

    /// Whether to work only while holding the Lease, so that several replicas can stand by.
    #[arg(
        long,
        env = "DBOPS_LEADER_ELECT",
        action = ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        default_value_t = false
    )]
    pub leader_elect: bool,

    /// Namespace of the Lease. Default: the operator's own.
    #[arg(long, env = "DBOPS_LEADER_ELECT_NAMESPACE", value_name = "NAMESPACE")]
    pub leader_elect_namespace: Option<String>,

    /// Which resources this operator serves: those whose label dbops.dbprovision.io/operator-instance-id
    /// has this value; a resource without the label has the value `default`.
    #[arg(
        long,
        env = "DBOPS_INSTANCE_ID",
        value_name = "ID",
        default_value = label::DEFAULT_OPERATOR_INSTANCE_ID,
        value_parser = parse_instance_id
    )]
    pub instance_id: String,

    /// Time between two looks for drift, where neither a resource nor its instance says it.
    #[arg(
        long,
        env = "DBOPS_DEFAULT_DRIFT_INTERVAL",
        value_name = "DURATION",
        default_value = "8h",
        value_parser = parse_interval
    )]
    pub default_drift_interval: Duration,

    /// Namespace of the operator's own objects. Default: that of the Pod, or of the kubeconfig's context.
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAMESPACE")]
    pub operator_namespace: Option<String>,

    /// How many resources of one instance are worked on at the same time, at least 1.
    /// Those of a server that hangs wait for their turn; those of other servers do not wait for them.
    #[arg(long, env = "DBOPS_MAX_CONCURRENT_RECONCILES", value_name = "COUNT", default_value = "16")]
    pub max_concurrent_reconciles: NonZeroU16,

    /// How many instances are swept for drift at the same time, at least 1; the others wait for their turn.
    /// A sweep takes up to 128 MiB where its instance has tens of thousands of rights.
    #[arg(long, env = "DBOPS_MAX_CONCURRENT_SWEEPS", value_name = "COUNT", default_value = "4")]
    pub max_concurrent_sweeps: NonZeroU16,

    /// Whether output Secrets are watched by their label, metadata only, so that a deleted one is restored
    /// at once. Without it the operator needs no right to list Secrets and repairs them at its next check.
    #[arg(
        long,
        env = "DBOPS_WATCH_OUTPUT_SECRETS",
        action = ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        default_value_t = true
    )]
    pub watch_output_secrets: bool,

    /// Folder for compiled adapters, which only the operator may write. What is compiled for it is compiled by a
    /// process of its own, whose memory is gone afterwards. Default: they are compiled at each start, by the operator.
    #[arg(long, env = "DBOPS_COMPILATION_CACHE", value_name = "DIR")]
    pub compilation_cache: Option<PathBuf>,

    /// Compile one component into the folder for compiled adapters, and end. The operator calls itself so.
    #[arg(long, hide = true, value_name = "FILE")]
    pub compile: Option<PathBuf>,

    /// Which lines are logged: error, warn, info, debug, trace, or a filter such as info,kube=warn.
    #[arg(long, env = "DBOPS_LOG_LEVEL", value_name = "FILTER", default_value = "info")]
    pub log_level: String,

    /// The form of the log.
    #[arg(long, env = "DBOPS_LOG_FORMAT", value_name = "FORMAT", value_enum, default_value_t = LogFormat::Json)]
    pub log_format: LogFormat,
}

impl Config {
    /// Name of the Lease that the replicas of one operator share, and operators of other ids do not.
    pub fn lease_name(&self) -> String {
        let id = self.instance_id.as_str();
        if id == label::DEFAULT_OPERATOR_INSTANCE_ID {
            return format!("{LEASE}.{GROUP}");
        }
        // An id is as free as a label's value, and a Lease's name is a DNS name.
        let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
        let is_dns_label = |part: &str| {
            part.starts_with(plain)
                && part.ends_with(plain)
                && part.chars().all(|letter| plain(letter) || letter == '-')
        };
        if id.split('.').all(is_dns_label) {
            return format!("{LEASE}.{id}.{GROUP}");
        }
        let digest = hex::encode(Sha256::digest(id));
        format!("{LEASE}.id-{}.{GROUP}", digest.get(..16).unwrap_or_default())
    }
}

/// Where a server listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindAddress {
    /// Nowhere.
    Off,
    /// At this address.
    At(SocketAddr),
}

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Reads an address; `0` is none, and `:8080` means every address of the machine.
fn parse_bind_address(text: &str) -> Result<BindAddress, String> {
    if text == "0" {
        return Ok(BindAddress::Off);
    }
    if let Some(port) = text.strip_prefix(':') {
        let port = port.parse::<u16>().map_err(|error| format!("the port is not a number up to 65535: {error}"))?;
        return Ok(BindAddress::At(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))));
    }
    text.parse().map(BindAddress::At).map_err(|error| format!("expected ADDRESS:PORT, :PORT or 0: {error}"))
}

/// Reads the id, which must be able to stand in a label, because that is where resources name it.
fn parse_instance_id(text: &str) -> Result<String, String> {
    let inner = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
    let edge = |character: Option<char>| character.is_some_and(|character| character.is_ascii_alphanumeric());
    let is_label_value =
        text.len() <= 63 && text.chars().all(inner) && edge(text.chars().next()) && edge(text.chars().next_back());
    if is_label_value {
        Ok(text.to_owned())
    } else {
        Err("expected 1 to 63 letters, digits, dashes, underscores or dots, with a letter or digit at both ends"
            .to_owned())
    }
}

/// Reads an interval. Less than a second would be a busy loop.
fn parse_interval(text: &str) -> Result<Duration, String> {
    let interval = planning::duration::parse(text).map_err(|error| error.to_string())?;
    if interval < planning::drift::SHORTEST_INTERVAL {
        return Err("at least 1s is expected".to_owned());
    }
    Ok(interval)
}

#[cfg(test)]
mod tests;
