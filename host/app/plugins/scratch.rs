//! A folder for the time that a command runs: a project of its own, where a plugin is tried and
//! nothing of the user's is touched.

use std::collections::BTreeMap;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::app::single::session_id;
use crate::config::{Config, Grant, PluginConfig, Project, scratch_folder};
use crate::plugin::Manifest;

/// The folder. Removed with all that is in it when it is dropped.
pub(in crate::app) struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    /// Make one.
    ///
    /// # Errors
    /// The system's.
    pub(in crate::app) fn new() -> std::io::Result<Self> {
        let folder = scratch_folder().join(session_id("pi-host"));
        std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Self { folder: folder.canonicalize()? })
    }

    pub(in crate::app) fn path(&self) -> &Path {
        &self.folder
    }

    /// A project with one plugin, from a component's bytes, under a grant.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn project(&self, name: &str, component: &[u8], grant: Grant) -> std::io::Result<Project> {
        let file = self.folder.join("component.wasm");
        std::fs::write(&file, component)?;
        let plugin = PluginConfig { path: Some(file.display().to_string()), ..PluginConfig::default() };
        let config = Config {
            plugins: BTreeMap::from([(name.to_owned(), plugin)]),
            grants: BTreeMap::from([(name.to_owned(), grant)]),
            ..Config::default()
        };
        Ok(Project { directory: self.folder.clone(), config, has_file: false })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is among the temporary files, which the system removes.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Each capability that a manifest declares, with nothing in it: enough to be linked, and to reach
/// nothing.
pub(super) fn empty_grant(manifest: &Manifest) -> Grant {
    let mut grant = toml::Table::new();
    for need in &manifest.needs {
        let mut whole = toml::Table::new();
        whole.insert(need.capability.clone(), toml::Value::Table(toml::Table::new()));
        // What has no grant (`session`) or none without a key is left out.
        if whole.clone().try_into::<Grant>().is_ok() {
            grant.extend(whole);
        }
    }
    grant.try_into().unwrap_or_default()
}
