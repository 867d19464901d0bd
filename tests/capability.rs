//! The capabilities, each through the very functions that a guest calls.

pub(crate) mod bench;
mod cloud;
mod files;
mod files_write;
mod preopens;
mod process;
mod services;
