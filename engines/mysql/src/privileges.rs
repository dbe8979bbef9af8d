//! Which privileges there are on which level, for both dialects. What a server of a certain version knows of them, it
//! says itself.

/// On a database, and so on everything in it.
pub(crate) const DATABASE: &[&str] = &[
    "ALTER",
    "ALTER ROUTINE",
    "CREATE",
    "CREATE ROUTINE",
    "CREATE TEMPORARY TABLES",
    "CREATE VIEW",
    "DELETE",
    "DELETE HISTORY",
    "DROP",
    "EVENT",
    "EXECUTE",
    "INDEX",
    "INSERT",
    "LOCK TABLES",
    "REFERENCES",
    "SELECT",
    "SHOW CREATE ROUTINE",
    "SHOW VIEW",
    "TRIGGER",
    "UPDATE",
];

/// On a table or view.
pub(crate) const TABLE: &[&str] = &[
    "ALTER",
    "CREATE",
    "CREATE VIEW",
    "DELETE",
    "DELETE HISTORY",
    "DROP",
    "INDEX",
    "INSERT",
    "REFERENCES",
    "SELECT",
    "SHOW VIEW",
    "TRIGGER",
    "UPDATE",
];

/// On a column.
pub(crate) const COLUMN: &[&str] = &["INSERT", "REFERENCES", "SELECT", "UPDATE"];

/// On a procedure or function. MariaDB takes `SHOW CREATE ROUTINE` there too, and keeps nothing of it.
pub(crate) const ROUTINE: &[&str] = &["ALTER ROUTINE", "EXECUTE"];

/// On the whole server, beside those of a database. MySQL's dynamic ones are words with underscores, and so many that
/// only the server knows them all.
pub(crate) const GLOBAL: &[&str] = &[
    "BINLOG ADMIN",
    "BINLOG MONITOR",
    "BINLOG REPLAY",
    "CONNECTION ADMIN",
    "CREATE ROLE",
    "CREATE TABLESPACE",
    "CREATE USER",
    "DROP ROLE",
    "FEDERATED ADMIN",
    "FILE",
    "PROCESS",
    "READ_ONLY ADMIN",
    "RELOAD",
    "REPLICATION CLIENT",
    "REPLICATION MASTER ADMIN",
    "REPLICATION SLAVE",
    "REPLICATION SLAVE ADMIN",
    "SET USER",
    "SHOW DATABASES",
    "SHUTDOWN",
    "SLAVE MONITOR",
    "SUPER",
];

/// `ALL` and its longer form.
pub(crate) fn is_all(privilege: &str) -> bool {
    matches!(privilege, "ALL" | "ALL PRIVILEGES")
}
