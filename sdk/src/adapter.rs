//! What an adapter implements: one trait a group of operations, and the export of them all.
//!
//! The traits differ from the generated ones in three ways: the adapter is a value (`&mut self`), arguments
//! are borrowed, and a function that is not written answers `unsupported`.

pub mod backups;
pub mod databases;
pub mod grants;
pub mod restores;
pub mod roles;
pub mod schemas;
pub mod users;

pub use backups::Backups;
pub use databases::Databases;
pub use grants::Grants;
pub use restores::Restores;
pub use roles::Roles;
pub use schemas::Schemas;
pub use users::Users;

use crate::bindings::exports::dbprovision::adapter::{connection as wit, describe};
use crate::{Error, Result};

pub use describe::{
    BlockOwner, Description, EngineName, FieldList, NameLimit, OperationGroup, OptionBlock, ServerVersion, ToolRequest,
};
pub use wit::{Channel, InstanceExamination, Server, Settings, TlsMode};

/// One engine: what it is, and its session with the server.
pub trait Adapter: Databases + Users + Roles + Grants + Schemas + Backups + Restores {
    /// Without a session. Called again whenever the host starts a new instance of the component.
    fn new() -> Self;

    /// What the adapter is. Every import traps while it runs.
    fn describe() -> Description;

    /// Pure: checks an instance's settings and says what the host must know of them.
    fn examine(settings: &Settings) -> Result<InstanceExamination>;

    /// Logs in. A second call closes the first session.
    fn connect(&mut self, settings: &Settings) -> Result<Server>;

    /// Ends the sessions politely.
    fn close(&mut self);

    /// One round trip.
    fn ping(&mut self) -> Result<()>;

    /// The server, as it is now.
    fn get_version(&mut self) -> Result<Server>;

    /// From now on, answers that only read may come from one reading of the catalogues; see `wit/connection.wit`. An
    /// adapter that remembers nothing has nothing to do.
    ///
    /// # Errors
    /// The sweep does not begin.
    fn begin_sweep(&mut self) -> Result<()> {
        Ok(())
    }

    /// Lets a dump tool in and logs in to the server in its place; see `wit/connection.wit`.
    #[expect(unused_variables, reason = "the names are documentation")]
    fn relay(&mut self, tool: Channel, database: &str) -> Result<Channel> {
        Err(Error::unsupported("relayed connections"))
    }
}

/// The one adapter value of a component. [`adapter!`](crate::adapter!) implements it.
pub trait Held {
    /// The engine.
    type Adapter: Adapter;

    /// Lends the value. Calls never overlap.
    fn with<T>(call: impl FnOnce(&mut Self::Adapter) -> T) -> T;
}

impl<H: Held> describe::Guest for H {
    fn describe() -> Description {
        H::Adapter::describe()
    }
}

impl<H: Held> wit::Guest for H {
    fn examine(settings: Settings) -> Result<InstanceExamination> {
        crate::start::once();
        <H::Adapter as Adapter>::examine(&settings)
    }

    fn connect(settings: Settings) -> Result<Server> {
        H::with(|adapter| adapter.connect(&settings))
    }

    fn close() {
        H::with(Adapter::close);
    }

    fn ping() -> Result<()> {
        H::with(Adapter::ping)
    }

    fn get_version() -> Result<Server> {
        H::with(Adapter::get_version)
    }

    fn begin_sweep() -> Result<()> {
        H::with(Adapter::begin_sweep)
    }

    fn relay(tool: Channel, database: String) -> Result<Channel> {
        H::with(|adapter| adapter.relay(tool, &database))
    }
}

/// Exports a type that implements [`Adapter`] as the component's adapter.
///
/// Compiled natively it exports nothing: the exports' names are no symbols that a native linker takes.
#[macro_export]
macro_rules! adapter {
    ($adapter:ty) => {
        #[cfg(target_arch = "wasm32")]
        thread_local! {
            static ADAPTER: ::std::cell::RefCell<Option<$adapter>> = const { ::std::cell::RefCell::new(None) };
        }

        /// The component's one adapter value.
        #[cfg(target_arch = "wasm32")]
        struct Exported;

        #[cfg(target_arch = "wasm32")]
        impl $crate::adapter::Held for Exported {
            type Adapter = $adapter;

            fn with<T>(call: impl FnOnce(&mut Self::Adapter) -> T) -> T {
                $crate::start::once();
                ADAPTER.with_borrow_mut(|held| call(held.get_or_insert_with(<$adapter as $crate::Adapter>::new)))
            }
        }

        #[cfg(target_arch = "wasm32")]
        $crate::bindings::export!(Exported with_types_in $crate::bindings);
    };
}
