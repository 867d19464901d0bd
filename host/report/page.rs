//! `report.md`: the post-mortem, for a person who was not there. Sections in the order in which one asks: what was it,
//! whom did it hit, when, what does it look like, how do we know, what was done, is it over, what did it cost.
//!
//! Numbers such as `#12` are entries of the journal: `journal.html` beside the report has each under that anchor.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use super::Incident;
use super::escape::{fenced, inline};
use super::facts::{Cost, Facts, Moments, time_of, words};
use super::plots::Plot;
use crate::clock;
use crate::journal::cost;

/// Log lines in the report; incident.json has more.
const LOG_LINES: usize = 20;
/// Probes of the verification in the table, the latest.
const PROBES: usize = 30;
/// References to entries, of one tool.
const LINKS: usize = 12;
/// Entries of any other list.
const ROWS: usize = 100;

pub(super) fn render(incident: &Incident<'_>, facts: &Facts<'_>, plots: &[Plot]) -> String {
    let page = Page { incident, facts, plots, details: incident.details };
    let sections = [
        page.head(),
        page.summary(),
        page.impact(),
        page.next_steps(),
        page.timeline(),
        page.metrics(),
        page.evidence(),
        page.hypotheses(),
        page.steps(),
        page.actions(),
        page.refusals(),
        page.verification(),
        page.cost(),
        page.foot(),
    ];
    sections.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

struct Page<'a> {
    incident: &'a Incident<'a>,
    facts: &'a Facts<'a>,
    plots: &'a [Plot],
    details: &'a Value,
}

