//! How a connection is: whether it answers, and whether its role could do more than read.

/// What `Connection::health` found.
#[derive(Clone, Debug, PartialEq)]
pub struct Health {
    /// `PostgreSQL 15.18` or `SQLite 3.51.3`.
    pub version: String,
    /// The role, or the file.
    pub identity: String,
    pub latency_ms: u64,
    pub warnings: Vec<Warning>,
}

/// The database would let this connection do more than it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub text: String,
    /// What puts it right, where SQL does.
    pub sql: Option<String>,
}
