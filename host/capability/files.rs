//! `pi:files`: files below the folders of a grant, each act judged and journalled.
//!
//! The way of every call: fold the path, find the place it means through all symlinks
//! ([`resolve`]), hold that against the grant ([`roots`]), enter the door with the real path, and
//! only then open it, without following a link any more ([`folder`]). So what the gate judged is
//! what is touched; a link that is swapped in between makes the call fail.
//!
//! Look-ups, and reads of up to [`INLINE_BYTES_MAX`], are done on the runtime's own thread: they
//! take microseconds, less than handing them over. Everything that may wait for a disk (writing,
//! listing, removing, large reads) goes to the pool of blocking threads. Where a call is cancelled
//! meanwhile, its work goes on to its end, which is bounded, and is journalled then.

mod acts;
mod failure;
mod folder;
mod lookup;
mod path;
mod resolve;
mod roots;
mod tree;
mod write;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::bindings::pi::files::files::{Entry, Error, Host, Metadata, Root, WriteMode};
use super::door::{Door, Pass};
use super::state::CallState;
use crate::gate::{self, Act};
use lookup::lookup;
use path::names_folder;
use resolve::Last;

pub use roots::FilesState;
pub(in crate::capability) use roots::preopen_folders;

/// Most bytes of one read or one write: a guest could make the host hold any amount.
pub const TRANSFER_BYTES_MAX: usize = 16 << 20;

/// Most entries of one listing, and of one recursive removal: both are held or walked at once.
pub const ENTRIES_MAX: usize = 100_000;

/// Reads up to this size are done where they are asked for.
const INLINE_BYTES_MAX: usize = 64 << 10;

type Answer<T> = wasmtime::Result<Result<T, Error>>;

impl Host for CallState {
    async fn roots(&mut self) -> wasmtime::Result<Vec<Root>> {
        let Some(files) = &self.files else { return Ok(Vec::new()) };
        Ok(files.roots().map(|(path, writable)| Root { path: path.to_owned(), writable }).collect())
    }

    async fn working_directory(&mut self) -> wasmtime::Result<String> {
        Ok(self.files.as_ref().map_or_else(|| "/".to_owned(), |files| files.project().to_string()))
    }

    async fn stat(&mut self, path: String, follow: bool) -> Answer<Metadata> {
        let last = if follow { Last::Follow } else { Last::Keep };
        Ok(lookup(self).spot(&path, last).and_then(|spot| acts::stat(&spot)))
    }

