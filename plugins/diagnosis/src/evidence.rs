//! What an incident holds, turned into what rules can ask about: whose it is, when it was, how it behaves.
//!
//! This is the only part that looks at raw observations. It knows no cause. Its statistics (`series`) and its search
//! for words (`words`) stand behind two functions each, so that better ones can take their place.

mod course;
mod facts;
mod load;
mod scope;
mod series;
mod words;

pub(crate) use facts::Facts;
pub(crate) use load::Load;
pub(crate) use scope::{Breadth, Scope};
pub(crate) use series::Series;
pub(crate) use words::{Matcher, Place, TextHit};

use std::collections::BTreeMap;

use course::Course;

use crate::incident::{Event, Incident};
use crate::instant::Instant;
use crate::knowledge::{Behaviour, Knowledge};

/// Evidence from so long before the end of what was observed still counts fully.
const FRESH_S: f64 = 2_700.0;
/// What is older than this many times the fresh span is history.
const AGES: [(f64, f64); 3] = [(1.0, 1.0), (4.0, 0.7), (16.0, 0.35)];
const HISTORY: f64 = 0.12;
/// Words from so long before the trouble began are of something else, and count so much.
const BEFORE_S: f64 = 900.0;
const BEFORE: f64 = 0.4;
/// The last so many seconds are now.
const NOW_S: f64 = 900.0;

/// Complaints that have not come again for so long are over, if nothing else is wrong.
const LONG_AGO_S: f64 = 2_700.0;
/// A line so near to the beginning of the log may have been written before as well.
const LOG_EDGE_S: f64 = 120.0;
/// Clients notice so much later that what they call is well again.
const SETTLING_S: f64 = 90.0;

/// All evidence of one incident.
pub(crate) struct Evidence<'a> {
    pub(crate) incident: &'a Incident,
    pub(crate) scope: Scope,
    pub(crate) series: Vec<Series<'a>>,
    pub(crate) facts: Facts,
    pub(crate) load: Load<'a>,
    /// The time of the first line of the log.
    logs_from: Option<Instant>,
    pub(crate) hits: BTreeMap<(usize, Place), TextHit>,
    /// Topics of the alert by their index, those of the title before those of the rest.
    pub(crate) topics: Vec<usize>,
    pub(crate) further_topics: Vec<usize>,
    /// Lines of the target at the level of errors within the last minutes.
    pub(crate) errors_now: usize,
    /// The target's log had errors, and has gone on for long, in many lines, without any.
    pub(crate) is_quiet_since_error: bool,
    /// The target's log was busy, and has ended while others go on.
    pub(crate) is_silent: bool,
    /// Warnings about the target within the last minutes.
    pub(crate) warnings_now: usize,
    /// Events about the target that a later one has undone.
    pub(crate) cured: usize,
}

/// How old is too old.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    now: Option<Instant>,
    fresh_s: f64,
    onset: Option<Instant>,
    /// Until when the metrics showed it, where they are well again.
    settled: Option<Instant>,
    /// Metrics of the target were seen, and none of them is abnormal.
    is_well: bool,
}

impl Clock {
    /// 1 for what is recent, less the older it is.
    pub(crate) fn freshness(self, time: Option<Instant>) -> f64 {
        let (Some(now), Some(time)) = (self.now, time) else { return 0.9 };
        let age = now.seconds_since(time) / self.fresh_s;
        AGES.iter().find(|(limit, _)| age <= *limit).map_or(HISTORY, |(_, weight)| *weight)
    }

    /// The same, for what can only be a sign of trouble after trouble began.
    pub(crate) fn bearing(self, time: Option<Instant>) -> f64 {
        let is_before = matches!((self.onset, time), (Some(onset), Some(time)) if onset.seconds_since(time) > BEFORE_S);
        self.freshness(time) * if is_before { BEFORE } else { 1.0 }
    }

