//! Installing, updating, restoring and removing plugins.
//!
//! Everything that can go wrong goes wrong before anything is written: fetched, looked at, checked
//! against its signature, agreed to, linked, compiled; then the component, the lock and `pi.toml` are
//! written, each whole. What is cut off in between leaves a component that nothing names, or a lock
//! that names more than `pi.toml`: both harmless, and mended by the next install.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::consent::{Proposal, changes};
use super::edit::{Edit, EditError, GrantWord};
use super::signatures::{Standing, TrustError, held, proven, standing};
use crate::app::catalog::{Catalog, CatalogError, components_folder, lock_file};
use crate::app::looking::look;
use crate::app::setup::{Setup, SetupError};
use crate::config::{Project, RESERVED, registry_credentials};
use crate::confine::Confine;
use crate::gate::explain::escaped;
use crate::plugin::{Binary, BinaryError, Kind, name_of_file};
use crate::registry::atomic;
use crate::registry::credentials::{Credentials, CredentialsError};
use crate::registry::fetch::{FetchError, FetchOptions, Fetched, Progress as FetchProgress, fetch};
use crate::registry::lock::{Lock, LockError, Locked};
use crate::registry::source::{Source, SourceError};
use crate::registry::store::{Store, StoreError};
use crate::registry::tags::{Version, latest as newest, tags};

/// A file beside `pi.toml` that was begun and not finished is removed when it is so old. Danger: another
/// pi-host may be writing a younger one.
const UNFINISHED_AGE_MIN: Duration = Duration::from_secs(3_600);

#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    #[error("what an earlier command has left in `{0}` cannot be removed: {1}")]
    Sweep(String, std::io::Error),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("{from}: {error}")]
    Binary { from: String, error: BinaryError },
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error(transparent)]
    Edit(#[from] EditError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error("`{0}` is the name of a built-in plugin\nhint: --name gives this one another")]
    BuiltIn(String),
    #[error(
        "[plugins.{0}] is there already\nhint: `pi-host plugin update {0}` takes a newer one; --name gives this one another name"
    )]
    There(String),
    #[error(
        "`{0}` is taken, or not 1 to 64 characters of `a-z`, `0-9`, `_` and `-`\nhint: --name gives it another name"
    )]
    Name(String),
    #[error(
        "two plugins would offer a tool of one name, `{tool}`: `{there}` has it already\nhint: its author can rename it; or do without `{there}`"
    )]
    ToolTaken { tool: String, there: String },
    #[error("plugin `{0}` is not installed\nhint: `pi-host plugin list` shows what is")]
    NotInstalled(String),
    #[error(
        "plugin `{name}` is now another component: locked {locked}, found {found}\nhint: whoever publishes it has changed it under the same name; `pi-host plugin update {name}` shows what changes"
    )]
    Changed { name: String, locked: String, found: String },
    #[error("`{0}` cannot be found: {1}")]
    Path(String, std::io::Error),
    #[error(
        "`{0}` was not installed by a tag of a registry, so there is no newest version to look for\nhint: `pi-host plugin update {0}` takes what is there now"
    )]
    NoTags(String),
    #[error("agent `{agent}` runs plugin `{name}`\nhint: remove [agents.{agent}] from pi.toml first")]
    InUse { name: String, agent: String },
}

/// A component that is here, looked at and not installed.
pub struct Candidate {
    /// Its name in this project.
    pub name: String,
    pub source: Source,
    pub fetched: Fetched,
    pub binary: Binary,
    pub standing: Standing,
    pub proposal: Proposal,
    /// What it replaces; None where that is not here any more, too.
    pub before: Option<Binary>,
    /// What a person has to see before agreeing, whatever else is shown: an older version, another name.
    pub warnings: Vec<String>,
    /// `pi.toml` names it already: it is an update, or the same again, and grants nothing anew.
    pub is_known: bool,
}

