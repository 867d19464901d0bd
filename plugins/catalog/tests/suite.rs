//! All integration tests of the crate, on a real PostgreSQL and real SQLite.

mod changes;
mod health;
mod large;
mod postgres_server;
mod random;
mod renames;
mod snapshots;
mod sqlite;
