//! What the lines of an incident say, put together: templates ranked by what they tell, and the known faults that lines name.
//!
//! Everything is relative to the onset, if there is one: what is new since, what became more frequent or stopped. Without an onset, or without times, that part is a gap and is said so; it is never taken for
//! health.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;

use super::entry::{Entry, LogLine, cut, entries};
use super::miner::{Miner, TemplateId};
use super::rate::{self, BINS};
use super::severity::Severity;
use super::signature::{Side, Signatures, is_denied};
use super::token::WordHash;

/// Lines that are looked at; of more, the last ones. It bounds memory and time.
const LINES_MAX: usize = 500_000;
/// Templates and sources in a finding.
const TEMPLATES_SHOWN_MAX: usize = 40;
const SOURCES_SHOWN_MAX: usize = 5;
const EXAMPLES_MAX: usize = 3;
const EXAMPLE_BYTES_MAX: usize = 300;
/// Lines of a template among which different examples are looked for; comparing all of them would take as long as mining.
const EXAMPLE_LINES_MAX: u64 = 50;
/// Sources that are counted apart; a hostile log names a new one in each line.
const SOURCES_MAX: usize = 4096;
/// Below, a change of rate may be chance: one in a thousand.
const SURPRISE_MIN: f64 = 3.0;
/// A source that wrote so many lines before, and none after, has gone silent.
const SILENT_LINES_MIN: u64 = 10;

