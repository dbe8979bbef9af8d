//! One hostile guest on trial: what every such test has in common.
//!
//! Beside the guest an honest one works at the same server and another one at another server, from before it is
//! loaded until after the verdict: none of their calls may fail or be slow. Nothing in the process may panic, and
//! nothing may take longer than [`PATIENCE`].

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::{Duration, Instant};

use hostile_guests::{Behaviour, MISBEHAVE};
use sandbox::contract::{Settings, TlsMode};
use sandbox::{
    Adapter, AddressPolicy, Binding, CallError, Credentials, Endpoint, Grant, Lane, Limits, LoadError, Sandbox,
    SandboxConfig, SecretValue, Server, TlsSettings,
};
use testkit::workspace;

use crate::toy::{Offer, PASSWORD, Toy};

/// No trial takes longer, on a machine that builds something else beside.
const PATIENCE: Duration = Duration::from_mins(1);

/// No call of an honest guest takes longer while another misbehaves.
const SLOWEST: Duration = Duration::from_secs(5);

/// How long a test waits for a turn.
pub(crate) const TURN: Duration = Duration::from_secs(10);

static PANICS: AtomicUsize = AtomicUsize::new(0);
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Something to be loaded.
pub(crate) trait Component {
    /// Its bytes.
    fn component(self) -> Vec<u8>;
}

impl Component for Behaviour {
    fn component(self) -> Vec<u8> {
        let path = workspace::guests().join("hostile-guests.wasm");
        let built = std::fs::read(&path).unwrap_or_else(|error| {
            panic!("{}: {error}. The guests are not built: run `cargo xtask engines`", path.display())
        });
        hostile_guests::choose(&built, self)
            .unwrap_or_else(|| panic!("{} is not the tests' component: run `cargo xtask engines`", path.display()))
    }
}

/// A guest on trial.
pub(crate) struct Trial {
    pub(crate) sandbox: Sandbox,
    /// The server that it is bound to, and an honest guest too.
    pub(crate) toy: Toy,
    component: Vec<u8>,
    name: &'static str,
}

/// Puts a component on trial.
pub(crate) async fn run(component: impl Component, name: &'static str, body: impl AsyncFnOnce(&Trial)) {
    watch_host();
    let panics = PANICS.load(Ordering::SeqCst);
    let trial =
        Trial { sandbox: sandbox(), toy: Toy::start(Offer::default()).await, component: component.component(), name };
    let elsewhere = Toy::start(Offer::default()).await;
    let honest = load(&trial.sandbox, Behaviour::Honest).await;
    let judged = Arc::new(AtomicBool::new(false));
    let mut neighbours = Vec::new();
    for toy in [&trial.toy, &elsewhere] {
        let server = honest.bind(binding("neighbour", toy)).unwrap();
        server.lane(Lane::Work, TURN).await.unwrap().ping().await.unwrap();
        neighbours.push(tokio::spawn(keep_pinging(server, Arc::clone(&judged))));
    }
    tokio::time::timeout(PATIENCE, body(&trial)).await.expect("the trial has no end");
    judged.store(true, Ordering::SeqCst);
    for neighbour in neighbours {
        let slowest = neighbour.await.unwrap();
        assert!(slowest < SLOWEST, "an honest guest beside took {slowest:?} for a ping");
    }
    assert_eq!(PANICS.load(Ordering::SeqCst), panics, "something in the host panicked");
}

