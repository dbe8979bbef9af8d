//! Executing the statements of chosen differences, in order.
//!
//! Each statement commits by itself. One that fails ends the work with its error; what was made before stays made,
//! and the next comparison no longer finds it.

use dbprovision_sdk::Result;

use crate::connect::Session;
use crate::difference::Difference;

/// Makes the chosen changes.
pub(crate) fn make(session: &mut Session, chosen: &[&Difference]) -> Result<()> {
    chosen.iter().flat_map(|one| &one.statements).try_for_each(|statement| session.run(statement))
}
