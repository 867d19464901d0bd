//! Connections to PostgreSQL and SQLite that can only read, judged statement by statement.
//!
//! A statement is read first (`Statement::read`): what is not one statement that reads, or calls a function that reaches
//! out, is refused before anything is sent, and who decides about it decides about exactly the text that runs.
//! Below that nothing is trusted to have been right: PostgreSQL runs it in a read-only transaction over the extended
//! protocol, as the query of a cursor; SQLite is opened read-only, with `query_only` and an authorizer that lets reads
//! through alone.
//!
//! Columns that the settings mark as personal are masked before they leave; `lineage` has the rule. Rows, bytes, cells,
//! time and the planner's estimate are limited; what was cut says so. This crate knows nothing of the host: neither the
//! environment nor a clock of its own is read here (time is only measured).

mod answer;
mod connection;
mod error;
mod functions;
mod health;
mod lineage;
mod postgres;
mod relation;
mod settings;
mod sqlite;
mod statement;
mod tokens;

pub use answer::{Answer, Column, Limits};
pub use connection::{Connection, Snapshot};
pub use error::Error;
pub use health::{Health, Warning};
pub use pi_catalog::database::Dialect;
pub use pi_catalog::pattern::ColumnPattern;
pub use settings::{Secret, Settings, Tls};
pub use statement::{Kind, Statement};