    async fn read(&mut self, path: String, offset: u64, length: u32) -> Answer<Vec<u8>> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > TRANSFER_BYTES_MAX {
            return Ok(Err(Error::TooLarge(format!(
                "a read is of {TRANSFER_BYTES_MAX} bytes at most, read in parts: `{path}`"
            ))));
        }
        let place = match lookup(self).place(&path, Last::Follow) {
            Ok(place) => place,
            Err(error) => return Ok(Err(error)),
        };
        let act = Act::FileRead { path: place.path.to_string() };
        let detail = |bytes: &Vec<u8>| json!({ "bytes": bytes.len() });
        let work = move || acts::read(&place.open()?, offset, length);
        if length <= INLINE_BYTES_MAX {
            act_here(&self.door, act, work, detail).await
        } else {
            act_through(&self.door, act, work, detail).await
        }
    }

    async fn list(&mut self, path: String) -> Answer<Vec<Entry>> {
        let (files, place) = match lookup(self).files_and_place(&path, Last::Follow) {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        let act = Act::FileList { path: place.path.to_string() };
        let work = move || {
            let spot = place.open()?;
            acts::list(&spot, ENTRIES_MAX, |name| spot.path.join(name).is_ok_and(|path| files.is_hidden(&path)))
        };
        act_through(&self.door, act, work, |entries| json!({ "entries": entries.len() })).await
    }

    async fn write(&mut self, path: String, bytes: Vec<u8>, mode: WriteMode) -> Answer<()> {
        if bytes.len() > TRANSFER_BYTES_MAX {
            return Ok(Err(Error::TooLarge(format!("a write is of {TRANSFER_BYTES_MAX} bytes at most: `{path}`"))));
        }
        if names_folder(&path) {
            return Ok(Err(Error::IsDirectory(format!("the path names a folder: `{path}`"))));
        }
        // As in the kernel: what must not exist must not be a link either.
        let last = if mode == WriteMode::Create { Last::Keep } else { Last::Follow };
        let place = match lookup(self).writable_place(&path, last) {
            Ok(place) => place,
            Err(error) => return Ok(Err(error)),
        };
        let act = Act::FileWrite {
            path: place.path.to_string(),
            bytes: bytes.len() as u64,
            mode: match mode {
                WriteMode::Create => gate::WriteMode::Create,
                WriteMode::Replace => gate::WriteMode::Replace,
                WriteMode::Append => gate::WriteMode::Append,
            },
            sha256: Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        let detail = json!({ "bytes": bytes.len() });
        match self.door.enter_write(act, &bytes).await {
            Ok(pass) => {
                let work = move || close(pass, write::write(&place.open()?, &bytes, mode), |()| detail);
                Ok(tokio::task::spawn_blocking(work).await?)
            }
            Err(refusal) => Ok(Err(Error::Refused(refusal.into()))),
        }
    }

    async fn make_directory(&mut self, path: String, parents: bool) -> Answer<()> {
        let place = match lookup(self).place_to_make(&path, parents) {
            Ok(Some(place)) => place,
            Ok(None) => return Ok(Ok(())),
            Err(error) => return Ok(Err(error)),
        };
        let act = Act::DirectoryMake { path: place.path.to_string(), parents };
        let work = move || if parents { tree::make_folders(&place) } else { tree::make_folder(&place.open()?) };
        act_here(&self.door, act, work, |()| Value::Null).await
    }

    async fn remove(&mut self, path: String, recursive: bool) -> Answer<()> {
        let place = match lookup(self).movable_place(&path) {
            Ok(place) => place,
            Err(error) => return Ok(Err(error)),
        };
        let act = Act::FileRemove { path: place.path.to_string(), recursive };
        let work = move || tree::remove(&place.open()?, recursive, ENTRIES_MAX);
        let removed = act_through(&self.door, act, work, |entries| json!({ "entries": entries })).await?;
        Ok(removed.map(|_| ()))
    }

    async fn rename(&mut self, from: String, to: String) -> Answer<()> {
        let (from, to) = match lookup(self).places_to_rename(&from, &to) {
            Ok(places) => places,
            Err(error) => return Ok(Err(error)),
        };
        let act = Act::FileRename { from: from.path.to_string(), to: to.path.to_string() };
        act_here(&self.door, act, move || tree::rename(&from.open()?, &to.open()?), |()| Value::Null).await
    }

    async fn set_mode(&mut self, path: String, mode: u32) -> Answer<()> {
        if mode > acts::MODE_MAX {
            return Ok(Err(Error::Other(format!("a mode is {:#o} at most: {mode:#o}", acts::MODE_MAX))));
        }
        let place = match lookup(self).writable_place(&path, Last::Follow) {
            Ok(place) => place,
            Err(error) => return Ok(Err(error)),
        };
        let act = Act::FileMode { path: place.path.to_string(), mode };
        act_here(&self.door, act, move || acts::set_mode(&place.open()?, mode), |()| Value::Null).await
    }

    async fn set_modified(&mut self, path: String, modified_ms: u64) -> Answer<()> {
        let place = match lookup(self).writable_place(&path, Last::Follow) {
            Ok(place) => place,
            Err(error) => return Ok(Err(error)),
        };
        let act = Act::FileTime { path: place.path.to_string() };
        act_here(&self.door, act, move || acts::set_modified(&place.open()?, modified_ms), |()| Value::Null).await
    }

    async fn make_symlink(&mut self, target: String, link: String) -> Answer<()> {
        let place = lookup(self).writable_place(&link, Last::Keep);
        let (place, absolute) = match place.and_then(|place| Ok((place.clone(), lookup(self).target(&target, &place)?)))
        {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        let act = Act::FileSymlink { target: absolute.to_string(), link: place.path.to_string() };
        act_here(&self.door, act, move || tree::make_symlink(&place.open()?, &target), |()| Value::Null).await
    }

    async fn read_link(&mut self, path: String) -> Answer<String> {
        Ok(lookup(self).spot(&path, Last::Keep).and_then(|spot| acts::read_link(&spot)))
    }
}

/// Do `work` on the pool of blocking threads, as one act.
async fn act_through<T: Send + 'static>(
    door: &Door,
    act: Act,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    detail: impl FnOnce(&T) -> Value + Send + 'static,
) -> Answer<T> {
    match door.enter(act).await {
        // The outcome is written by who does it: also where nobody waits for it any more.
        Ok(pass) => Ok(tokio::task::spawn_blocking(move || close(pass, work(), detail)).await?),
        Err(refusal) => Ok(Err(Error::Refused(refusal.into()))),
    }
}

/// Do `work` here and now, as one act.
async fn act_here<T>(
    door: &Door,
    act: Act,
    work: impl FnOnce() -> Result<T, Error>,
    detail: impl FnOnce(&T) -> Value,
) -> Answer<T> {
    match door.enter(act).await {
        Ok(pass) => Ok(close(pass, work(), detail)),
        Err(refusal) => Ok(Err(Error::Refused(refusal.into()))),
    }
}

fn close<T>(pass: Pass, outcome: Result<T, Error>, detail: impl FnOnce(&T) -> Value) -> Result<T, Error> {
    match &outcome {
        Ok(value) => pass.done(detail(value)),
        Err(error) => pass.failed(failure::text(error)),
    }
    outcome
}
