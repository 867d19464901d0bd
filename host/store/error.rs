//! What can go wrong with a store, and what to do about it.

/// Why a store did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    #[error("there is no store at: {path}")]
    Missing { path: String },
    #[error("the store was written by a newer pi-host (schema {found}, this one knows {known}): {path}")]
    NewerSchema { path: String, found: i64, known: i64 },
    #[error("the store is damaged ({detail}): {path}")]
    Corrupt { path: String, detail: String },
    #[error("the store cannot be written ({detail}): {path}")]
    Unwritable { path: String, detail: String },
    #[error("there is no space left for the store ({detail}): {path}")]
    Full { path: String, detail: String },
    #[error("the store stayed locked by another process ({detail}): {path}")]
    Busy { path: String, detail: String },
    /// Nothing of what was asked has been done.
    #[error("the store cannot be reached ({detail}): {path}")]
    Unreachable { path: String, detail: String },
    /// The connection broke while it was being stored.
    #[error("nobody can say whether it was stored ({detail}): {path}")]
    Uncertain { path: String, detail: String },
    #[error("the server does not take this program in ({detail}): {path}")]
    Refused { path: String, detail: String },
    #[error("no store can be kept there ({detail}): {path}")]
    Unfit { path: String, detail: String },
    #[error("another host has taken over this store (this one held lease {epoch})")]
    Fenced { epoch: u64 },
    #[error("{what} is {bytes} bytes, and may be: {bytes_max}")]
    TooLarge { what: &'static str, bytes: usize, bytes_max: usize },
    #[error("{waiting} requests wait already, and there may be: {waiting_max}")]
    TooManyRequests { waiting: u64, waiting_max: u64 },
    #[error("there is no request: {id}")]
    NoRequest { id: String },
    #[error("the store failed ({detail}): {path}")]
    Failed { path: String, detail: String },
}

impl StoreError {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            StoreError::Missing { .. } => {
                "start the host once with `pi-host run`, or go to the folder of its `pi.toml`"
            }
            StoreError::NewerSchema { .. } => "use the newer pi-host; this one has changed nothing",
            StoreError::Corrupt { .. } => {
                "keep a copy of the file and of its -wal (of a schema: `pg_dump`), then move both away; a new store is made at the next start"
            }
            StoreError::Unwritable { .. } => {
                "check the owner and the mode of the file and of its folder; in a database, the rights of its user"
            }
            StoreError::Full { .. } => {
                "free some space and start again; what was acknowledged is stored, `pi-host session verify` shows it"
            }
            StoreError::Busy { .. } => {
                "find who holds it (`fuser` of the file, `pg_stat_activity` of a server), end it, and try again"
            }
            StoreError::Unreachable { .. } => {
                "start the server, and the host again: what was acknowledged is stored, and sessions are taken up where they were"
            }
            StoreError::Uncertain { .. } => "start the host again: it reads what is stored, and goes on from there",
            StoreError::Refused { .. } => {
                "check [store] in pi.toml: the address, its user, database and sslmode, and where the password comes from"
            }
            StoreError::Unfit { .. } => "docs/store.md says what a server needs",
            StoreError::Fenced { .. } => "only one host may use a store; see who runs with `pi-host doctor`",
            StoreError::TooLarge { .. } => "hand over a file's name instead of its content",
            StoreError::TooManyRequests { .. } => "start the host with `pi-host run`: it takes the waiting requests",
            StoreError::NoRequest { .. } => "answered requests are removed after a day",
            StoreError::Failed { .. } => "see `pi-host doctor` for the state of the store",
        }
    }
}
