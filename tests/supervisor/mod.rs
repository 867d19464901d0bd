//! The supervisor with real processes.

mod acts;
pub(crate) mod bench;
mod life;
mod memory;
mod probes;
