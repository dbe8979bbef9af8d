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
    /// Whether it is made by `CREATE ROLE`, and not as an account.
    pub(crate) native: bool,
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
        problems.finish()?;
        let comment = spec.comment.clone().filter(|text| !text.is_empty());
        Ok(Self { name: spec.name.clone(), comment, native: block.use_native_roles != Some(false) })
    }

    /// What only the server knows to refuse.
    pub(crate) fn check_against(&self, facts: &Facts) -> Result<()> {
        let mut problems = Vec::new();
        if let Some(problem) = name_for(&self.name, facts) {
            problems.push(OptionProblem { path: "name".to_owned(), problem });
        }
        if !self.native && facts.is_mariadb() {
            let problem =
                "MariaDB has roles of its own, and its accounts cannot have members: leave this out".to_owned();
            problems.push(OptionProblem { path: "options.useNativeRoles".to_owned(), problem });
        }
        if problems.is_empty() { Ok(()) } else { Err(Error::invalid(problems)) }
    }
}
