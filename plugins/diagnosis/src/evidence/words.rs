//! Words of knowledge, found in logs, events, states and the alert.
//!
//! One pass over each text finds the longest piece of every pattern; what is found is then looked at closely: the other
//! pieces, what must not stand beside them, and whether a *no* or *without* stands before.

use std::collections::{BTreeMap, HashMap};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::facts::Facts;
use super::scope::{Kin, Scope};
use super::{Clock, Evidence};
use crate::cause::Cause;
use crate::incident::{Incident, LogLine};
use crate::instant::Instant;
use crate::knowledge::{Knowledge, TextRule};

/// So much of a text is searched: a line of a megabyte says what it is about at its start.
const TEXT_BYTES_MAX: usize = 4_096;
/// So much of it is quoted.
const EXCERPT_CHARS_MAX: usize = 160;
/// A word of denial counts for what follows within so many bytes.
const DENIAL_BYTES: usize = 48;
/// A line that informs is weaker than one that warns.
const INFORMING: f64 = 0.55;
/// What a text itself calls over.
const OVER: f64 = 0.35;
/// So many times as often as another is what a complaint must be made to drown it.
const RARE: usize = 12;
/// A few lines of so many are noise.
const MANY_LINES: usize = 2_000;

/// Where words stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Log,
    Event,
    State,
    Alert,
}

/// How loud a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Info,
    Unsaid,
    Warning,
    Error,
}

/// That a rule's words were found, in all texts of one kind of place.
#[derive(Clone, Debug)]
pub(crate) struct TextHit {
    /// How much the best of them counts.
    pub(crate) weight: f64,
    pub(crate) count: usize,
    pub(crate) first: Option<Instant>,
    pub(crate) excerpt: String,
    /// They stand in what is about the target, or in what is nobody's.
    pub(crate) is_own: bool,
}

/// All patterns of all causes.
pub(crate) struct Matcher {
    automaton: Option<AhoCorasick>,
    patterns: Vec<Pattern>,
    rules: Vec<RuleAt>,
}

struct Pattern {
    /// In lower case, in their order.
    pieces: Vec<String>,
    begins_small: bool,
    begins_with_digit: bool,
    /// Rules that want it, and rules that are silenced by it.
    wanted_by: Vec<usize>,
    silences: Vec<usize>,
}

struct RuleAt {
    cause: Cause,
    index: usize,
    is_passing: bool,
    before_onset: bool,
}

/// One text with what is known of it.
struct Piece<'a> {
    text: &'a str,
    place: Place,
    kin: Kin,
    weight: f64,
    time: Option<Instant>,
    /// How recent it is, and how much it can be a sign of this trouble.
    age: f64,
    bearing: f64,
}

impl Matcher {
    pub(crate) fn of(knowledge: &Knowledge) -> Self {
        let mut patterns: Vec<Pattern> = Vec::new();
        let mut by_text: HashMap<String, usize> = HashMap::new();
        let mut rules = Vec::new();
        for (cause, known) in &knowledge.causes {
            for (index, rule) in known.text.iter().enumerate() {
                let number = rules.len();
                rules.push(RuleAt {
                    cause: *cause,
                    index,
                    is_passing: known.is_passing,
                    before_onset: rule.before_onset_s.is_some(),
                });
                for (list, is_wanted) in [(&rule.any, true), (&rule.none, false)] {
                    for text in list {
                        let at = *by_text.entry(text.to_lowercase()).or_insert_with_key(|key| {
                            let pieces =
                                key.split('*').filter(|piece| !piece.trim().is_empty()).map(str::to_owned).collect();
                            let first = text.chars().next();
                            let begins_small = first.is_some_and(char::is_lowercase);
                            let begins_with_digit = first.is_some_and(|c| c.is_ascii_digit());
                            patterns.push(Pattern {
                                pieces,
                                begins_small,
                                begins_with_digit,
                                wanted_by: Vec::new(),
                                silences: Vec::new(),
                            });
                            patterns.len() - 1
                        });
                        if let Some(pattern) = patterns.get_mut(at) {
                            if is_wanted { pattern.wanted_by.push(number) } else { pattern.silences.push(number) }
                        }
                    }
                }
            }
        }
        let longest =
            |pattern: &Pattern| pattern.pieces.iter().max_by_key(|piece| piece.len()).cloned().unwrap_or_default();
        let anchors: Vec<String> = patterns.iter().map(longest).collect();
        // The builder fails only beyond sizes that `Knowledge` does not let through; then words are found by none.
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(&anchors)
            .ok();
        Self { automaton, patterns, rules }
    }