impl Page<'_> {
    fn head(&self) -> Option<String> {
        let service = inline(&self.facts.service);
        let subject = if service.is_empty() { "no service" } else { &service };
        let cause = text(&self.details["root_cause"]);
        let mut out = format!("# {subject}: {}\n\n", inline(&status_words(self.incident.status)));
        let _ = writeln!(out, "| | |\n|---|---|");
        let mut row = |name: &str, value: String| {
            if !value.is_empty() {
                let _ = writeln!(out, "| {name} | {value} |");
            }
        };
        let confidence = self.details["confidence"].as_f64().map(|share| format!(" (confidence {share:.2})"));
        if !cause.is_empty() {
            row("root cause", format!("{}{}", inline(cause), confidence.unwrap_or_default()));
        }
        let others: Vec<String> = texts(&self.details["contributing"]).map(inline).collect();
        row("also", others.join(", "));
        if let Some(alert) = self.facts.alert {
            row("alert", inline(text(&alert["title"])));
            row("the alert says", inline(text(&alert["detail"])));
        }
        let (onset, detected) = (self.facts.onset_ms, self.facts.detected_ms);
        let moments = Moments::of(self.incident, self.facts);
        let begin = onset.or(detected);
        row("first seen", onset.map(time).unwrap_or_default());
        row("detected", detected.map(time).unwrap_or_default());
        row("first effective act", moments.act_ms.map(time).unwrap_or_default());
        row("healthy since", moments.recovery_ms.map(time).unwrap_or_default());
        row("proved", moments.proof_ms.map(time).unwrap_or_default());
        row("time to detect", span(onset, detected));
        row("time to act", span(begin, moments.act_ms));
        row("time to mitigate", span(begin, moments.recovery_ms));
        row("time to verify", span(begin, moments.proof_ms));
        let runbooks: Vec<String> = self.runbooks().map(|book| inline(text(&book["name"]))).collect();
        row("runbook", runbooks.join(", "));
        row("session", inline(self.incident.session));
        row("agent", inline(self.incident.agent));
        if self.facts.resumptions > 0 {
            row("resumed", format!("{} times, after the host had ended", self.facts.resumptions));
        }
        Some(out)
    }

    /// Whom it hit, and for how long, as the probes have it.
    fn impact(&self) -> Option<String> {
        let moments = Moments::of(self.incident, self.facts);
        let (begin, end) = (self.facts.onset_ms.or(self.facts.detected_ms), moments.recovery_ms);
        let mut services: Vec<&str> = self.facts.probes.iter().map(|probe| probe.service).collect();
        services.sort_unstable();
        services.dedup();
        let mut lines = Vec::new();
        if let Some(end) = end.filter(|end| begin.is_some_and(|begin| begin <= *end)) {
            lines.push(format!(
                "- Sick for {}, from {}.\n",
                span(begin, Some(end)),
                begin.map(time).unwrap_or_default()
            ));
        } else if let Some(begin) = begin {
            lines.push(format!("- Sick since {}; no recovery was proved.\n", time(begin)));
        }
        for service in services.into_iter().take(ROWS) {
            let own = || self.facts.probes.iter().filter(move |probe| probe.service == service);
            let failed = own().filter(|probe| !probe.is_healthy).count();
            let slowest = own().filter_map(|probe| probe.latency_ms).fold(0.0, f64::max);
            let answers = if failed == 0 {
                "no probe failed".into()
            } else {
                format!("{failed} of {} probes failed", own().count())
            };
            lines.push(format!("- {}: {answers}; the slowest answer took {slowest} ms.\n", inline(service)));
        }
        (!lines.is_empty()).then(|| format!("## Impact\n\n{}", lines.concat()))
    }

    /// Where in the journal the evidence is: which tool looked, and in which entries.
    fn looks(&self) -> String {
        let mut tools: Vec<(&str, Vec<u64>)> = Vec::new();
        for look in &self.facts.looks {
            match tools.iter_mut().find(|(tool, _)| *tool == look.tool) {
                Some((_, entries)) => entries.push(look.sequence),
                None => tools.push((look.tool, vec![look.sequence])),
            }
        }
        let lines = tools.into_iter().take(ROWS).map(|(tool, entries)| {
            let (first, more) = entries.split_at(entries.len().min(LINKS));
            let links: Vec<String> = first.iter().map(|sequence| link(*sequence)).collect();
            let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
            format!("- {}: {}{more}\n", inline(tool), links.join(" "))
        });
        let lines: String = lines.collect();
        if lines.is_empty() {
            lines
        } else {
            format!("\nWhat looked, and the entries of the journal that have what it saw:\n\n{lines}")
        }
    }

    fn metrics(&self) -> Option<String> {
        let pictures: Vec<String> = self
            .plots
            .iter()
            // The file's name is made of letters and digits alone.
            .map(|plot| format!("![{}](plots/{})\n", inline(&plot.alternative), plot.file))
            .collect();
        (!pictures.is_empty()).then(|| format!("## Metrics\n\n{}", pictures.join("\n")))
    }

    fn cost(&self) -> Option<String> {
        let Cost { calls, changes, answers, tokens, nano_usd } = self.facts.cost;
        if calls == 0 && answers == 0 {
            return None;
        }
        let model = match (answers, nano_usd) {
            (0, _) => "no model was asked".to_owned(),
            (_, None) => format!("{answers} answers of models, {tokens} tokens, of no known price"),
            (_, some) => format!("{answers} answers of models, {tokens} tokens, {}", cost(some)),
        };
        Some(format!("## Cost\n\n{calls} tool calls, of which {changes} may change something; {}.\n", inline(&model)))
    }

    fn summary(&self) -> Option<String> {
        Some(format!("## Summary\n\n{}\n", inline(self.incident.summary)))
    }

    fn next_steps(&self) -> Option<String> {
        let title =
            if self.incident.status == "escalated" { "What a person should do next" } else { "What is left to do" };
        list(title, texts(&self.details["next_steps"]))
    }

    fn timeline(&self) -> Option<String> {
        let entries = rows(&self.details["timeline"]);
        if entries.is_empty() {
            return None;
        }
        let begin = self.facts.onset_ms.or(self.facts.detected_ms);
        let mut out = "## Timeline\n\n| time | after | what | |\n|---|---|---|---|\n".to_owned();
        for entry in entries.iter().take(ROWS) {
            let at = time_of(&entry["time"]);
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} |",
                at.map(time).unwrap_or_default(),
                span(begin, at),
                inline(text(&entry["kind"])),
                inline(text(&entry["message"]))
            );
        }
        Some(out)
    }

    fn evidence(&self) -> Option<String> {
        let observed = &self.details["observed"];
        let mut out = String::new();
        let favour = rows(&self.details["hypotheses"])
            .iter()
            .find(|it| it["root_cause"] == self.details["root_cause"])
            .map(|it| &it["for"]);
        for line in favour.into_iter().flat_map(texts).take(ROWS) {
            let _ = writeln!(out, "- {}", inline(line));
        }
        out.push_str(&self.looks());
        let events: Vec<&Value> = rows(&observed["events"]).iter().filter(|event| event["kind"] != "action").collect();
        if !events.is_empty() {
            out.push_str("\n| time | source | event | |\n|---|---|---|---|\n");
            for event in events.iter().skip(events.len().saturating_sub(ROWS)) {
                let at = time_of(&event["time"]).map(time).unwrap_or_default();
                let (source, kind, message) = (text(&event["source"]), text(&event["kind"]), text(&event["message"]));
                let _ = writeln!(out, "| {at} | {} | {} | {} |", inline(source), inline(kind), inline(message));
            }
        }
        out.push_str(&series(rows(&observed["metrics"])));
        let logs = rows(&observed["logs"]);
        if !logs.is_empty() {
            let _ = write!(
                out,
                "\nThe last lines of its logs, as they stand there; lines that differ in numbers alone are shown once:\n\n{}",
                fenced(&excerpt(logs).join("\n"), "text")
            );
        }
        (!out.is_empty()).then(|| format!("## Evidence\n\n{}", out.trim_start_matches('\n')))
    }

    fn hypotheses(&self) -> Option<String> {
        let mut out = String::new();
        let hypotheses = rows(&self.details["hypotheses"]);
        if !hypotheses.is_empty() {
            out.push_str("| cause | confidence | for | against |\n|---|---|---|---|\n");
        }
        for it in hypotheses.iter().take(ROWS).filter(|it| it["confidence"].as_f64().unwrap_or(0.0) > 0.0) {
            let all = |key: &str| texts(&it[key]).map(inline).collect::<Vec<_>>().join("; ");
            let confidence = it["confidence"].as_f64().unwrap_or(0.0);
            let _ = writeln!(
                out,
                "| {} | {confidence:.2} | {} | {} |",
                inline(text(&it["root_cause"])),
                all("for"),
                all("against")
            );
        }
        for (title, key) in [("Ruled out:", "ruled_out"), ("Not known (a gap is no sign of health):", "gaps")] {
            let lines: Vec<String> =
                texts(&self.details[key]).take(ROWS).map(|line| format!("- {}\n", inline(line))).collect();
            if !lines.is_empty() {
                let _ = write!(out, "\n{title}\n\n{}", lines.concat());
            }
        }
        (!out.is_empty()).then(|| format!("## Hypotheses\n\n{}", out.trim_start_matches('\n')))
    }

    /// The runbooks that were followed: the one of a session of its own, or those of an agent.
    fn runbooks(&self) -> impl Iterator<Item = &Value> {
        let own = Some(&self.details["runbook"]).filter(|book| book.is_object());
        own.into_iter().chain(rows(&self.details["runbooks"]))
    }

    /// What became of each step of each runbook.
    fn steps(&self) -> Option<String> {
        let one = |book: &Value| {
            let (name, outcome) = (inline(text(&book["name"])), inline(&text(&book["outcome"]).replace('_', " ")));
            let mut out = format!("## Runbook {name}: {outcome}\n\n{}\n\n", inline(text(&book["title"])));
            let parameters = book["parameters"].as_object().into_iter().flatten();
            for (parameter, value) in parameters {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let _ = writeln!(out, "- {}: {}", inline(parameter), inline(&value));
            }
            out.push_str("\n| step | what | calls | came out | |\n|---|---|---|---|---|\n");
            for step in rows(&book["steps"]).iter().take(ROWS) {
                let state = if step["is_undone"] == true { "taken back" } else { step_words(text(&step["state"])) };
                let looks = step["looks"][0].as_u64().map(|row| format!("looked at: {row} in a row were right"));
                let why = [text(&step["why"]), text(&step["undo_error"])].into_iter().filter(|it| !it.is_empty());
                let why: Vec<String> = why.map(str::to_owned).chain(looks).collect();
                let cells = [text(&step["id"]), text(&step["title"]), text(&step["tool"]), state, &why.join("; ")];
                let _ = writeln!(out, "| {} |", cells.map(inline).join(" | "));
            }
            out
        };
        let all: Vec<String> = self.runbooks().take(ROWS).map(one).collect();
        (!all.is_empty()).then(|| all.join("\n"))
    }

    fn actions(&self) -> Option<String> {
        let actions = rows(&self.details["actions"]);
        let mut out = "## Actions\n\n".to_owned();
        if actions.is_empty() {
            out.push_str("Nothing was changed.\n");
            return Some(out);
        }
        out.push_str("| entry | time | tool | arguments | why | gate | result |\n|---|---|---|---|---|---|---|\n");
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for action in actions.iter().take(ROWS) {
            let (tool, arguments) = (text(&action["tool"]), &action["arguments"]);
            let nth = seen.entry(format!("{tool} {arguments}")).or_default();
            let call = self.facts.call(tool, arguments, *nth);
            *nth += 1;
            let gate = call.map_or_else(|| "not in the journal".to_owned(), |call| words(call.decision));
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} | {} |",
                call.map(|call| link(call.sequence)).unwrap_or_default(),
                time_of(&action["time"]).map(time).unwrap_or_default(),
                inline(tool),
                inline(&arguments.to_string()),
                inline(text(&action["why"])),
                inline(&gate),
                inline(&result_words(action)),
            );
        }
        for diff in actions.iter().take(ROWS).filter_map(|action| action["diff"].as_str()) {
            let _ = write!(out, "\n{}", fenced(diff, "diff"));
        }
        Some(out)
    }

    fn refusals(&self) -> Option<String> {
        let refusals: Vec<(u64, String)> = self
            .facts
            .refusals
            .iter()
            .take(ROWS)
            .map(|it| {
                let advice = if it.decision.advice.is_empty() {
                    String::new()
                } else {
                    format!("; advice: {}", it.decision.advice)
                };
                let (time, gate) = (clock::rfc3339(it.time_ms), words(it.decision));
                (it.sequence, format!("{time} {}: {gate}: {}{advice}", it.action, it.decision.reason))
            })
            .collect();
        let lines = refusals.iter().map(|(sequence, text)| format!("- {} {}\n", link(*sequence), inline(text)));
        (!refusals.is_empty()).then(|| format!("## Refused\n\n{}", lines.collect::<String>()))
    }

    fn verification(&self) -> Option<String> {
        let verification = &self.details["verification"];
        if !verification.is_object() {
            return Some("## Verification\n\nNothing was verified.\n".into());
        }
        let required = verification["required"].as_u64().unwrap_or(0);
        let is_passed = verification["passed"] == Value::Bool(true);
        let verdict = if is_passed { "Passed" } else { "Not passed" };
        let mut out = format!("## Verification\n\n{verdict}: {required} healthy probes in a row were required.");
        let reason = text(&verification["reason"]);
        if !reason.is_empty() {
            let _ = write!(out, " {}.", inline(reason));
        }
        out.push_str("\n\n| entry | time | service | healthy | ms | answer |\n|---|---|---|---|---|---|\n");
        let probes = rows(&verification["probes"]);
        for probe in probes.iter().skip(probes.len().saturating_sub(PROBES)) {
            let healthy = match (probe["healthy"] == true, probe["unknown"] == true) {
                (true, _) => "yes",
                (false, true) => "unknown",
                (false, false) => "no",
            };
            let _ = writeln!(
                out,
                "| {} | {} | {} | {healthy} | {} | {} |",
                time_of(&probe["time"])
                    .and_then(|at| self.facts.look(at, text(&probe["service"])))
                    .map(link)
                    .unwrap_or_default(),
                time_of(&probe["time"]).map(time).unwrap_or_default(),
                inline(text(&probe["service"])),
                probe["latency_ms"].as_u64().unwrap_or(0),
                inline(text(&probe["detail"]))
            );
        }
        Some(out)
    }

    fn foot(&self) -> Option<String> {
        let session = super::folder_name(self.incident.session);
        Some(format!(
            "---\n\nEvery step is in the journal: [journal.html](journal.html), `pi-host session show {session}`. What was observed is in `incident.json`; `pi-host incident replay {session}` diagnoses it again.\n"
        ))
    }
}

