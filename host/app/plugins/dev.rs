//! A plugin while it is being written: read anew whenever its file changes, under the grants of the
//! project it is tried in.
//!
//! Its calls act with those grants, so they stand in the project's own journal. The folder for the time
//! that it is tried holds copies of the component, and nothing that has to be remembered.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::consent::changes;
use super::pack::{PackError, Packed, packed};
use super::scratch::Scratch;
use crate::config::{PluginConfig, Project};
use crate::plugin::Binary;

#[derive(Debug, thiserror::Error)]
pub enum DevError {
    #[error("{path}: {error}", path = .path.display())]
    Pack { path: PathBuf, error: Box<PackError> },
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
        let packed = packed(&self.file, &self.manifest).await;
        let Packed { bytes, binary } =
            packed.map_err(|error| DevError::Pack { path: self.file.clone(), error: Box::new(error) })?;
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
        Ok(Some(Loaded { binary, changes, project }))
    }
}

fn stamp(path: &Path) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
