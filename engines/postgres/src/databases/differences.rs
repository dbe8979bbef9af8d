//! A database as the server sees it beside what it should be. Pure.
//!
//! `connectionLimit`, `isTemplate` and `allowConnections` are enforced with their documented defaults where they
//! are unstated. Encoding, locale, tablespace and owner are compared only where they are stated: an adopted
//! database keeps its own.

use std::collections::BTreeMap;

use dbprovision_sdk::Mark;

use crate::difference::{Difference, Place};
use crate::note::Given;
use crate::observe::database::Database;
use crate::observe::role::Role;
use crate::quote::identifier;
use crate::statements::{database, membership, ownership, user};

use super::wanted::{Companions, ROLE_PATH, USER_PATH, Wanted};

/// What is known on the server, outside of the database.
pub(crate) struct Observed {
    pub(crate) database: Database,
    /// The server's own name of the stated encoding; none where it knows none.
    pub(crate) encoding: Option<String>,
    /// The owner that is stated is not there, and is no companion.
    pub(crate) owner_is_missing: bool,
    pub(crate) tablespace_is_missing: bool,
    pub(crate) companions: Found,
}

/// The companions as they are.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) role: Option<Role>,
    pub(crate) user: Option<Role>,
    pub(crate) is_member: bool,
    pub(crate) session_role: Option<String>,
}

/// Every difference outside of the database, in the order of application.
pub(crate) fn differences(
    wanted: &Wanted,
    observed: &Observed,
    mark: &Mark,
    verifiers: &BTreeMap<String, String>,
) -> Vec<Difference> {
    let now = &observed.database;
    let name = wanted.name.as_str();
    let mut found = Vec::new();
    if let Some(companions) = &wanted.companions {
        found.extend(owner_role(companions, observed, mark));
        let Found { role, user, .. } = &observed.companions;
        found.extend(role.iter().chain(user).filter_map(|companion| kept(companion, mark)));
    }
    if let Some(owner) = wanted.owner.as_deref().filter(|owner| *owner != now.owner) {
        let lacking = observed.owner_is_missing.then(|| format!("the role {owner} is not there"));
        let field = if wanted.companions.is_some() { ROLE_PATH } else { "owner" };
        found.push(
            Difference::new("owner", field, owner, &now.owner)
                .by(database::alter(name, &format!("OWNER TO {}", identifier(owner))))
                .acting_as([owner])
                .lacking(lacking),
        );
    }
    if let Some(companions) = &wanted.companions {
        found.extend(application_user(companions, wanted, observed, mark, verifiers));
    }
    found.extend(fixed(wanted, observed));
    found.extend(settings(wanted, now));
    if wanted.comment != now.comment.words {
        let shown = |words: &Option<String>| words.clone().unwrap_or_default();
        found.push(
            Difference::new("comment", "comment", shown(&wanted.comment), shown(&now.comment.words))
                .by_all([database::comment(name, wanted.comment.as_deref(), mark)]),
        );
    }
    found.extend(moved(wanted, observed));
    let owners = [Some(now.owner.as_str()), wanted.owner.as_deref()];
    found.into_iter().map(|one| one.acting_as(owners.into_iter().flatten())).collect()
}

/// What creation fixed for good.
fn fixed(wanted: &Wanted, observed: &Observed) -> Vec<Difference> {
    let now = &observed.database;
    let block = &wanted.block;
    let encoding = block.encoding.as_ref().map(|stated| observed.encoding.clone().unwrap_or_else(|| stated.clone()));
    [
        ("encoding", "options.encoding", encoding, &now.encoding),
        ("collation", "options.lcCollate", block.lc_collate.clone(), &now.collate),
        ("ctype", "options.lcCtype", block.lc_ctype.clone(), &now.ctype),
    ]
    .into_iter()
    .filter_map(|(id, field, expected, actual)| {
        let expected = expected.filter(|expected| !same_locale(expected, actual))?;
        Some(Difference::new(id, field, expected, actual).impossible())
    })
    .collect()
}

/// `en_US.UTF-8` and `en_US.utf8` are one locale; the server keeps the spelling it was given. `POSIX` is another word
/// for `C`, which is what the server keeps of either.
pub(crate) fn same_locale(one: &str, other: &str) -> bool {
    let plain = |text: &str| match text.split_once('.') {
        Some((place, codeset)) => format!("{place}.{}", codeset.to_ascii_lowercase().replace('-', "")),
        None if text == "POSIX" => "C".to_owned(),
        None => text.to_owned(),
    };
    plain(one) == plain(other)
}

