//! Statements on real databases: files of SQLite, and a PostgreSQL server that the tests start.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "the tests start a server, and measure how long a deadline takes")]

mod suite {
    mod databases;
    mod faults;
    mod masking;
    mod postgres;
    mod random;
    mod refusals;
    mod server;
    mod sqlite;
}
