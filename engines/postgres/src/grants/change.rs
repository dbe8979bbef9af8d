//! Bringing the rights of one grantee about: first everything is read, then what is chosen is made.
//!
//! Memberships and rights on databases are given first, then each database is changed in one transaction, and
//! memberships and rights on databases are taken last: whatever way a right moves between them, it is there all
//! the time. Each transaction reads again what it changes, and checks in the end that the server took it: a
//! statement that gives or takes nothing is no error to the server.
//! Whoever changes rights in a database waits for the others who do; other programs' races are tried again.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use dbprovision_sdk::adapter::grants::{GrantReport, Granted};
use dbprovision_sdk::selection::{report, select_possible};
use dbprovision_sdk::{Error, ErrorKind, Result, Selection};

use super::asked::Asked;
use super::dependents;
use super::differences::{Comparison, Index};
use super::resolve;
use super::right::{Held, INHERIT, Known, Level, MEMBER, Right, SET};
use super::wish::Wish;
use crate::connect::{Purpose, Session};
use crate::difference::{Difference, Place};
use crate::observe::database::Reachable;
use crate::observe::reader::Reader;
use crate::observe::rights::Holder;
use crate::observe::{objects, owned, rights, role, untouched};
use crate::server::{Connected, Facts};
use crate::{apply, names};

/// What is to be brought about.
#[derive(Clone)]
pub(crate) struct Task {
    pub(crate) grantee: String,
    pub(crate) asked: Asked,
    pub(crate) authoritative: bool,
    pub(crate) recorded: Vec<Known>,
    pub(crate) shared: Vec<Known>,
    /// Records of a level that this adapter does not know: they stay as they are.
    pub(crate) unknown: Vec<Granted>,
    /// A record in a database that cannot be entered is an error, and not only kept.
    pub(crate) takes_back: bool,
}

/// What is known of one place, and what differs there.
struct View {
    /// What everyone is to be given and has not: once it is given, it is this resource's.
    absent: Vec<Known>,
    differences: Vec<Difference>,
    held: Vec<Known>,
    stated: Vec<Known>,
    /// What was given and is not there any more.
    vanished: Vec<Right>,
    /// Some of that went with its object, and there is another now.
    renewed: bool,
}

/// What the grantee and the databases of the server are, read once.
struct Ground {
    role_id: String,
    inherits: bool,
    /// Roles that the grantee is a member of by its own resource.
    own: BTreeSet<String>,
    databases: Rc<BTreeMap<String, Reachable>>,
}

impl Task {
    fn everyone(&self) -> bool {
        self.asked.speaks_of_everyone() || self.recorded.iter().any(|known| known.right.everyone)
    }

    /// Everyone's rights count where nobody here can give the grantee its own.
    fn holder(&self, known: &Ground, wishes: &[Wish]) -> Holder {
        let everyone = self.everyone() || wishes.iter().any(|wish| wish.out_of_reach);
        Holder { id: known.role_id.clone(), everyone }
    }

    /// The server as a whole; read in the main session.
    fn shared_view(&self, reader: &mut dyn Reader, facts: &Facts, known: &Ground) -> Result<View> {
        let named: BTreeSet<String> = self.asked.memberships.iter().map(|one| one.role.clone()).collect();
        let server = resolve::Server {
            facts,
            databases: &known.databases,
            roles: role::existing(reader, &named)?,
            inherits: known.inherits,
        };
        let wishes = resolve::shared(&self.asked, &server)?;
        let mut held = rights::shared(reader, facts, &self.holder(known, &wishes))?;
        held.retain(|one| !one.right.everyone || self.names(&one.right));
        let owner = |right: &Right| {
            right.database().and_then(|name| known.databases.get(name)).map(|one| one.owner.clone()).unwrap_or_default()
        };
        let recorded: Vec<Known> =
            self.recorded.iter().filter(|known| known.right.level.is_shared()).cloned().collect();
        self.view(facts, &wishes, &held, &recorded, &owner)
    }

