//! A user as it is beside the user as it should be. Pure.
//!
//! What the API documents as a default is enforced where the field is unstated: limits, encryption, locks, hosts.
//! The login method is compared only where it is stated. Memberships that the user's own resource made and no longer
//! states are changes, and destructive ones; those that somebody else made are left alone, and so are accounts of the
//! same name that are not ours.

use std::collections::{BTreeMap, BTreeSet};

use dbprovision_sdk::{Error, Mark, Result};

use crate::connect::Tracking;
use crate::difference::Difference;
use crate::observe::account::{Account, Encryption};
use crate::observe::marks::Kept;
use crate::observe::rights::Right;
use crate::server::Facts;
use crate::statements::Statement;
use crate::statements::account::{self, Authentication};
use crate::statements::grant::{self, Grantee};
use crate::statements::metadata::{self, Kind, RowOf};

use super::gone::keeps;
use super::wanted::{Wanted, expire, lock_after, require};

/// What is known of the user on the server.
pub(crate) struct Observed {
    pub(crate) accounts: Vec<Account>,
    /// Roles to be a member of that are not there.
    pub(crate) missing_roles: BTreeSet<String>,
    /// What the user holds at its other hosts: a further host gets it too.
    pub(crate) rights: BTreeSet<Right>,
    /// By the hosts that are not wanted any more, what their accounts are the definers of.
    pub(crate) defined: BTreeMap<String, Vec<String>>,
}

/// What the comparison needs beside the spec and the catalogue.
pub(crate) struct Context<'known> {
    pub(crate) facts: &'known Facts,
    pub(crate) tracking: &'known Tracking,
    /// The password that is to be set.
    pub(crate) password: Option<&'known Authentication>,
    /// With what another method could be given to an account. None: not without a password.
    pub(crate) method: Option<&'known Authentication>,
    /// How the user's other accounts log in, for one that has to be created without knowing the password.
    pub(crate) others: Option<&'known Authentication>,
}

/// Every difference, in the order of application.
pub(crate) fn differences(wanted: &Wanted, observed: &Observed, context: &Context<'_>) -> Result<Vec<Difference>> {
    let Some(mark) = observed.accounts.iter().find_map(|one| one.kept.mark.clone()) else {
        return Err(Error::conflict("the user carries no mark: it is not the one that was recorded"));
    };
    let ours = |one: &&Account| one.kept.mark.as_ref() == Some(&mark);
    if let Some(foreign) = observed.accounts.iter().find(|one| wanted.hosts.contains(&one.host) && !ours(one)) {
        return Err(Error::conflict(format!(
            "an account {}@{} is there and does not belong to this user",
            wanted.name, foreign.host
        )));
    }
    let accounts: Vec<&Account> = observed.accounts.iter().filter(ours).collect();
    let model = model(accounts.iter().copied());
    let is_complete = |one: &Account| one.kept.finished || model.is_none_or(|model| !model.kept.finished);
    let mut found = Vec::new();
    for host in wanted.hosts.iter().filter(|host| !accounts.iter().any(|one| one.host == **host && is_complete(one))) {
        let begun = accounts.iter().copied().find(|one| one.host == *host);
        found.push(new_host(wanted, host, &mark, begun, model, observed, context));
    }
    let kept: Vec<&&Account> = accounts.iter().filter(|one| wanted.hosts.contains(&one.host)).collect();
    // One that was just created is as the spec has it.
    for one in kept.iter().filter(|one| is_complete(one)) {
        found.extend(attributes(wanted, one, context));
        found.extend(memberships(wanted, observed, one, context));
    }
    if let Some(password) = context.password.filter(|_| !kept.is_empty()) {
        let clause = password.clause(context.facts.dialect);
        let sql = kept.iter().map(|one| Statement::of("password", account::alter(&wanted.name, &one.host, &clause)));
        found.push(Difference::new("password", "password", "the password of the Secret", "unknown").by_all(sql));
    }
    // Nobody is locked out before the new ways in are there.
    for one in accounts.iter().filter(|one| !wanted.hosts.contains(&one.host)) {
        found.push(old_host(wanted, one, observed, context));
    }
    Ok(found)
}

