//! What a scrape shows.

use crate::telemetry::labels::{DatabaseInfoLabels, DatabaseLabels, GrantInfoLabels, RoleInfoLabels, UserInfoLabels};

use super::*;

struct Fixed;

/// A label set about an object of this name is recorded after the object went.
const GONE: &str = "gone";

impl Readings for Fixed {
    fn is_there(&self, key: &ObjectKey) -> bool {
        key.name != GONE
    }

    fn resources(&self) -> Vec<(&'static str, usize)> {
        vec![("Database", 3), ("DatabaseUser", 0)]
    }

    fn databases(&self) -> Vec<DatabaseInfoLabels> {
        vec![DatabaseInfoLabels {
            name: "orders".to_owned(),
            database: "orders_db".to_owned(),
            instance: "main".to_owned(),
            namespace: "team-a".to_owned(),
            phase: "Ready".to_owned(),
        }]
    }

    fn users(&self) -> Vec<UserInfoLabels> {
        vec![UserInfoLabels {
            name: "app".to_owned(),
            username: "app".to_owned(),
            instance: "main".to_owned(),
            namespace: "team-a".to_owned(),
            phase: "Failed".to_owned(),
        }]
    }

    fn roles(&self) -> Vec<RoleInfoLabels> {
        vec![RoleInfoLabels {
            name: "readers".to_owned(),
            role: "app_readers".to_owned(),
            instance: "main".to_owned(),
            namespace: String::new(),
            phase: "Ready".to_owned(),
        }]
    }

    fn grants(&self) -> Vec<GrantInfoLabels> {
        vec![GrantInfoLabels {
            name: "reads".to_owned(),
            namespace: "team-a".to_owned(),
            grantee: "app".to_owned(),
            phase: "Pending".to_owned(),
        }]
    }

    fn sizes(&self) -> Vec<(DatabaseLabels, u64)> {
        let labels = DatabaseLabels {
            name: "orders".to_owned(),
            database: "orders_db".to_owned(),
            instance: "main".to_owned(),
            engine: "postgres".to_owned(),
            namespace: "team-a".to_owned(),
        };
        vec![(labels, 8192)]
    }

    fn drifts(&self) -> Vec<(ObjectLabels, bool)> {
        vec![(object_labels(&ObjectKey::new("Database", "team-a", "orders")), true)]
    }

    fn sandbox(&self) -> sandbox::Counters {
        sandbox::Counters { sessions_opened: 7, sessions_open: 2, reveals: 5, traps: 1, ..Default::default() }
    }

    fn engines(&self) -> (usize, usize) {
        (1, 2)
    }
}

fn recorded() -> Metrics {
    let metrics = Metrics::new(Arc::new(Fixed));
    let instance = InstanceId::namespaced("team-a", "main");
    let second = Duration::from_secs(1);
    metrics.connection_attempt(&instance, "postgres", Ending::Success, second);
    metrics.connection_attempt(&instance, "postgres", Ending::Failure, second);
    metrics.instance_checked(&instance, "postgres", true, Timestamp::from_second(1_700_000_000).unwrap());
    metrics.instance_info(
        &instance,
        &InstanceInfoLabels {
            instance: "main".to_owned(),
            namespace: "team-a".to_owned(),
            engine: "postgres".to_owned(),
            version: "15.18".to_owned(),
            host: "db.example.org".to_owned(),
            port: "5432".to_owned(),
            phase: "Ready".to_owned(),
        },
    );
    metrics.database_operation(&instance, "postgres", Operation::Create, Ending::Success, second);
    metrics.user_operation(&instance, "postgres", Operation::SetPassword, Ending::Failure, second);
    metrics.role_operation(&instance, "postgres", Operation::Update, Ending::Success, second);
    metrics.grant_operation(&instance, "postgres", Operation::Delete, Ending::Failure);
    metrics.adopted("Database");
    metrics.searched(&instance, "postgres", Ending::Success);
    metrics.orphans(&instance, "postgres", "role", 4);
    metrics.swept(&instance, "postgres", &BTreeMap::from([("DatabaseUser", 12)]), second);
    let database = ObjectKey::new("Database", "team-a", "orders");
    metrics.drift_found(&database);
    metrics.drift_corrected(&database, Ending::Success);
    metrics.reconciled("Database", "changed", second);
    metrics
}

