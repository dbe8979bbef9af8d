//! The folder as a source of engines: every `*.wasm` in it, in the order of their names, looked at again and again.
//!
//! A broken or refused component is logged and listed with its reason; the others go on, and so does what was loaded
//! from the same file before. Only a file that is new or changed is read. Deliberately absent: subfolders.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sandbox::{Grant, Sandbox};
use tokio::time::MissedTickBehavior;

use crate::engines::catalogue::SourceId;
use crate::engines::{Engine, Registry, compile};
use crate::errors::chain;

/// The word for this source.
const ORIGIN: &str = "folder";

/// A look asks for the metadata of a few files: often enough for a person who waits, and nothing for the machine.
const INTERVAL: Duration = Duration::from_secs(5);

/// The folder itself cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the folder of engines {}", folder.display())]
pub struct ReadFolderError {
    folder: PathBuf,
    source: std::io::Error,
}

/// The folder, and what was loaded from it.
pub struct Folder {
    path: PathBuf,
    /// Where compiled components are kept, if anywhere.
    cache: Option<PathBuf>,
    sandbox: Sandbox,
    registry: Arc<Registry>,
    seen: BTreeMap<String, Option<Stamp>>,
}

/// Tells a file from what had its name before. The time of the last change is also set by renaming and copying, which
/// may keep the other one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    bytes: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self { inode: metadata.ino(), bytes: metadata.len(), changed: (metadata.ctime(), metadata.ctime_nsec()) }
    }
}

impl Folder {
    /// Loads every adapter of the folder into the registry.
    pub async fn open(
        path: &Path,
        cache: Option<&Path>,
        sandbox: Sandbox,
        registry: Arc<Registry>,
    ) -> Result<Self, ReadFolderError> {
        let cache = cache.map(Path::to_owned);
        let mut folder = Self { path: path.to_owned(), cache, sandbox, registry, seen: BTreeMap::new() };
        folder.look().await?;
        if folder.seen.is_empty() {
            tracing::warn!(folder = %path.display(), "the folder has no engines (*.wasm)");
        }
        Ok(folder)
    }

    /// Keeps the registry as the folder is, without an end.
    pub async fn follow(mut self) {
        let mut looks = tokio::time::interval(INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            if let Err(error) = self.look().await {
                // What was loaded goes on.
                tracing::error!("{}", chain(&error));
            }
        }
    }

    /// Loads what is new or changed, and lets go of what is not there any more.
    async fn look(&mut self) -> Result<(), ReadFolderError> {
        let files = components_of(&self.path).await?;
        let gone: Vec<String> = self.seen.keys().filter(|name| !files.contains_key(*name)).cloned().collect();
        for name in gone {
            self.seen.remove(&name);
            let source = SourceId { origin: ORIGIN, name };
            tracing::warn!(component = %source, "an engine's component is not in the folder any more");
            self.registry.remove(&source);
        }
        for (name, stamp) in files {
            if self.seen.get(&name) == Some(&stamp) {
                continue;
            }
            let loaded = load_file(&self.path.join(&name), self.cache.as_deref(), &self.sandbox).await;
            self.seen.insert(name.clone(), stamp);
            let source = SourceId { origin: ORIGIN, name };
            self.tell(&source, &loaded);
            self.registry.put(source, loaded);
        }
        Ok(())
    }

    fn tell(&self, source: &SourceId, loaded: &Result<Engine, String>) {
        match loaded {
            Ok(engine) => tracing::info!(
                component = %source,
                digest = %engine.adapter().digest(),
                version = %engine.adapter().description().adapter_version,
                "loaded an engine"
            ),
            Err(reason) if self.registry.has(source) => tracing::error!(
                component = %source,
                reason,
                "an engine cannot be used; the one that was loaded before goes on"
            ),
            Err(reason) => tracing::error!(component = %source, reason, "an engine cannot be used"),
        }
    }
}

async fn load_file(path: &Path, cache: Option<&Path>, sandbox: &Sandbox) -> Result<Engine, String> {
    let bytes = tokio::fs::read(path).await.map_err(|error| format!("its file cannot be read: {error}"))?;
    if let Some(cache) = cache {
        compile::beforehand(path, &bytes, cache, sandbox).await;
    }
    // Whoever can write to the folder is trusted with the host interfaces, and with no tool: none is served yet.
    let adapter = sandbox.load(bytes, &Grant::full([]), None).await.map_err(|error| chain(&error))?;
    Engine::new(adapter)
}

/// The names of the components, each with what tells it from another of its name where that can be read.
async fn components_of(folder: &Path) -> Result<BTreeMap<String, Option<Stamp>>, ReadFolderError> {
    let failed = |source| ReadFolderError { folder: folder.to_owned(), source };
    let mut entries = tokio::fs::read_dir(folder).await.map_err(failed)?;
    let mut files = BTreeMap::new();
    while let Some(entry) = entries.next_entry().await.map_err(failed)? {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            let stamp = tokio::fs::metadata(&path).await.ok().as_ref().map(Stamp::of);
            files.insert(entry.file_name().to_string_lossy().into_owned(), stamp);
        }
    }
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
        let registry = Arc::new(Registry::default());
        let mut opened = Folder::open(folder.path(), None, sandbox(), Arc::clone(&registry)).await.unwrap();
        let refused = registry.find("mysql").unwrap_err();
        assert!(matches!(refused, FindEngineError::Unavailable { .. }), "{refused}");
        assert_eq!(registry.counts(), (0, 1));

        // A look that finds nothing new tells nobody; another file of the same name and size is new.
        let mut changes = registry.changes();
        opened.look().await.unwrap();
        assert!(!changes.has_changed().unwrap());
        std::fs::write(folder.path().join("other"), b"no komponent").unwrap();
        std::fs::rename(folder.path().join("other"), folder.path().join("mysql.wasm")).unwrap();
        opened.look().await.unwrap();
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
        std::fs::remove_file(folder.path().join("mysql.wasm")).unwrap();
        opened.look().await.unwrap();
        assert!(matches!(registry.find("mysql"), Err(FindEngineError::Unknown { .. })));
        assert!(changes.has_changed().unwrap());
    }

    #[tokio::test]
    async fn a_missing_folder_is_an_error() {
        let refused = Folder::open(Path::new("/does/not/exist"), None, sandbox(), Arc::default()).await.err().unwrap();
        assert_eq!(refused.to_string(), "cannot read the folder of engines /does/not/exist");
    }
}
