//! The grant, resolved once: which folders are open, which of them for writing, and what of them is
//! never reachable.
//!
//! A root is held open from the start, under its real path: a guest that names it by a symlink of
//! the system's (`/var/run`) means the same folder. Out of reach, whatever is granted: the
//! project's `.pi/` (the journal), the folder of compiled plugins (whoever writes there decides what the
//! host believes and runs) and `/proc/PID` (the memory and environment of processes, the host's own
//! among them).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;

use super::super::bindings::pi::files::files::Error;
use super::super::grant::GrantError;
use super::path::{Folded, PathError};
use crate::config::{self, FilesGrant};

/// The file that holds the grants.
const CONFIG_FILE: &str = config::FILE;

/// A granted folder, or one granted file.
pub(super) struct Root {
    pub(super) path: Folded,
    pub(super) is_writable: bool,
    /// The folder, or the one that the file stands in.
    pub(super) folder: Dir,
    pub(super) is_file: bool,
}

/// What one plugin may reach. Made once from its grant, shared by its instances.
pub struct FilesState {
    /// The deepest first: the first that covers a path is the one that counts.
    roots: Vec<Arc<Root>>,
    /// Paths as the operator wrote them, with what they really are; the longest first.
    aliases: Vec<(Folded, Folded)>,
    project: Folded,
    /// Never reachable, whatever is granted.
    hidden: Vec<Folded>,
    /// `pi.toml`, and what it is a link to: written to only when the grant names the file itself.
    config_files: Vec<Folded>,
}

impl FilesState {
    /// Open what is granted. Relative paths are read against `project_dir`, the folder of `pi.toml`.
    ///
    /// # Errors
    /// A granted path that does not exist, cannot be opened or is never granted, with its line.
    pub fn new(grant: &FilesGrant, project_dir: &Path) -> Result<Self, GrantError> {
        let no_project = |reason: String| {
            GrantError::new("files", "read", &project_dir.to_string_lossy(), format!("the project's folder: {reason}"))
        };
        let project = real(project_dir).map_err(no_project)?;
        let mut state = Self {
            roots: Vec::new(),
            aliases: Vec::new(),
            hidden: hidden_of(&project),
            config_files: with_real(project.join(CONFIG_FILE).map_err(|e| no_project(e.to_string()))?),
            project,
        };
        if let Some(lexical) = project_dir.to_str().and_then(|dir| Folded::top().join(dir).ok()) {
            state.add_alias(lexical, state.project.clone());
        }
        for (key, paths, is_writable) in [("write", &grant.write, true), ("read", &grant.read, false)] {
            for path in paths {
                state.add_root(path, is_writable).map_err(|reason| GrantError::new("files", key, path, reason))?;
            }
        }
        state.roots.sort_by_key(|root| std::cmp::Reverse(root.path.as_str().len()));
        state.aliases.sort_by_key(|(alias, _)| std::cmp::Reverse(alias.as_str().len()));
        Ok(state)
    }

    fn add_root(&mut self, path: &str, is_writable: bool) -> Result<(), String> {
        let lexical = self.project.join(path).map_err(|e| e.to_string())?;
        let path = real(Path::new(lexical.as_str()))?;
        if self.is_hidden(&path) {
            return Err("the host's own state and the folders of processes are never granted".into());
        }
        self.add_alias(lexical, path.clone());
        // The same path under `write` and `read`: writable, and `write` comes first.
        if self.roots.iter().any(|root| root.path == path) {
            return Ok(());
        }
        let metadata = std::fs::metadata(path.as_str()).map_err(|e| e.to_string())?;
        let is_file = metadata.is_file();
        if !is_file && !metadata.is_dir() {
            return Err("it is neither a folder nor a regular file".into());
        }
        let folder = if is_file { path.parent() } else { path.clone() };
        let folder = Dir::open_ambient_dir(folder.as_str(), ambient_authority()).map_err(|e| e.to_string())?;
        self.roots.push(Arc::new(Root { path, is_writable, folder, is_file }));
        Ok(())
    }

    fn add_alias(&mut self, alias: Folded, path: Folded) {
        if alias != path {
            self.aliases.push((alias, path));
        }
    }

    /// The granted paths, each with whether it may be written.
    pub(super) fn roots(&self) -> impl Iterator<Item = (&str, bool)> {
        self.roots.iter().rev().map(|root| (root.path.as_str(), root.is_writable))
    }

    /// The project's folder.
    pub(super) fn project(&self) -> &Folded {
        &self.project
    }

    /// A guest's path as it really is, as far as the names of the roots go.
    pub(super) fn fold(&self, path: &str) -> Result<Folded, PathError> {
        let path = self.project.join(path)?;
        for (alias, real) in &self.aliases {
            if let Some(rest) = path.below(alias) {
                return if rest.is_empty() { Ok(real.clone()) } else { real.join(rest) };
            }
        }
        Ok(path)
    }