fn settings(wanted: &Wanted, now: &Database) -> Vec<Difference> {
    let name = wanted.name.as_str();
    let mut found = Vec::new();
    let limit = wanted.block.connection_limit.unwrap_or(-1);
    if limit != now.connection_limit {
        found.push(
            Difference::new(
                "connectionLimit",
                "options.connectionLimit",
                limit.to_string(),
                now.connection_limit.to_string(),
            )
            .by(database::alter(name, &format!("CONNECTION LIMIT {limit}"))),
        );
    }
    let is_template = wanted.block.is_template.unwrap_or(false);
    if is_template != now.is_template {
        found.push(
            Difference::new("isTemplate", "options.isTemplate", is_template.to_string(), now.is_template.to_string())
                .by(database::alter(name, &format!("IS_TEMPLATE {is_template}"))),
        );
    }
    let allows = wanted.allows_connections();
    if allows != now.allows_connections {
        found.push(
            Difference::new(
                "allowConnections",
                "options.allowConnections",
                allows.to_string(),
                now.allows_connections.to_string(),
            )
            .by(database::alter(name, &format!("ALLOW_CONNECTIONS {allows}")))
            // Nothing can be done inside once it is closed, and nothing before it is open.
            .at(if allows { Place::Server } else { Place::Last })
            .destructive_if(!allows),
        );
    }
    found
}

/// Its files move: nobody may be connected meanwhile.
fn moved(wanted: &Wanted, observed: &Observed) -> Option<Difference> {
    let now = &observed.database;
    let tablespace = wanted.block.tablespace.as_deref().filter(|stated| *stated != now.tablespace)?;
    let lacking = observed.tablespace_is_missing.then(|| format!("the tablespace {tablespace} is not there"));
    Some(
        Difference::new("tablespace", "options.tablespace", tablespace, &now.tablespace)
            .by(database::alter(&wanted.name, &format!("SET TABLESPACE {}", identifier(tablespace))))
            .at(Place::Alone)
            .destructive_if(true)
            .lacking(lacking),
    )
}

fn owner_role(companions: &Companions, observed: &Observed, mark: &Mark) -> Option<Difference> {
    let role = companions.role.as_str();
    observed.companions.role.is_none().then(|| {
        Difference::new(format!("ownership-role:{role}"), ROLE_PATH, "there", "absent")
            .by_all([ownership::create_role(role), user::comment(role, None, &Given::default(), Some(mark))])
    })
}

/// A companion that outlived an earlier database of this resource's has the mark of that one.
fn kept(companion: &Role, mark: &Mark) -> Option<Difference> {
    let Role { name, comment, given, .. } = companion;
    (comment.mark.as_ref() != Some(mark)).then(|| {
        Difference::new(format!("ownership-mark:{name}"), "options.ownership", "this database's", "an earlier one's")
            .by_all([user::comment(name, comment.words.as_deref(), given, Some(mark))])
    })
}

fn application_user(
    companions: &Companions,
    wanted: &Wanted,
    observed: &Observed,
    mark: &Mark,
    verifiers: &BTreeMap<String, String>,
) -> Vec<Difference> {
    let Companions { role, user: name, default_privileges, .. } = companions;
    let now = &observed.companions;
    let verifier = verifiers.get(name).map(String::as_str);
    let mut found = Vec::new();
    match &now.user {
        None => {
            found.push(Difference::new(format!("ownership-user:{name}"), USER_PATH, "there", "absent").by_all([
                ownership::create_user(name, verifier),
                user::comment(name, None, &Given::default(), Some(mark)),
            ]));
        }
        Some(there) => {
            if !there.login {
                let id = format!("ownership-login:{name}");
                found.push(
                    Difference::new(id, USER_PATH, "may log in", "may not log in").by(user::alter(name, "LOGIN")),
                );
            }
            if let Some(verifier) = verifier {
                let id = format!("password:{name}");
                found.push(
                    Difference::new(id, USER_PATH, "the password of the Secret", "unknown")
                        .by(user::alter(name, &user::password(verifier))),
                );
            }
        }
    }
    if !now.is_member {
        let id = format!("ownership-member:{name}");
        found.push(
            Difference::new(id, USER_PATH, format!("member of {role}"), "no member").by(membership::grant(role, name)),
        );
    }
    let expected = default_privileges.then_some(role.as_str());
    if now.session_role.as_deref() != expected {
        let sql = match expected {
            Some(role) => ownership::session_role(name, &wanted.name, role),
            None => ownership::no_session_role(name, &wanted.name),
        };
        let actual = now.session_role.clone().unwrap_or_default();
        let field = "options.ownership.setDefaultPrivileges";
        let id = format!("ownership-session-role:{name}");
        found.push(Difference::new(id, field, expected.unwrap_or_default(), actual).by(sql));
    }
    found
}
