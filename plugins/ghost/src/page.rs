//! The report as Markdown: what changed, in order, each claim with what shows it.
//!
//! Names and values come out of databases, so anybody may have written them: everything that goes into the text is
//! escaped, and what goes into a block of code cannot end it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pi_catalog::database::Rows;
use pi_catalog::finding::{Evidence, Finding, Severity};
use pi_sdk::Value;

use crate::rank::{Order, Ranked};

/// Findings that are told in full; the others get a line each.
const TOLD_MAX: usize = 20;
/// Rows of a piece of evidence, and characters of a cell.
const ROWS_MAX: usize = 12;
const CELL_CHARS_MAX: usize = 60;
/// Values of dimensions that explain a change.
const CONTRIBUTORS_MAX: usize = 6;

/// What was looked at, for the last section.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    pub database: String,
    pub tables: usize,
    pub columns: usize,
    pub statements: u64,
    /// It was looked at for the first time: there is nothing to compare with.
    pub is_first: bool,
    pub gaps: Vec<String>,
    /// What was not judged yet, and why.
    pub abstained: Vec<String>,
}

/// A picture of a finding, by the finding's place.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    pub finding: usize,
    pub name: String,
    pub alternative: String,
}

/// What would mend an ailment: for people, and never run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mend {
    pub statements: Vec<String>,
    pub caveats: Vec<String>,
}

/// What a report consists of.
pub struct Parts<'a> {
    pub title: &'a str,
    pub summary: &'a str,
    pub order: &'a Order,
    pub pictures: &'a [Picture],
    /// By the key of their finding.
    pub mends: &'a BTreeMap<String, Mend>,
    pub scopes: &'a [Scope],
}

/// The title that says most: how many changes there are, and where.
pub fn title(order: &Order, scopes: &[Scope]) -> String {
    let names: Vec<&str> = scopes.iter().map(|scope| scope.database.as_str()).collect();
    let names = names.join(", ");
    if scopes.iter().all(|scope| scope.tables == 0) {
        return format!("{names}: could not be looked at");
    }
    match order.news.len() {
        0 if scopes.iter().all(|scope| scope.is_first) => format!("{names}: a first look"),
        0 => format!("{names}: nothing new"),
        1 => format!("{names}: one change"),
        count => format!("{names}: {count} changes"),
    }
}

/// The paragraph for who reads no more.
pub fn summary(order: &Order, scopes: &[Scope]) -> String {
    if scopes.iter().all(|scope| scope.tables == 0) {
        return "There was nothing that could be looked at; the end of the report says why.".to_owned();
    }
    let mut text = String::new();
    let urgent = order.news.iter().filter(|ranked| ranked.finding.severity >= Severity::Warning).count();
    match (order.news.first(), urgent) {
        (None, _) => text.push_str("Nothing has changed that would be worth your time."),
        (Some(first), 0) => {
            let _ = write!(text, "{}", sentence(&first.finding.claim));
        }
        (Some(first), urgent) => {
            let should =
                if urgent == 1 { "One change should be looked at" } else { "Some changes should be looked at" };
            let _ = write!(text, "{should}. {}", sentence(&first.finding.claim));
        }
    }
    for ranked in order.news.iter().skip(1).take(2) {
        let _ = write!(text, " {}", sentence(&ranked.finding.claim));
    }
    match order.news.len().saturating_sub(3) {
        0 => {}
        1 => text.push_str(" There is one more."),
        more => _ = write!(text, " There are {more} more."),
    }
    let first: Vec<&str> = scopes.iter().filter(|scope| scope.is_first).map(|scope| scope.database.as_str()).collect();
    if !first.is_empty() {
        let _ = write!(
            text,
            " {} was looked at for the first time: changes are told from the next report on.",
            first.join(", ")
        );
    }
    let gaps: usize = scopes.iter().map(|scope| scope.gaps.len()).sum();
    if gaps > 0 {
        let what = if gaps == 1 { "One thing" } else { "Some things" };
        let _ = write!(text, " {what} could not be looked at; the end of the report says what.");
    }
    text
}

