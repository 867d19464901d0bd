//! The second layer as a whole: what compiles, what is heard, and what no policy can do.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::test::{TestReport, test as run_tests};
use super::*;

const EXAMPLES: [RegoSource<'static>; 8] = [
    example("change_freeze.rego", include_str!("../../../policies/examples/change_freeze.rego")),
    example("change_freeze_test.rego", include_str!("../../../policies/examples/change_freeze_test.rego")),
    example("kube_system.rego", include_str!("../../../policies/examples/kube_system.rego")),
    example("kube_system_test.rego", include_str!("../../../policies/examples/kube_system_test.rego")),
    example("production_database.rego", include_str!("../../../policies/examples/production_database.rego")),
    example("production_database_test.rego", include_str!("../../../policies/examples/production_database_test.rego")),
    example("public_bucket.rego", include_str!("../../../policies/examples/public_bucket.rego")),
    example("public_bucket_test.rego", include_str!("../../../policies/examples/public_bucket_test.rego")),
];

const fn example(file: &'static str, text: &'static str) -> RegoSource<'static> {
    RegoSource { file, text }
}

fn source<'a>(file: &'a str, text: &'a str) -> RegoSource<'a> {
    RegoSource { file, text }
}

fn compiled(text: &str) -> Rego {
    match Rego::compile(&[source("one.rego", text)]) {
        Ok(rego) => rego,
        Err(error) => panic!("{error}"),
    }
}

fn refused(text: &str) -> RegoError {
    Rego::compile(&[source("one.rego", text)]).unwrap_err()
}

fn input() -> Json {
    json!({
        "action": {"name": "process_run", "argv": ["psql", "-c", "drop table orders"], "directory": "/srv/app"},
        "effects": [{"kind": "database", "operation": "drop", "target": "orders", "severity": "destructive"}],
        "risk": 60,
        "evidence": ["unknown_program"],
        "origin": {"session": "s1", "agent": "healer", "plugin": ""},
        "agent": "healer",
        "tool": "bash",
        "target": "production",
        "time": {"unix_ms": 1_790_000_000_000_u64, "weekday": "saturday", "hour": 3, "minute": 7, "zone": "Europe/Berlin"},
        "profile": "auto"
    })
}

fn ids(findings: &[RegoFinding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.rule.as_str()).collect()
}

/// A module's only finding, which must be that it failed.
fn failure(text: &str) -> String {
    let findings = compiled(text).evaluate(&[], &input());
    assert_eq!(ids(&findings), ["policy_failed"], "{findings:?}");
    assert_eq!(findings[0].verdict, RegoVerdict::Ask);
    findings[0].reason.clone()
}

/// A rule that fires with this element.
fn element(element: &str) -> String {
    format!("package pi.any\ndeny contains element if element := {element}\n")
}

