//! Databases, users and roles through one set of calls: what the contract says of all three is tried on all three.

use std::time::Duration;

use sandbox::contract::{
    DatabaseInfo, DatabaseSpec, ErrorKind, Examination, Listed, Mark, ObjectKind, Page, Proof, RoleInfo, RoleSpec,
    Selection, Standing, UpdateReport, UserInfo, UserSpec,
};
use sandbox::{CallError, Session};
use tokio::time::{Instant, sleep};

use crate::candidate::{Candidate, secret};
use crate::cases::{By, PASSWORD, Stated};

/// How long something that the server is busy with is tried again.
const PATIENCE: Duration = Duration::from_secs(10);

/// All kinds.
pub(crate) const KINDS: [ObjectKind; 3] = [ObjectKind::Database, ObjectKind::User, ObjectKind::Role];

/// What the contract tells of every kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Info {
    pub(crate) name: String,
    pub(crate) object_id: Option<String>,
    pub(crate) owner: Option<String>,
    pub(crate) mark: Option<Mark>,
    pub(crate) standing: Standing,
    pub(crate) privileged: bool,
    pub(crate) details: Option<String>,
}

fn database(stated: &Stated) -> DatabaseSpec {
    DatabaseSpec {
        name: stated.name.clone(),
        owner: stated.owner.clone(),
        comment: stated.comment.clone(),
        options: Some(stated.options.to_string()),
    }
}

fn user(stated: &Stated) -> UserSpec {
    UserSpec {
        name: stated.name.clone(),
        roles: stated.roles.clone(),
        shared_roles: Vec::new(),
        comment: stated.comment.clone(),
        options: Some(stated.options.to_string()),
    }
}

fn role(stated: &Stated) -> RoleSpec {
    RoleSpec {
        name: stated.name.clone(),
        shared_roles: Vec::new(),
        comment: stated.comment.clone(),
        options: Some(stated.options.to_string()),
    }
}

fn of_database(info: DatabaseInfo) -> Info {
    // How large it is changes by itself, and may be left out in a sweep.
    let DatabaseInfo { name, object_id, owner, mark, standing, size_bytes: _, details } = info;
    Info { name, object_id, owner, mark, standing, privileged: false, details }
}

fn of_user(info: UserInfo) -> Info {
    let UserInfo { name, object_id, mark, standing, privileged, details } = info;
    Info { name, object_id, owner: None, mark, standing, privileged, details }
}

fn of_role(info: RoleInfo) -> Info {
    let RoleInfo { name, object_id, mark, standing, privileged, details } = info;
    Info { name, object_id, owner: None, mark, standing, privileged, details }
}

/// The pure check of a spec.
pub(crate) async fn examine(
    candidate: &Candidate,
    kind: ObjectKind,
    stated: &Stated,
) -> Result<Examination, CallError> {
    match kind {
        ObjectKind::Database => candidate.adapter.examine_database(&database(stated)).await,
        ObjectKind::User => candidate.adapter.examine_user(&user(stated)).await,
        ObjectKind::Role => candidate.adapter.examine_role(&role(stated)).await,
    }
}

/// Creates it; a user gets the ordinary password.
pub(crate) async fn create(
    candidate: &Candidate,
    by: By,
    kind: ObjectKind,
    stated: &Stated,
    mark: &Mark,
) -> Result<Info, CallError> {
    let mut session = candidate.session(by).await;
    match kind {
        ObjectKind::Database => session.create_database(&database(stated), mark).await.map(of_database),
        ObjectKind::User => {
            let password = secret(PASSWORD);
            session.create_user(&user(stated), Some(&password), mark).await.map(of_user)
        }
        ObjectKind::Role => session.create_role(&role(stated), mark).await.map(of_role),
    }
}

/// Brings the rest about, without a password.
pub(crate) async fn update_in(
    session: &mut Session,
    kind: ObjectKind,
    stated: &Stated,
    mark: &Mark,
    selection: &Selection,
) -> Result<UpdateReport, CallError> {
    match kind {
        ObjectKind::Database => session.update_database(&database(stated), mark, &[], selection).await,
        ObjectKind::User => session.update_user(&user(stated), mark, None, selection).await,
        ObjectKind::Role => session.update_role(&role(stated), mark, selection).await,
    }
}