/// The whole page.
pub fn page(parts: &Parts<'_>) -> String {
    let mut page = format!("# {}\n\n{}\n", escaped(parts.title), escaped(parts.summary));
    let order = parts.order;
    if order.news.len() > 1 {
        page.push_str("\n| | what | where | how much |\n|---|---|---|---|\n");
        for (number, ranked) in order.news.iter().enumerate() {
            let finding = &ranked.finding;
            let _ = writeln!(
                page,
                "| {} | {} | {} | {} |",
                number + 1,
                escaped(&finding.claim),
                place(finding),
                word(finding.severity)
            );
        }
    }
    for (index, ranked) in order.news.iter().take(TOLD_MAX).enumerate() {
        told(&mut page, index, ranked, parts);
    }
    if order.news.len() > TOLD_MAX {
        page.push_str("\nThe others are in the table above: they weigh less than these.\n");
    }
    if !order.known.is_empty() {
        page.push_str("\n## Still so\n\nTold in an earlier report, and unchanged since.\n\n");
        for ranked in &order.known {
            let _ = writeln!(
                page,
                "- {} ({}, since {})",
                escaped(&ranked.finding.claim),
                place(&ranked.finding),
                day(ranked.first_ms)
            );
        }
    }
    scope(&mut page, parts);
    page
}

fn told(page: &mut String, index: usize, ranked: &Ranked, parts: &Parts<'_>) {
    let finding = &ranked.finding;
    let _ = write!(page, "\n## {}. {}\n\n", index + 1, escaped(&finding.claim));
    let mut facts = vec![format!("{} in {}", word(finding.severity), place(finding))];
    facts.extend(finding.since.as_ref().map(|since| format!("since {}", escaped(since))));
    facts.extend(finding.p_value.map(|p| format!("by chance: {}", chance(p))));
    let _ = writeln!(page, "{}.", facts.join(", "));
    for picture in parts.pictures.iter().filter(|picture| picture.finding == index) {
        let _ = write!(page, "\n![{}]({})\n", escaped(&picture.alternative), picture.name);
    }
    if !finding.contributors.is_empty() {
        page.push_str("\n| which part | before | after | share of the change |\n|---|---:|---:|---:|\n");
        for part in finding.contributors.iter().take(CONTRIBUTORS_MAX) {
            let _ = writeln!(
                page,
                "| {} = {} | {} | {} | {} % |",
                escaped(&part.dimension),
                escaped(&cut(&part.value)),
                number(part.before),
                number(part.after),
                number((part.share * 100.0).round())
            );
        }
    }
    for evidence in &finding.evidence {
        shown(page, evidence);
    }
    if let Some(mend) = parts.mends.get(&ranked.key) {
        for caveat in &mend.caveats {
            let _ = write!(page, "\n{}\n", sentence(&escaped(caveat)));
        }
        if !mend.statements.is_empty() {
            page.push_str("\nWhat would mend it; nobody has run it:\n");
            block(page, &mend.statements.join("\n"));
        }
    }
}

/// A block of SQL that its text cannot end.
fn block(page: &mut String, text: &str) {
    let fence = "`".repeat(longest_run(text).max(2) + 1);
    let _ = write!(page, "\n{fence}sql\n{}\n{fence}\n", text.trim());
}

fn shown(page: &mut String, evidence: &Evidence) {
    page.push_str("\nTo see it again:\n");
    block(page, &evidence.query.statement);
    if !evidence.query.parameters.is_empty() {
        let values: Vec<String> =
            evidence.query.parameters.iter().map(|value| escaped(&cut(&value.to_string()))).collect();
        let _ = write!(page, "\nwith {}\n", values.join(", "));
    }
    table(page, &evidence.rows);
}