    /// The inside of the reader's database.
    fn inside_view(&self, reader: &mut dyn Reader, facts: &Facts, known: &Ground, database: &str) -> Result<View> {
        let there = objects::read(reader, facts, &resolve::interest(&self.asked, database, &self.recorded))?;
        let recorded: Vec<Known> = self.recorded_inside(database).cloned().collect();
        let wishes = resolve::inside(&self.asked, &there, facts, &recorded)?;
        let held = rights::inside(reader, &self.holder(known, &wishes))?;
        self.view(facts, &wishes, &held, &recorded, &|_| there.owner.clone())
    }

    fn view(
        &self,
        facts: &Facts,
        wishes: &[Wish],
        held: &[Held],
        recorded: &[Known],
        database_owner: &dyn Fn(&Right) -> String,
    ) -> Result<View> {
        let comparison = Comparison {
            facts,
            grantee: &self.grantee,
            database_owner,
            wishes,
            held,
            recorded,
            authoritative: self.authoritative,
            index: Index::of(wishes, held, recorded, &self.shared),
        };
        if let Some(wish) = comparison.contradiction() {
            return Err(Error::conflict(format!("{}: another resource gives {}", wish.path, wish.right)));
        }
        let absent = comparison.absent_for_everyone();
        Ok(View {
            absent,
            differences: comparison.differences(),
            held: comparison.held_now(),
            stated: comparison.stated(),
            vanished: comparison.vanished(),
            renewed: false,
        })
    }

    /// The same, and whether something in it was made again.
    fn inspect(&self, reader: &mut dyn Reader, facts: &Facts, known: &Ground, database: &str) -> Result<View> {
        let view = self.inside_view(reader, facts, known, database)?;
        let renewed = untouched::any(reader, &view.vanished)?;
        Ok(View { renewed, ..view })
    }

    fn recorded_inside(&self, database: &str) -> impl Iterator<Item = &Known> {
        let in_it = move |known: &&Known| !known.right.level.is_shared() && known.right.database() == Some(database);
        self.recorded.iter().filter(in_it)
    }

    /// Rights of everyone are read for the databases that this is about only.
    fn names(&self, right: &Right) -> bool {
        right.database().is_some_and(|name| {
            self.asked.databases().contains_key(name)
                || self.recorded.iter().any(|one| one.right.database() == Some(name))
        })
    }

    /// Databases whose inside matters.
    fn places(&self, reader: &mut dyn Reader, known: &Ground) -> Result<Vec<String>> {
        let mut found: BTreeSet<String> = self
            .asked
            .databases()
            .into_keys()
            .filter(|name| self.asked.reaches_inside(name))
            .map(str::to_owned)
            .collect();
        let inside = self.recorded.iter().filter(|known| !known.right.level.is_shared());
        found.extend(inside.filter_map(|known| known.right.database().map(str::to_owned)));
        if self.authoritative {
            found.extend(with_rights(reader, &known.role_id)?);
        }
        // One that is gone has no rights left; one that is named and missing is told of by its wish.
        found.retain(|name| known.databases.contains_key(name));
        if let Some(closed) = found.iter().find(|name| self.takes_back && !is_open(known, name)) {
            return Err(Error::dependency_missing(format!("the database {closed} accepts no connections")));
        }
        found.retain(|name| is_open(known, name));
        Ok(found.into_iter().collect())
    }

    /// Records in a database that could not be entered stay.
    fn unreachable<'task>(&'task self, known: &'task Ground) -> impl Iterator<Item = Known> + 'task {
        let closed = |one: &&Known| {
            let database = one.right.database().filter(|_| !one.right.level.is_shared());
            database.is_some_and(|name| known.databases.contains_key(name) && !is_open(known, name))
        };
        self.recorded.iter().filter(closed).cloned()
    }
}

fn is_open(known: &Ground, database: &str) -> bool {
    known.databases.get(database).is_some_and(|one| one.accepts_sessions)
}

/// Databases in which something gives the role a right.
fn with_rights(reader: &mut dyn Reader, role_id: &str) -> Result<Vec<String>> {
    let places = owned::presences(reader, role_id)?.into_iter().filter(|place| place.has_rights);
    Ok(places.filter_map(|place| place.database).collect())
}

/// No role has this id; in an access list it is everyone's.
const NOBODY: &str = "0";

