//! A plugin while it is being written: read anew whenever its file changes, under the grants of the
//! project it is tried in.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::consent::changes;
use super::pack::{PackError, pack};
use super::scratch::{Scratch, host_of};
use crate::config::{PluginConfig, Project};
use crate::plugin::{Binary, BinaryError};

/// The largest component and manifest that are read.
const FILE_BYTES_MAX: u64 = 256 << 20;

#[derive(Debug, thiserror::Error)]
pub enum DevError {
    #[error("{path} cannot be read: {error}\nhint: build it first", path = .path.display())]
    Read { path: PathBuf, error: std::io::Error },
    #[error("{0} is larger than any component may be")]
    TooLarge(PathBuf),
    #[error("{path}: {error}", path = .path.display())]
    Binary { path: PathBuf, error: BinaryError },
    #[error("{path} has no manifest, and {manifest} cannot be read: {error}\nhint: --manifest names the plugin.json", path = .path.display(), manifest = .manifest.display())]
    Manifest { path: PathBuf, manifest: PathBuf, error: std::io::Error },
    #[error("{path}: {error}", path = .path.display())]
    Pack { path: PathBuf, error: Box<PackError> },
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    #[error(
        "a host works here (process {0}), and the calls would happen beside it\nhint: `pi-host stop`, or try the plugin in a project of its own"
    )]
    Host(u32),
    #[error("a folder to try it in cannot be made: {0}")]
    Scratch(std::io::Error),
}

/// A component that is watched.
pub struct Dev {
    project: Project,
    file: PathBuf,
    manifest: PathBuf,
    scratch: Scratch,
    seen: Option<Vec<Stamp>>,
    last: Option<Binary>,
    generation: u32,
}

/// What tells one state of a file from the next.
type Stamp = Option<(SystemTime, u64)>;

/// The component as it is now.
pub struct Loaded {
    pub binary: Binary,
    /// Against the last one; None for the first.
    pub changes: Option<Vec<String>>,
    /// The project with the component in it, under its name.
    pub project: Project,
    /// Where its calls are written down.
    pub state: PathBuf,
}

impl Dev {
    /// Watch `file`, whose manifest is `manifest` where it holds none.
    ///
    /// # Errors
    /// There is no room for a folder.
    pub fn new(project: Project, file: &Path, manifest: &Path) -> Result<Self, DevError> {
        let scratch = Scratch::new().map_err(DevError::Scratch)?;
        let (file, manifest) = (file.to_owned(), manifest.to_owned());
        Ok(Self { project, file, manifest, scratch, seen: None, last: None, generation: 0 })
    }

    /// What it is now; None where nothing has changed since the last time.
    ///
    /// # Errors
    /// It cannot be read, or is no plugin. It is looked at again when it has changed.
    pub async fn look(&mut self) -> Result<Option<Loaded>, DevError> {
        let now: Vec<Stamp> = [&self.file, &self.manifest].map(|path| stamp(path)).to_vec();
        if self.seen.as_ref() == Some(&now) {
            return Ok(None);
        }
        self.seen = Some(now);
        if let Some(pid) = host_of(&self.project).await? {
            return Err(DevError::Host(pid));
        }
        let bytes = self.packed().await?;
        let binary = Binary::read_named(&bytes, "plugin")
            .map_err(|error| DevError::Binary { path: self.file.clone(), error })?;
        self.generation += 1;
        // Each state is a file of its own: calls of the one before may still read it.
        let path = self.scratch.path().join(format!("{}.wasm", self.generation));
        std::fs::write(&path, &bytes).map_err(DevError::Scratch)?;
        let changes = self.last.as_ref().map(|last| changes(last, &binary));
        self.last = Some(binary.clone());
        let mut project = self.project.clone();
        let name = binary.manifest.name.clone();
        let limits = project.config.plugins.get(&name).map(|plugin| plugin.limits.clone()).unwrap_or_default();
        let plugin = PluginConfig { path: Some(path.display().to_string()), limits, ..PluginConfig::default() };
        project.config.plugins.insert(name, plugin);
        project.has_file = true;
        Ok(Some(Loaded { binary, changes, project, state: self.scratch.path().join("state") }))
    }

    async fn packed(&self) -> Result<Vec<u8>, DevError> {
        let path = self.file.clone();
        let size = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        if size > FILE_BYTES_MAX {
            return Err(DevError::TooLarge(path));
        }
        let bytes = crate::registry::fetch::read_bounded(&path, FILE_BYTES_MAX)
            .map_err(|error| DevError::Read { path: path.clone(), error })?;
        match Binary::read(&bytes) {
            Err(BinaryError::NoManifest) => {}
            Ok(_) => return Ok(bytes),
            Err(error) => return Err(DevError::Binary { path, error }),
        }
        let manifest = crate::registry::fetch::read_text(&self.manifest, FILE_BYTES_MAX)
            .map_err(|error| DevError::Manifest { path: path.clone(), manifest: self.manifest.clone(), error })?;
        let packed = pack(&bytes, &manifest).await.map_err(|error| DevError::Pack { path, error: Box::new(error) })?;
        Ok(packed.bytes)
    }
}

fn stamp(path: &Path) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
