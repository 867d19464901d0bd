//! How approvals are handled here: who is asked in which order, how many have to agree, and which
//! names are one person's. Plain data, as `[approvals]` says it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::config::covers;

/// How approvals are handled here.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What people call this host.
    pub host: String,
    /// Who is asked, in order.
    pub line: Vec<Rung>,
    pub quorum: Vec<Quorum>,
    pub people: People,
    /// A call waits so long before its session is laid aside.
    pub hold_ms: u64,
    /// Longest approval of a rule.
    pub rule_minutes_max: u32,
    /// The person at this host's terminal.
    pub user: String,
    /// The host's own folder. What changes there decides nothing about an act.
    pub state_folder: PathBuf,
}

/// People who are asked together, and for how long alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rung {
    pub approvers: Vec<String>,
    pub wait_ms: u64,
}

/// From this risk on, so many people have to agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quorum {
    pub risk: u8,
    pub votes: u32,
}

/// Which names are one person's. Danger: somebody who agrees with themselves over two channels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People(BTreeMap<String, String>);

impl People {
    /// From `[approvals.people]`: a person, and the names by which that person answers.
    #[must_use]
    pub fn new(people: &BTreeMap<String, Vec<String>>) -> Self {
        let names = people.iter().flat_map(|(person, names)| names.iter().map(move |name| (name, person)));
        Self(names.map(|(name, person)| (own(name), person.clone())).collect())
    }

    /// The person behind a name.
    #[must_use]
    pub fn person(&self, name: &str) -> String {
        let own = own(name);
        match self.0.get(&own) {
            Some(person) => format!("person:{person}"),
            None => own,
        }
    }
}

/// A user of this machine is one person, at whichever of its terminals.
fn own(name: &str) -> String {
    match name.split_once(':') {
        Some(("cli" | "terminal", user)) => format!("user:{user}"),
        _ => name.to_owned(),
    }
}

impl Settings {
    /// Whether this name may decide at all, as things stand now.
    #[must_use]
    pub fn is_approver(&self, name: &str) -> bool {
        self.line.iter().any(|rung| rung.approvers.iter().any(|approver| covers(approver, name)))
    }

    /// How many have to agree to an act of this risk.
    #[must_use]
    pub fn votes_needed(&self, risk: u8) -> u32 {
        let votes = self.quorum.iter().filter(|quorum| risk >= quorum.risk).map(|quorum| quorum.votes);
        votes.max().unwrap_or(1).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_of_this_machine_is_one_person() {
        let people = People::default();
        assert_eq!(people.person("cli:root"), people.person("terminal:root"));
        assert_ne!(people.person("cli:root"), people.person("cli:alice"));
        assert_ne!(people.person("cli:U1"), people.person("slack:U1"));
    }

    #[test]
    fn the_names_of_one_person_are_one() {
        let table = [("alice".to_owned(), vec!["slack:U1".to_owned(), "cli:alice".to_owned()])].into();
        let people = People::new(&table);
        assert_eq!(people.person("slack:U1"), people.person("terminal:alice"));
        assert_ne!(people.person("slack:U1"), people.person("slack:U2"));
    }
}
