//! The plugins that this project can use: the built-in ones, and those that `pi.toml` names.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::config::Project;
use crate::plugin::{BUILTIN, Binary, BinaryError};

/// Where a plugin's component comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    BuiltIn(&'static [u8]),
    File(PathBuf),
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
    #[error("[plugins.{name}] has no `path`, and `{name}` is not built in\nhint: built in are {known}")]
    NoPath { name: String, known: String },
}

/// The plugins by name.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    sources: BTreeMap<String, Source>,
}

impl Catalog {
    /// The plugins of a project.
    ///
    /// # Errors
    /// A plugin that is neither built in nor has a path, or a grant for one that does not exist.
    pub fn of(project: &Project) -> Result<Self, CatalogError> {
        let mut catalog = Self::default();
        for (name, bytes) in BUILTIN {
            catalog.sources.insert((*name).to_owned(), Source::BuiltIn(bytes));
        }
        for (name, plugin) in &project.config.plugins {
            match &plugin.path {
                Some(path) => {
                    catalog.sources.insert(name.clone(), Source::File(project.directory.join(path)));
                }
                None if catalog.sources.contains_key(name) => {}
                None => return Err(CatalogError::NoPath { name: name.clone(), known: catalog.known() }),
            }
        }
        for (name, agent) in &project.config.agents {
            catalog.require(agent.plugin.as_ref().unwrap_or(name), &format!("[agents.{name}]"))?;
        }
        for name in project.config.grants.keys() {
            if !project.config.agents.contains_key(name) {
                catalog.require(name, &format!("[grants.{name}]"))?;
            }
        }
        Ok(catalog)
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
            Some(Source::BuiltIn(bytes)) => Ok(Cow::Borrowed(bytes)),
            Some(Source::File(path)) => std::fs::read(path).map(Cow::Owned).map_err(|error| CatalogError::Read {
                name: name.to_owned(),
                path: path.clone(),
                error,
            }),
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
        let bytes = self.bytes(name)?;
        Binary::read_named(&bytes, name).map_err(|error| CatalogError::Binary { name: name.to_owned(), error })
    }
}
