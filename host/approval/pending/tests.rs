//! The rules of one approval.

use super::*;
use crate::approval::settings::{People, Quorum, Rung};
use crate::gate::Verdict;

fn pending(needed: u32) -> Pending {
    let act =
        Act::ProcessRun { argv: vec!["/usr/bin/rm".into(), "x".into()], directory: "/srv".into(), environment: vec![] };
    Pending {
        id: "a-1".into(),
        act,
        origin: Origin { session: "s".into(), agent: "sre".into(), plugin: "bash".into() },
        key: "1.0.0".into(),
        decision: Decision { verdict: Verdict::Ask, ..Decision::allow() },
        action_hash: "h".into(),
        policy: "p".into(),
        created_ms: 0,
        stages: vec![
            Stage { approvers: vec!["slack:U1".into(), "cli:*".into()], until_ms: 100 },
            Stage { approvers: vec!["slack:U2".into()], until_ms: 200 },
        ],
        votes_needed: needed,
        votes: vec![],
        scope: Scope::Once,
        state: State::Waiting,
        reason: String::new(),
        settled_ms: None,
        edited: None,
        edit_of: None,
        content: None,
        shown: BTreeMap::new(),
        rungs_told: 1,
    }
}

fn says(by: &str, is_granted: bool) -> Said {
    Said {
        by: by.into(),
        is_granted,
        scope: Scope::Once,
        comment: String::new(),
        action_hash: Some("h".into()),
        edited: None,
    }
}

#[test]
fn one_yes_grants_and_is_used_once() {
    let mut pending = pending(1);
    pending.answer(says("slack:U1", true), &settings(), 10).unwrap();
    assert_eq!((pending.state, pending.reason.as_str()), (State::Granted, "by slack:U1"));
    assert!(pending.take());
    assert!(!pending.take());
}

#[test]
fn one_no_denies_whatever_was_said_before() {
    let mut pending = pending(2);
    pending.answer(says("slack:U1", true), &settings(), 10).unwrap();
    pending.answer(says("cli:alice", false), &settings(), 11).unwrap();
    assert_eq!((pending.state, pending.deciders()), (State::Denied, vec!["cli:alice".to_owned()]));
    assert!(!pending.take());
}

#[test]
fn a_quorum_is_of_different_people() {
    let mut pending = pending(2);
    pending.answer(says("slack:U1", true), &settings(), 10).unwrap();
    assert_eq!(pending.answer(says("slack:U1", true), &settings(), 11), Err(NotCounted::Twice("slack:U1".into())));
    assert_eq!(pending.state, State::Waiting);
    pending.answer(says("cli:bob", true), &settings(), 12).unwrap();
    assert_eq!(pending.state, State::Granted);
}

#[test]
fn a_stranger_and_the_agent_itself_do_not_count() {
    let mut pending = pending(1);
    assert!(matches!(pending.answer(says("slack:U9", true), &settings(), 10), Err(NotCounted::Stranger { .. })));
    pending.stages[0].approvers.push(ANYBODY.into());
    assert_eq!(pending.answer(says("agent:sre", true), &settings(), 10), Err(NotCounted::OwnAct));
    let mut anybody = settings();
    anybody.line[0].approvers = vec![ANYBODY.into()];
    pending.answer(says("slack:U9", true), &anybody, 10).unwrap();
}

#[test]
fn the_next_in_line_may_answer_when_the_first_did_not() {
    let mut pending = pending(1);
    assert!(matches!(pending.answer(says("slack:U2", true), &settings(), 99), Err(NotCounted::Stranger { .. })));
    pending.answer(says("slack:U2", true), &settings(), 100).unwrap();
    assert_eq!(pending.state, State::Granted);
}

#[test]
fn the_next_in_line_are_told_once() {
    let mut pending = pending(1);
    assert!(!pending.pass_on(99));
    assert!(pending.pass_on(100));
    assert!(!pending.pass_on(101));
}