    pub(crate) fn is_long_ago(self, time: Option<Instant>) -> bool {
        matches!((self.now, time), (Some(now), Some(time)) if now.seconds_since(time) > LONG_AGO_S)
    }

    fn is_now(self, time: Option<Instant>) -> bool {
        let (Some(now), Some(time)) = (self.now, time) else { return true };
        let is_over = self.settled.is_some_and(|settled| time.seconds_since(settled) <= SETTLING_S);
        now.seconds_since(time) <= NOW_S && !is_over
    }
}

impl<'a> Evidence<'a> {
    pub(crate) fn of(incident: &'a Incident, knowledge: &'a Knowledge, matcher: &Matcher, breadth: Breadth) -> Self {
        let scope = Scope::of(incident, &knowledge.vocabulary, breadth);
        let now = last_moment(incident);
        let mut series: Vec<Series> =
            incident.metrics.iter().filter_map(|metric| Series::of(metric, &scope, &knowledge.vocabulary)).collect();
        let span = series.iter().map(|series| series.span_s).fold(0.0, f64::max);
        let clock = Clock { now, fresh_s: FRESH_S.max(span * 1.2), onset: None, settled: None, is_well: false };
        let mut facts = Facts::of(incident, &scope, now);
        series::apply_limits(&mut series, incident, &facts);
        facts.note_dependencies(&series);
        let load = Load::of(&incident.queries);
        let onset = onset(incident, &series, &scope, clock);
        // Where all that was measured is back, what was said until then is over.
        let own = || series.iter().filter(|series| series.kin.is_close() && series.is_telling());
        let is_back = own().next().is_some() && !own().any(Series::is_abnormal);
        let settled = own().filter_map(|series| series.settled_at).max().filter(|_| is_back);
        let clock = Clock { onset, settled, is_well: is_back, ..clock };
        let hits = matcher.search(incident, &scope, clock, &facts);
        let (topics, further_topics) = topics(incident, knowledge, &scope);
        let course = Course::of(incident, &scope, clock);
        facts.note_course(course.silent_since.is_some(), course.has_new_errors);
        let cures = words::Cures::of(incident);
        let is_cured =
            |event: &&Event| scope.kin_of_text(&event.source, &event.message).is_close() && cures.is_cured(event);
        let cured = incident.events.iter().filter(is_cured).count();
        let logs_from = incident.logs.iter().filter_map(|line| line.time).min();
        let warnings_now = incident
            .events
            .iter()
            .filter(|event| {
                event.severity.as_deref().is_some_and(|severity| severity.eq_ignore_ascii_case("warning"))
                    && clock.is_now(event.time)
                    && scope.kin_of_text(&event.source, &event.message).is_close()
            })
            .count();
        Self {
            incident,
            scope,
            series,
            facts,
            load,
            logs_from,
            hits,
            topics,
            further_topics,
            errors_now: course.errors_now,
            is_quiet_since_error: course.is_quiet_since_error,
            is_silent: course.silent_since.is_some(),
            warnings_now,
            cured,
        }
    }

    /// The log was being kept for a while already at this moment.
    pub(crate) fn is_within_logs(&self, time: Instant) -> bool {
        self.logs_from.is_some_and(|from| time.seconds_since(from) > LOG_EDGE_S)
    }

    /// Something of the target is not as it should be now.
    pub(crate) fn is_troubled(&self) -> bool {
        self.errors_now > 0
            || !self.facts.unwell.is_empty()
            || self.series.iter().any(|series| series.kin.is_close() && series.is_telling() && series.is_abnormal())
    }

