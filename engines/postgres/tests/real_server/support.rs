//! A real server for one test: started on loopback with a superuser and an administrator who has CREATEROLE and
//! CREATEDB only, stopped when the test ends, and bounded in time should the test not even reach its end.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use dbprovision_sdk::adapter::Settings;
use dbprovision_sdk::native::{TcpWire, dial_with, log_in_as};
pub(crate) use dbprovision_sdk::native::{update_role, update_user};
use dbprovision_sdk::{Adapter, Mark, NetError, Proof, Secret, Wire};
use engine_postgres::Postgres;

/// The password of every account that the tests make themselves.
pub(crate) const PASSWORD: &str = "correct horse ' battery \\ stäple";
const LONGEST_RUN_S: &str = "900";

/// Goes into the folder `$1` as root folder.
const ENTER: &str =
    r#"root=$1; shift; mount --rbind /dev "$root/dev" && mount --rbind /proc "$root/proc" && exec chroot "$root" "$@""#;

/// Where the programs of one version are.
#[derive(Clone, Debug)]
struct Installation {
    root: Option<PathBuf>,
    programs: PathBuf,
}

/// The machine's own server, and every one in a Debian suite below the target folder.
fn installations() -> Vec<Installation> {
    let versions = |root: Option<PathBuf>| {
        let base = root.clone().unwrap_or_default().join("usr/lib/postgresql");
        let base = if root.is_none() { PathBuf::from("/usr/lib/postgresql") } else { base };
        let found = std::fs::read_dir(base).into_iter().flatten().flatten();
        let found = found.filter(|entry| entry.path().join("bin/initdb").is_file()).map(move |entry| Installation {
            root: root.clone(),
            programs: PathBuf::from("/usr/lib/postgresql").join(entry.file_name()).join("bin"),
        });
        found.collect::<Vec<_>>()
    };
    let mut all = versions(None);
    let suites = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/debian");
    for suite in std::fs::read_dir(suites).into_iter().flatten().flatten() {
        all.extend(versions(suite.path().canonicalize().ok()));
    }
    assert!(!all.is_empty(), "no PostgreSQL is installed in /usr/lib/postgresql");
    all
}

impl Installation {
    /// An account that servers may run as: they refuse to be root, and to be nobody they know.
    fn account(&self) -> u32 {
        let root = self.root.clone().unwrap_or_else(|| PathBuf::from("/"));
        let accounts = std::fs::read_to_string(root.join("etc/passwd")).unwrap();
        let found = ["server", "postgres", "nobody"].iter().find_map(|wanted| {
            accounts.lines().find_map(|line| {
                let mut fields = line.split(':');
                (fields.next() == Some(wanted)).then(|| fields.nth(1).unwrap().parse().unwrap())
            })
        });
        found.unwrap()
    }

    fn give(&self, path: &std::path::Path) {
        std::os::unix::fs::chown(path, Some(self.account()), Some(self.account())).unwrap();
    }

    /// A program of the server, as nobody, inside the installation's root.
    fn program(&self, name: &str) -> Command {
        let path = self.programs.join(name);
        let mut command = Command::new(if self.root.is_some() { "unshare" } else { "chroot" });
        if let Some(root) = &self.root {
            command.args(["--mount", "--propagation", "private", "sh", "-c"]);
            command.arg(ENTER).args(["sh", root.to_str().unwrap()]);
        } else {
            command.arg("/");
        }
        let account = self.account().to_string();
        command.args(["setpriv", "--reuid", &account, "--regid", &account, "--clear-groups"]).arg(path);
        command.env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
        command
    }
}

/// A running server.
pub(crate) struct Server {
    installation: Installation,
    folder: tempfile::TempDir,
    pub(crate) port: u16,
    child: Child,
}

