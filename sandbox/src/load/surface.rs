//! What a component imports and exports, read from its own names.

use wasmtime::Engine;
use wasmtime::component::Component;

use super::{Grant, Interface, LoadError};
use crate::contract::{PACKAGE, VERSION};
use crate::digest::Digest;

/// Interfaces that hold types alone: a component that uses such a type imports its interface, and gets nothing by it.
const TYPES_ONLY: [&str; 2] = ["types", "tools"];

/// The interfaces that every adapter exports.
const EXPORTS: [&str; 9] = [
    "describe",
    "connection",
    "database-operations",
    "user-operations",
    "role-operations",
    "grant-operations",
    "schema-operations",
    "backup-operations",
    "restore-operations",
];

/// The names of imports and exports.
pub(super) struct Surface {
    pub(super) imports: Vec<String>,
    pub(super) exports: Vec<String>,
}

/// A name of our package taken apart: the interface and its version.
fn ours(name: &str) -> Option<(&str, &str)> {
    let (interface, version) = name.strip_prefix(PACKAGE)?.strip_prefix('/')?.split_once('@')?;
    let mut numbers = version.split('.');
    let mut number = || numbers.next()?.parse::<u32>().ok();
    let (major, minor, _patch) = (number()?, number()?, number()?);
    (numbers.next().is_none() && (major, minor) == VERSION).then_some((interface, version))
}

/// The imports of a compiled component.
pub(super) fn of(engine: &Engine, component: &Component) -> Surface {
    let types = component.component_type();
    Surface {
        imports: types.imports(engine).map(|(name, _)| name.to_owned()).collect(),
        exports: types.exports(engine).map(|(name, _)| name.to_owned()).collect(),
    }
}

/// The imports of a component that is not compiled yet.
pub(super) fn imports_of(digest: Digest, bytes: &[u8]) -> Result<Vec<String>, LoadError> {
    use wasmparser::{Parser, Payload};
    let malformed =
        |error: wasmparser::BinaryReaderError| LoadError::Malformed { digest, reason: error.message().to_owned() };
    if Parser::is_core_wasm(bytes) {
        return Err(LoadError::CoreModule(digest));
    }
    if !Parser::is_component(bytes) {
        return Err(LoadError::Malformed { digest, reason: "it does not begin like one".to_owned() });
    }
    let (mut names, mut depth) = (Vec::new(), 0_usize);
    for payload in Parser::new(0).parse_all(bytes) {
        #[expect(clippy::wildcard_enum_match_arm, reason = "only imports and nesting matter here")]
        match payload.map_err(malformed)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth = depth.saturating_add(1),
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    names.push(import.map_err(malformed)?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(names)
}

/// Refuses the first import that is not ours, or not granted.
pub(super) fn check_imports(digest: Digest, imports: &[String], grant: &Grant) -> Result<(), LoadError> {
    for import in imports {
        let name = ours(import).map(|(interface, _)| interface);
        if name.is_some_and(|name| TYPES_ONLY.contains(&name)) {
            continue;
        }
        let interface = Interface::ALL.into_iter().find(|interface| name == Some(interface.name()));
        match interface {
            None => return Err(LoadError::ForbiddenImport { digest, import: import.clone() }),
            Some(interface) if !grant.interfaces.contains(&interface) => {
                return Err(LoadError::UngrantedImport { digest, import: import.clone() });
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Refuses a component that lacks an interface, and answers the contract's version that it was built for. Further
/// exports do no harm.
pub(super) fn check_exports(digest: Digest, exports: &[String]) -> Result<String, LoadError> {
    let mut found = None;
    for wanted in EXPORTS {
        let version = exports.iter().filter_map(|export| ours(export)).find(|(interface, _)| *interface == wanted);
        let Some((_, version)) = version else {
            let (major, minor) = VERSION;
            return Err(LoadError::MissingExport { digest, export: format!("{PACKAGE}/{wanted}@{major}.{minor}") });
        };
        found = Some(version.to_owned());
    }
    Ok(found.unwrap_or_default())
}
