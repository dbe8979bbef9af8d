//! Executing the statements of chosen differences, in order.
//!
//! Each statement commits by itself. One that fails ends the work with its error; what was made before stays made,
//! and the next comparison no longer finds it.

use dbprovision_sdk::Result;

use crate::connect::Session;
use crate::difference::Difference;
use crate::errors;

/// Makes the chosen changes.
pub(crate) fn make(session: &mut Session, chosen: &[&Difference]) -> Result<()> {
    for statement in chosen.iter().flat_map(|one| &one.statements) {
        match session.run(statement) {
            Err(error) if statement.may_be_outlived && errors::is_one_of(&error, errors::OUTLIVED) => {}
            outcome => outcome?,
        }
    }
    Ok(())
}