impl Candidate {
    /// Whether it is what the lock has already.
    ///
    /// # Errors
    /// The lock cannot be read.
    pub fn is_locked(&self, project: &Project) -> Result<bool, InstallError> {
        let lock = Lock::load(&lock_file(project))?;
        let is_same = |locked: &Locked| locked.digest == self.fetched.digest && locked.source == self.source;
        Ok(lock.get(&self.name).is_some_and(is_same))
    }

    /// What changes against what it replaces; None where it is new.
    #[must_use]
    pub fn changes(&self) -> Option<Vec<String>> {
        self.before.as_ref().map(|before| changes(before, &self.binary))
    }

    /// `pi.toml` with the plugin in it, with what is granted: by words of the command line, and what the
    /// manifest suggests where that was agreed to.
    ///
    /// # Errors
    /// A grant that this host cannot keep.
    pub fn edit(&self, project: &Project, words: &[GrantWord], is_agreed: bool) -> Result<Edit, EditError> {
        let mut edit = Edit::begin(project)?;
        let source = self.source.to_string();
        if project.config.plugins.get(&self.name).and_then(|plugin| plugin.source.as_ref()) != Some(&source) {
            edit.set(&["plugins", &self.name], "source", &source)?;
        }
        if self.binary.manifest.kind == Kind::Agent && !project.config.agents.contains_key(&self.name) {
            edit.add_table(&["agents", &self.name])?;
        }
        if is_agreed {
            for (capability, grant) in self.proposal.grants() {
                edit.merge_grant(&self.name, capability, grant)?;
            }
        }
        for word in words {
            edit.grant(&self.name, word)?;
        }
        Ok(edit)
    }

    /// Whether the host could keep what `edit` grants it.
    ///
    /// # Errors
    /// A grant that cannot be kept, with its line.
    pub fn check(&self, project: &Project, edit: &Edit) -> Result<(), InstallError> {
        let next = Project { directory: project.directory.clone(), config: edit.config()?, has_file: true };
        let catalog = Catalog::single(&self.name, self.fetched.bytes.clone());
        Setup::with_catalog(next, catalog, Confine::new(), 1)?.check_grant(&self.name, &self.binary.manifest)?;
        Ok(())
    }

