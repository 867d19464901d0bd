//! All integration tests of the crate, on a real PostgreSQL and real SQLite.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test ends at the first thing that goes wrong, and stands outside of the host"
)]

mod changes;
mod health;
mod large;
mod postgres_server;
mod random;
mod renames;
mod snapshots;
mod sqlite;
