//! What comes first, what is new, what nobody wants to hear of: one order over everything that was found.
//!
//! A finding is known by its key: what kind it is, and what it is about. The order is by severity, then by the size of the
//! effect. What people muted is left out; what was told before and has not grown is told in one line.
//!
//! Who found it may know better whether it is news: a drop on Tuesday is none of last week's. So it is asked first
//! ([`News`]), and what was told decides for the rest: for what lasts until somebody mends it, which is told once more
//! when it is gone.

use std::collections::BTreeMap;

use pi_catalog::finding::{Finding, Severity, Subject};
use serde::{Deserialize, Serialize};

/// What was told of a fact, the last time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// When it was told first, milliseconds since 1970.
    pub first_ms: u64,
    /// When it was last there.
    pub last_ms: u64,
    pub severity: Severity,
    /// What was said, where it lasts until it is mended: that it is gone is said as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasting: Option<String>,
}

/// Whether a finding is news, as far as who found it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// It happened since the last look.
    Yes,
    /// It was said by an earlier look.
    No,
    /// It lasts: it is news where it was not told, or was less.
    UnlessTold,
}

/// Facts that are not there any more are forgotten after so long: they would be news again.
const FORGOTTEN_AFTER_MS: u64 = 30 * 86_400_000;
/// Facts that are kept. Danger: a memory that grows without end.
const TOLD_MAX: usize = 5_000;

/// What was told before, by key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct History {
    told: BTreeMap<String, Told>,
}

/// A finding with its place in the report.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    pub key: String,
    pub finding: Finding,
    pub first_ms: u64,
}

/// What a look came to, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Order {
    /// To be told in full.
    pub news: Vec<Ranked>,
    /// Told before, and still so.
    pub known: Vec<Ranked>,
    /// Told before, lasting until then, and gone since the last look: what was said.
    pub gone: Vec<String>,
    /// How many were left out because people muted them.
    pub muted: usize,
}

impl Order {
    /// Whether there is anything that people would want to be told unasked.
    pub fn is_noteworthy(&self) -> bool {
        self.news.iter().any(|ranked| ranked.finding.severity >= Severity::Notice)
    }
}

/// What kind of fact it is, and what it is about: the same in every report.
pub fn key_of(database: &str, finding: &Finding) -> String {
    let Subject { schema, table, column, dimension } = &finding.subject;
    let parts = [schema.as_str(), table, column.as_deref().unwrap_or(""), dimension.as_deref().unwrap_or("")];
    let about: Vec<String> = parts.iter().map(|part| part.replace(['\\', '/'], "_")).collect();
    format!("{database}/{}/{}", finding.kind, about.join("/"))
}

impl History {
    /// Take in what was told of another database.
    pub fn extend(&mut self, other: Self) {
        self.told.extend(other.told);
    }

    /// What was told of one database.
    pub fn of(&self, database: &str) -> Self {
        let prefix = format!("{database}/");
        let own = self.told.iter().filter(|(key, _)| key.starts_with(&prefix));
        Self { told: own.map(|(key, told)| (key.clone(), told.clone())).collect() }
    }

    /// Put what was found in order, and remember it. `is_whole` says of a database whether all of it was looked at, so
    /// that what was not found is gone.
    pub fn rank(
        &mut self,
        found: Vec<(String, Finding, News)>,
        is_whole: &dyn Fn(&str) -> bool,
        is_muted: &dyn Fn(&str) -> bool,
        now_ms: u64,
    ) -> Order {
        let mut order = Order::default();
        for (database, finding, news) in found {
            let key = key_of(&database, &finding);
            let before = self.told.get(&key).cloned();
            let is_new = match news {
                News::Yes => true,
                News::No => false,
                News::UnlessTold => before.as_ref().is_none_or(|before| before.severity < finding.severity),
            };
            let began = before.as_ref().map_or(now_ms, |before| before.first_ms);
            let first_ms = if news == News::Yes { now_ms } else { began };
            let lasting = (news == News::UnlessTold).then(|| finding.claim.clone());
            self.told.insert(key.clone(), Told { first_ms, last_ms: now_ms, severity: finding.severity, lasting });
            if is_muted(&key) {
                order.muted += 1;
                continue;
            }
            let ranked = Ranked { key, finding, first_ms };
            if is_new { order.news.push(ranked) } else { order.known.push(ranked) }
        }
        for (key, told) in &mut self.told {
            if told.last_ms != now_ms && is_whole(key) && !is_muted(key) {
                order.gone.extend(told.lasting.take());
            }
        }
        for list in [&mut order.news, &mut order.known] {
            // The order is total, so that a report is the same however its findings came.
            list.sort_by(|a, b| {
                weight(b).partial_cmp(&weight(a)).unwrap_or(std::cmp::Ordering::Equal).then_with(|| a.key.cmp(&b.key))
            });
        }
        self.told.retain(|_, told| now_ms.saturating_sub(told.last_ms) <= FORGOTTEN_AFTER_MS);
        while self.told.len() > TOLD_MAX {
            let oldest = self.told.iter().min_by_key(|(_, told)| told.last_ms).map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { break };
            self.told.remove(&oldest);
        }
        order
    }
}

