//! The desk with a store of its own, and a channel that fails when it is told to.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::*;
use crate::approval::channel::ChannelError;
use crate::approval::{Answer, Approver, Aside, People, Question, Quorum, Rung};
use crate::gate::{Act, Decision, Origin, Verdict};
use crate::store::Holder;
use crate::store::sqlite::SqliteStore;

/// A channel that keeps what it is told to show.
#[derive(Default)]
struct Board {
    is_down: AtomicBool,
    announced: std::sync::Mutex<Vec<Notice>>,
    settled: std::sync::Mutex<Vec<String>>,
}

impl Board {
    fn reached(&self) -> Result<(), ChannelError> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(ChannelError::Limited { target: "the board".into(), seconds: 1 });
        }
        Ok(())
    }

    fn announced(&self) -> Vec<Notice> {
        self.announced.lock().unwrap().clone()
    }

    /// The handles of messages that say how it ended.
    fn settled(&self) -> Vec<String> {
        self.settled.lock().unwrap().clone()
    }
}

#[async_trait]
impl Channel for Board {
    fn name(&self) -> &str {
        "board"
    }

    async fn announce(&self, notice: &Notice) -> Result<String, ChannelError> {
        self.reached()?;
        let mut announced = self.announced.lock().unwrap();
        announced.push(notice.clone());
        Ok(format!("m{}", announced.len()))
    }

    async fn update(&self, handle: &str, _: &Notice, settled: Option<&Settled>) -> Result<(), ChannelError> {
        self.reached()?;
        if settled.is_some() {
            self.settled.lock().unwrap().push(handle.to_owned());
        }
        Ok(())
    }

    async fn check(&self) -> Result<String, ChannelError> {
        Ok("the board".into())
    }

    async fn listen(&self, _: Arc<dyn Desk>) {
        std::future::pending().await
    }
}

struct Bench {
    folder: tempfile::TempDir,
    journal: Arc<Journal>,
    board: Arc<Board>,
    desk: Arc<Approvals>,
}

fn settings() -> Settings {
    let rung = |name: &str, wait_ms: u64| Rung { approvers: vec![name.to_owned()], wait_ms };
    Settings {
        host: "h".into(),
        line: vec![rung("cli:*", 600_000), rung("slack:U2", 600_000)],
        quorum: vec![Quorum { risk: 80, votes: 2 }],
        people: People::default(),
        hold_ms: 600_000,
        rule_minutes_max: 60,
        user: "alice".into(),
        state_folder: "/none".into(),
    }
}

impl Bench {
    async fn new() -> Self {
        Self::with(settings()).await
    }