    /// Install it under `edit`. `progress` is told what takes long.
    ///
    /// # Errors
    /// It does not link or compile, or cannot be written. Nothing is installed then.
    pub async fn install(
        &self,
        project: &Project,
        edit: &Edit,
        progress: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<(), InstallError> {
        let next = Project { directory: project.directory.clone(), config: edit.config()?, has_file: true };
        // Compiled and linked as it will be: what does not start is not installed.
        let catalog = Catalog::single(&self.name, self.fetched.bytes.clone());
        let setup = Setup::with_catalog(next, catalog, Confine::new(), 1)?;
        setup.try_link(&self.name, self.binary.manifest.kind, progress).await?;
        let store = Store::open(&components_folder(project))?;
        let hold = store.hold()?;
        let held = edit.hold()?;
        let lock_path = lock_file(project);
        let before = Lock::load(&lock_path)?;
        let mut lock = before.clone();
        lock.put(self.locked())?;
        let digest = store.put(&hold, &self.fetched.bytes)?;
        if let Some(proof) = self.standing.proof() {
            store.put_proof(&hold, &digest, &proof)?;
        }
        lock.save(&lock_path)?;
        if let Err(error) = edit.write_held(&held) {
            // The two say the same again.
            before.save(&lock_path)?;
            return Err(error.into());
        }
        drop((held, hold));
        collect(project)?;
        Ok(())
    }

    fn locked(&self) -> Locked {
        let version =
            if self.binary.manifest.version.is_empty() { "0".into() } else { self.binary.manifest.version.clone() };
        Locked {
            name: self.name.clone(),
            version,
            source: self.source.clone(),
            digest: self.fetched.digest.clone(),
            manifest_digest: self.fetched.manifest_digest.clone(),
            bytes: u64::try_from(self.fetched.bytes.len()).unwrap_or(u64::MAX),
            signature: self.standing.locked(),
        }
    }
}

/// Fetch a component and look at it. Nothing is written.
///
/// # Errors
/// What is wrong with it, or with where it comes from.
pub async fn candidate(
    project: &Project,
    source: &str,
    name: Option<&str>,
    watch: &mut (dyn FnMut(FetchProgress) + Send),
) -> Result<Candidate, InstallError> {
    let source = placed(project, Source::parse(source)?)?;
    let candidate = looked_at(project, source, name, watch).await?;
    if let Some(plugin) = project.config.plugins.get(&candidate.name) {
        // The same again is no mistake: a clone of the project has `pi.toml` and no components.
        if plugin.source.as_deref() != Some(candidate.source.to_string().as_str()) {
            return Err(InstallError::There(candidate.name));
        }
        let lock = Lock::load(&lock_file(project))?;
        // From another source than before it is what a person wrote into `pi.toml`, and no surprise.
        let is_changed =
            |locked: &&Locked| locked.source == candidate.source && locked.digest != candidate.fetched.digest;
        if let Some(locked) = lock.get(&candidate.name).filter(is_changed) {
            let (locked, found) = (locked.digest.to_string(), candidate.fetched.digest.to_string());
            return Err(InstallError::Changed { name: candidate.name, locked, found });
        }
    }
    Ok(candidate)
}

/// Fetch what an installed plugin's source has now, or another tag of it.
///
/// # Errors
/// It is not installed, or what is there cannot be taken.
pub async fn newer(
    project: &Project,
    name: &str,
    to: Option<&Source>,
    watch: &mut (dyn FnMut(FetchProgress) + Send),
) -> Result<Candidate, InstallError> {
    let lock = Lock::load(&lock_file(project))?;
    let locked = lock.get(name).ok_or_else(|| InstallError::NotInstalled(name.to_owned()))?;
    let source = to.unwrap_or(&locked.source).clone();
    looked_at(project, source, Some(name), watch).await
}

/// The newest release in the registry that a plugin was installed from; None where it has it.
///
/// # Errors
/// It is not from a registry by a tag, or the registry does not answer.
pub async fn latest(project: &Project, name: &str) -> Result<Option<Source>, InstallError> {
    let lock = Lock::load(&lock_file(project))?;
    let locked = lock.get(name).ok_or_else(|| InstallError::NotInstalled(name.to_owned()))?;
    let Source::Oci(reference) = &locked.source else { return Err(InstallError::NoTags(name.to_owned())) };
    let Some(current) = reference.tag() else { return Err(InstallError::NoTags(name.to_owned())) };
    let tags = tags(reference, &options(&locked.source)?).await?;
    Ok(match newest(current, &tags) {
        Some(tag) => Some(Source::Oci(reference.tagged(&tag)?)),
        None => None,
    })
}

/// A component that was fetched again.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Restored {
    pub name: String,
    /// What a person has to be told about its signature.
    pub warning: Option<String>,
}

/// Fetch again, by their digests, the components that the lock names and that are not here. The answer
/// is which.
///
/// # Errors
/// One cannot be fetched, or is another one now.
pub async fn restore(
    project: &Project,
    watch: &mut (dyn FnMut(&str, FetchProgress) + Send),
) -> Result<Vec<Restored>, InstallError> {
    let lock = Lock::load(&lock_file(project))?;
    let store = Store::open(&components_folder(project))?;
    let mut restored = Vec::new();
    for locked in lock.plugins() {
        let has_proof = locked.signature.is_none() || store.proof(&locked.digest)?.is_some();
        if has_proof && store.check(&locked.digest).is_ok() {
            continue;
        }
        let source = match (&locked.source, &locked.manifest_digest) {
            (Source::Oci(reference), Some(manifest)) => Source::Oci(reference.pinned(manifest.clone())),
            (other, _) => other.clone(),
        };
        let options = options(&source)?;
        let mut told = |progress| watch(&locked.name, progress);
        let fetched = fetch(&absolute(project, source), &options, &mut told).await?;
        locked.check(&fetched.digest)?;
        let standing = standing(project, &locked.name, &fetched, &options).await?;
        let hold = store.hold()?;
        let digest = store.put(&hold, &fetched.bytes)?;
        if let Some(proof) = standing.proof() {
            store.put_proof(&hold, &digest, &proof)?;
        }
        restored.push(Restored { name: locked.name.clone(), warning: standing.warning });
    }
    Ok(restored)
}

