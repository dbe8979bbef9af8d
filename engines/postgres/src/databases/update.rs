//! Bringing a database to its spec: first what the server knows of it, then what is inside, then what may only
//! happen at the end. Each part is one transaction where the server has transactions for it; the parts are read
//! again under it, so that nothing is changed that was not found.

use std::collections::{BTreeMap, BTreeSet};

use dbprovision_sdk::mark::is_same_resource;
use dbprovision_sdk::selection::{report, select};
use dbprovision_sdk::{Deadline, Error, ErrorKind, Mark, Result, Secret, Selection, UpdateReport};

use crate::connect::{Purpose, Session};
use crate::difference::{Difference, Place};
use crate::observe::inside::Inside;
use crate::observe::reader::Reader;
use crate::observe::{self, database, role};
use crate::server::{Connected, Facts};
use crate::statements::Statement;
use crate::statements::database as statements;
use crate::{apply, names};

use super::differences::{Found, Observed, differences};
use super::inside::Context;
use super::wanted::{Companions, Wanted};
use super::{absent, inside, learnt, lock};

/// `MAINTAIN` on tables came with this version.
const MAINTAIN: i32 = 170_000;
/// Sessions of our own that were just closed need a moment to be gone.
const SESSIONS_END_WITHIN: std::time::Duration = std::time::Duration::from_secs(5);

/// See `wit/database.wit`.
pub(crate) fn update(
    connected: &mut Connected,
    wanted: &Wanted,
    mark: &Mark,
    passwords: &[(String, Secret)],
    selection: &Selection,
) -> Result<UpdateReport> {
    if *selection == Selection::Detect {
        return detect(connected, wanted, mark, passwords);
    }
    let mut verifiers = BTreeMap::new();
    for (name, password) in passwords {
        verifiers.insert(name.clone(), connected.main()?.verifier(password)?);
    }
    let mut within = open_inside(connected, wanted)?;
    let outcome = all_parts(connected, wanted, mark, &verifiers, selection, &mut within);
    if let Some(session) = within {
        session.close();
    }
    outcome
}

/// Looks and changes nothing.
fn detect(
    connected: &mut Connected,
    wanted: &Wanted,
    mark: &Mark,
    passwords: &[(String, Secret)],
) -> Result<UpdateReport> {
    let observed = connected.look(|reader, _| observe(reader, wanted, mark, &Selection::Detect))?;
    // Only that there are passwords to be set is told.
    let verifiers = passwords.iter().map(|(name, _)| (name.clone(), String::new())).collect();
    let mut found = differences(wanted, &observed, mark, &verifiers);
    let mut inside = None;
    if wanted.reaches_inside() && observed.database.allows_connections {
        let owner = wanted.owner.as_deref().unwrap_or(&observed.database.owner);
        let (seen, more) =
            connected.look_inside(&wanted.name, |reader, facts| inside_differences(reader, facts, wanted, owner))?;
        inside = Some(seen);
        found.extend(more);
    }
    found.sort_by_key(|one| order(one.place));
    let companions = wanted.companions.as_ref().map(|_| observed.companions);
    Ok(UpdateReport { details: learnt::details(wanted, inside, companions), ..report(&found, []) })
}

/// A session in the database, where the spec reaches inside and the database can be entered.
fn open_inside(connected: &mut Connected, wanted: &Wanted) -> Result<Option<Session>> {
    if !wanted.reaches_inside() {
        return Ok(None);
    }
    let found = database::find(connected.main()?, &wanted.name)?.ok_or_else(|| absent(&wanted.name))?;
    if !found.allows_connections {
        return Ok(None);
    }
    connected.inside(&wanted.name, Purpose::Administration).map(Some)
}

