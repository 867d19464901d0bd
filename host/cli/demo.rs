//! `pi-host run --demo`: the fault lab with a host of this process.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use anyhow::Context;
use owo_colors::Style;
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;

use super::progress;
use super::{Failure, Output};
use crate::app::{Event, Host, Options};
use crate::clock::{self, Duration};
use crate::config::Project;
use crate::lab::Incident;
use crate::lab::demo::{self, DemoOptions, HostUnderTest, Progress};

/// What goes wrong where no seed is named.
const SEED: u64 = 7;

pub(crate) fn run(output: &Output, directory: &Path, seed: Option<u64>) -> Result<(), Failure> {
    let options = DemoOptions {
        seed: seed.unwrap_or(SEED),
        directory: directory.canonicalize().with_context(|| format!("{} cannot be read", directory.display()))?,
        exe: std::env::current_exe().context("this program cannot find its own file")?,
    };
    let summary = demo::run(&options, |project| HostThread::start(output, project), &mut |step| told(output, &step))?;
    let value = json!({
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
        text.push_str(&format!("\n\n{seconds} s. Reports: {}", summary.folder.join("reports").display()));
        text.push_str(&format!(
            "\nNext: pi-host session list --project {0}, pi-host session verify --project {0}",
            demo::FOLDER
        ));
        text
    });
    if summary.is_good() {
        return Ok(());
    }
    output.note(&output.err("not every fault ended as it should", Style::new().red().bold()));
    Err(Failure::Said)
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
