//! Rights and memberships: what a grant states, what is held, and the difference between them.
//!
//! `asked` reads the spec, `privileges` says what each level has, `resolve` makes single rights of it, `differences`
//! compares, `change` reads and applies, `dependents` tells what is in the way. `right` is the form in which all of
//! them, and the host, speak of a right.

mod asked;
mod change;
mod dependents;
mod differences;
pub(crate) mod privileges;
mod resolve;
pub(crate) mod right;
mod wish;

#[cfg(test)]
mod tests;

use dbprovision_sdk::adapter::grants::{GrantReport, GrantSpec, Granted, Grantee, Mode};
use dbprovision_sdk::{Examination, Grants, Result, Selection};

use crate::{Postgres, names};
use asked::Asked;
use change::Task;
use right::Known;

fn task(spec: &GrantSpec, asked: Asked) -> Task {
    let known = |all: &[Granted]| all.iter().filter_map(Known::read).collect();
    Task {
        grantee: spec.grantee.name.clone(),
        asked,
        authoritative: spec.mode == Mode::Authoritative,
        recorded: known(&spec.recorded),
        shared: known(&spec.shared),
        unknown: spec.recorded.iter().filter(|one| Known::read(one).is_none()).cloned().collect(),
        takes_back: false,
    }
}

impl Grants for Postgres {
    fn examine(spec: &GrantSpec) -> Result<Examination> {
        Asked::read(spec).map(|asked| asked.examination())
    }

    fn grant(&mut self, spec: &GrantSpec, selection: &Selection) -> Result<GrantReport> {
        let task = task(spec, Asked::read(spec)?);
        change::bring_about(self.connected()?, &task, selection)
    }

    fn revoke(&mut self, spec: &GrantSpec) -> Result<()> {
        names::usable(&spec.grantee.name)?;
        // What is stated does not matter any more, and a wrong spec must not keep a resource from going.
        let task = Task { authoritative: false, takes_back: true, ..task(spec, Asked::default()) };
        change::bring_about(self.connected()?, &task, &Selection::All).map(drop)
    }

    fn get_grants(&mut self, grantee: &Grantee) -> Result<Vec<Granted>> {
        names::usable(&grantee.name)?;
        change::everything(self.connected()?, &grantee.name)
    }
}