#[test]
fn nobody_in_time_is_a_no() {
    let mut pending = pending(1);
    assert!(!pending.age(199));
    assert!(pending.age(200));
    assert_eq!((pending.state, pending.reason.as_str()), (State::Denied, "nobody answered in time"));
    let mut pending = self::pending(1);
    assert_eq!(pending.answer(says("slack:U1", true), &settings(), 200), Err(NotCounted::TooLate));
}

#[test]
fn an_answer_to_another_act_or_to_a_settled_one_does_not_count() {
    let mut pending = pending(1);
    let other = Said { action_hash: Some("x".into()), ..says("slack:U1", true) };
    assert_eq!(pending.answer(other, &settings(), 10), Err(NotCounted::OtherAct));
    pending.answer(says("slack:U1", false), &settings(), 10).unwrap();
    assert!(matches!(pending.answer(says("cli:a", true), &settings(), 11), Err(NotCounted::Settled(_))));
}

#[test]
fn two_people_agree_to_the_narrower_scope() {
    let mut pending = pending(2);
    pending.answer(Said { scope: Scope::Rule { minutes: 60 }, ..says("slack:U1", true) }, &settings(), 10).unwrap();
    pending.answer(Said { scope: Scope::Session, ..says("cli:a", true) }, &settings(), 11).unwrap();
    assert_eq!(pending.scope, Scope::Session);
}

fn settings() -> Settings {
    let rung = |approvers: &[&str]| Rung {
        approvers: approvers.iter().map(|name| (*name).to_owned()).collect(),
        wait_ms: 100,
    };
    Settings {
        host: "h".into(),
        line: vec![rung(&["slack:U1", "cli:*", "terminal:*"]), rung(&["slack:U2"])],
        quorum: vec![Quorum { risk: 80, votes: 2 }],
        people: People::default(),
        hold_ms: 0,
        rule_minutes_max: 60,
        user: "alice".into(),
        state_folder: "/none".into(),
    }
}

fn list() -> Act {
    Act::ProcessRun { argv: vec!["/usr/bin/ls".into()], directory: "/srv".into(), environment: vec![] }
}

fn edited(by: &str) -> Said {
    Said { edited: Some(list()), ..says(by, true) }
}

#[test]
fn an_edit_ends_the_question_and_takes_no_votes_for_the_original() {
    let mut pending = pending(2);
    pending.answer(says("slack:U1", true), &settings(), 10).unwrap();
    pending.answer(edited("cli:a"), &settings(), 11).unwrap();
    assert_eq!((pending.state, pending.deciders()), (State::Edited, vec!["cli:a".to_owned()]));
    // Who has seen the original and not what was made of it.
    assert!(matches!(pending.answer(says("cli:b", true), &settings(), 12), Err(NotCounted::Settled(_))));
    assert!(pending.take() && !pending.take());
}

#[test]
fn what_was_made_of_it_needs_as_many_as_its_own_risk() {
    for (risk, state) in [(79, State::Granted), (80, State::Waiting)] {
        let mut original = pending(1);
        original.answer(edited("cli:a"), &settings(), 10).unwrap();
        let mut made = Pending { id: "a-2".into(), act: list(), action_hash: "other".into(), ..pending(1) };
        made.decision.risk = risk;
        made.votes_needed = settings().votes_needed(risk);
        made.credit(&original, &settings(), 11);
        assert_eq!((made.state, made.votes.len()), (state, 1), "{risk}");
    }
}

#[test]
fn nobody_is_credited_for_another_act() {
    let mut original = pending(1);
    original.answer(edited("cli:a"), &settings(), 10).unwrap();
    let mut other = pending(1);
    other.credit(&original, &settings(), 11);
    assert_eq!((other.state, other.votes.len()), (State::Waiting, 0));
}

#[test]
fn one_person_under_two_names_is_no_quorum() {
    let mut pending = pending(2);
    pending.stages[0].approvers.push("terminal:*".into());
    pending.answer(says("cli:root", true), &settings(), 10).unwrap();
    let twice = pending.answer(says("terminal:root", true), &settings(), 11);
    assert_eq!(twice, Err(NotCounted::Twice("terminal:root".into())));
    let table = [("rita".to_owned(), vec!["cli:root".to_owned(), "slack:U1".to_owned()])].into();
    let settings = Settings { people: People::new(&table), ..settings() };
    assert!(matches!(pending.answer(says("slack:U1", true), &settings, 12), Err(NotCounted::Twice(_))));
}

