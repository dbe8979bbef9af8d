//! What a role is a direct member of, by whom and with which options; and what the administrator may do about a role.

use dbprovision_sdk::Result;

use super::reader::{Question, Reader};
use crate::connect::Session;
use crate::server::Facts;
use crate::statements::membership::OwnGrant;

/// A membership of a role in another: the server has one for each grantor.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Membership {
    pub(crate) role: String,
    pub(crate) grantor: String,
    /// The administrator granted it, as far as the server tells: a superuser grants in the name of the first one.
    pub(crate) ours: bool,
    /// It lets its holder make others members.
    pub(crate) admin: bool,
    /// How it lets its holder use the role. None: it does, because the server knows no such options.
    pub(crate) options: Option<Options>,
    /// Whoever creates a role is its administrator from then on, by a grant of the first superuser's: no gift.
    pub(crate) implicit: bool,
}

/// The options of a membership, from PostgreSQL 16 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Options {
    pub(crate) inherit: bool,
    pub(crate) set: bool,
}

impl Membership {
    /// It lets its holder use the role. Whoever creates a role may make others members of it, and may do no more.
    pub(crate) fn acts(&self) -> bool {
        self.options.is_none_or(|Options { inherit, set }| inherit || set)
    }
}

const WITH_OPTIONS: &str = "\
SELECT g.rolname::pg_catalog.text, pg_catalog.pg_get_userbyid(m.grantor)::pg_catalog.text,
       m.grantor = $1::pg_catalog.oid OR (m.grantor = 10 AND $2 = 'superuser'), m.admin_option,
       m.grantor = 10 AND m.admin_option AND NOT m.inherit_option AND NOT m.set_option,
       m.inherit_option, m.set_option, m.member::pg_catalog.text
  FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
 WHERE {subjects} ORDER BY 1, 2";

const WITHOUT_OPTIONS: &str = "\
SELECT g.rolname::pg_catalog.text, pg_catalog.pg_get_userbyid(m.grantor)::pg_catalog.text,
       m.grantor = $1::pg_catalog.oid OR (m.grantor = 10 AND $2 = 'superuser'), m.admin_option, false,
       m.member::pg_catalog.text
  FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
 WHERE {subjects} ORDER BY 1, 2";

/// The memberships of the role with this id, by the name of the role that it is a member of.
pub(crate) fn of(reader: &mut dyn Reader, facts: &Facts, id: &str) -> Result<Vec<Membership>> {
    let has_options = facts.has_membership_options();
    let question = Question {
        query: if has_options { WITH_OPTIONS } else { WITHOUT_OPTIONS },
        subjects: "m.member = ANY ($3::pg_catalog.oid[])",
        parameters: &[&facts.administrator_id, if facts.superuser { "superuser" } else { "" }],
    };
    let mut found = Vec::new();
    for row in reader.about(&question, &[id])? {
        found.push(Membership {
            role: row.get(0)?,
            grantor: row.get(1)?,
            ours: row.get(2)?,
            admin: row.get(3)?,
            implicit: row.get(4)?,
            options: if has_options { Some(Options { inherit: row.get(5)?, set: row.get(6)? }) } else { None },
        });
    }
    Ok(found)
}

/// The administrator's standing towards a role.
pub(crate) struct Held {
    /// It can use the role's rights and become it.
    pub(crate) suffices: bool,
    /// It may make itself a member.
    pub(crate) grantable: bool,
    /// The membership that it granted itself; before memberships had grantors of their own, any direct one.
    pub(crate) own_grant: Option<OwnGrant>,
}

/// None where there is no such role.
pub(crate) fn held(session: &mut Session, facts: &Facts, role: &str) -> Result<Option<Held>> {
    let query = if facts.has_membership_options() {
        "SELECT pg_catalog.pg_has_role(r.oid, 'USAGE') AND pg_catalog.pg_has_role(r.oid, 'SET'),
                NOT r.rolsuper AND pg_catalog.pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION'),
                m.inherit_option, m.set_option
           FROM pg_catalog.pg_roles r
           LEFT JOIN pg_catalog.pg_auth_members m
             ON m.roleid = r.oid AND m.member = $2::pg_catalog.oid AND m.grantor = m.member
          WHERE r.rolname = $1::pg_catalog.name"
    } else {
        "SELECT pg_catalog.pg_has_role(r.oid, 'USAGE'),
                NOT r.rolsuper AND (own.rolcreaterole OR pg_catalog.pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION')),
                m.roleid IS NOT NULL OR NULL, m.roleid IS NOT NULL OR NULL
           FROM pg_catalog.pg_roles r JOIN pg_catalog.pg_roles own ON own.oid = $2::pg_catalog.oid
           LEFT JOIN pg_catalog.pg_auth_members m ON m.roleid = r.oid AND m.member = $2::pg_catalog.oid
          WHERE r.rolname = $1::pg_catalog.name"
    };
    let Some(row) = session.row(query, &[role, &facts.administrator_id])? else { return Ok(None) };
    let own = row.get::<Option<bool>>(2)?.zip(row.get::<Option<bool>>(3)?);
    Ok(Some(Held {
        suffices: row.get(0)?,
        grantable: row.get(1)?,
        own_grant: own.map(|(inherit, set)| OwnGrant { inherit, set }),
    }))
}