/// The account from which a further one is copied: one that is complete, where there is one.
pub(crate) fn model<'known>(accounts: impl Iterator<Item = &'known Account>) -> Option<&'known Account> {
    let accounts: Vec<&Account> = accounts.collect();
    accounts.iter().copied().find(|one| one.kept.finished).or_else(|| accounts.first().copied())
}

/// How the ids of changes of hosts begin.
const HOST: &str = "host:";

/// The host whose account a change dropped.
pub(crate) fn dropped_host<'id>(wanted: &Wanted, id: &'id str) -> Option<&'id str> {
    id.strip_prefix(HOST).filter(|host| !wanted.hosts.contains(*host))
}

/// An account that is not allowed any more. One that was there before the resource goes only where somebody agrees to
/// that: to adopt a user is not to say that nobody comes from its other hosts.
fn old_host(wanted: &Wanted, now: &Account, observed: &Observed, context: &Context<'_>) -> Difference {
    let gone = [
        account::drop(&wanted.name, &now.host),
        metadata::remove(context.tracking, Kind::User, &wanted.name, Some(&now.host)),
    ];
    let defined = observed.defined.get(&now.host).filter(|defined| !defined.is_empty());
    let lacking = defined.map(|defined| keeps(&format!("{}@{}", wanted.name, now.host), defined));
    let actual = lacking.as_ref().map_or_else(|| "allowed".to_owned(), |why| format!("allowed: {why}"));
    Difference::new(format!("{HOST}{}", now.host), "options.allowedHosts", "not allowed", actual)
        .by_all(gone)
        .destructive_if(true)
        .needs_consent_if(now.kept.adopted)
        .lacking(lacking)
}

/// What is written beside an account.
pub(crate) fn keep(name: &str, host: &str, kept: &Kept, facts: &Facts, tracking: &Tracking) -> Statement {
    if facts.uses_attributes {
        return Statement::own(account::alter(name, host, &account::attribute(kept)));
    }
    let (mark, details) = kept.text();
    let row = RowOf { kind: Kind::User, name, host, mark: &mark, details: &details, finished: kept.finished };
    metadata::put(tracking, &row)
}

/// One more account of the user, with the password of the others and all that was given to them: for a client from
/// that host it takes their place, and some of them may go. Until it has everything it is recorded as unfinished, and
/// the rest is given by the next call.
fn new_host(
    wanted: &Wanted,
    host: &str,
    mark: &Mark,
    begun: Option<&Account>,
    sibling: Option<&Account>,
    observed: &Observed,
    context: &Context<'_>,
) -> Difference {
    let facts = context.facts;
    // What is missing is given to every host when it is there.
    let own = || wanted.roles.iter().filter(|role| !observed.missing_roles.contains(*role));
    let kept = Kept {
        mark: Some(mark.clone()),
        words: wanted.comment.clone(),
        roles: own().cloned().collect(),
        adopted: false,
        finished: false,
    };
    let actual = if begun.is_some() { "allowed, without all that the others have" } else { "not allowed" };
    let difference = Difference::new(format!("{HOST}{host}"), "options.allowedHosts", "allowed", actual);
    let Some(authentication) = context.password.or(context.others) else { return difference };
    let mut clauses = wanted.clauses(facts);
    if facts.uses_attributes {
        clauses.push(account::attribute(&kept));
    }
    let first = (!facts.uses_attributes).then(|| keep(&wanted.name, host, &kept, facts, context.tracking));
    let created = account::create(&wanted.name, &[host], authentication, &clauses, facts.dialect);
    let member = Grantee { user: wanted.name.clone(), host: host.to_owned() };
    // What the user's own resource gave is the spec's to say; what others gave stays as it is.
    let others = sibling.map(|one| (&one.roles, &one.default_roles, &one.kept.roles));
    let given = |of: &BTreeSet<String>, own: &[String]| -> Vec<String> {
        of.iter().filter(|role| !own.contains(role) && !wanted.roles.contains(role)).cloned().collect()
    };
    let (joined, active) =
        others.map_or_else(Default::default, |(all, active, own)| (given(all, own), given(active, own)));
    let roles = own().chain(&joined).map(|role| grant::join(role, &member, facts.dialect));
    let defaults: Vec<String> = own().chain(&active).cloned().collect();
    let defaults = (!defaults.is_empty() && facts.activates)
        .then(|| grant::default_roles(&defaults, &wanted.name, host, facts.dialect));
    let made = if begun.is_some() { difference } else { difference.by_all(first.into_iter().chain(created)) };
    // One by one: what is gone takes nothing along.
    let given = observed.rights.iter().flat_map(|right| grant::give(&BTreeSet::from([right.clone()]), &member));
    let made = made.by_all(given.map(|sql| Statement::own(sql).unless_outlived()));
    let complete = keep(&wanted.name, host, &Kept { finished: true, ..kept }, facts, context.tracking);
    roles.chain(defaults).fold(made, Difference::by).by_all([complete])
}