fn all_parts(
    connected: &mut Connected,
    wanted: &Wanted,
    mark: &Mark,
    verifiers: &BTreeMap<String, String>,
    selection: &Selection,
    within: &mut Option<Session>,
) -> Result<UpdateReport> {
    let mut inside = None;
    let (mut found, chosen, observed) = connected.locked(&lock(&wanted.name), |session, facts| {
        let observed = observe(session, wanted, mark, selection)?;
        let mut found = differences(wanted, &observed, mark, verifiers);
        if let Some(inner) = within.as_mut() {
            let owner = wanted.owner.as_deref().unwrap_or(&observed.database.owner);
            let (seen, more) = inside_differences(inner, facts, wanted, owner)?;
            inside = Some(seen);
            found.extend(more);
        }
        found.sort_by_key(|one| order(one.place));
        let chosen: Vec<&Difference> = select(&found, selection)?;
        let now: Vec<&Difference> = chosen.iter().copied().filter(|one| one.place == Place::Server).collect();
        apply::make(session, facts, &now)?;
        let chosen: BTreeSet<String> = chosen.into_iter().map(|one| one.change.id.clone()).collect();
        Ok((found, chosen, observed))
    })?;
    let mut made: BTreeSet<String> = chosen;
    if within.is_none() && *selection == Selection::All && wanted.allows_connections() {
        // It was closed until now, so what is inside could not be compared before.
        *within = open_inside(connected, wanted)?;
        if let Some(inner) = within.as_mut() {
            let owner = database::owner(connected.main()?, &wanted.name)?;
            let (seen, more) = inside_differences(inner, &connected.facts.clone(), wanted, &owner)?;
            inside = Some(seen);
            made.extend(select(&more, selection)?.into_iter().map(|one| one.change.id.clone()));
            found.extend(more);
        }
    }
    if found.iter().any(|one| one.place == Place::Inside && made.contains(&one.change.id))
        && let Some(inner) = within.as_mut()
    {
        make_inside(connected, inner, wanted, &made)?;
        inside = Some(observe::inside::read(inner)?);
    }
    if let Some(session) = within.take() {
        session.close();
    }
    for one in found.iter().filter(|one| one.place == Place::Alone && made.contains(&one.change.id)) {
        make_alone(connected, wanted, one)?;
    }
    let last: Vec<&Difference> =
        found.iter().filter(|one| one.place == Place::Last && made.contains(&one.change.id)).collect();
    if !last.is_empty() {
        connected.locked(&lock(&wanted.name), |session, facts| apply::make(session, facts, &last))?;
    }
    let companions = match &wanted.companions {
        // Nothing was made, so they are as they were found.
        Some(_) if made.is_empty() => Some(observed.companions),
        Some(companions) => Some(observe_companions(connected.main()?, companions, &observed.database.id, mark)?),
        None => None,
    };
    Ok(UpdateReport {
        details: learnt::details(wanted, inside, companions),
        ..report(&found, found.iter().filter(|one| made.contains(&one.change.id)))
    })
}

fn order(place: Place) -> u8 {
    match place {
        Place::Server => 0,
        Place::Inside => 1,
        Place::Alone => 2,
        Place::Last => 3,
    }
}

/// What the server knows of the database and its companions.
fn observe(reader: &mut dyn Reader, wanted: &Wanted, mark: &Mark, selection: &Selection) -> Result<Observed> {
    let found = database::find(reader, &wanted.name)?.ok_or_else(|| absent(&wanted.name))?;
    names::untouchable(found.standing)?;
    if *selection != Selection::Detect && found.comment.mark.as_ref() != Some(mark) {
        return Err(Error::conflict("the database on the server does not carry this resource's mark"));
    }
    if found.is_invalid() {
        return Err(Error::new(
            ErrorKind::Conflict,
            "an interrupted drop left the database unusable: it can only be dropped",
            "datconnlimit is -2",
        ));
    }
    let encoding = match &wanted.block.encoding {
        Some(stated) => database::encoding_name(reader, stated)?,
        None => None,
    };
    let owner_is_missing = match (&wanted.owner, &wanted.companions) {
        (Some(owner), None) if *owner != found.owner => role::find(reader, owner)?.is_none(),
        _ => false,
    };
    let tablespace_is_missing = match &wanted.block.tablespace {
        Some(stated) if *stated != found.tablespace => {
            let query = "SELECT 1 FROM pg_catalog.pg_tablespace t WHERE t.spcname = $1::pg_catalog.name";
            reader.row(query, &[stated])?.is_none()
        }
        _ => false,
    };
    let companions = match &wanted.companions {
        Some(companions) => observe_companions(reader, companions, &found.id, mark)?,
        None => Found::default(),
    };
    Ok(Observed { database: found, encoding, owner_is_missing, tablespace_is_missing, companions })
}

