//! One service, one pair of hands: which session changes which service now.
//!
//! An agent's session that was woken for a service, or has changed one, holds it until it ends. The
//! others may look at it and are refused to change it, so that two incidents about one fault are not
//! answered twice. A service that an agent gave up stays with people until it is healthy again. What
//! a person asks for is never refused here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::safety::services_of;
use crate::gate::{Act, Decision, Origin, Severity, Verdict};
use crate::supervisor::Supervisor;

/// The agent's name in the origin of what a person calls.
pub const PERSON: &str = "person";
/// The rule of a refusal because another session holds the service: it may be tried again later.
pub const HELD: &str = "held";
/// The rule of a refusal because people have the service.
pub const HANDED_OVER: &str = "handed_over";

/// Who holds which service. Shared by all sessions of a host.
pub struct Holds {
    supervisor: Arc<Supervisor>,
    held: Mutex<BTreeMap<String, Hold>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Hold {
    holder: Holder,
    /// Sessions that were woken for this service while another held it, in order.
    waiting: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Holder {
    Session(String),
    /// Given up by this session.
    People(String),
}

/// What a session came to, for the services that it held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// Others may have them.
    Free,
    /// The service that it was woken for is for people now.
    HandedOver,
}

impl Holds {
    #[must_use]
    pub fn new(supervisor: Arc<Supervisor>) -> Self {
        Self { supervisor, held: Mutex::default() }
    }

    /// A session begins to work on a service. It has it unless somebody else does; then it waits for it.
    pub fn claim(&self, service: &str, session: &str) {
        let mut held = self.held();
        let holder = Holder::Session(session.to_owned());
        let hold = held.entry(service.to_owned()).or_insert_with(|| Hold { holder: holder.clone(), waiting: vec![] });
        if hold.holder != holder && !hold.waiting.iter().any(|id| id == session) {
            hold.waiting.push(session.to_owned());
        }
    }

    /// A session is over. True if it was the last at work on `service`, the one it was woken for:
    /// what it says of it counts.
    pub fn leave(&self, session: &str, service: Option<&str>, how: Leave) -> bool {
        let mut held = self.held();
        let mine = Holder::Session(session.to_owned());
        let is_last = service
            .and_then(|service| held.get(service))
            .is_some_and(|hold| hold.holder == mine && hold.waiting.iter().all(|id| id == session));
        if let Some(hold) = service.filter(|_| is_last && how == Leave::HandedOver).and_then(|it| held.get_mut(it)) {
            *hold = Hold { holder: Holder::People(session.to_owned()), waiting: Vec::new() };
        }
        held.retain(|_, hold| {
            hold.waiting.retain(|id| id != session);
            if hold.holder != mine {
                return true;
            }
            if hold.waiting.is_empty() {
                return false;
            }
            hold.holder = Holder::Session(hold.waiting.remove(0));
            true
        });
        is_last
    }

    /// People have a service since `session` of an earlier host has handed it over.
    pub fn hand_over(&self, service: &str, session: &str) {
        let hold = Hold { holder: Holder::People(session.to_owned()), waiting: Vec::new() };
        self.held().entry(service.to_owned()).or_insert(hold);
    }

    /// A service is healthy again: people need it no longer. True if they had it.
    pub fn give_back(&self, service: &str) -> bool {
        let mut held = self.held();
        let is_with_people = matches!(held.get(service), Some(Hold { holder: Holder::People(_), .. }));
        if is_with_people {
            held.remove(service);
        }
        is_with_people
    }

