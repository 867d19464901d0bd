//! Native programs, confined by the kernel, and services that outlive their host: with real processes.

mod bench;
mod end;
mod hold;
mod run;
mod service;
