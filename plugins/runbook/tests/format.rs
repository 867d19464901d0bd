//! The format as its author meets it: what a wrong file is told, and that nothing that is read can break the reader.

use pi_runbook::{Effect, Kind, Parameters, Runbook, Target, Tool, Toolbox, template};
use proptest::prelude::*;
use serde_json::json;

fn toolbox() -> Toolbox {
    let tool = |effect, required: &[&str]| {
        let keys: serde_json::Map<_, _> =
            required.iter().map(|key| ((*key).to_owned(), json!({ "type": "string" }))).collect();
        Tool { effect, schema: json!({ "properties": keys, "required": required, "additionalProperties": false }) }
    };
    [
        ("service_probe", tool(Effect::Read, &["name"])),
        ("service_status", tool(Effect::Read, &["name"])),
        ("service_restart", tool(Effect::Write, &["name"])),
        ("bash", tool(Effect::Destructive, &["command"])),
    ]
    .map(|(name, tool)| (name.to_owned(), tool))
    .into()
}

/// All that is wrong with a file, read and checked.
fn said(text: &str) -> String {
    match Runbook::parse("book", text).and_then(|book| book.check(&toolbox())) {
        Ok(()) => "right".into(),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn every_mistake_is_named_with_its_place_and_the_word_that_is_meant() {
    let text = "\
---
titel: Restart
applies_to: { causes: [process_hang], kinds: [lokal] }
parameters:
  service: { type: nam }
  note: { type: text, default: x }
  many: { type: integer, default: 5, maximum: 3 }
autonomy: full
timeout: 5
---

```yaml step
id: probe
tool: service_prob
arguments: { nme: \"{{ service }}\" }
when: result.restart/healthy
```

```yaml step
id: restart
tool: service_restart
arguments: { name: \"{{ servce }}\" }
exepct: result/healthy == true
on_failure: retry
```

```yaml step
id: say
tool: bash
arguments: { command: \"echo {{ note }} {{ result.probe/text }}\" }
irreversible: true
verify:
  tool: service_probe
  arguments: { name: 5 }
  expect: result/healthy ==
```
";
    insta::assert_snapshot!(said(text), @r#"
    2:1: the front matter has no key `titel`
    hint: did you mean `title`?
    3:24: there is no root cause `process_hang`
    hint: did you mean `process_hung`?
    3:47: `kinds` knows no `lokal`
    hint: did you mean `local`?
    5:20: `type` knows no `nam`
    hint: did you mean `name`?
    7:35: `default`: 5 is more than 3
    8:11: `autonomy` knows no `full`
    hint: did you mean `auto`?
    9:10: `timeout`: `5` is no length of time: write it as `500ms`, `30s`, `5m` or `1h`
    16:7: the step `restart` has not been done here: it comes later, or is this one
    hint: a step sees what the steps before it gave
    22:23: there is no parameter `servce`
    hint: did you mean `service`?
    23:1: a step has no key `exepct`
    hint: did you mean `expect`?
    24:13: `on_failure` knows no `retry`
    hint: there are stop, undo, continue
    30:31: `note` within a text may be more than one word
    hint: `quoted(note)` in what a shell reads, `text(note)` in what no program does, or a parameter of the type `name`
    30:42: `result.probe/text` within a text may be more than one word
    hint: `quoted(result.probe/text)` in what a shell reads, `text(result.probe/text)` in what no program does, or a parameter of the type `name`
    35:28: it ends where a value is needed
    "#);
}

#[test]
fn what_the_tools_do_not_take_is_found_before_anything_is_called() {
    let text = "\
---
title: Restart
parameters:
  service: { type: name }
---

```yaml step
id: probe
tool: service_prob
arguments: { name: \"{{ service }}\" }
```

```yaml step
id: status
tool: service_status
arguments: { nme: 5 }
irreversible: true
```

```yaml step
id: restart
tool: service_restart
arguments: { name: 5 }
verify: { tool: service_restart, arguments: { name: x }, expect: result/ok }
```
";
    insta::assert_snapshot!(said(text), @r#"
    9:7: there is no tool `service_prob`
    hint: did you mean `service_probe`?
    14:1: `service_status` needs `name`
    14:1: `service_status` only looks: it is not irreversible
    16:14: `service_status` takes no `nme`
    hint: did you mean `name`?
    21:1: the step `restart` changes something (`service_restart`), and has no `undo`
    hint: say how it is taken back, or `irreversible: true`
    23:14: `service_restart` wants of `name` a string
    24:17: `verify` looks, and `service_restart` changes something
    "#);
}

#[test]
fn what_is_no_runbook_says_what_one_is() {
    let long = format!("---\ntitle: x\n---\n{}", "x".repeat(300 << 10));
    let cases = [
        "",
        "# Only text\n",
        "---\ntitle: x\n---\n# No steps\n",
        "---\ntitle: [x\n---\n",
        "---\ntitle: x\n---\n```yaml step\nid: a\ntool: service_probe\narguments: { name: {{ x }} }\n```\n",
        "---\ntitle: x\n---\n```yaml step\nid: a\n\ttool: service_probe\n```\n",
        "---\n- a\n---\n```yaml step\n- a\n```\n",
        "---\ntitle: x\n---\n```yaml step\nid: a\ntool: service_probe\narguments: { name: x }\n```\n```yaml step\nid: a\ntool: service_probe\narguments: { name: x }\n```\n",
        &long,
    ];
    let all: Vec<String> = cases.iter().map(|text| said(text)).collect();
    insta::assert_snapshot!(all.join("\n--\n"), @r#"
    1:1: there is no front matter
    hint: a runbook begins with YAML between two lines `---`; `pi-host runbook new NAME` writes one
    --
    1:1: there is no front matter
    hint: a runbook begins with YAML between two lines `---`; `pi-host runbook new NAME` writes one
    --
    1:1: there is no step
    hint: a step is a fenced block, opened by ```yaml step
    --
    3:1: no YAML: while parsing a flow sequence, expected ',' or ']'
    hint: a text that contains `: ` or ` #`, or begins with one of `[{"'*&!%@|>`, has to be in quotes
    --
    7:21: a key that is no text
    hint: what stands in `{{ }}` has to be in quotes: "{{ name }}"
    --
    5:5: no YAML: while scanning a plain scalar, found a tab
    hint: YAML is indented by spaces, and there is a tab
    --
    2:1: the front matter is a list, and has to be a map of keys
    5:1: a step is a list, and has to be a map of keys
    --
    10:1: another step has the id `a`
    --
    1:1: 307217 bytes, and 262144 is the most that a runbook may have
    "#);
}

#[test]
fn the_template_works_as_it_stands() {
    let book = Runbook::parse("restart", &template("restart")).unwrap();
    book.check(&toolbox()).unwrap();
    assert_eq!(book.trials().len(), 3);
    for trial in book.trials() {
        let verdict = trial.run(&book, &toolbox());
        assert!(verdict.is_right(), "{verdict:?}");
    }
}

#[test]
fn a_test_that_expects_something_else_fails_and_says_what() {
    let text = template("restart").replace("outcome: nothing_to_do", "outcome: done").replace(
        "- { tool: service_restart, arguments: { name: shop }, answer: { is_restarted: true } }",
        "- { tool: service_restart, arguments: { name: other }, answer: { is_restarted: true } }",
    );
    let book = Runbook::parse("restart", &text).unwrap();
    let told: Vec<String> = book
        .trials()
        .iter()
        .map(|trial| trial.run(&book, &toolbox()))
        .flat_map(|verdict| verdict.problems.into_iter().map(|problem| problem.to_string()).collect::<Vec<_>>())
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    48:1: it ended as `nothing_to_do`, and `done` was expected: Runbook `restart`: nothing had to be changed.
    61:5: the step `restart` called `service_restart` with {"name":"shop"}, and `service_restart` with {"name":"other"} was expected
    "#);
}

#[test]
fn it_applies_by_cause_service_and_kind() {
    let text = "---\ntitle: x\napplies_to: { causes: [storage_full], services: [\"shop-*\"], kinds: [instance] }\nparameters:\n  service: { type: name, from: service }\n  id: { type: name, from: id }\n---\n```yaml step\nid: a\ntool: service_probe\narguments: { name: \"{{ service }}\" }\n```\n";
    let book = Runbook::parse("book", text).unwrap();
    let target =
        Target { service: "shop-1".into(), kind: Some(Kind::Instance), id: Some("i-1".into()), ..Target::default() };
    assert!(book.applies("storage_full", &target));
    assert!(!book.applies("process_hung", &target));
    assert!(!book.applies("storage_full", &Target { kind: None, ..target.clone() }));
    assert!(!book.applies("storage_full", &Target { service: "db".into(), ..target.clone() }));
    let filled = book.fill_for(&target, &Parameters::new()).unwrap();
    assert_eq!(json!(filled), json!({ "id": "i-1", "service": "shop-1" }));
    let error = book.fill_for(&Target { id: None, ..target }, &Parameters::new()).unwrap_err().to_string();
    assert!(error.contains("the parameter `id` has no value"), "{error}");
}

#[test]
fn parameters_are_what_was_declared() {
    let text = "---\ntitle: x\nparameters:\n  unit: { type: name }\n  many: { type: integer, default: 1, minimum: 1, maximum: 3 }\n  mode: { type: text, default: a, one_of: [a, b] }\n---\n```yaml step\nid: a\ntool: service_probe\narguments: { name: \"{{ unit }}\" }\n```\n";
    let book = Runbook::parse("book", text).unwrap();
    let fill = |pairs: &[(&str, &str)]| {
        let given = pairs.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        book.fill(&given).map(|filled| json!(filled)).map_err(|problems| problems.to_string())
    };
    assert_eq!(
        fill(&[("unit", "a.service"), ("many", "2")]),
        Ok(json!({ "many": 2, "mode": "a", "unit": "a.service" }))
    );
    let told: Vec<String> = [
        fill(&[]),
        fill(&[("unit", "a; rm -rf /")]),
        fill(&[("unit", "a"), ("many", "9")]),
        fill(&[("unit", "a"), ("many", "x")]),
        fill(&[("unit", "a"), ("mode", "c")]),
        fill(&[("unti", "a"), ("unit", "a")]),
    ]
    .into_iter()
    .map(Result::unwrap_err)
    .collect();
    insta::assert_snapshot!(told.join("\n--\n"), @r#"
    4:3: the parameter `unit` has no value
    hint: --parameter unit=... (name)
    --
    4:3: the parameter `unit`: `a; rm -rf /` is not one word of letters, digits and `. _ : @ + -`, beginning with a letter or a digit
    --
    5:3: the parameter `many`: 9 is more than 3
    --
    5:3: the parameter `many`: `x` is not a whole number
    --
    6:3: the parameter `mode`: `"c"` is none of "a", "b"
    --
    0:0: there is no parameter `unti`
    hint: did you mean `unit`?
    "#);
}

#[test]
fn a_plan_has_final_arguments_and_leaves_open_what_is_not_known() {
    let book = Runbook::parse("restart", &template("restart")).unwrap();
    let plan = book.plan(&[("service".to_owned(), json!("shop"))].into(), &toolbox()).unwrap();
    let restart = &plan.steps[1];
    assert_eq!(restart.call.arguments, json!({ "name": "shop" }));
    assert!(restart.call.is_final && restart.is_irreversible && !restart.is_skipped);
    assert_eq!(restart.verify.as_ref().unwrap().in_a_row, 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn reading_never_panics(text in "\\PC{0,400}") {
        let _ = said(&text);
        let _ = said(&format!("---\n{text}\n---\n"));
        let _ = said(&format!("---\ntitle: x\n---\n```yaml step\n{text}\n```\n"));
    }

    /// A file that was right, with a piece taken out, put in twice, or put in elsewhere.
    #[test]
    fn no_piece_in_the_wrong_place_panics(from in 0_usize..2_500, length in 0_usize..60, to in 0_usize..2_500, junk in "[\\[\\]{}\"'`:&*!|>\\-\\t\n #a{}]{0,6}") {
        let mut text: Vec<char> = template("book").chars().collect();
        let from = from.min(text.len());
        let piece: Vec<char> = text.drain(from..(from + length).min(text.len())).collect();
        let to = to.min(text.len());
        text.splice(to..to, piece.into_iter().chain(junk.chars()));
        let text: String = text.into_iter().collect();
        if let Ok(book) = Runbook::parse("book", &text) && book.check(&toolbox()).is_ok() {
            for trial in book.trials() {
                let _ = trial.run(&book, &toolbox());
            }
        }
    }
}