fn table(page: &mut String, rows: &Rows) {
    if rows.rows.is_empty() || rows.columns.is_empty() {
        return;
    }
    let names: Vec<String> = rows.columns.iter().map(|name| escaped(&cut(name))).collect();
    let _ = write!(page, "\n| {} |\n|{}\n", names.join(" | "), "---|".repeat(names.len()));
    for row in rows.rows.iter().take(ROWS_MAX) {
        let cells: Vec<String> = row.iter().map(cell).collect();
        let _ = writeln!(page, "| {} |", cells.join(" | "));
    }
    let more = rows.rows.len().saturating_sub(ROWS_MAX);
    if more > 0 || rows.is_cut {
        page.push_str("\nThere are more rows than are shown.\n");
    }
}

fn scope(page: &mut String, parts: &Parts<'_>) {
    page.push_str("\n## What was looked at\n\n");
    for scope in parts.scopes {
        let _ = writeln!(
            page,
            "- `{}`: {} tables with {} columns, by {} statements that only read.",
            scope.database.replace('`', "'"),
            scope.tables,
            scope.columns,
            scope.statements
        );
    }
    if parts.order.muted > 0 {
        let _ = writeln!(page, "- Left out because people muted it: {}.", parts.order.muted);
    }
    for (heading, list) in [
        ("Could not be looked at", parts.scopes.iter().flat_map(|scope| &scope.gaps).collect::<Vec<_>>()),
        ("Not judged yet", parts.scopes.iter().flat_map(|scope| &scope.abstained).collect()),
    ] {
        if !list.is_empty() {
            let _ = write!(page, "\n### {heading}\n\n");
            for line in list {
                let _ = writeln!(page, "- {}", escaped(line));
            }
        }
    }
}

fn place(finding: &Finding) -> String {
    let subject = &finding.subject;
    let column = subject.column.as_deref().unwrap_or_default();
    let parts = [subject.schema.as_str(), &subject.table, column];
    let name: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if name.is_empty() { "the database".to_owned() } else { format!("`{}`", code(&name.join("."))) }
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "good to know",
        Severity::Notice => "worth a look",
        Severity::Warning => "should be looked at",
        Severity::Critical => "urgent",
    }
}

/// How likely it is by chance, as people say it.
fn chance(p: f64) -> String {
    if p < 1e-6 { "less than one in a million".to_owned() } else { format!("{} %", number(p * 100.0)) }
}

fn sentence(claim: &str) -> String {
    let text = claim.trim();
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}

/// A number as people read it.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "unknown".to_owned();
    }
    // A zero that came from below is a zero.
    let value = if value.abs() < f64::MIN_POSITIVE { 0.0 } else { value };
    let digits = match value.abs() {
        large if large >= 100.0 || large == large.trunc() => 0,
        middle if middle >= 1.0 => 1,
        small if small >= 0.01 => 3,
        _ => return format!("{value:.2e}"),
    };
    let text = format!("{value:.digits$}");
    let (sign, rest) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
    let (whole, part) = rest.split_once('.').map_or((rest, None), |(whole, part)| (whole, Some(part)));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    part.map_or_else(|| format!("{sign}{grouped}"), |part| format!("{sign}{grouped}.{part}"))
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => escaped(&cut(text)),
        other => escaped(&cut(&other.to_string())),
    }
}

fn cut(text: &str) -> String {
    let mut short: String = text.chars().take(CELL_CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// Text in which nothing is Markdown but what stands between backticks.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            c if c.is_control() => {}
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '|' | '[' | ']' | '*' | '\\' | '!' => {
                out.push('\\');
                out.push(c);
            }
            '_' => out.push_str("\\_"),
            c => out.push(c),
        }
    }
    out
}

/// What stands between two backticks.
fn code(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && *c != '`' && *c != '|').collect()
}

fn longest_run(text: &str) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

fn day(ms: u64) -> String {
    let ms = i64::try_from(ms).unwrap_or_default();
    pi_signals::instant::rfc3339(ms).chars().take(10).collect()
}
