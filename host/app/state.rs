//! The folder `.pi/` and the store in it.

use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::Project;
use crate::store::sqlite::SqliteStore;
use crate::store::{Store, StoreError};

/// The store's file in the state folder.
const STORE_FILE: &str = "store.db";

#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("{path} cannot be made: {error}\nhint: pi-host keeps its state beside pi.toml; the folder has to be writable", path = .path.display())]
    Folder { path: PathBuf, error: std::io::Error },
    #[error("{error}\nhint: {}", .error.hint())]
    Store { error: StoreError },
    #[error("nothing has run here yet: there is no {path}\nhint: `pi-host run`, or name the project with --project", path = .0.display())]
    Nothing(PathBuf),
}

/// Open the store, and make it and its folder if they are not there.
///
/// # Errors
/// The folder cannot be made, or the store cannot be opened.
pub async fn open_store(project: &Project) -> Result<Arc<dyn Store>, StateError> {
    let folder = project.state();
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(|error| StateError::Folder { path: folder.clone(), error })?;
    let store = SqliteStore::open(&folder.join(STORE_FILE)).await.map_err(|error| StateError::Store { error })?;
    Ok(Arc::new(store))
}

/// Open the store that is there.
///
/// # Errors
/// There is none, or it cannot be opened.
pub async fn open_existing_store(project: &Project) -> Result<Arc<dyn Store>, StateError> {
    let path = project.state().join(STORE_FILE);
    if !path.exists() {
        return Err(StateError::Nothing(path));
    }
    open_store(project).await
}