    async fn with(settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("store.db")).await.unwrap();
        let journal = Arc::new(Journal::begin(Arc::new(store), &Holder::this_process("test")).await.unwrap());
        let board = Arc::new(Board::default());
        let desk = Approvals::open(journal.clone(), settings, vec![board.clone()], None).await.unwrap();
        Self { folder, journal, board, desk }
    }

    /// Ask, in a task of its own.
    fn ask(&self, asked: Asked) -> tokio::task::JoinHandle<Answer> {
        let desk = self.desk.clone();
        tokio::spawn(async move {
            let aside = if asked.is_rerun { Aside::of_rerun() } else { Aside::default() };
            let question = Question {
                act: &asked.act,
                origin: &asked.origin,
                key: "1.0",
                decision: &asked.decision,
                policy: "p",
                content: None,
                edit_of: asked.edit_of.as_deref(),
                is_rerun: asked.is_rerun,
                aside: Some(&aside),
            };
            desk.ask(question).await
        })
    }

    /// The id of an approval that waits and was not seen before.
    async fn waiting(&self, seen: &[&str]) -> String {
        loop {
            let all = all(self.journal.store().as_ref()).await.unwrap();
            if let Some(pending) = all.iter().find(|p| p.is_open() && !seen.contains(&p.id.as_str())) {
                return pending.id.clone();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn load(&self, id: &str) -> Pending {
        load(self.journal.store().as_ref(), id).await.unwrap()
    }

    async fn entries(&self) -> Vec<Body> {
        let entries = self.journal.session("s").await.unwrap().entries().await.unwrap();
        entries.into_iter().map(|entry| entry.body).collect()
    }
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..20_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it never comes to this: {what}");
}

struct Asked {
    act: Act,
    origin: Origin,
    decision: Decision,
    edit_of: Option<String>,
    is_rerun: bool,
}

fn run(argument: &str) -> Act {
    Act::ProcessRun {
        argv: vec!["/usr/bin/mark".into(), argument.into()],
        directory: "/srv".into(),
        environment: vec![],
    }
}

fn asked(argument: &str, risk: u8, rules: &[&str]) -> Asked {
    let rules = rules.iter().map(|rule| (*rule).to_owned()).collect();
    Asked {
        act: run(argument),
        origin: Origin { session: "s".into(), agent: "sre".into(), plugin: "bash".into() },
        decision: Decision { verdict: Verdict::Ask, risk, rules, ..Decision::allow() },
        edit_of: None,
        is_rerun: false,
    }
}

fn says(by: &str, is_granted: bool) -> Said {
    Said { by: by.into(), is_granted, scope: Scope::Once, comment: String::new(), action_hash: None, edited: None }
}

#[tokio::test]
async fn an_edit_is_asked_about_by_its_own_risk_and_used_once() {
    let bench = Bench::new().await;
    let question = bench.ask(asked("wrong", 50, &["r"]));
    let id = bench.waiting(&[]).await;
    bench.desk.answer(&id, Said { edited: Some(run("right")), ..says("cli:a", true) }).await.unwrap();
    let answer = question.await.unwrap();
    assert_eq!((answer.edited, answer.id.as_deref()), (Some(run("right")), Some(id.as_str())));

    let made = || Asked { edit_of: Some(id.clone()), ..asked("right", 90, &["r"]) };
    let question = bench.ask(made());
    let second = bench.waiting(&[&id]).await;
    let pending = bench.load(&second).await;
    assert_eq!((pending.votes_needed, pending.votes.len(), &pending.act), (2, 1, &run("right")));
    // Who has made it agrees to it once.
    assert!(bench.desk.answer(&second, says("cli:a", true)).await.is_err());
    bench.desk.answer(&second, says("cli:b", true)).await.unwrap();
    assert!(question.await.unwrap().is_granted);
    assert_eq!(bench.load(&id).await.state, State::Used);
    assert!(!bench.desk.spend(&id).await);
}

#[tokio::test]
async fn an_edit_that_needs_one_person_goes_through_with_the_one_who_made_it() {
    let bench = Bench::new().await;
    let question = bench.ask(asked("wrong", 90, &["r"]));
    let id = bench.waiting(&[]).await;
    bench.desk.answer(&id, Said { edited: Some(run("right")), ..says("cli:a", true) }).await.unwrap();
    question.await.unwrap();
    let answer = bench.ask(Asked { edit_of: Some(id.clone()), ..asked("right", 50, &["r"]) }).await.unwrap();
    assert!(answer.is_granted, "{}", answer.reason);
    assert_eq!(bench.load(&id).await.state, State::Used);
}

#[tokio::test]
async fn what_an_edit_names_is_bound_as_well() {
    let bench = Bench::new().await;
    let script = bench.folder.path().join("fix.py");
    std::fs::write(&script, "one").unwrap();
    let name = script.display().to_string();
    let question = bench.ask(asked("wrong", 50, &["r"]));
    let id = bench.waiting(&[]).await;
    bench.desk.answer(&id, Said { edited: Some(run(&name)), ..says("cli:a", true) }).await.unwrap();
    question.await.unwrap();
    let question = bench.ask(Asked { edit_of: Some(id.clone()), ..asked(&name, 90, &["r"]) });
    let second = bench.waiting(&[&id]).await;
    std::fs::write(&script, "two").unwrap();
    bench.desk.answer(&second, says("cli:b", true)).await.unwrap();
    let answer = question.await.unwrap();
    assert!(!answer.is_granted && answer.reason.contains("has changed"), "{}", answer.reason);
}

#[tokio::test]
async fn a_granted_act_of_which_more_is_known_is_asked_about_again() {
    for worse in [asked("a", 60, &["r"]), asked("a", 50, &["r", "malicious"])] {
        let bench = Bench::new().await;
        // Its call is laid aside while people think.
        let question = bench.ask(asked("a", 50, &["r"]));
        let id = bench.waiting(&[]).await;
        question.abort();
        bench.desk.answer(&id, says("cli:a", true)).await.unwrap();
        let question = bench.ask(worse);
        let second = bench.waiting(&[&id]).await;
        assert_eq!(bench.load(&id).await.state, State::Withdrawn);
        bench.desk.answer(&second, says("cli:a", false)).await.unwrap();
        assert!(!question.await.unwrap().is_granted);
    }
}

/// Ask, and drop the question at the place where it waits for the so-manieth time.
async fn dropped_at(bench: &Bench, wait: usize, is_kept: bool) {
    let asked = asked("a", 50, &["r"]);
    let aside = Aside::default();
    let question = Question {
        act: &asked.act,
        origin: &asked.origin,
        key: "1.0",
        decision: &asked.decision,
        policy: "p",
        content: None,
        edit_of: None,
        is_rerun: false,
        aside: is_kept.then_some(&aside),
    };
    let mut asking = Box::pin(bench.desk.ask(question));
    let mut waits = 0;
    std::future::poll_fn(|context| {
        assert!(asking.as_mut().poll(context).is_pending(), "nobody has answered");
        waits += 1;
        if waits > wait { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

#[tokio::test]
async fn a_question_that_is_dropped_anywhere_leaves_nothing_that_nobody_can_answer() {
    for is_kept in [true, false] {
        let mut found = 0;
        // Every place up to the one where it waits for people.
        for wait in 0.. {
            let bench = Bench::new().await;
            let mut notes = bench.desk.notes();
            dropped_at(&bench, wait, is_kept).await;
            let is_asked = matches!(notes.try_recv(), Ok(Note::Asked { .. }));
            // What was on its way to the store is there when this is.
            bench.journal.store().set_value(bench.journal.lease(), "after", &Value::Null).await.unwrap();
            for pending in all(bench.journal.store().as_ref()).await.unwrap() {
                found += 1;
                match bench.desk.answer(&pending.id, says("cli:a", true)).await {
                    Ok(answered) => assert_eq!(answered.state, State::Granted),
                    // One that nobody asks again is taken back.
                    Err(error) => assert!(!is_kept && error.to_string().contains("has ended"), "{wait}: {error}"),
                }
            }
            if is_asked {
                break;
            }
        }
        assert!(found > 0, "no place was met at which it is in the store");
    }
}

#[tokio::test]
async fn an_approval_for_the_session_covers_no_higher_risk() {
    let bench = Bench::new().await;
    let question = bench.ask(asked("a", 50, &["r"]));
    let id = bench.waiting(&[]).await;
    bench.desk.answer(&id, Said { scope: Scope::Session, ..says("cli:a", true) }).await.unwrap();
    assert!(question.await.unwrap().is_granted);
    assert!(bench.ask(asked("a", 50, &["r"])).await.unwrap().is_granted);
    let question = bench.ask(asked("a", 51, &["r"]));
    bench.waiting(&[&id]).await;
    question.abort();
}

#[tokio::test]
async fn a_revoked_approval_lets_nothing_through() {
    let bench = Bench::new().await;
    let question = bench.ask(asked("a", 50, &["r"]));
    let id = bench.waiting(&[]).await;
    bench.desk.answer(&id, Said { scope: Scope::Rule { minutes: 30 }, ..says("cli:a", true) }).await.unwrap();
    assert!(question.await.unwrap().is_granted);
    assert!(bench.ask(asked("b", 50, &["r"])).await.unwrap().is_granted);
    bench.desk.revoke(&id, "cli:b").await.unwrap();
    let question = bench.ask(asked("c", 50, &["r"]));
    bench.waiting(&[&id]).await;
    question.abort();
    let entries = bench.entries().await;
    let has = |wanted: &dyn Fn(&Body) -> bool| entries.iter().any(wanted);
    assert!(has(&|body| matches!(body, Body::ApprovalAnswered { scope, .. } if scope.contains("30 minutes"))));
    assert!(has(&|body| matches!(body, Body::ApprovalUsed { .. })));
    assert!(has(&|body| matches!(body, Body::ApprovalSettled { reason, .. } if reason.contains("revoked by cli:b"))));
}

#[tokio::test]
async fn a_channel_that_was_down_is_told_when_it_is_up() {
    let bench = Bench::new().await;
    bench.board.is_down.store(true, Ordering::SeqCst);
    let question = bench.ask(asked("a", 50, &["r"]));
    let id = bench.waiting(&[]).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(bench.board.announced().is_empty());
    bench.board.is_down.store(false, Ordering::SeqCst);
    until("it is shown", || bench.board.announced().len() == 1).await;
    bench.board.is_down.store(true, Ordering::SeqCst);
    bench.desk.answer(&id, says("cli:a", true)).await.unwrap();
    question.await.unwrap();
    bench.board.is_down.store(false, Ordering::SeqCst);
    for _ in 0..2_000 {
        bench.desk.tick().await.unwrap();
        if !bench.board.settled().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(bench.board.settled(), ["m1"]);
}

#[tokio::test]
async fn the_next_in_line_get_a_message_and_all_messages_say_how_it_ended() {
    let mut soon = settings();
    soon.line[0].wait_ms = 300;
    let bench = Bench::with(soon).await;
    let question = bench.ask(asked("a", 50, &["r"]));
    let id = bench.waiting(&[]).await;
    until("the next are told", || bench.board.announced().len() == 2).await;
    assert_eq!(bench.board.announced()[0].approvers, ["cli:*"]);
    assert_eq!(bench.board.announced()[1].approvers, ["cli:*", "slack:U2"]);
    bench.desk.answer(&id, says("slack:U2", false)).await.unwrap();
    question.await.unwrap();
    until("both are brought up to date", || {
        let mut settled = bench.board.settled();
        settled.sort();
        settled == ["m1", "m2"]
    })
    .await;
    let entries = bench.entries().await;
    assert!(entries.iter().any(|body| matches!(body, Body::ApprovalPassedOn { .. })));
}

#[tokio::test]
async fn a_call_that_runs_again_is_not_asked_again() {
    let bench = Bench::new().await;
    let question = bench.ask(asked("a", 50, &["r"]));
    let id = bench.waiting(&[]).await;
    bench.desk.answer(&id, says("cli:a", true)).await.unwrap();
    assert!(question.await.unwrap().is_granted);
    let again = bench.ask(Asked { is_rerun: true, ..asked("a", 50, &["r"]) }).await.unwrap();
    assert!(again.is_granted && again.id == Some(id.clone()), "{}", again.reason);
    // And another call is.
    let question = bench.ask(asked("a", 50, &["r"]));
    bench.waiting(&[&id]).await;
    question.abort();
}

#[tokio::test]
async fn a_session_that_is_denied_again_and_again_asks_nobody_any_more() {
    let bench = Bench::new().await;
    let mut seen: Vec<String> = Vec::new();
    for number in 0..10 {
        let question = bench.ask(asked(&format!("a{number}"), 50, &["r"]));
        let id = bench.waiting(&seen.iter().map(String::as_str).collect::<Vec<_>>()).await;
        bench.desk.answer(&id, says("cli:a", false)).await.unwrap();
        question.await.unwrap();
        seen.push(id);
    }
    let answer = bench.ask(asked("other", 50, &["r"])).await.unwrap();
    assert!(!answer.is_granted && answer.reason.contains("nobody is asked any more"), "{}", answer.reason);
}

#[tokio::test]
async fn answers_that_do_not_count_do_not_fill_the_journal() {
    let bench = Bench::new().await;
    let question = bench.ask(asked("a", 50, &["r"]));
    let id = bench.waiting(&[]).await;
    for number in 0..40 {
        let said = Said { comment: "x".repeat(5_000), ..says(&format!("irc:{number}"), true) };
        assert!(bench.desk.answer(&id, said).await.is_err());
    }
    let uncounted: Vec<usize> = bench
        .entries()
        .await
        .iter()
        .filter_map(|body| match body {
            Body::ApprovalAnswered { comment, uncounted: Some(_), .. } => Some(comment.chars().count()),
            _ => None,
        })
        .collect();
    assert_eq!(uncounted.len(), UNCOUNTED_MAX as usize);
    assert!(uncounted.iter().all(|count| *count <= COMMENT_CHARS_MAX + 1));
    question.abort();
}

#[tokio::test]
async fn what_a_killed_call_of_a_person_asked_is_withdrawn_by_the_next_host() {
    let bench = Bench::new().await;
    let origin = Origin { session: "s".into(), agent: "person".into(), plugin: String::new() };
    let question = bench.ask(Asked { origin, ..asked("a", 50, &["r"]) });
    let id = bench.waiting(&[]).await;
    // The first host does nothing more: not even what it had begun to show.
    while bench.load(&id).await.shown.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    question.abort();
    let next = Approvals::open(bench.journal.clone(), settings(), vec![], None).await.unwrap();
    assert_eq!(bench.load(&id).await.state, State::Withdrawn);
    assert!(next.answer(&id, says("cli:a", true)).await.is_err());
}

#[tokio::test]
async fn what_a_session_has_asked_goes_with_it() {
    let bench = Bench::new().await;
    let question = bench.ask(asked("a", 50, &["r"]));
    let id = bench.waiting(&[]).await;
    bench.desk.answer(&id, Said { scope: Scope::Session, ..says("cli:a", true) }).await.unwrap();
    question.await.unwrap();
    until("it is shown", || bench.board.settled().len() == 1).await;
    bench.desk.forget("s").await.unwrap();
    assert_eq!(bench.load(&id).await.state, State::Withdrawn);
    let error = bench.desk.answer(&id, says("cli:b", true)).await.unwrap_err().to_string();
    assert!(error.contains("decided already"), "{error}");
}
