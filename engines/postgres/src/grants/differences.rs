//! What is held beside what should be, as differences with the statements that make them go away. Pure.
//!
//! A wish is satisfied by whoever granted it, and where nobody here can give it, by what everyone has. What nobody
//! states is taken back where this resource gave it, or, in the authoritative mode, whoever gave it; implicit rights
//! never. What is taken is taken from the grantor's entry: where that is not the owner, as the grantor.
//!
//! The order matters within a transaction: taking a right on a table takes it on every column too, so what columns
//! keep or get comes after.

use std::collections::BTreeMap;

use super::resolve::acting_owner;
use super::right::{Held, INHERIT, Known, Level, MEMBER, Right, SET};
use super::wish::Wish;
use crate::difference::{Difference, Place};
use crate::names;
use crate::server::Facts;
use crate::statements::Statement;
use crate::statements::grant::{self, Options, Target};

/// The right to enter a database.
const CONNECT: &str = "CONNECT";

/// How the ids of what takes begin.
const REVOKE: &str = "revoke";
const REVOKE_OPTION: &str = "revoke-option";

/// Everything that decides what differs in one place: the whole server, or the inside of a database.
pub(crate) struct Comparison<'known> {
    pub(crate) facts: &'known Facts,
    pub(crate) grantee: &'known str,
    /// Of the database that the objects are in.
    pub(crate) database_owner: &'known dyn Fn(&Right) -> String,
    pub(crate) wishes: &'known [Wish],
    pub(crate) held: &'known [Held],
    pub(crate) recorded: &'known [Known],
    pub(crate) authoritative: bool,
    pub(crate) index: Index<'known>,
}

/// Columns by their table, receiver, privilege and grantor.
type Columns<'known> = BTreeMap<(&'known [String], bool, &'known str, &'known str), Vec<&'known Held>>;

/// Everything by its right: a star may be tens of thousands of them.
#[derive(Default)]
pub(crate) struct Index<'known> {
    wishes: BTreeMap<&'known Right, &'known Wish>,
    held: BTreeMap<&'known Right, Vec<&'known Held>>,
    recorded: BTreeMap<&'known Right, Vec<&'known Known>>,
    /// Whether it may be granted on.
    shared: BTreeMap<&'known Right, bool>,
    columns: Columns<'known>,
}

impl<'known> Index<'known> {
    pub(crate) fn of(
        wishes: &'known [Wish],
        held: &'known [Held],
        recorded: &'known [Known],
        shared: &'known [Known],
    ) -> Self {
        let mut index = Self { wishes: wishes.iter().map(|wish| (&wish.right, wish)).collect(), ..Self::default() };
        for one in held {
            index.held.entry(&one.right).or_default().push(one);
            if let (Level::Column, Some((_, table))) = (one.right.level, one.right.object.split_last()) {
                let key = (table, one.right.everyone, one.right.privilege.as_str(), one.grantor.as_str());
                index.columns.entry(key).or_default().push(one);
            }
        }
        for known in recorded {
            index.recorded.entry(&known.right).or_default().push(known);
        }
        for known in shared {
            *index.shared.entry(&known.right).or_default() |= known.grantable;
        }
        index
    }
}

/// One entry to take back.
struct Loss<'known> {
    held: &'known Held,
    only_option: bool,
    /// The field, where one states that it must not be there.
    path: Option<&'known str>,
    foreign: bool,
}

