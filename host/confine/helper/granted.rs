//! What a grant names, opened once, before anything else, and never through a symbolic link.
//!
//! The paths were canonical when the grant was made. Since then a program may have put a link in the place
//! of one (`mv build old; ln -s /etc build`), and whoever looked the path up again would open what
//! the link leads to. So the rules and mounts are made from these descriptors. Where a path has to be
//! walked again, since a descriptor belongs to the mounts of its time, [`Opened::again`] compares what
//! it leads to now. Knows neither Landlock nor mounts. A further list of paths in a [`Spec`] is opened
//! in [`Granted::open`].

use std::ffi::{CStr, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Dir, Mode, OFlags, ResolveFlags, fstat, openat2};
use rustix::io::Errno;
use rustix::path::Arg;
use rustix::process::fchdir;

use crate::confine::{Spec, StartError};

/// Of what a run's grant names, that which is there.
pub(super) struct Granted {
    pub read: Vec<Opened>,
    /// With the folders on the way to what is kept or hidden in it, see [`on_the_way`].
    pub write: Vec<Opened>,
    /// Only what lies in `write`: the rest cannot be written anyway.
    pub kept: Vec<Opened>,
    pub hidden: Vec<Opened>,
    pub directory: Opened,
}

/// A folder or file, and the path that led to it without a link.
#[derive(Debug)]
pub(super) struct Opened {
    pub path: PathBuf,
    /// It only names: nothing can be read or written through it.
    descriptor: OwnedFd,
}

impl Granted {
    /// Open everything that `spec` names. What is not there is left out.
    ///
    /// # Errors
    /// A link stands at one of the paths or on the way to it, or it cannot be opened: nothing may be started then.
    pub(super) fn open(spec: &Spec) -> Result<Self, StartError> {
        Ok(Self {
            read: open_all(spec.read.iter())?,
            write: open_all(spec.write.iter().chain(&on_the_way(spec)))?,
            kept: open_all(spec.kept.iter().filter(|path| spec.write.iter().any(|of| path.starts_with(of))))?,
            hidden: open_all(spec.hidden.iter())?,
            directory: Opened::open(&spec.directory)?.ok_or_else(|| cannot_enter(&spec.directory, Errno::NOENT))?,
        })
    }
}

impl Opened {
    /// None: it is not there.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, StartError> {
        match open(CWD, path) {
            Ok(descriptor) => Ok(Some(Self { path: path.to_owned(), descriptor })),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(cannot_open(path, error)),
        }
    }

    /// Opened once more by its path, among the mounts that are there now.
    ///
    /// # Errors
    /// The path leads elsewhere than before: somebody is swapping folders while the program is started.
    pub(super) fn again(&self) -> Result<OwnedFd, StartError> {
        let now = open(CWD, &self.path).map_err(|error| cannot_open(&self.path, error))?;
        if self.is(&now) {
            return Ok(now);
        }
        let path = self.path.display();
        Err(StartError::Confinement(format!("another folder or file than a moment ago stands at `{path}`")))
    }

    /// Make it the working directory, among the mounts that are there now: from those of before, a relative
    /// path would lead around what is mounted read-only.
    pub(super) fn enter(&self) -> Result<(), StartError> {
        fchdir(self.again()?).map_err(|error| cannot_enter(&self.path, error))
    }

    /// Whether `other` is the very same folder or file.
    pub(super) fn is(&self, other: impl AsFd) -> bool {
        matches!((identity(self), identity(other)), (Ok(own), Ok(other)) if own == other)
    }

    /// What is in this folder, opened one at a time: there may be more than there are descriptors. A link is left
    /// out: a rule for it would be one for what it leads to, and that is wherever a program has put it.
    pub(super) fn children(&self) -> impl Iterator<Item = Opened> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat2(self, c".", flags, Mode::empty(), ResolveFlags::NO_SYMLINKS).and_then(Dir::new);
        folder.into_iter().flatten().flatten().filter_map(move |entry| self.child(entry.file_name()))
    }

    fn child(&self, name: &CStr) -> Option<Self> {
        if name == c"." || name == c".." {
            return None;
        }
        let descriptor = open(self.as_fd(), name).ok()?;
        Some(Self { path: self.path.join(OsStr::from_bytes(name.to_bytes())), descriptor })
    }
}

impl AsFd for Opened {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// The folders from a writable one to what is kept or hidden deeper in it. Each is named by itself, and so
/// becomes a mount of its own, which cannot be renamed: else a program could move it away with what it
/// protects, and make another in its place.
fn on_the_way(spec: &Spec) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in spec.kept.iter().chain(&spec.hidden) {
        for of in spec.write.iter().filter(|of| path.starts_with(of) && path != *of) {
            let way = path.ancestors().skip(1).take_while(|folder| *folder != of.as_path());
            found.extend(way.map(Path::to_path_buf));
        }
    }
    found
}

fn open_all<'a>(paths: impl Iterator<Item = &'a PathBuf>) -> Result<Vec<Opened>, StartError> {
    paths.filter_map(|path| Opened::open(path).transpose()).collect()
}

/// Follows no link anywhere in `path`, neither last nor on the way.
fn open(at: BorrowedFd<'_>, path: impl Arg) -> Result<OwnedFd, Errno> {
    openat2(at, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::NO_SYMLINKS)
}

/// Device and inode.
fn identity(of: impl AsFd) -> Result<(u64, u64), Errno> {
    let stat = fstat(of)?;
    Ok((stat.st_dev, stat.st_ino))
}

