//! What an engine's table says: the cases of every field, the levels of grants, names, refusals.
//!
//! All of it is data. Somebody who writes a third adapter adds a file like `postgres.rs`; the rooms of the suite know
//! no engine. Objects that every table may name are on the stage before anything else: see [`Cast`].

use sandbox::contract::{InstanceExamination, ObjectKind, Privilege};
use serde_json::Value;

/// Who is there before a room begins, created through the adapter.
pub(crate) struct Cast;

impl Cast {
    /// Accounts with [`PASSWORD`].
    pub(crate) const USERS: [&str; 2] = ["first_user", "second_user"];
    pub(crate) const ROLES: [&str; 2] = ["first_role", "second_role"];
    /// The database in which the levels of grants are tried; the first user owns it where databases have owners.
    pub(crate) const PLACE: &str = "play";
}

/// The password of every account, with all that has to be quoted somewhere.
pub(crate) const PASSWORD: &str = "correct horse ' \" battery \\ stäple";

/// The name of the object that a law is tried on.
pub(crate) const SUBJECT: &str = "law";

/// Who is logged in to the server for a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The administrator of a managed service, who is no superuser.
    Administrator,
    /// Somebody who may do everything, where the server asks for that.
    Superuser,
}

/// One database, user or role as a resource states it.
#[derive(Clone, Debug)]
pub(crate) struct Stated {
    pub(crate) name: String,
    /// Of databases.
    pub(crate) owner: Option<String>,
    /// Of users.
    pub(crate) roles: Vec<String>,
    pub(crate) comment: Option<String>,
    pub(crate) options: Value,
}

impl Stated {
    pub(crate) fn new(name: &str, options: Value) -> Self {
        Self { name: name.to_owned(), owner: None, roles: Vec::new(), comment: None, options }
    }

    /// The fields that it states, in the notation of the contract without positions: `options.schemas.name`.
    pub(crate) fn fields(&self) -> Vec<String> {
        let mut found = Vec::new();
        paths("options", &self.options, &mut found);
        let of_the_record =
            [("owner", self.owner.is_some()), ("roles", !self.roles.is_empty()), ("comment", self.comment.is_some())];
        found.extend(of_the_record.into_iter().filter(|(_, stated)| *stated).map(|(field, _)| field.to_owned()));
        found
    }
}

