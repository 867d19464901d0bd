//! `pi-host run --demo`: the fault lab with a host of this process.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use anyhow::Context;
use owo_colors::Style;
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;

use super::output::table;
use super::progress;
use super::{Failure, Output, block_on};
use crate::app::reports::{ReportRecord, reports};
use crate::app::{Event, Host, Options, open_existing_store};
use crate::clock::{self, Duration};
use crate::config::Project;
use crate::gate::explain::escaped;
use crate::lab::demo::{self, DemoOptions, HostUnderTest, Progress};
use crate::lab::{Incident, shop};

/// What is shown of a claim.
const CLAIM_CHARS_MAX: usize = 90;
/// What goes wrong where no seed is named.
const SEED: u64 = 7;

pub(crate) fn run(output: &Output, directory: &Path, seed: Option<u64>) -> Result<(), Failure> {
    let options = DemoOptions {
        seed: seed.unwrap_or(SEED),
        directory: directory.canonicalize().with_context(|| format!("{} cannot be read", directory.display()))?,
        exe: std::env::current_exe().context("this program cannot find its own file")?,
    };
    let summary = demo::run(&options, |project| HostThread::start(output, project), &mut |step| told(output, &step))?;
    let night = shop(output, &summary.folder.join("shop"), options.seed)?;
    let value = json!({
        "shop": night.value(),
        "folder": summary.folder, "took_ms": summary.took_ms, "good": summary.is_good(),
        "faults": summary.verdict.findings.iter().map(|finding| json!({
            "fault": finding.fault.name(), "service": finding.service, "wrong": finding.wrong,
            "status": finding.incident.as_ref().map(|incident| &incident.status),
            "root_cause": finding.incident.as_ref().map(|incident| &incident.root_cause),
            "report": finding.incident.as_ref().and_then(|incident| incident.report.as_ref()),
        })).collect::<Vec<_>>(),
        "wrong": summary.verdict.wrong,
    });
    output.data(&value, || {
        let mut text = format!("\n{}", summary.table().trim_end());
        for line in summary.verdict.complaints() {
            text.push_str(&format!("\nwrong: {line}"));
        }
        let seconds = summary.took_ms / 1_000;
        text.push_str(&format!("\n{seconds} s. Reports: {}", summary.folder.join("reports").display()));
        text.push_str(&format!("\n\n{}", night.table()));
        text.push_str(&format!(
            "\nNext: pi-host session list --project {0}, pi-host session verify --project {0},\n      pi-host report show latest --project {0}/shop",
            demo::FOLDER
        ));
        text
    });
    if summary.is_good() && night.is_good() {
        return Ok(());
    }
    let wrong = if summary.is_good() { "the analyst missed something" } else { "not every fault ended as it should" };
    output.note(&output.err(wrong, Style::new().red().bold()));
    Err(Failure::Said)
}

/// The analyst's part: a shop's database is looked at, things happen to it, and it is looked at again.
struct Night {
    changes: Vec<(&'static shop::Change, Option<usize>)>,
    report: Option<ReportRecord>,
}

impl Night {
    fn is_good(&self) -> bool {
        self.changes.iter().all(|(_, finding)| finding.is_some())
    }

    fn value(&self) -> serde_json::Value {
        json!({
            "good": self.is_good(),
            "report": self.report.as_ref().map(|report| &report.path),
            "changes": self.changes.iter().map(|(change, finding)| json!({ "change": change.name, "finding": finding }))
                .collect::<Vec<_>>(),
        })
    }