fn weight(ranked: &Ranked) -> (Severity, f64) {
    (ranked.finding.severity, ranked.finding.effect.filter(|effect| effect.is_finite()).unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(kind: &str, severity: Severity, effect: f64) -> (String, Finding, News) {
        let mut finding = Finding::new(kind, Subject::table("public", "orders"), severity, format!("{kind} is so"));
        finding.effect = Some(effect);
        ("shop".to_owned(), finding, News::UnlessTold)
    }

    fn rank(history: &mut History, found: Vec<(String, Finding, News)>, now_ms: u64) -> Order {
        history.rank(found, &|_| true, &|_| false, now_ms)
    }

    fn kinds(list: &[Ranked]) -> Vec<&str> {
        list.iter().map(|ranked| ranked.finding.kind.as_str()).collect()
    }

    #[test]
    fn severity_comes_first_then_the_size_of_the_effect() {
        let mut history = History::default();
        let all = vec![
            found("a", Severity::Notice, 9.0),
            found("b", Severity::Critical, 0.1),
            found("c", Severity::Notice, f64::NAN),
            found("d", Severity::Notice, 10.0),
        ];
        let order = rank(&mut history, all, 1);
        assert_eq!(kinds(&order.news), ["b", "d", "a", "c"]);
        assert!(order.is_noteworthy());
    }

    #[test]
    fn what_was_told_is_news_only_where_it_grew() {
        let mut history = History::default();
        rank(&mut history, vec![found("a", Severity::Notice, 1.0), found("b", Severity::Notice, 1.0)], 1);
        let order = rank(&mut history, vec![found("a", Severity::Notice, 2.0), found("b", Severity::Warning, 1.0)], 2);
        assert_eq!((kinds(&order.news), kinds(&order.known)), (vec!["b"], vec!["a"]));
        assert_eq!(order.known[0].first_ms, 1);
        let later = 3 + FORGOTTEN_AFTER_MS;
        rank(&mut history, Vec::new(), later);
        assert!(rank(&mut history, vec![found("a", Severity::Notice, 1.0)], later + 1).is_noteworthy());
    }

    #[test]
    fn what_people_muted_is_counted_and_not_told() {
        let order = History::default().rank(
            vec![found("a", Severity::Critical, 1.0)],
            &|_| true,
            &|key| key.starts_with("shop/a/"),
            1,
        );
        assert_eq!((order.muted, order.news.len()), (1, 0));
        assert!(!order.is_noteworthy());
    }

    #[test]
    fn what_happened_since_is_news_though_the_like_of_it_was_told() {
        let mut history = History::default();
        let with = |news| {
            let (database, finding, _) = found("volume_dropped", Severity::Warning, 1.0);
            vec![(database, finding, news)]
        };
        rank(&mut history, with(News::Yes), 1);
        assert_eq!(kinds(&rank(&mut history, with(News::No), 2).known), ["volume_dropped"]);
        let order = rank(&mut history, with(News::Yes), 3);
        assert_eq!((kinds(&order.news), order.news[0].first_ms), (vec!["volume_dropped"], 3));
    }

    #[test]
    fn what_lasted_and_is_gone_is_said_once() {
        let mut history = History::default();
        rank(&mut history, vec![found("index_duplicate", Severity::Notice, 1.0)], 1);
        let unseen = history.rank(Vec::new(), &|_| false, &|_| false, 2);
        assert_eq!(unseen.gone, Vec::<String>::new(), "what was not looked at is not gone");
        assert_eq!(rank(&mut history, Vec::new(), 3).gone, ["index_duplicate is so"]);
        assert_eq!(rank(&mut history, Vec::new(), 4).gone, Vec::<String>::new());
    }
}