impl Server {
    fn start(installation: &Installation) -> Self {
        // In memory, and visible from inside every root.
        let folder = tempfile::Builder::new().prefix("engine-postgres-").tempdir_in("/dev/shm").unwrap();
        let data = folder.path().join("data");
        let password = folder.path().join("password");
        std::fs::write(&password, "root's own").unwrap();
        installation.give(folder.path());
        installation.give(&password);
        let made = installation
            .program("initdb")
            .args(["-D", data.to_str().unwrap(), "-U", "root_of_all", "--auth=scram-sha-256", "--no-sync"])
            .args(["--encoding=UTF8", "--locale=C.UTF-8", "--pwfile", password.to_str().unwrap()])
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = installation.program("postgres");
        // The bound goes around the server: `chroot … setpriv … timeout … postgres`.
        let mut words: Vec<_> = server.get_args().map(std::ffi::OsStr::to_owned).collect();
        let postgres = words.pop().unwrap();
        words.extend(["timeout", "-s", "QUIT", LONGEST_RUN_S].map(Into::into));
        words.push(postgres);
        let mut bounded = Command::new(server.get_program());
        server = {
            bounded.args(words).env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
            bounded
        };
        let child = server
            .args(["-D", data.to_str().unwrap(), "-p", &port.to_string(), "-k", ""])
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "log_statement=all"])
            .args(["-c", "dynamic_shared_memory_type=mmap", "-c", "max_connections=40"])
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let this = Self { installation: installation.clone(), folder, port, child };
        let limit = Instant::now() + Duration::from_mins(1);
        while !this.psql("root_of_all", "root's own", "postgres", "SELECT 1").status.success() {
            assert!(Instant::now() < limit, "the server did not start: {}", this.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        this.sql("CREATE ROLE administrator LOGIN CREATEROLE CREATEDB PASSWORD 'its own'");
        this
    }

    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.folder.path().join("log")).unwrap_or_default()).into_owned()
    }

    /// A folder for a tablespace.
    pub(crate) fn new_folder(&self, name: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::create_dir(&path).unwrap();
        self.installation.give(&path);
        path.to_str().unwrap().to_owned()
    }

    fn psql(&self, user: &str, password: &str, database: &str, sql: &str) -> Output {
        // The client of the machine speaks to every version.
        let client = installations().into_iter().find(|one| one.root.is_none()).map(|one| one.programs.join("psql"));
        Command::new(client.unwrap())
            .args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(["-U", user, "-d", database, "-c", sql])
            .env("PGPASSWORD", password)
            .env("PGCONNECT_TIMEOUT", "5")
            .env("PGAPPNAME", "the test")
            .output()
            .unwrap()
    }

    /// As the superuser, in `postgres`.
    pub(crate) fn sql(&self, sql: &str) -> String {
        self.sql_in("postgres", sql)
    }

    /// As the superuser.
    pub(crate) fn sql_in(&self, database: &str, sql: &str) -> String {
        self.sql_as("root_of_all", "root's own", database, sql).unwrap()
    }

    /// As anybody.
    pub(crate) fn sql_as(&self, user: &str, password: &str, database: &str, sql: &str) -> Result<String, String> {
        let output = self.psql(user, password, database, sql);
        if output.status.success() {
            Ok(String::from_utf8(output.stdout).unwrap().trim_end().to_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// A session that stays open until it is dropped.
    pub(crate) fn idle_session(&self, user: &str, password: &str, database: &str) -> Idle {
        self.session_after(user, password, database, &["CREATE TEMP TABLE kept (a int)"])
    }

    /// The same, after it said something.
    pub(crate) fn session_after(&self, user: &str, password: &str, database: &str, said: &[&str]) -> Idle {
        let client = installations().into_iter().find(|one| one.root.is_none()).map(|one| one.programs.join("psql"));
        let child = Command::new(client.unwrap())
            .args(["-X", "-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", user, "-d", database])
            .args(said.iter().chain(&["SELECT pg_sleep(120)"]).flat_map(|sql| ["-c", sql]))
            .env("PGPASSWORD", password)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let limit = Instant::now() + Duration::from_secs(20);
        let user = user.replace('\'', "''");
        while self
            .sql(&format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{user}' AND wait_event = 'PgSleep'"))
            == "0"
        {
            assert!(Instant::now() < limit, "the session did not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Idle(child)
    }

    /// The adapter, logged in as the superuser or as the administrator who is none.
    pub(crate) fn adapter(&self, superuser: bool) -> Postgres {
        let address = format!("127.0.0.1:{}", self.port);
        dial_with(move || {
            let wire = TcpWire::connect(&address).map_err(|error| NetError::Io(error.to_string()))?;
            Ok(Rc::new(wire) as Rc<dyn Wire>)
        });
        if superuser {
            log_in_as("root_of_all", "root's own");
        } else {
            log_in_as("administrator", "its own");
        }
        let mut adapter = Postgres::new();
        adapter.connect(&settings(r#"{"statementTimeout": "60s"}"#)).unwrap();
        adapter
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let data = self.folder.path().join("data");
        let stopped = self
            .installation
            .program("pg_ctl")
            .args(["-D", data.to_str().unwrap(), "-m", "immediate", "stop"])
            .output();
        if !stopped.is_ok_and(|output| output.status.success()) {
            _ = self.child.kill();
        }
        _ = self.child.wait();
    }
}

/// A session of another program.
pub(crate) struct Idle(Child);

impl Drop for Idle {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

impl Idle {
    /// Whether the server ended it.
    pub(crate) fn has_ended(&mut self) -> bool {
        let limit = Instant::now() + Duration::from_secs(10);
        while Instant::now() < limit {
            if self.0.try_wait().unwrap().is_some() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }
}

/// A second session of the adapter that was logged in last, in a sweep. What it finds is what a look finds.
pub(crate) fn sweeping() -> Postgres {
    let mut adapter = Postgres::new();
    adapter.connect(&settings("{}")).unwrap();
    adapter.begin_sweep().unwrap();
    adapter
}

pub(crate) fn settings(options: &str) -> Settings {
    Settings {
        engine: "postgres".to_owned(),
        database: "postgres".to_owned(),
        options: Some(options.to_owned()),
        tracking: None,
        statement_timeout_ms: 30_000,
    }
}

/// Runs `test` on every installed version, as superuser and as the administrator who is none.
/// The text tells the two apart in names.
pub(crate) fn everywhere(test: impl Fn(&Server, &mut Postgres, &str)) {
    for installation in installations() {
        let server = Server::start(&installation);
        for (superuser, tag) in [(true, "s"), (false, "c")] {
            let mut adapter = server.adapter(superuser);
            test(&server, &mut adapter, tag);
            // Nothing may be lent out when an operation is over.
            let loans = server.sql(
                "SELECT r.rolname || ' to administrator' FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid
                  WHERE m.member = 'administrator'::regrole AND m.grantor = m.member
                 UNION ALL SELECT rolname FROM pg_roles WHERE rolname LIKE 'dbops\\_%'
                 UNION ALL SELECT datname FROM pg_database WHERE datname LIKE 'dbops\\_%'",
            );
            assert_eq!(loans, "", "left behind as {tag}");
            adapter.close();
            assert!(!server.log().contains("correct horse"), "a password reached the server's log");
        }
    }
}

pub(crate) fn mark(nonce: &str) -> Mark {
    Mark {
        cluster: "5b1c".to_owned(),
        operator: "default".to_owned(),
        kind: "Database".to_owned(),
        namespace: "team-a".to_owned(),
        name: "it's [a] \"name\"".to_owned(),
        nonce: nonce.to_owned(),
    }
}

pub(crate) fn proof(mark: &Mark) -> Proof {
    Proof { mark: Some(mark.clone()), object_id: None }
}

pub(crate) fn password() -> Secret {
    Secret::Known(PASSWORD.as_bytes().to_vec())
}

/// Names that hurt whoever forgets to quote, or to compare exactly.
pub(crate) fn hostile_names(tag: &str) -> Vec<String> {
    let mut names: Vec<String> = [
        "quote\"quote",
        "tick'tick",
        "back\\slash",
        "x'; DROP ROLE root_of_all; --",
        "ünï çødé \u{1F600}",
        "per%cent_under*score",
        "$1 $$ $tag$",
        "new\nline\ttab",
        "semi;colon",
        "UPPER and lower",
        "a.b.c",
        "select",
        "[dbops:1 cluster=x;]",
        "%s{0}",
    ]
    .iter()
    .map(|name| format!("{tag} {name}"))
    .collect();
    names.push(format!("{tag}{}", "n".repeat(62)));
    names.push(format!("{tag}{}", "ä".repeat(31)));
    names
}
