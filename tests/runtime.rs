//! The runtime against components that are none, that are of another kind, and that misbehave.

mod act;
mod component;
pub(crate) mod guest;
mod guests_of_capabilities;
mod guests_of_hosts;
mod hostile;
mod http;
mod keyvalue;
mod malformed;
mod plain;