/// `pi.toml` without a plugin and its grants.
///
/// # Errors
/// It is not installed, or an agent runs it.
pub fn removal(project: &Project, name: &str) -> Result<Edit, InstallError> {
    if !project.config.plugins.contains_key(name) && Lock::load(&lock_file(project))?.get(name).is_none() {
        return Err(InstallError::NotInstalled(name.to_owned()));
    }
    let runs = |agent: &(&String, &crate::config::AgentConfig)| agent.1.plugin.as_deref() == Some(name);
    if let Some((agent, _)) = project.config.agents.iter().find(runs) {
        return Err(InstallError::InUse { name: name.to_owned(), agent: agent.clone() });
    }
    let mut edit = Edit::begin(project)?;
    edit.remove(&["plugins", name]);
    edit.remove(&["grants", name]);
    edit.remove(&["agents", name]);
    Ok(edit)
}

/// Remove a plugin: from `pi.toml` by `edit`, from the lock, and its component if nothing else is it.
///
/// # Errors
/// Something cannot be written.
pub fn remove(project: &Project, name: &str, edit: &Edit) -> Result<(), InstallError> {
    let held = edit.hold()?;
    edit.write_held(&held)?;
    let path = lock_file(project);
    let mut lock = Lock::load(&path)?;
    if lock.remove(name).is_some() {
        lock.save(&path)?;
    }
    drop(held);
    collect(project)
}

/// Remove what an earlier command has left that was cut off: files that were never finished, components that
/// the lock does not name. What another pi-host is writing now stays.
///
/// # Errors
/// Something cannot be looked at or removed.
pub fn sweep(project: &Project) -> Result<(), InstallError> {
    let failed = |error| InstallError::Sweep(project.directory.display().to_string(), error);
    atomic::remove_unfinished(&project.directory, UNFINISHED_AGE_MIN).map_err(failed)?;
    if components_folder(project).is_dir() {
        collect(project)?;
    }
    Ok(())
}

/// How one installed plugin stands.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Checked {
    pub name: String,
    pub digest: String,
    pub is_here: bool,
    /// What is wrong, in words; none where nothing is.
    pub fault: Option<String>,
    pub signature: Option<String>,
}