/// None where the grantee is not there.
fn look(connected: &mut Connected, grantee: &str) -> Result<Option<Ground>> {
    let Some(role) = connected.look(|reader, _| role::find(reader, grantee))? else { return Ok(None) };
    names::untouchable(role.standing)?;
    let databases = connected.databases()?;
    Ok(Some(Ground { role_id: role.id, inherits: role.inherit, own: role.given.roles, databases }))
}

/// A membership that the grantee's own resource states counts like another grant's, with all that comes with it.
fn memberships_of(role: &str) -> impl Iterator<Item = Known> {
    [MEMBER, INHERIT, SET].into_iter().map(move |privilege| {
        let object = vec![role.to_owned()];
        let right = Right { level: Level::Membership, object, everyone: false, privilege: privilege.to_owned() };
        Known { right, grantor: None, grantable: false }
    })
}

/// See `wit/grant.wit`.
pub(crate) fn bring_about(connected: &mut Connected, task: &Task, selection: &Selection) -> Result<GrantReport> {
    let known = match look(connected, &task.grantee)? {
        Some(known) => known,
        // What was its own went with it; what everyone was given is still there.
        None if task.takes_back => {
            let databases = connected.databases()?;
            Ground { role_id: NOBODY.to_owned(), inherits: true, own: BTreeSet::new(), databases }
        }
        None => return Err(Error::dependency_missing(format!("the role {} is not there", task.grantee))),
    };
    let mut task = task.clone();
    task.shared.extend(known.own.iter().flat_map(|role| memberships_of(role)));
    let facts = connected.facts.clone();
    let shared = connected.look(|reader, facts| task.shared_view(reader, facts, &known))?;
    let places = connected.look(|reader, _| task.places(reader, &known))?;
    // The session of the only database stays open for the change: the instance has few, and each costs a login.
    let mut kept: Option<Session> = None;
    let mut views: BTreeMap<String, View> = BTreeMap::new();
    for name in &places {
        if *selection == Selection::Detect {
            let view = connected.look_inside(name, |reader, facts| task.inspect(reader, facts, &known, name))?;
            views.insert(name.clone(), view);
            continue;
        }
        let mut session = connected.inside(name, Purpose::Administration)?;
        let view = task.inside_view(&mut session, &facts, &known, name);
        if places.len() == 1 && view.is_ok() {
            kept = Some(session);
        } else {
            session.close();
        }
        views.insert(name.clone(), view?);
    }
    if *selection != Selection::Detect {
        task.recorded.extend(shared.absent.iter().chain(views.values().flat_map(|view| &view.absent)).cloned());
    }
    let outcome = make(connected, &task, selection, &known, shared, views, &mut kept);
    if let Some(session) = kept {
        session.close();
    }
    outcome
}

fn make(
    connected: &mut Connected,
    task: &Task,
    selection: &Selection,
    known: &Ground,
    mut shared: View,
    mut views: BTreeMap<String, View>,
    kept: &mut Option<Session>,
) -> Result<GrantReport> {
    let mut found: Vec<Difference> =
        shared.differences.iter().filter(|one| one.place == Place::Server).cloned().collect();
    found.extend(views.values().flat_map(|view| view.differences.iter().cloned()));
    found.extend(shared.differences.iter().filter(|one| one.place == Place::Last).cloned());
    let renewed = views.values().any(|view| view.renewed);
    let chosen = select_possible(&found, selection)?;
    let update = report(&found, chosen.iter().copied());
    let ids: BTreeSet<&str> = chosen.iter().map(|one| one.change.id.as_str()).collect();
    let is_chosen = |one: &Difference| ids.contains(one.change.id.as_str());
    if chosen.iter().any(|one| one.place == Place::Server) {
        shared = change_shared(connected, task, known, Place::Server, &ids)?;
    }
    for (name, view) in &mut views {
        if view.differences.iter().any(is_chosen) {
            let mut session = match kept.take() {
                Some(session) if session.is_usable() => session,
                _ => connected.inside(name, Purpose::Administration)?,
            };
            let outcome = change_inside(connected, &mut session, task, known, name, &ids);
            session.close();
            *view = outcome?;
        }
    }
    if chosen.iter().any(|one| one.place == Place::Last) {
        shared = change_shared(connected, task, known, Place::Last, &ids)?;
    }
    let mut stated = shared.stated;
    stated.extend(views.values().flat_map(|view| view.stated.iter().cloned()));
    let stated = stated.iter().map(Known::write).collect();
    let mut held = shared.held;
    held.extend(views.into_values().flat_map(|view| view.held));
    held.extend(task.unreachable(known));
    let held = held.iter().map(Known::write).chain(task.unknown.iter().cloned()).collect();
    Ok(GrantReport { update, held, stated, renewed })
}

