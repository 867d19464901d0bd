//! What a database is busy with: the load of its statements, and what they wait for.

use crate::incident::Query;

/// Sessions that are busy at a time; below this a database has nothing to do.
const BUSY_MIN: f64 = 1.0;

/// The load of all statements together.
#[derive(Debug, Default)]
pub(crate) struct Load<'a> {
    total: f64,
    /// By the name of the wait.
    waits: Vec<(String, f64)>,
    heaviest: Option<(&'a Query, f64)>,
}

impl<'a> Load<'a> {
    pub(crate) fn of(queries: &'a [Query]) -> Self {
        let mut load = Self::default();
        for query in queries {
            let waited: f64 = query.waits.values().flatten().filter(|wait| **wait > 0.0).sum();
            let own = query.load.filter(|value| *value > 0.0).unwrap_or(waited);
            load.total += own;
            for (name, value) in &query.waits {
                load.waits.push((name.to_lowercase(), value.unwrap_or(0.0).max(0.0)));
            }
            if load.heaviest.is_none_or(|(_, heaviest)| own > heaviest) {
                load.heaviest = Some((query, own));
            }
        }
        load
    }

    /// The share of the load that waits for one of these (beginnings of names), of what is said to wait at all.
    pub(crate) fn share_of(&self, beginnings: &[String]) -> f64 {
        let all: f64 = self.waits.iter().map(|(_, value)| value).sum();
        let named = self.waits.iter().filter(|(name, _)| {
            beginnings
                .iter()
                .any(|beginning| name.starts_with(beginning.as_str()) || name.contains(&format!("/{beginning}")))
        });
        if all > 0.0 { named.map(|(_, value)| value).sum::<f64>() / all } else { 0.0 }
    }

    /// The heaviest statement and its share of the load.
    pub(crate) fn heaviest(&self) -> Option<(&'a Query, f64)> {
        let (query, load) = self.heaviest?;
        // Who is the first of an idle database is first of nothing.
        let is_idle = self.total < BUSY_MIN;
        (self.total > 0.0).then(|| (query, if is_idle { 0.0 } else { load / self.total }))
    }

    /// How long the heaviest takes on average: sessions that are busy with it, by calls in a second.
    pub(crate) fn seconds_each(&self) -> f64 {
        // Loads that add up to about a hundred are shares, and say nothing about time.
        if (60.0..=101.0).contains(&self.total) {
            return 0.0;
        }
        match self.heaviest {
            Some((query, load)) => match query.calls_per_second {
                Some(calls) if calls > 0.0 => load / calls,
                _ => 0.0,
            },
            None => 0.0,
        }
    }

    pub(crate) fn verb(&self) -> String {
        let statement = self.heaviest.map_or("", |(query, _)| query.statement.as_str());
        statement.split_whitespace().next().unwrap_or_default().to_ascii_lowercase()
    }

    pub(crate) fn is_known(&self) -> bool {
        self.total > 0.0
    }
}
