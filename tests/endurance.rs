//! The long runs: every pair of faults, and hosts that are killed at random moments. They take many
//! minutes and want a machine for themselves, so `cargo test` leaves them out: `cargo test --test endurance`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test ends at the first thing that goes wrong, and stands outside of the host"
)]

#[path = "lab/heal.rs"]
mod heal;
#[path = "lab/host.rs"]
mod host;

const EXE: &str = env!("CARGO_BIN_EXE_pi-host");

#[test]
fn heals_pairs_of_faults() {
    heal::pairs();
}

#[test]
fn a_host_killed_at_any_moment_heals_after_all_and_repeats_nothing() {
    heal::kills();
}

#[test]
fn heals_each_fault_on_many_seeds() {
    heal::alone(5);
}
