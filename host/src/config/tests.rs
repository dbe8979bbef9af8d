//! Flags as people write them.

use clap::CommandFactory as _;

use super::*;

fn parsed(arguments: &[&str]) -> Result<Config, clap::Error> {
    let start = ["db-provision-operator", "--engines", "/engines"];
    Config::try_parse_from(start.iter().chain(arguments))
}

#[test]
fn the_command_line_is_well_formed() {
    Config::command().debug_assert();
}

#[test]
fn every_setting_has_an_environment_variable() {
    for argument in Config::command().get_arguments() {
        // Only the operator itself asks to compile, on its command line.
        let is_built_in = ["help", "version", "compile"].contains(&argument.get_id().as_str());
        assert!(is_built_in || argument.get_env().is_some(), "{}", argument.get_id());
    }
}

#[test]
fn what_is_not_stated_has_a_default() {
    let config = parsed(&[]).unwrap();
    assert_eq!(config.instance_id, "default");
    assert_eq!(config.default_drift_interval, Duration::from_hours(8));
    assert_eq!(config.max_concurrent_reconciles.get(), 16);
    assert_eq!(config.log_format, LogFormat::Json);
    assert!(!config.leader_elect);
    assert!(config.watch_output_secrets);
    assert!(config.allow_endpoint_cidr.is_empty());
}

#[test]
fn switches_are_written_alone_or_with_a_value() {
    assert!(parsed(&["--leader-elect"]).unwrap().leader_elect);
    assert!(parsed(&["--leader-elect=true"]).unwrap().leader_elect);
    assert!(!parsed(&["--leader-elect=false"]).unwrap().leader_elect);
    assert!(!parsed(&["--watch-output-secrets=false"]).unwrap().watch_output_secrets);
}

#[test]
fn allowed_networks_are_repeated_or_separated_by_commas() {
    let config =
        parsed(&["--allow-endpoint-cidr", "127.0.0.0/8,10.0.0.0/8", "--allow-endpoint-cidr", "::1/128"]).unwrap();
    let written: Vec<_> = config.allow_endpoint_cidr.iter().map(ToString::to_string).collect();
    assert_eq!(written, ["127.0.0.0/8", "10.0.0.0/8", "::1/128"]);
    assert!(parsed(&["--allow-endpoint-cidr", "localhost"]).is_err());
}

#[test]
fn servers_are_turned_off_by_a_zero() {
    assert_eq!(parsed(&["--metrics-bind-address", "0"]).unwrap().metrics_bind_address, BindAddress::Off);
    let everywhere = BindAddress::At(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 9090)));
    assert_eq!(parsed(&["--metrics-bind-address", ":9090"]).unwrap().metrics_bind_address, everywhere);
    assert!(parsed(&["--metrics-bind-address", ":99999"]).is_err());
    assert!(parsed(&["--metrics-bind-address", "somewhere"]).is_err());
}

#[test]
fn unbounded_concurrency_cannot_be_asked_for() {
    for flag in ["--max-concurrent-reconciles", "--max-concurrent-sweeps"] {
        assert!(parsed(&[flag, "0"]).is_err(), "{flag}");
    }
}

#[test]
fn intervals_are_durations_of_at_least_a_second() {
    let interval = |text| parsed(&["--default-drift-interval", text]);
    assert_eq!(interval("1h30m").unwrap().default_drift_interval, Duration::from_mins(90));
    assert!(interval("10ms").is_err());
    assert!(interval("3d").is_err());
}

#[test]
fn an_instance_id_must_fit_into_a_label() {
    assert_eq!(parsed(&["--instance-id", "team-a"]).unwrap().instance_id, "team-a");
    for id in ["", "-a", "a b", "a/b", &"a".repeat(64)] {
        assert!(parsed(&[&format!("--instance-id={id}")]).is_err(), "{id}");
    }
}

#[test]
fn each_id_has_a_lease_of_its_own_with_a_name_that_is_allowed() {
    let name = |id: &str| parsed(&[&format!("--instance-id={id}")]).unwrap().lease_name();
    assert_eq!(name("default"), "db-provision-operator.dbops.dbprovision.io");
    assert_eq!(name("team-a"), "db-provision-operator.team-a.dbops.dbprovision.io");
    assert_eq!(name("a.b"), "db-provision-operator.a.b.dbops.dbprovision.io");
    let odd = ["Team-A", "team_a", "a..b", "a.-b", "TEAM-A"].map(name);
    for (number, one) in odd.iter().enumerate() {
        let is_dns = one.split('.').all(|part| {
            !part.is_empty()
                && part.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-')
                && !part.starts_with('-')
                && !part.ends_with('-')
        });
        assert!(is_dns && one.len() <= 253, "{one}");
        assert_eq!(odd.iter().position(|other| other == one), Some(number), "{one} is there twice");
    }
}
