//! The file system that scripts see.
//!
//! Real absolute paths below the granted folders go to the host, where each act is judged. Beside
//! them stand: `/tmp` and `/dev`, in memory and private to the call (a granted folder in their place
//! wins); the files below `/usr/bin` and its like that stand for commands ([`crate::programs`]); and
//! the bare folders on the way to a granted one, so that `ls /` shows where the files are.
//! Everything else is for the host to refuse.

use std::io::{Error as IoError, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bashkit::{DirEntry, FileSystem, FileSystemExt, FileType, FsLimits, InMemoryFs, Metadata, Result};

use crate::notes::Notes;
use crate::programs::{FOLDERS, Programs, Runnable, Stub};
use crate::system::{self, FileError, Kind, Root, System, WriteMode};
use crate::trail::Trail;

/// Bytes per host call of a read or a write: the interface's own limit.
const CHUNK_BYTES: usize = 16 << 20;
/// Largest file that is read as a whole; beyond it the instance's memory would be at risk.
const FILE_BYTES_MAX: usize = 64 << 20;
/// What `/tmp` may hold. It counts as memory of the instance.
const SCRATCH_BYTES_MAX: u64 = 64 << 20;

pub(crate) struct World {
    system: Arc<dyn System>,
    roots: OnceLock<Vec<Root>>,
    scratch: InMemoryFs,
    programs: Arc<Programs>,
    notes: Arc<Notes>,
    trail: Mutex<Trail>,
}

/// Who answers for a path.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    Host,
    Scratch,
    Stub(Stub<'static>),
    /// A folder that only leads somewhere.
    Folder,
    /// Nothing: a name in a folder of programs that is none.
    Nothing,
}

impl World {
    pub(crate) fn new(system: Arc<dyn System>, programs: Arc<Programs>, notes: Arc<Notes>) -> Self {
        let limits = FsLimits::new().max_total_bytes(SCRATCH_BYTES_MAX).max_file_size(SCRATCH_BYTES_MAX);
        Self {
            system,
            roots: OnceLock::new(),
            scratch: InMemoryFs::with_limits(limits),
            programs,
            notes,
            trail: Mutex::default(),
        }
    }

    fn roots(&self) -> &[Root] {
        self.roots.get_or_init(|| self.system.roots())
    }

    fn is_granted(&self, path: &str) -> bool {
        self.roots().iter().any(|root| is_below(path, &root.path))
    }

    fn leads_to_a_root(&self, path: &str) -> bool {
        self.roots().iter().any(|root| root.path != path && is_below(&root.path, path))
    }

    fn trail(&self) -> MutexGuard<'_, Trail> {
        self.trail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who answers for a path that is about to be used, and not only looked at.
    fn place_of(&self, path: &str) -> Place {
        self.trail().end();
        self.place(path)
    }

    fn place(&self, path: &str) -> Place {
        if self.is_granted(path) {
            return Place::Host;
        }
        if let Some(stub) = self.programs.stub(path) {
            return Place::Stub(stub);
        }
        if matches!(path, "/tmp" | "/dev") {
            return Place::Scratch;
        }
        if path == "/" || self.leads_to_a_root(path) || FOLDERS.iter().any(|folder| is_below(folder, path)) {
            return Place::Folder;
        }
        if FOLDERS.iter().any(|folder| is_below(path, folder)) {
            return Place::Nothing;
        }
        if is_below(path, "/tmp") || is_below(path, "/dev") { Place::Scratch } else { Place::Host }
    }

    /// The names that a folder has only because something granted lies below it.
    fn way_names(&self, path: &str) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let roots = self.roots().iter().map(|root| root.path.as_str());
        for target in roots.chain(FOLDERS).chain(["/tmp", "/dev"]) {
            let rest = if path == "/" {
                target.strip_prefix('/')
            } else {
                target.strip_prefix(path).and_then(|rest| rest.strip_prefix('/'))
            };
            if let Some(name) = rest.and_then(|rest| rest.split('/').next())
                && !name.is_empty()
                && !names.iter().any(|known| known == name)
            {
                names.push(name.to_owned());
            }
        }
        names
    }

    /// The shell's error for the host's, and a note of the host's words.
    fn failed(&self, error: &FileError) -> bashkit::Error {
        self.notes.file(error, false);
        io_error(error).into()
    }

    fn host<T>(&self, result: std::result::Result<T, FileError>) -> Result<T> {
        result.map_err(|error| self.failed(&error))
    }

    fn host_read(&self, path: &str) -> Result<Vec<u8>> {
        let mut bytes = self.host(self.system.read(path, 0, CHUNK_BYTES as u32))?;
        let mut last = bytes.len();
        while last == CHUNK_BYTES {
            if bytes.len() >= FILE_BYTES_MAX {
                return Err(IoError::new(ErrorKind::FileTooLarge, "File too large").into());
            }
            let next = self.host(self.system.read(path, bytes.len() as u64, CHUNK_BYTES as u32))?;
            last = next.len();
            bytes.extend_from_slice(&next);
        }
        Ok(bytes)
    }

    fn host_write(&self, path: &str, bytes: &[u8], first: WriteMode) -> Result<()> {
        let mut mode = first;
        let mut rest = bytes;
        loop {
            let (chunk, later) = rest.split_at(rest.len().min(CHUNK_BYTES));
            self.host(self.system.write(path, chunk, mode))?;
            if later.is_empty() {
                return Ok(());
            }
            (rest, mode) = (later, WriteMode::Append);
        }
    }

    async fn look(&self, path: &Path) -> Result<Metadata> {
        let name = text(path)?;
        match self.place(&name) {
            Place::Host => match self.system.stat(&name, false) {
                Ok(found) => Ok(metadata(&found)),
                Err(error) => {
                    self.notes.file(&error, true);
                    Err(io_error(&error).into())
                }
            },
            Place::Scratch => self.scratch.stat(path).await,
            Place::Stub(stub) => Ok(fixed_metadata(FileType::File, stub.content().len())),
            Place::Folder => Ok(fixed_metadata(FileType::Directory, 0)),
            Place::Nothing => absent(),
        }
    }

    async fn load(&self, path: &Path) -> Result<Vec<u8>> {
        let name = text(path)?;
        match self.place(&name) {
            Place::Host => self.host_read(&name),
            Place::Scratch => self.scratch.read_file(path).await,
            Place::Stub(stub) => Ok(stub.content()),
            Place::Folder => Err(IoError::other("is a directory").into()),
            Place::Nothing => absent(),
        }
    }

    /// Copy one file between or within places, with its permission bits.
    async fn copy_file(&self, from: &Path, to: &Path) -> Result<()> {
        let metadata = self.look(from).await?;
        if metadata.file_type.is_dir() {
            return Err(IoError::other("is a directory").into());
        }
        let bytes = self.load(from).await?;
        let is_new = self.look(to).await.is_err();
        self.write_file(to, &bytes).await?;
        if is_new && metadata.mode & 0o777 != self.look(to).await?.mode & 0o777 {
            self.chmod(to, metadata.mode & 0o777).await?;
        }
        Ok(())
    }
}

