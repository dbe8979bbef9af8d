//! The contract's functions as methods. Every one runs within the limits and answers scrubbed.

use wasmtime::component::Resource;

use super::Session;
use crate::contract::{
    BackupSpec, CompanionPassword, DatabaseInfo, DatabaseSpec, Extension, GrantReport, GrantSpec, Granted, Grantee,
    LoginOutcome, Mark, OwnedObject, Proof, RestoreSpec, RoleInfo, RoleSpec, Script, ScriptReport, Selection,
    ServerFacts, ToolPlan, UpdateReport, UserInfo, UserSpec,
};
use crate::error::CallError;
use crate::guest::Guest;
use crate::imports::net::{ByteStream, Connection, Slot};
use crate::imports::secrets::Secret;
use crate::secret_value::SecretValue;
use crate::state::GuestState;

/// Words of an argument that are no secrets, so that an account that is its own password keeps its name.
trait PublicWords {
    fn public_words(&self) -> Vec<&str>;
}

impl PublicWords for str {
    fn public_words(&self) -> Vec<&str> {
        vec![self]
    }
}

impl PublicWords for Mark {
    fn public_words(&self) -> Vec<&str> {
        let Self { cluster, operator, kind, namespace, name, nonce } = self;
        vec![cluster, operator, kind, namespace, name, nonce]
    }
}

impl PublicWords for Proof {
    fn public_words(&self) -> Vec<&str> {
        let mark = self.mark.iter().flat_map(PublicWords::public_words);
        mark.chain(self.object_id.as_deref()).collect()
    }
}

impl PublicWords for DatabaseSpec {
    fn public_words(&self) -> Vec<&str> {
        std::iter::once(self.name.as_str()).chain(self.owner.as_deref()).collect()
    }
}

impl PublicWords for UserSpec {
    fn public_words(&self) -> Vec<&str> {
        std::iter::once(&self.name).chain(&self.roles).chain(&self.shared_roles).map(String::as_str).collect()
    }
}

impl PublicWords for RoleSpec {
    fn public_words(&self) -> Vec<&str> {
        std::iter::once(&self.name).chain(&self.shared_roles).map(String::as_str).collect()
    }
}

impl PublicWords for Grantee {
    fn public_words(&self) -> Vec<&str> {
        vec![&self.name]
    }
}

impl PublicWords for GrantSpec {
    fn public_words(&self) -> Vec<&str> {
        let stated = self.recorded.iter().chain(&self.shared).flat_map(|granted| &granted.object);
        std::iter::once(&self.grantee.name).chain(&self.roles).chain(stated).map(String::as_str).collect()
    }
}

impl PublicWords for BackupSpec {
    fn public_words(&self) -> Vec<&str> {
        vec![&self.database]
    }
}

impl PublicWords for RestoreSpec {
    fn public_words(&self) -> Vec<&str> {
        vec![&self.database, &self.format]
    }
}

impl PublicWords for Extension {
    fn public_words(&self) -> Vec<&str> {
        std::iter::once(self.name.as_str()).chain(self.schema.as_deref()).chain(self.version.as_deref()).collect()
    }
}

fn say(state: &mut GuestState, words: &[Vec<&str>]) {
    for word in words.iter().flatten() {
        state.scrubber.say(word);
    }
}

/// A secret becomes a handle.
fn lend(state: &mut GuestState, password: &SecretValue) -> Result<Resource<Secret>, CallError> {
    let limit = state.limits.handles;
    state.lend_secret(password).or(Err(CallError::HandleLimit(limit)))
}

