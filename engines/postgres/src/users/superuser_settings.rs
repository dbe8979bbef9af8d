//! Settings that only a superuser may change: the log, what is loaded into a session, the server's own limits.
//!
//! An administrator who is a superuser could store them on anybody's role, so a spec that asks for one asks for a
//! superuser's privilege. The names are those of `pg_settings` with the context `superuser` in versions 13 to 18; an
//! administrator who is no superuser is refused by the server besides.

/// Sorted.
const NAMES: &[&str] = &[
    "allow_in_place_tablespaces",
    "allow_system_table_mods",
    "backtrace_functions",
    "commit_delay",
    "composite_type_mismatch",
    "compute_query_id",
    "deadlock_timeout",
    "debug_discard_caches",
    "dynamic_library_path",
    "event_triggers",
    "extension_control_path",
    "extension_destdir",
    "ignore_checksum_failure",
    "jit_dump_bitcode",
    "lc_messages",
    "lo_compat_privileges",
    "log_duration",
    "log_error_verbosity",
    "log_executor_stats",
    "log_lock_failures",
    "log_lock_waits",
    "log_min_duration_sample",
    "log_min_duration_statement",
    "log_min_error_statement",
    "log_min_messages",
    "log_parameter_max_length",
    "log_parser_stats",
    "log_planner_stats",
    "log_replication_commands",
    "log_statement",
    "log_statement_sample_rate",
    "log_statement_stats",
    "log_temp_files",
    "log_transaction_sample_rate",
    "max_stack_depth",
    "output_plugin_libraries",
    "session_preload_libraries",
    "session_replication_role",
    "temp_file_limit",
    "track_activities",
    "track_cost_delay_timing",
    "track_counts",
    "track_functions",
    "track_io_timing",
    "track_wal_io_timing",
    "update_process_title",
    "wal_compression",
    "wal_consistency_checking",
    "wal_init_zero",
    "wal_recycle",
    "zero_damaged_pages",
];

/// Modules some of whose settings are the administrator's: what is logged, audited and counted, what their languages load,
/// which files and extensions they open. The server knows no settings of a module before it is loaded, so nobody could
/// ask it. Sorted.
const MODULES: &[&str] = &[
    "anon",
    "auto_explain",
    "citus",
    "credcheck",
    "cron",
    "extwlist",
    "file_fdw",
    "login_hook",
    "passwordcheck",
    "pg_qualstats",
    "pg_stat_kcache",
    "pg_stat_monitor",
    "pg_stat_statements",
    "pg_tle",
    "pg_wait_sampling",
    "pgaudit",
    "pglogical",
    "pgsodium",
    "pgtle",
    "pljava",
    "plperl",
    "plpgsql",
    "plrust",
    "pltcl",
    "pltclu",
    "plv8",
    "postgis",
    "rds",
    "sepgsql",
    "set_user",
    "supautils",
    "timescaledb",
    "vault",
];

/// Whether a setting is a superuser's. Names of settings know no case.
pub(crate) fn contains(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    match name.split_once('.') {
        Some((module, _)) => MODULES.contains(&module),
        None => NAMES.binary_search(&name.as_str()).is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_superusers_setting_is_told_from_a_users() {
        assert!(NAMES.is_sorted() && MODULES.is_sorted());
        for name in ["log_statement", "Session_Preload_Libraries", "PostGIS.gdal_enabled_drivers", "zero_damaged_pages"]
        {
            assert!(contains(name), "{name}");
        }
        for name in ["work_mem", "search_path", "app.tenant", "log_statement.own", "lock_timeout"] {
            assert!(!contains(name), "{name}");
        }
    }
}
