//! Creating a database so that it appears under its final name with its mark in place: it is created under an
//! unfinished name that holds the nonce, commented, and renamed. `CREATE DATABASE` knows no transaction; each
//! step leaves a state from which the next call goes on.

use dbprovision_sdk::adapter::databases::DatabaseInfo;
use dbprovision_sdk::{Error, ErrorKind, Mark, OptionProblem, Result};

use crate::names;
use crate::observe::database::{self, Database};
use crate::server::Connected;
use crate::statements::database as statements;

use super::differences::same_locale;
use super::wanted::Wanted;
use super::{absent, described, gone, lock};

/// The name until everything is in place.
pub(crate) fn unfinished(mark: &Mark) -> Result<String> {
    let name = format!("{}{}", names::UNFINISHED, mark.nonce);
    if mark.nonce.is_empty()
        || name.len() > names::LONGEST
        || name.contains('\0')
        || name.starts_with(names::SCRIPT_ROLE)
    {
        return Err(Error::protocol("the mark's nonce cannot be part of a name", ""));
    }
    Ok(name)
}

/// Creates it, or takes up what an earlier try left.
pub(crate) fn create(connected: &mut Connected, wanted: &Wanted, mark: &Mark) -> Result<DatabaseInfo> {
    let name = wanted.name.as_str();
    let unfinished = unfinished(mark)?;
    if let Some(found) = database::find(connected.main()?, name)? {
        return finished(found, mark);
    }
    if let Some(stated) = &wanted.block.encoding
        && database::encoding_name(connected.main()?, stated)?.is_none()
    {
        let problem = "the server knows no encoding of this name".to_owned();
        return Err(Error::invalid(vec![OptionProblem { path: "options.encoding".to_owned(), problem }]));
    }
    if !is_reusable(connected, wanted, &unfinished, mark)? {
        connected.main()?.run(&statements::create(&unfinished, &wanted.block)).map_err(at_work_elsewhere)?;
    }
    let renamed = connected.locked(&lock(name), |session, _| {
        session.run(&statements::comment(&unfinished, wanted.comment.as_deref(), mark))?;
        session.run(&statements::rename(&unfinished, name))
    });
    if let Err(error) = renamed {
        if error.kind == ErrorKind::AlreadyExists {
            gone::drop_unfinished(connected, &unfinished)?;
            return Err(taken(name));
        }
        return Err(error);
    }
    database::find(connected.main()?, name)?.map(|found| described(found, None)).ok_or_else(|| absent(name))
}

/// A database with the final name: ours, from a call whose answer was lost, or somebody's.
fn finished(found: Database, mark: &Mark) -> Result<DatabaseInfo> {
    if found.comment.mark.as_ref() != Some(mark) {
        return Err(taken(&found.name));
    }
    Ok(described(found, None))
}

fn taken(name: &str) -> Error {
    Error::new(
        ErrorKind::AlreadyExists,
        format!("a database with the name {name} is there already"),
        "it carries another mark or none",
    )
}

/// Whether the leftover of an earlier try can be finished. One that cannot is dropped.
fn is_reusable(connected: &mut Connected, wanted: &Wanted, unfinished: &str, mark: &Mark) -> Result<bool> {
    let Some(left) = database::find(connected.main()?, unfinished)? else { return Ok(false) };
    if left.comment.mark.as_ref().is_some_and(|other| other != mark) {
        return Err(Error::conflict("an unfinished database with the same nonce belongs to another resource"));
    }
    let block = &wanted.block;
    let encoding = match block.encoding.as_deref() {
        Some(stated) => database::encoding_name(connected.main()?, stated)?,
        None => None,
    };
    let same = |stated: Option<&str>, actual: &str| stated.is_none_or(|stated| same_locale(stated, actual));
    // Which template it was copied from cannot be told, so only the default one's copies are taken up.
    let fits = !left.is_invalid()
        && block.template.as_deref().is_none_or(|template| template == statements::TEMPLATE)
        && same(encoding.as_deref().or(block.encoding.as_deref()).or(Some(statements::ENCODING)), &left.encoding)
        && same(block.lc_collate.as_deref(), &left.collate)
        && same(block.lc_ctype.as_deref(), &left.ctype)
        && block.tablespace.as_deref().unwrap_or(statements::DEFAULT_TABLESPACE) == left.tablespace;
    if !fits {
        gone::drop_unfinished(connected, unfinished)?;
    }
    Ok(fits)
}

/// The unfinished name is ours alone: another call for the same resource is at work.
fn at_work_elsewhere(error: Error) -> Error {
    if error.kind == ErrorKind::AlreadyExists {
        return Error { kind: ErrorKind::Transient(None), ..error };
    }
    error
}

/// Removes what a creation of this mark left, if nobody uses it.
pub(crate) fn clean_up(connected: &mut Connected, mark: &Mark) -> Result<()> {
    let unfinished = unfinished(mark)?;
    let session = connected.main()?;
    let Some(left) = database::find(session, &unfinished)? else { return Ok(()) };
    if left.comment.mark.as_ref().is_some_and(|other| other != mark) || database::sessions(session, &unfinished)? > 0 {
        return Ok(());
    }
    gone::drop_unfinished(connected, &unfinished)
}
