//! The grant of native programs, resolved once.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::super::bindings::pi::process::process::{Error, Program as Available};
use super::super::grant::GrantError;
use super::CHILDREN_MAX;
use crate::config::{self, ProcessGrant};
use crate::confine::{Confine, Limits, Spec, environment};

const CAPABILITY: &str = "process";

/// What one plugin may run. Made once from its grant, shared by its instances.
pub struct ProcessState {
    programs: Vec<Program>,
    project: PathBuf,
    read: Vec<PathBuf>,
    write: Vec<PathBuf>,
    kept: Vec<PathBuf>,
    hidden: Vec<PathBuf>,
    network: bool,
    limits: Limits,
    pub(super) confine: Confine,
    /// One permit a running program.
    pub(super) children: Arc<Semaphore>,
}

/// What lies around a grant of programs, and what they may not come near.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// What any grant of the project opens for writing: a program that lies there is not granted.
    pub writable: Vec<String>,
    /// Absolute paths that no program changes: the policy, the plugins.
    pub kept: Vec<PathBuf>,
}

/// A granted program.
struct Program {
    /// As it stands in the grant: a name or an absolute path.
    granted: String,
    /// None: it is not on this machine.
    file: Option<PathBuf>,
}

impl ProcessState {
    /// Resolve what is granted. Relative folders are read against `project_dir`, the folder of `pi.toml`.
    ///
    /// # Errors
    /// A folder that does not exist or that holds the project, a program that is neither a name nor an
    /// absolute path or that a grant lets be overwritten, with its line.
    pub fn new(
        grant: &ProcessGrant,
        project_dir: &Path,
        confine: Confine,
        around: &Surroundings,
    ) -> Result<Self, GrantError> {
        let wrong = |key, value: &str, reason: String| GrantError::new(CAPABILITY, key, value, reason);
        let project = fs::canonicalize(project_dir).map_err(|error| {
            wrong("read", &project_dir.display().to_string(), format!("the project's folder: {error}"))
        })?;
        let folders = |key, paths: &[String]| -> Result<Vec<PathBuf>, GrantError> {
            let real = |path: &String| {
                fs::canonicalize(project.join(path)).map_err(|error| wrong(key, path, error.to_string()))
            };
            paths.iter().map(real).collect()
        };
        let (read, write) = (folders("read", &grant.read)?, folders("write", &grant.write)?);
        if let Some(above) = write.iter().find(|folder| project.starts_with(folder) && **folder != project) {
            let reason = "the project lies in it, and a program could move that away with all that is protected there";
            return Err(wrong("write", &above.display().to_string(), reason.into()));
        }
        let overwritable: Vec<PathBuf> = around
            .writable
            .iter()
            .filter_map(|path| fs::canonicalize(project.join(path)).ok())
            .chain(write.iter().cloned())
            .collect();
        let programs = grant
            .programs
            .iter()
            .map(|name| Program::resolve(name, &overwritable).map_err(|reason| wrong("programs", name, reason)))
            .collect::<Result<Vec<_>, _>>()?;
        // The grants themselves, the policy, the plugins: written only by whom the file is granted by name.
        let config_file = project.join(config::FILE);
        let kept = around.kept.iter().chain([&config_file]).filter_map(|path| fs::canonicalize(path).ok());
        let kept = kept.filter(|path| !write.contains(path) && write.iter().any(|folder| path.starts_with(folder)));
        let kept: Vec<PathBuf> = kept.collect();
        // The host's own state: who could write there would decide what the host believes and runs.
        let cache = config::cache_folder().and_then(|folder| fs::canonicalize(folder).ok());
        let is_reachable = |path: &PathBuf| read.iter().chain(&write).any(|folder| path.starts_with(folder));
        let state = project.join(config::STATE_FOLDER);
        let state = fs::canonicalize(&state).unwrap_or(state);
        let hidden = [state].into_iter().chain(cache.filter(is_reachable)).collect();
        Ok(Self {
            programs,
            kept,
            hidden,
            project,
            read,
            write,
            network: grant.network,
            limits: Limits {
                timeout_ms: grant.timeout_ms_max,
                output_bytes: grant.output_bytes_max,
                memory_bytes: grant.memory_bytes_max,
                processes: grant.processes_max,
                ..Limits::default()
            },
            confine,
            children: Arc::new(Semaphore::new(CHILDREN_MAX)),
        })
    }

