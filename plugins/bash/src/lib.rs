//! The tool `bash`: a whole shell inside Wasm.
//!
//! bashkit interprets the script. Its file system is the host's ([`world`]), its native programs run
//! on the host ([`external`]), one thread drives all of it ([`executor`]), and a few of its tools are
//! replaced ([`tools`]) or left out because they invent facts ([`programs`]). The core knows the
//! host only as [`system::System`]; [`guest`] is the component around it.

mod executor;
mod external;
#[cfg(target_arch = "wasm32")]
mod guest;
mod notes;
mod programs;
mod shell;
pub mod system;
mod tools;
mod trail;
mod waker;
mod world;

pub use shell::{Call, CallError, Ended, prepare, run};