/// Changes memberships and rights on databases, and answers what is there now.
fn change_shared(
    connected: &mut Connected,
    task: &Task,
    known: &Ground,
    place: Place,
    ids: &BTreeSet<&str>,
) -> Result<View> {
    let outcome = connected.locked("grants", |session, facts| {
        let view = task.shared_view(session, facts, known)?;
        let now = |one: &&Difference| one.place == place && ids.contains(one.change.id.as_str());
        let now: Vec<&Difference> = view.differences.iter().filter(now).collect();
        apply::make(session, facts, &now)?;
        let after = task.shared_view(session, facts, known)?;
        taken(&now, &after)?;
        Ok(after)
    });
    outcome.map_err(|error| {
        let facts = connected.facts.clone();
        let Ok(session) = connected.main() else { return error };
        let passed = |session: &mut Session| rights::passed_shared(session, &facts, &known.role_id);
        dependents::explain(error, session, &task.grantee, ids, passed)
    })
}

/// Changes rights in the session's database, and answers what is there now.
fn change_inside(
    connected: &mut Connected,
    inner: &mut Session,
    task: &Task,
    known: &Ground,
    name: &str,
    ids: &BTreeSet<&str>,
) -> Result<View> {
    // The lock is in the main database: one in the tenant's could be held by the tenant.
    let outcome = connected.locked(&format!("grants:{name}"), |_, facts| {
        inner.transaction(|inner| {
            let view = task.inside_view(inner, facts, known, name)?;
            let now: Vec<&Difference> =
                view.differences.iter().filter(|one| ids.contains(one.change.id.as_str())).collect();
            apply::make(inner, facts, &now)?;
            let after = task.inside_view(inner, facts, known, name)?;
            taken(&now, &after)?;
            Ok(after)
        })
    });
    outcome.map_err(|error| {
        let passed = |session: &mut Session| rights::passed_inside(session, &known.role_id);
        dependents::explain(error, inner, &task.grantee, ids, passed)
    })
}

/// The server warns where it gives or takes less than it was told to; here that is an error.
fn taken(made: &[&Difference], after: &View) -> Result<()> {
    let left = made.iter().find(|one| after.differences.iter().any(|other| other.change.id == one.change.id));
    left.map_or(Ok(()), |one| {
        Err(Error::new(
            ErrorKind::PermissionDenied,
            format!(
                "the administrator may not make this so: {} where it is {}",
                one.change.expected, one.change.actual
            ),
            one.statements.iter().map(|statement| statement.sql.as_str()).collect::<Vec<_>>().join("; "),
        ))
    })
}

/// Everything that the role was given, on every level and in every database.
pub(crate) fn everything(connected: &mut Connected, grantee: &str) -> Result<Vec<Granted>> {
    let facts = connected.facts.clone();
    let role = role::find(connected.main()?, grantee)?
        .ok_or_else(|| Error::not_found(format!("the role {grantee} is not there")))?;
    let databases = connected.databases()?;
    let session = connected.main()?;
    let holder = Holder { id: role.id, everyone: false };
    let mut found = rights::shared(session, &facts, &holder)?;
    for name in with_rights(session, &holder.id)? {
        if databases.get(&name).is_some_and(|one| one.accepts_sessions) {
            let mut session = connected.inside(&name, Purpose::Administration)?;
            let outcome = rights::inside(&mut session, &holder);
            session.close();
            found.extend(outcome?);
        }
    }
    Ok(found.iter().filter(|held| !held.implicit).map(|held| held.known().write()).collect())
}
