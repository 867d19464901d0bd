//! What measurements and log lines say, without asking anybody: a pure library that builds for Wasm and natively.
//!
//! It owns the arithmetic: `metric` (a streaming detector, robust statistics, change points and their onset), `nab` (the scoring of the Numenta Anomaly Benchmark, by which the detector is judged) and `logs`
//! (templates of lines, what is new, what became more frequent, which known faults they name); `instant` is the calendar of them all. It does no I/O, reads no clock, and must not know what a metric is called or means: causes are the business of who
//! calls it.

pub mod instant;
pub mod logs;
pub mod metric;
pub mod nab;
