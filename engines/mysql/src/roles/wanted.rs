//! A role's spec, read and checked. Pure.

use dbprovision_sdk::adapter::roles::RoleSpec;
use dbprovision_sdk::error::Problems;
use dbprovision_sdk::{Error, OptionProblem, Result, options};
use mysql_options::MySqlRoleConfig;

use crate::names;
use crate::server::Facts;
use crate::users::wanted::name_for;

/// What a role should be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) comment: Option<String>,
}

impl Wanted {
    /// Reads the spec; every problem is named at once.
    pub(crate) fn read(spec: &RoleSpec) -> Result<Self> {
        let block: MySqlRoleConfig = options::parse(spec.options.as_deref())?;
        let mut problems = Problems::default();
        names::check_role(&spec.name, "name", &mut problems);
        if spec.comment.as_deref().is_some_and(|comment| comment.contains('\0')) {
            problems.add("comment", "a comment must not contain a NUL byte");
        }
        if block.use_native_roles == Some(false) {
            problems.add("options.useNativeRoles", "every server that is served has roles of its own: leave this out");
        }
        problems.finish()?;
        let comment = spec.comment.clone().filter(|text| !text.is_empty());
        Ok(Self { name: spec.name.clone(), comment })
    }

    /// What only the server knows to refuse.
    pub(crate) fn check_against(&self, facts: &Facts) -> Result<()> {
        match name_for(&self.name, facts) {
            Some(problem) => Err(Error::invalid(vec![OptionProblem { path: "name".to_owned(), problem }])),
            None => Ok(()),
        }
    }
}