/// A line of each metric.
const LINES: &[&str] = &[
    r#"dbops_connection_attempts_total{instance="main",namespace="team-a",engine="postgres",status="success"} 1"#,
    r#"dbops_connection_attempts_total{instance="main",namespace="team-a",engine="postgres",status="failure"} 1"#,
    r#"dbops_connection_latency_seconds_count{instance="main",namespace="team-a",engine="postgres"} 1"#,
    r#"dbops_instance_healthy{instance="main",namespace="team-a",engine="postgres"} 1"#,
    r#"dbops_instance_last_health_check_timestamp_seconds{instance="main",namespace="team-a",engine="postgres"} 1700000000.0"#,
    r#"dbops_instance_info{instance="main",namespace="team-a",engine="postgres",version="15.18","#,
    r#"dbops_database_operations_total{operation="create","#,
    r#"dbops_database_operation_duration_seconds_count{operation="create",engine="postgres"} 1"#,
    r#"dbops_database_size_bytes{name="orders",database="orders_db","#,
    r#"dbops_database_info{name="orders","#,
    r#"dbops_user_operations_total{operation="set_password","#,
    "dbops_user_operation_duration_seconds_count{",
    r#"dbops_role_info{name="readers",role="app_readers",instance="main",namespace="",phase="Ready"} 1"#,
    r#"dbops_grant_info{name="reads",namespace="team-a",grantee="app",phase="Pending"} 1"#,
    r#"dbops_user_info{name="app","#,
    r#"dbops_resource_count{kind="Database"} 3"#,
    r#"dbops_drift_detected{kind="Database",namespace="team-a",name="orders"} 1"#,
    r#"dbops_drift_detections_total{kind="Database",namespace="team-a",name="orders"} 1"#,
    r#"dbops_drift_corrections_total{kind="Database",namespace="team-a",name="orders",status="success"} 1"#,
    r#"dbops_reconcile_total{kind="Database",outcome="changed"} 1"#,
    r#"dbops_reconcile_duration_seconds_count{kind="Database"} 1"#,
    "dbops_sessions_open 2",
    "dbops_sessions_opened_total 7",
    "dbops_secret_reveals_total 5",
    "dbops_guest_traps_total 1",
    "dbops_guests_instantiated_total 0",
    "dbops_engines_available 1",
    "dbops_engines_unavailable 2",
    r#"dbops_role_operations_total{operation="update","#,
    r#"dbops_role_operation_duration_seconds_count{operation="update",engine="postgres"} 1"#,
    r#"dbops_adoptions_total{kind="Database"} 1"#,
    r#"dbops_discovery_scans_total{instance="main",namespace="team-a",engine="postgres",status="success"} 1"#,
    r#"dbops_discovered_orphans{instance="main",namespace="team-a",engine="postgres",object="role"} 4"#,
    r#"dbops_drift_sweeps_total{instance="main",namespace="team-a",engine="postgres"} 1"#,
    r#"dbops_drift_swept_objects_total{instance="main",namespace="team-a",engine="postgres",kind="DatabaseUser"} 12"#,
    r#"dbops_drift_sweep_duration_seconds_count{engine="postgres"} 1"#,
    "dbops_guest_deadlines_total 0",
    r#"dbops_grant_operations_total{operation="delete",instance="main",namespace="team-a",engine="postgres",status="failure"} 1"#,
];

/// The names that are registered, whether anything was recorded under them or not: what has no value yet is in no
/// scrape.
fn registered(metrics: &Metrics) -> Vec<String> {
    let all = format!("{:?}", metrics.registry);
    let names = all.split("Descriptor { name: \"").skip(1).filter_map(|rest| rest.split('"').next());
    names.map(|name| format!("dbops_{name}")).collect()
}

#[test]
fn every_metric_appears_under_its_name() {
    let metrics = recorded();
    let text = metrics.text().unwrap();
    for line in LINES {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));

    let shown: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let registered = registered(&metrics);
    assert!(registered.len() > 20, "the registry tells its names in another way: {registered:?}");
    for name in &registered {
        assert!(shown.contains(&name.as_str()), "nothing is recorded under {name} here");
    }
    for name in shown {
        let is_of = |line: &&&str| {
            let rest =
                line.strip_prefix(name).map(|rest| rest.trim_start_matches("_total").trim_start_matches("_count"));
            rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
        };
        assert!(LINES.iter().any(|line| is_of(&line)), "no line of {name} is looked for");
    }
}

#[test]
fn a_deleted_object_leaves_no_label_set_behind() {
    let metrics = recorded();
    metrics.forget(&ObjectKey::new("Database", "team-a", "orders"));
    metrics.forget(&ObjectKey::new("DatabaseUser", "team-a", "app"));
    metrics.forget(&ObjectKey::new("DatabaseInstance", "team-a", "main"));
    // What is read at each scrape goes with the caches.
    let is_read = |line: &str| {
        let families =
            ["database_info", "user_info", "role_info", "grant_info", "database_size_bytes", "drift_detected"];
        families.iter().any(|family| line.starts_with(&format!("dbops_{family}{{")))
    };
    let is_recorded = |line: &&str| !is_read(line);
    let text: String = metrics.text().unwrap().lines().filter(is_recorded).collect();
    for word in ["orders", "\"app\"", "\"main\"", "team-a"] {
        assert!(!text.contains(word), "{word} is still in\n{text}");
    }
}

#[test]
fn what_is_counted_about_an_object_after_it_went_is_not_shown() {
    let metrics = recorded();
    metrics.drift_found(&ObjectKey::new("Database", "team-a", GONE));
    metrics.user_operation(&InstanceId::cluster(GONE), "x", Operation::Delete, Ending::Success, Duration::ZERO);
    let text = metrics.text().unwrap();
    assert!(!text.contains(GONE), "{text}");
    assert!(text.contains("name=\"orders\""), "{text}");
}

#[test]
fn a_failed_connection_has_no_latency() {
    let metrics = Metrics::new(Arc::new(Fixed));
    metrics.connection_attempt(&InstanceId::cluster("main"), "x", Ending::Failure, Duration::from_secs(30));
    assert!(!metrics.text().unwrap().contains("dbops_connection_latency_seconds_count{"));
}