    /// The number of a cause's rule among all.
    pub(crate) fn number_of(&self, cause: Cause, index: usize) -> Option<usize> {
        self.rules.iter().position(|rule| rule.cause == cause && rule.index == index)
    }

    pub(super) fn search(
        &self,
        incident: &Incident,
        scope: &Scope,
        clock: Clock,
        facts: &Facts,
    ) -> BTreeMap<(usize, Place), TextHit> {
        let mut hits = BTreeMap::new();
        let mut kin_of: HashMap<&str, Kin> = HashMap::new();
        for line in &incident.logs {
            let mut kin = *kin_of.entry(line.source.as_str()).or_insert_with(|| scope.kin(&line.source));
            let found = self.found_in(&line.message);
            if found.is_empty() {
                continue;
            }
            if kin != Kin::Own && scope.mentions(&line.message) {
                kin = Kin::Own;
            }
            let loudness = if level(line) == Level::Info { INFORMING } else { 1.0 };
            let weight = scope.weight(kin) * loudness;
            let piece = Piece {
                text: &line.message,
                place: Place::Log,
                kin,
                weight,
                time: line.time,
                age: clock.freshness(line.time),
                bearing: clock.bearing(line.time),
            };
            self.note(&mut hits, &piece, &found);
        }
        if incident.logs.len() >= MANY_LINES {
            for hit in hits.values_mut().filter(|hit: &&mut TextHit| hit.count * MANY_LINES < incident.logs.len()) {
                hit.weight *= 0.7;
            }
        }
        // Where one complaint is made a hundred times, another that is made once is not what it is about.
        let loudest = hits.values().filter(|hit: &&TextHit| hit.is_own).map(|hit| hit.count).max().unwrap_or(0);
        for hit in hits.values_mut().filter(|hit| hit.count * RARE < loudest) {
            hit.weight *= 0.75;
        }
        for event in &incident.events {
            // Of `ConfigMap/name` the kind is a word, and the name is not.
            let of = event.source.split_once('/').map_or("", |(kind, _)| kind);
            let text = format!("{of} {}: {}", event.kind, event.message);
            let kin = scope.kin_of_text(&event.source, &event.message);
            let is_repeated = event.count.is_some_and(|count| count >= 2.0);
            let weight = scope.weight(kin) * if is_repeated { 1.0 } else { 0.95 };
            let piece = Piece {
                text: &text,
                place: Place::Event,
                kin,
                weight,
                time: event.first_time.or(event.time),
                age: clock.freshness(event.time),
                bearing: clock.bearing(event.time),
            };
            self.note(&mut hits, &piece, &self.found_in(&text));
        }
        for said in facts.texts() {
            let piece = Piece {
                text: &said.text,
                place: Place::State,
                kin: said.kin,
                weight: scope.weight(said.kin) * said.weight,
                time: None,
                age: 1.0,
                bearing: 1.0,
            };
            self.note(&mut hits, &piece, &self.found_in(&said.text));
        }
        for text in facts.alarms().chain(alert_texts(incident)) {
            let text = scope.without_names(&text);
            let piece = Piece {
                text: &text,
                place: Place::Alert,
                kin: Kin::Own,
                weight: 1.0,
                time: None,
                age: 1.0,
                bearing: 1.0,
            };
            self.note(&mut hits, &piece, &self.found_in(&text));
        }
        hits
    }

