//! Compiled components in a folder.
//!
//! They are mapped into memory: a page of their code is read when a guest comes to it, and the kernel may drop it again.
//! An adapter that no instance uses costs next to nothing, and a start reads no more than it needs.
//!
//! Only the operator may write to the folder: what lies there is run as it is. Files are never changed, only replaced by
//! others of their name, so that what is mapped stays as it was.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use wasmtime::Engine;
use wasmtime::component::Component;

/// A folder of compiled components.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder, which is made where it is missing.
    pub fn open(path: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(path)?;
        std::fs::canonicalize(path).map(Self)
    }

    /// The component whose source has this digest, as this engine would compile it; none where it is not there, or is
    /// of no use.
    pub fn find(&self, engine: &Engine, digest: &str) -> Option<Component> {
        // SAFETY: the folder is the operator's alone, and whatever has such a name there was written by `keep`, whole,
        // before it got the name. The engine checks that it is of its own version and settings.
        unsafe { Component::deserialize_file(engine, self.place(engine, digest)) }.ok()
    }

    /// Whether a component is there, without a look into it.
    pub fn has(&self, engine: &Engine, digest: &str) -> bool {
        self.place(engine, digest).exists()
    }

    /// Keeps what this engine compiled from the source with this digest.
    pub fn keep(&self, engine: &Engine, digest: &str, compiled: &[u8]) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.0)?;
        file.write_all(compiled)?;
        // A name whose file was lost to a power failure would be a component of zeroes.
        file.as_file().sync_all()?;
        file.persist(self.place(engine, digest)).map_err(|error| error.error)?;
        Ok(())
    }

    fn place(&self, engine: &Engine, digest: &str) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let digest = digest.replace(':', "-");
        self.0.join(format!("{digest}-{:016x}.cwasm", hasher.finish()))
    }
}
