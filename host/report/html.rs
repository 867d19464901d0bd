//! The report as a page that stands alone. The Markdown is the one of `page.rs`, in which what strangers wrote is
//! escaped; raw HTML in it is shown as text all the same, links lead to the page itself, and a policy of the page's
//! own stops what got past that.

use maud::{DOCTYPE, PreEscaped, html};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::plots::Plot;

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#24292f;background:#fff}\
table{border-collapse:collapse;display:block;overflow-x:auto;font-size:.9rem}\
td,th{border:1px solid #d0d7de;padding:.3rem .6rem;text-align:left;vertical-align:top}\
pre{background:#f6f8fa;padding:.8rem;overflow-x:auto;font-size:.85rem}\
svg{max-width:100%;height:auto}\
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}td,th{border-color:#3d444d}pre{background:#161b22}}";
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

pub(super) fn render(markdown: &str, plots: &[Plot]) -> String {
    let title = markdown.lines().next().unwrap_or_default().trim_start_matches('#').trim();
    // The pictures come where the evidence begins.
    let (before, after) = markdown.split_once("\n## Evidence").unwrap_or((markdown, ""));
    let after = if after.is_empty() { String::new() } else { format!("## Evidence{after}") };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (PreEscaped(body(before)))
                @if !plots.is_empty() { h2 { "Metrics" } }
                @for plot in plots { figure { (PreEscaped(&plot.svg)) } }
                (PreEscaped(body(&after)))
            }
        }
    };
    page.into_string()
}

fn body(markdown: &str) -> String {
    let events = Parser::new_ext(markdown, Options::ENABLE_TABLES).filter_map(|event| match event {
        Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
        // The journal's page is beside the report, and may not be beside this one.
        Event::Start(Tag::Link { .. } | Tag::Image { .. }) | Event::End(TagEnd::Link | TagEnd::Image) => None,
        other => Some(other),
    });
    let mut out = String::new();
    pulldown_cmark::html::push_html(&mut out, events);
    out
}