/// What a write to something that is only there for the view gives.
fn fixed<T>() -> Result<T> {
    Err(IoError::new(ErrorKind::PermissionDenied, "Permission denied").into())
}

fn absent<T>() -> Result<T> {
    Err(IoError::new(ErrorKind::NotFound, "file not found").into())
}

fn is_below(path: &str, folder: &str) -> bool {
    folder == "/" || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A path as the host wants it: absolute and folded.
fn text(path: &Path) -> Result<String> {
    let folded = bashkit::normalize_path(path);
    match folded.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(IoError::new(ErrorKind::InvalidInput, "Invalid argument").into()),
    }
}

fn io_error(error: &FileError) -> IoError {
    let (kind, message) = match error {
        FileError::Refused(_) | FileError::OutsideGrant(_) | FileError::ReadOnly(_) => {
            (ErrorKind::PermissionDenied, "Permission denied")
        }
        FileError::NotFound(_) => (ErrorKind::NotFound, "file not found"),
        FileError::AlreadyExists(_) => (ErrorKind::AlreadyExists, "File exists"),
        // The wording of bashkit's own file systems, by which it knows these errors again.
        FileError::IsDirectory(_) => (ErrorKind::Other, "is a directory"),
        FileError::NotDirectory(_) => (ErrorKind::Other, "not a directory"),
        FileError::NotEmpty(_) => (ErrorKind::Other, "directory not empty"),
        FileError::TooLarge(_) => (ErrorKind::FileTooLarge, "File too large"),
        FileError::NoSpace(_) => (ErrorKind::StorageFull, "No space left on device"),
        FileError::Limit(text) | FileError::Other(text) => return IoError::other(text.clone()),
    };
    IoError::new(kind, message)
}

