//! Points a second through the streaming detector, nothing else: `cargo bench -p pi-signals`.
//!
//! In Wasm: `cargo build -p pi-signals --benches --target wasm32-wasip2 --profile plugin`, and run the component that
//! comes of it in any WASI host.

#![allow(clippy::disallowed_methods, reason = "a benchmark measures time and stands outside of the host")]

use std::time::Instant;

use pi_signals::metric::Detector;

const POINTS: usize = 2_000_000;
const ROUNDS: usize = 5;

/// A metric every five minutes: a daily habit, noise, and a spike now and then.
fn value(at: usize) -> f64 {
    let noise = ((at as f64 * 12.9898).sin() * 43_758.545).rem_euclid(1.0);
    let day = (at as f64 / 288.0 * std::f64::consts::TAU).sin();
    50.0 + 20.0 * day + 5.0 * noise + if at.is_multiple_of(5003) { 80.0 } else { 0.0 }
}

fn main() {
    let points: Vec<f64> = (0..POINTS).map(value).collect();
    let mut best = 0.0_f64;
    for _ in 0..ROUNDS {
        let mut detector = Detector::new();
        let begun = Instant::now();
        let sum: f64 = points.iter().enumerate().map(|(at, value)| detector.push(at as f64 * 300.0, *value)).sum();
        let seconds = begun.elapsed().as_secs_f64();
        // The sum is printed so that the work cannot be left out.
        println!("{:.2} million points a second (sum of the scores {sum:.3})", POINTS as f64 / seconds / 1e6);
        best = best.max(POINTS as f64 / seconds);
    }
    println!("best: {:.2} million points a second", best / 1e6);
}
