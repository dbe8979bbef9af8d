//! Roles: the server's own.
//!
//! A role has no place for a mark on either server, so its record is in the operator's table, written before the role
//! is created. Its rights are the grant operations'.

mod wanted;

use dbprovision_sdk::adapter::roles::{RoleInfo, RoleSpec};
use dbprovision_sdk::selection::{report, select_possible};
use dbprovision_sdk::types::Listed;
use dbprovision_sdk::{
    Error, ErrorKind, Examination, Listing, Mark, OwnedObject, Page, Proof, Result, Roles, Selection, Standing,
    UpdateReport,
};

use crate::connect::{Session, Tracking};
use crate::difference::Difference;
use crate::observe::marks::Kept;
use crate::observe::reader::Reader;
use crate::observe::role::{self, Role};
use crate::observe::{owned, power, prove};
use crate::server::Facts;
use crate::statements::Statement;
use crate::statements::grant;
use crate::statements::metadata::{self, Kind, RowOf};
use crate::{MySql, apply, errors, names, users};
use wanted::Wanted;

fn absent(name: &str) -> Error {
    Error::not_found(format!("the role {name} is not there"))
}

fn taken(name: &str) -> Error {
    Error::new(
        ErrorKind::AlreadyExists,
        format!("a role or user with the name {name} is there already"),
        "it carries another mark or none",
    )
}

fn standing(facts: &Facts, name: &str) -> Standing {
    if name == facts.administrator { Standing::Protected } else { names::role_standing(name) }
}

fn info(reader: &mut dyn Reader, facts: &Facts, role: Role) -> Result<RoleInfo> {
    let holder = role::grantee(facts, &role.name);
    Ok(RoleInfo {
        standing: standing(facts, &role.name),
        privileged: power::is_privileged(reader, facts, &holder.user, &holder.host)?,
        name: role.name,
        object_id: None,
        mark: role.kept.mark,
        details: None,
    })
}

fn keep(tracking: &Tracking, name: &str, kept: &Kept) -> Statement {
    let (mark, details) = kept.text();
    let row = RowOf { kind: Kind::Role, name, host: "", mark: &mark, details: &details, finished: kept.finished };
    metadata::put(tracking, &row)
}

impl Roles for MySql {
    fn examine(spec: &RoleSpec) -> Result<Examination> {
        Wanted::read(spec)?;
        Ok(Examination { references: Vec::new(), privileges: Vec::new(), companions: Vec::new() })
    }

    fn create(&mut self, spec: &RoleSpec, mark: &Mark) -> Result<RoleInfo> {
        let wanted = Wanted::read(spec)?;
        self.connected()?.locked(&users::lock(&wanted.name), |session, facts, tracking| {
            wanted.check_against(facts)?;
            create(session, facts, tracking, &wanted, mark)
        })
    }

    fn update(&mut self, spec: &RoleSpec, mark: &Mark, selection: &Selection) -> Result<UpdateReport> {
        let wanted = Wanted::read(spec)?;
        if *selection == Selection::Detect {
            let look = |reader: &mut dyn Reader, facts: &Facts, tracking: &Tracking| {
                compare(reader, facts, tracking, &wanted, None)
            };
            return Ok(report(&self.connected()?.look(look)?, []));
        }
        self.connected()?.locked(&users::lock(&wanted.name), |session, facts, tracking| {
            let found = compare(session, facts, tracking, &wanted, Some(mark))?;
            let chosen = select_possible(&found, selection)?;
            apply::make(session, &chosen)?;
            Ok(report(&found, chosen))
        })
    }

    fn claim(&mut self, name: &str, proof: &Proof, comment: Option<&str>, mark: &Mark) -> Result<()> {
        names::usable_user(name)?;
        self.connected()?.locked(&users::lock(name), |session, facts, tracking| {
            names::untouchable(standing(facts, name))?;
            let found = role::find(session, facts, tracking, name)?.ok_or_else(|| absent(name))?;
            prove(proof, found.kept.mark.as_ref())?;
            let kept =
                Kept { mark: Some(mark.clone()), words: comment.map(str::to_owned), finished: true, ..found.kept };
            session.run(&keep(tracking, name, &kept))
        })
    }

    fn drop(&mut self, spec: &RoleSpec, proof: &Proof) -> Result<()> {
        let name = spec.name.as_str();
        names::usable_user(name)?;
        self.connected()?.locked(&users::lock(name), |session, facts, tracking| {
            names::untouchable(standing(facts, name))?;
            if let Some(found) = role::find(session, facts, tracking, name)? {
                prove(proof, found.kept.mark.as_ref())?;
                session.simple(&format!("DROP ROLE IF EXISTS {}", grant::role(name, facts.dialect)), "")?;
            }
            session.run(&metadata::remove(tracking, Kind::Role, name, None))
        })
    }

