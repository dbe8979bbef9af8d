//! Starting other programs so that none of them outlives the run that started it.
//!
//! The kernel's parent-death signal follows the *thread* that spawned the child, and a test's thread ends with
//! the test. So every child is spawned by one thread that lives as long as this process does.
//! The signal itself is set by `setpriv`, which keeps this crate free of unsafe code.

mod isolation;

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, kill_process};
use serde::{Deserialize, Serialize};

pub use isolation::{Account, unprivileged_account};
pub use rustix::process::Signal;

/// What outlives this process must not keep open what a caller had open: a lock, say, or the end of a pipe.
const CLOSE_INHERITED: &str = r#"exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; exec "$@""#;

/// How long a child lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lifetime {
    /// It is stopped when its value is dropped, and killed when this process dies.
    #[default]
    DiesWithUs,
    /// It goes on until somebody stops it by its recorded identity.
    Detached,
}

/// What to start, and as whom.
#[derive(Debug)]
pub struct Program {
    name: String,
    path: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    log: PathBuf,
    account: Option<Account>,
    root: Option<PathBuf>,
    visible: Option<PathBuf>,
    death: &'static str,
}

impl Program {
    /// A program that writes both of its output streams to `log`.
    pub fn new(name: &str, path: impl Into<PathBuf>, log: impl Into<PathBuf>) -> Self {
        Self {
            name: name.to_owned(),
            path: path.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            log: log.into(),
            account: None,
            root: None,
            visible: None,
            death: "KILL",
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn arguments<I: IntoIterator<Item: Into<String>>>(mut self, arguments: I) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn environment(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Runs as another account (this process must be root for that).
    #[must_use]
    pub fn account(mut self, account: Option<Account>) -> Self {
        self.account = account;
        self
    }

    /// Runs inside another root folder, in a mount namespace of its own, so that nothing is left mounted whatever
    /// happens. `visible` is the one folder of this machine that it sees there, at the same path.
    #[must_use]
    pub fn inside(mut self, root: Option<PathBuf>, visible: &Path) -> Self {
        self.root = root;
        self.visible = Some(visible.to_owned());
        self
    }

    /// The signal that it gets when this process dies; `KILL` unless said otherwise.
    #[must_use]
    pub fn death_signal(mut self, signal: &'static str) -> Self {
        self.death = signal;
        self
    }

    /// Starts it.
    pub fn start(self, lifetime: Lifetime) -> Result<Running> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .with_context(|| format!("open the log {}", self.log.display()))?;
        let command = self.command(lifetime, log)?;
        let child = spawn(command).with_context(|| format!("start {}", self.name))?;
        Ok(Running { pid: child.id(), name: self.name, log: self.log, lifetime, child: Mutex::new(Some(child)) })
    }

    /// Runs it to its end and fails, with the log's tail, unless it exits with 0.
    pub fn run(self, timeout: Duration) -> Result<()> {
        let running = self.start(Lifetime::DiesWithUs)?;
        let deadline = Instant::now() + timeout;
        loop {
            match running.exit_status()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("{} ended with {status}:\n{}", running.name, running.log_tail(20)),
                None if Instant::now() > deadline => bail!("{} did not end within {timeout:?}", running.name),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    fn command(&self, lifetime: Lifetime, log: File) -> Result<Command> {
        let mut words: Vec<String> = Vec::new();
        if lifetime == Lifetime::Detached {
            words.extend(["setsid", "sh", "-c", CLOSE_INHERITED, "sh"].map(str::to_owned));
        }
        if let Some(root) = &self.root {
            words.extend(isolation::enter(root, self.visible.as_deref()));
        }
        let mut privileges: Vec<String> = Vec::new();
        if lifetime == Lifetime::DiesWithUs {
            privileges.extend(["--pdeathsig".to_owned(), self.death.to_owned()]);
        }
        if let Some(account) = &self.account {
            privileges.extend(account.setpriv_arguments());
        }
        if !privileges.is_empty() {
            words.push("setpriv".to_owned());
            words.append(&mut privileges);
        }
        words.push(self.path.display().to_string());
        words.extend(self.arguments.iter().cloned());

        let (program, arguments) = words.split_first().context("compose a command line")?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("share the log")?)
            .stderr(log);
        Ok(command)
    }
}

/// A started program.
#[derive(Debug)]
pub struct Running {
    pid: u32,
    name: String,
    log: PathBuf,
    lifetime: Lifetime,
    child: Mutex<Option<Child>>,
}

impl Running {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// What it is called in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its output goes.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Everything that it wrote so far.
    pub fn log_text(&self) -> String {
        read_lossy(&self.log)
    }

    /// The last lines that it wrote.
    pub fn log_tail(&self, lines: usize) -> String {
        tail(&self.log_text(), lines)
    }

    /// How it ended, if it did.
    pub fn exit_status(&self) -> Result<Option<std::process::ExitStatus>> {
        match self.child().as_mut() {
            Some(child) => child.try_wait().with_context(|| format!("ask after {}", self.name)),
            None => Ok(None),
        }
    }

    /// Whether it still runs.
    pub fn is_running(&self) -> bool {
        matches!(self.exit_status(), Ok(None)) && self.child().is_some()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        send(self.pid, signal).with_context(|| format!("signal {}", self.name))
    }

    /// Kills it at once and waits until it is gone.
    pub fn kill(&self) -> Result<()> {
        if let Some(mut child) = self.child().take() {
            child.kill().with_context(|| format!("kill {}", self.name))?;
            child.wait().with_context(|| format!("wait for {}", self.name))?;
        }
        Ok(())
    }

    /// Asks it to end by `signal`, and kills it when it has not ended after `grace`.
    pub fn end(&self, signal: Signal, grace: Duration) -> Result<()> {
        if !self.is_running() {
            return Ok(());
        }
        self.signal(signal)?;
        let deadline = Instant::now() + grace;
        while Instant::now() < deadline {
            if self.exit_status()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.kill()
    }

    /// What identifies it to a later process, which a bare process id would not: ids are used again.
    pub fn identity(&self) -> Result<Identity> {
        let started = start_time(self.pid).with_context(|| format!("read when {} was started", self.name))?;
        Ok(Identity { name: self.name.clone(), pid: self.pid, started })
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.lifetime == Lifetime::DiesWithUs
            && let Err(error) = self.kill()
        {
            tracing::debug!(name = self.name, %error, "a child could not be killed");
        }
    }
}

/// A detached program, as a later process knows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Identity {
    /// What it is called in messages.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// When the kernel started it, in ticks since boot.
    pub started: u64,
}

impl Identity {
    /// Whether that very program still runs.
    pub fn is_running(&self) -> bool {
        start_time(self.pid).is_some_and(|started| started == self.started)
    }

    /// Ends it: by `signal` first, by force after `grace`.
    pub fn end(&self, signal: Signal, grace: Duration) -> Result<()> {
        for (signal, patience) in [(signal, grace), (Signal::KILL, Duration::from_secs(2))] {
            if !self.is_running() {
                return Ok(());
            }
            send(self.pid, signal).with_context(|| format!("stop {}", self.name))?;
            let deadline = Instant::now() + patience;
            while self.is_running() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        if self.is_running() {
            bail!("{} (process {}) does not stop", self.name, self.pid);
        }
        Ok(())
    }
}

/// The last `lines` lines of a text.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all.get(all.len().saturating_sub(lines)..).unwrap_or_default().join("\n")
}

/// A log may hold a torn character at its end; that must not hide the rest.
pub(crate) fn read_lossy(path: &Path) -> String {
    std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// The processes whose parent is `pid`.
pub(crate) fn children_of(pid: u32) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|child| stat_field(*child, 1).as_deref() == Some(&pid.to_string()))
        .collect()
}

fn send(pid: u32, signal: Signal) -> Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(|| anyhow!("{pid} is no process id"))?;
    kill_process(pid, signal).context("send the signal")
}

fn start_time(pid: u32) -> Option<u64> {
    // A zombie has ended; only its parent has not looked yet.
    (stat_field(pid, 0)? != "Z").then_some(())?;
    stat_field(pid, 19)?.parse().ok()
}

/// A field of `/proc/PID/stat`, counted from the state, which is the first one behind the program's name.
fn stat_field(pid: u32, index: usize) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    fields.split_whitespace().nth(index).map(str::to_owned)
}

type Request = (Command, mpsc::Sender<std::io::Result<Child>>);

/// Has the long-lived thread spawn the command.
fn spawn(command: Command) -> Result<Child> {
    static SPAWNER: OnceLock<Mutex<mpsc::Sender<Request>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (requests, inbox) = mpsc::channel::<Request>();
        std::thread::spawn(move || {
            for (mut command, answer) in inbox {
                if answer.send(command.spawn()).is_err() {
                    tracing::debug!("nobody waits for a spawned child");
                }
            }
        });
        Mutex::new(requests)
    });
    let (answer, outcome) = mpsc::channel();
    spawner
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .send((command, answer))
        .map_err(|_gone| anyhow!("the spawning thread is gone"))?;
    outcome.recv().context("wait for the spawning thread")?.context("spawn")
}
