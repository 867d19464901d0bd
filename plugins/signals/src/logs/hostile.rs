//! Bad input: whatever a log holds, nothing panics, and the time is bounded by its length.

use proptest::prelude::*;

use super::entry::{LogLine, entries, text_of};
use super::generator::Dice;
use super::{Miner, group, parse_time, summarise};

/// Pieces of which real lines are made, so that the parsers get further than with noise.
const PIECES: &[&str] = &[
    "2026-11-23T15:32:38Z",
    "Nov 23 15:32:38",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "=",
    ":",
    "key=",
    "\\",
    "\u{1b}[31m",
    "\u{0}",
    "ERROR",
    "at ",
    "\tat a.b(C.java:1)",
    "Traceback (most recent call last):",
    "  File \"a\"",
    "goroutine 1 [running]:",
    "panic: x",
    "{\"msg\":\"",
    "\\u12",
    "msg=\"",
    "level=",
    "(",
    ")",
    "<",
    ">",
    "é",
    "日本",
    "🦀",
    "\u{feff}",
    "9999-99-99",
    "0x",
    "/",
    "//",
    "::",
    "-",
    "--",
    "<13>1 ",
    "I1123 15:32:38.1",
    "[12.123456]",
    " ",
    "\t",
    ",",
    "|",
    "%",
    "connection refused",
    "no ",
    "0 ",
    "HTTP/1.1\" 503",
];

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::collection::vec(proptest::sample::select(PIECES), 0..14).prop_map(|pieces| pieces.concat()),
        proptest::collection::vec(proptest::sample::select(PIECES), 0..14).prop_map(|pieces| pieces.join(" ")),
        any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_lines_are_summarised(lines in proptest::collection::vec(line(), 0..40), onset in any::<Option<i64>>(), times in proptest::collection::vec(any::<Option<i64>>(), 40)) {
        let lines: Vec<LogLine<'_>> = lines.iter().zip(&times).map(|(message, time)| LogLine { time: *time, source: "s", level: Some("info"), message }).collect();
        let finding = summarise(&lines, onset);
        prop_assert!(finding.templates.iter().all(|template| template.score.is_finite() && (0.0..=1.0).contains(&template.novelty)));
        prop_assert!(finding.templates.iter().map(|template| template.count).sum::<u64>() <= finding.entries as u64);
        let untimed: Vec<LogLine<'_>> = lines.iter().map(|line| LogLine { time: None, ..*line }).collect();
        summarise(&untimed, onset);
    }

    #[test]
    fn any_bytes_are_text_and_lines_of_one_text_are_one_group(bytes in proptest::collection::vec(any::<u8>(), 0..600), again in line()) {
        let text = text_of(&bytes);
        let lines: Vec<&str> = text.lines().chain([again.as_str(), again.as_str()]).collect();
        let ids = group(&lines);
        prop_assert_eq!(ids.len(), lines.len());
        prop_assert_eq!(ids.last(), ids.get(ids.len() - 2));
    }

    #[test]
    fn any_message_has_a_template_and_its_parameters_are_of_it(message in line()) {
        let mut miner = Miner::new();
        let id = miner.push(message.as_bytes(), None);
        prop_assert_eq!(miner.resolve(id), id);
        prop_assert!(miner.parameters(id, &message).iter().all(|parameter| message.contains(parameter)));
    }

    #[test]
    fn any_text_is_a_time_or_none(text in ".{0,40}") {
        parse_time(&text);
    }
}

/// Each of these takes quadratic time if a bound is forgotten: a minute instead of milliseconds, even unoptimised.
#[test]
fn long_and_nested_lines_take_bounded_work() {
    let unit = 1 << 20;
    let mut dice = Dice(3);
    let noise: String = (0..unit).map(|_| char::from(32 + dice.below(95) as u8)).collect();
    let lines: Vec<String> = vec![
        "x".repeat(unit),
        "(".repeat(unit),
        "\"".repeat(unit),
        "'".repeat(unit),
        "a=".repeat(unit / 2),
        "[{(".repeat(unit / 3),
        "{\"a\":".repeat(unit / 5),
        format!("{{\"msg\":\"{}\"}}", "\\\"".repeat(unit / 2)),
        "connection refused ".repeat(unit / 19),
        "\u{1b}[".repeat(unit / 2),
        "1:".repeat(unit / 2),
        noise,
    ];
    let given: Vec<LogLine<'_>> = lines.iter().map(|message| LogLine { message, ..LogLine::default() }).collect();
    let finding = summarise(&given, Some(0));
    assert_eq!(finding.lines, lines.len());
    assert!(
        finding
            .templates
            .iter()
            .all(|template| template.template.len() <= 300
                && template.examples.iter().all(|example| example.len() <= 300))
    );
}

#[test]
fn a_trace_without_end_is_one_entry_of_bounded_size() {
    let head = "java.lang.IllegalStateException: x";
    let frame = "\tat org.example.Service.run(Service.java:17)";
    let lines: Vec<LogLine<'_>> = std::iter::once(head)
        .chain(std::iter::repeat_n(frame, 20_000))
        .map(|message| LogLine { message, ..LogLine::default() })
        .collect();
    let entries = entries(&lines, None);
    assert_eq!(entries.len(), 1);
    assert!(entries[0].trace.len() <= 2 * super::entry::ENTRY_BYTES_MAX);
}

#[test]
fn a_source_in_each_line_is_no_state_for_each() {
    let sources: Vec<String> = (0..20_000).map(|at| format!("pod-{at}")).collect();
    let lines: Vec<LogLine<'_>> = sources
        .iter()
        .map(|source| LogLine { source, message: "2026-11-23T15:32:38Z INFO started", ..LogLine::default() })
        .collect();
    let finding = summarise(&lines, parse_time("2026-11-23T15:32:38Z"));
    assert!(finding.templates[0].sources.len() <= 5 && finding.silent_sources.len() <= 40);
}