    /// Patterns that stand in a text, with where, and whether they are denied there.
    fn found_in(&self, text: &str) -> Vec<(usize, usize, bool)> {
        let Some(automaton) = &self.automaton else { return Vec::new() };
        let text = bounded(text);
        let mut found: Vec<(usize, usize, bool)> = Vec::new();
        let mut lower: Option<String> = None;
        for hit in automaton.find_overlapping_iter(text) {
            let number = hit.pattern().as_usize();
            let Some(pattern) = self.patterns.get(number) else { continue };
            if found.iter().any(|(known, _, is_denied)| *known == number && !is_denied) {
                continue;
            }
            let lower = lower.get_or_insert_with(|| text.to_ascii_lowercase());
            let start = if pattern.pieces.len() == 1 { Some(hit.start()) } else { in_order(lower, &pattern.pieces) };
            if let Some(start) = start.filter(|start| is_word(text, *start, pattern)) {
                found.push((number, start, is_denied(lower, start)));
            }
        }
        found
    }

    fn note(&self, hits: &mut BTreeMap<(usize, Place), TextHit>, piece: &Piece, found: &[(usize, usize, bool)]) {
        let silenced: Vec<usize> = found
            .iter()
            .filter_map(|(number, ..)| self.patterns.get(*number))
            .flat_map(|pattern| &pattern.silences)
            .copied()
            .collect();
        let is_over = !found.is_empty() && is_over(piece.text);
        let mut counted: Vec<usize> = Vec::new();
        for (number, start, is_denied) in found {
            let Some(pattern) = self.patterns.get(*number).filter(|_| !is_denied) else { continue };
            for rule in &pattern.wanted_by {
                if silenced.contains(rule) || counted.contains(rule) {
                    continue;
                }
                counted.push(*rule);
                let Some(known) = self.rules.get(*rule) else { continue };
                let is_sign = !known.is_passing && !known.before_onset;
                let weight = piece.weight * if is_sign { piece.bearing } else { piece.age };
                let weight = if is_over && is_sign { weight * OVER } else { weight };
                let hit = hits.entry((*rule, piece.place)).or_insert_with(|| TextHit {
                    weight: 0.0,
                    count: 0,
                    first: None,
                    excerpt: String::new(),
                    is_own: false,
                });
                hit.count += 1;
                hit.is_own |= piece.kin != Kin::Other;
                if weight > hit.weight {
                    hit.weight = weight;
                    hit.excerpt = excerpt(piece.text, *start);
                }
                if let Some(time) = piece.time.filter(|_| piece.kin != Kin::Other) {
                    hit.first = Some(hit.first.map_or(time, |first| first.min(time)));
                }
            }
        }
    }
}

impl Evidence<'_> {
    /// Whether words of a rule were found in a place, within the time that the rule asks for.
    pub(crate) fn words(&self, number: usize, place: Place, rule: &TextRule) -> Option<&TextHit> {
        let hit = self.hits.get(&(number, place))?;
        let Some(window_s) = rule.before_onset_s else { return Some(hit) };
        let (Some(onset), Some(first)) = (self.onset, hit.first) else { return Some(hit) };
        let before = onset.seconds_since(first);
        // What comes after the trouble began did not begin it; sources are a few minutes apart.
        (-300.0..=f64::from(window_s)).contains(&before).then_some(hit)
    }
}

fn alert_texts(incident: &Incident) -> impl Iterator<Item = String> {
    let alert = &incident.alert;
    let values = alert.labels.iter().chain(&alert.annotations);
    let texts = values.filter_map(|(_, value)| value.as_str().map(str::to_owned));
    std::iter::once(alert.title.clone()).chain(texts)
}