impl Comparison<'_> {
    /// Every difference, in the order of application.
    pub(crate) fn differences(&self) -> Vec<Difference> {
        let losses = self.losses();
        let mut found = self.gains(|level| level != Level::Column);
        found.extend(self.taken(&losses, |level| level != Level::Column));
        found.extend(self.taken(&losses, |level| level == Level::Column));
        found.extend(self.gains(|level| level == Level::Column));
        found
    }

    /// What this resource holds: what it states and is there, and what it gave before and could not take back yet.
    pub(crate) fn held_now(&self) -> Vec<Known> {
        let mut found = Vec::new();
        for wish in self.wishes.iter().filter(|wish| wish.is_stated()) {
            let recorded = self.records(&wish.right).next();
            let by = recorded.and_then(|known| known.grantor.as_deref());
            let mut there: Vec<&Held> = self.entries(&wish.right).filter(|held| self.was_given(held)).collect();
            there.sort_by_key(|held| (by != Some(held.grantor.as_str()), held.grantor != held.owner, !held.ours));
            found.extend(
                there.first().map(|held| Known { grantable: held.grantable && wish.grantable, ..held.known() }),
            );
        }
        let unstated = self.recorded.iter().filter(|known| {
            self.wish(&known.right).is_none_or(|wish| !wish.is_stated()) && !self.is_shared(&known.right)
        });
        for known in unstated {
            found.extend(self.of_record(known).map(|held| Known { grantable: held.grantable, ..held.known() }));
        }
        found
    }

    /// What is to be there, whether it is or not.
    pub(crate) fn stated(&self) -> Vec<Known> {
        let wishes = self.wishes.iter().filter(|wish| wish.is_stated());
        wishes.map(|wish| Known { right: wish.right.clone(), grantor: None, grantable: wish.grantable }).collect()
    }

    /// What is stated and was given, and is not there: somebody took it, or it went with its object.
    pub(crate) fn vanished(&self) -> Vec<Right> {
        let is_gone = |wish: &&Wish| {
            !wish.denied
                && wish.lacking.is_none()
                && self.entries(&wish.right).next().is_none()
                && self.records(&wish.right).next().is_some()
        };
        self.wishes.iter().filter(is_gone).map(|wish| wish.right.clone()).collect()
    }

    fn entries(&self, right: &Right) -> impl Iterator<Item = &Held> {
        self.index.held.get(right).into_iter().flatten().copied()
    }

    fn everyone_holds(&self, right: &Right) -> bool {
        self.entries(&Right { everyone: true, ..right.clone() }).next().is_some()
    }

    fn wish(&self, right: &Right) -> Option<&Wish> {
        self.index.wishes.get(right).copied()
    }

    fn is_shared(&self, right: &Right) -> bool {
        self.index.shared.contains_key(right)
    }

    fn records(&self, right: &Right) -> impl Iterator<Item = &Known> {
        self.index.recorded.get(right).into_iter().flatten().copied()
    }

    /// Somebody gave it. What the server gives everyone is given where this resource has a record of it.
    fn was_given(&self, held: &Held) -> bool {
        !held.implicit || (held.right.everyone && self.records(&held.right).next().is_some())
    }

    /// What everyone is to be given and has not.
    pub(crate) fn absent_for_everyone(&self) -> Vec<Known> {
        let absent = self
            .wishes
            .iter()
            .filter(|wish| wish.right.everyone && !wish.denied && self.entries(&wish.right).next().is_none());
        absent.map(|wish| Known { right: wish.right.clone(), grantable: false, grantor: None }).collect()
    }

    /// The entry that a record is about. Where its grantor has none any more, a new owner has it now.
    fn of_record(&self, known: &Known) -> Option<&Held> {
        let mut entries = self.entries(&known.right).filter(|held| self.was_given(held));
        let by = known.grantor.as_deref();
        let same = self.entries(&known.right).find(|held| self.was_given(held) && Some(held.grantor.as_str()) == by);
        same.or_else(|| entries.find(|held| held.ours || held.grantor == held.owner))
    }

    fn gains(&self, of: impl Fn(Level) -> bool) -> Vec<Difference> {
        let satisfied = |wish: &Wish| {
            // Nobody needs to be given what is its own.
            let own_future =
                wish.right.level == Level::Default && wish.right.object.get(1).is_some_and(|one| one == self.grantee);
            (own_future && !wish.right.everyone)
                || (wish.out_of_reach && !wish.grantable && self.everyone_holds(&wish.right))
                || self
                    .entries(&wish.right)
                    .any(|held| held.grantable || !wish.grantable || (held.implicit && !held.right.everyone))
        };
        let mut groups: BTreeMap<_, Vec<&Wish>> = BTreeMap::new();
        for wish in self.wishes.iter().filter(|wish| !wish.denied && of(wish.right.level) && !satisfied(wish)) {
            groups
                .entry((wish.right.target(), wish.grantable && wish.right.level != Level::Membership))
                .or_default()
                .push(wish);
        }
        groups.into_values().filter_map(|wishes| self.gain(&wishes)).collect()
    }

    /// Rights on one object, given by one statement.
    fn gain(&self, wishes: &[&Wish]) -> Option<Difference> {
        let first = wishes.first()?;
        let words: Vec<&str> = wishes.iter().map(|wish| wish.right.privilege.as_str()).collect();
        let grantable = wishes.iter().any(|wish| wish.grantable);
        let upgraded = grantable && wishes.iter().all(|wish| self.entries(&wish.right).next().is_some());
        let shown = Right { privilege: words.join(", "), ..first.right.clone() };
        let option = if grantable { " with grant option" } else { "" };
        let actual = if upgraded { "granted without grant option" } else { "not granted" };
        let verb = if grantable { "grant-option" } else { "grant" };
        let place = if first.right.level.is_shared() { Place::Server } else { Place::Inside };
        let difference =
            Difference::new(id(verb, &shown, None), first.path.clone(), format!("{shown}{option}"), actual)
                .at(place)
                .lacking(wishes.iter().find_map(|wish| wish.lacking.clone()));
        if first.right.level == Level::Membership {
            return Some(difference.by(self.admit(first)));
        }
        let sql = Target::of(&first.right, first.arguments.as_deref(), self.grantee).grant(&words, grantable);
        Some(difference.by(sql).acting_as(first.acts_as.iter().map(String::as_str)))
    }

    /// One statement gives a membership with all the options that are wanted, and keeps those of our own entry.
    fn admit(&self, wish: &Wish) -> String {
        let role = wish.right.object.first().map(String::as_str).unwrap_or_default();
        let of = |privilege: &str| Right { privilege: privilege.to_owned(), ..wish.right.clone() };
        let ours = |privilege: &str| self.entries(&of(privilege)).find(|held| held.ours && !held.implicit);
        let wanted =
            |privilege: &str| ours(privilege).is_some() || self.wish(&of(privilege)).is_some_and(|wish| !wish.denied);
        let admin = self.wish(&of(MEMBER)).is_some_and(|wish| wish.grantable)
            || ours(MEMBER).is_some_and(|held| held.grantable);
        let options = Options { admin, inherit: wanted(INHERIT), set: wanted(SET) };
        grant::admit(role, self.grantee, options, self.facts.has_membership_options())
    }

    /// Everything that is to be taken back.
    fn losses(&self) -> Vec<Loss<'_>> {
        let mut found = Vec::new();
        for held in self.held {
            let wish = self.wish(&held.right);
            if let Some(wish) = wish.filter(|wish| wish.denied) {
                // What others state stays; whether that is a contradiction is told by `contradiction`.
                let in_reach = held.right.level != Level::Membership || !held.implicit;
                if in_reach && !self.is_shared(&held.right) {
                    found.push(Loss { held, only_option: false, path: Some(&wish.path), foreign: false });
                }
                continue;
            }
            if !self.was_given(held) {
                continue;
            }
            // What was recorded before it was given, and after, are two records of one entry.
            let is_about = |known: &&Known| self.of_record(known).is_some_and(|one| std::ptr::eq(one, held));
            let (recorded, gave_option) = self
                .records(&held.right)
                .filter(is_about)
                .fold((false, false), |(_, grantable), known| (true, grantable || known.grantable));
            let engines_own = held.right.object.get(1).is_some_and(|schema| {
                !held.right.level.is_shared() && held.right.level != Level::Default && names::is_engines_schema(schema)
            });
            let denied = wish.filter(|wish| wish.denies_option && held.grantable);
            let foreign = !recorded && denied.is_none();
            if foreign && (!self.authoritative || held.right.everyone || engines_own) {
                continue;
            }
            let stated = wish.is_some() || self.is_shared(&held.right);
            let keeps_option = wish.is_some_and(|wish| wish.grantable)
                || self.index.shared.get(&held.right).is_some_and(|grantable| *grantable);
            let gave_option = gave_option || self.authoritative || denied.is_some();
            let only_option = stated && held.grantable && !keeps_option && gave_option;
            if only_option || !stated {
                found.push(Loss { held, only_option, path: denied.map(|wish| wish.path.as_str()), foreign });
            }
        }
        // With the membership go its options.
        let ended: Vec<(Vec<String>, String)> = found
            .iter()
            .filter(|loss| loss.held.right.privilege == MEMBER && !loss.only_option)
            .map(|loss| (loss.held.right.object.clone(), loss.held.grantor.clone()))
            .collect();
        found.retain(|loss| {
            let Held { right, grantor, .. } = loss.held;
            let is_option = right.level == Level::Membership && right.privilege != MEMBER;
            !is_option || !ended.iter().any(|(object, by)| (object, by) == (&right.object, grantor))
        });
        found
    }

    fn taken(&self, losses: &[Loss<'_>], of: impl Fn(Level) -> bool) -> Vec<Difference> {
        let mut groups: BTreeMap<_, Vec<&Loss<'_>>> = BTreeMap::new();
        for loss in losses.iter().filter(|loss| of(loss.held.right.level)) {
            let right = &loss.held.right;
            // Options of a membership are taken one by one.
            let apart = if right.level == Level::Membership { right.privilege.as_str() } else { "" };
            groups.entry((right.target(), loss.held.grantor.as_str(), loss.only_option, apart)).or_default().push(loss);
        }
        groups.into_values().filter_map(|losses| self.loss(&losses)).collect()
    }

    /// Rights on one object by one grantor, taken by one statement.
    fn loss(&self, losses: &[&Loss<'_>]) -> Option<Difference> {
        let first = losses.first()?;
        let Held { right, grantor, owner, arguments, schema_owner, .. } = first.held;
        let words: Vec<&str> = losses.iter().map(|loss| loss.held.right.privilege.as_str()).collect();
        let shown = Right { privilege: words.join(", "), ..right.clone() };
        let (verb, expected, actual) = if first.only_option {
            (REVOKE_OPTION, "granted without grant option", " with grant option")
        } else {
            (REVOKE, "not granted", "")
        };
        let field = first.path.unwrap_or(match right.level {
            Level::Membership => "options.roles",
            Level::Default => "options.defaultPrivileges",
            Level::Database
            | Level::Schema
            | Level::Table
            | Level::Column
            | Level::Sequence
            | Level::Function
            | Level::Procedure
            | Level::Type => "options.grants",
        });
        let difference =
            Difference::new(id(verb, &shown, Some(grantor)), field, expected, format!("{shown}{actual} by {grantor}"))
                .at(if right.level.is_shared() { Place::Last } else { Place::Inside })
                .destructive_if(losses.iter().any(|loss| loss.foreign));
        if right.level == Level::Membership {
            let with_options = self.facts.has_membership_options();
            let by = with_options.then_some(grantor.as_str());
            let role = right.object.first().map(String::as_str).unwrap_or_default();
            let sql = grant::dismiss(role, self.grantee, &right.privilege, first.only_option, by);
            let acts_as = (with_options && !first.held.ours).then_some(grantor.as_str());
            return Some(difference.by(sql).acting_as(acts_as));
        }
        let sql = Target::of(right, arguments.as_deref(), self.grantee).revoke(&words, first.only_option);
        let difference = if right.level == Level::Database && right.everyone && words.contains(&CONNECT) {
            difference.by_all(self.way_in(right))
        } else {
            difference
        };
        let difference = if grantor == owner {
            let database_owner = (self.database_owner)(right);
            let owners = [Some(owner), schema_owner.as_ref()].into_iter().flatten();
            difference.by(sql).acting_as(owners.map(|owner| acting_owner(owner, &database_owner)))
        } else {
            difference.by_all([grant::as_role(grantor)]).by(sql).acting_as([grantor.as_str()])
        };
        let difference = difference.by_all(self.restored(losses));
        Some(if grantor == owner { difference } else { difference.by_all([grant::as_oneself()]) })
    }

    /// An administrator who is no superuser comes in as everyone does, and must not lock itself out.
    fn way_in(&self, right: &Right) -> Option<Statement> {
        let itself = Target { receiver: Some(&self.facts.administrator), ..Target::of(right, None, self.grantee) };
        (!self.facts.superuser).then(|| Statement::own(itself.grant(&[CONNECT], false)))
    }

    /// What columns have by the same grantor, again: the server takes it with the table's.
    fn restored(&self, losses: &[&Loss<'_>]) -> Vec<Statement> {
        let mut found = Vec::new();
        for loss in losses.iter().filter(|loss| loss.held.right.level == Level::Table) {
            let Held { right, grantor, .. } = loss.held;
            let key = (right.object.as_slice(), right.everyone, right.privilege.as_str(), grantor.as_str());
            let columns = self.index.columns.get(&key).into_iter().flatten();
            found.extend(columns.map(|held| {
                let target = Target::of(&held.right, None, self.grantee);
                Statement::own(target.grant(&[held.right.privilege.as_str()], held.grantable))
            }));
        }
        found
    }

    /// What this resource takes from everyone and another resource gives everyone.
    pub(crate) fn contradiction(&self) -> Option<&Wish> {
        self.wishes.iter().find(|wish| wish.denied && wish.right.everyone && self.is_shared(&wish.right))
    }
}

fn id(verb: &str, right: &Right, grantor: Option<&str>) -> String {
    let by = grantor.map(|name| format!(":{name}")).unwrap_or_default();
    format!("{}{}{by}", start(verb, right), right.privilege)
}

/// What comes before the privileges.
fn start(verb: &str, right: &Right) -> String {
    let known = Known { right: right.clone(), grantable: false, grantor: None }.write();
    format!("{verb}:{}:{}:", known.level, serde_json::json!(known.object))
}

/// Whether the change of this id takes the right, or that it may be given on. Everyone's is the same right here.
pub(super) fn takes(id: &str, right: &Right) -> bool {
    let own = Right { everyone: false, ..right.clone() };
    [REVOKE, REVOKE_OPTION].iter().any(|verb| {
        let words = id.strip_prefix(&start(verb, &own)).and_then(|rest| rest.split(':').next());
        words.is_some_and(|words| words.split(", ").any(|word| word == right.privilege))
    })
}
