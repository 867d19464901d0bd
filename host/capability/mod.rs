//! What a component can be granted: one file for each WIT interface that the host implements.
//!
//! A capability's state holds its own grant and nobody else's, resolved once when the instance is
//! made. The first line of every host function with an effect asks the [`door`].

pub mod bindings;
pub mod cloud;
pub mod config;
pub mod door;
pub mod files;
pub mod grant;
pub mod hold;
pub mod http;
pub mod keyvalue;
pub mod limits;
pub mod log;
pub mod model;
pub mod patience;
pub mod preopens;
pub mod process;
pub mod safety;
pub mod secret;
pub mod services;
pub mod session;
pub mod sql;
pub mod state;
pub mod tools;
