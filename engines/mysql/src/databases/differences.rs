//! A database as the server sees it beside what it should be. Pure.
//!
//! Character set and collation are compared only where they are stated: an adopted database keeps its own.

use dbprovision_sdk::Mark;

use crate::connect::Tracking;
use crate::difference::Difference;
use crate::observe::database::Database;
use crate::observe::marks::Kept;
use crate::statements::database;
use crate::statements::metadata::{self, Kind, RowOf};

use super::wanted::Wanted;

/// Every difference, in the order of application. `implied` is the character set of a collation that is stated alone.
pub(crate) fn differences(
    wanted: &Wanted,
    now: &Database,
    implied: Option<&str>,
    tracking: &Tracking,
    mark: &Mark,
) -> Vec<Difference> {
    let name = wanted.name.as_str();
    let charset = wanted.block.charset.as_deref();
    let collation = wanted.block.collation.as_deref();
    let effective = charset.or(implied);
    let mut found = Vec::new();
    if let Some(charset) = charset.filter(|charset| plain(charset) != plain(&now.charset)) {
        // A collation belongs to one character set: both change at once.
        let sql = database::alter(name, Some(charset), collation);
        found.push(Difference::new("charset", "options.charset", charset, &now.charset).by(sql));
    }
    if let Some(collation) = collation.filter(|collation| !same_collation(collation, effective, now)) {
        let sql = database::alter(name, charset, Some(collation));
        found.push(Difference::new("collation", "options.collation", collation, &now.collation).by(sql));
    }
    if wanted.comment != now.kept.words {
        let shown = |words: &Option<String>| words.clone().unwrap_or_default();
        let kept = Kept {
            mark: Some(now.kept.mark.clone().unwrap_or_else(|| mark.clone())),
            words: wanted.comment.clone(),
            roles: Vec::new(),
            adopted: false,
            finished: true,
        };
        let (text, details) = kept.text();
        let row = RowOf { kind: Kind::Database, name, host: "", mark: &text, details: &details, finished: true };
        found.push(
            Difference::new("comment", "comment", shown(&wanted.comment), shown(&now.kept.words))
                .by_all([metadata::put(tracking, &row)]),
        );
    }
    found
}

/// `utf8` is the old name of `utf8mb3`, alone and in front of a collation.
fn plain(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    match name.strip_prefix("utf8_").map(|rest| format!("utf8mb3_{rest}")) {
        Some(renamed) => renamed,
        None if name == "utf8" => "utf8mb3".to_owned(),
        None => name,
    }
}

/// MariaDB's newer collations are one for many character sets, and shown with the one in use in front.
fn same_collation(stated: &str, charset: Option<&str>, now: &Database) -> bool {
    let (stated, actual) = (plain(stated), plain(&now.collation));
    let prefixed = format!("{}_{stated}", charset.map_or_else(|| plain(&now.charset), plain));
    stated == actual || prefixed == actual
}
