//! What goes wrong, and what a good host makes of it. Pure: nothing here touches the machine.

use std::fmt;

use super::dice::Dice;

/// The seven faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// A configuration change lets the working set grow beyond the memory limit: a crash loop.
    OutOfMemory,
    /// A configuration change makes every answer a 5xx.
    BadConfiguration,
    /// The process stands still: stopped, or in a deadlock of its own.
    Hung,
    /// Its log has filled the disk that holds it.
    DiskFull,
    /// It died, and another process has its port.
    PortTaken,
    /// What it depends on, and nobody here looks after, is gone.
    DependencyDown,
    /// A blip that is over when somebody looks.
    FalseAlarm,
}

/// How an incident may rightly end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Healed,
    Escalated,
    NothingToDo,
}

impl Fault {
    pub const ALL: [Fault; 7] = [
        Fault::OutOfMemory,
        Fault::BadConfiguration,
        Fault::Hung,
        Fault::DiskFull,
        Fault::PortTaken,
        Fault::DependencyDown,
        Fault::FalseAlarm,
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Fault::OutOfMemory => "out of memory",
            Fault::BadConfiguration => "bad configuration",
            Fault::Hung => "hung process",
            Fault::DiskFull => "disk full",
            Fault::PortTaken => "port taken",
            Fault::DependencyDown => "dependency down",
            Fault::FalseAlarm => "false alarm",
        }
    }

    /// What is done, in words.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Fault::OutOfMemory => "a configuration change lets it outgrow its memory limit",
            Fault::BadConfiguration => "a configuration change makes its answers fail",
            Fault::Hung => "its process stands still",
            Fault::DiskFull => "its log fills its disk",
            Fault::PortTaken => "it is killed, and another process takes its port",
            Fault::DependencyDown => "what it depends on is killed, and nobody here can start it",
            Fault::FalseAlarm => "a few probes fail, and all is well again",
        }
    }

    /// The cause that a good report names, in the vocabulary of recorded incidents.
    #[must_use]
    pub fn root_cause(self) -> &'static str {
        match self {
            Fault::OutOfMemory => "oom_killed",
            Fault::BadConfiguration => "bad_configuration",
            Fault::Hung => "process_hung",
            Fault::DiskFull => "storage_full",
            Fault::PortTaken => "port_conflict",
            Fault::DependencyDown => "dependency_down",
            Fault::FalseAlarm => "healthy",
        }
    }

    #[must_use]
    pub fn outcome(self) -> Outcome {
        match self {
            Fault::DependencyDown => Outcome::Escalated,
            Fault::FalseAlarm => Outcome::NothingToDo,
            _ => Outcome::Healed,
        }
    }

    /// In which order faults of one service are made: the ones that need it to answer come first.
    pub(crate) fn rank(self) -> u8 {
        match self {
            Fault::DiskFull => 0,
            Fault::BadConfiguration => 1,
            Fault::OutOfMemory => 2,
            Fault::DependencyDown => 3,
            Fault::FalseAlarm => 4,
            Fault::Hung => 5,
            Fault::PortTaken => 6,
        }
    }

    /// Whether both can be seen on one service: what never answers cannot hang, and a blip needs
    /// a service that is well otherwise.
    fn goes_with(self, other: Fault) -> bool {
        let pair = [self, other];
        let has = |fault| pair.contains(&fault);
        self != other && !has(Fault::FalseAlarm) && !(has(Fault::OutOfMemory) && has(Fault::Hung))
    }
}

impl Outcome {
    pub const ALL: [Outcome; 3] = [Outcome::Healed, Outcome::Escalated, Outcome::NothingToDo];

    /// The word that the session's end carries.
    #[must_use]
    pub fn status(self) -> &'static str {
        match self {
            Outcome::Healed => "done",
            Outcome::Escalated => "escalated",
            Outcome::NothingToDo => "nothing_to_do",
        }
    }

    /// For people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Healed => "healed",
            Outcome::Escalated => "escalated",
            Outcome::NothingToDo => "left alone",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Faults, each with the index of the service that it strikes; all else follows from the seed.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub seed: u64,
    pub faults: Vec<(Fault, usize)>,
}

impl Scenario {
    #[must_use]
    pub fn single(seed: u64, fault: Fault) -> Self {
        Self { seed, faults: vec![(fault, 0)] }
    }

    /// Two faults at once: on one service where that can be seen and the seed says so, else on two.
    #[must_use]
    pub fn pair(seed: u64, first: Fault, second: Fault) -> Self {
        let is_same = first.goes_with(second) && Dice::new(seed).fork("pair").chance(50);
        let mut faults = vec![(first, 0), (second, usize::from(!is_same))];
        faults.sort_by_key(|(fault, service)| (*service, fault.rank()));
        Self { seed, faults }
    }

    /// Every fault once, each on a service of its own.
    #[must_use]
    pub fn all(seed: u64) -> Self {
        Self { seed, faults: Fault::ALL.into_iter().zip(0..).collect() }
    }

    /// The faults that strike one service.
    pub fn faults_of(&self, service: usize) -> impl Iterator<Item = Fault> + '_ {
        self.faults.iter().filter(move |(_, struck)| *struck == service).map(|(fault, _)| *fault)
    }

    pub(crate) fn services_min(&self) -> usize {
        self.faults.iter().map(|(_, service)| service + 1).max().unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blip_never_shares_its_service() {
        for seed in 0..50 {
            for other in Fault::ALL {
                let scenario = Scenario::pair(seed, Fault::FalseAlarm, other);
                assert_eq!(scenario.services_min(), 2, "{scenario:?}");
            }
        }
    }

    #[test]
    fn pairs_come_both_ways() {
        let on_one = (0..50)
            .filter(|seed| Scenario::pair(*seed, Fault::DiskFull, Fault::BadConfiguration).services_min() == 1)
            .count();
        assert!((10..40).contains(&on_one), "{on_one} of 50 on one service");
    }
}
