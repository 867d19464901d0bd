//! Reading shell scripts: text to syntax tree (`parse`), words to pieces (`word`)
//! and to what they hold (`braces`, `fold`), commands to
//! plain command lines (`lower`, `repeat`, `simple`, `builtin`, `read`, `redirect`), and what commands print as far as that is certain (`output`).
//!
//! Nothing is run and no file is read. What only the run will tell stays unknown.

pub(crate) mod braces;
mod builtin;
pub(crate) mod fold;
pub(crate) mod lower;
mod nested;
pub(crate) mod output;
pub(crate) mod parse;
mod read;
mod redirect;
mod repeat;
pub(crate) mod scope;
mod simple;
#[cfg(test)]
mod state_tests;
pub(crate) mod word;