/// What a log says.
#[derive(Debug, Clone, Default, Serialize)]
pub struct LogFinding {
    /// Lines given, and entries that they make: a stack trace is one.
    pub lines: usize,
    pub entries: usize,
    pub without_time: usize,
    /// Entries before the onset, and from it on.
    pub before: u64,
    pub after: u64,
    /// The first and the last time.
    pub from: Option<i64>,
    pub to: Option<i64>,
    /// Lines after by lines before, for the whole log, in lines per time.
    pub volume_ratio: Option<f64>,
    /// Entries of each severity, before and after.
    pub severities: BTreeMap<Severity, (u64, u64)>,
    pub template_count: usize,
    pub templates: Vec<TemplateFinding>,
    pub signatures: Vec<SignatureFinding>,
    /// Sources that wrote before the onset and never after.
    pub silent_sources: Vec<String>,
    /// What could not be told, and why.
    pub gaps: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct TemplateFinding {
    pub id: TemplateId,
    pub template: String,
    pub count: u64,
    pub before: u64,
    pub after: u64,
    pub first: Option<i64>,
    pub last: Option<i64>,
    pub severity: Option<Severity>,
    /// 0 to 1: how sure it is that it is new since the onset.
    pub novelty: f64,
    /// The rate after by the rate before.
    pub rate_ratio: Option<f64>,
    /// About minus the logarithm (base 10) of the probability of such a change by chance.
    pub surprise: f64,
    /// What it is ranked by.
    pub score: f64,
    pub sources: Vec<String>,
    pub examples: Vec<String>,
    /// Names of the signatures that its lines fulfil.
    pub signatures: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct SignatureFinding {
    pub name: String,
    pub cause: String,
    pub side: Side,
    pub weight: f64,
    /// The weight, less what speaks against it: a low severity, or that it was there just as often before the onset.
    pub strength: f64,
    pub count: u64,
    pub before: u64,
    pub after: u64,
    pub first: Option<i64>,
    pub last: Option<i64>,
    pub severity: Option<Severity>,
    pub sources: Vec<String>,
    pub examples: Vec<String>,
}

#[derive(Default)]
struct Tally {
    count: u64,
    before: u64,
    after: u64,
    first: Option<i64>,
    last: Option<i64>,
    severity: Option<Severity>,
    sources: Vec<String>,
    examples: Vec<String>,
    bins: Vec<u32>,
    rules: HashSet<usize>,
    weight: f64,
}

/// Forms of messages that no signature can be found in, whatever their numbers: most lines are of a few forms, and each form is searched once.
#[derive(Default)]
struct Mute {
    known: HashMap<u64, bool, WordHash>,
}

/// Beyond, forms are searched each time: a log of random lines has as many forms as lines.
const FORMS_MAX: usize = 65_536;

impl Mute {
    fn is_mute(&mut self, form: u64, message: &str, signatures: &Signatures) -> bool {
        if let Some(known) = self.known.get(&form) {
            return *known;
        }
        let is_mute = signatures.is_mute(message);
        if self.known.len() < FORMS_MAX {
            self.known.insert(form, is_mute);
        }
        is_mute
    }
}

/// The times that count, and where the onset lies in them.
struct Window {
    from: i64,
    to: i64,
    onset: Option<i64>,
}

impl Window {
    fn span_before(&self) -> f64 {
        self.onset.map_or(0.0, |onset| onset.saturating_sub(self.from).max(0) as f64)
    }

    fn span_after(&self) -> f64 {
        self.onset.map_or(0.0, |onset| self.to.saturating_sub(onset).max(0) as f64 + 1.0)
    }

    fn holds(&self, time: i64) -> bool {
        (self.from..=self.to).contains(&time)
    }
}

/// Summarises with the built-in signatures. `onset` in milliseconds since 1970.
pub fn summarise(lines: &[LogLine<'_>], onset: Option<i64>) -> LogFinding {
    summarise_with(lines, onset, Signatures::built_in())
}

/// Summarises with given signatures.
pub fn summarise_with(lines: &[LogLine<'_>], onset: Option<i64>, signatures: &Signatures) -> LogFinding {
    let mut finding = LogFinding { lines: lines.len(), ..LogFinding::default() };
    let given = lines.len();
    let lines = lines.get(given.saturating_sub(LINES_MAX)..).unwrap_or(lines);
    if lines.len() < given {
        finding.gaps.push(format!(
            "{} of {given} log lines were not looked at: only the last {LINES_MAX} are",
            given - lines.len()
        ));
    }
    let reference = onset.or_else(|| lines.iter().find_map(|line| line.time));
    let entries = entries(lines, reference);
    finding.entries = entries.len();
    if entries.is_empty() {
        finding.gaps.push("there are no log lines".to_owned());
        return finding;
    }
    let window = window(&entries, onset, &mut finding);
    let mut miner = Miner::new();
    let mut mute = Mute::default();
    let ids: Vec<(TemplateId, bool)> = entries
        .iter()
        .map(|entry| {
            let (id, form) = miner.push_form(entry.message.as_bytes(), entry.time);
            (id, form.is_some_and(|form| mute.is_mute(form, &entry.message, signatures)))
        })
        .collect();
    let mut templates: HashMap<TemplateId, Tally, WordHash> = HashMap::default();
    let mut rules: HashMap<usize, Tally> = HashMap::new();
    let mut sources: HashMap<&str, (u64, u64)> = HashMap::new();
    for (entry, (id, is_mute)) in entries.iter().zip(&ids) {
        let place = window.as_ref().and_then(|window| place(entry, window));
        let tally = templates.entry(miner.resolve(*id)).or_default();
        count(tally, entry, place, window.as_ref());
        let message = if *is_mute { "" } else { entry.message.as_ref() };
        for text in [message, entry.trace.as_str()].into_iter().filter(|text| !text.is_empty()) {
            for found in signatures.find(text) {
                let Some(rule) = signatures.rules().get(found.rule) else { continue };
                if tally.rules.insert(found.rule) && rule.cause != "healthy" {
                    tally.weight = tally.weight.max(rule.weight);
                }
                count(rules.entry(found.rule).or_default(), entry, place, window.as_ref());
            }
        }
        if let Some(place) = place {
            if sources.len() < SOURCES_MAX || sources.contains_key(entry.source.as_ref()) {
                let (before, after) = sources.entry(entry.source.as_ref()).or_default();
                *(if place == Place::Before { before } else { after }) += 1;
            }
            *(if place == Place::Before { &mut finding.before } else { &mut finding.after }) += 1;
            if let Some(severity) = entry.severity {
                let (before, after) = finding.severities.entry(severity).or_default();
                *(if place == Place::Before { before } else { after }) += 1;
            }
        }
    }
    judge(&mut finding, window.as_ref(), &miner);
    finding.silent_sources = silent(&sources, window.as_ref());
    finding.template_count = miner.len();
    let texts: HashMap<TemplateId, String> =
        miner.templates().into_iter().map(|template| (template.id, template.text)).collect();
    finding.templates = templates
        .into_iter()
        .map(|(id, tally)| template_finding(id, texts.get(&id), tally, window.as_ref(), signatures))
        .collect();
    finding.templates.sort_by(|one, other| {
        other.score.total_cmp(&one.score).then(other.count.cmp(&one.count)).then(one.id.cmp(&other.id))
    });
    finding.templates.truncate(TEMPLATES_SHOWN_MAX);
    finding.signatures = rules
        .into_iter()
        .filter_map(|(rule, tally)| signature_finding(rule, tally, window.as_ref(), signatures))
        .collect();
    finding.signatures.sort_by(|one, other| {
        other.strength.total_cmp(&one.strength).then(other.count.cmp(&one.count)).then(one.name.cmp(&other.name))
    });
    finding
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Before,
    After,
}

fn place(entry: &Entry<'_>, window: &Window) -> Option<Place> {
    let time = entry.time.filter(|time| window.holds(*time))?;
    let onset = window.onset?;
    Some(if time < onset { Place::Before } else { Place::After })
}

fn count(tally: &mut Tally, entry: &Entry<'_>, place: Option<Place>, window: Option<&Window>) {
    tally.count += 1;
    tally.severity = tally.severity.max(entry.severity);
    if let Some(time) = entry.time {
        tally.first = Some(tally.first.map_or(time, |first| first.min(time)));
        tally.last = Some(tally.last.map_or(time, |last| last.max(time)));
    }
    match place {
        Some(Place::After) => tally.after += 1,
        Some(Place::Before) => {
            tally.before += 1;
            if let (Some(window), Some(time)) = (window, entry.time) {
                if tally.bins.is_empty() {
                    tally.bins.resize(BINS, 0);
                }
                let part = time.saturating_sub(window.from) as f64 / window.span_before().max(1.0);
                let bin = ((part * BINS as f64) as usize).min(BINS - 1);
                if let Some(bin) = tally.bins.get_mut(bin) {
                    *bin += 1;
                }
            }
        }
        None => {}
    }
    if tally.examples.len() < EXAMPLES_MAX && tally.count <= EXAMPLE_LINES_MAX {
        let example = cut(&entry.message, EXAMPLE_BYTES_MAX);
        if !tally.examples.iter().any(|known| known == example) {
            tally.examples.push(example.to_owned());
        }
    }
    if tally.sources.len() < SOURCES_SHOWN_MAX
        && tally.sources.last().map(String::as_str) != Some(entry.source.as_ref())
        && !entry.source.is_empty()
        && !tally.sources.iter().any(|known| *known == entry.source)
    {
        tally.sources.push(cut(&entry.source, EXAMPLE_BYTES_MAX).to_owned());
    }
}

/// The span of the times. A clock that is wrong would stretch it, and make every rate meaningless: what lies far from nearly all others is left out.
fn window(entries: &[Entry<'_>], onset: Option<i64>, finding: &mut LogFinding) -> Option<Window> {
    let mut times: Vec<i64> = entries.iter().filter_map(|entry| entry.time).collect();
    finding.without_time = entries.len() - times.len();
    times.sort_unstable();
    let at = |part: f64| times.get(((times.len().saturating_sub(1)) as f64 * part) as usize).copied();
    let (Some(low), Some(high)) = (at(0.05), at(0.95)) else {
        finding
            .gaps
            .push("no log line has a time: what is new and what became more frequent cannot be told".to_owned());
        return None;
    };
    if finding.without_time > 0 {
        finding.gaps.push(format!("{} of {} log entries have no time", finding.without_time, entries.len()));
    }
    // Few lines are all kept: among three, none is "far from nearly all others".
    let margin =
        if times.len() >= 20 { (high.saturating_sub(low)).saturating_mul(10).max(3_600_000) } else { i64::MAX / 4 };
    let (least, most) = (low.saturating_sub(margin), high.saturating_add(margin));
    let far = times.iter().filter(|time| **time < least || **time > most).count();
    if far > 0 {
        finding.gaps.push(format!("{far} log entries have a time far from the others, in the past or in the future; they are left out of the rates"));
    }
    let from = times.iter().copied().find(|time| *time >= least)?;
    let to = times.iter().rev().copied().find(|time| *time <= most)?;
    finding.from = Some(from);
    finding.to = Some(to);
    Some(Window { from, to, onset })
}

/// Says what is missing for a comparison.
fn judge(finding: &mut LogFinding, window: Option<&Window>, miner: &Miner) {
    if miner.given_up() > 0 {
        finding
            .gaps
            .push(format!("{} log lines are of templates that were given up for lack of room", miner.given_up()));
    }
    let Some(window) = window else { return };
    if window.onset.is_none() {
        finding.gaps.push("the onset is not known: what is new in the logs cannot be told".to_owned());
        return;
    }
    if finding.before == 0 {
        finding.gaps.push("there are no log lines before the onset: what is new cannot be told".to_owned());
    }
    if finding.after == 0 {
        finding.gaps.push("there are no log lines from the onset on".to_owned());
    }
    if finding.before > 0 {
        finding.volume_ratio =
            rate::change(finding.before, window.span_before(), finding.after, window.span_after(), &[])
                .map(|change| change.ratio);
    }
}

fn silent(sources: &HashMap<&str, (u64, u64)>, window: Option<&Window>) -> Vec<String> {
    let Some(window) = window else { return Vec::new() };
    let share = window.span_after() / window.span_before().max(1.0);
    let is_silent = |before: u64, after: u64| after == 0 && before >= SILENT_LINES_MIN && before as f64 * share >= 5.0;
    let mut silent: Vec<String> = sources
        .iter()
        .filter(|(source, (before, after))| !source.is_empty() && is_silent(*before, *after))
        .map(|(source, _)| cut(source, EXAMPLE_BYTES_MAX).to_owned())
        .collect();
    silent.sort();
    silent.truncate(TEMPLATES_SHOWN_MAX);
    silent
}

fn template_finding(
    id: TemplateId,
    text: Option<&String>,
    tally: Tally,
    window: Option<&Window>,
    signatures: &Signatures,
) -> TemplateFinding {
    let severity = tally.severity.or_else(|| tally.examples.first().and_then(|example| told_by_words(example)));
    let known = window.filter(|window| window.onset.is_some());
    let change = known.filter(|window| window.span_before() > 0.0).and_then(|window| {
        rate::change(tally.before, window.span_before(), tally.after, window.span_after(), &tally.bins)
    });
    let novelty =
        known.map_or(0.0, |window| rate::novelty(tally.before, window.span_before(), tally.after, window.span_after()));
    let surprise = change.map_or(0.0, |change| change.surprise);
    // What stopped tells less than what began: much stops when anything fails.
    let changed = change.filter(|change| change.surprise >= SURPRISE_MIN).map_or(0.0, |change| {
        if change.ratio >= 1.0 { (change.ratio.log2() / 4.0).min(1.0) } else { (-change.ratio.log2() / 8.0).min(0.5) }
    });
    let gravity = match severity {
        Some(Severity::Fatal) => 1.0,
        Some(Severity::Error) => 0.9,
        Some(Severity::Warning) => 0.6,
        None => 0.35,
        Some(Severity::Info) => 0.25,
        Some(Severity::Debug | Severity::Trace) => 0.1,
    };
    // Without an onset nothing is known to be new, and gravity and signatures alone rank.
    let news = if known.is_some() { novelty.max(changed) } else { 0.5 };
    let score =
        gravity * (0.2 + 0.8 * news) + 0.5 * tally.weight * if known.is_some() { 0.4 + 0.6 * news } else { 1.0 };
    let mut names: Vec<String> =
        tally.rules.iter().filter_map(|rule| signatures.rules().get(*rule)).map(|rule| rule.name.clone()).collect();
    names.sort();
    TemplateFinding {
        id,
        template: cut(text.map_or("(templates given up)", String::as_str), EXAMPLE_BYTES_MAX).to_owned(),
        count: tally.count,
        before: tally.before,
        after: tally.after,
        first: tally.first,
        last: tally.last,
        severity,
        novelty,
        rate_ratio: change.map(|change| change.ratio),
        surprise,
        score,
        sources: tally.sources,
        examples: tally.examples,
        signatures: names,
    }
}

fn signature_finding(
    rule: usize,
    tally: Tally,
    window: Option<&Window>,
    signatures: &Signatures,
) -> Option<SignatureFinding> {
    let rule = signatures.rules().get(rule)?;
    let mut strength = rule.weight;
    strength *= match tally.severity {
        Some(Severity::Trace | Severity::Debug) => 0.4,
        Some(Severity::Info) => 0.8,
        _ => 1.0,
    };
    if let Some(window) = window.filter(|window| window.onset.is_some() && window.span_before() > 0.0)
        && tally.before > 0
    {
        let change = rate::change(tally.before, window.span_before(), tally.after, window.span_after(), &tally.bins);
        // What went on before as it does after is not what began at the onset. A few lines shortly before it are its first signs.
        let is_chronic = change.is_none_or(|change| change.ratio < 2.0 && tally.before >= 3);
        if is_chronic {
            strength *= 0.4;
        }
    }
    Some(SignatureFinding {
        name: rule.name.clone(),
        cause: rule.cause.clone(),
        side: rule.side,
        weight: rule.weight,
        strength,
        count: tally.count,
        before: tally.before,
        after: tally.after,
        first: tally.first,
        last: tally.last,
        severity: tally.severity,
        sources: tally.sources,
        examples: tally.examples,
    })
}

/// The severity of a message whose line says none.
fn told_by_words(message: &str) -> Option<Severity> {
    const WORDS: [(&str, Severity); 16] = [
        ("fatal", Severity::Fatal),
        ("panic", Severity::Fatal),
        ("segfault", Severity::Fatal),
        ("critical", Severity::Fatal),
        ("error", Severity::Error),
        ("exception", Severity::Error),
        ("failed", Severity::Error),
        ("failure", Severity::Error),
        ("cannot ", Severity::Error),
        ("could not", Severity::Error),
        ("refused", Severity::Error),
        ("denied", Severity::Error),
        ("unable to", Severity::Error),
        ("timed out", Severity::Error),
        ("killed", Severity::Error),
        ("warn", Severity::Warning),
    ];
    let lower = message.to_ascii_lowercase();
    WORDS
        .iter()
        .filter(|(word, _)| lower.find(word).is_some_and(|at| !is_denied(&lower, at, at + word.len(), false)))
        .map(|(_, severity)| *severity)
        .max()
}

#[cfg(test)]
mod tests {
    use super::{LogLine, summarise};
    use crate::logs::{Severity, Side, parse_time};

    const ONSET: &str = "2026-11-23T10:30:00Z";

    fn stamped(minute: i64, second: i64, text: &str) -> String {
        let time = parse_time(ONSET).unwrap() + (minute * 60 + second) * 1000;
        let of_day = time.rem_euclid(86_400_000) / 1000;
        format!("2026-11-23T{:02}:{:02}:{:02}Z {text}", of_day / 3600, of_day / 60 % 60, of_day % 60)
    }

    fn finding(lines: &[String]) -> super::LogFinding {
        let lines: Vec<LogLine<'_>> =
            lines.iter().map(|line| LogLine { source: "api", message: line, ..LogLine::default() }).collect();
        summarise(&lines, parse_time(ONSET))
    }

    fn usual() -> Vec<String> {
        (-30..10)
            .flat_map(|minute| {
                (0..6).map(move |part| {
                    stamped(minute, part * 10, &format!("INFO served request {} in {} ms", minute * 7 + part, part + 3))
                })
            })
            .collect()
    }

    #[test]
    fn what_began_at_the_onset_is_first() {
        let mut lines = usual();
        for minute in 0..10 {
            lines.push(stamped(
                minute,
                5,
                &format!("ERROR order {minute} failed: dial tcp 10.0.0.9:5432: connect: connection refused"),
            ));
        }
        let found = finding(&lines);
        let first = &found.templates[0];
        assert!(
            first.template.contains("connection refused") && first.novelty > 0.99 && first.after == 10,
            "{first:#?}"
        );
        assert_eq!(first.severity, Some(Severity::Error));
        let signature = &found.signatures[0];
        assert_eq!(
            (signature.cause.as_str(), signature.side, signature.count),
            ("dependency_down", Side::Dependency, 10)
        );
        assert_eq!(signature.first, parse_time("2026-11-23T10:30:05Z"));
        assert!(found.gaps.is_empty(), "{:?}", found.gaps);
    }

    #[test]
    fn what_went_on_all_the_time_is_weaker_than_what_began() {
        let mut lines = usual();
        for minute in -30..10 {
            lines.push(stamped(minute, 1, "WARN cache timeout: read timed out"));
        }
        for minute in 0..5 {
            lines.push(stamped(minute, 2, "ERROR write /data/wal: no space left on device"));
        }
        let found = finding(&lines);
        assert_eq!(found.signatures[0].cause, "storage_full");
        let chronic = found.signatures.iter().find(|signature| signature.name == "timeouts").unwrap();
        assert!(chronic.strength < chronic.weight / 2.0 && chronic.before == 30);
    }

    #[test]
    fn a_rate_that_rose_or_fell_is_told_with_its_counts() {
        let mut lines = usual();
        for minute in -30..10 {
            let each = if minute < 0 { 1 } else { 12 };
            lines
                .extend((0..each).map(|part| stamped(minute, part * 4, &format!("WARN retry {part} of job {minute}"))));
            if minute < 0 {
                lines.extend((0..10).map(|part| stamped(minute, part, &format!("INFO consumed message {part}"))));
            }
        }
        let found = finding(&lines);
        let risen = found.templates.iter().find(|template| template.template.contains("retry")).unwrap();
        assert!(risen.rate_ratio.unwrap() > 8.0 && risen.surprise > 3.0 && risen.before == 30);
        let fallen = found.templates.iter().find(|template| template.template.contains("consumed")).unwrap();
        assert!(fallen.rate_ratio.unwrap() < 0.1 && fallen.surprise > 3.0 && fallen.after == 0);
    }

    #[test]
    fn what_is_missing_is_a_gap() {
        let gaps =
            |lines: &[LogLine<'_>], onset: Option<&str>| summarise(lines, onset.and_then(parse_time)).gaps.join("; ");
        assert!(gaps(&[], Some(ONSET)).contains("no log lines"));
        let line = LogLine { message: "started", ..LogLine::default() };
        assert!(gaps(&[line], Some(ONSET)).contains("no log line has a time"));
        let timed = LogLine { time: parse_time("2026-11-23T11:00:00Z"), ..line };
        assert!(gaps(&[timed], Some(ONSET)).contains("no log lines before the onset"));
        assert!(gaps(&[timed], None).contains("onset is not known"));
    }

    #[test]
    fn a_wrong_clock_does_not_stretch_the_rates() {
        let mut lines = usual();
        lines.push("2099-01-01T00:00:00Z INFO served request 1 in 1 ms".to_owned());
        let found = finding(&lines);
        assert!(found.gaps.iter().any(|gap| gap.contains("future")), "{:?}", found.gaps);
        assert!((found.volume_ratio.unwrap() - 1.0).abs() < 0.1, "{:?}", found.volume_ratio);
    }

    #[test]
    fn a_source_that_went_silent_is_named() {
        let lines = usual();
        let mut all: Vec<LogLine<'_>> =
            lines.iter().map(|line| LogLine { source: "api", message: line, ..LogLine::default() }).collect();
        let quiet: Vec<String> = (-30..0).map(|minute| stamped(minute, 3, "INFO tick")).collect();
        all.extend(quiet.iter().map(|line| LogLine { source: "worker", message: line, ..LogLine::default() }));
        assert_eq!(summarise(&all, parse_time(ONSET)).silent_sources, ["worker"]);
    }
}
