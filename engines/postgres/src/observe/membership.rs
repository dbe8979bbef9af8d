//! What the administrator is a member of.

use dbprovision_sdk::Result;

use crate::connect::Session;
use crate::server::Facts;
use crate::statements::membership::OwnGrant;

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
