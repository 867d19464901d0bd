//! Words of knowledge, found in logs, events, states and the alert.
//!
//! One pass over each text finds the longest piece of every pattern; what is found is then looked at closely: the other
//! pieces, what must not stand beside them, and whether a *no* or *without* stands before.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use pi_signals::logs::{Miner, TemplateId};

use super::facts::Facts;
use super::scope::{Kin, Scope};
use super::{Clock, Evidence};
use crate::cause::Cause;
use crate::incident::{Event, Incident, LogLine};
use crate::instant::Instant;
use crate::knowledge::Knowledge;

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
/// The same where nobody knows whose lines they are.
const RARE_OF_ANYBODY: usize = 4;
/// A few lines of so many are noise.
const MANY_LINES: usize = 2_000;

/// What was said long ago, with nothing since, where all that was measured is well.
const PASSED: f64 = 0.4;
/// What was said as often before the trouble counts so much.
const HABIT: f64 = 0.3;
/// What was said only once before, and not more often since.
const HABIT_ONCE: f64 = 0.45;
/// Fewer lines before the onset are no habit, nor is what became so many times as frequent, nor what is seen for less
/// than so many seconds before.
const HABIT_LINES_MIN: u32 = 2;
const HABIT_RATE_MAX: f64 = 2.5;
const SPAN_MIN_S: f64 = 120.0;
const HABIT_AGE_S: f64 = 900.0;
/// An event that was reported so often, since so long before the onset, is a habit as well.
const CHRONIC_COUNT: f64 = 20.0;
const CHRONIC_S: f64 = 3_600.0;
/// A change that is noted so much later than the trouble may have begun it still.
const LATE_S: f64 = 300.0;

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
    /// How often in lines that do more than inform.
    loud: usize,
    pub(crate) first: Option<Instant>,
    pub(crate) last: Option<Instant>,
    pub(crate) excerpt: String,
    /// Which text the best of them is, so that another rule's hit in the same one is known.
    pub(crate) text: u64,
    /// They stand in what is about the target, or in what is nobody's.
    pub(crate) is_own: bool,
}

/// Patterns that stand in a text, with where, and whether they are denied there.
type Found = Vec<(usize, usize, bool)>;

/// What a log says as often before the onset as since: its habit, and no sign of what happened then.
struct Habits {
    /// The template of each line that was given, and whether a template is a habit.
    ids: Vec<TemplateId>,
    /// What is left of its weight.
    left: HashMap<TemplateId, f64>,
}

impl Habits {
    fn of<'a>(lines: impl Iterator<Item = &'a LogLine>, incident: &Incident, onset: Option<Instant>) -> Self {
        let none = Self { ids: Vec::new(), left: HashMap::new() };
        let times = || incident.logs.iter().filter_map(|line| line.time);
        let (Some(onset), Some(from), Some(to)) = (onset, times().min(), times().max()) else { return none };
        let (span_before, span_after) = (onset.seconds_since(from), to.seconds_since(onset));
        if span_before < SPAN_MIN_S || span_after < 0.0 {
            return none;
        }
        let mut miner = Miner::new();
        let mined: Vec<(TemplateId, Option<Instant>)> =
            lines.map(|line| (miner.push(bounded(&line.message).as_bytes(), None), line.time)).collect();
        let mut counts: HashMap<TemplateId, (u32, u32)> = HashMap::new();
        let mut first: HashMap<TemplateId, Instant> = HashMap::new();
        let mut ids = Vec::with_capacity(mined.len());
        for (id, time) in mined {
            let id = miner.resolve(id);
            ids.push(id);
            let count = counts.entry(id).or_default();
            if let Some(time) = time {
                first.entry(id).and_modify(|known| *known = time.min(*known)).or_insert(time);
            }
            match time {
                Some(time) if time < onset => count.0 += 1,
                Some(_) => count.1 += 1,
                None => {}
            }
        }
        let left = |id: TemplateId, (before, after): (u32, u32)| {
            // The onset is known to a few minutes only: what began shortly before it may be its first sign.
            let is_old = first.get(&id).is_some_and(|first| onset.seconds_since(*first) > HABIT_AGE_S);
            let rate_before = f64::from(before) / span_before;
            let rate_after = f64::from(after) / span_after.max(SPAN_MIN_S);
            if !is_old || rate_after > HABIT_RATE_MAX * rate_before {
                return 1.0;
            }
            if before >= HABIT_LINES_MIN { HABIT } else { HABIT_ONCE }
        };
        Self { ids, left: counts.into_iter().map(|(id, count)| (id, left(id, count))).collect() }
    }

    /// What is left of the weight of a line.
    fn left_of(&self, at: usize) -> f64 {
        self.ids.get(at).and_then(|id| self.left.get(id)).copied().unwrap_or(1.0)
    }
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
    begins_with_letter: bool,
    begins_with_digit: bool,
    /// Rules that want it, and rules that are silenced by it.
    wanted_by: Vec<usize>,
    silences: Vec<usize>,
}

