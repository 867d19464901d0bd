//! A session as one page for people: what was said, what was called, how it was judged, what it cost.
//!
//! The page stands alone: no script, nothing from elsewhere, and a policy of its own that would stop both. Everything
//! that an agent, a model, a tool or a person wrote is text: maud escapes it, and characters that hide or turn other
//! text around are written out. Images are shown where their bytes are those of an image, and as nothing else.
//! `story` makes items of entries, this file makes the page of items.

mod image;
mod story;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::clock;
use crate::gate::explain::escaped;
use crate::journal::{Entry, Overview, cost};
use story::{Answer, Call, Item, Output, Piece, story};

const STYLE: &str = include_str!("transcript/style.css");
/// Nothing is loaded, and no script runs, even if something got past the escaping.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";
/// An output of more lines is folded.
const LINES_OPEN_MAX: usize = 12;

/// The page of a session.
#[must_use]
pub fn transcript(session: &Overview, entries: &[Entry], head: Option<&str>, problems: &[String]) -> String {
    let record = &session.session;
    let title = if session.title.is_empty() { record.id.clone() } else { session.title.clone() };
    let items = story(entries);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (line(&title)) " · " (line(&record.id)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    p.kicker { "Session of " b { (line(&record.agent)) } }
                    h1 { (line(&title)) }
                    (status(&record.status))
                    (facts(session, entries))
                    @if let Some(parent) = &session.parent {
                        p.note { "Forked from " code { (line(&parent.session)) } " at entry " (parent.at) "." }
                    }
                    @for problem in problems {
                        p.broken { "The journal does not hold: " (line(problem)) }
                    }
                }
                main { @for item in &items { (shown(item)) } }
                footer {
                    p { code { (line(&record.id)) } ", " (entries.len()) " entries"
                        @if let Some(head) = head { ", the last with the hash " code { (line(head)) } } "." }
                    p { "Written by pi-host. " code { "session export --format jsonl" } " has every entry, and the hashes to verify them." }
                }
            }
        }
    };
    page.into_string()
}

fn facts(session: &Overview, entries: &[Entry]) -> Markup {
    let record = &session.session;
    let end_ms = record.ended_ms.or(entries.last().map(|entry| entry.time_ms)).unwrap_or(record.created_ms);
    let begun_ms = entries.first().map_or(record.created_ms, |entry| entry.time_ms);
    let count = |number: u64, one: &str, many: &str| format!("{number} {}", if number == 1 { one } else { many });
    html! {
        dl.facts {
            div { dt { "began" } dd { (time(begun_ms)) } }
            div { dt { "took" } dd { (duration(end_ms.saturating_sub(begun_ms))) } }
            @if session.turns > 0 { div { dt { "model" } dd { (count(session.turns, "turn", "turns")) } } }
            div { dt { "tools" } dd { (count(session.calls, "call", "calls")) } }
            @if session.tokens > 0 { div { dt { "tokens" } dd { (session.tokens) } } }
            @if session.cost_nano_usd.is_some() { div { dt { "cost" } dd { (cost(session.cost_nano_usd)) } } }
            @if !session.component.is_empty() {
                div { dt { "component" } dd { code title=(line(&session.component)) { (line(&session.component.chars().take(12).collect::<String>())) } } }
            }
        }
    }
}

fn shown(item: &Item) -> Markup {
    match item {
        Item::Person { by, text, at } => html! {
            article.person id=(anchor(*at)) {
                (label(by, *at, None))
                (prose(text))
            }
        },
        Item::Answer(answer) => shown_answer(answer),
        Item::Call(call) => shown_call(call),
        Item::Note { text, detail, at, is_warning } => html! {
            div.line.warning[*is_warning] id=(anchor(*at)) {
                span.number { (at) } " " (line(text))
                @if let Some(detail) = detail { details { summary { "more" } pre { (block(detail)) } } }
            }
        },
        Item::End { status: how, summary, at } => html! {
            article.end id=(anchor(*at)) {
                (label("The end", *at, None))
                (status(how))
                (prose(summary))
            }
        },
        Item::LeftOut(count) => html! {
            p.note { (count) " more entries are not on this page: it would be too large. The JSON lines have them." }
        },
    }
}