fn observe_companions(
    reader: &mut dyn Reader,
    companions: &Companions,
    database_id: &str,
    mark: &Mark,
) -> Result<Found> {
    let mut ours = |name: &str| -> Result<Option<role::Role>> {
        let found = role::find(reader, name)?;
        match &found {
            Some(there) if !there.comment.mark.as_ref().is_some_and(|carried| is_same_resource(mark, carried)) => Err(
                Error::conflict(format!("a role with the name {name} is there and does not belong to this database")),
            ),
            _ => Ok(found),
        }
    };
    let (role, user) = (ours(&companions.role)?, ours(&companions.user)?);
    let is_member =
        role.is_some() && user.is_some() && role::is_member(reader, &[companions.user.as_str()], &companions.role)?;
    let session_role = database::session_role(reader, database_id, &companions.user)?;
    Ok(Found { role, user, is_member, session_role })
}

fn inside_differences(
    inner: &mut dyn Reader,
    facts: &Facts,
    wanted: &Wanted,
    owner: &str,
) -> Result<(Inside, Vec<Difference>)> {
    let mut observed = observe::inside::read(inner)?;
    for extension in wanted.block.extensions.iter().flatten() {
        if !observed.extensions.iter().any(|installed| installed.name == extension.name)
            && let Some(available) = observe::inside::available(inner, &extension.name)?
        {
            observed.available.insert(extension.name.clone(), available);
        }
    }
    let found = inside::differences(wanted, &observed, &Context { owner, has_maintain: facts.number >= MAINTAIN });
    Ok((observed, found))
}

/// Makes the chosen changes inside, in one transaction that has seen them.
fn make_inside(
    connected: &mut Connected,
    inner: &mut Session,
    wanted: &Wanted,
    chosen: &BTreeSet<String>,
) -> Result<()> {
    let owner = database::owner(connected.main()?, &wanted.name)?;
    let facts = connected.facts.clone();
    inner.transaction(|inner| {
        let (_, found) = inside_differences(inner, &facts, wanted, &owner)?;
        let now: Vec<&Difference> = found.iter().filter(|one| chosen.contains(&one.change.id)).collect();
        apply::make(inner, &facts, &now)
    })
}

/// Makes a change that knows no transaction and needs the database to itself.
fn make_alone(connected: &mut Connected, wanted: &Wanted, one: &Difference) -> Result<()> {
    let application_name = connected.limits.application_name.clone();
    let facts = connected.facts.clone();
    let session = connected.main()?;
    session.rows(statements::TERMINATE_OWN, &[&wanted.name, &application_name])?;
    let deadline = Deadline::after(SESSIONS_END_WITHIN);
    while database::sessions(session, &wanted.name)? > 0 && deadline.left().is_some() {
        session.rows("SELECT pg_catalog.pg_sleep(0.05)::pg_catalog.text", &[])?;
    }
    let owner = database::owner(session, &wanted.name)?;
    let run = |session: &mut Session| one.statements.iter().try_for_each(|statement| session.run(statement));
    if facts.superuser || owner == facts.administrator {
        return run(session);
    }
    // A borrowed membership would outlive a crash here. The ownership may: where an owner is stated, the next
    // comparison finds that and gives it back.
    if wanted.owner.as_ref() != Some(&owner) {
        return Err(Error::new(
            ErrorKind::PermissionDenied,
            "only the database's owner can move it to another tablespace",
            format!("the owner is {owner}"),
        ));
    }
    give_to(connected, wanted, &owner, &facts.administrator)?;
    let outcome = run(connected.main()?);
    give_to(connected, wanted, &owner, &owner)?;
    outcome
}

/// Changes the owner, with the rights of the one that is stated.
fn give_to(connected: &mut Connected, wanted: &Wanted, stated: &str, to: &str) -> Result<()> {
    let clause = format!("OWNER TO {}", crate::quote::identifier(to));
    connected.locked(&lock(&wanted.name), |session, facts| {
        apply::acting_as(session, facts, &BTreeSet::from([stated.to_owned()]), |session| {
            session.run(&Statement::of("owner", statements::alter(&wanted.name, &clause)))
        })
    })
}
