//! Roles: what users are, without a password.
//!
//! Users and roles are roles of the server, in one namespace, and share everything but what is about logins.
//! A role's `grants` are served by the grant operations, with the role as the grantee: nothing here gives rights.

use dbprovision_sdk::adapter::roles::{RoleInfo, RoleSpec};
use dbprovision_sdk::adapter::users::UserInfo;
use dbprovision_sdk::{Examination, Listing, Mark, OwnedObject, Page, Proof, Result, Roles, Selection, UpdateReport};

use crate::observe::role;
use crate::users::wanted::Wanted;
use crate::users::{self, gone};
use crate::{Postgres, names};

fn info(found: UserInfo) -> RoleInfo {
    let UserInfo { name, object_id, mark, standing, privileged, details } = found;
    RoleInfo { name, object_id, mark, standing, privileged, details }
}

impl Roles for Postgres {
    fn examine(spec: &RoleSpec) -> Result<Examination> {
        Wanted::read_role(spec).map(|wanted| wanted.examination())
    }

    fn create(&mut self, spec: &RoleSpec, mark: &Mark) -> Result<RoleInfo> {
        let wanted = Wanted::read_role(spec)?;
        let lock = users::lock(&wanted.name);
        self.connected()?.locked(&lock, |session, _| users::create(session, &wanted, None, mark)).map(info)
    }

    fn update(&mut self, spec: &RoleSpec, mark: &Mark, selection: &Selection) -> Result<UpdateReport> {
        let wanted = Wanted::read_role(spec)?;
        users::update(self.connected()?, &wanted, mark, None, selection)
    }

    fn claim(&mut self, name: &str, proof: &Proof, comment: Option<&str>, mark: &Mark) -> Result<()> {
        users::claim(self.connected()?, name, proof, comment, mark)
    }

    fn drop(&mut self, spec: &RoleSpec, proof: &Proof) -> Result<()> {
        names::usable(&spec.name)?;
        gone::remove(self.connected()?, &spec.name, proof)
    }

    fn exists(&mut self, name: &str) -> Result<bool> {
        names::usable(name)?;
        Ok(self.connected()?.look(|reader, _| role::find(reader, name))?.is_some())
    }

    fn get_info(&mut self, name: &str) -> Result<Option<RoleInfo>> {
        names::usable(name)?;
        Ok(self.connected()?.look(|reader, _| role::find(reader, name))?.map(|found| info(users::info(found))))
    }

    fn list(&mut self, page: &Page) -> Result<Listing> {
        role::list(self.connected()?.main()?, page, false).map(|roles| users::listing(roles, page))
    }

    fn owned_objects(&mut self, name: &str, limit: u32) -> Result<Vec<OwnedObject>> {
        users::owned_objects(self.connected()?, name, limit)
    }

    fn reassign_owned(&mut self, name: &str, proof: &Proof, heirs: &[String]) -> Result<()> {
        names::usable(name)?;
        gone::reassign(self.connected()?, name, proof, heirs)
    }
}
