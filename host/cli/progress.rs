//! What a running host does, line by line, on stderr; with `--json`, JSON lines on stdout.

use std::sync::Arc;

use owo_colors::Style;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::Output;
use crate::app::{Event, Host};
use crate::approval::Note;
use crate::clock;
use crate::gate::explain::escaped;
use crate::journal::{Body, Followed};

/// Longest line of progress.
const LINE_CHARS_MAX: usize = 160;

/// How progress is shown.
#[derive(Clone)]
pub(crate) struct Progress {
    output: Output,
}

impl Progress {
    pub(crate) fn of(output: &Output) -> Self {
        Self { output: output.clone() }
    }

    fn event(&self, event: &Event) {
        let (name, text, style, value) = match event {
            Event::Alarm(alarm) => (
                "alarm",
                format!("{}: {}", alarm.service, alarm.title),
                Style::new().red().bold(),
                json!({ "service": alarm.service, "title": alarm.title, "detail": alarm.detail }),
            ),
            Event::Trigger(told) => (
                told.kind,
                told.text.clone(),
                if told.is_bad { Style::new().red().bold() } else { Style::new().cyan() },
                json!({ "text": told.text, "is_bad": told.is_bad }),
            ),
            Event::Session { id, agent, is_resumed } => (
                if *is_resumed { "resumed" } else { "session" },
                format!("{agent}, {id}"),
                Style::new().cyan().bold(),
                json!({ "session": id, "agent": agent }),
            ),
            Event::Policy { revision, error: None } => (
                "policy",
                format!("read anew, revision {}", &revision.get(..12).unwrap_or(revision)),
                Style::new().green(),
                json!({ "revision": revision }),
            ),
            Event::Policy { revision, error: Some(error) } => (
                "policy",
                format!("the changed policy is broken, the old one goes on: {error}"),
                Style::new().red().bold(),
                json!({ "revision": revision, "error": error }),
            ),
            Event::StoppedAll(Some(stopped)) => (
                "stopped",
                format!(
                    "{}; what changes anything is refused, new sessions wait: `pi-host resume-all`",
                    stopped.words()
                ),
                Style::new().red().bold(),
                json!({ "stopped": stopped }),
            ),
            Event::StoppedAll(None) => {
                ("resumed", "agents go on".to_owned(), Style::new().green().bold(), json!({ "stopped": null }))
            }
            Event::Breaker { what } => (
                "breaker",
                format!("agents only propose on {what} now; `pi-host alarms` has until when"),
                Style::new().red().bold(),
                json!({ "what": what }),
            ),
            Event::Approval(Note::Asked { id, session, summary, .. }) => (
                "asks",
                format!("{id}: {summary}; `pi-host approvals show {id}`"),
                Style::new().yellow().bold(),
                json!({ "approval": id, "session": session, "summary": summary }),
            ),
            // The question itself was told already.
            Event::Approval(Note::Joined { .. }) => return,
            Event::Approval(Note::Settled { id, session, outcome }) => (
                "decided",
                format!("{id}: {outcome}"),
                Style::new().yellow(),
                json!({ "approval": id, "session": session, "outcome": outcome }),
            ),
            Event::Approval(Note::Failed { channel, error }) => (
                "channel",
                format!("{channel}: {error}"),
                Style::new().red().bold(),
                json!({ "channel": channel, "error": error }),
            ),
            Event::Approval(Note::Restored { channel }) => {
                ("channel", format!("{channel}: connected again"), Style::new().green(), json!({ "channel": channel }))
            }
            Event::Waiting { session, approval } => (
                "waits",
                format!("{session} for {approval}"),
                Style::new().dimmed(),
                json!({ "session": session, "approval": approval }),
            ),
            Event::Listening { session } => (
                "listens",
                format!("{session}, for what is said next"),
                Style::new().dimmed(),
                json!({ "session": session }),
            ),
            Event::Closed(closed) => (
                "closed",
                format!("{} {}: {}", closed.service, closed.status, closed.summary),
                if closed.status == "done" { Style::new().green().bold() } else { Style::new().yellow().bold() },
                serde_json::to_value(closed).unwrap_or_default(),
            ),
            Event::Heartbeat { job, what } => (
                "heartbeat",
                what.lines().next().unwrap_or_default().to_owned(),
                Style::new().cyan(),
                json!({ "job": job, "what": what }),
            ),
            Event::Delivery(what) => ("delivery", what.clone(), Style::new().cyan(), json!({ "what": what })),
            Event::Broken { session, error } => (
                "broken",
                format!("{session}: {}", error.lines().next().unwrap_or_default()),
                Style::new().red().bold(),
                json!({ "session": session, "error": error }),
            ),
        };
        self.line(clock::now_ms(), name, &text, style, value);
        if let Event::Broken { error, .. } = event
            && !self.output.is_json
        {
            // What to do about it: a line that may be cut is no place for it.
            error.lines().skip(1).for_each(|line| self.output.note(&format!("              {}", escaped(line))));
        }
        if let Event::Closed(closed) = event
            && let Some(report) = &closed.report
        {
            self.line(closed.ended_ms, "report", &report.display().to_string(), Style::new().dimmed(), Value::Null);
        }
    }

