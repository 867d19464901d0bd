//! What a person's yes lets through, and what not.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::*;
use crate::config::SafetyConfig;
use crate::gate::{Policy, Rego, RegoSource};
use crate::journal::Journal;
use crate::store::Holder;
use crate::store::sqlite::SqliteStore;
use crate::supervisor::{Places, Supervisor};

/// Asks about `mark`, and about `danger` with more risk.
const POLICY: &str = r#"{
  "version": 1,
  "thresholds": { "ask": 100, "deny": 100 },
  "rules": [{
    "id": "mark_is_asked", "acts": ["process_run"], "when": { "program": ["mark"] }, "verdict": "ask", "points": 50,
    "reason": "it makes a mark", "advice": "leave none", "examples": { "match": ["mark a"], "no_match": ["ls"] }
  }, {
    "id": "never", "acts": ["process_run"], "when": { "program": ["never"] }, "verdict": "deny", "points": 100,
    "reason": "never", "advice": "no", "examples": { "match": ["never a"], "no_match": ["ls"] }
  }]
}"#;

/// A question: the act, its risk and rules, what it is an edit of, whether its call runs again.
type Heard = (Act, u8, Vec<String>, Option<String>, bool);

/// Says yes as it is told, and keeps what it was asked.
#[derive(Default)]
struct Person {
    edits: Mutex<Vec<Act>>,
    asked: Mutex<Vec<Heard>>,
    /// What comes into force while the person thinks.
    meanwhile: Mutex<Option<(Arc<InForce>, Gate)>>,
    spent: Mutex<Vec<String>>,
}

#[async_trait]
impl Approver for Person {
    async fn ask(&self, question: Question<'_>) -> Answer {
        let decision = question.decision;
        let edit_of = question.edit_of.map(str::to_owned);
        let asked = (question.act.clone(), decision.risk, decision.rules.clone(), edit_of, question.aside.is_some());
        let number = {
            let mut all = self.asked.lock().unwrap();
            all.push(asked);
            all.len()
        };
        if let Some((in_force, gate)) = self.meanwhile.lock().unwrap().take() {
            in_force.replace(gate, None);
        }
        let edited = self.edits.lock().unwrap().pop();
        Answer { is_granted: true, by: "p".into(), id: Some(format!("a-{number}")), edited, ..Answer::default() }
    }

    async fn spend(&self, id: &str) -> bool {
        self.spent.lock().unwrap().push(id.to_owned());
        true
    }
}

struct Bench {
    _folder: tempfile::TempDir,
    _journal: Journal,
    door: Door,
}

async fn bench(gate: Gate, person: Arc<Person>) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("store.db")).await.unwrap();
    let journal = Journal::begin(Arc::new(store), &Holder::this_process("test")).await.unwrap();
    let services = Supervisor::observe(&BTreeMap::new(), Places::of(folder.path())).unwrap();
    let judge = Judge {
        gate: Arc::new(InForce::new(gate, None)),
        approver: person,
        audit: None,
        holds: Arc::new(Holds::new(services.clone())),
        safety: Arc::new(Safety::new(SafetyConfig::default(), services)),
        journal: journal.session("s").await.unwrap(),
        origin: Origin { session: "s".into(), agent: "sre".into(), plugin: "bash".into() },
        aside: Some(Aside::default()),
        patience: Patience::default(),
    };
    Bench { _folder: folder, _journal: journal, door: Door::new(judge, "1.0".into()) }
}

fn gate() -> Gate {
    Gate::new(Policy::parse(POLICY, "test.json").unwrap())
}

fn run(program: &str) -> Act {
    Act::ProcessRun { argv: vec![program.into(), "a".into()], directory: "/srv".into(), environment: vec![] }
}