/// Pings until the verdict, and answers how long the slowest took.
async fn keep_pinging(server: Arc<Server>, judged: Arc<AtomicBool>) -> Duration {
    let mut slowest = Duration::ZERO;
    while !judged.load(Ordering::SeqCst) {
        let started = Instant::now();
        server.lane(Lane::Work, TURN).await.unwrap().ping().await.unwrap();
        slowest = slowest.max(started.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    slowest
}

impl Trial {
    /// The error that the component is refused with.
    pub(crate) async fn refusal(&self) -> LoadError {
        self.sandbox.load(self.component.clone(), &Grant::full([]), None).await.unwrap_err()
    }

    /// The component, loaded.
    pub(crate) async fn adapter(&self) -> Adapter {
        self.sandbox.load(self.component.clone(), &Grant::full([]), None).await.unwrap()
    }

    /// The component, bound to the trial's server.
    pub(crate) async fn server(&self) -> Arc<Server> {
        self.adapter().await.bind(binding(self.name, &self.toy)).unwrap()
    }

    /// The component, bound to another server in another way.
    pub(crate) async fn bound(&self, toy: &Toy, tls: TlsSettings) -> Arc<Server> {
        let binding = Binding { tls, ..binding(self.name, toy) };
        self.adapter().await.bind(binding).unwrap()
    }

    /// What the guest logged.
    pub(crate) fn log(&self) -> Vec<String> {
        let log = LOG.lock().unwrap();
        let label = format!("adapter=\"{}\"", self.name);
        String::from_utf8_lossy(&log).lines().filter(|line| line.contains(&label)).map(str::to_owned).collect()
    }
}

/// A sandbox with room for some guests.
pub(crate) fn sandbox() -> Sandbox {
    sandbox_for(24)
}

/// A sandbox with room for so many guests.
pub(crate) fn sandbox_for(guests: u32) -> Sandbox {
    // Most tests compile the same guests; what is compiled is found again by its bytes.
    let compiled = workspace::target().join("tmp/compiled-guests");
    Sandbox::new(&SandboxConfig { guests, cache_directory: Some(compiled), ..SandboxConfig::default() }).unwrap()
}

/// Loads one.
pub(crate) async fn load(sandbox: &Sandbox, component: impl Component) -> Adapter {
    sandbox.load(component.component(), &Grant::full([]), None).await.unwrap()
}

/// Everything about a toy server that speaks plainly, with limits that a test can wait for.
pub(crate) fn binding(name: &str, toy: &Toy) -> Binding {
    Binding {
        name: name.to_owned(),
        endpoint: Endpoint { host: "localhost".to_owned(), port: toy.address.port() },
        addresses: Arc::new(AddressPolicy::new(vec!["127.0.0.0/8".parse().unwrap()])),
        tls: TlsSettings::of(TlsMode::Disable),
        credentials: Credentials { username: "admin".to_owned(), password: SecretValue::new(PASSWORD) },
        settings: Settings {
            engine: "toy".to_owned(),
            database: "toy".to_owned(),
            options: None,
            tracking: None,
            statement_timeout_ms: 1000,
        },
        limits: Limits { processor: Duration::from_millis(500), wall: Duration::from_secs(3), ..Limits::default() },
        idle: Duration::from_mins(5),
        gate: None,
    }
}

/// Asks about a database.
pub(crate) async fn exists(server: &Arc<Server>, name: &str) -> Result<bool, CallError> {
    server.lane(Lane::Work, TURN).await?.database_exists(name).await
}

/// Makes the guest misbehave, while another guest of the same adapter at the same server answers pings.
pub(crate) async fn misbehave(server: &Arc<Server>) -> Result<bool, CallError> {
    let judged = Arc::new(AtomicBool::new(false));
    let mut beside = server.lane(Lane::Reserved, TURN).await.unwrap();
    beside.ping().await.unwrap();
    let (outcome, ()) = tokio::join!(
        async {
            let outcome = exists(server, MISBEHAVE).await;
            judged.store(true, Ordering::SeqCst);
            outcome
        },
        async {
            while !judged.load(Ordering::SeqCst) {
                beside.ping().await.unwrap();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    );
    outcome
}

/// The guest that misbehaved is gone with its sessions, and the next call works on a fresh one.
pub(crate) async fn assert_replaced(server: &Arc<Server>) {
    let before = server.counters().guests_started;
    eventually("its sessions are closed", || server.counters().sessions_open == 1).await;
    assert!(exists(server, "app").await.unwrap());
    assert_eq!(server.counters().guests_started, before + 1, "the guest was not thrown away");
    assert_eq!(server.counters().sessions_open, 2, "one for work, one reserved");
}

/// The guest did nothing that it has to go for.
pub(crate) async fn assert_kept(server: &Arc<Server>) {
    let before = server.counters().guests_started;
    assert!(exists(server, "app").await.unwrap());
    assert_eq!(server.counters().guests_started, before, "a guest was thrown away for nothing");
}

/// Waits until something holds.
pub(crate) async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(20), "it never came about: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Nothing that comes out of a guest has the password in it, in any of its shapes.
#[track_caller]
pub(crate) fn assert_clean(text: &str) {
    use std::fmt::Write as _;
    let hexadecimal = PASSWORD.bytes().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    });
    // Parts that are the password's alone, as it is and in each encoding: percent, base64 at two offsets.
    let parts = ["hunter2", "able\"battery", "st'able", "%2F%2B%20%25st", "aHVudGVyMi8", "odW50ZXIyL", &hexadecimal];
    for part in parts {
        assert!(!text.contains(part), "{part:?} in {text:?}");
    }
    assert!(text.contains(sandbox::REDACTED), "nothing was redacted in {text:?}");
}

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Keeps the host's log, and counts panics in every thread and task.
fn watch_host() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let log = tracing_subscriber::fmt().with_ansi(false).with_writer(|| Log);
        let log = log.with_env_filter("dbprovision_sandbox=trace").finish();
        tracing::subscriber::set_global_default(log).unwrap();
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            // A test that fails is not the host.
            if panic.location().is_none_or(|place| !place.file().starts_with("tests/")) {
                PANICS.fetch_add(1, Ordering::SeqCst);
            }
            before(panic);
        }));
    });
}