    fn entry(&self, followed: &Followed) {
        let plain = Style::new();
        let session = &followed.session;
        let (name, text, style) = match &followed.body {
            Body::Logged { plugin, message, .. } => ("says", format!("{plugin}: {message}"), plain.italic()),
            Body::CallStarted { tool, arguments, .. } => ("calls", format!("{tool} {arguments}"), plain.dimmed()),
            Body::EffectStarted { act, .. } if act.severity() != crate::gate::Severity::Read => {
                ("does", act.summary(), plain.bold())
            }
            Body::Refused { act, decision, .. } => {
                let rule = decision.rules.first().map_or("policy", String::as_str);
                ("refused", format!("{} ({rule}: {})", act.summary(), decision.reason), plain.yellow().bold())
            }
            _ => return,
        };
        let value = json!({ "session": &**session, "entry": followed.body });
        self.line(followed.time_ms, name, &text, style, value);
    }

    fn line(&self, time_ms: u64, name: &str, text: &str, style: Style, value: Value) {
        if self.output.is_json {
            if !value.is_null() {
                let line = json!({ "time": clock::rfc3339(time_ms), "event": name, "data": value });
                self.output.data(&line, String::new);
            }
            return;
        }
        let time: String = clock::rfc3339(time_ms).chars().skip(11).take(12).collect();
        let mut text = escaped(text);
        if text.chars().count() > LINE_CHARS_MAX {
            text = text.chars().take(LINE_CHARS_MAX).chain(['…']).collect();
        }
        self.output.note(&format!("{time}  {}  {text}", self.output.err(&format!("{name:<8}"), style)));
    }
}

/// What shows what a host does.
pub(crate) struct Shown {
    end: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Shown {
    /// Show what there is, and no more: what is printed afterwards comes last.
    pub(crate) async fn end(self) {
        let _ = self.end.send(());
        // One that has panicked shows nothing either.
        let _ = self.task.await;
    }
}

/// Show what a host does until [`Shown::end`].
pub(crate) fn show(progress: Progress, host: &Arc<Host>) -> Shown {
    let (mut events, mut entries) = (host.events(), host.follow());
    let (end, mut ended) = oneshot::channel();
    let task = tokio::spawn(async move {
        loop {
            // Who is too slow misses lines of talk, never data: the journal has all of it.
            tokio::select! {
                biased;
                entry = entries.recv() => match entry {
                    Ok(entry) => progress.entry(&entry),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
                event = events.recv() => match event {
                    Ok(event) => progress.event(&event),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
                // Last, when nothing waits any more.
                _ = &mut ended => return,
            }
        }
    });
    Shown { end, task }
}