fn status_words(status: &str) -> String {
    match status {
        "done" => "healed".into(),
        "nothing_to_do" | "nothing-to-do" => "nothing to do".into(),
        "escalated" => "escalated to a person".into(),
        other => other.to_owned(),
    }
}

/// How a step came out, for people.
fn step_words(state: &str) -> &str {
    match state {
        "left" => "not begun",
        "skipped" => "not needed",
        other => other,
    }
}

fn result_words(action: &Value) -> String {
    let mut words = text(&action["result"]).to_owned();
    if let Some(detail) = action["detail"].as_str() {
        let _ = write!(words, ": {detail}");
    }
    if let Some(rule) = action["detail"]["rule"].as_str() {
        let _ = write!(words, " by the rule {rule}");
    }
    if let Some(note) = action["note"].as_str() {
        let _ = write!(words, "; {note}");
    }
    if action["inverse"] == Value::Bool(true) {
        words.push_str("; takes an earlier act back");
    }
    if action["undone"] == Value::Bool(true) {
        words.push_str("; taken back later, since it changed nothing");
    }
    words
}

/// Each series as its first, lowest, highest and last value.
fn series(metrics: &[Value]) -> String {
    let mut out = String::new();
    for metric in metrics.iter().take(ROWS) {
        let values: Vec<f64> = rows(&metric["points"]).iter().filter_map(|point| point[1].as_f64()).collect();
        let (Some(first), Some(last)) = (values.first(), values.last()) else {
            continue;
        };
        if out.is_empty() {
            out.push_str("\n| metric | of | first | lowest | highest | last |\n|---|---|---|---|---|---|\n");
        }
        let (low, high) =
            values.iter().fold((*first, *first), |(low, high), value| (low.min(*value), high.max(*value)));
        let dimensions = metric["dimensions"].as_object().into_iter().flatten();
        let of: Vec<String> = dimensions.map(|(_, value)| inline(text(value))).collect();
        let name = format!("{} ({})", text(&metric["name"]), text(&metric["unit"]));
        let _ = writeln!(out, "| {} | {} | {first} | {low} | {high} | {last} |", inline(&name), of.join(" "));
    }
    out
}