fn shown_answer(answer: &Answer) -> Markup {
    html! {
        article.answer id=(anchor(answer.at)) {
            (label(&answer.model, answer.at, Some(answer.took_ms)))
            @if let Some(reasoning) = &answer.reasoning {
                details.reasoning { summary { "thoughts" } pre { (block(reasoning)) } }
            }
            @if let Some(text) = &answer.text { (prose(text)) }
            @if let Some(error) = &answer.error { p.broken { (line(error)) } }
            @if let Some(usage) = &answer.usage { p.usage { (line(usage)) } }
        }
    }
}

fn shown_call(call: &Call) -> Markup {
    html! {
        article.call.(call.kind) id=(anchor(call.at)) {
            div.label {
                span.number { (call.at) }
                b { (line(&call.tool)) }
                @if !call.verdict.is_empty() { span.verdict.(call.verdict_class) { (line(&call.verdict)) } }
                span.took {
                    (call.outcome)
                    @if let Some(ms) = call.took_ms { " · " (duration(ms)) }
                }
            }
            @if let Some(arguments) = &call.arguments { (folded("arguments", arguments)) }
            @if !call.effects.is_empty() {
                ul.effects {
                    @for effect in &call.effects {
                        li.(effect.class) {
                            span.verdict.(effect.class) { (line(&effect.verdict)) } " " (line(&effect.what))
                            @if !effect.outcome.is_empty() { span.took { " " (line(&effect.outcome)) } }
                            @if !effect.reason.is_empty() { p.reason { (line(&effect.reason)) } }
                        }
                    }
                }
            }
            @for piece in &call.result { (shown_piece(piece)) }
        }
    }
}

fn shown_piece(piece: &Piece) -> Markup {
    match piece {
        Piece::Text(output) => folded("output", output),
        Piece::Error(text) => html! { p.broken { (line(text)) } },
        Piece::Image(image) => html! { img src=(image.url()) alt="an image that the tool returned"; },
        Piece::Other(text) => html! { p.note { (line(text)) } },
    }
}

/// Long text is there, and does not stand in the way.
fn folded(what: &str, output: &Output) -> Markup {
    let text = block(&output.text);
    let cut = html! {
        @if output.left_out > 0 { p.note { (output.left_out) " more bytes; the JSON lines have them." } }
    };
    if output.text.trim().is_empty() {
        return html! {};
    }
    let lines = output.text.lines().count();
    html! {
        @if lines <= LINES_OPEN_MAX { pre { (text) } (cut) }
        @else { details { summary { (what) ", " (lines) " lines" } pre { (text) } (cut) } }
    }
}

fn label(who: &str, at: u64, took_ms: Option<u64>) -> Markup {
    html! {
        div.label {
            span.number { (at) }
            b { (line(who)) }
            @if let Some(ms) = took_ms { span.took { (duration(ms)) } }
        }
    }
}

fn status(status: &str) -> Markup {
    let class = match status {
        "done" | "nothing_to_do" => "good",
        "failed" => "bad",
        _ => "open",
    };
    html! { span.status.(class) { (line(&status.replace('_', " "))) } }
}

fn anchor(at: u64) -> String {
    format!("entry-{at}")
}

fn prose(output: &Output) -> Markup {
    html! {
        div.prose { (block(&output.text)) }
        @if output.left_out > 0 { p.note { (output.left_out) " more bytes; the JSON lines have them." } }
    }
}

/// One line: whatever would begin another is written out.
fn line(text: &str) -> String {
    escaped(text)
}

/// Lines and tabs stay.
fn block(text: &str) -> String {
    let line = |line: &str| line.split('\t').map(escaped).collect::<Vec<_>>().join("\t");
    text.split('\n').map(|text| line(text.strip_suffix('\r').unwrap_or(text))).collect::<Vec<_>>().join("\n")
}

fn time(time_ms: u64) -> String {
    clock::rfc3339(time_ms).chars().take(19).collect::<String>().replace('T', " ") + " UTC"
}

fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        60_000..3_600_000 => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
        _ => format!("{} h {} min", ms / 3_600_000, ms % 3_600_000 / 60_000),
    }
}

#[cfg(test)]
mod tests;