#[test]
fn the_input_of_these_tests_has_the_documented_form() {
    let schema: Json = serde_json::from_str(include_str!("../../../policies/input.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&input()).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    assert!(!validator.is_valid(&json!({"action": {}})));
}

#[test]
fn deny_ask_and_evidence_are_heard_with_all_that_they_say() {
    let rego = compiled(
        r#"package pi.process_run
deny contains {"id": "no_drop", "reason": "it drops", "advice": "do not", "points": 90} if "-c" in input.action.argv
ask contains {"id": "look", "reason": sprintf("risk %d", [input.risk])} if input.risk > 50
evidence contains {"id": "night", "reason": "at night", "points": 7} if input.time.hour < 6
evidence contains "a plain text" if input.profile == "auto"
ask contains {"id": "never", "reason": "never"} if input.risk > 99
"#,
    );
    let expected = |rule: &str, verdict, points, reason: &str, advice: &str| RegoFinding {
        rule: rule.to_owned(),
        verdict,
        points,
        reason: reason.to_owned(),
        advice: advice.to_owned(),
    };
    assert_eq!(
        rego.evaluate(&["process_run"], &input()),
        [
            expected("no_drop", RegoVerdict::Deny, 90, "it drops", "do not"),
            expected("look", RegoVerdict::Ask, 40, "risk 60", ""),
            expected("process_run.evidence", RegoVerdict::Evidence, 10, "a plain text", ""),
            expected("night", RegoVerdict::Evidence, 7, "at night", ""),
        ]
    );
}

#[test]
fn rules_of_other_kinds_are_not_evaluated() {
    let loops = "package pi.cloud\ndeny contains \"x\" if count([1 | some a in numbers.range(1, 9000); some b in numbers.range(1, 9000); a == b]) > 1\n";
    let all = "package pi.any\nask contains \"about every act\"\n";
    let database = "package pi.database\nask contains \"about a database\"\n";
    let rego = Rego::compile(&[source("a.rego", loops), source("b.rego", all), source("c.rego", database)]).unwrap();
    assert_eq!(ids(&rego.evaluate(&["process_run"], &input())), ["any.ask"]);
    assert_eq!(ids(&rego.evaluate(&["database", "process_run", "database"], &input())), ["database.ask", "any.ask"]);
    assert_eq!(ids(&rego.evaluate(&["cloud"], &input())), ["policy_failed", "any.ask"]);
    assert_eq!(rego.kinds().collect::<Vec<_>>(), ["any", "cloud", "database"]);
}

#[test]
fn files_of_one_package_and_libraries_work_together() {
    let rego = Rego::compile(&[
        source(
            "b.rego",
            "package pi.any\nimport data.lib.names\nask contains \"b\" if input.target in names.critical\n",
        ),
        source("a.rego", "package pi.any\nask contains \"a\" if data.lib.names.is_critical(input.target)\n"),
        source("lib.rego", "package lib.names\ncritical := {\"production\"}\nis_critical(name) if name in critical\n"),
    ])
    .unwrap();
    let findings = rego.evaluate(&[], &input());
    assert_eq!(findings.iter().map(|finding| finding.reason.as_str()).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn no_policy_is_no_finding() {
    let rego = Rego::compile(&[]).unwrap();
    assert!(rego.is_empty());
    assert_eq!(rego.evaluate(&["process_run"], &input()), []);
}

#[test]
fn the_revision_depends_on_every_file_and_not_on_their_order() {
    let (a, b) = (
        source("a.rego", "package pi.any\nask contains \"a\"\n"),
        source("b.rego", "package pi.any\nask contains \"b\"\n"),
    );
    let revision = |sources: &[RegoSource<'_>]| Rego::compile(sources).unwrap().revision().to_owned();
    assert_eq!(revision(&[a, b]), revision(&[b, a]));
    assert_ne!(revision(&[a, b]), revision(&[a]));
    assert_ne!(revision(&[a]), revision(&[source("c.rego", a.text)]));
    assert_eq!(revision(&[a]).len(), 64);
}

#[test]
fn an_error_names_file_line_and_column() {
    let error = refused("package pi.any\n\ndeny contains {\"id\": 1,, \"reason\": 2} if true\n");
    assert_eq!((error.file.as_str(), error.line), ("one.rego", Some(3)), "{error}");
    assert_eq!(error.path, "column 24");
    assert!(!error.hint.is_empty());
}

#[test]
fn what_is_wrong_with_a_module_is_said_with_its_line() {
    let cases = [
        ("package pi.any\ndeny[x] { x := 1 }\n", 2, ""),
        ("package pi.any\ndeny if true\n", 2, "partial set"),
        ("package pi.any\nask contains \"a\"\n\nallow if true\n", 4, "cannot allow"),
        ("package pi.any\ndefault deny := false\n", 2, "partial set"),
        ("package pi.any\ndeny.x contains 1 if true\n", 2, "partial set"),
        ("package pi.any\ndeni contains \"a\" if true\n", 1, "no rule `deny`"),
        ("package pi.cloud.aws\ndeny contains \"a\" if true\n", 1, "pi.<kind>"),
        ("package pi\ndeny contains \"a\" if true\n", 1, "pi.<kind>"),
        ("package pl.any\ndeny contains \"a\" if true\n", 1, "no other file uses"),
        ("package pi.any\nask contains \"a\" if {\n\tnowhere(input)\n}\n", 3, "nowhere"),
        ("package pi.any\nask contains \"a\" if {\n\tx := undeclared\n\tx\n}\n", 3, "undeclared"),
        ("package pi.any\n\nask contains \"a\" if data.pi.any.ask with input as {}\n", 3, "with"),
    ];
    for (text, line, message) in cases {
        let error = refused(text);
        assert_eq!((error.file.as_str(), error.line), ("one.rego", Some(line)), "{text}: {error}");
        assert!(error.message.contains(message), "{text}: {error}");
        assert!(!error.hint.is_empty() && !error.message.is_empty());
    }
}

#[test]
fn a_policy_cannot_reach_outside() {
    let calls = [
        "http.send({\"method\": \"get\", \"url\": \"http://localhost\"})",
        "opa.runtime()",
        "rand.intn(\"x\", 10)",
        "time.now_ns()",
        "uuid.rfc4122(\"x\")",
        "net.lookup_ip_addr(\"localhost\")",
        "print(\"x\")",
        "__builtin_host_await(1, \"x\")",
        "walk(input)",
    ];
    for call in calls {
        let error = refused(&format!("package pi.any\n\ndeny contains \"a\" if {{\n\tx := {call}\n\tx != 1\n}}\n"));
        assert!(error.line.is_some(), "{call}: {error}");
    }
    let error = refused("package pi.any\n\ndeny contains \"a\" if rand.intn(\"x\", 10) > 5\n");
    assert_eq!(error.line, Some(3));
    assert!(error.message.contains("may not call `rand.intn`"), "{error}");
}

#[test]
fn a_rule_that_needs_itself_does_not_compile() {
    let direct = "package pi.any\nask contains \"a\" if f(1)\nf(x) if f(x + 1)\n";
    let mutual = "package pi.any\nask contains \"a\" if { x; y }\nx if y\ny if x\n";
    let functions = "package pi.any\nask contains \"a\" if { f(1); g(1) }\nf(x) if g(x)\ng(x) if f(x)\n";
    let by_name = "package pi.any\nask contains \"a\" if { some name in [\"ask\"]; data.pi.any[name] }\n";
    for text in [direct, mutual, functions, by_name] {
        let error = refused(text);
        assert!(
            error.message.contains("recurs")
                || error.message.contains("needs itself")
                || error.message.contains("only known when"),
            "{error}"
        );
    }
}

#[test]
fn rules_in_a_row_are_bounded_and_run_at_the_bound() {
    let chain = |length: usize| {
        let mut text = "package pi.any\nask contains \"a\" if f0(1)\n".to_owned();
        for at in 0..length {
            text.push_str(&format!("f{at}(x) if {{ some y in [x]; f{}(y) }}\n", at + 1));
        }
        text + &format!("f{length}(x) if x == 1\n")
    };
    let rego = compiled(&chain(compile::CALL_DEPTH_MAX - 2));
    assert_eq!(ids(&rego.evaluate(&[], &input())), ["any.ask"]);
    assert!(refused(&chain(compile::CALL_DEPTH_MAX - 1)).message.contains("in a row"));
    assert!(refused(&chain(2000)).message.contains("in a row"));
}

#[test]
fn a_rule_that_loops_ends_within_the_limit_in_a_finding() {
    let cases = [
        "count(numbers.range(1, 1000000000)) > 1",
        "count([1 | some a in numbers.range(1, 2000); some b in numbers.range(1, 2000); a != b]) > 1",
        "every a in numbers.range(1, 3000) { every b in numbers.range(1, 3000) { a + b > 0 } }",
        "count({[a, b, c] | some a in numbers.range(1, 500); some b in numbers.range(1, 500); some c in numbers.range(1, 500)}) > 1",
    ];
    for case in cases {
        let started = monotonic_now().unwrap();
        let reason = failure(&format!("package pi.any\ndeny contains \"a\" if {case}\n"));
        assert!(reason.contains("stopped"), "{case}: {reason}");
        assert!(reason.contains("`pi.any` (one.rego), rule `deny`"), "{reason}");
        // Far above the limit, for machines that are busy; without one these take minutes or all memory.
        assert!(monotonic_now().unwrap() - started < Duration::from_secs(5), "{case}");
    }
}

#[test]
fn texts_and_values_that_double_are_stopped() {
    let doubled = |step: &str| {
        let mut text = "package pi.any\ndeny contains \"a\" if {\n\tx0 := \"0123456789\"\n".to_owned();
        for at in 0..40 {
            text.push_str(&format!("\tx{} := {}\n", at + 1, step.replace('$', &format!("x{at}"))));
        }
        text + "\tcount(x40) > 1\n}\n"
    };
    for step in
        ["concat(\"\", [$, $])", "sprintf(\"%s%s\", [$, $])", "replace($, \"0\", $)", "concat($, [\"a\", $, \"b\"])"]
    {
        let reason = failure(&doubled(step));
        assert!(reason.contains("stopped"), "{step}: {reason}");
    }
    let reason = failure(&doubled("[$, $]").replace("count(x40) > 1", "json.marshal(x40) != \"\""));
    assert!(reason.contains("stopped"), "{reason}");
}

#[test]
fn numbers_that_square_again_and_again_end() {
    let mut text = "package pi.any\ndeny contains \"a\" if {\n\tx0 := 99999999999\n".to_owned();
    for at in 0..50 {
        text.push_str(&format!("\tx{} := x{at} * x{at}\n", at + 1));
    }
    let started = monotonic_now().unwrap();
    let findings = compiled(&(text + "\tx50 > 1\n}\n")).evaluate(&[], &input());
    assert!(monotonic_now().unwrap() - started < Duration::from_secs(5));
    assert_eq!(ids(&findings), ["policy_failed"]);
}

#[test]
fn numbers_are_multiplied_as_ever() {
    let text = "package pi.any\nask contains \"a\" if { input.risk * 2 == 120; 0.5 * input.risk == 30; 4294967296 * 4294967296 == 18446744073709551616 }\n";
    assert_eq!(ids(&compiled(text).evaluate(&[], &input())), ["any.ask"]);
    assert_eq!(compiled("package pi.any\nask contains \"a\" if input.nothing * 2 == 0\n").evaluate(&[], &input()), []);
    assert!(failure("package pi.any\nask contains \"a\" if input.agent * 2 == 0\n").contains("needs numbers"));
}

#[test]
fn the_first_branch_that_holds_is_the_one_that_counts() {
    let text = "package pi.any\nlevel := \"high\" if { input.risk > 50 } else := \"middle\" if { input.risk > 20 } else := \"low\"\nask contains level if true\n";
    let reason = |risk: u8| compiled(text).evaluate(&[], &json!({"risk": risk}))[0].reason.clone();
    assert_eq!([reason(60), reason(30), reason(1)], ["high", "middle", "low"]);
}

#[test]
fn brackets_nested_to_the_limit_are_read_quickly() {
    let started = monotonic_now().unwrap();
    let depth = compile::NESTING_MAX - 1;
    for (open, close) in [("[", "]"), ("{", "}"), ("(", ")"), ("{\"a\": ", "}")] {
        let value = format!("{}1{}", open.repeat(depth), close.repeat(depth));
        compiled(&format!("package pi.any\nask contains \"a\" if {{\n\tx := {value}\n\tx != 0\n}}\n"));
    }
    assert!(monotonic_now().unwrap() - started < Duration::from_secs(5));
}

#[test]
fn one_module_that_fails_leaves_the_others_their_say() {
    let broken =
        "package pi.process_run\ndeny contains \"a\" if to_number(input.agent) > 1\nask contains \"still asked\"\n";
    let sound = "package pi.any\ndeny contains {\"id\": \"sound\", \"reason\": \"no\"}\n";
    let rego = Rego::compile(&[source("a.rego", broken), source("b.rego", sound)]).unwrap();
    let findings = rego.evaluate(&["process_run"], &input());
    assert_eq!(ids(&findings), ["policy_failed", "process_run.ask", "sound"]);
}

#[test]
fn a_rule_that_fails_does_not_hide_that_another_one_denies() {
    let rego = compiled(
        "package pi.any\ndeny contains \"failing\" if to_number(input.agent) > 1\ndeny contains \"sound\" if input.risk > 1\n",
    );
    let findings = rego.evaluate(&[], &input());
    assert_eq!(ids(&findings), ["policy_failed", "any.deny"]);
    assert_eq!(findings[1].verdict, RegoVerdict::Deny);
}

#[test]
fn an_error_within_not_does_not_count_as_false() {
    let text = "package pi.any\nis_free if to_number(input.agent) > 1\nevidence contains \"a\" if not is_free\n";
    let findings = compiled(text).evaluate(&[], &input());
    assert!(ids(&findings).contains(&"policy_failed"), "{findings:?}");
}

#[test]
fn a_result_without_sense_is_a_finding_that_asks() {
    let cases = [
        ("17", "a number"),
        ("null", "null"),
        ("[\"a\"]", "an array"),
        ("\"\"", "empty"),
        ("\"  \"", "empty"),
        ("{}", "no `id`"),
        ("{\"id\": \"a\"}", "no `reason`"),
        ("{\"reason\": \"a\"}", "no `id`"),
        ("{\"id\": 1, \"reason\": \"a\"}", "`id` is a number"),
        ("{\"id\": \"a\", \"reason\": [\"a\"]}", "`reason` is an array"),
        ("{\"id\": \"a\", \"reason\": \"\"}", "empty"),
        ("{\"id\": \"A b\", \"reason\": \"a\"}", "letters"),
        ("{\"id\": \"a\", \"reason\": \"a\", \"advice\": 1}", "`advice` is a number"),
        ("{\"id\": \"a\", \"reason\": \"a\", \"advise\": \"x\"}", "unknown key `advise`"),
        ("{\"id\": \"a\", \"reason\": \"a\", 3: \"x\"}", "unknown key"),
        ("{\"id\": \"a\", \"reason\": \"a\", \"points\": 101}", "from 0 to 100"),
        ("{\"id\": \"a\", \"reason\": \"a\", \"points\": -1}", "from 0 to 100"),
        ("{\"id\": \"a\", \"reason\": \"a\", \"points\": 1.5}", "from 0 to 100"),
        ("{\"id\": \"a\", \"reason\": \"a\", \"points\": \"9\"}", "a text and not a number"),
    ];
    for (value, message) in cases {
        let reason = failure(&element(value));
        assert!(reason.contains(message), "{value}: {reason}");
    }
}

#[test]
fn long_texts_and_many_findings_are_cut() {
    let rego = compiled(
        "package pi.any\nask contains sprintf(\"finding %d\", [n]) if some n in numbers.range(1, 1000)\ndeny contains concat(\"\", [\"x\" | some n in numbers.range(1, 5000)])\n",
    );
    let findings = rego.evaluate(&[], &input());
    assert_eq!(findings.len(), 1 + 64 + 1);
    assert!(findings[0].reason.chars().count() <= 1001);
    assert_eq!(findings.last().unwrap().rule, "policy_failed");
}

#[test]
fn an_input_that_is_too_large_asks() {
    let rego = compiled("package pi.any\ndeny contains \"a\" if input.x == 1\n");
    let findings = rego.evaluate(&[], &json!({"x": "x".repeat(5 << 20)}));
    assert_eq!(ids(&findings), ["policy_failed"]);
}

#[test]
fn a_command_of_a_megabyte_is_judged() {
    let rego = compiled(
        "package pi.any\ndeny contains \"long\" if { some word in input.action.argv; endswith(word, \"end\") }\n",
    );
    let argv = [&*"x".repeat(1 << 20), "end"];
    assert_eq!(ids(&rego.evaluate(&[], &json!({"action": {"argv": argv}}))), ["any.deny"]);
}

#[test]
fn a_source_that_is_nested_long_or_large_is_an_error_and_no_crash() {
    let body =
        |expression: &str| format!("package pi.any\nask contains \"a\" if {{\n\tx := {expression}\n\tx != 0\n}}\n");
    let nested = [
        body(&format!("{}1{}", "(".repeat(10_000), ")".repeat(10_000))),
        body(&format!("{}1{}", "[\n".repeat(10_000), "]\n".repeat(10_000))),
        body(&format!("{}1{}", "{\"a\":\n".repeat(10_000), "}\n".repeat(10_000))),
        body(&format!("{}1{}", "abs(\n".repeat(10_000), ")\n".repeat(10_000))),
        body(&"1 +\n".repeat(15_000)),
        body(&format!("1{}", "\n+ 1".repeat(15_000))),
        body(&format!("input{}", "[0]\n".repeat(15_000))),
        body(&format!("input{}", ".a\n".repeat(15_000))),
        body(&"-\n".repeat(15_000)),
        body(&"{x |\n".repeat(15_000)),
        body(&"not \n".repeat(15_000)),
        format!("package pi{}\n", ".a".repeat(10_000)),
        body(&format!("\"{}\"", "x".repeat(1 << 20))),
        "x".repeat(1 << 20),
        "{".repeat(1 << 16),
        "\0\u{202e}\u{feff}".repeat(1000),
        String::new(),
    ];
    for text in nested {
        let error = refused(&text);
        assert!(!error.message.is_empty() && !error.hint.is_empty(), "{error}");
    }
}

#[test]
fn the_longest_permitted_expression_compiles_and_runs() {
    let sum = format!("1{}", "\n+ 1".repeat(60));
    let rego = compiled(&format!("package pi.any\nask contains \"a\" if {{\n\tx := {sum}\n\tx == 61\n}}\n"));
    assert_eq!(ids(&rego.evaluate(&[], &input())), ["any.ask"]);
    let sum = format!("1{}", "\n+ 1".repeat(compile::OPERATORS_MAX - 10));
    // It may be too much for the machine's registers, which is an error like any other.
    let text = format!("package pi.any\nask contains \"a\" if {{\n\tx := {sum}\n\tx == 1\n}}\n");
    if let Err(error) = Rego::compile(&[source("one.rego", &text)]) {
        assert!(error.message.contains("egister"), "{error}");
    }
}

#[test]
fn a_file_of_many_rules_below_the_limit_compiles() {
    let mut text = "package pi.any\n".to_owned();
    for at in 0..1500 {
        text.push_str(&format!("ask contains \"rule {at}\" if input.risk == {}\n", at + 200));
    }
    let rego = compiled(&text);
    assert_eq!(rego.evaluate(&[], &input()), []);
}

#[test]
fn a_file_given_twice_is_an_error() {
    let one = source("a.rego", "package pi.any\nask contains \"a\"\n");
    assert!(Rego::compile(&[one, one]).unwrap_err().message.contains("twice"));
}

#[test]
fn a_misspelt_kind_is_an_error_where_kinds_are_known() {
    let rego = compiled("package pi.proces_run\nask contains \"a\"\n");
    let error = rego.check_kinds(&["process_run"]).unwrap_err();
    assert_eq!((error.file.as_str(), error.line), ("one.rego", Some(1)));
    assert!(error.to_string().contains("proces_run"));
    assert!(compiled("package pi.any\nask contains \"a\"\n").check_kinds(&["process_run"]).is_ok());
}

#[test]
fn several_threads_get_the_same_answers() {
    let rego = Rego::compile(&EXAMPLES).unwrap();
    let kinds = ["process_run", "database", "cloud", "kubernetes"];
    let expected = rego.evaluate(&kinds, &input());
    assert!(!expected.is_empty());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    assert_eq!(rego.evaluate(&kinds, &input()), expected);
                }
            });
        }
    });
}