/// Read every installed component and compare it with the lock.
///
/// # Errors
/// The lock or the store cannot be read.
pub fn verify(project: &Project, only: Option<&str>) -> Result<Vec<Checked>, InstallError> {
    let lock = Lock::load(&lock_file(project))?;
    if let Some(name) = only.filter(|name| lock.get(name).is_none() && !project.config.plugins.contains_key(*name)) {
        return Err(InstallError::NotInstalled(name.to_owned()));
    }
    let store = Store::open(&components_folder(project))?;
    let mut all = Vec::new();
    let unlocked =
        project.config.plugins.iter().filter(|(name, plugin)| plugin.source.is_some() && lock.get(name).is_none());
    for (name, _) in unlocked.filter(|(name, _)| only.is_none_or(|only| *name == only)) {
        all.push(Checked {
            name: name.clone(),
            digest: String::new(),
            is_here: false,
            fault: Some("pi.toml names it, and plugins.lock does not: what it was is not known".into()),
            signature: None,
        });
    }
    for locked in lock.plugins().iter().filter(|locked| only.is_none_or(|name| locked.name == name)) {
        let found = store.check_fully(&locked.digest);
        let in_file = project.config.plugins.get(&locked.name).and_then(|plugin| plugin.source.clone());
        let mut is_proven = false;
        let fault = match (&found, in_file) {
            (Err(error), _) => Some(error.to_string()),
            (Ok(_), None) => Some(format!("pi.toml does not name it\nhint: `pi-host plugin remove {}`", locked.name)),
            (Ok(_), Some(source)) if source != locked.source.to_string() => {
                Some(format!("pi.toml says {source}, and it was installed from {}", locked.source))
            }
            (Ok(_), Some(_)) => {
                let proven = held(project, locked).and_then(|()| proven(project, locked, &store));
                is_proven = matches!(proven, Ok(true));
                proven.err().map(|error| error.to_string())
            }
        };
        all.push(Checked {
            name: locked.name.clone(),
            digest: locked.digest.to_string(),
            is_here: found.is_ok(),
            fault,
            signature: locked.signature.as_ref().map(|signature| {
                let checked = if is_proven { "checked" } else { "not checked" };
                format!("{} by {}, {checked} now", signature.scheme, signature.key)
            }),
        });
    }
    Ok(all)
}

/// What a source needs to be fetched: who we are to its registry.
///
/// # Errors
/// The credentials cannot be read.
pub fn options(source: &Source) -> Result<FetchOptions, CredentialsError> {
    let mut options = FetchOptions::default();
    if let Source::Oci(reference) = source {
        for text in registry_credentials() {
            options.credentials = Credentials::parse_docker_config(&text, reference.registry())?;
            if options.credentials.is_some() {
                break;
            }
        }
    }
    Ok(options)
}

async fn looked_at(
    project: &Project,
    source: Source,
    name: Option<&str>,
    watch: &mut (dyn FnMut(FetchProgress) + Send),
) -> Result<Candidate, InstallError> {
    let options = options(&source)?;
    let fetched = fetch(&absolute(project, source.clone()), &options, watch).await?;
    let from = source.to_string();
    // A component that has no manifest has no name either: it is called as its file or repository is.
    let called = name.map_or_else(|| name_of(&source), str::to_owned);
    let binary = look(&fetched.bytes, &called).map_err(|error| InstallError::Binary { from: from.clone(), error })?;
    let asked = name.map(str::to_owned);
    let name = name.unwrap_or(&binary.manifest.name).to_owned();
    if !is_name(&name) {
        return Err(InstallError::Name(crate::gate::explain::escaped(&name)));
    }
    if crate::plugin::BUILTIN.iter().any(|taken| taken.name == name) {
        return Err(InstallError::BuiltIn(name));
    }
    let standing = standing(project, &from, &fetched, &options).await?;
    tools_are_free(project, &name, &binary)?;
    let proposal = Proposal::of(&binary, project.config.grants.get(&name))?;
    let is_known = project.config.plugins.contains_key(&name);
    let before = before(project, &name)?;
    let lock = Lock::load(&lock_file(project))?;
    let mut warnings: Vec<String> =
        lock.get(&name).and_then(|locked| of_version(locked, &binary, &fetched)).into_iter().collect();
    // The name is among the bytes that are signed, so a component that is signed as one thing and handed out
    // as another is told apart by it.
    let wanted = match &before {
        Some(before) => Some(before.manifest.name.clone()),
        None => asked.or_else(|| matches!(source, Source::Oci(_)).then(|| name_of(&source))),
    };
    warnings.extend(wanted.and_then(|wanted| of_name(&wanted, &binary)));
    Ok(Candidate { name, source, fetched, binary, standing, proposal, before, warnings, is_known })
}

