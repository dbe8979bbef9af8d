//! Reasons of conditions: a closed list, so that people and alerts can rely on the words.

// Of everything that went well.

/// The server is as the spec asks.
pub const RECONCILE_SUCCESS: &str = "ReconcileSuccess";

/// The server was reached and let us in.
pub const CONNECTION_SUCCESS: &str = "ConnectionSuccess";

/// The server answered the last check.
pub const HEALTH_CHECK_PASSED: &str = "HealthCheckPassed";

/// The spec can be served.
pub const ACCEPTED: &str = "Accepted";

// Of work under way.

/// Work is under way.
pub const RECONCILING: &str = "Reconciling";

/// The object is being created.
pub const CREATING: &str = "Creating";

/// Dependents are being deleted first.
pub const CASCADE_DELETING: &str = "CascadeDeleting";

// Of a spec that cannot be served as it is.

/// The spec contradicts itself.
pub const INVALID_SPEC: &str = "InvalidSpec";

/// The engine does not understand an option; the message names its path.
pub const INVALID_OPTIONS: &str = "InvalidOptions";

/// The engine cannot have such a name.
pub const INVALID_NAME: &str = "InvalidName";

/// The engine cannot do what a field asks; the message names its path.
pub const UNSUPPORTED: &str = "Unsupported";

/// This operator does not serve the field yet; the message names its path.
pub const NOT_YET_SERVED: &str = "NotYetServed";

/// A field cannot be changed after creation; the message names its path.
pub const IMMUTABLE: &str = "Immutable";

/// No installed adapter answers to the engine's name.
pub const UNKNOWN_ENGINE: &str = "UnknownEngine";

// Of what is forbidden or lacks a consent.

/// The other side of a reference has not consented; the message says what is missing.
pub const CONSENT_MISSING: &str = "ConsentMissing";

/// The instance does not serve this namespace.
pub const NAMESPACE_NOT_ALLOWED: &str = "NamespaceNotAllowed";

/// The instance's ceiling does not allow a privilege.
pub const PRIVILEGE_DENIED: &str = "PrivilegeDenied";

/// The operator may not connect to this address.
pub const ENDPOINT_DENIED: &str = "EndpointDenied";

/// The object belongs to somebody else.
pub const CONFLICT: &str = "Conflict";

/// The object exists already and nobody asked to adopt it.
pub const ADOPTION_REQUIRED: &str = "AdoptionRequired";

/// The output Secret exists already and is not ours.
pub const SECRET_CONFLICT: &str = "SecretConflict";

/// Another server answers at the address while resources are recorded on the old one.
pub const SERVER_CHANGED: &str = "ServerChanged";

/// The server was searched.
pub const SEARCHED: &str = "Searched";

/// The server could not be searched.
pub const SEARCH_FAILED: &str = "SearchFailed";

// Of what is not there yet.

/// The instance does not exist.
pub const INSTANCE_NOT_FOUND: &str = "InstanceNotFound";

/// The instance is not ready.
pub const INSTANCE_NOT_READY: &str = "InstanceNotReady";

/// A Secret does not exist.
pub const SECRET_NOT_FOUND: &str = "SecretNotFound";

/// A Secret lacks a key.
pub const SECRET_KEY_NOT_FOUND: &str = "SecretKeyNotFound";

/// A `ConfigMap` or its key does not exist.
pub const CONFIG_MAP_NOT_FOUND: &str = "ConfigMapNotFound";

/// Something on the server that the spec names does not exist.
pub const DEPENDENCY_MISSING: &str = "DependencyMissing";

// Of failures.

/// The last attempt failed and is repeated.
pub const RECONCILE_FAILED: &str = "ReconcileFailed";

/// The server was not reached.
pub const CONNECTION_FAILED: &str = "ConnectionFailed";

/// The server does not accept the credentials.
pub const AUTHENTICATION_FAILED: &str = "AuthenticationFailed";

/// TLS with the server failed; nothing secret was sent.
pub const TLS_FAILED: &str = "TlsFailed";

/// The administrator of the instance may not do this on the server.
pub const PERMISSION_DENIED: &str = "PermissionDenied";

/// The server did not answer in time.
pub const TIMEOUT: &str = "Timeout";

/// The server did not answer the last check.
pub const HEALTH_CHECK_FAILED: &str = "HealthCheckFailed";

/// A statement of initSQL failed.
pub const INIT_SQLFAILED: &str = "InitSQLFailed";

/// The adapter broke and is tried again.
pub const ENGINE_FAILED: &str = "EngineFailed";

/// The adapter kept breaking and is no longer tried.
pub const ENGINE_QUARANTINED: &str = "EngineQuarantined";

/// The adapter's component was refused when it was loaded.
pub const ENGINE_REFUSED: &str = "EngineRefused";

/// The server differs from the spec.
pub const DRIFT_DETECTED: &str = "DriftDetected";

// Of deletions that wait.

/// Deletion protection is on.
pub const DELETION_PROTECTED: &str = "DeletionProtected";

/// Other resources depend on it.
pub const DEPENDENCIES_EXIST: &str = "DependenciesExist";

/// A person must confirm the forced deletion.
pub const PENDING_DELETION_CONFIRMATION: &str = "PendingDeletionConfirmation";

/// The user owns objects on the server.
pub const OWNERSHIP_BLOCKS: &str = "OwnershipBlocks";