fn attributes(wanted: &Wanted, now: &Account, context: &Context<'_>) -> Vec<Difference> {
    let facts = context.facts;
    let host = now.host.as_str();
    let alter = |clause: &str| account::alter(&wanted.name, host, clause);
    // One host needs no suffix, and the id of a change stays what it is when another host comes.
    let id = |field: &str| if host == super::wanted::ANYWHERE { field.to_owned() } else { format!("{field}@{host}") };
    let mut found = Vec::new();
    let mut add = |field: &str, expected: String, actual: String, clause: Option<String>| {
        let difference = Difference::new(id(field), format!("options.{field}"), expected, actual);
        found.push(match clause {
            Some(clause) => difference.by(alter(&clause)),
            None => difference.impossible_if(true),
        });
    };
    if let Some(plugin) = wanted.stated_plugin().filter(|plugin| plugin.name() != now.plugin) {
        // Only a new password brings a new method: what is kept of the old one fits its own method alone.
        let clause = context.method.map(|method| method.clause(facts.dialect));
        add("authPlugin", plugin.name().to_owned(), now.plugin.clone(), clause);
    }
    let expected = wanted.encryption();
    if expected != now.encryption {
        let field = if expected == Encryption::Certificate || now.encryption == Encryption::Certificate {
            "requireX509"
        } else {
            "requireSSL"
        };
        add(field, require(expected).to_owned(), shown(now.encryption).to_owned(), Some(require(expected).to_owned()));
    }
    for ((field, word, limit), actual) in wanted.limits().iter().zip(now.limits) {
        if *limit != actual {
            add(field, limit.to_string(), actual.to_string(), Some(format!("WITH {word} {limit}")));
        }
    }
    let locked = wanted.block.account_locked.unwrap_or(false);
    if locked != now.locked {
        let clause = if locked { "ACCOUNT LOCK" } else { "ACCOUNT UNLOCK" };
        add("accountLocked", locked.to_string(), now.locked.to_string(), Some(clause.to_owned()));
    }
    let (attempts, days) = wanted.failed_logins();
    let clause = lock_after((attempts, days));
    if u64::from(attempts) != now.failed_login_attempts {
        let actual = now.failed_login_attempts.to_string();
        add("failedLoginAttempts", attempts.to_string(), actual, Some(clause.clone()));
    }
    if i64::from(days) != now.password_lock_days {
        add("passwordLockTime", days.to_string(), now.password_lock_days.to_string(), Some(clause));
    }
    let lifetime = wanted.block.password_lifetime.map(u64::from);
    if lifetime != now.password_lifetime {
        let shown = |days: Option<u64>| days.map_or_else(|| "the server's default".to_owned(), |days| days.to_string());
        add("passwordLifetime", shown(lifetime), shown(now.password_lifetime), Some(expire(lifetime)));
    }
    if wanted.comment != now.kept.words {
        let shown = |words: &Option<String>| words.clone().unwrap_or_default();
        let kept = Kept { words: wanted.comment.clone(), ..now.kept.clone() };
        found.push(
            Difference::new(id("comment"), "comment", shown(&wanted.comment), shown(&now.kept.words)).by_all([keep(
                &wanted.name,
                host,
                &kept,
                facts,
                context.tracking,
            )]),
        );
    }
    found
}