    /// The root that decides over `path`.
    pub(super) fn cover(&self, path: &Folded, plugin: &str) -> Result<&Arc<Root>, Error> {
        if self.is_hidden(path) {
            return Err(Error::OutsideGrant(format!(
                "the host's own state and the folders of processes are never reachable: `{path}`"
            )));
        }
        let covers = |root: &&Arc<Root>| if root.is_file { root.path == *path } else { path.is_within(&root.path) };
        self.roots.iter().find(covers).ok_or_else(|| {
            Error::OutsideGrant(format!(
                "outside of the granted folders: `{path}`\nhint: add the folder to `[grants.{plugin}.files] read` \
                 (or `write`) in pi.toml"
            ))
        })
    }

    /// Whether `path`, below `root`, may be changed.
    pub(super) fn check_writable(&self, root: &Root, path: &Folded, plugin: &str) -> Result<(), Error> {
        if !root.is_writable {
            return Err(Error::ReadOnly(format!(
                "the grant is for reading only: `{path}`\nhint: add the folder to `[grants.{plugin}.files] write` in \
                 pi.toml"
            )));
        }
        // A plugin that could write the grants could give itself more of them.
        if self.config_files.contains(path) && !root.is_file {
            return Err(Error::ReadOnly(format!(
                "the file that holds the grants is not written through a granted folder: `{path}`\nhint: name the \
                 file itself in `[grants.{plugin}.files] write` if the plugin shall change it"
            )));
        }
        Ok(())
    }

    /// Whether `path` may be removed or moved: no root and nothing hidden may go with it. Otherwise
    /// a read-only folder inside a writable one could be moved to where it is writable.
    pub(super) fn check_movable(&self, path: &Folded) -> Result<(), Error> {
        let held = self.roots.iter().map(|root| &root.path).chain(&self.hidden).find(|held| held.is_within(path));
        match held {
            None => Ok(()),
            Some(held) => Err(Error::OutsideGrant(format!(
                "a granted folder, or one that holds `{held}`, is neither removed nor moved: `{path}`"
            ))),
        }
    }

    /// Whether `path` is out of reach, whatever is granted.
    pub(super) fn is_hidden(&self, path: &Folded) -> bool {
        self.hidden.iter().any(|hidden| path.is_within(hidden)) || is_of_process(path)
    }
}

/// `/proc/1`, `/proc/self` and below.
fn is_of_process(path: &Folded) -> bool {
    path.as_str()
        .strip_prefix("/proc/")
        .and_then(|rest| rest.split('/').next())
        .is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()) || matches!(name, "self" | "thread-self"))
}

fn hidden_of(project: &Folded) -> Vec<Folded> {
    let cache = config::cache_folder().and_then(|folder| real(&folder).ok());
    project.join(config::STATE_FOLDER).into_iter().flat_map(with_real).chain(cache).collect()
}

/// A path, and what it leads to if it is a link.
fn with_real(path: Folded) -> Vec<Folded> {
    let target = real(Path::new(path.as_str())).ok().filter(|target| *target != path);
    target.into_iter().chain([path]).collect()
}

/// The path without any symlink.
fn real(path: &Path) -> Result<Folded, String> {
    let path: PathBuf = std::fs::canonicalize(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "it does not exist".to_owned(),
        _ => error.to_string(),
    })?;
    let path = path.to_str().ok_or("its name is not UTF-8")?;
    Folded::top().join(path).map_err(|e| e.to_string())
}

/// The folders of a grant of preopens: real paths, each with whether it may be written.
pub(in crate::capability) fn preopen_folders(
    grant: &FilesGrant,
    project_dir: &Path,
) -> Result<Vec<(String, bool)>, GrantError> {
    let state = FilesState::new(grant, project_dir).map_err(|e| GrantError { capability: "preopens", ..e })?;
    let key = |root: &Root| if root.is_writable { "write" } else { "read" };
    for root in &state.roots {
        let refuse = |reason: &str| GrantError::new("preopens", key(root), root.path.as_str(), reason);
        if root.is_file {
            return Err(refuse("a preopen is a folder, and this is a file"));
        }
        if state.hidden.iter().any(|hidden| hidden.is_within(&root.path)) {
            return Err(refuse("it holds the host's own state, and nothing inside a preopen can be left out"));
        }
        if root.path.as_str() == "/proc" || root.path.as_str() == "/" {
            return Err(refuse("it holds the folders of processes, and nothing inside a preopen can be left out"));
        }
    }
    Ok(state.roots().map(|(path, is_writable)| (path.to_owned(), is_writable)).collect())
}
