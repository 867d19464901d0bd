//! `plugins.lock`: exactly which components are installed, and whence.
//!
//! It is read by people and kept beside `pi.toml`. The same plugins give the same text. What is in it that
//! this host does not know is an error: a lock that is read halfway pins nothing.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::atomic;
use super::digest::Digest;
use super::fetch::{Failure, read_file};
use super::quoted;
use super::source::Source;

/// The name of the file.
pub const FILE: &str = "plugins.lock";
/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;
/// Longest lock.
const LOCK_BYTES_MAX: u64 = 4 << 20;
/// Plugins in it.
const PLUGINS_MAX: usize = 4096;
/// Longest name of a plugin.
const NAME_BYTES_MAX: usize = 128;

const HEADER: &str = "# Which plugins are installed. Written by `pi-host plugin`; keep it under version control.\n";

/// What is installed. Invariant: sorted by name, and each name once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    plugins: Vec<Locked>,
}

/// A plugin that is installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locked {
    pub name: String,
    pub version: String,
    /// As it was named when it was installed: where an update is looked for.
    pub source: Source,
    /// Of the component.
    pub digest: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest_digest: Option<Digest>,
    pub bytes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<LockedSignature>,
}

/// Who signed it, when it was installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedSignature {
    /// As [`super::signature::Scheme::name`] says.
    pub scheme: String,
    /// The key's fingerprint.
    pub key: Digest,
}

#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("`{}` cannot be read: {why}", path.display())]
    Read { path: PathBuf, why: String },
    #[error("`{}` cannot be written: {why}", path.display())]
    Write { path: PathBuf, why: io::Error },
    #[error("plugins.lock{}: {what}\nhint: restore it from version control, or remove it and install the plugins again", line_text(*.line))]
    Broken { line: Option<usize>, what: String },
    #[error(
        "plugins.lock is of version {found}, and this host reads: {VERSION}\nhint: use the version of pi-host that wrote it, or remove it and install the plugins again"
    )]
    Version { found: i64 },
    #[error(
        "the component of `{name}` is not the one in plugins.lock\n  locked: {locked}\n  found:  {found}\nhint: if you meant to change it, `pi-host plugin update {name}`; if not, somebody else did"
    )]
    Mismatch { name: String, locked: Digest, found: Digest },
    #[error("this cannot be locked: {0}")]
    Entry(String),
}

fn line_text(line: Option<usize>) -> String {
    line.map(|line| format!(", line {line}")).unwrap_or_default()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    #[serde(rename = "version")]
    _version: u32,
    #[serde(default, rename = "plugin")]
    plugins: Vec<toml::Spanned<Locked>>,
}

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    #[serde(rename = "plugin", skip_serializing_if = "<[_]>::is_empty")]
    plugins: &'a [Locked],
}