/// The latest lines that say something of their own, oldest first. A service that is in trouble says
/// the same thing over and over, and what came before it is what one wants to read.
fn excerpt(logs: &[Value]) -> Vec<String> {
    let mut kinds: Vec<(String, String, usize)> = Vec::new();
    for line in logs.iter().rev() {
        let (source, message) = (text(&line["source"]), text(&line["message"]));
        let kind: String = format!("{source} {message}").chars().filter(|c| !c.is_ascii_digit()).collect();
        let has_room = kinds.len() < LOG_LINES;
        match kinds.iter_mut().find(|(known, ..)| *known == kind) {
            Some((.., count)) => *count += 1,
            None if has_room => {
                kinds.push((kind, format!("{} {source}: {}", text(&line["time"]), one_line(message)), 1));
            }
            None => {}
        }
    }
    let lines = kinds.into_iter().rev();
    lines.map(|(_, line, count)| if count > 1 { format!("{line} [{count} such lines]") } else { line }).collect()
}

/// An entry of the journal.
fn link(sequence: u64) -> String {
    format!("[#{sequence}](journal.html#entry-{sequence})")
}

fn list<'a>(title: &str, lines: impl Iterator<Item = &'a str>) -> Option<String> {
    let lines: Vec<String> = lines.take(ROWS).map(|line| format!("- {}\n", inline(line))).collect();
    (!lines.is_empty()).then(|| format!("## {title}\n\n{}", lines.concat()))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    rows(value).iter().filter_map(Value::as_str)
}

fn rows(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A message of several lines must not pass for several messages.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " \u{23ce} ")
}

fn time(ms: u64) -> String {
    inline(&clock::rfc3339(ms))
}

fn span(from: Option<u64>, to: Option<u64>) -> String {
    match (from, to) {
        (Some(from), Some(to)) if to >= from => format!("{}.{} s", (to - from) / 1_000, (to - from) % 1_000 / 100),
        _ => String::new(),
    }
}
