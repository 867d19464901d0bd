//! The plugins that this project can use: the built-in ones, and those that `pi.toml` names.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::looking::look;
use super::mcp::MCP_AGENT;
use super::plugins::TrustError;
use super::plugins::signatures::held;
use crate::config::Project;
use crate::plugin::{BUILTIN, Binary, BinaryError, BuiltIn};
use crate::registry::COMPONENT_BYTES_MAX;
use crate::registry::fetch::read_bounded;
use crate::registry::lock::{self, Lock, LockError, Locked};
use crate::registry::source::SourceError;
use crate::registry::store::{Store, StoreError};

/// Where a plugin's component comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    BuiltIn(&'static BuiltIn),
    File(PathBuf),
    /// Fetched, and not installed.
    Bytes(Arc<[u8]>),
    /// Pinned by `plugins.lock`, kept in the project's store of components.
    Installed {
        folder: PathBuf,
        locked: Box<Locked>,
    },
}

#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    #[error("plugin `{name}`: {path} cannot be read: {error}\nhint: see [plugins.{name}] path in pi.toml", path = path.display())]
    Read { name: String, path: PathBuf, error: std::io::Error },
    #[error("plugin `{name}`: {error}")]
    Binary { name: String, error: BinaryError },
    #[error(
        "there is no plugin `{name}`, which {wanted_by} names\nhint: there are {known}; others are added by [plugins.{name}] with a `path`"
    )]
    Unknown { name: String, wanted_by: String, known: String },
    #[error(
        "[plugins.{name}] has no `path` and no `source`, and `{name}` is not built in\nhint: built in are {known}; `pi-host plugin install` brings others"
    )]
    NoPath { name: String, known: String },
    #[error(
        "[plugins.{0}] has both a `path` and a `source`\nhint: keep `source` for what was installed, `path` for what you are writing"
    )]
    Both(String),
    #[error("[plugins.{name}] source: {error}")]
    Source { name: String, error: SourceError },
    #[error("plugin `{name}` is not installed: plugins.lock does not name it\nhint: `pi-host plugin install {wanted}`")]
    NotInstalled { name: String, wanted: String },
    #[error(
        "plugin `{name}` is installed from {locked}, and pi.toml says {wanted}\nhint: `pi-host plugin install {wanted} --name {name}` takes the other, or correct `source` in [plugins.{name}]"
    )]
    OtherSource { name: String, locked: String, wanted: String },
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("plugin `{name}`: {error}")]
    Store { name: String, error: StoreError },
    #[error(transparent)]
    Trust(#[from] Box<TrustError>),
}

/// The lock of a project.
pub(super) fn lock_file(project: &Project) -> PathBuf {
    project.directory.join(lock::FILE)
}

/// Where a project keeps the components that are installed.
pub(super) fn components_folder(project: &Project) -> PathBuf {
    project.state().join("plugins")
}

/// What the lock says of a plugin, which is what `pi.toml` says of it too.
fn locked(lock: &Lock, name: &str, source: &str) -> Result<Locked, CatalogError> {
    let wanted = crate::registry::source::Source::parse(source)
        .map_err(|error| CatalogError::Source { name: name.to_owned(), error })?;
    let Some(locked) = lock.get(name) else {
        return Err(CatalogError::NotInstalled { name: name.to_owned(), wanted: wanted.to_string() });
    };
    if locked.source != wanted {
        let (locked, wanted) = (locked.source.to_string(), wanted.to_string());
        return Err(CatalogError::OtherSource { name: name.to_owned(), locked, wanted });
    }
    Ok(locked.clone())
}

/// The plugins by name.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    sources: BTreeMap<String, Source>,
    /// What was read already: components are large, and looked at by many.
    known: Arc<Mutex<BTreeMap<String, Known>>>,
}

/// A component that was read.
#[derive(Clone, Debug)]
struct Known {
    binary: Binary,
    /// Lower-case hex SHA-256.
    digest: String,
}