/// What is written small, or is a number, stands alone: `hung` is not in `chung`, and `429` not in `/items/7429`.
fn is_word(text: &str, start: usize, pattern: &Pattern) -> bool {
    let before = text.get(..start).and_then(|head| head.chars().next_back());
    if pattern.begins_with_digit {
        return before.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '/' && c != '.');
    }
    !pattern.begins_small || before.is_none_or(|c| !c.is_ascii_alphanumeric())
}

/// The pieces one after the other; where the first stands.
fn in_order(text: &str, pieces: &[String]) -> Option<usize> {
    let (mut at, mut start) = (0, None);
    for piece in pieces {
        let found = at + text.get(at..)?.find(piece.as_str())?;
        start = start.or(Some(found));
        at = found + piece.len();
    }
    start
}

/// A word that denies what follows stands shortly before, in the same clause.
fn is_denied(text: &str, start: usize) -> bool {
    let mut from = start.saturating_sub(DENIAL_BYTES);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let before = text.get(from..start).unwrap_or_default();
    let clause = before.rsplit([';', ':', '(', '"', '\n', '—', '|']).next().unwrap_or_default();
    let clause = clause.rsplit(". ").next().unwrap_or_default();
    let clause = clause.rsplit(" but ").next().unwrap_or_default();
    let words: Vec<&str> =
        clause.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty()).collect();
    let near = |count: usize, wanted: &[&str]| words.iter().rev().take(count).any(|word| wanted.contains(word));
    // `without OOM, crash, or image pull errors` denies a list; `not` only what stands next to it.
    near(6, &["no", "without", "never", "neither", "nor", "zero", "none"])
        || near(2, &["not", "isn't", "wasn't", "0", "non"])
}

/// The text says itself that it has passed.
fn is_over(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "retried successfully",
        "recovered",
        "resolved",
        "back to normal",
        "self-healed",
        "succeeded after",
        "retry succeeded",
        "no longer",
        "transient",
        "has since",
        "retried ok",
        "retry ok",
        "after retry",
        "on retry",
        "succeeded on attempt",
        "returned to baseline",
        "returned to normal",
    ];
    let text = bounded(text).to_ascii_lowercase();
    text.trim_end().ends_with(" ok")
        || WORDS.iter().any(|word| {
            text.match_indices(word).any(|(at, _)| {
                // `unresolved`, `could not be resolved`, `not recovered`.
                let before = text.get(..at).unwrap_or_default();
                !before.ends_with(|c: char| c.is_alphanumeric())
                    && !before.trim_end().ends_with("not")
                    && !before.trim_end().ends_with(" be")
            })
        })
}

/// How loud a line is: by its field, or by a word at its start.
pub(super) fn level(line: &LogLine) -> Level {
    let named = |word: &str| -> Option<Level> {
        match word.trim_matches(|c: char| !c.is_ascii_alphabetic()).to_ascii_lowercase().as_str() {
            "trace" | "debug" | "info" | "information" | "notice" => Some(Level::Info),
            "warn" | "warning" => Some(Level::Warning),
            "error" | "err" | "fatal" | "critical" | "crit" | "panic" | "severe" | "alert" | "emerg" | "emergency" => {
                Some(Level::Error)
            }
            _ => None,
        }
    };
    let keyed = || {
        let head = line.message.get(..160).unwrap_or(&line.message);
        ["level=", "lvl=", "\"level\":", "\"severity\":", "severity="].iter().find_map(|key| {
            let (_, value) = head.split_once(key)?;
            let value = value.trim_start_matches([' ', '"']);
            let word: String = value.chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
            // Bunyan and pino count: 30 informs, 40 warns, 50 fails.
            match word.parse::<u32>() {
                Ok(number) => Some(if number >= 50 {
                    Level::Error
                } else if number >= 40 {
                    Level::Warning
                } else {
                    Level::Info
                }),
                Err(_) => named(&word),
            }
        })
    };
    // klog: `E0612 10:11:12.000000`.
    let klog = || {
        let mut chars = line.message.chars();
        let mark = chars.next()?;
        let is_klog = chars.by_ref().take(4).filter(char::is_ascii_digit).count() == 4 && chars.next() == Some(' ');
        match mark {
            'I' if is_klog => Some(Level::Info),
            'W' if is_klog => Some(Level::Warning),
            'E' | 'F' if is_klog => Some(Level::Error),
            _ => None,
        }
    };
    let inline = || {
        line.message.split([' ', '\t', '=', ']', ':', '|']).take(6).filter(|word| word.len() <= 12).find_map(|word| {
            // In prose `error` is a word; as a level it is a mark.
            let is_mark =
                word.starts_with(['[', '"']) || word.chars().filter(|c| c.is_alphabetic()).all(char::is_uppercase);
            named(word).filter(|_| is_mark)
        })
    };
    line.level.as_deref().and_then(named).or_else(keyed).or_else(klog).or_else(inline).unwrap_or(Level::Unsaid)
}