impl Lock {
    /// # Errors
    /// It is not a lock of this version: what is wrong, and the line.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        check_version(text)?;
        let read: Read = toml::from_str(text).map_err(|error| broken(text, &error))?;
        if read.plugins.len() > PLUGINS_MAX {
            return Err(LockError::Broken { line: None, what: format!("it has more than {PLUGINS_MAX} plugins") });
        }
        let mut lock = Self::default();
        for plugin in read.plugins {
            let line = Some(line(text, plugin.span().start));
            let plugin = plugin.into_inner();
            check(&plugin).map_err(|what| LockError::Broken { line, what })?;
            match lock.place(&plugin.name) {
                Ok(_) => return Err(LockError::Broken { line, what: format!("`{}` is there twice", plugin.name) }),
                Err(at) => lock.plugins.insert(at, plugin),
            }
        }
        Ok(lock)
    }

    /// The lock in a file; where there is no file, nothing is installed.
    ///
    /// # Errors
    /// It cannot be read, or is not a lock.
    pub fn load(path: &Path) -> Result<Self, LockError> {
        let bytes = match read_file(path, LOCK_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(Failure::File(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            // A file of no bytes was cut short: what was installed is not known.
            Err(why) => return Err(LockError::Read { path: path.to_owned(), why: why.to_string() }),
        };
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| LockError::Read { path: path.to_owned(), why: "it is not text".into() })?;
        Self::parse(text)
    }

    /// Write it, whole or not at all.
    ///
    /// # Errors
    /// It cannot be written; the old one is still there.
    pub fn save(&self, path: &Path) -> Result<(), LockError> {
        let text = self.print()?;
        atomic::write(path, text.as_bytes(), 0o644).map_err(|why| LockError::Write { path: path.to_owned(), why })
    }

    /// Its text, the same for the same plugins.
    ///
    /// # Errors
    /// A value in it that TOML cannot hold.
    pub fn print(&self) -> Result<String, LockError> {
        let written = Written { version: VERSION, plugins: &self.plugins };
        let text = toml::to_string(&written).map_err(|error| LockError::Entry(error.to_string()))?;
        Ok(format!("{HEADER}{text}"))
    }

    /// The plugins by name.
    #[must_use]
    pub fn plugins(&self) -> &[Locked] {
        &self.plugins
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Locked> {
        self.plugins.get(self.place(name).ok()?)
    }

    /// Add a plugin, or replace the one of its name, which is handed back.
    ///
    /// # Errors
    /// It has a name or a version that cannot stand in a lock, or there are too many.
    pub fn put(&mut self, plugin: Locked) -> Result<Option<Locked>, LockError> {
        check(&plugin).map_err(LockError::Entry)?;
        match self.place(&plugin.name) {
            Ok(at) => Ok(self.plugins.get_mut(at).map(|old| std::mem::replace(old, plugin))),
            Err(_) if self.plugins.len() >= PLUGINS_MAX => {
                Err(LockError::Entry(format!("there are {PLUGINS_MAX} plugins already")))
            }
            Err(at) => {
                self.plugins.insert(at, plugin);
                Ok(None)
            }
        }
    }

    pub fn remove(&mut self, name: &str) -> Option<Locked> {
        let at = self.place(name).ok()?;
        Some(self.plugins.remove(at))
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.plugins.binary_search_by(|plugin| plugin.name.as_str().cmp(name))
    }
}

impl Locked {
    /// Whether this is the component that is locked.
    ///
    /// # Errors
    /// It is another one: both digests are named.
    pub fn check(&self, found: &Digest) -> Result<(), LockError> {
        if *found == self.digest {
            return Ok(());
        }
        Err(LockError::Mismatch { name: quoted(&self.name), locked: self.digest.clone(), found: found.clone() })
    }
}

/// The version is looked at first: a lock of another one may well have other keys.
fn check_version(text: &str) -> Result<(), LockError> {
    let table: toml::Table = toml::from_str(text).map_err(|error| broken(text, &error))?;
    match table.get("version") {
        Some(toml::Value::Integer(version)) if *version == i64::from(VERSION) => Ok(()),
        Some(toml::Value::Integer(found)) => Err(LockError::Version { found: *found }),
        _ => Err(LockError::Broken { line: Some(1), what: format!("it has no `version = {VERSION}`") }),
    }
}

fn check(plugin: &Locked) -> Result<(), String> {
    for (what, text) in [("name", &plugin.name), ("version", &plugin.version)] {
        if text.is_empty() || text.len() > NAME_BYTES_MAX || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(format!("`{}` is not a {what}", quoted(text)));
        }
    }
    Ok(())
}

fn broken(text: &str, error: &toml::de::Error) -> LockError {
    let line = error.span().map(|span| line(text, span.start));
    LockError::Broken { line, what: quoted(error.message()) }
}