/// Every path below a stated value.
pub(crate) fn paths(path: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = format!("{path}.{name}");
                paths(&path, value, found);
                found.push(path);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| paths(path, item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Statements, and the database that they run in where that makes a difference.
#[derive(Clone, Debug)]
pub(crate) struct Sql {
    pub(crate) place: String,
    pub(crate) text: String,
}

impl Sql {
    pub(crate) fn new(place: &str, text: impl Into<String>) -> Self {
        Self { place: place.to_owned(), text: text.into() }
    }
}

/// What somebody else does to the object behind the operator's back.
#[derive(Clone, Debug)]
pub(crate) struct Drift {
    /// Shows what the case is about, as the server has it.
    pub(crate) probe: Sql,
    pub(crate) change: Sql,
    /// The field that a look has to name.
    pub(crate) field: &'static str,
}

/// How the object comes to what is stated.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    /// The subject, which is there already, is updated.
    Update,
    /// The subject cannot become so in place: the change is told as impossible, and never made.
    Never,
    /// A new object is created with it, because the field acts only then. The probe has to answer the text; what
    /// `leaves` asks for has to be gone with the object.
    Creation { probe: Sql, answers: &'static str, leaves: Option<Sql> },
}

/// One statement of a spec, for which the law holds: after all was applied, nothing differs.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) by: By,
    pub(crate) stated: Stated,
    pub(crate) way: Way,
    /// Fields that a look has to name before anything is applied; none: what is stated is so already.
    pub(crate) differs: Vec<&'static str>,
    pub(crate) drift: Option<Drift>,
}

impl Case {
    /// The subject is updated to these options by the administrator, and these fields differ before.
    pub(crate) fn options(options: Value, differs: &[&'static str]) -> Self {
        Self {
            by: By::Administrator,
            stated: Stated::new(SUBJECT, options),
            way: Way::Update,
            differs: differs.to_vec(),
            drift: None,
        }
    }

    pub(crate) fn owner(mut self, owner: &str) -> Self {
        self.stated.owner = Some(owner.to_owned());
        self
    }

    pub(crate) fn roles(mut self, roles: &[&str]) -> Self {
        self.stated.roles = roles.iter().map(|&role| role.to_owned()).collect();
        self
    }

    pub(crate) fn comment(mut self, comment: &str) -> Self {
        self.stated.comment = Some(comment.to_owned());
        self
    }

    pub(crate) fn by_superuser(mut self) -> Self {
        self.by = By::Superuser;
        self
    }

    pub(crate) fn created(mut self, name: &str, probe: Sql, answers: &'static str) -> Self {
        name.clone_into(&mut self.stated.name);
        self.way = Way::Creation { probe, answers, leaves: None };
        self
    }

    pub(crate) fn never(mut self) -> Self {
        self.way = Way::Never;
        self
    }

    pub(crate) fn leaves_nothing_of(mut self, what: Sql) -> Self {
        if let Way::Creation { leaves, .. } = &mut self.way {
            *leaves = Some(what);
        }
        self
    }

    pub(crate) fn drifts(mut self, field: &'static str, change: Sql, probe: Sql) -> Self {
        self.drift = Some(Drift { probe, change, field });
        self
    }
}

/// What the superuser makes after a right was given, and what the account may do with it at once.
#[derive(Clone, Debug)]
pub(crate) struct Later {
    pub(crate) made: Sql,
    pub(crate) opens: Sql,
    /// The right on it is held by the grant, and goes with it. Otherwise it stays.
    pub(crate) held: bool,
}

/// One level of rights, or one way to state them.
#[derive(Clone, Debug)]
pub(crate) struct Level {
    pub(crate) name: &'static str,
    pub(crate) by: By,
    /// Memberships beside the block.
    pub(crate) roles: Vec<String>,
    pub(crate) options: Value,
    /// What the account may do with it and could not do before.
    pub(crate) opens: Vec<Sql>,
    /// What lies beside that and stays denied.
    pub(crate) shut: Vec<Sql>,
    /// More of the same, and what it opens in addition.
    pub(crate) wider: Option<(Value, Vec<Sql>)>,
    pub(crate) later: Option<Later>,
    /// What the account could do and no longer can. It does not come back with the end of the grant.
    pub(crate) closes: Vec<Sql>,
    /// Everyone on the server is meant: what it opens is open to others too.
    pub(crate) everyone: bool,
}

impl Level {
    pub(crate) fn new(name: &'static str, options: Value) -> Self {
        Self {
            name,
            by: By::Administrator,
            roles: Vec::new(),
            options,
            opens: Vec::new(),
            shut: Vec::new(),
            wider: None,
            later: None,
            closes: Vec::new(),
            everyone: false,
        }
    }

    pub(crate) fn opens(mut self, deeds: &[&str]) -> Self {
        self.opens = in_place(deeds);
        self
    }

    pub(crate) fn shut(mut self, deeds: &[&str]) -> Self {
        self.shut = in_place(deeds);
        self
    }

    pub(crate) fn wider(mut self, options: Value, deeds: &[&str]) -> Self {
        self.wider = Some((options, in_place(deeds)));
        self
    }

    pub(crate) fn later(mut self, made: &str, opens: &str, held: bool) -> Self {
        let (made, opens) = (Sql::new(Cast::PLACE, made), Sql::new(Cast::PLACE, opens));
        self.later = Some(Later { made, opens, held });
        self
    }

    pub(crate) fn closes(mut self, deeds: &[&str]) -> Self {
        self.closes = in_place(deeds);
        self
    }

    pub(crate) fn everyone(mut self) -> Self {
        self.everyone = true;
        self
    }

    pub(crate) fn by_superuser(mut self) -> Self {
        self.by = By::Superuser;
        self
    }
}

fn in_place(deeds: &[&str]) -> Vec<Sql> {
    deeds.iter().map(|deed| Sql::new(Cast::PLACE, *deed)).collect()
}

/// What the room of grants needs beside the levels.
#[derive(Clone, Debug)]
pub(crate) struct Grants {
    /// Fills the place with what the levels are about.
    pub(crate) scenery: Vec<Sql>,
    pub(crate) levels: Vec<Level>,
    /// A right that somebody else gives, with the account's name for `{grantee}`, and what it opens.
    pub(crate) foreign: (Sql, Sql),
    /// Takes from the account `{grantee}` what the first level gives.
    pub(crate) lost: Sql,
    /// Rights on something that is not there.
    pub(crate) missing: Vec<Value>,
}

/// A database of a certain name, closed to everybody, and a right on it.
pub(crate) struct Door {
    pub(crate) prepare: Vec<Sql>,
    pub(crate) options: Value,
    pub(crate) opens: Sql,
}

/// Names, and what the engine makes of them.
pub(crate) struct Names {
    /// Beside those of the suite.
    pub(crate) hostile: Vec<&'static str>,
    /// The longest that each kind may have here; one more character is refused.
    pub(crate) longest: fn(ObjectKind) -> String,
    /// What the server cannot keep as it is.
    pub(crate) refused: Vec<(ObjectKind, &'static str)>,
    /// A closed database of this name with a right on it.
    pub(crate) door: fn(&str) -> Door,
}

/// What has to be refused, and how.
pub(crate) struct Refusal {
    pub(crate) of: Block,
    pub(crate) options: Value,
    /// The field that has to be named.
    pub(crate) path: &'static str,
    /// Words that say what would be right.
    pub(crate) says: Vec<&'static str>,
}

/// A resource's option block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    Instance,
    Object(ObjectKind),
    Grant,
}

/// A spec that asks for more than the ordinary, and the field that does.
pub(crate) struct Asked {
    pub(crate) of: Block,
    pub(crate) roles: Vec<&'static str>,
    pub(crate) options: Value,
    pub(crate) path: &'static str,
    pub(crate) privilege: Privilege,
}

/// A setting of an instance, and what the host has to learn of it.
pub(crate) struct Setting {
    pub(crate) options: Value,
    pub(crate) examined: InstanceExamination,
    /// The server of the suite can be reached with it.
    pub(crate) connects: bool,
}

/// Where schemas and extensions are served: an extension that every server has.
pub(crate) struct Inside {
    pub(crate) extension: &'static str,
}

/// A script of two statements and one that fails, and what is there when it ran.
pub(crate) struct Scripted {
    pub(crate) statements: [&'static str; 2],
    pub(crate) fails: &'static str,
    /// Answers nothing before the script and something after it.
    pub(crate) probe: Sql,
}

/// Something that the account `keeper` owns.
pub(crate) struct Owned {
    pub(crate) made: Sql,
    pub(crate) gone: Sql,
    /// The engine's word for it.
    pub(crate) kind: &'static str,
}

/// All that the suite has to know of an engine on one version of its server.
pub(crate) struct Table {
    /// The name of the component.
    pub(crate) component: &'static str,
    /// The word in `spec.engine`.
    pub(crate) engine: &'static str,
    /// How the server's version begins.
    pub(crate) version: &'static str,
    /// Makes what the cases need beside the cast.
    pub(crate) scenery: Vec<Sql>,
    pub(crate) has_owners: bool,
    pub(crate) settings: Vec<Setting>,
    pub(crate) databases: Vec<Case>,
    pub(crate) users: Vec<Case>,
    pub(crate) roles: Vec<Case>,
    pub(crate) grants: Grants,
    pub(crate) names: Names,
    pub(crate) refusals: Vec<Refusal>,
    pub(crate) asked: Vec<Asked>,
    /// What an operation made for itself and forgot: it has to answer nothing when a room is done.
    pub(crate) forgotten: Sql,
    /// The engine's own objects, which nobody may touch.
    pub(crate) protected: Vec<(ObjectKind, &'static str)>,
    /// Makes an object of a kind with the name `theirs`, as somebody else would.
    pub(crate) theirs: fn(ObjectKind) -> Sql,
    pub(crate) owned: Owned,
    pub(crate) inside: Option<Inside>,
    pub(crate) script: Scripted,
    /// Fields without a case: the block, the field, and why there is none.
    pub(crate) without_case: Vec<(&'static str, &'static str, &'static str)>,
    /// Fields that can be read back and that nobody changes behind the operator's back here, and why.
    pub(crate) without_drift: Vec<(&'static str, &'static str, &'static str)>,
}

impl Table {
    pub(crate) fn cases(&self, kind: ObjectKind) -> &[Case] {
        match kind {
            ObjectKind::Database => &self.databases,
            ObjectKind::User => &self.users,
            ObjectKind::Role => &self.roles,
        }
    }
}