    pub(super) fn available(&self) -> Vec<Available> {
        let found = |program: &Program| {
            let path = program.file.as_ref()?.to_str()?.to_owned();
            Some(Available { name: program.granted.clone(), path })
        };
        self.programs.iter().filter_map(found).collect()
    }

    /// The file that `name` stands for: a granted name, or a path of a granted program.
    pub(super) fn program(&self, name: &str, plugin: &str) -> Result<PathBuf, Error> {
        let program = self.programs.iter().find(|program| program.is_meant_by(name)).ok_or_else(|| {
            Error::NotGranted(format!(
                "the program `{}` is not granted\nhint: add \"{}\" to [grants.{plugin}.process] programs in pi.toml",
                name.escape_debug(),
                name.escape_debug()
            ))
        })?;
        // Looked up again: it may have been installed meanwhile, and is never taken from elsewhere.
        program
            .file
            .clone()
            .filter(|file| file.exists())
            .ok_or_else(|| Error::NotFound(format!("the program `{name}` is granted, and is not on this machine")))
    }

    /// A folder that a program may start in. What is not there and what is outside read the same: a guest
    /// shall not find out which folders exist.
    pub(super) fn directory(&self, path: &str, plugin: &str) -> Result<PathBuf, Error> {
        if path.is_empty() {
            return Ok(self.project.clone());
        }
        let real = fs::canonicalize(self.project.join(path)).ok().filter(|real| {
            let is_open = *real == self.project || self.read.iter().chain(&self.write).any(|of| real.starts_with(of));
            real.is_dir() && is_open && !self.hidden.iter().any(|of| real.starts_with(of))
        });
        real.ok_or_else(|| {
            Error::Invalid(format!(
                "no folder to start in: `{}`\nhint: it must exist, and be the project's folder or within `read` or `write` of [grants.{plugin}.process] in pi.toml",
                path.escape_debug()
            ))
        })
    }

    /// What all runs have in common.
    pub(super) fn template(&self, timeout_ms: Option<u32>) -> Spec {
        let timeout_ms = timeout_ms.map_or(self.limits.timeout_ms, |ms| u64::from(ms).min(self.limits.timeout_ms));
        Spec {
            program: PathBuf::new(),
            argv: Vec::new(),
            environment: Vec::new(),
            directory: PathBuf::new(),
            read: self.read.clone(),
            write: self.write.clone(),
            kept: self.kept.clone(),
            hidden: self.hidden.clone(),
            network: self.network,
            limits: Limits { timeout_ms, ..self.limits.clone() },
        }
    }
}

impl Program {
    fn resolve(granted: &str, write: &[PathBuf]) -> Result<Self, String> {
        let file = match granted {
            "" | "." | ".." => return Err("it is no program".into()),
            path if path.starts_with('/') => Some(PathBuf::from(path)).filter(|file| file.is_file()),
            path if path.contains('/') => return Err("a program is a name or an absolute path".into()),
            // First where the programs themselves find programs, so that a name means one file for all.
            name => environment::find(name, &search_path()),
        };
        // Where it stands and where it leads: who may write either decides what runs.
        let standing = file.as_deref().and_then(place);
        let real = file.as_ref().and_then(|file| fs::canonicalize(file).ok());
        let places = || standing.iter().chain(&real);
        if let Some(folder) = write.iter().find(|folder| places().any(|place| place.starts_with(folder))) {
            return Err(format!("it lies in `{}`, which a grant lets be overwritten", folder.display()));
        }
        Ok(Self { granted: granted.to_owned(), file })
    }

    /// By the name that was granted, or by the place at which it was found: `/bin/ps` is `/usr/bin/ps` where
    /// `/bin` is a link. Compared as places, not as what a link in the end leads to: programs like busybox are
    /// one file with many names, and the grant is for one of them.
    fn is_meant_by(&self, name: &str) -> bool {
        if !name.starts_with('/') {
            return name == self.granted;
        }
        let (Some(asked), Some(own)) = (place(Path::new(name)), self.file.as_deref().and_then(place)) else {
            return false;
        };
        asked == own
    }
}

/// The real folder of a file, with its name in it.
fn place(file: &Path) -> Option<PathBuf> {
    let name = file.file_name()?;
    Some(fs::canonicalize(file.parent()?).ok()?.join(name))
}

fn search_path() -> OsString {
    format!("{}:{}", environment::PATH, config::search_path()).into()
}