fn line(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locked(name: &str) -> Locked {
        Locked {
            name: name.into(),
            version: "1.0.0".into(),
            source: Source::parse(&format!("oci://ghcr.io/me/{name}:1.0.0")).unwrap(),
            digest: Digest::of(name.as_bytes()),
            manifest_digest: Some(Digest::of(b"m")),
            bytes: 3,
            signature: Some(LockedSignature { scheme: "cosign".into(), key: Digest::of(b"k") }),
        }
    }

    fn lock(names: &[&str]) -> Lock {
        let mut lock = Lock::default();
        for name in names {
            lock.put(locked(name)).unwrap();
        }
        lock
    }

    #[test]
    fn the_same_plugins_give_the_same_text_in_any_order_and_are_read_back() {
        let text = lock(&["b", "a", "c"]).print().unwrap();
        assert_eq!(text, lock(&["c", "b", "a"]).print().unwrap());
        assert_eq!(Lock::parse(&text).unwrap(), lock(&["a", "b", "c"]));
        assert_eq!(Lock::parse(&Lock::default().print().unwrap()).unwrap(), Lock::default());
    }

    #[test]
    fn the_text_is_what_people_read() {
        let mut one = locked("a");
        one.source = Source::parse("tool.wasm").unwrap();
        one.manifest_digest = None;
        one.signature = None;
        let mut lock = Lock::default();
        lock.put(one).unwrap();
        let digest = Digest::of(b"a");
        assert_eq!(
            lock.print().unwrap(),
            format!(
                "{HEADER}version = 1\n\n[[plugin]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"tool.wasm\"\ndigest = \"{digest}\"\nbytes = 3\n"
            )
        );
    }

    #[test]
    fn unknown_keys_and_bad_values_are_errors_with_their_line() {
        let text = lock(&["a"]).print().unwrap();
        for (from, to, said) in [
            ("bytes = 3", "bytes = 3\nextra = 1", "unknown field `extra`"),
            ("version = 1\n", "version = 1\nmore = 2\n", "unknown field `more`"),
            ("sha256:", "md5:", "not a digest"),
            ("oci://", "ftp://", "cannot start with"),
            ("bytes = 3", "bytes = -3", "expected u64"),
            ("name = \"a\"", "name = \"a b\"", "is not a name"),
            ("scheme = \"cosign\"", "", "missing field `scheme`"),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from}");
            let error = Lock::parse(&changed).unwrap_err().to_string();
            assert!(error.contains(said) && error.contains(", line "), "{from}: {error}");
        }
    }

    #[test]
    fn a_plugin_that_is_there_twice_is_an_error_in_the_line_of_the_second() {
        let text = lock(&["a"]).print().unwrap();
        let body = text.split_once("[[plugin]]").unwrap().1;
        let error = Lock::parse(&format!("{text}\n[[plugin]]{body}")).unwrap_err().to_string();
        assert!(error.contains("`a` is there twice") && error.contains("line 1"), "{error}");
    }

    #[test]
    fn another_version_is_named_before_its_keys_are() {
        let error = Lock::parse("version = 2\nwhatever = true").unwrap_err().to_string();
        assert!(error.contains("of version 2, and this host reads: 1"), "{error}");
        assert!(Lock::parse("").unwrap_err().to_string().contains("no `version = 1`"));
        assert!(Lock::parse("version = ").unwrap_err().to_string().contains("line 1"));
    }

    #[test]
    fn a_mismatch_names_both_digests() {
        let error = locked("a").check(&Digest::of(b"b")).unwrap_err().to_string();
        assert!(error.contains(&Digest::of(b"a").to_string()) && error.contains(&Digest::of(b"b").to_string()));
        assert!(locked("a").check(&Digest::of(b"a")).is_ok());
    }

    #[test]
    fn no_file_is_no_plugins_and_an_empty_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        assert_eq!(Lock::load(&path).unwrap(), Lock::default());
        lock(&["a"]).save(&path).unwrap();
        assert_eq!(Lock::load(&path).unwrap(), lock(&["a"]));
        std::fs::write(&path, "").unwrap();
        assert!(Lock::load(&path).unwrap_err().to_string().contains("it is empty"));
    }

    #[test]
    fn plugins_are_replaced_and_removed_by_name() {
        let mut lock = lock(&["a", "b"]);
        let newer = Locked { version: "2.0.0".into(), ..locked("a") };
        assert_eq!(lock.put(newer.clone()).unwrap(), Some(locked("a")));
        assert_eq!(lock.get("a"), Some(&newer));
        assert_eq!(lock.remove("b"), Some(locked("b")));
        assert_eq!(lock.remove("b"), None);
        assert!(lock.put(Locked { name: "x\ny".into(), ..locked("a") }).is_err());
    }
}
