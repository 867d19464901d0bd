//! What a guest's path means to this instance, and whether it may be used for what is asked.
//!
//! The pure half of every host function: nothing here is an act, and nothing here changes anything.

use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::FileType;

use super::super::bindings::pi::files::files::Error;
use super::super::state::CallState;
use super::failure::invalid;
use super::path::{Folded, names_folder};
use super::resolve::{Last, Place, Spot};
use super::roots::FilesState;
use super::{ENTRIES_MAX, acts, tree};

/// The grant of one instance, ready to be asked.
pub(super) struct Lookup<'a> {
    files: Option<&'a Arc<FilesState>>,
    /// For messages that name the line of a grant.
    plugin: &'a str,
}

/// The grant of this instance.
pub(super) fn lookup(state: &CallState) -> Lookup<'_> {
    Lookup { files: state.files.as_ref(), plugin: &state.door.origin().plugin }
}

impl<'a> Lookup<'a> {
    pub(super) fn files_and_place(&self, path: &str, last: Last) -> Result<(Arc<FilesState>, Place), Error> {
        let files = self.granted(path)?;
        let place = files.resolve(path, last, self.plugin)?;
        Ok((Arc::clone(files), place))
    }

    fn granted(&self, path: &str) -> Result<&'a Arc<FilesState>, Error> {
        let missing = || Error::OutsideGrant(format!("the plugin was granted no files: `{path}`"));
        self.files.ok_or_else(missing)
    }

    pub(super) fn place(&self, path: &str, last: Last) -> Result<Place, Error> {
        self.files_and_place(path, last).map(|(_, place)| place)
    }

    pub(super) fn spot(&self, path: &str, last: Last) -> Result<Spot, Error> {
        self.place(path, last)?.open()
    }

    pub(super) fn writable_place(&self, path: &str, last: Last) -> Result<Place, Error> {
        let (files, place) = self.files_and_place(path, last)?;
        files.check_writable(&place.root, &place.path, self.plugin)?;
        Ok(place)
    }

    pub(super) fn movable_place(&self, path: &str) -> Result<Place, Error> {
        let (files, place) = self.files_and_place(path, Last::Keep)?;
        files.check_writable(&place.root, &place.path, self.plugin)?;
        files.check_movable(&place.path)?;
        Ok(place)
    }

    /// Where a folder is to be made; none if one is there and that is no error.
    pub(super) fn place_to_make(&self, path: &str, parents: bool) -> Result<Option<Place>, Error> {
        let last = if parents { Last::Follow } else { Last::Keep };
        let (files, place) = self.files_and_place(path, last)?;
        let stands = match tree::open_or_missing(&place)? {
            None => None,
            Some(spot) => tree::kind(&spot)?,
        };
        match stands {
            Some(FileType::Directory) if parents => return Ok(None),
            Some(_) => return Err(Error::AlreadyExists(format!("it exists already: `{}`", place.path))),
            None => {}
        }
        files.check_writable(&place.root, &place.path, self.plugin)?;
        Ok(Some(place))
    }

    pub(super) fn places_to_rename(&self, from: &str, to: &str) -> Result<(Place, Place), Error> {
        let from = self.movable_place(from)?;
        let is_folder_wanted = names_folder(to);
        let to = self.movable_place(to)?;
        let spot = from.open()?;
        match tree::kind(&spot)? {
            None => return Err(Error::NotFound(format!("no such file or folder: `{}`", from.path))),
            Some(FileType::Directory) => self.check_links_within(&from, &to)?,
            Some(_) if is_folder_wanted => {
                return Err(Error::NotDirectory(format!("only a folder can be renamed to `{}/`", to.path)));
            }
            // A relative link may mean something else in its new place.
            Some(FileType::Symlink) => drop(self.target(&acts::read_link(&spot)?, &to)?),
            Some(_) => {}
        }
        Ok((from, to))
    }

    /// Where a symlink at `link` with this text leads; an error if that is out of the grant, for
    /// programs outside would follow it anywhere.
    pub(super) fn target(&self, text: &str, link: &Place) -> Result<Folded, Error> {
        let files = self.granted(text)?;
        if goes_up_behind_a_name(text) {
            return Err(Error::OutsideGrant(format!(
                "a link may go up by `..` only at its beginning: what is behind a name depends on what that name is \
                 when the link is followed: `{text}`"
            )));
        }
        let absolute = link.path.parent().join(text).map_err(|e| invalid(&e))?;
        let absolute = files.fold(absolute.as_str()).map_err(|e| invalid(&e))?;
        files.cover(&absolute, self.plugin)?;
        Ok(absolute)
    }

    /// A folder takes its links along: none of them may lead out of the grant from the new place.
    fn check_links_within(&self, from: &Place, to: &Place) -> Result<(), Error> {
        let mut folders = vec![(PathBuf::from(from.path.as_str()), 0_usize)];
        let mut left = ENTRIES_MAX;
        while let Some((folder, depth)) = folders.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                left = left.checked_sub(1).ok_or_else(|| {
                    Error::TooLarge(format!("more than {ENTRIES_MAX} entries to look at: `{}`", from.path))
                })?;
                let Ok(kind) = entry.file_type() else { continue };
                if kind.is_dir() {
                    folders.push((entry.path(), depth + 1));
                }
                let text = if kind.is_symlink() { std::fs::read_link(entry.path()).ok() } else { None };
                let Some(text) = text else { continue };
                let text = text.to_string_lossy();
                let climbs = text.split('/').filter(|part| *part == "..").count();
                if text.starts_with('/') || climbs <= depth {
                    continue;
                }
                let below = entry.path();
                let below = below.strip_prefix(from.path.as_str()).unwrap_or(&below);
                let path = to.path.join(&below.to_string_lossy()).map_err(|e| invalid(&e))?;
                self.target(&text, &Place { root: Arc::clone(&to.root), path })?;
            }
        }
        Ok(())
    }
}

/// `a/..`, but not `../a`.
fn goes_up_behind_a_name(text: &str) -> bool {
    let mut parts = text.split('/').filter(|part| !matches!(*part, "" | "."));
    parts.any(|part| part != "..") && parts.any(|part| part == "..")
}
