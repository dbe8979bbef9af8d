//! Writes the definitions of the kinds, which are generated from their Rust types.

use anyhow::{Context, Result};
use kube::ResourceExt;
use testkit::workspace;

/// Writes one file for each kind. A test of the crate `crds` compares them with the types.
pub(crate) fn write() -> Result<()> {
    let folder = workspace::root().join("deploy/crds");
    std::fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    for definition in crds::all_crds() {
        let path = folder.join(format!("{}.yaml", definition.spec.names.plural));
        let text = serde_yaml_ng::to_string(&definition)
            .with_context(|| format!("write the definition {}", definition.name_any()))?;
        if std::fs::read_to_string(&path).is_ok_and(|current| current == text) {
            continue;
        }
        std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
        eprintln!("written: {}", path.display());
    }
    Ok(())
}