fn metadata(found: &system::Metadata) -> Metadata {
    let file_type = match found.kind {
        Kind::File => FileType::File,
        Kind::Directory => FileType::Directory,
        Kind::Symlink => FileType::Symlink,
        Kind::Other => FileType::Fifo,
    };
    let modified = UNIX_EPOCH + Duration::from_millis(found.modified_ms);
    Metadata { file_type, size: found.size, mode: found.mode, modified, created: modified }
}

fn fixed_metadata(file_type: FileType, size: usize) -> Metadata {
    Metadata { file_type, size: size as u64, mode: 0o755, modified: UNIX_EPOCH, created: UNIX_EPOCH }
}

fn folder_entry(name: String) -> DirEntry {
    DirEntry { name, metadata: fixed_metadata(FileType::Directory, 0) }
}

#[async_trait]
impl FileSystemExt for World {
    async fn mkfifo(&self, path: &Path, mode: u32) -> Result<()> {
        match self.place(&text(path)?) {
            Place::Scratch => self.scratch.mkfifo(path, mode).await,
            _ => fixed(),
        }
    }

    fn limits(&self) -> FsLimits {
        FsLimits::unlimited()
    }
}

#[async_trait]
impl FileSystem for World {
    async fn read_file(&self, path: &Path) -> Result<Vec<u8>> {
        let is_run = self.trail().is_run(&text(path)?);
        let bytes = self.load(path).await?;
        // A script of the shell is run as it is, anything else as a call of the runner.
        Ok(if is_run && Runnable::of(&bytes) != Runnable::Shell { Stub::Native.content() } else { bytes })
    }

    async fn write_file(&self, path: &Path, content: &[u8]) -> Result<()> {
        let name = text(path)?;
        match self.place_of(&name) {
            Place::Host => self.host_write(&name, content, WriteMode::Replace),
            Place::Scratch => self.scratch.write_file(path, content).await,
            Place::Stub(_) | Place::Nothing => fixed(),
            Place::Folder => Err(IoError::other("is a directory").into()),
        }
    }

    async fn append_file(&self, path: &Path, content: &[u8]) -> Result<()> {
        let name = text(path)?;
        match self.place_of(&name) {
            Place::Host => self.host_write(&name, content, WriteMode::Append),
            Place::Scratch => self.scratch.append_file(path, content).await,
            Place::Stub(_) | Place::Nothing => fixed(),
            Place::Folder => Err(IoError::other("is a directory").into()),
        }
    }

    async fn mkdir(&self, path: &Path, recursive: bool) -> Result<()> {
        let name = text(path)?;
        match self.place_of(&name) {
            Place::Host => self.host(self.system.make_directory(&name, recursive)),
            Place::Scratch => self.scratch.mkdir(path, recursive).await,
            Place::Folder if recursive => Ok(()),
            Place::Stub(_) | Place::Folder => Err(IoError::new(ErrorKind::AlreadyExists, "File exists").into()),
            Place::Nothing => fixed(),
        }
    }

    async fn remove(&self, path: &Path, recursive: bool) -> Result<()> {
        let name = text(path)?;
        match self.place_of(&name) {
            Place::Host => self.host(self.system.remove(&name, recursive)),
            Place::Scratch => self.scratch.remove(path, recursive).await,
            // What a script wants to remove is what lies below: the host judges the real path.
            Place::Folder => self.host(self.system.remove(&name, recursive)),
            Place::Stub(_) => fixed(),
            Place::Nothing => absent(),
        }
    }