impl Catalog {
    /// The plugins of a project.
    ///
    /// # Errors
    /// A plugin that is neither built in nor has a path, or a grant for one that does not exist.
    pub fn of(project: &Project) -> Result<Self, CatalogError> {
        let mut catalog = Self::default();
        for plugin in BUILTIN {
            catalog.sources.insert(plugin.name.to_owned(), Source::BuiltIn(plugin));
        }
        let lock = Lock::load(&lock_file(project))?;
        for (name, plugin) in &project.config.plugins {
            let source = match (&plugin.path, &plugin.source) {
                (Some(_), Some(_)) => return Err(CatalogError::Both(name.clone())),
                (Some(path), None) => Source::File(project.directory.join(path)),
                (None, Some(source)) => {
                    let locked = locked(&lock, name, source)?;
                    held(project, &locked).map_err(Box::new)?;
                    Source::Installed { folder: components_folder(project), locked: Box::new(locked) }
                }
                (None, None) if catalog.sources.contains_key(name) => continue,
                (None, None) => return Err(CatalogError::NoPath { name: name.clone(), known: catalog.known() }),
            };
            catalog.sources.insert(name.clone(), source);
        }
        for (name, agent) in &project.config.agents {
            catalog.require(agent.plugin.as_ref().unwrap_or(name), &format!("[agents.{name}]"))?;
        }
        for name in project.config.grants.keys() {
            if !project.config.agents.contains_key(name) && name != MCP_AGENT {
                catalog.require(name, &format!("[grants.{name}]"))?;
            }
        }
        Ok(catalog)
    }

    /// One component under a name, that is nowhere yet.
    #[must_use]
    pub(super) fn single(name: &str, bytes: Vec<u8>) -> Self {
        Self { sources: BTreeMap::from([(name.to_owned(), Source::Bytes(Arc::from(bytes)))]), ..Self::default() }
    }

    fn require(&self, name: &str, wanted_by: &str) -> Result<(), CatalogError> {
        if self.sources.contains_key(name) {
            return Ok(());
        }
        Err(CatalogError::Unknown { name: name.to_owned(), wanted_by: wanted_by.to_owned(), known: self.known() })
    }

    fn known(&self) -> String {
        self.sources.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    }

    /// The plugins' names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.sources.keys().map(String::as_str)
    }

    /// Where a plugin comes from.
    #[must_use]
    pub fn source(&self, name: &str) -> Option<&Source> {
        self.sources.get(name)
    }

    /// A plugin's component.
    ///
    /// # Errors
    /// There is none of that name, or its file cannot be read.
    pub fn bytes(&self, name: &str) -> Result<Cow<'static, [u8]>, CatalogError> {
        match self.sources.get(name) {
            Some(Source::BuiltIn(plugin)) => Ok(Cow::Borrowed(plugin.component)),
            Some(Source::Bytes(bytes)) => Ok(Cow::Owned(bytes.to_vec())),
            Some(Source::File(path)) => read_bounded(path, COMPONENT_BYTES_MAX)
                .map(Cow::Owned)
                .map_err(|error| CatalogError::Read { name: name.to_owned(), path: path.clone(), error }),
            Some(Source::Installed { folder, locked }) => {
                let failed = |error| CatalogError::Store { name: name.to_owned(), error };
                let store = Store::open(folder).map_err(failed)?;
                store.get(&locked.digest).map(Cow::Owned).map_err(failed)
            }
            None => Err(CatalogError::Unknown {
                name: name.to_owned(),
                wanted_by: "the command".into(),
                known: self.known(),
            }),
        }
    }

    /// Look at a plugin without compiling or running it.
    ///
    /// # Errors
    /// It cannot be read, or is no plugin for this host.
    pub fn binary(&self, name: &str) -> Result<Binary, CatalogError> {
        Ok(self.looked_at(name)?.binary)
    }

    /// The lower-case hex SHA-256 of a plugin's component.
    ///
    /// # Errors
    /// As of [`Catalog::binary`].
    pub fn digest(&self, name: &str) -> Result<String, CatalogError> {
        Ok(self.looked_at(name)?.digest)
    }

    fn looked_at(&self, name: &str) -> Result<Known, CatalogError> {
        if let Some(known) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Ok(known.clone());
        }
        let bytes = self.bytes(name)?;
        let mut binary = look(&bytes, name).map_err(|error| CatalogError::Binary { name: name.to_owned(), error })?;
        // In a project a plugin is who `pi.toml` says it is: grants, values and origins go by that name, and
        // not by what its author wrote, which another's author can write too.
        name.clone_into(&mut binary.manifest.name);
        let digest = match self.sources.get(name) {
            // The store has compared it.
            Some(Source::Installed { locked, .. }) => locked.digest.hex().to_owned(),
            Some(Source::BuiltIn(plugin)) => plugin.digest.to_owned(),
            _ => crate::registry::digest::Digest::of(&bytes).hex().to_owned(),
        };
        let known = Known { binary, digest };
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), known.clone());
        Ok(known)
    }
}