    /// The series of a role that behaves in one of these ways, the most telling first; with how much it counts.
    pub(crate) fn metric(&self, role: &str, behaviours: &[Behaviour]) -> Option<(&Series<'a>, Behaviour, f64)> {
        // One bad series of several is bad; normal are they only together.
        let of_role = || self.series.iter().filter(|series| series.role == Some(role));
        let own = !self.scope.is_wide() && of_role().any(|series| series.kin.is_close());
        let mut best: Option<(&Series, Behaviour, f64)> = None;
        for series in of_role().filter(|series| !own || series.kin.is_close()) {
            let Some(behaviour) = behaviours.iter().copied().find(|wanted| series.behaves(*wanted)) else {
                if behaviours == [Behaviour::Normal] && series.kin.is_close() {
                    return None;
                }
                continue;
            };
            // That another resource is well says nothing about this one.
            let weight = if behaviour == Behaviour::Normal && !series.kin.is_close() {
                0.0
            } else {
                self.scope.weight(series.kin)
            };
            if weight > best.map_or(0.0, |(_, _, weight)| weight) {
                best = Some((series, behaviour, weight));
            }
        }
        best
    }
}

fn last_moment(incident: &Incident) -> Option<Instant> {
    let points = incident.metrics.iter().filter_map(|metric| metric.points.last().map(|point| point.0));
    let logs = incident.logs.iter().filter_map(|line| line.time);
    let events = incident.events.iter().filter_map(|event| event.time);
    // One clock that runs ahead must not make all else old: far outliers in the future are left out.
    let mut all: Vec<Instant> = points.chain(logs).chain(events).collect();
    all.sort_unstable();
    let last = all.last().copied()?;
    let most = all.get(all.len().saturating_sub(1 + all.len() / 20)).copied()?;
    let first_half = all.get(all.len() / 2).copied()?;
    let is_ahead = last.seconds_since(most) > 86_400.0 && most.seconds_since(first_half) < 86_400.0;
    Some(if is_ahead { most } else { last })
}

/// The first departure of a metric of the target; without one, the first warning about it, or error of it.
fn onset(incident: &Incident, series: &[Series], scope: &Scope, clock: Clock) -> Option<Instant> {
    let departures = series.iter().filter(|series| series.kin.is_close() && series.is_abnormal());
    if let Some(first) = departures.filter_map(|series| series.departs_at).min() {
        return Some(first);
    }
    let warnings = incident.events.iter().filter(|event| {
        event.severity.as_deref().is_some_and(|severity| severity.eq_ignore_ascii_case("warning"))
            && scope.kin_of_text(&event.source, &event.message).is_close()
    });
    let times = warnings.map(|event| event.first_time.or(event.time)).filter(|time| clock.freshness(*time) >= 0.7);
    if let Some(first) = times.flatten().min() {
        return Some(first);
    }
    course::errors_begin(incident, scope)
}

fn topics(incident: &Incident, knowledge: &Knowledge, scope: &Scope) -> (Vec<usize>, Vec<usize>) {
    let text = |keys: &[&str]| -> String {
        let alert = &incident.alert;
        let all = alert.labels.iter().chain(&alert.annotations);
        let chosen = all.filter(|(key, _)| keys.contains(&key.as_str())).filter_map(|(_, value)| value.as_str());
        chosen.collect::<Vec<_>>().join(" ; ")
    };
    let find = |text: &str| -> Vec<usize> {
        // `ReplicaLagHigh` is said in three words.
        let text = format!("{} ; {}", scope.without_names(text), series::words_of(text).join(" "));
        let topics = knowledge.vocabulary.topic.iter().enumerate();
        topics
            .filter(|(_, topic)| topic.words.iter().any(|word| words::stands_in(&text, word)))
            .map(|(at, _)| at)
            .collect()
    };
    let head = format!(
        "{} ; {}",
        incident.alert.title,
        text(&["alertname", "alarm_name", "monitor", "monitor_name", "metric_name", "metric"])
    );
    let rest = text(&["summary", "description", "error", "suspected_symptom", "message", "reason"]);
    let first = find(&head);
    let rest: Vec<usize> = find(&rest).into_iter().filter(|topic| !first.contains(topic)).collect();
    if first.is_empty() { (rest, Vec::new()) } else { (first, rest) }
}
