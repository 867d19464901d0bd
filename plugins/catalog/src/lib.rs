//! What a database is made of: a pure library that builds for Wasm and natively.
//!
//! It owns the vocabulary in which the analyst speaks of databases: [`database`] is how statements are asked (the caller
//! lends the connection), [`schema`] what a snapshot of a schema holds, [`finding`] the form of all that is found,
//! [`mod@quote`] how a name becomes SQL. On it: [`snapshot`] takes a snapshot, [`mod@diff`] says what is different between two,
//! [`health`] what is not as it should be. It does no I/O of its own and reads no clock.

pub mod database;
pub mod diff;
pub mod finding;
pub mod health;
pub mod pattern;
pub mod quote;
pub mod rows;
pub mod schema;
pub mod snapshot;
pub mod text;
