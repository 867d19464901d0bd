//! The local services: starts, probes, restarts and describes what `pi.toml` names.
