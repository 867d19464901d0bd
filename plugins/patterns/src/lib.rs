//! What changed in the data of a database, found unasked: a pure library that builds for Wasm and natively.
//!
//! [`look`] is the whole of it: each table of a snapshot is looked at by statements that are pushed down ([`profile`]),
//! what each column is for is chosen from a bounded sample ([`roles`]), every series is judged against its own habit
//! ([`habit`], [`checks`]), the many tests of a look are corrected together ([`fdr`]), one fact is claimed once
//! ([`fold`]), and what is worth knowing at the next look is kept in a small [`Memory`].
//!
//! Nobody asked for the findings, so a false one costs more than a missed one: below a minimum of history it abstains and
//! says so. It reads no clock, keeps no connection and never fetches the values of a large column.

pub mod checks;
pub mod contributors;
pub mod fdr;
pub mod fold;
pub mod habit;
mod look;
pub mod memory;
pub mod options;
pub mod profile;
pub mod roles;
mod session;
mod sql;

pub use look::{Abstention, Gap, Report, TableReport, look};
pub use memory::Memory;
pub use options::Options;
