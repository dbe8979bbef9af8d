//! The folder as a source of engines: every `*.wasm` in it, in the order of their names, read once at start.
//!
//! A broken or refused component is logged and listed with its reason; the others go on. Deliberately absent:
//! subfolders, and watching the folder: an image's content does not change under a running Pod.

use std::path::{Path, PathBuf};

use sandbox::{Grant, Sandbox};

use crate::engines::catalogue::SourceId;
use crate::engines::{Engine, Registry};
use crate::errors::chain;

/// The word for this source.
const ORIGIN: &str = "folder";

/// The folder itself cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the folder of engines {}", folder.display())]
pub struct ReadFolderError {
    folder: PathBuf,
    source: std::io::Error,
}

/// Loads every adapter of the folder into the registry.
pub async fn load(folder: &Path, sandbox: &Sandbox, registry: &Registry) -> Result<(), ReadFolderError> {
    let files = components_of(folder).await?;
    if files.is_empty() {
        tracing::warn!(folder = %folder.display(), "the folder has no engines (*.wasm)");
    }
    for (name, path) in files {
        let source = SourceId { origin: ORIGIN, name };
        let loaded = load_file(&path, sandbox).await;
        match &loaded {
            Ok(engine) => tracing::info!(
                component = %source,
                digest = %engine.adapter().digest(),
                version = %engine.adapter().description().adapter_version,
                "loaded an engine"
            ),
            Err(reason) => tracing::error!(component = %source, reason, "an engine cannot be used"),
        }
        registry.put(source, loaded);
    }
    Ok(())
}

async fn load_file(path: &Path, sandbox: &Sandbox) -> Result<Engine, String> {
    let bytes = tokio::fs::read(path).await.map_err(|error| format!("its file cannot be read: {error}"))?;
    // Whoever can write to the folder is trusted with the host interfaces, and with no tool: none is served yet.
    let adapter = sandbox.load(bytes, &Grant::full([]), None).await.map_err(|error| chain(&error))?;
    Engine::new(adapter)
}

async fn components_of(folder: &Path) -> Result<Vec<(String, PathBuf)>, ReadFolderError> {
    let failed = |source| ReadFolderError { folder: folder.to_owned(), source };
    let mut entries = tokio::fs::read_dir(folder).await.map_err(failed)?;
    let mut files = Vec::new();
    while let Some(entry) = entries.next_entry().await.map_err(failed)? {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            files.push((entry.file_name().to_string_lossy().into_owned(), path));
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engines::FindEngineError;

    fn sandbox() -> Sandbox {
        Sandbox::new(&sandbox::SandboxConfig { guests: 5, ..Default::default() }).unwrap()
    }

    #[tokio::test]
    async fn a_broken_component_is_listed_with_its_reason_and_other_files_are_ignored() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mysql.wasm"), b"no component").unwrap();
        std::fs::write(folder.path().join("README.md"), b"text").unwrap();
        let registry = Registry::default();
        load(folder.path(), &sandbox(), &registry).await.unwrap();
        let refused = registry.find("mysql").unwrap_err();
        assert!(matches!(refused, FindEngineError::Unavailable { .. }), "{refused}");
        assert_eq!(registry.counts(), (0, 1));
    }

    #[tokio::test]
    async fn a_missing_folder_is_an_error() {
        let refused = load(Path::new("/does/not/exist"), &sandbox(), &Registry::default()).await.unwrap_err();
        assert_eq!(refused.to_string(), "cannot read the folder of engines /does/not/exist");
    }
}