/// A gate under which `mark` is worse.
fn worse_gate(kind: &str) -> Gate {
    let text = format!(
        "package pi.process_run\n\n{kind} contains {{\"id\": \"late\", \"reason\": \"it is late\", \"points\": 20}} if {{\n\ttrue\n}}\n"
    );
    let rego = Rego::compile(&[RegoSource { file: "late.rego", text: &text }]).unwrap();
    gate().with_rego(rego).unwrap()
}

#[tokio::test]
async fn what_has_become_worse_while_people_thought_is_asked_about_again() {
    let person = Arc::new(Person::default());
    let bench = bench(gate(), person.clone()).await;
    *person.meanwhile.lock().unwrap() = Some((bench.door.judge.gate.clone(), worse_gate("ask")));
    let pass = bench.door.enter(run("mark")).await.unwrap();
    pass.done(Value::Null);
    let asked = person.asked.lock().unwrap();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(!asked[0].2.contains(&"late".to_owned()) && asked[1].2.contains(&"late".to_owned()), "{asked:?}");
}

#[tokio::test]
async fn what_is_denied_by_now_is_not_done_although_people_agreed() {
    let person = Arc::new(Person::default());
    let bench = bench(gate(), person.clone()).await;
    *person.meanwhile.lock().unwrap() = Some((bench.door.judge.gate.clone(), worse_gate("deny")));
    let refusal = bench.door.enter(run("mark")).await.err().unwrap();
    assert!(refusal.reason.contains("it is late"), "{refusal:?}");
    assert_eq!(person.asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn an_edited_act_is_asked_about_by_its_own_decision() {
    let person = Arc::new(Person { edits: Mutex::new(vec![run("/usr/local/bin/mark")]), ..Person::default() });
    let bench = bench(gate(), person.clone()).await;
    let pass = bench.door.enter(run("mark")).await.unwrap();
    assert_eq!(pass.edited(), Some(&run("/usr/local/bin/mark")));
    pass.done(Value::Null);
    let asked = person.asked.lock().unwrap();
    assert_eq!((asked.len(), asked[1].3.as_deref()), (2, Some("a-1")));
    assert_eq!(asked[1].0, run("/usr/local/bin/mark"));
}

#[tokio::test]
async fn an_edit_to_what_is_allowed_is_used_up_and_one_to_what_is_denied_refused() {
    let person = Arc::new(Person { edits: Mutex::new(vec![run("ls")]), ..Person::default() });
    let first = bench(gate(), person.clone()).await;
    first.door.enter(run("mark")).await.unwrap().done(Value::Null);
    assert_eq!(
        (person.asked.lock().unwrap().len(), person.spent.lock().unwrap().as_slice()),
        (1, &["a-1".to_owned()][..])
    );
    let person = Arc::new(Person { edits: Mutex::new(vec![run("never")]), ..Person::default() });
    let second = bench(gate(), person.clone()).await;
    assert_eq!(second.door.enter(run("mark")).await.err().unwrap().rule, "never");
}

#[tokio::test]
async fn a_call_that_has_changed_something_waits_where_it_is() {
    let person = Arc::new(Person::default());
    let bench = bench(gate(), person.clone()).await;
    for _ in 0..2 {
        bench.door.enter(run("mark")).await.unwrap().done(Value::Null);
    }
    let aside: Vec<bool> = person.asked.lock().unwrap().iter().map(|asked| asked.4).collect();
    assert_eq!(aside, [true, false]);
}

#[tokio::test]
async fn what_is_to_be_asked_is_asked_although_the_policy_allows_it() {
    let person = Arc::new(Person::default());
    let bench = bench(gate(), person.clone()).await;
    let act = Act::Script { text: "printf %s x | cat".into(), directory: "/srv".into() };
    let pass = bench.door.enter_asked(act.clone(), "why").await.unwrap();
    assert!(pass.is_by_person());
    pass.done(Value::Null);
    bench.door.enter(act).await.unwrap().done(Value::Null);
    assert_eq!(person.asked.lock().unwrap().len(), 1);
}
