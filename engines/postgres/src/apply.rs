//! Executing statements with the rights they need.
//!
//! An administrator who is no superuser may act on a role's objects only as its member. Where it is none it makes
//! itself one, and takes that back in the same transaction: nobody else ever sees the membership, and a crash
//! leaves none. Memberships that were there before stay as they were.

use std::collections::BTreeSet;

use dbprovision_sdk::{Result, Standing};

use crate::connect::Session;
use crate::difference::Difference;
use crate::names;
use crate::observe;
use crate::server::Facts;
use crate::statements::{Statement, membership};

/// Executes the statements of the differences, in order. A transaction must be open.
pub(crate) fn make(session: &mut Session, facts: &Facts, chosen: &[&Difference]) -> Result<()> {
    let mut loans = Loans::default();
    for one in chosen {
        // A role may be there only since the difference before.
        loans.take(session, facts, &one.acts_as)?;
        one.statements.iter().try_for_each(|statement| session.run(statement))?;
    }
    loans.give_back(session)
}

/// Does `work` with the rights of `roles`. A transaction must be open.
pub(crate) fn acting_as<T>(
    session: &mut Session,
    facts: &Facts,
    roles: &BTreeSet<String>,
    work: impl FnOnce(&mut Session) -> Result<T>,
) -> Result<T> {
    let mut loans = Loans::default();
    loans.take(session, facts, roles)?;
    let value = work(session)?;
    loans.give_back(session)?;
    Ok(value)
}

/// Memberships that last as long as the transaction: where the work fails, it takes them with it.
#[derive(Default)]
struct Loans {
    taken: BTreeSet<String>,
    restore: Vec<Statement>,
}

impl Loans {
    fn take(&mut self, session: &mut Session, facts: &Facts, roles: &BTreeSet<String>) -> Result<()> {
        for role in roles {
            if !self.taken.contains(role)
                && let Some(back) = borrow(session, facts, role)?
            {
                self.restore.push(back);
                self.taken.insert(role.clone());
            }
        }
        Ok(())
    }

    fn give_back(self, session: &mut Session) -> Result<()> {
        self.restore.iter().try_for_each(|statement| session.run(statement))
    }
}

/// Makes the administrator a member, where that is needed; answers what takes it back.
fn borrow(session: &mut Session, facts: &Facts, role: &str) -> Result<Option<Statement>> {
    // Membership in the engine's own or a managed service's roles changes more than rights (`rds_iam` changes how
    // the administrator logs in), so it is never made; nor can a role be a member of itself.
    let never = facts.superuser || role == facts.administrator || names::role_standing(role) != Standing::Ordinary;
    if never {
        return Ok(None);
    }
    let Some(held) = observe::membership::held(session, facts, role)? else {
        // The statement that needs the role says that it is missing.
        return Ok(None);
    };
    // Where it may not, the statement that needs the role says so in the server's words.
    if held.suffices || !held.grantable {
        return Ok(None);
    }
    session.run(&membership::lend(role, &facts.administrator, facts.has_membership_options()))?;
    Ok(membership::restore(role, &facts.administrator, facts.has_membership_options(), held.own_grant))
}
