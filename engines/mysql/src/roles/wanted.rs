//! A role's spec, read and checked, and how its rights are recorded. Pure.

use dbprovision_sdk::adapter::grants::Granted;
use dbprovision_sdk::adapter::roles::RoleSpec;
use dbprovision_sdk::error::Problems;
use dbprovision_sdk::{Error, OptionProblem, Result, options};
use mysql_options::MySqlRoleConfig;

use crate::grants::wanted::Stated;
use crate::names;
use crate::server::Facts;
use crate::users::wanted::name_for;

/// What a role should be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) comment: Option<String>,
    pub(crate) stated: Stated,
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
        let stated = Stated::read([], block.grants.as_deref(), &mut problems);
        problems.finish()?;
        let comment = spec.comment.clone().filter(|text| !text.is_empty());
        Ok(Self { name: spec.name.clone(), comment, stated })
    }

    /// What only the server knows to refuse.
    pub(crate) fn check_against(&self, facts: &Facts) -> Result<()> {
        match name_for(&self.name, facts) {
            Some(problem) => Err(Error::invalid(vec![OptionProblem { path: "name".to_owned(), problem }])),
            None => Ok(()),
        }
    }
}

/// A right as it is recorded beside the mark.
pub(crate) fn text(granted: &Granted) -> String {
    let Granted { level, object, privilege, grantable, grantor: _ } = granted;
    serde_json::json!([level, object, privilege, grantable]).to_string()
}

/// What was recorded; none where it cannot be read.
pub(crate) fn given(text: &str) -> Option<Granted> {
    let (level, object, privilege, grantable) = serde_json::from_str(text).ok()?;
    Some(Granted { level, object, privilege, grantable, grantor: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_is_read_back_as_it_was_recorded() {
        let granted = Granted {
            level: "table".to_owned(),
            object: vec!["a\"b".to_owned(), "c'd".to_owned()],
            privilege: "SELECT".to_owned(),
            grantable: true,
            grantor: None,
        };
        assert_eq!(given(&text(&granted)), Some(granted));
        assert_eq!(given("nonsense"), None);
    }
}