fn cannot_open(path: &Path, error: Errno) -> StartError {
    let path = path.display();
    StartError::Confinement(match error {
        Errno::LOOP => format!(
            "`{path}` is a symbolic link now, or lies behind one\n\
             hint: put back what was there; a grant is resolved anew when the host starts"
        ),
        _ => format!("`{path}` cannot be opened without following links: {error}"),
    })
}

fn cannot_enter(path: &Path, error: Errno) -> StartError {
    StartError::Invalid(format!("the folder `{}` cannot be entered: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::confine::Limits;

    /// A folder, and its real path.
    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        (folder, path)
    }

    fn spec(root: &Path) -> Spec {
        Spec {
            program: "/bin/true".into(),
            argv: Vec::new(),
            environment: Vec::new(),
            directory: root.to_owned(),
            read: Vec::new(),
            write: Vec::new(),
            kept: Vec::new(),
            hidden: Vec::new(),
            network: false,
            limits: Limits::default(),
        }
    }

    fn is_refused_as_link(result: Result<Granted, StartError>, path: &Path) {
        let Err(StartError::Confinement(text)) = result else { panic!("it was opened") };
        assert!(text.starts_with(&format!("`{}` is a symbolic link now", path.display())), "{text}");
    }

    #[test]
    fn a_folder_that_was_swapped_for_a_link_is_refused() {
        let (_folder, root) = folder();
        let build = root.join("build");
        fs::create_dir(&build).unwrap();
        let granted = Spec { write: vec![build.clone()], ..spec(&root) };
        assert_eq!(Granted::open(&granted).unwrap().write.len(), 1);
        fs::rename(&build, root.join("old")).unwrap();
        symlink("/etc", &build).unwrap();
        is_refused_as_link(Granted::open(&granted), &build);
        for other in [
            Spec { read: vec![build.clone()], ..spec(&root) },
            Spec { hidden: vec![build.clone()], ..spec(&root) },
            Spec { write: vec![root.clone()], kept: vec![build.clone()], ..spec(&root) },
            Spec { directory: build.clone(), ..spec(&root) },
        ] {
            is_refused_as_link(Granted::open(&other), &build);
        }
    }

    #[test]
    fn a_folder_behind_a_link_is_refused() {
        let (_folder, root) = folder();
        fs::create_dir_all(root.join("real/inner")).unwrap();
        symlink(root.join("real"), root.join("link")).unwrap();
        let inner = root.join("link/inner");
        is_refused_as_link(Granted::open(&Spec { read: vec![inner.clone()], ..spec(&root) }), &inner);
    }

    #[test]
    fn what_is_not_there_is_left_out() {
        let (_folder, root) = folder();
        let missing = vec![root.join("missing")];
        let granted = Spec { read: missing.clone(), write: missing.clone(), hidden: missing, ..spec(&root) };
        let granted = Granted::open(&granted).unwrap();
        assert!(granted.read.is_empty() && granted.write.is_empty() && granted.hidden.is_empty());
    }

    #[test]
    fn a_folder_to_start_in_must_be_there() {
        let (_folder, root) = folder();
        let error = Granted::open(&spec(&root.join("missing"))).err().unwrap();
        assert!(matches!(&error, StartError::Invalid(text) if text.contains("missing")), "{error}");
    }

    /// A link to the configuration is no danger where nothing can be written.
    #[test]
    fn what_cannot_be_written_need_not_be_kept() {
        let (_folder, root) = folder();
        let link = root.join("pi.toml");
        symlink("/etc/hosts", &link).unwrap();
        assert!(Granted::open(&Spec { kept: vec![link], ..spec(&root) }).unwrap().kept.is_empty());
    }

    #[test]
    fn the_way_to_what_is_protected_cannot_be_moved() {
        let protected = Spec {
            write: vec!["/p".into(), "/p/a/policy".into()],
            kept: vec!["/p/pi.toml".into(), "/p/a/policy".into(), "/elsewhere/x".into()],
            hidden: vec!["/p/b/c/.pi".into(), "/p".into()],
            ..spec(Path::new("/p"))
        };
        assert_eq!(on_the_way(&protected), ["/p/a", "/p/b/c", "/p/b"].map(PathBuf::from));
    }

    #[test]
    fn a_folder_that_is_swapped_later_is_noticed() {
        let (_folder, root) = folder();
        let build = root.join("build");
        fs::create_dir(&build).unwrap();
        let opened = Opened::open(&build).unwrap().unwrap();
        assert!(opened.is(opened.again().unwrap()));
        fs::rename(&build, root.join("old")).unwrap();
        assert!(opened.again().is_err());
        fs::create_dir(&build).unwrap();
        assert!(opened.again().is_err());
        fs::remove_dir(&build).unwrap();
        symlink(root.join("old"), &build).unwrap();
        assert!(opened.again().is_err());
    }

    #[test]
    fn children_are_all_but_links() {
        let (_folder, root) = folder();
        fs::create_dir(root.join("a")).unwrap();
        fs::write(root.join("b"), "").unwrap();
        symlink("/etc", root.join("link")).unwrap();
        let opened = Opened::open(&root).unwrap().unwrap();
        let mut paths: Vec<PathBuf> = opened.children().map(|child| child.path).collect();
        paths.sort();
        assert_eq!(paths, [root.join("a"), root.join("b")]);
    }

    #[test]
    fn a_file_has_no_children() {
        let (_folder, root) = folder();
        fs::write(root.join("b"), "").unwrap();
        assert_eq!(Opened::open(&root.join("b")).unwrap().unwrap().children().count(), 0);
    }
}
