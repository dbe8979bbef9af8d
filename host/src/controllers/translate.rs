//! Between the words of the contract with adapters and those of planning. Nothing is decided here.

use crds::DriftDiff;
use planning::references::{NameReference, NamedKind, Privilege, Standing};
use planning::{Identity, Mark, claim, drift};
use sandbox::contract;

pub(crate) fn mark(identity: &Identity, nonce: &str) -> contract::Mark {
    let Identity { cluster, operator, kind, namespace, name } = identity.clone();
    contract::Mark { cluster, operator, kind, namespace, name, nonce: nonce.to_owned() }
}

pub(crate) fn mark_written(Mark { identity, nonce }: Mark) -> contract::Mark {
    mark(&identity, &nonce)
}

pub(crate) fn mark_read(mark: contract::Mark) -> Mark {
    let contract::Mark { cluster, operator, kind, namespace, name, nonce } = mark;
    Mark { identity: Identity { cluster, operator, kind, namespace, name }, nonce }
}

pub(crate) fn observed(
    object_id: Option<String>,
    mark: Option<contract::Mark>,
    standing: contract::Standing,
    privileged: bool,
) -> claim::Observed {
    claim::Observed {
        object_id,
        mark: mark.map(mark_read),
        abandoned: false,
        // Whatever the engine calls its own is not for a resource to manage.
        protected: standing_read(standing) != Standing::Ordinary,
        privileged,
    }
}

pub(crate) fn standing_read(standing: contract::Standing) -> Standing {
    match standing {
        contract::Standing::Ordinary => Standing::Ordinary,
        contract::Standing::Predefined => Standing::Predefined,
        contract::Standing::Dangerous => Standing::Dangerous,
        contract::Standing::Protected => Standing::Protected,
    }
}

pub(crate) fn named_kind(kind: contract::ObjectKind) -> NamedKind {
    match kind {
        contract::ObjectKind::Database => NamedKind::Database,
        contract::ObjectKind::User => NamedKind::User,
        contract::ObjectKind::Role => NamedKind::Role,
    }
}

pub(crate) fn companion_kind(kind: contract::ObjectKind) -> crds::CompanionKind {
    match kind {
        contract::ObjectKind::Database => crds::CompanionKind::Database,
        contract::ObjectKind::User => crds::CompanionKind::User,
        contract::ObjectKind::Role => crds::CompanionKind::Role,
    }
}

pub(crate) fn privilege(privilege: contract::Privilege) -> Privilege {
    match privilege {
        contract::Privilege::Superuser => Privilege::Superuser,
        contract::Privilege::Replication => Privilege::Replication,
        contract::Privilege::BypassRowSecurity => Privilege::BypassRowSecurity,
        contract::Privilege::CreateRole => Privilege::CreateRole,
        contract::Privilege::AdministratorScript => Privilege::AdministratorScript,
        contract::Privilege::DangerousRole => Privilege::DangerousRole,
    }
}

/// Where the adapter's paths are in the resource: its own words for fields become those of the API.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paths<'a> {
    /// The key of the engine's block: `options` becomes `spec.<block>`.
    pub(crate) block: &'a str,
    /// The field that holds the object's name: `name`, `username`.
    pub(crate) name: &'a str,
}

impl Paths<'_> {
    pub(crate) fn resolve(self, path: &str) -> String {
        if let Some(rest) = path.strip_prefix("tracking.") {
            return format!("spec.resourceTracking.{rest}");
        }
        match path.strip_prefix("options") {
            Some(rest) if rest.is_empty() || rest.starts_with(['.', '[']) => format!("spec.{}{rest}", self.block),
            Some(_) | None if path == "name" => format!("spec.{}", self.name),
            // It is in a Secret, whichever the spec names.
            Some(_) | None if path == "password" => "the password".to_owned(),
            Some(_) | None => format!("spec.{path}"),
        }
    }
}

pub(crate) fn reference(reference: contract::Reference, paths: Paths<'_>) -> NameReference {
    let contract::Reference { path, kind, name, standing } = reference;
    NameReference { path: paths.resolve(&path), kind: named_kind(kind), name, standing: standing_read(standing) }
}

fn change(change: contract::Change, paths: Paths<'_>) -> drift::Change {
    let contract::Change { id, field, expected, actual, destructive, impossible, lacking } = change;
    drift::Change { id, field: paths.resolve(&field), expected, actual, destructive, impossible, lacking }
}

/// All of them.
pub(crate) fn changes(changes: &[contract::Change], paths: Paths<'_>) -> Vec<drift::Change> {
    changes.iter().cloned().map(|one| change(one, paths)).collect()
}

/// The fields in a sentence, each once: `spec.owner, spec.postgres.encoding`.
pub(crate) fn fields(diffs: &[DriftDiff]) -> String {
    let mut fields: Vec<&str> = diffs.iter().map(|diff| diff.field.as_str()).collect();
    fields.dedup();
    fields.join(", ")
}

pub(crate) fn tls_mode(mode: contract::TlsMode) -> planning::tls::Mode {
    use planning::tls::Mode;
    match mode {
        contract::TlsMode::Disable => Mode::Disable,
        contract::TlsMode::Allow => Mode::Allow,
        contract::TlsMode::Prefer => Mode::Prefer,
        contract::TlsMode::Require => Mode::Require,
        contract::TlsMode::VerifyCa => Mode::VerifyCa,
        contract::TlsMode::VerifyFull => Mode::VerifyFull,
    }
}

pub(crate) fn tls_mode_of_contract(mode: planning::tls::Mode) -> contract::TlsMode {
    use planning::tls::Mode;
    match mode {
        Mode::Disable => contract::TlsMode::Disable,
        Mode::Allow => contract::TlsMode::Allow,
        Mode::Prefer => contract::TlsMode::Prefer,
        Mode::Require => contract::TlsMode::Require,
        Mode::VerifyCa => contract::TlsMode::VerifyCa,
        Mode::VerifyFull => contract::TlsMode::VerifyFull,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_adapters_path_is_resolved_to_the_place_in_the_resource() {
        let paths = Paths { block: "parameters", name: "username" };
        for (from, to) in [
            ("options", "spec.parameters"),
            ("options.a[2].b", "spec.parameters.a[2].b"),
            ("options[0]", "spec.parameters[0]"),
            ("name", "spec.username"),
            ("password", "the password"),
            ("owner", "spec.owner"),
            ("optionsX", "spec.optionsX"),
        ] {
            assert_eq!(paths.resolve(from), to);
        }
    }
}
