//! From a guest's path to the one place that it means, before the gate is asked.
//!
//! Symlinks are read here and not by the kernel, so that the gate judges the file that will be
//! touched and not the name of a link to it, and so that a link's target is held against the
//! grants anew, whichever root it lies in. What is opened afterwards is opened without following
//! any link (see [`super::folder`]): a link put in place meanwhile makes the act fail.
//!
//! The magic links of `/proc` have texts like any other link, and only their texts count here.

use std::io;
use std::sync::Arc;

use cap_std::fs::Dir;
use rustix::fs::FileType;
use rustix::io::Errno;

use super::super::bindings::pi::files::files::Error;
use super::failure::{failure, invalid};
use super::folder::{file_type, link_text, look, open_folder};
use super::path::{Folded, names_folder};
use super::roots::{FilesState, Root};

/// Most symlinks on the way to one file, as in the kernel: links can form a circle.
const LINKS_MAX: usize = 40;

/// Whether a symlink at the end of a path is followed. Those on the way always are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    Follow,
    Keep,
}

/// A path below a root that, when it was looked up, had no symlink in it (but at its end, with
/// [`Last::Keep`]). Nothing may stand there.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) root: Arc<Root>,
    pub(super) path: Folded,
}

/// An open folder and a name in it: what every operation works on.
pub(super) struct Spot {
    pub(super) folder: Dir,
    /// One component, or `.` for a root itself.
    pub(super) name: String,
    pub(super) path: Folded,
}

impl FilesState {
    /// Find the place that `path` means.
    pub(super) fn resolve(&self, path: &str, last: Last, plugin: &str) -> Result<Place, Error> {
        let mut here = self.fold(path).map_err(|e| invalid(&e))?;
        for _ in 0..=LINKS_MAX {
            let root = self.cover(&here, plugin)?;
            match find_link(root, &here, last).map_err(|e| failure(&here, &e))? {
                None => {
                    let place = Place { root: Arc::clone(root), path: here };
                    return if names_folder(path) { place.demand_folder() } else { Ok(place) };
                }
                Some(link) => here = self.follow(&here, &link)?,
            }
        }
        Err(Error::Other(format!("more than {LINKS_MAX} symlinks on the way: `{path}`")))
    }

    /// The path that `here` means, now that `link` is known to stand on its way.
    fn follow(&self, here: &Folded, link: &Link) -> Result<Folded, Error> {
        let text = if link.text.starts_with('/') {
            link.text.clone()
        } else {
            format!("{}/{}", link.path.parent(), link.text)
        };
        let rest = here.below(&link.path).unwrap_or_default();
        self.fold(&format!("{text}/{rest}")).map_err(|e| invalid(&e))
    }
}

impl Place {
    /// Open the folder that it stands in. Fails when a symlink has come into the way.
    pub(super) fn open(&self) -> Result<Spot, Error> {
        self.try_open().map_err(|e| failure(&self.path, &e))
    }

    fn try_open(&self) -> io::Result<Spot> {
        let (folder, name) = split(&self.root, &self.path);
        let folder = open_folder(&self.root.folder, folder)?;
        let folder = Dir::from_std_file(folder.into());
        Ok(Spot { folder, name: name.to_owned(), path: self.path.clone() })
    }

    /// `a/` is only a folder's name.
    fn demand_folder(self) -> Result<Self, Error> {
        let spot = match self.try_open() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(self),
            other => other.map_err(|e| failure(&self.path, &e))?,
        };
        let stat = look(&spot.folder, &spot.name).map_err(|e| failure(&self.path, &e))?;
        match stat.as_ref().map(file_type) {
            None | Some(FileType::Directory) => Ok(self),
            Some(_) => Err(Error::NotDirectory(format!("no folder: `{}/`", self.path))),
        }
    }
}

/// A symlink on the way.
struct Link {
    path: Folded,
    text: String,
}

/// The first symlink on the way to `path`, or at its end if that one is to be followed.
fn find_link(root: &Root, path: &Folded, last: Last) -> io::Result<Option<Link>> {
    let (above, name) = split(root, path);
    match open_folder(&root.folder, above) {
        Ok(_) if last == Last::Keep || name == "." => Ok(None),
        Ok(folder) => Ok(link_text(folder, name)?.map(|text| Link { path: path.clone(), text })),
        // What does not exist has no links. The act itself will say that it does not exist.
        Err(error) if error.kind() == io::ErrorKind::NotFound => first_link(root, path),
        Err(error) if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => first_link(root, path),
        Err(error) => Err(error),
    }
}

/// Go down from the root until a symlink is met.
fn first_link(root: &Root, path: &Folded) -> io::Result<Option<Link>> {
    let (above, _) = split(root, path);
    let mut here = root.path.clone();
    let mut folder = open_folder(&root.folder, "")?;
    for name in above.split('/').filter(|name| !name.is_empty()) {
        here = here.join(name).map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))?;
        if let Some(text) = link_text(&folder, name)? {
            return Ok(Some(Link { path: here, text }));
        }
        folder = match open_folder(&folder, name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
    }
    Ok(None)
}

/// The folder below the root's that `path` stands in, and the name in it.
fn split<'a>(root: &Root, path: &'a Folded) -> (&'a str, &'a str) {
    if root.is_file {
        return ("", path.name());
    }
    match path.below(&root.path).unwrap_or_default() {
        "" => ("", "."),
        below => below.rsplit_once('/').unwrap_or(("", below)),
    }
}

/// A spot in a folder of this machine.
#[cfg(test)]
pub(super) fn spot_at(folder: &std::path::Path, name: &str) -> Spot {
    let folder = Dir::open_ambient_dir(folder, cap_std::ambient_authority()).unwrap();
    Spot { folder, name: name.into(), path: Folded::top().join(name).unwrap() }
}
