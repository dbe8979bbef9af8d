//! The guest's code compiled natively: what it dials and whose credentials it uses, set by a test or a benchmark.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Duration;

use crate::adapter::roles::RoleSpec;
use crate::adapter::users::UserSpec;
use crate::{
    Credentials, Error, Mark, NetError, Roles, Secret, SecretError, Selection, TlsUse, UpdateReport, Users, Wire,
};

type Dialler = Box<dyn Fn() -> Result<Rc<dyn Wire>, NetError>>;

thread_local! {
    static DIALLER: RefCell<Option<Dialler>> = const { RefCell::new(None) };
    static CREDENTIALS: RefCell<Option<(String, Vec<u8>)>> = const { RefCell::new(None) };
}

/// From now on, [`crate::dial`] on this thread answers what `dialler` gives.
pub fn dial_with(dialler: impl Fn() -> Result<Rc<dyn Wire>, NetError> + 'static) {
    DIALLER.set(Some(Box::new(dialler)));
}

/// From now on, [`crate::secret::instance_credentials`] on this thread answers these.
pub fn log_in_as(username: &str, password: &str) {
    CREDENTIALS.set(Some((username.to_owned(), password.as_bytes().to_vec())));
}

/// Brings a user about as whoever owns it would: with the mark that it carries now.
pub fn update_user(
    adapter: &mut impl Users,
    spec: &UserSpec,
    password: Option<&Secret>,
    selection: &Selection,
) -> crate::Result<UpdateReport> {
    // A look does not compare the mark, and is not asked for more than it is.
    let found = if *selection == Selection::Detect { None } else { adapter.get_info(&spec.name)? };
    adapter.update(spec, &found.and_then(|info| info.mark).unwrap_or_else(nobodys), password, selection)
}

/// Brings a role about as whoever owns it would: with the mark that it carries now.
pub fn update_role(adapter: &mut impl Roles, spec: &RoleSpec, selection: &Selection) -> crate::Result<UpdateReport> {
    let found = if *selection == Selection::Detect { None } else { adapter.get_info(&spec.name)? };
    adapter.update(spec, &found.and_then(|info| info.mark).unwrap_or_else(nobodys), selection)
}

/// What no object carries.
fn nobodys() -> Mark {
    let nothing = String::new;
    Mark {
        cluster: nothing(),
        operator: nothing(),
        kind: nothing(),
        namespace: nothing(),
        name: nothing(),
        nonce: nothing(),
    }
}

pub(crate) fn dial() -> Result<Rc<dyn Wire>, NetError> {
    DIALLER.with_borrow(|dialler| match dialler {
        Some(dialler) => dialler(),
        None => Err(NetError::Denied("no dialler was set on this thread".to_owned())),
    })
}

pub(crate) fn credentials() -> crate::Result<Credentials> {
    CREDENTIALS.with_borrow(|known| match known {
        Some((username, password)) => {
            Ok(Credentials { username: username.clone(), password: Secret::Known(password.clone()) })
        }
        None => Err(Error::dependency_missing("no credentials were set on this thread")),
    })
}

/// A plain TCP connection.
#[derive(Debug)]
pub struct TcpWire(TcpStream);

impl TcpWire {
    /// Connects.
    pub fn connect(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    fn timed<T>(&self, timeout: Duration, read: impl FnOnce(&TcpStream) -> io::Result<T>) -> io::Result<T> {
        self.0.set_read_timeout(Some(timeout))?;
        read(&self.0)
    }
}

impl Wire for TcpWire {
    fn tls(&self) -> TlsUse {
        TlsUse::Never
    }

    fn try_read(&self, max: u32) -> Result<Option<Vec<u8>>, NetError> {
        let mut bytes = vec![0; usize::try_from(max).unwrap_or(0)];
        self.0.set_nonblocking(true).map_err(io_error)?;
        let outcome = (&self.0).read(&mut bytes);
        self.0.set_nonblocking(false).map_err(io_error)?;
        match outcome {
            Ok(count) => {
                bytes.truncate(count);
                Ok(Some(bytes))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(io_error(error)),
        }
    }

    fn wait_readable(&self, timeout_ms: u32) -> Result<(), NetError> {
        let timeout = Duration::from_millis(u64::from(timeout_ms.max(1)));
        match self.timed(timeout, |stream| stream.peek(&mut [0])) {
            Ok(_) => Ok(()),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                Err(NetError::TimedOut)
            }
            Err(error) => Err(io_error(error)),
        }
    }

    fn write(&self, bytes: &[u8]) -> Result<(), NetError> {
        (&self.0).write_all(bytes).map_err(io_error)
    }

    fn start_tls(&self) -> Result<Option<Vec<u8>>, NetError> {
        Err(NetError::Denied("the native wire has no TLS".to_owned()))
    }

    fn reveal(&self, secret: &Secret) -> Result<Vec<u8>, SecretError> {
        known(secret)
    }
}

/// Natively there are no handles of a host.
pub(crate) fn known(secret: &Secret) -> Result<Vec<u8>, SecretError> {
    match secret {
        Secret::Known(value) => Ok(value.clone()),
        Secret::Host(_) => Err(SecretError::Missing("a handle of the host, outside of it".to_owned())),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is passed to map_err")]
fn io_error(error: io::Error) -> NetError {
    NetError::Io(error.to_string())
}
