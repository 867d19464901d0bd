//! Looking at a component of which nothing is known: what it is, and which tools it has.
//!
//! For most that is reading its bytes. One of ACT says only when it is asked which tools it has, so it runs once, with
//! nothing granted; what it said is kept with its compiled code, by the hash of its bytes.

use crate::plugin::{Binary, BinaryError};
use crate::runtime::{Cache, LoadError, Runtime};

/// The folder of compiled code; none where it could not be used safely: then each start is slower, nothing else.
pub(super) fn cache() -> Option<Cache> {
    crate::config::cache_folder().and_then(|folder| Cache::open(&folder).ok())
}

/// Look at any component: one without a manifest is a plugin of this name. It may take as long as compiling does.
///
/// # Errors
/// It is no plugin for this host; or it does not say which tools it has.
pub fn look(bytes: &[u8], name: &str) -> Result<Binary, BinaryError> {
    let binary = Binary::read_named(bytes, name)?;
    if !binary.is_unlisted() {
        return Ok(binary);
    }
    let cache = cache();
    if let Some(known) = cache.as_ref().and_then(|cache| cache.listed(&binary, bytes)) {
        return Ok(known);
    }
    // Callers are within asynchronous code, and without: a thread of its own can wait in either.
    let asked = std::thread::scope(|scope| scope.spawn(|| ask(bytes, name, cache)).join());
    asked.unwrap_or_else(|_| Err(BinaryError::Unlisted("the component could not be asked which tools it has".into())))
}

fn ask(bytes: &[u8], name: &str, cache: Option<Cache>) -> Result<Binary, BinaryError> {
    let unlisted = |error: &dyn std::fmt::Display| BinaryError::Unlisted(error.to_string());
    let threads = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| unlisted(&e))?;
    let runtime = Runtime::with_instances(cache, 1).map_err(|e| unlisted(&e))?;
    match threads.block_on(runtime.load_named(bytes, name)) {
        Ok(compiled) => Ok(compiled.binary),
        Err(LoadError::Binary(error)) => Err(error),
        Err(error) => Err(unlisted(&error)),
    }
}