/// A word or phrase stands in a text in lower case, and is no part of a longer word at its start.
pub(super) fn stands_in(text: &str, phrase: &str) -> bool {
    let phrase = phrase.to_ascii_lowercase();
    text.match_indices(&phrase).any(|(at, _)| {
        let before = text.get(..at).and_then(|head| head.chars().next_back());
        before.is_none_or(|c| !c.is_alphanumeric()) && !is_denied(text, at)
    })
}

fn bounded(text: &str) -> &str {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or(text)
}

fn excerpt(text: &str, start: usize) -> String {
    let text = bounded(text);
    let mut from = if text.chars().count() <= EXCERPT_CHARS_MAX { 0 } else { start.saturating_sub(60) };
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let tail = text.get(from..).unwrap_or_default().trim();
    let mut quoted: String = if from > 0 { "... ".into() } else { String::new() };
    quoted.extend(tail.chars().take(EXCERPT_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }));
    if tail.chars().count() > EXCERPT_CHARS_MAX {
        quoted.push_str(" ...");
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_holds_for_its_clause_only() {
        let denied = |text: &str, word: &str| is_denied(text, text.find(word).unwrap());
        assert!(denied("restarts without oom, crash, or image pull errors", "oom"));
        assert!(denied("restarts without oom, crash, or image pull errors", "image pull"));
        assert!(denied("exit code 0; no imagepullbackoff observed", "imagepullbackoff"));
        assert!(!denied("no more retries. connection refused", "connection refused"));
        assert!(!denied("the pod does not start: oomkilled", "oomkilled"));
    }

    #[test]
    fn a_level_is_a_field_or_a_mark_and_no_word_of_prose() {
        let line = |level: Option<&str>, message: &str| {
            super::level(&LogLine { level: level.map(Into::into), message: message.into(), ..LogLine::default() })
        };
        assert_eq!(line(Some("WARN"), "x"), Level::Warning);
        assert_eq!(line(None, "2026-01-01 12:00:00 ERROR boom"), Level::Error);
        assert_eq!(line(None, "[error] boom"), Level::Error);
        assert_eq!(line(None, "the error budget is full"), Level::Unsaid);
        assert_eq!(line(None, "INFO all is well"), Level::Info);
    }

    #[test]
    fn what_a_text_calls_over_is_over() {
        assert!(is_over("MountVolume failed: transient issue, retried successfully"));
        assert!(!is_over("the host name could not be resolved"));
        assert!(!is_over("unresolved"));
    }

    #[test]
    fn a_very_long_text_is_searched_at_its_start_and_quoted_short() {
        let text = format!("{}é", "x".repeat(TEXT_BYTES_MAX - 1));
        assert_eq!(bounded(&text).len(), TEXT_BYTES_MAX - 1);
        assert!(excerpt(&text, 100).chars().count() < EXCERPT_CHARS_MAX + 10);
    }
}
