//! pi-host: a host for operations agents whose every tool, and the agent itself, is a WebAssembly
//! component that holds only what it was granted. ARCHITECTURE.md is the map.

pub mod app;
pub mod approval;
pub mod capability;
pub mod cli;
pub mod clock;
pub mod config;
pub mod confine;
pub mod delivery;
pub mod gate;
pub mod journal;
pub mod lab;
pub mod mcp;
pub mod model;
pub mod outbound;
pub mod packages;
pub mod plugin;
pub mod registry;
pub mod report;
pub mod runtime;
pub mod scaffold;
pub mod session;
pub mod store;
pub mod supervisor;
pub mod watch;
