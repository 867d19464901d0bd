//! The tests that need the whole of the host, in one binary: linking it once is what they cost most.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test ends at the first thing that goes wrong, and stands outside of the host"
)]

mod layering;
mod capability;
mod cli;
mod journal;
mod confine;
mod lab;
mod runtime;