/// Brings it about as the operator would: what is only busy is tried again.
pub(crate) async fn update(
    candidate: &Candidate,
    by: By,
    kind: ObjectKind,
    stated: &Stated,
    mark: &Mark,
    selection: &Selection,
) -> Result<UpdateReport, CallError> {
    let mut session = candidate.session(by).await;
    let until = Instant::now() + PATIENCE;
    loop {
        let outcome = update_in(&mut session, kind, stated, mark, selection).await;
        match &outcome {
            Err(CallError::Adapter(error)) if is_transient(&error.kind) && Instant::now() < until => {}
            _ => return outcome,
        }
        sleep(Duration::from_millis(50)).await;
    }
}

fn is_transient(kind: &ErrorKind) -> bool {
    matches!(kind, ErrorKind::Transient(_))
}

/// Writes the mark on an object that matches the proof.
pub(crate) async fn claim(
    candidate: &Candidate,
    kind: ObjectKind,
    name: &str,
    proof: &Proof,
    comment: Option<&str>,
    mark: &Mark,
) -> Result<(), CallError> {
    let mut session = candidate.session(By::Administrator).await;
    match kind {
        ObjectKind::Database => session.claim_database(name, proof, comment, mark).await,
        ObjectKind::User => session.claim_user(name, proof, comment, mark).await,
        ObjectKind::Role => session.claim_role(name, proof, comment, mark).await,
    }
}

/// Drops it; a database whatever uses it.
pub(crate) async fn drop(
    candidate: &Candidate,
    by: By,
    kind: ObjectKind,
    stated: &Stated,
    proof: &Proof,
) -> Result<(), CallError> {
    let mut session = candidate.session(by).await;
    match kind {
        ObjectKind::Database => session.drop_database(&database(stated), proof, true).await,
        ObjectKind::User => session.drop_user(&user(stated), proof).await,
        ObjectKind::Role => session.drop_role(&role(stated), proof).await,
    }
}

/// Whether it is there.
pub(crate) async fn exists(candidate: &Candidate, kind: ObjectKind, name: &str) -> Result<bool, CallError> {
    let mut session = candidate.session(By::Administrator).await;
    match kind {
        ObjectKind::Database => session.database_exists(name).await,
        ObjectKind::User => session.user_exists(name).await,
        ObjectKind::Role => session.role_exists(name).await,
    }
}

/// What it is.
pub(crate) async fn info_in(session: &mut Session, kind: ObjectKind, name: &str) -> Result<Option<Info>, CallError> {
    Ok(match kind {
        ObjectKind::Database => session.get_database_info(name).await?.map(of_database),
        ObjectKind::User => session.get_user_info(name).await?.map(of_user),
        ObjectKind::Role => session.get_role_info(name).await?.map(of_role),
    })
}

/// What it is, as the administrator sees it.
pub(crate) async fn info(candidate: &Candidate, kind: ObjectKind, name: &str) -> Result<Option<Info>, CallError> {
    info_in(&mut candidate.session(By::Administrator).await, kind, name).await
}

/// All of a kind, so many at a time. No page is longer than it may be, and no name comes twice.
pub(crate) async fn list(candidate: &Candidate, kind: ObjectKind, limit: u32) -> Vec<Listed> {
    let mut session = candidate.session(By::Administrator).await;
    let mut all: Vec<Listed> = Vec::new();
    let mut after = None;
    loop {
        let page = Page { after, limit };
        let listing = match kind {
            ObjectKind::Database => session.list_databases(&page).await,
            ObjectKind::User => session.list_users(&page).await,
            ObjectKind::Role => session.list_roles(&page).await,
        };
        let listing = listing.unwrap();
        assert!(listing.items.len() <= limit as usize, "{kind:?}: a page of {limit} has {}", listing.items.len());
        for item in listing.items {
            assert!(!all.iter().any(|one| one.name == item.name), "{kind:?}: {} is listed twice", item.name);
            all.push(item);
        }
        after = listing.next;
        if after.is_none() {
            return all;
        }
    }
}