#[test]
fn an_answer_does_not_depend_on_the_one_before() {
    let rego = Rego::compile(&EXAMPLES).unwrap();
    let first = rego.evaluate(&["database"], &input());
    let mut other = input();
    other["target"] = json!("staging");
    other["time"]["weekday"] = json!("tuesday");
    assert_eq!(rego.evaluate(&["database"], &other), []);
    assert_eq!(rego.evaluate(&["database"], &input()), first);
}

#[test]
fn the_examples_pass_their_tests_with_full_coverage() {
    let report = run_tests(&EXAMPLES).unwrap();
    for test in &report.tests {
        assert!(test.passed, "{test:?}");
    }
    assert!(report.is_passed() && report.tests.len() >= 25);
    for coverage in &report.coverage {
        assert!(coverage.not_covered_lines.is_empty(), "{coverage:?}");
    }
    assert_eq!(report.coverage.len(), 4);
}

#[test]
fn the_examples_say_of_a_dropped_table_what_they_are_for() {
    let rego = Rego::compile(&EXAMPLES).unwrap();
    let findings = rego.evaluate(&["process_run", "database"], &input());
    assert_eq!(ids(&findings), ["production_database_drop", "production_database", "change_freeze"]);
}

#[test]
fn tests_that_fail_say_why_and_where() {
    let policy = "package pi.any\nask contains \"risky\" if input.risk > 50\nask contains \"other\" if {\n\tinput.risk == 7\n\tinput.agent == \"x\"\n}\n";
    let tests = r#"package pi.any_test
import data.pi.any

test_passes if count(any.ask) == 1 with input as {"risk": 60}

test_fails if count(any.ask) == 1 with input as {"risk": 10}

test_is_no_truth := 3

test_errs if to_number("x") == 1

test_loops if count([1 | some a in numbers.range(1, 9000); some b in numbers.range(1, 9000); a != b]) > 1

test_takes_all_memory if count(numbers.range(1, 1000000000)) > 1

test_calls_what_it_may_not if rand.intn("x", 10) >= 0
"#;
    let report: TestReport = run_tests(&[source("p.rego", policy), source("p_test.rego", tests)]).unwrap();
    let by_name = |name: &str| report.tests.iter().find(|test| test.name == format!("pi.any_test.{name}")).unwrap();
    assert!(by_name("test_passes").passed);
    let failing = [
        ("test_fails", 6, "undefined"),
        ("test_is_no_truth", 8, "not true: 3"),
        ("test_errs", 10, "p_test.rego:10"),
        ("test_loops", 12, " limit"),
        ("test_takes_all_memory", 14, "memory limit"),
        ("test_calls_what_it_may_not", 16, "may not call"),
    ];
    for (name, line, message) in failing {
        let test = by_name(name);
        assert!(!test.passed && test.line == line && test.file == "p_test.rego", "{test:?}");
        assert!(test.error.as_ref().is_some_and(|error| error.contains(message)), "{test:?}");
    }
    assert!(!report.is_passed());
    let coverage = &report.coverage[0];
    assert_eq!(coverage.file, "p.rego");
    assert!(coverage.covered_lines.contains(&2) && coverage.not_covered_lines.contains(&5), "{coverage:?}");
    assert!(coverage.percent > 0.0 && coverage.percent < 100.0);
}

#[test]
fn a_policy_that_no_test_touches_is_not_covered() {
    let report = run_tests(&[source("p.rego", "package pi.any\nask contains \"a\"\n")]).unwrap();
    assert_eq!(report.coverage[0].percent, 0.0);
    assert!(!report.is_passed());
}

#[test]
fn tests_are_no_policy() {
    let policy = source("p.rego", "package pi.any\nask contains \"a\" if input.risk == 1\n");
    let tests = source("p_test.rego", "package pi.any\ndeny contains \"from a test\"\ntest_x if true\n");
    let rego = Rego::compile(&[policy, tests]).unwrap();
    assert_eq!(rego.evaluate(&[], &input()), []);
}