    async fn stat(&self, path: &Path) -> Result<Metadata> {
        self.trail().look(&text(path)?);
        self.look(path).await
    }

    async fn read_dir(&self, path: &Path) -> Result<Vec<DirEntry>> {
        let name = text(path)?;
        let mut entries: Vec<DirEntry> = match self.place_of(&name) {
            Place::Host => {
                let listed = self.host(self.system.list(&name))?;
                return Ok(listed
                    .iter()
                    .map(|entry| DirEntry { name: entry.name.clone(), metadata: metadata(&entry.metadata) })
                    .collect());
            }
            Place::Stub(_) => return Err(IoError::other("not a directory").into()),
            Place::Nothing => return absent(),
            Place::Scratch => self.scratch.read_dir(path).await?,
            Place::Folder => {
                let stubs = self.programs.names(&name).into_iter();
                stubs.map(|name| DirEntry { name, metadata: fixed_metadata(FileType::File, 0) }).collect()
            }
        };
        for name in self.way_names(&name) {
            if !entries.iter().any(|entry| entry.name == name) {
                entries.push(folder_entry(name));
            }
        }
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(entries)
    }

    async fn exists(&self, path: &Path) -> Result<bool> {
        Ok(self.stat(path).await.is_ok())
    }

    async fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let (from_name, to_name) = (text(from)?, text(to)?);
        match (self.place_of(&from_name), self.place_of(&to_name)) {
            (Place::Host, Place::Host) => self.host(self.system.rename(&from_name, &to_name)),
            (Place::Scratch, Place::Scratch) => self.scratch.rename(from, to).await,
            (Place::Nothing, _) => absent(),
            (Place::Stub(_) | Place::Folder, _) | (_, Place::Stub(_) | Place::Folder | Place::Nothing) => fixed(),
            _ if self.look(from).await?.file_type.is_dir() => {
                Err(IoError::new(ErrorKind::CrossesDevices, "Invalid cross-device link").into())
            }
            _ => {
                self.copy_file(from, to).await?;
                self.remove(from, false).await
            }
        }
    }

    async fn copy(&self, from: &Path, to: &Path) -> Result<()> {
        self.copy_file(from, to).await
    }

    async fn symlink(&self, target: &Path, link: &Path) -> Result<()> {
        let name = text(link)?;
        match self.place_of(&name) {
            Place::Host => match target.to_str() {
                Some(target) => self.host(self.system.make_symlink(target, &name)),
                None => Err(IoError::new(ErrorKind::InvalidInput, "Invalid argument").into()),
            },
            Place::Scratch => self.scratch.symlink(target, link).await,
            Place::Stub(_) | Place::Folder | Place::Nothing => fixed(),
        }
    }

    async fn read_link(&self, path: &Path) -> Result<PathBuf> {
        let name = text(path)?;
        self.trail().link(&name);
        match self.place(&name) {
            Place::Host => self.host(self.system.read_link(&name)).map(PathBuf::from),
            Place::Scratch => self.scratch.read_link(path).await,
            Place::Stub(_) | Place::Folder => Err(IoError::new(ErrorKind::InvalidInput, "Invalid argument").into()),
            Place::Nothing => absent(),
        }
    }

    async fn chmod(&self, path: &Path, mode: u32) -> Result<()> {
        let name = text(path)?;
        match self.place_of(&name) {
            Place::Host => self.host(self.system.set_mode(&name, mode & 0o777)),
            Place::Scratch => self.scratch.chmod(path, mode).await,
            Place::Stub(_) | Place::Folder | Place::Nothing => fixed(),
        }
    }

    async fn set_modified_time(&self, path: &Path, time: SystemTime) -> Result<()> {
        let name = text(path)?;
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        match self.place_of(&name) {
            Place::Host => {
                let modified_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
                self.host(self.system.set_modified(&name, modified_ms))
            }
            Place::Scratch => self.scratch.set_modified_time(path, time).await,
            Place::Stub(_) | Place::Folder | Place::Nothing => fixed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_not_below_one_that_only_begins_like_it() {
        assert!(is_below("/a/b", "/a"));
        assert!(!is_below("/ab", "/a"));
    }
}
