//! The tests that need the whole of the host, in one binary: linking it once is what they cost most.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test ends at the first thing that goes wrong, and stands outside of the host"
)]

mod approvals;
mod bash;
mod capability;
mod chat;
mod cli;
mod cloud;
mod confine;
mod delivery;
mod detect;
mod engine;
mod gate_random;
mod ghost;
mod incident_diagnose;
mod journal;
mod lab;
mod languages;
mod layering;
mod loopback_slack;
mod mcp;
mod model;
mod moto;
mod packages;
mod plugins;
mod postgres;
mod project;
mod reference;
mod registry;
mod runbooks;
mod runtime;
mod safety;
mod sessions;
mod slack;
mod station;
mod store;
mod supervisor;
mod tools;
mod triggers;
