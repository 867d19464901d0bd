//! What the signals of a system say, as pure functions: no I/O, no clock, no randomness, so that the same lines give the same finding natively and in Wasm.
//!
//! `logs` mines templates from lines, parses their headers, and says what is new, what became more frequent and which known faults they name.

pub mod logs;
