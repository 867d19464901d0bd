//! When to look at which job again: the next instants of many jobs, of which one timer has to know the first. Nothing is
//! polled; a host sleeps until [`Agenda::next_wake`] and takes what is due.
//!
//! Instants are of the wall clock. A host looks at least every minute all the same, since only then it notices that the
//! clock was set; after a [`crate::Notice::SetBack`] it plans all jobs anew, as what the agenda holds may lie years ahead.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use jiff::Timestamp;

/// Jobs by the instants at which they have to be looked at. Each job is in it at most once; `insert`, `remove` and taking
/// one that is due take `O(log n)`.
///
/// Invariant: `order` and `instants` hold the same pairs.
#[derive(Clone, Debug)]
pub struct Agenda<K> {
    order: BTreeSet<(Timestamp, K)>,
    instants: HashMap<K, Timestamp>,
}

impl<K> Default for Agenda<K> {
    fn default() -> Self {
        Self { order: BTreeSet::new(), instants: HashMap::new() }
    }
}

impl<K: Clone + Eq + Hash + Ord> Agenda<K> {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts `job` in at `instant`, in place of where it was; gives where it was.
    pub fn insert(&mut self, job: K, instant: Timestamp) -> Option<Timestamp> {
        let earlier = self.instants.insert(job.clone(), instant);
        match earlier {
            Some(earlier) if earlier == instant => return Some(earlier),
            Some(earlier) => {
                self.order.remove(&(earlier, job.clone()));
            }
            None => {}
        }
        self.order.insert((instant, job));
        earlier
    }

    /// Puts `job` in at `wake`, or takes it out where there is none: what [`crate::Plan::wake`] says.
    pub fn update(&mut self, job: K, wake: Option<Timestamp>) {
        match wake {
            Some(instant) => {
                self.insert(job, instant);
            }
            None => {
                self.remove(&job);
            }
        }
    }

    /// Takes `job` out; gives where it was.
    pub fn remove(&mut self, job: &K) -> Option<Timestamp> {
        let instant = self.instants.remove(job)?;
        self.order.remove(&(instant, job.clone()));
        Some(instant)
    }

    /// The first instant of all, `None` where the agenda is empty. It may have passed.
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.order.first().map(|(instant, _)| *instant)
    }

    /// Takes out up to `most` jobs that are due at `now`, the longest due first. What is left stays due.
    pub fn due(&mut self, now: Timestamp, most: usize) -> Vec<K> {
        let mut found = Vec::new();
        while found.len() < most
            && let Some((instant, _)) = self.order.first()
            && *instant <= now
            && let Some((_, job)) = self.order.pop_first()
        {
            self.instants.remove(&job);
            found.push(job);
        }
        found
    }

    /// When `job` has to be looked at.
    pub fn instant(&self, job: &K) -> Option<Timestamp> {
        self.instants.get(job).copied()
    }

    /// How many jobs are in it.
    pub fn len(&self) -> usize {
        self.instants.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.instants.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn gives_each_job_once_in_the_order_of_time() {
        let mut agenda = Agenda::new();
        for (job, second) in [("c", 30), ("a", 10), ("b", 20), ("a", 40), ("d", 20)] {
            agenda.insert(job, at(second));
        }
        assert_eq!((agenda.len(), agenda.next_wake()), (4, Some(at(20))));
        assert_eq!(agenda.due(at(19), 9), Vec::<&str>::new());
        assert_eq!(agenda.due(at(30), 2), ["b", "d"]);
        assert_eq!(agenda.due(at(30), 9), ["c"]);
        agenda.update("a", None);
        assert!(agenda.is_empty());
        assert_eq!(agenda.next_wake(), None);
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_a_plain_list(steps in proptest::collection::vec((0_u8..3, 0_u8..20, 0_i64..50), 0..200)) {
            let mut agenda = Agenda::new();
            let mut list: Vec<(i64, u8)> = Vec::new();
            for (step, job, second) in steps {
                match step {
                    0 => {
                        list.retain(|(_, other)| *other != job);
                        list.push((second, job));
                        agenda.insert(job, at(second));
                    }
                    1 => {
                        list.retain(|(_, other)| *other != job);
                        agenda.remove(&job);
                    }
                    _ => {
                        list.sort_unstable();
                        let due: Vec<u8> = list.iter().filter(|(at, _)| *at <= second).map(|(_, job)| *job).collect();
                        list.retain(|(at, _)| *at > second);
                        proptest::prop_assert_eq!(agenda.due(at(second), usize::MAX), due);
                    }
                }
                proptest::prop_assert_eq!(agenda.next_wake(), list.iter().min().map(|(second, _)| at(*second)));
                proptest::prop_assert_eq!(agenda.len(), list.len());
            }
        }
    }
}