/// What has to be seen of its version, where it takes the place of another.
fn of_version(locked: &Locked, binary: &Binary, fetched: &Fetched) -> Option<String> {
    let (old, new) = (escaped(&locked.version), escaped(&binary.manifest.version));
    if locked.digest == fetched.digest || binary.manifest.version.is_empty() {
        return None;
    }
    if locked.version == binary.manifest.version {
        return Some(format!(
            "ANOTHER COMPONENT OF THE SAME VERSION: {new} was {}, and is now {}",
            locked.digest, fetched.digest
        ));
    }
    match (Version::parse(&locked.version), Version::parse(&binary.manifest.version)) {
        (Some(before), Some(after)) if after > before => None,
        (Some(_), Some(_)) => Some(format!("AN OLDER VERSION: {new} in the place of {old}")),
        _ => Some(format!("WHICH VERSION IS NEWER CANNOT BE TOLD: {new} in the place of {old}")),
    }
}

/// What has to be seen of its name.
fn of_name(wanted: &str, binary: &Binary) -> Option<String> {
    let own = &binary.manifest.name;
    (own != wanted).then(|| {
        format!(
            "ANOTHER NAME: `{}` was asked for, and its manifest says that it is `{}`",
            escaped(wanted),
            escaped(own)
        )
    })
}

/// What is installed under a name. It may be gone here: then everything is new, and shown as such.
fn before(project: &Project, name: &str) -> Result<Option<Binary>, InstallError> {
    let lock = Lock::load(&lock_file(project))?;
    let Some(locked) = lock.get(name) else { return Ok(None) };
    let bytes = Store::open(&components_folder(project))?.get(&locked.digest).ok();
    Ok(bytes.and_then(|bytes| look(&bytes, name).ok()))
}

/// What a component is called by where it is from: `time-server` of `oci://registry/acme/time-server:1`.
fn name_of(source: &Source) -> String {
    let stem = |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    name_of_file(&match source {
        Source::File(path) => stem(path),
        Source::Web(url) => stem(Path::new(url.path())),
        Source::Oci(reference) => reference.repository().rsplit('/').next().unwrap_or_default().to_owned(),
    })
}

fn is_name(name: &str) -> bool {
    let is_fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    !RESERVED.contains(&name) && (1..=64).contains(&name.len()) && name.bytes().all(is_fine)
}

/// No other plugin has a tool of the same name.
fn tools_are_free(project: &Project, name: &str, binary: &Binary) -> Result<(), InstallError> {
    // A project with other plugins missing can still take this one.
    let Ok(catalog) = Catalog::of(project) else { return Ok(()) };
    let ours: BTreeSet<&str> = binary.manifest.tools.iter().map(|tool| tool.name.as_str()).collect();
    for other in catalog.names().filter(|other| *other != name) {
        let Ok(there) = catalog.binary(other) else { continue };
        if let Some(tool) = there.manifest.tools.iter().find(|tool| ours.contains(tool.name.as_str())) {
            return Err(InstallError::ToolTaken { tool: tool.name.clone(), there: other.to_owned() });
        }
    }
    Ok(())
}

/// A file is named from the project's folder where it lies in it, else from the root.
fn placed(project: &Project, source: Source) -> Result<Source, InstallError> {
    let Source::File(path) = source else { return Ok(source) };
    let path = path.canonicalize().map_err(|error| InstallError::Path(path.display().to_string(), error))?;
    let inside = path.strip_prefix(&project.directory).map(Path::to_path_buf);
    Ok(Source::File(inside.unwrap_or(path)))
}

fn absolute(project: &Project, source: Source) -> Source {
    match source {
        Source::File(path) => Source::File(project.directory.join(path)),
        other => other,
    }
}

/// Remove the components that the lock does not name.
fn collect(project: &Project) -> Result<(), InstallError> {
    let path = lock_file(project);
    Store::open(&components_folder(project))?.remove_unused(|| {
        let lock = Lock::load(&path).map_err(|error| error.to_string())?;
        Ok(lock.plugins().iter().map(|locked| locked.digest.clone()).collect())
    })?;
    Ok(())
}