    fn table(&self) -> String {
        let claim = |number: usize| {
            let findings = self.report.as_ref().map(|report| report.findings.as_slice()).unwrap_or_default();
            let claim = findings.get(number - 1).map(|finding| finding.claim.as_str()).unwrap_or_default();
            escaped(&claim.chars().take(CLAIM_CHARS_MAX).collect::<String>())
        };
        let head = ["overnight", "told as", ""].map(str::to_owned).to_vec();
        let rows = self.changes.iter().map(|(change, finding)| match finding {
            Some(number) => vec![change.name.to_owned(), format!("finding {number}"), claim(*number)],
            None => vec![change.name.to_owned(), "missed".to_owned(), String::new()],
        });
        let mut text = table(&std::iter::once(head).chain(rows).collect::<Vec<_>>());
        if let Some(report) = &self.report {
            text.push_str(&format!("\nThe analyst's report: {}", report.path.with_extension("html").display()));
        }
        text
    }
}

/// What the project of the shop says.
const SHOP: &str = r#"# A database, the analyst who looks at it each morning, and no more than it needs for that.
[databases.shop]
url = "sqlite:shop.db"
personal = ["*.email"]

[heartbeat.daily]
agent = "ghost"
cron = "0 7 * * *"

[agents.ghost]
[grants.ghost.tools]
names = ["sql_databases", "sql_query", "memory_get", "memory_put", "chart"]
[grants.ghost.log]
[grants.sql.sql]
databases = ["shop"]
[grants.memory.keyvalue]
"#;

fn shop(output: &Output, folder: &Path, seed: u64) -> Result<Night, Failure> {
    let place = || format!("{} cannot be written", folder.display());
    std::fs::create_dir_all(folder).with_context(place)?;
    std::fs::write(folder.join("pi.toml"), SHOP).with_context(place)?;
    let file = folder.join("shop.db");
    let note = |text: &str| told_line(output, "shop", text, Style::new());
    block_on(async {
        let now_ms = clock::now_ms();
        shop::generate(&file, seed, now_ms).await?;
        note(&format!("{}: a shop of four months; the analyst looks at it for the first time", file.display()));
        wake(output, folder).await?;
        shop::change(&file, now_ms).await?;
        let happened: Vec<_> = shop::CHANGES.iter().map(|change| change.name).collect();
        note(&format!("over night: {}", happened.join(", ")));
        wake(output, folder).await?;
        let store = open_existing_store(&Project::load(folder)?).await?;
        let report = reports(&store).await.map_err(anyhow::Error::from)?.into_iter().next();
        let findings = report.as_ref().map(|report| report.findings.as_slice()).unwrap_or_default();
        let lines: Vec<String> = findings.iter().map(|finding| format!("{} {}", finding.key, finding.claim)).collect();
        Ok::<_, anyhow::Error>(Night { changes: shop::told(&lines), report })
    })?
    .map_err(Failure::from)
}

/// Run the shop's job once, as `heartbeat run` does.
async fn wake(output: &Output, folder: &Path) -> anyhow::Result<()> {
    let project = Project::load(folder)?;
    let compiled = |text: &str| output.note(&output.err(text, Style::new().dimmed()));
    let options = Options {
        agents: Some(vec!["ghost".into()]),
        is_watching: false,
        is_talking: false,
        screen: None,
        may_ask: false,
        name: "run --demo",
    };
    let host = Host::start(project, options, &compiled).await?;
    super::run::stop_on_signal(&host);
    let working = host.clone();
    let closed = host.serve_while(async move { working.run_job("daily").await }).await??;
    let closed = closed.context("the analyst's session could not be run")?;
    told_line(output, "analyst", &closed.summary, Style::new().green());
    Ok(())
}

fn told(output: &Output, step: &Progress) {
    let (name, text, style) = match step {
        Progress::Prepared { folder, services } => (
            "lab",
            format!("{} services in {}: {}", services.len(), folder.display(), services.join(", ")),
            Style::new(),
        ),
        Progress::Healthy => ("lab", "all services are healthy; now they break".into(), Style::new().green()),
        Progress::Injected { fault, service } => {
            ("fault", format!("{service}: {}", fault.name()), Style::new().magenta().bold())
        }
        Progress::Closed { .. } => return,
        Progress::Settled { fault, service, expected } => {
            ("lab", format!("{service}: {} is {}", fault.name(), expected), Style::new().green())
        }
    };
    told_line(output, name, &text, style);
}

fn told_line(output: &Output, name: &str, text: &str, style: Style) {
    if output.is_json {
        output.data(
            &json!({ "time": clock::rfc3339(clock::now_ms()), "event": name, "data": { "text": text } }),
            String::new,
        );
        return;
    }
    let time: String = clock::rfc3339(clock::now_ms()).chars().skip(11).take(12).collect();
    output.note(&format!("{time}  {}  {text}", output.err(&format!("{name:<8}"), style)));
}

/// A host on a thread of its own. Dropping it stops the host and waits for its end.
struct HostThread {
    host: Arc<Host>,
    incidents: Receiver<Incident>,
    failures: Receiver<String>,
    thread: Option<JoinHandle<()>>,
}

impl HostThread {
    fn start(output: &Output, project: &Path) -> Result<Self, String> {
        let (started, ready) = channel();
        let (incident_sender, incidents) = channel();
        let (failure_sender, failures) = channel();
        let (output, project) = (output.clone(), project.to_owned());
        let thread = std::thread::Builder::new()
            .name("host".into())
            .spawn(move || match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
                Ok(runtime) => runtime.block_on(serve(&output, &project, &started, incident_sender, &failure_sender)),
                Err(error) => {
                    let _ = started.send(Err(error.to_string()));
                }
            })
            .map_err(|error| error.to_string())?;
        let host = ready.recv().map_err(|_| "the host's thread ended".to_owned())??;
        Ok(Self { host, incidents, failures, thread: Some(thread) })
    }
}

async fn serve(
    output: &Output,
    project: &Path,
    started: &Sender<Result<Arc<Host>, String>>,
    incidents: Sender<Incident>,
    failures: &Sender<String>,
) {
    let compiled = |text: &str| output.note(&output.err(text, Style::new().dimmed()));
    let options = Options {
        agents: None,
        is_watching: true,
        is_talking: false,
        screen: None,
        may_ask: false,
        name: "run --demo",
    };
    let host = match Project::load(project) {
        Ok(project) => Host::start(project, options, &compiled).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let host = match host {
        Ok(host) => host,
        Err(error) => {
            let _ = started.send(Err(error));
            return;
        }
    };
    let shown = progress::show(progress::Progress::of(output), &host);
    let mut events = host.events();
    let forwarded = tokio::spawn(async move {
        loop {
            match events.recv().await {
                Ok(Event::Closed(closed)) => {
                    let incident = Incident {
                        service: closed.service,
                        status: closed.status,
                        root_cause: closed.root_cause,
                        session: closed.session,
                        report: closed.report,
                        detected_ms: closed.detected_ms,
                        ended_ms: closed.ended_ms,
                    };
                    if incidents.send(incident).is_err() {
                        return;
                    }
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    });
    // Ctrl-C ends the demo's services, its stray process and its small disk as well.
    super::run::stop_on_signal(&host);
    if started.send(Ok(host.clone())).is_ok() {
        let ended = host.serve().await;
        let _ = failures.send(ended.map_or_else(|error| error.to_string(), |()| "it was stopped".to_owned()));
    }
    shown.end().await;
    forwarded.abort();
}

impl HostUnderTest for HostThread {
    fn next_incident(&mut self, within: Duration) -> Option<Incident> {
        self.incidents.recv_timeout(within).ok()
    }

    fn failure(&mut self) -> Option<String> {
        self.failures.try_recv().ok()
    }
}

impl Drop for HostThread {
    fn drop(&mut self) {
        self.host.stop();
        if let Some(thread) = self.thread.take() {
            // A panic of the host's thread has been printed; there is nothing to add.
            let _ = thread.join();
        }
    }
}