fn shown(encryption: Encryption) -> &'static str {
    match encryption {
        Encryption::None | Encryption::Any | Encryption::Certificate => require(encryption),
        Encryption::Certain => "REQUIRE a certain issuer, subject or cipher",
    }
}

fn memberships(wanted: &Wanted, observed: &Observed, now: &Account, context: &Context<'_>) -> Vec<Difference> {
    let dialect = context.facts.dialect;
    let host = now.host.as_str();
    let member = Grantee { user: wanted.name.clone(), host: host.to_owned() };
    let suffix = if host == super::wanted::ANYWHERE { String::new() } else { format!("@{host}") };
    let mut found = Vec::new();
    // What the resource made is recorded before it is made: whatever happens then, it is known to be its own.
    let recorded = |roles: BTreeSet<String>| {
        let kept = Kept { roles: roles.into_iter().collect(), words: wanted.comment.clone(), ..now.kept.clone() };
        keep(&wanted.name, host, &kept, context.facts, context.tracking)
    };
    let before: BTreeSet<String> = now.kept.roles.iter().cloned().collect();
    let stated: BTreeSet<String> = wanted.roles.iter().cloned().collect();
    let there: BTreeSet<String> = stated.difference(&observed.missing_roles).cloned().collect();
    for (at, role) in wanted.roles.iter().enumerate().filter(|(_, role)| !now.roles.contains(*role)) {
        let lacking = observed.missing_roles.contains(role).then(|| format!("the role {role} is not there"));
        found.push(
            Difference::new(format!("member:{role}{suffix}"), format!("roles[{at}]"), "member", "no member")
                .by_all([recorded(before.union(&there).cloned().collect())])
                .by(grant::join(role, &member, dialect))
                .lacking(lacking),
        );
    }
    let (shared, own): (BTreeSet<String>, BTreeSet<String>) =
        before.difference(&stated).cloned().partition(|role| wanted.shared_roles.contains(role));
    // Each change records what is left after it and those before it.
    let mut left: BTreeSet<String> = before.difference(&shared).chain(&there).cloned().collect();
    if !shared.is_empty() {
        // Only the record changes: from now on they are the others' to take away.
        let names = shared.iter().cloned().collect::<Vec<_>>().join(", ");
        found.push(
            Difference::new(format!("sharedRoles{suffix}"), "roles", "given by others", format!("own: {names}"))
                .by_all([recorded(left.clone())]),
        );
    }
    for role in own.iter().filter(|role| now.roles.contains(*role)) {
        left.remove(role);
        found.push(
            Difference::new(format!("member:{role}{suffix}"), "roles", "no member", "member")
                .by(grant::leave(role, &member, dialect))
                .by_all([recorded(left.clone())])
                .destructive_if(true),
        );
    }
    let expected = wanted.default_roles(context.facts, &observed.missing_roles);
    // Default roles that others chose stay, as long as they are not ours to choose.
    let is_ours = |role: &&String| stated.contains(*role) || own.contains(*role);
    let ours: BTreeSet<String> = now.default_roles.iter().filter(is_ours).cloned().collect();
    let foreign = now.default_roles.difference(&ours).next().is_some();
    let differs = if context.facts.is_mariadb() {
        expected != ours && !(expected.is_empty() && foreign) && context.facts.activates
    } else {
        expected != ours
    };
    if differs {
        let words = |roles: &BTreeSet<String>| roles.iter().cloned().collect::<Vec<_>>().join(", ");
        let all: Vec<String> = if context.facts.is_mariadb() {
            expected.iter().cloned().collect()
        } else {
            let others = now.default_roles.difference(&ours);
            expected.iter().chain(others).cloned().collect()
        };
        found.push(
            Difference::new(format!("defaultRoles{suffix}"), "roles", words(&expected), words(&ours))
                .by(grant::default_roles(&all, &wanted.name, host, dialect)),
        );
    }
    found
}