    fn exists(&mut self, name: &str) -> Result<bool> {
        names::usable_user(name)?;
        let look =
            |reader: &mut dyn Reader, facts: &Facts, tracking: &Tracking| role::find(reader, facts, tracking, name);
        Ok(self.connected()?.look(look)?.is_some())
    }

    fn get_info(&mut self, name: &str) -> Result<Option<RoleInfo>> {
        names::usable_user(name)?;
        self.connected()?.look(|reader, facts, tracking| {
            let found = role::find(reader, facts, tracking, name)?;
            found.map(|found| info(reader, facts, found)).transpose()
        })
    }

    fn list(&mut self, page: &Page) -> Result<Listing> {
        let (session, facts, tracking) = self.connected()?.parts()?;
        let found = role::list(session, facts, tracking, page)?;
        let listed = |(name, mark): (String, _)| Listed { standing: standing(facts, &name), name, mark };
        Ok(Listing::of(page, found.into_iter().map(listed)))
    }

    fn owned_objects(&mut self, name: &str, limit: u32) -> Result<Vec<OwnedObject>> {
        names::usable_user(name)?;
        let (session, facts, tracking) = self.connected()?.parts()?;
        role::find(session, facts, tracking, name)?.ok_or_else(|| absent(name))?;
        owned::objects(session, name, &role::grantee(facts, name).host, limit)
    }

    fn reassign_owned(&mut self, _: &str, _: &Proof, _: &[String]) -> Result<()> {
        // The servers have no statement for it: each object would have to be made anew.
        Err(Error::unsupported("giving a role's objects to another"))
    }
}

/// Creates the role with its record. One that carries the same mark was created by a call whose answer was lost.
fn create(session: &mut Session, facts: &Facts, tracking: &Tracking, wanted: &Wanted, mark: &Mark) -> Result<RoleInfo> {
    let name = wanted.name.as_str();
    if let Some(found) = role::find(session, facts, tracking, name)? {
        if found.kept.mark.as_ref() != Some(mark) {
            return Err(taken(name));
        }
        session.run(&metadata::finish(tracking, Kind::Role, name))?;
        return info(session, facts, found);
    }
    if role::is_taken_by_user(session, facts, name)? {
        return Err(taken(name));
    }
    let kept = Kept {
        mark: Some(mark.clone()),
        words: wanted.comment.clone(),
        roles: Vec::new(),
        adopted: false,
        finished: false,
    };
    session.run(&keep(tracking, name, &kept))?;
    let role = grant::role(name, facts.dialect);
    // What MySQL makes of both is the same (Reference Manual, "CREATE ROLE Statement"): only the right to do it differs.
    let sql = if wanted.native {
        format!("CREATE ROLE {role}")
    } else {
        format!("CREATE USER {role} ACCOUNT LOCK PASSWORD EXPIRE")
    };
    if let Err(error) = session.simple(&sql, "name") {
        // Nothing was created: a record of it would claim whatever gets this name next.
        if session.is_usable() {
            session.run(&metadata::remove(tracking, Kind::Role, name, None))?;
        }
        let exists = errors::code(&error) == Some(errors::ACCOUNT);
        return Err(if exists { Error { detail: error.detail, ..taken(name) } } else { error });
    }
    session.run(&metadata::finish(tracking, Kind::Role, name))?;
    let found = role::find(session, facts, tracking, name)?.ok_or_else(|| absent(name))?;
    info(session, facts, found)
}

/// What differs on the role, which has to carry the mark where one is given: somebody may have dropped it since the last
/// look, and made another of its name.
fn compare(
    reader: &mut dyn Reader,
    facts: &Facts,
    tracking: &Tracking,
    wanted: &Wanted,
    mark: Option<&Mark>,
) -> Result<Vec<Difference>> {
    let name = wanted.name.as_str();
    wanted.check_against(facts)?;
    names::untouchable(standing(facts, name))?;
    let now = role::find(reader, facts, tracking, name)?.ok_or_else(|| absent(name))?;
    prove(&Proof { mark: mark.cloned(), object_id: None }, now.kept.mark.as_ref())?;
    if wanted.comment == now.kept.words {
        return Ok(Vec::new());
    }
    let shown = |words: &Option<String>| words.clone().unwrap_or_default();
    let comment = Difference::new("comment", "comment", shown(&wanted.comment), shown(&now.kept.words));
    let kept = Kept { words: wanted.comment.clone(), finished: true, ..now.kept };
    Ok(vec![comment.by_all([keep(tracking, name, &kept)])])
}