macro_rules! calls {
    ($($(#[$doc:meta])* $name:ident = $interface:ident.$call:ident(
        $($argument:ident: $type:ty),* ; $($passed:expr),*
    ) public($($public:expr),*) -> $answer:ty;)*) => {
        impl Session {$(
            $(#[$doc])*
            pub async fn $name(&mut self, $($argument: $type),*) -> Result<$answer, CallError> {
                let (origin, wall) = (self.origin(), self.wall);
                let guest = self.connected().await?;
                guest.begin(wall)?;
                say(guest.state(), &[$($public.public_words()),*]);
                let (adapter, store) = guest.parts();
                let calling = adapter.$interface().$call(store, $($passed),*);
                let outcome = Guest::bounded(&origin, wall, calling).await;
                guest.finish(wall, outcome)
            }
        )*}
    };
}

calls! {
    /// One round trip to the server.
    ping = dbprovision_adapter_connection.call_ping(;) public() -> ();
    /// What the server is, asked anew.
    get_version = dbprovision_adapter_connection.call_get_version(;) public() -> ServerFacts;

    /// Creates a database and nothing inside it.
    create_database = dbprovision_adapter_database_operations.call_create(spec: &DatabaseSpec, mark: &Mark; spec, mark)
        public(spec, mark) -> DatabaseInfo;
    /// Writes a mark on an existing database.
    claim_database = dbprovision_adapter_database_operations.call_claim(
        name: &str, proof: &Proof, comment: Option<&str>, mark: &Mark; name, proof, comment, mark
    ) public(name, proof, mark) -> ();
    /// Drops a database.
    drop_database = dbprovision_adapter_database_operations.call_drop(spec: &DatabaseSpec, proof: &Proof, force: bool; spec, proof, force)
        public(spec, proof) -> ();
    /// Removes what a broken-off creation or script of this mark left.
    clean_up = dbprovision_adapter_database_operations.call_clean_up(mark: &Mark; mark) public(mark) -> ();
    /// Whether a database is there.
    database_exists = dbprovision_adapter_database_operations.call_exists(name: &str; name) public(name) -> bool;
    /// What a database is.
    get_database_info = dbprovision_adapter_database_operations.call_get_info(name: &str; name) public(name) -> Option<DatabaseInfo>;
    /// Ends the sessions in a database.
    terminate_database_sessions = dbprovision_adapter_database_operations.call_terminate_sessions(name: &str; name) public(name) -> u32;
    /// Runs statements in a database.
    run_script = dbprovision_adapter_database_operations.call_run_script(name: &str, script: &Script, mark: &Mark; name, script, mark)
        public(name, mark) -> ScriptReport;

    /// Writes a mark on an existing account.
    claim_user = dbprovision_adapter_user_operations.call_claim(
        name: &str, proof: &Proof, comment: Option<&str>, mark: &Mark; name, proof, comment, mark
    ) public(name, proof, mark) -> ();
    /// Drops an account.
    drop_user = dbprovision_adapter_user_operations.call_drop(spec: &UserSpec, proof: &Proof; spec, proof) public(spec, proof) -> ();
    /// Whether an account is there.
    user_exists = dbprovision_adapter_user_operations.call_exists(name: &str; name) public(name) -> bool;
    /// What an account is.
    get_user_info = dbprovision_adapter_user_operations.call_get_info(name: &str; name) public(name) -> Option<UserInfo>;
    /// What an account owns.
    user_owned_objects = dbprovision_adapter_user_operations.call_owned_objects(name: &str, limit: u32; name, limit)
        public(name) -> Vec<OwnedObject>;
    /// Gives an account up, and what it owns to its heirs.
    reassign_user_owned = dbprovision_adapter_user_operations.call_reassign_owned(
        name: &str, proof: &Proof, heirs: &[String]; name, proof, heirs
    ) public(name, proof) -> ();
    /// Ends an account's sessions.
    terminate_user_sessions = dbprovision_adapter_user_operations.call_terminate_sessions(name: &str; name) public(name) -> u32;

    /// Creates a role.
    create_role = dbprovision_adapter_role_operations.call_create(spec: &RoleSpec, mark: &Mark; spec, mark) public(spec, mark) -> RoleInfo;
    /// Brings the rest of a role about.
    update_role = dbprovision_adapter_role_operations.call_update(
        spec: &RoleSpec, mark: &Mark, selection: &Selection; spec, mark, selection
    ) public(spec, mark) -> UpdateReport;
    /// Writes a mark on an existing role.
    claim_role = dbprovision_adapter_role_operations.call_claim(
        name: &str, proof: &Proof, comment: Option<&str>, mark: &Mark; name, proof, comment, mark
    ) public(name, proof, mark) -> ();
    /// Drops a role.
    drop_role = dbprovision_adapter_role_operations.call_drop(spec: &RoleSpec, proof: &Proof; spec, proof) public(spec, proof) -> ();
    /// Whether a role is there.
    role_exists = dbprovision_adapter_role_operations.call_exists(name: &str; name) public(name) -> bool;
    /// What a role is.
    get_role_info = dbprovision_adapter_role_operations.call_get_info(name: &str; name) public(name) -> Option<RoleInfo>;
    /// What a role owns.
    role_owned_objects = dbprovision_adapter_role_operations.call_owned_objects(name: &str, limit: u32; name, limit)
        public(name) -> Vec<OwnedObject>;
    /// Gives a role up, and what it owns to its heirs.
    reassign_role_owned = dbprovision_adapter_role_operations.call_reassign_owned(
        name: &str, proof: &Proof, heirs: &[String]; name, proof, heirs
    ) public(name, proof) -> ();

    /// Grants the difference.
    grant = dbprovision_adapter_grant_operations.call_grant(spec: &GrantSpec, selection: &Selection; spec, selection)
        public(spec) -> GrantReport;
    /// Takes back what is recorded and not shared.
    revoke = dbprovision_adapter_grant_operations.call_revoke(spec: &GrantSpec; spec) public(spec) -> ();
    /// Everything a grantee holds.
    get_grants = dbprovision_adapter_grant_operations.call_get_grants(grantee: &Grantee; grantee) public(grantee) -> Vec<Granted>;

    /// Creates a schema.
    create_schema = dbprovision_adapter_schema_operations.call_create_schema(
        database: &str, name: &str, owner: Option<&str>; database, name, owner
    ) public(database, name) -> ();
    /// Drops a schema.
    drop_schema = dbprovision_adapter_schema_operations.call_drop_schema(database: &str, name: &str; database, name)
        public(database, name) -> ();
    /// Whether a schema is there.
    schema_exists = dbprovision_adapter_schema_operations.call_schema_exists(database: &str, name: &str; database, name)
        public(database, name) -> bool;
    /// The schemas of a database.
    list_schemas = dbprovision_adapter_schema_operations.call_list_schemas(database: &str; database) public(database) -> Vec<String>;
    /// Creates an extension.
    create_extension = dbprovision_adapter_schema_operations.call_create_extension(database: &str, extension: &Extension; database, extension)
        public(database, extension) -> ();
    /// Drops an extension.
    drop_extension = dbprovision_adapter_schema_operations.call_drop_extension(database: &str, name: &str; database, name)
        public(database, name) -> ();
    /// The extensions of a database.
    list_extensions = dbprovision_adapter_schema_operations.call_list_extensions(database: &str; database)
        public(database) -> Vec<Extension>;

    /// The steps of a backup.
    plan_backup = dbprovision_adapter_backup_operations.call_plan(spec: &BackupSpec; spec) public(spec) -> Vec<ToolPlan>;
    /// The steps of a restore.
    plan_restore = dbprovision_adapter_restore_operations.call_plan(spec: &RestoreSpec; spec) public(spec) -> Vec<ToolPlan>;
    /// What is left to do after the last step of a restore.
    finish_restore = dbprovision_adapter_restore_operations.call_finish(spec: &RestoreSpec; spec) public(spec) -> ();
}

// These pass secrets or streams, which become handles first.
impl Session {
    /// Brings the rest of a database about, companions included. `passwords` are for companions by name.
    pub async fn update_database(
        &mut self,
        spec: &DatabaseSpec,
        mark: &Mark,
        passwords: &[(String, SecretValue)],
        selection: &Selection,
    ) -> Result<UpdateReport, CallError> {
        passwords.iter().try_for_each(|(_, password)| password.check_length())?;
        let (origin, wall) = (self.origin(), self.wall);
        let guest = self.connected().await?;
        guest.begin(wall)?;
        say(guest.state(), &[spec.public_words(), mark.public_words()]);
        let mut lent = Vec::with_capacity(passwords.len());
        for (name, password) in passwords {
            guest.state().scrubber.say(name);
            lent.push(CompanionPassword { name: name.clone(), password: lend(guest.state(), password)? });
        }
        let (adapter, store) = guest.parts();
        let calling =
            adapter.dbprovision_adapter_database_operations().call_update(store, spec, mark, &lent, selection);
        let outcome = Guest::bounded(&origin, wall, calling).await;
        guest.finish(wall, outcome)
    }

    /// Creates an account.
    pub async fn create_user(
        &mut self,
        spec: &UserSpec,
        password: Option<&SecretValue>,
        mark: &Mark,
    ) -> Result<UserInfo, CallError> {
        password.map_or(Ok(()), SecretValue::check_length)?;
        let (origin, wall) = (self.origin(), self.wall);
        let guest = self.connected().await?;
        guest.begin(wall)?;
        say(guest.state(), &[spec.public_words(), mark.public_words()]);
        let password = password.map(|value| lend(guest.state(), value)).transpose()?;
        let (adapter, store) = guest.parts();
        let calling = adapter.dbprovision_adapter_user_operations().call_create(store, spec, password, mark);
        let outcome = Guest::bounded(&origin, wall, calling).await;
        guest.finish(wall, outcome)
    }

    /// Brings the rest of an account about.
    pub async fn update_user(
        &mut self,
        spec: &UserSpec,
        mark: &Mark,
        password: Option<&SecretValue>,
        selection: &Selection,
    ) -> Result<UpdateReport, CallError> {
        password.map_or(Ok(()), SecretValue::check_length)?;
        let (origin, wall) = (self.origin(), self.wall);
        let guest = self.connected().await?;
        guest.begin(wall)?;
        say(guest.state(), &[spec.public_words(), mark.public_words()]);
        let password = password.map(|value| lend(guest.state(), value)).transpose()?;
        let (adapter, store) = guest.parts();
        let calling = adapter.dbprovision_adapter_user_operations().call_update(store, spec, mark, password, selection);
        let outcome = Guest::bounded(&origin, wall, calling).await;
        guest.finish(wall, outcome)
    }

    /// Tries to log in as an account.
    pub async fn try_login(&mut self, name: &str, password: &SecretValue) -> Result<LoginOutcome, CallError> {
        password.check_length()?;
        let (origin, wall) = (self.origin(), self.wall);
        let guest = self.connected().await?;
        guest.begin(wall)?;
        say(guest.state(), &[vec![name]]);
        let password = lend(guest.state(), password)?;
        let (adapter, store) = guest.parts();
        let calling = adapter.dbprovision_adapter_user_operations().call_try_login(store, name, password);
        let outcome = Guest::bounded(&origin, wall, calling).await;
        guest.finish(wall, outcome)
    }

    /// Lets a tool in and logs in to the server for it; the host goes on splicing the two streams.
    pub async fn relay(&mut self, tool: Box<dyn ByteStream>, database: &str) -> Result<Relayed, CallError> {
        let (origin, wall) = (self.origin(), self.wall);
        let guest = self.connected().await?;
        guest.begin(wall)?;
        say(guest.state(), &[vec![database]]);
        let limit = guest.state().limits.handles;
        let tool = guest.state().insert(Connection::to_tool(tool)).or(Err(CallError::HandleLimit(limit)))?;
        let handle = tool.rep();
        let (adapter, store) = guest.parts();
        let calling = adapter.dbprovision_adapter_connection().call_relay(store, tool, database);
        let outcome = Guest::bounded(&origin, wall, calling).await;
        let server = guest.finish_stream(wall, outcome)?;
        let state = guest.state();
        let server = state.table.delete(server).or(Err(CallError::Closed))?;
        // The guest dropped its handle of the tool's stream, or still holds it.
        let tool = state.returned_tool.take().or_else(|| state.table.delete(Resource::new_own(handle)).ok());
        let tool = tool.filter(Connection::is_tool).and_then(Connection::into_parts);
        let (Some((server, from_server, slot)), Some((tool, from_tool, _))) = (server.into_parts(), tool) else {
            return Err(CallError::Closed);
        };
        Ok(Relayed {
            server: RelayEnd { stream: server, unsent: from_server },
            tool: RelayEnd { stream: tool, unsent: from_tool },
            slot,
        })
    }
}

/// Two streams that belong together after [`Session::relay`].
pub struct Relayed {
    /// The server's end.
    pub server: RelayEnd,
    /// The tool's end.
    pub tool: RelayEnd,
    /// The place among the server's sessions, held as long as this.
    slot: Option<Slot>,
}

/// One end of a relay.
pub struct RelayEnd {
    /// The stream.
    pub stream: Box<dyn ByteStream>,
    /// What arrived on it already and belongs to the other end.
    pub unsent: Vec<u8>,
}

impl Relayed {
    /// Copies bytes both ways until both ends are closed, and answers how many went to the tool and to the server.
    pub async fn splice(self) -> std::io::Result<(u64, u64)> {
        use tokio::io::AsyncWriteExt as _;
        let Self { mut server, mut tool, slot } = self;
        tool.stream.write_all(&server.unsent).await?;
        server.stream.write_all(&tool.unsent).await?;
        let counts = tokio::io::copy_bidirectional(&mut server.stream, &mut tool.stream).await;
        drop(slot);
        let (to_tool, to_server) = counts?;
        let already = |bytes: &[u8]| u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok((to_tool.saturating_add(already(&server.unsent)), to_server.saturating_add(already(&tool.unsent))))
    }
}
