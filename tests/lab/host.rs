//! The host under test: the real binary, started, killed and started again in a lab's folder.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pi_host::lab::{Identity, Incident, Lab};
use rustix::process::Signal;
use serde_json::Value;

const STOP_MAX: Duration = Duration::from_secs(90);

pub(super) struct HostProcess {
    exe: PathBuf,
    project: PathBuf,
    /// What all starts wrote, one file each.
    outputs: Vec<PathBuf>,
    folder: PathBuf,
    child: Option<Child>,
}

impl HostProcess {
    /// Start the host for a lab. `folder` takes what it prints.
    pub(super) fn start(exe: &Path, lab: &mut Lab, folder: &Path) -> Self {
        let mut host = Self {
            exe: exe.to_owned(),
            project: lab.project.clone(),
            outputs: Vec::new(),
            folder: folder.to_owned(),
            child: None,
        };
        host.start_again(lab);
        host
    }

    pub(super) fn start_again(&mut self, lab: &mut Lab) {
        let output = self.folder.join(format!("host-{}.out", self.outputs.len()));
        let file = File::create(&output).expect("a file for the output");
        let child = Command::new(&self.exe)
            .args(["run", "--json"])
            .current_dir(&self.project)
            .stdin(Stdio::null())
            .stderr(file.try_clone().expect("a second handle"))
            .stdout(file)
            .process_group(0)
            .spawn()
            .expect("the host starts");
        lab.adopt(child.id()).expect("the host is written down");
        self.outputs.push(output);
        self.child = Some(child);
    }

    /// With SIGKILL: nothing of it can be caught.
    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("killed");
            child.wait().expect("ended");
        }
    }

    /// Politely, as Ctrl-C does. Its services end with it. False if it had to be killed.
    pub(super) fn stop(&mut self) -> bool {
        let Some(mut child) = self.child.take() else { return true };
        let _ = Identity::of(child.id()).map(|process| process.signal(Signal::TERM));
        let deadline = Instant::now() + STOP_MAX;
        while Instant::now() < deadline {
            if child.try_wait().expect("a status").is_some() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        child.kill().expect("killed");
        child.wait().expect("ended");
        false
    }

    /// Whether it has ended by itself.
    pub(super) fn has_ended(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().expect("a status").is_some())
    }

    /// The incidents that were closed, by all of its starts.
    pub(super) fn incidents(&self) -> Vec<Incident> {
        let mut incidents: Vec<Incident> = Vec::new();
        for output in &self.outputs {
            let text = std::fs::read_to_string(output).unwrap_or_default();
            let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            incidents.extend(lines.filter(|line| line["event"] == "closed").map(|line| incident(&line["data"])));
        }
        // One that was killed between closing an incident and telling of it has written it down.
        if self.outputs.len() > 1 {
            for incident in self.written_down() {
                if !incidents.iter().any(|known| known.session == incident.session) {
                    incidents.push(incident);
                }
            }
        }
        incidents.sort_by_key(|incident| incident.ended_ms);
        incidents
    }

    /// No session is under way, as far as it has told.
    pub(super) fn is_calm(&self) -> bool {
        self.events("session") + self.events("resumed") <= self.events("closed") + self.events("broken")
    }

    /// How often the host that runs now has told of this event.
    pub(super) fn events(&self, name: &str) -> usize {
        let text = self.outputs.last().and_then(|output| std::fs::read_to_string(output).ok()).unwrap_or_default();
        text.lines().filter(|line| line.contains(&format!("\"event\":\"{name}\""))).count()
    }

    /// The sessions that have ended, as the journal tells of them.
    fn written_down(&self) -> Vec<Incident> {
        let json = |arguments: &[&str]| serde_json::from_str::<Value>(&self.data(arguments)).unwrap_or_default();
        let sessions = json(&["session", "list", "--json"]);
        let ended = sessions.as_array().into_iter().flatten().filter(|session| session["status"] != "open");
        ended
            .map(|session| {
                let id = session["id"].as_str().unwrap_or_default();
                let view = json(&["session", "show", id, "--json"]);
                let bodies = || view["entries"].as_array().into_iter().flatten().map(|line| &line["body"]);
                let of = |name: &str| bodies().find(|body| body["entry"] == name).cloned().unwrap_or_default();
                let (started, ended) = (of("session_started"), of("session_ended"));
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                Incident {
                    service: text(&started["task"]["input"]["alert"]["service"]),
                    status: text(&ended["status"]),
                    root_cause: text(&ended["details"]["root_cause"]),
                    session: id.to_owned(),
                    report: self.report_of(id),
                    detected_ms: session["created_ms"].as_u64().unwrap_or(0),
                    ended_ms: session["ended_ms"].as_u64().unwrap_or(0),
                }
            })
            .collect()
    }

    fn report_of(&self, session: &str) -> Option<PathBuf> {
        let folders = std::fs::read_dir(self.project.join("reports")).into_iter().flatten().flatten();
        folders
            .map(|folder| folder.path().join("report.md"))
            .find(|report| std::fs::read_to_string(report).is_ok_and(|text| text.contains(session)))
    }

    /// What it said, in short: what it concluded and did, and not each look that it took.
    pub(super) fn said(&self) -> String {
        let mut text = String::new();
        for output in &self.outputs {
            text.push_str(&format!("--- {}\n", output.display()));
            for line in std::fs::read_to_string(output).unwrap_or_default().lines() {
                let Ok(event) = serde_json::from_str::<Value>(line) else {
                    text.push_str(&format!("{line}\n"));
                    continue;
                };
                let (name, data) = (event["event"].as_str().unwrap_or_default(), &event["data"]);
                let words = match name {
                    "calls" => continue,
                    "says" => data["entry"]["message"].to_string(),
                    "does" => data["entry"]["act"].to_string(),
                    _ => data.to_string(),
                };
                let words: String = words.chars().take(500).collect();
                text.push_str(&format!("{} {name} {words}\n", event["time"].as_str().unwrap_or_default()));
            }
        }
        text
    }

    fn data(&self, arguments: &[&str]) -> String {
        let output = Command::new(&self.exe).args(arguments).current_dir(&self.project).stdin(Stdio::null()).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
    }

    /// Run another command in the project; its standard output and whether it was content.
    pub(super) fn command(&self, arguments: &[&str]) -> (bool, String) {
        let output = Command::new(&self.exe)
            .args(arguments)
            .current_dir(&self.project)
            .stdin(Stdio::null())
            .output()
            .expect("the command runs");
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.success(), text)
    }
}

impl Drop for HostProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

fn incident(data: &Value) -> Incident {
    let text = |key: &str| data[key].as_str().unwrap_or_default().to_owned();
    Incident {
        service: text("service"),
        status: text("status"),
        root_cause: text("root_cause"),
        session: text("session"),
        report: data["report"].as_str().map(PathBuf::from),
        detected_ms: data["detected_ms"].as_u64().unwrap_or(0),
        ended_ms: data["ended_ms"].as_u64().unwrap_or(0),
    }
}