struct RuleAt {
    cause: Cause,
    index: usize,
    is_passing: bool,
    /// It counts only from so long before the onset on.
    window_s: Option<u32>,
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
    onset: Option<Instant>,
    /// It does more than inform.
    is_loud: bool,
}

impl Piece<'_> {
    /// Whether it is from shortly before the onset. What comes after the trouble began did not begin it; sources are a
    /// few minutes apart.
    fn is_within(&self, window_s: u32) -> bool {
        let (Some(onset), Some(time)) = (self.onset, self.time) else { return true };
        (-LATE_S..=f64::from(window_s)).contains(&onset.seconds_since(time))
    }
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
                    window_s: rule.before_onset_s,
                });
                for (list, is_wanted) in [(&rule.any, true), (&rule.none, false)] {
                    for text in list {
                        let at = *by_text.entry(text.to_lowercase()).or_insert_with_key(|key| {
                            let pieces =
                                key.split('*').filter(|piece| !piece.trim().is_empty()).map(str::to_owned).collect();
                            let first = text.chars().next();
                            let begins_with_letter = first.is_some_and(char::is_alphabetic);
                            let begins_with_digit = first.is_some_and(|c| c.is_ascii_digit());
                            patterns.push(Pattern {
                                pieces,
                                begins_with_letter,
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
        let mut heard: Vec<(&LogLine, Found, Kin)> = Vec::new();
        for line in &incident.logs {
            let mut kin = *kin_of.entry(line.source.as_str()).or_insert_with(|| scope.kin(&line.source));
            let found = self.found_in(&line.message);
            if found.is_empty() {
                continue;
            }
            if kin != Kin::Own && scope.mentions(&line.message) {
                kin = Kin::Own;
            }
            heard.push((line, found, kin));
        }
        let habits = Habits::of(heard.iter().map(|(line, ..)| *line), incident, clock.onset);
        for (at, (line, found, kin)) in heard.iter().enumerate() {
            let loudness = if level(line) == Level::Info { INFORMING } else { 1.0 };
            let habit = habits.left_of(at);
            let piece = Piece {
                text: &line.message,
                place: Place::Log,
                kin: *kin,
                weight: scope.weight(*kin) * loudness * habit,
                time: line.time,
                age: clock.freshness(line.time),
                bearing: clock.bearing(line.time),
                onset: clock.onset,
                is_loud: loudness >= 1.0,
            };
            self.note(&mut hits, &piece, found);
        }
        // What was said once, and not again for long while the target measures well, has passed.
        if clock.is_well {
            for hit in hits.values_mut().filter(|hit: &&mut TextHit| clock.is_long_ago(hit.last)) {
                hit.weight *= PASSED;
            }
        }
        if incident.logs.len() >= MANY_LINES {
            for hit in hits.values_mut().filter(|hit: &&mut TextHit| hit.count * MANY_LINES < incident.logs.len()) {
                hit.weight *= 0.7;
            }
        }
        // Where one complaint is made a hundred times, another that is made once is not what it is about.
        let loudest = hits.values().filter(|hit: &&TextHit| hit.is_own).map(|hit| hit.loud).max().unwrap_or(0);
        for hit in hits.values_mut().filter(|hit| hit.count * RARE < loudest) {
            hit.weight *= 0.75;
        }
        // Where nothing says whose a line is, what is said now and then is more likely another's.
        if scope.is_nameless() {
            for hit in hits.values_mut().filter(|hit| hit.count == 1 && RARE_OF_ANYBODY < loudest) {
                hit.weight *= 0.6;
            }
        }
        let cures = Cures::of(incident);
        for event in &incident.events {
            // Of `ConfigMap/name` the kind is a word, and the name is not.
            let of = event.source.split_once('/').map_or("", |(kind, _)| kind);
            let text = format!("{of} {}: {}", event.kind, event.message);
            let kin = scope.kin_of_text(&event.source, &event.message);
            // What has been reported many times since long before the onset did not come with it.
            let is_chronic = event.count.is_some_and(|count| count >= CHRONIC_COUNT)
                && matches!((event.first_time, clock.onset), (Some(first), Some(onset)) if onset.seconds_since(first) > CHRONIC_S);
            let chronic = if is_chronic { HABIT } else { 1.0 };
            let is_cured = cures.is_cured(event);
            let chronic = if is_cured { chronic * OVER } else { chronic };
            let is_repeated = event.count.is_some_and(|count| count >= 2.0);
            let weight = scope.weight(kin) * if is_repeated { 1.0 } else { 0.95 };
            let piece = Piece {
                text: &text,
                place: Place::Event,
                kin,
                weight,
                time: event.first_time.or(event.time),
                age: clock.freshness(event.time),
                bearing: clock.bearing(event.time) * chronic,
                onset: clock.onset,
                is_loud: true,
            };
            self.note(&mut hits, &piece, &self.found_in(&text));
        }
        for said in facts.texts() {
            let piece = Piece {
                text: &said.text,
                place: Place::State,
                kin: said.kin,
                weight: scope.weight_untimed(said.kin) * said.weight,
                time: None,
                age: 1.0,
                bearing: 1.0,
                onset: None,
                is_loud: true,
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
                onset: None,
                is_loud: true,
            };
            self.note(&mut hits, &piece, &self.found_in(&text));
        }
        hits
    }

    /// Patterns that stand in a text, with where, and whether they are denied there.
    fn found_in(&self, text: &str) -> Found {
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
                if known.window_s.is_some_and(|window_s| !piece.is_within(window_s)) {
                    continue;
                }
                let is_sign = !known.is_passing && known.window_s.is_none();
                let weight = piece.weight * if is_sign { piece.bearing } else { piece.age };
                let weight = if is_over && is_sign { weight * OVER } else { weight };
                let hit = hits.entry((*rule, piece.place)).or_insert_with(|| TextHit {
                    weight: 0.0,
                    count: 0,
                    loud: 0,
                    first: None,
                    last: None,
                    excerpt: String::new(),
                    text: 0,
                    is_own: false,
                });
                hit.count += 1;
                hit.loud += usize::from(piece.is_loud);
                hit.is_own |= piece.kin.is_close();
                if weight > hit.weight {
                    hit.weight = weight;
                    hit.excerpt = excerpt(piece.text, *start);
                    hit.text = hash_of(piece.text);
                }
                if let Some(time) = piece.time.filter(|_| piece.kin.is_close()) {
                    hit.first = Some(hit.first.map_or(time, |first| first.min(time)));
                    hit.last = Some(hit.last.map_or(time, |last| last.max(time)));
                }
            }
        }
    }
}

impl Evidence<'_> {
    /// Whether words of a rule were found in a place.
    pub(crate) fn words(&self, number: usize, place: Place) -> Option<&TextHit> {
        self.hits.get(&(number, place))
    }
}

/// What undoes an event, by its kind and a word of its message.
const CURES: &[(&str, &str, &[&str])] = &[
    ("FailedScheduling", "", &["Scheduled"]),
    ("NodeNotReady", "", &["NodeReady"]),
    ("Failed", "image", &["Pulled"]),
    ("BackOff", "image", &["Pulled"]),
    ("FailedMount", "", &["SuccessfulMountVolume", "Started", "Created"]),
    ("FailedAttachVolume", "", &["SuccessfulAttachVolume", "Started"]),
    ("FailedCreate", "", &["SuccessfulCreate"]),
];

/// When each thing was cured last, by the kind of event that said so.
pub(super) struct Cures<'a>(HashMap<(&'a str, &'a str), Instant>);

impl<'a> Cures<'a> {
    pub(super) fn of(incident: &'a Incident) -> Self {
        let mut last: HashMap<(&str, &str), Instant> = HashMap::new();
        for event in &incident.events {
            let is_cure = CURES.iter().any(|(.., kinds)| kinds.contains(&event.kind.as_str()));
            if let Some(time) = event.time.filter(|_| is_cure) {
                let known = last.entry((event.source.as_str(), event.kind.as_str())).or_insert(time);
                *known = time.max(*known);
            }
        }
        Self(last)
    }

    /// A later event of the same thing says that the trouble is over.
    pub(super) fn is_cured(&self, event: &Event) -> bool {
        let cures = CURES.iter().find(|(kind, word, _)| *kind == event.kind && event.message.contains(word));
        let times = cures.into_iter().flat_map(|(.., kinds)| kinds.iter());
        let last = times.filter_map(|kind| self.0.get(&(event.source.as_str(), *kind))).max();
        matches!((event.time, last), (Some(time), Some(last)) if *last > time)
    }
}

/// The same for the same text in each run: the hasher's keys are fixed.
fn hash_of(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    bounded(text).hash(&mut hasher);
    hasher.finish()
}

fn alert_texts(incident: &Incident) -> impl Iterator<Item = String> {
    let alert = &incident.alert;
    let values = alert.labels.iter().chain(&alert.annotations);
    let texts = values.filter_map(|(_, value)| value.as_str().map(str::to_owned));
    std::iter::once(alert.title.clone()).chain(texts)
}

/// What begins with a letter or a digit begins a word: `hung` is not in `chung`, and `429` not in `/items/7429`.
fn is_word(text: &str, start: usize, pattern: &Pattern) -> bool {
    let before = text.get(..start).and_then(|head| head.chars().next_back());
    if pattern.begins_with_digit {
        return before.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '/' && c != '.');
    }
    let Some(before) = before.filter(|c| pattern.begins_with_letter && c.is_ascii_alphanumeric()) else { return true };
    // Within a word it stands where a hump begins: `AccessDenied` in `KMSAccessDenied`, and `MOVED` not in `removed`.
    let mut here = text.get(start..).unwrap_or_default().chars();
    let is_capital = here.next().is_some_and(char::is_uppercase);
    let is_before_small = here.next().is_some_and(char::is_lowercase);
    is_capital && (!before.is_uppercase() || is_before_small)
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
        "corrected",
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

pub(super) fn bounded(text: &str) -> &str {
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
