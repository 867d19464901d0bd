//! `pi-host plugin bench`

use std::time::Duration;

use owo_colors::Style;

use crate::app::plugins::{BenchReport, bench};
use crate::cli::output::table;
use crate::cli::{Failure, Output, block_on};
use crate::config::Project;
use crate::gate::explain::escaped;

#[derive(clap::Args)]
#[command(
    after_help = "The calls really happen, with the plugin's grant, and stand in the project's journal. Example:\n  pi-host plugin bench files --tool read --arguments '{\"path\":\"README.md\"}'"
)]
pub(crate) struct Arguments {
    /// The plugin
    name: String,
    /// The tool to call, where it has several
    #[arg(long)]
    tool: Option<String>,
    /// The arguments of each call, a JSON object
    #[arg(long, default_value = "{}", value_name = "JSON")]
    arguments: String,
    /// How long, in seconds
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
}

pub(crate) fn run(output: &Output, project: Project, arguments: &Arguments) -> Result<(), Failure> {
    let progress = |text: &str| output.note(text);
    let duration = Duration::from_secs(arguments.seconds);
    let measured =
        bench(project, &arguments.name, arguments.tool.as_deref(), &arguments.arguments, duration, &progress);
    let report = block_on(measured)??;
    output.data(&report, || text(output, &report));
    Ok(())
}

fn text(output: &Output, report: &BenchReport) -> String {
    let us = |value: f64| if value < 10_000.0 { format!("{value:.0} us") } else { format!("{:.1} ms", value / 1e3) };
    let rows = [
        ("component", format!("{} KiB", report.component_bytes >> 10)),
        ("compiled in", format!("{:.0} ms, once", report.compile_ms)),
        ("loaded from the cache in", format!("{:.1} ms", report.load_ms)),
        ("first call", us(report.first_call_us)),
        ("p50", us(report.p50_us)),
        ("p90", us(report.p90_us)),
        ("p99", us(report.p99_us)),
        ("slowest", us(report.max_us)),
        ("one after another", format!("{:.0} calls/s", report.calls_per_second)),
        ("all cores", format!("{:.0} calls/s", report.calls_per_second_parallel)),
    ];
    let rows: Vec<Vec<String>> = rows.into_iter().map(|(name, value)| vec![format!("  {name}"), value]).collect();
    let head = format!(
        "`{}` of {}, {} calls, each in a fresh instance",
        escaped(&report.tool),
        escaped(&report.plugin),
        report.calls
    );
    format!("{}\n{}", output.out(&head, Style::new().bold()), table(&rows))
}