    /// Take what `act` changes for the session that it comes from, all or nothing.
    ///
    /// # Errors
    /// The refusal, where somebody else holds one of these services.
    pub fn take(&self, act: &Act, origin: &Origin) -> Result<(), Box<Decision>> {
        if act.severity() == Severity::Read || origin.agent == PERSON {
            return Ok(());
        }
        let services = services_of(act, &self.supervisor);
        if services.is_empty() {
            return Ok(());
        }
        let mine = Holder::Session(origin.session.clone());
        let mut held = self.held();
        for service in &services {
            if let Some(other) = held.get(service).filter(|hold| hold.holder != mine) {
                return Err(Box::new(refusal(service, &other.holder)));
            }
        }
        for service in services {
            held.entry(service).or_insert_with(|| Hold { holder: mine.clone(), waiting: Vec::new() });
        }
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<String, Hold>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refusal(service: &str, holder: &Holder) -> Decision {
    let (rule, reason, advice) = match holder {
        Holder::Session(id) => (
            HELD,
            format!("`{service}` is being worked on by the session `{id}`"),
            "look at it as often as you like; wait until that session has ended before you change it".to_owned(),
        ),
        Holder::People(id) => (
            HANDED_OVER,
            format!("the session `{id}` has handed `{service}` over to people, and it has not been healthy since"),
            "leave it to them; say in your report that it keeps yours from working".to_owned(),
        ),
    };
    Decision { verdict: Verdict::Deny, rules: vec![rule.to_owned()], reason, advice, ..Decision::allow() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ServiceConfig;
    use crate::gate::WriteMode;
    use crate::supervisor::Places;

    struct Bench {
        holds: Holds,
        config: String,
        _folder: tempfile::TempDir,
    }

    /// Two services; `web` has a configuration file.
    fn bench() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let db = ServiceConfig { command: vec!["/bin/true".into()], ..ServiceConfig::default() };
        let web = ServiceConfig { config: vec!["web.toml".into()], ..db.clone() };
        let services = BTreeMap::from([("web".to_owned(), web), ("db".to_owned(), db)]);
        let supervisor = Supervisor::observe(&services, Places::of(folder.path())).unwrap();
        let config = folder.path().join("web.toml").display().to_string();
        Bench { holds: Holds::new(supervisor), config, _folder: folder }
    }

    fn origin(session: &str) -> Origin {
        Origin { session: session.into(), agent: "sre".into(), plugin: "service".into() }
    }

    fn restart(service: &str) -> Act {
        Act::ServiceRestart { service: service.into() }
    }

    #[test]
    fn a_service_that_one_session_changed_is_not_changed_by_another() {
        let bench = bench();
        bench.holds.take(&restart("web"), &origin("a")).unwrap();
        bench.holds.take(&restart("web"), &origin("a")).unwrap();
        let refused = bench.holds.take(&restart("web"), &origin("b")).unwrap_err();
        assert_eq!((refused.verdict, refused.rules.as_slice()), (Verdict::Deny, [HELD.to_owned()].as_slice()));
        assert!(refused.reason.contains("`web`") && refused.reason.contains("`a`"), "{}", refused.reason);
        bench.holds.take(&restart("db"), &origin("b")).unwrap();
        assert!(!bench.holds.leave("a", None, Leave::Free));
        bench.holds.take(&restart("web"), &origin("b")).unwrap();
    }

    #[test]
    fn who_waits_for_a_service_has_it_next_and_the_last_word_about_it() {
        let bench = bench();
        bench.holds.claim("web", "a");
        bench.holds.claim("web", "b");
        // A session that never had it hands nothing over.
        bench.holds.claim("web", "c");
        assert!(!bench.holds.leave("c", Some("web"), Leave::HandedOver));
        bench.holds.take(&restart("web"), &origin("a")).unwrap();
        assert!(!bench.holds.leave("a", Some("web"), Leave::HandedOver));
        assert_eq!(bench.holds.take(&restart("web"), &origin("d")).unwrap_err().rules, [HELD]);
        bench.holds.take(&restart("web"), &origin("b")).unwrap();
        assert!(bench.holds.leave("b", Some("web"), Leave::Free));
        bench.holds.take(&restart("web"), &origin("d")).unwrap();
    }

    #[test]
    fn its_configuration_is_part_of_it() {
        let bench = bench();
        let write =
            Act::FileWrite { path: bench.config.clone(), bytes: 1, mode: WriteMode::Replace, sha256: String::new() };
        bench.holds.claim("web", "a");
        assert_eq!(bench.holds.take(&write, &origin("b")).unwrap_err().rules, [HELD]);
        let elsewhere =
            Act::FileWrite { path: "/tmp/other".into(), bytes: 1, mode: WriteMode::Replace, sha256: String::new() };
        bench.holds.take(&elsewhere, &origin("b")).unwrap();
    }

    #[test]
    fn a_rename_over_it_takes_both_ends_or_none() {
        let bench = bench();
        let rename = Act::FileRename { from: "/tmp/new".into(), to: bench.config.clone() };
        bench.holds.claim("web", "a");
        assert_eq!(bench.holds.take(&rename, &origin("b")).unwrap_err().rules, [HELD]);
        bench.holds.take(&rename, &origin("a")).unwrap();
    }

    #[test]
    fn looking_and_people_are_always_let_in() {
        let bench = bench();
        bench.holds.claim("web", "a");
        bench.holds.take(&Act::ServiceProbe { service: "web".into() }, &origin("b")).unwrap();
        let person = Origin { agent: PERSON.into(), ..origin("c") };
        bench.holds.take(&restart("web"), &person).unwrap();
        assert_eq!(bench.holds.take(&restart("web"), &origin("b")).unwrap_err().rules, [HELD]);
    }

    #[test]
    fn what_was_given_up_is_with_people_until_it_is_healthy() {
        let bench = bench();
        bench.holds.claim("web", "a");
        assert!(bench.holds.leave("a", Some("web"), Leave::HandedOver));
        assert_eq!(bench.holds.take(&restart("web"), &origin("b")).unwrap_err().rules, [HANDED_OVER]);
        assert!(bench.holds.give_back("web"));
        bench.holds.take(&restart("web"), &origin("b")).unwrap();
        assert!(!bench.holds.give_back("web"));
        assert_eq!(bench.holds.take(&restart("web"), &origin("a")).unwrap_err().rules, [HELD]);
    }
}
