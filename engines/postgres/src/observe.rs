//! Reading the catalogue: what there is, as the server says it.
//!
//! Every name of the catalogue is qualified; operators need no qualification, because the sessions look them up
//! in `pg_catalog` only. An error is never "absent": only a row that is not there is.

pub(crate) mod database;
pub(crate) mod inside;
pub(crate) mod membership;
pub(crate) mod moment;
pub(crate) mod objects;
pub(crate) mod owned;
pub(crate) mod reader;
pub(crate) mod rights;
pub(crate) mod role;
pub(crate) mod server;
pub(crate) mod untouched;

use dbprovision_sdk::{Error, Mark, Proof, Result};

/// A comment, split into the user's own words and the mark.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Comment {
    pub(crate) words: Option<String>,
    pub(crate) mark: Option<Mark>,
}

impl Comment {
    pub(crate) fn parse(text: Option<&str>) -> Self {
        let (words, mark) = dbprovision_sdk::mark::read(text.unwrap_or_default());
        Self { words: words.map(str::to_owned), mark }
    }
}

/// Refuses to go on with an object that is not the one the caller knows.
pub(crate) fn prove(proof: &Proof, object_id: &str, mark: Option<&Mark>) -> Result<()> {
    let same_object = proof.object_id.as_deref().is_none_or(|known| known == object_id);
    let same_mark = proof.mark.as_ref().is_none_or(|known| Some(known) == mark);
    if same_object && same_mark {
        return Ok(());
    }
    Err(Error::conflict(
        "the object on the server is not the one that was recorded: it carries another mark or identity",
    ))
}
