//! The folder `.pi/`, and the store: in it, or where `[store]` says.

use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::{self, Project, StoreConfig};
use crate::store::postgres::{Address, AddressError, PostgresStore};
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
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error(
        "[store]: the environment variable {0} is not set\nhint: set it where pi-host is started, or name another in pi.toml"
    )]
    Variable(String),
    #[error("nothing has run here yet: there is no {0}\nhint: `pi-host run`, or name the project with --project")]
    Nothing(String),
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
    let failed = |error| StateError::Store { error };
    Ok(match &project.config.store {
        Some(store) => Arc::new(PostgresStore::open(address(store)?).await.map_err(failed)?),
        None => Arc::new(SqliteStore::open(&folder.join(STORE_FILE)).await.map_err(failed)?),
    })
}

/// Open the store that is there.
///
/// # Errors
/// There is none, or it cannot be opened.
pub async fn open_existing_store(project: &Project) -> Result<Arc<dyn Store>, StateError> {
    let failed = |error| match error {
        StoreError::Missing { path } => StateError::Nothing(path),
        error => StateError::Store { error },
    };
    Ok(match &project.config.store {
        Some(store) => Arc::new(PostgresStore::open_existing(address(store)?).await.map_err(failed)?),
        None => Arc::new(SqliteStore::open_existing(&project.state().join(STORE_FILE)).await.map_err(failed)?),
    })
}

fn address(store: &StoreConfig) -> Result<Address, StateError> {
    let variable = |name: &str| config::variable(name).ok_or_else(|| StateError::Variable(name.to_owned()));
    let url = match (&store.url, &store.url_env) {
        (Some(url), _) => url.clone(),
        (None, Some(name)) => variable(name)?,
        // What reads pi.toml refuses this.
        (None, None) => String::new(),
    };
    let password = store.password_env.as_deref().map(variable).transpose()?;
    Ok(Address::parse(&url, password.as_deref(), &store.schema)?)
}
