//! What a call of one tool costs here: with its grant, the gate and the journal, as an agent would
//! call it.
//!
//! The calls really happen, so they stand in the project's own journal, all in one session: what acts
//! with the project's grants is never written down only where nobody finds it again.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use crate::app::catalog::CatalogError;
use crate::app::setup::Progress;
use crate::app::single::SingleError;
use crate::app::station::{Beside, Station, StationOptions, Wanted};
use crate::capability::hold::PERSON;
use crate::clock;
use crate::config::Project;
use crate::runtime::{LoadError, Runtime, RuntimeError};
use crate::session::message;

/// Calls before the first that counts: pages are touched, caches warm.
const WARM_UP: usize = 50;
/// Most calls whose times are kept.
const CALLS_MAX: usize = 1_000_000;
/// Instances at once.
const INSTANCES: u32 = 64;

#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    #[error(transparent)]
    Single(#[from] SingleError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("plugin `{plugin}` offers several tools\nhint: --tool names one of {tools}")]
    WhichTool { plugin: String, tools: String },
    #[error("plugin `{plugin}` has no tool `{tool}`\nhint: it has {tools}")]
    NoTool { plugin: String, tool: String, tools: String },
    #[error(
        "the call fails, so there is nothing to measure: {0}\nhint: --arguments gives arguments that it can work with"
    )]
    Fails(String),
}

/// What was measured. Times are in microseconds but for those that say otherwise.
#[derive(Clone, Debug, Serialize)]
pub struct BenchReport {
    pub plugin: String,
    pub tool: String,
    pub component_bytes: usize,
    /// Reading, preparing and compiling it, in milliseconds: once for each version.
    pub compile_ms: f64,
    /// The same when the compiled code is in the cache.
    pub load_ms: f64,
    pub first_call_us: f64,
    pub calls: usize,
    pub p50_us: f64,
    pub p90_us: f64,
    pub p99_us: f64,
    pub max_us: f64,
    /// One after another.
    pub calls_per_second: f64,
    /// All cores.
    pub calls_per_second_parallel: f64,
}

/// Call a tool for so long, and measure each call.
///
/// # Errors
/// There is no such tool, or it does not answer.
pub async fn bench(
    project: Project,
    plugin: &str,
    tool: Option<&str>,
    arguments: &str,
    duration: Duration,
    progress: Progress<'_>,
) -> Result<BenchReport, BenchError> {
    let catalog = crate::app::Catalog::of(&project)?;
    let bytes = catalog.bytes(plugin)?;
    let manifest = catalog.binary(plugin)?.manifest;
    let tools = manifest.tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>();
    let tool = match (tool, tools.as_slice()) {
        (Some(tool), tools) if tools.contains(&tool) => tool,
        (None, [only]) => only,
        (Some(tool), tools) => {
            let (plugin, tool) = (plugin.to_owned(), tool.to_owned());
            return Err(BenchError::NoTool { plugin, tool, tools: tools.join(", ") });
        }
        (None, tools) => return Err(BenchError::WhichTool { plugin: plugin.to_owned(), tools: tools.join(", ") }),
    };
    progress(&format!("compiling `{plugin}` afresh ({} KiB)", bytes.len() >> 10));
    let bare = Runtime::with_instances(None, 1)?;
    let begun = clock::monotonic();
    bare.load_named(&bytes, plugin).await?;
    let compile_ms = begun.elapsed().as_secs_f64() * 1e3;
    drop(bare);
    let options = StationOptions {
        name: "plugin bench",
        agent: PERSON.into(),
        kind: "bench",
        task: json!({ "tool": tool }),
        plugins: Wanted::Named([plugin.to_owned()].into()),
        may_ask: false,
        instances: INSTANCES,
        beside: Beside::Refuse,
    };
    let station = Arc::new(Station::open(project, options, progress).await?);
    let work = Work { plugin, tool, arguments, duration, bytes: &bytes, compile_ms };
    let measured = measure(&station, &work, progress).await;
    // All calls have ended with it, so nobody else has the station.
    if let Ok(station) = Arc::try_unwrap(station) {
        let (status, summary) =
            if measured.is_ok() { ("done", "measured") } else { ("failed", "could not be measured") };
        station.close(status, summary).await?;
    }
    measured
}

/// What is measured.
struct Work<'a> {
    plugin: &'a str,
    tool: &'a str,
    arguments: &'a str,
    duration: Duration,
    bytes: &'a [u8],
    compile_ms: f64,
}

async fn measure(station: &Arc<Station>, work: &Work<'_>, progress: Progress<'_>) -> Result<BenchReport, BenchError> {
    let Work { plugin, tool, arguments, duration, bytes, compile_ms } = *work;
    let begun = clock::monotonic();
    if let Some(setup) = station.setup() {
        setup.runtime.load_named(bytes, plugin).await?;
    }
    let load_ms = begun.elapsed().as_secs_f64() * 1e3;
    progress(&format!("calling `{tool}` for {} s", duration.as_secs_f64()));
    let begun = clock::monotonic();
    called(station, tool, arguments).await?;
    let first_call_us = begun.elapsed().as_secs_f64() * 1e6;
    for _ in 0..WARM_UP {
        called(station, tool, arguments).await?;
    }
    let mut times = Vec::new();
    let begun = clock::monotonic();
    while begun.elapsed() < duration && times.len() < CALLS_MAX {
        let at = clock::monotonic();
        called(station, tool, arguments).await?;
        times.push(at.elapsed().as_secs_f64() * 1e6);
    }
    let calls_per_second = rate(times.len(), begun.elapsed());
    times.sort_by(f64::total_cmp);
    let at = |share: f64| {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a place in a list"
        )]
        let index = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
        times.get(index).copied().unwrap_or_default()
    };
    let calls_per_second_parallel = parallel(station, tool, arguments, duration / 2).await?;
    Ok(BenchReport {
        plugin: plugin.to_owned(),
        tool: tool.to_owned(),
        component_bytes: bytes.len(),
        compile_ms,
        load_ms,
        first_call_us,
        calls: times.len(),
        p50_us: at(0.5),
        p90_us: at(0.9),
        p99_us: at(0.99),
        max_us: at(1.0),
        calls_per_second,
        calls_per_second_parallel,
    })
}

async fn called(station: &Station, tool: &str, arguments: &str) -> Result<(), BenchError> {
    match station.call(tool, arguments).await? {
        Ok(_) => Ok(()),
        Err(error) => Err(BenchError::Fails(message::words(&error))),
    }
}

/// Calls a second by as many tasks as there are cores.
async fn parallel(station: &Arc<Station>, tool: &str, arguments: &str, duration: Duration) -> Result<f64, BenchError> {
    let tasks = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let begun = clock::monotonic();
    let each = (0..tasks).map(|_| {
        let (station, tool, arguments) = (station.clone(), tool.to_owned(), arguments.to_owned());
        tokio::spawn(async move {
            let mut calls = 0;
            while begun.elapsed() < duration {
                called(&station, &tool, &arguments).await?;
                calls += 1;
            }
            Ok::<usize, BenchError>(calls)
        })
    });
    let mut calls = 0;
    for done in futures::future::join_all(each).await {
        calls += done.unwrap_or(Ok(0))?;
    }
    Ok(rate(calls, begun.elapsed()))
}

#[allow(clippy::cast_precision_loss, reason = "a rate for people")]
fn rate(calls: usize, elapsed: Duration) -> f64 {
    calls as f64 / elapsed.as_secs_f64().max(1e-9)
}
