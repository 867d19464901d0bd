//! Reading shell scripts: text to syntax tree (`parse`), words to pieces (`word`)
//! and to what they hold (`braces`, `fold`), commands to
//! plain command lines (`lower`, `simple`, `builtin`, `redirect`), and what commands print as far as that is certain (`output`).
//!
//! Nothing is run and no file is read. What only the run will tell stays unknown.

pub(crate) mod braces;
mod builtin;
pub(crate) mod fold;
pub(crate) mod lower;
pub(crate) mod output;
pub(crate) mod parse;
mod redirect;
pub(crate) mod scope;
mod simple;
pub(crate) mod word;
