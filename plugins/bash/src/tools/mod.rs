//! Tools of the shell that replace bashkit's: those that have to wait with the reactor, run commands
//! side by side, or draw fresh random names.

mod mktemp;
mod sleep;
mod xargs;

use std::sync::Arc;

use bashkit::BashBuilder;

use crate::external::Outside;

/// Add all of them to a shell.
pub(crate) fn add(builder: BashBuilder, outside: &Arc<Outside>) -> BashBuilder {
    builder
        .command("sleep", sleep::Sleep(outside.reactor.clone()))
        .builtin("mktemp", Box::new(mktemp::Mktemp))
        .builtin("xargs", Box::new(xargs::Xargs))
}
