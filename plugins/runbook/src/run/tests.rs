use serde_json::json;

use super::*;
use crate::Tool;

fn toolbox() -> Toolbox {
    let tool = |effect, keys: &[&str]| Tool {
        effect,
        schema: json!({
            "type": "object", "additionalProperties": false, "required": keys,
            "properties": keys.iter().map(|key| ((*key).to_owned(), json!({ "type": "string" }))).collect::<serde_json::Map<_, _>>(),
        }),
    };
    [
        ("look", tool(Effect::Read, &["of"])),
        ("probe", tool(Effect::Read, &["of"])),
        ("set", tool(Effect::Write, &["of", "to"])),
        ("drop", tool(Effect::Destructive, &["of"])),
    ]
    .map(|(name, tool)| (name.to_owned(), tool))
    .into()
}

const FRONT: &str = "---\ntitle: T\nparameters:\n  of: { type: name, default: shop }\n---\n";

fn book(front: &str, steps: &[&str]) -> Runbook {
    let steps: String = steps.iter().map(|step| format!("\n```yaml step\n{step}\n```\n")).collect();
    Runbook::parse("book", &format!("{front}{steps}")).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Answers by tool, in order; what was called, and how it ended.
fn play(book: &Runbook, answers: Vec<(&str, Answer)>) -> (Vec<String>, Outcome, Runner) {
    let mut answers: std::collections::VecDeque<_> = answers.into();
    let mut runner = Runner::new(book, &Parameters::new(), &toolbox()).unwrap();
    let (mut calls, mut now_ms) = (Vec::new(), 1_000);
    loop {
        match runner.next(now_ms) {
            Next::Wait { ms } => now_ms += ms,
            Next::Ended(outcome) => {
                assert!(answers.is_empty(), "not asked for: {answers:?}; called: {calls:?}");
                return (calls, outcome, runner);
            }
            Next::Call(call) => {
                // Asked again, it says the same.
                assert_eq!(runner.next(now_ms), Next::Call(call.clone()));
                let (tool, answer) = answers.pop_front().unwrap_or_else(|| panic!("no answer for {call:?}"));
                assert_eq!(tool, call.tool);
                calls.push(format!("{} {}", call.tool, call.arguments));
                runner.answered(answer, now_ms);
            }
        }
    }
}

fn done(value: Value) -> Answer {
    Answer::Done(value)
}

const LOOK: &str = "id: look\ntool: look\narguments: { of: \"{{ of }}\" }";
const SET: &str = "id: set\ntool: set\narguments: { of: \"{{ of }}\", to: b }\nwhen: result.look/at != \"b\"\nundo: { tool: set, arguments: { of: \"{{ of }}\", to: \"{{ result.look/at }}\" } }\nverify: { tool: probe, arguments: { of: \"{{ of }}\" }, expect: result/ok, in_a_row: 2, attempts: 4, every: 1s }\non_failure: undo";
const DROP: &str = "id: drop\ntool: drop\narguments: { of: \"{{ of }}\" }\nirreversible: true\non_failure: undo";

#[test]
fn looks_changes_and_proves() {
    let answers = vec![
        ("look", done(json!({ "at": "a" }))),
        ("set", done(json!(null))),
        ("probe", done(json!({ "ok": true }))),
        ("probe", done(json!({ "ok": false }))),
        ("probe", done(json!({ "ok": true }))),
        ("probe", done(json!({ "ok": true }))),
    ];
    let (calls, outcome, runner) = play(&book(FRONT, &[LOOK, SET]), answers);
    assert_eq!(outcome, Outcome::Done, "{}", runner.summary());
    assert_eq!(calls[1], r#"set {"of":"shop","to":"b"}"#);
    assert_eq!(runner.records()[1].looks, Some((2, 4)));
    assert_eq!(runner.summary(), "Runbook `book`: 2 of 2 steps done, 0 not needed.");
}

#[test]
fn what_needs_no_change_is_left_alone() {
    let (calls, outcome, _) = play(&book(FRONT, &[LOOK, SET]), vec![("look", done(json!({ "at": "b" })))]);
    assert_eq!((calls.len(), outcome), (1, Outcome::NothingToDo));
}

#[test]
fn what_is_not_proved_is_taken_back() {
    let no = || done(json!({ "ok": false }));
    let answers = vec![
        ("look", done(json!({ "at": "a" }))),
        ("set", done(json!(null))),
        ("probe", no()),
        ("probe", no()),
        ("probe", no()),
        ("set", done(json!(null))),
    ];
    let (calls, outcome, runner) = play(&book(FRONT, &[LOOK, SET]), answers);
    assert_eq!(outcome, Outcome::Undone);
    assert_eq!(calls.last().unwrap(), r#"set {"of":"shop","to":"a"}"#);
    assert!(runner.records()[1].is_undone);
}

#[test]
fn what_was_made_before_is_taken_back_the_latest_first_and_what_is_irreversible_is_said() {
    let second =
        SET.replace("id: set", "id: second").replace("to: b", "to: c").replace("when: result.look/at != \"b\"\n", "");
    let ok = || done(json!({ "ok": true }));
    let healthy = || vec![("probe", ok()), ("probe", ok())];
    let mut answers = vec![("look", done(json!({ "at": "a" }))), ("set", done(json!(null)))];
    answers.extend(healthy());
    answers.push(("set", done(json!(null))));
    answers.extend(healthy());
    answers.extend([
        ("drop", Answer::Failed("in use".into())),
        ("set", done(json!(null))),
        ("set", Answer::Refused("frozen".into())),
    ]);
    let (_, outcome, runner) = play(&book(FRONT, &[LOOK, SET, &second, DROP]), answers);
    assert_eq!(outcome, Outcome::UndoFailed);
    let undone: Vec<bool> = runner.records().iter().map(|record| record.is_undone).collect();
    assert_eq!(undone, [false, false, true, false]);
    assert_eq!(
        runner.summary(),
        "Runbook `book` failed: the step `drop` failed: in use; and what could not be taken back: `set` (frozen)."
    );
}

#[test]
fn a_change_of_unknown_outcome_is_looked_at_and_never_done_again() {
    let begin = || vec![("look", done(json!({ "at": "a" }))), ("set", Answer::Unknown("killed".into()))];
    let mut well = begin();
    well.extend([("probe", done(json!({ "ok": true }))), ("probe", done(json!({ "ok": true })))]);
    let (_, outcome, runner) = play(&book(FRONT, &[LOOK, SET]), well);
    assert_eq!(outcome, Outcome::Done);
    assert!(runner.records()[1].why.as_deref().unwrap().contains("took effect"));
    let mut sick = begin();
    sick.extend((0..3).map(|_| ("probe", done(json!({ "ok": false })))));
    let (_, outcome, runner) = play(&book(FRONT, &[LOOK, SET]), sick);
    // Neither once more nor taken back: whether it was done is not known.
    assert_eq!((outcome, runner.records()[1].state), (Outcome::Stopped, State::Unknown));
}

#[test]
fn refused_or_wrong_answers_stop_it_and_what_comes_later_is_left() {
    let (_, outcome, runner) = play(&book(FRONT, &[LOOK, DROP]), vec![("look", Answer::Refused("no".into()))]);
    assert_eq!(
        (outcome, runner.records()[0].state, runner.records()[1].state),
        (Outcome::Stopped, State::Refused, State::Left)
    );
    // What is compared is not there: an error, and no `false` that would let the change through.
    let (_, outcome, runner) = play(
        &book(
            FRONT,
            &[LOOK, "id: drop\ntool: drop\narguments: { of: x }\nirreversible: true\nwhen: result.look/size > 3"],
        ),
        vec![("look", done(json!({})))],
    );
    assert_eq!(outcome, Outcome::Stopped);
    assert_eq!(
        runner.summary(),
        "Runbook `book` stopped: the step `drop` failed: `result.look/size > 3`: `null` and `3` have no order; nothing was changed."
    );
}

#[test]
fn what_may_fail_may_fail() {
    let first = format!("{LOOK}\non_failure: continue");
    let (_, outcome, _) =
        play(&book(FRONT, &[&first, DROP]), vec![("look", Answer::Failed("x".into())), ("drop", done(json!(null)))]);
    assert_eq!(outcome, Outcome::Incomplete);
}

#[test]
fn autonomy_bounds_what_is_called() {
    for (autonomy, calls, outcome) in [("observe", 1, Outcome::Proposed), ("propose", 1, Outcome::Proposed)] {
        let front = FRONT.replace("title: T", &format!("title: T\nautonomy: {autonomy}"));
        let (called, ended, runner) = play(&book(&front, &[LOOK, DROP]), vec![("look", done(json!({})))]);
        assert_eq!((called.len(), ended), (calls, outcome));
        assert_eq!(runner.records()[1].arguments, Some(json!({ "of": "shop" })));
    }
    let front = FRONT.replace("title: T", "title: T\nautonomy: approve");
    let mut runner = Runner::new(&book(&front, &[DROP]), &Parameters::new(), &toolbox()).unwrap();
    assert!(matches!(runner.next(0), Next::Call(call) if call.must_ask));
}

#[test]
fn time_that_is_over_fails_the_step_that_would_be_next() {
    let front = FRONT.replace("title: T", "title: T\ntimeout: 2s");
    let mut runner = Runner::new(&book(&front, &[LOOK, DROP]), &Parameters::new(), &toolbox()).unwrap();
    assert!(matches!(runner.next(0), Next::Call(_)));
    runner.answered(done(json!({})), 5_000);
    assert_eq!(runner.next(5_000), Next::Ended(Outcome::Stopped));
    assert!(runner.summary().contains("longer than its 2s"), "{}", runner.summary());
}

#[test]
fn a_result_that_is_too_large_is_an_error_where_it_is_needed() {
    let large = "x".repeat(2 << 20);
    let (_, outcome, runner) = play(&book(FRONT, &[LOOK, SET]), vec![("look", done(json!({ "at": large })))]);
    assert_eq!(outcome, Outcome::Stopped);
    assert!(runner.summary().contains("was not kept"), "{}", runner.summary());
}

#[test]
fn an_answer_that_nobody_waits_for_changes_nothing() {
    let mut runner = Runner::new(&book(FRONT, &[LOOK, DROP]), &Parameters::new(), &toolbox()).unwrap();
    runner.answered(done(json!({})), 0);
    assert!(matches!(runner.next(0), Next::Call(call) if call.step == "look"));
}