#[test]
fn who_is_no_approver_any_more_decides_nothing() {
    let mut pending = pending(1);
    let mut now = settings();
    now.line[0].approvers = vec!["cli:bob".into()];
    assert!(matches!(pending.answer(says("slack:U1", true), &now, 10), Err(NotCounted::Stranger { .. })));
    pending.answer(says("slack:U1", true), &settings(), 10).unwrap();
    assert!(pending.is_enough(&settings()) && !pending.is_enough(&now));
}

#[test]
fn a_quorum_of_now_counts_for_what_was_granted() {
    let mut pending = pending(1);
    pending.decision.risk = 90;
    pending.answer(says("slack:U1", true), &settings(), 10).unwrap();
    assert!(!pending.is_enough(&settings()));
}

#[test]
fn a_yes_is_used_in_time_or_not_at_all() {
    let mut pending = pending(1);
    pending.answer(says("slack:U1", true), &settings(), 10).unwrap();
    assert!(!pending.age(9 + USE_WITHIN_MS));
    assert!(pending.age(10 + USE_WITHIN_MS));
    assert!(!pending.take());
}

#[test]
fn what_stands_can_be_revoked() {
    let mut pending = pending(1);
    let said = Said { scope: Scope::Rule { minutes: 1 }, ..says("cli:a", true) };
    pending.answer(said, &settings(), 10).unwrap();
    assert!(pending.take());
    assert!(pending.is_standing(11) && !pending.is_standing(60_010));
    assert!(matches!(pending.revoke("slack:U9", &settings(), 11), Err(NotCounted::Stranger { .. })));
    pending.revoke("cli:b", &settings(), 11).unwrap();
    assert!(!pending.is_standing(12));
    assert_eq!(pending.outcome(), "withdrawn, revoked by cli:b");
    assert!(matches!(pending.revoke("cli:b", &settings(), 12), Err(NotCounted::NotStanding(_))));
}

#[test]
fn a_used_single_approval_does_not_stand() {
    let mut pending = pending(1);
    pending.answer(says("cli:a", true), &settings(), 10).unwrap();
    assert!(pending.take() && !pending.is_standing(11));
    assert!(matches!(pending.revoke("cli:a", &settings(), 11), Err(NotCounted::NotStanding(_))));
}

#[test]
fn a_call_that_changed_nothing_gives_its_approval_back() {
    let mut pending = pending(1);
    pending.give_back();
    assert!(!pending.take());
    pending.answer(says("cli:a", true), &settings(), 10).unwrap();
    assert!(pending.take());
    pending.give_back();
    assert!(pending.take());
}

#[test]
fn a_notice_shows_no_secret_and_who_may_decide() {
    let mut pending = pending(1);
    if let Act::ProcessRun { argv, environment, .. } = &mut pending.act {
        argv.push("--password=hunter22".into());
        environment.push(("API_TOKEN".into(), "abcdef".into()));
    }
    let notice = pending.notice("h", 10);
    let text = serde_json::to_string(&notice).unwrap();
    assert!(!text.contains("hunter22") && !text.contains("abcdef"), "{text}");
    assert_eq!(notice.approvers, ["slack:U1", "cli:*"]);
    assert_eq!(pending.notice("h", 150).approvers.len(), 3);
}

#[test]
fn only_a_programs_arguments_can_be_edited() {
    let mut pending = pending(1);
    pending.act = Act::ServiceRestart { service: "web".into() };
    let edited = Some(Act::ServiceRestart { service: "db".into() });
    let said = Said { edited, ..says("slack:U1", true) };
    assert_eq!(pending.answer(said, &settings(), 10), Err(NotCounted::NotEditable("service_restart".into())));
    assert!(pending.is_open());
}
