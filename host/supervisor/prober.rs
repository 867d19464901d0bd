//! Probes one service again and again, and tells what it found.

use std::sync::Arc;

use tokio::sync::broadcast;

use super::Event;
use super::probe::Prober;
use super::unit::Unit;
use crate::clock::{self, Duration};

/// Until the supervisor is gone.
pub(crate) async fn keep_probing(unit: Arc<Unit>, prober: Prober, events: broadcast::Sender<Event>) {
    let every = Duration::from_millis(unit.probe_config().interval_ms);
    loop {
        tokio::time::sleep(every).await;
        let starts = unit.live().record.starts;
        let result = prober.probe(&unit).await;
        // It was started anew while it was asked: the answer is about two lives, or about none.
        if unit.live().record.starts != starts {
            continue;
        }
        let time_ms = clock::now_ms();
        let is_starting = unit.note(&result, time_ms);
        events.send(Event::Probed { service: unit.name().to_owned(), result, time_ms, is_starting }).ok();
    }
}
