//! A report as one page that needs nothing else.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html as markdown};

use super::Document;

const STYLE: &str = include_str!("style.css");

pub(super) fn page(document: &Document) -> String {
    let body = PreEscaped(body(document));
    let page: Markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'";
                title { (document.title) }
                style { (PreEscaped(STYLE)) }
            }
            body { main { (body) } }
        }
    };
    page.into_string()
}

/// The Markdown as HTML, in which nothing is but text, the report's own pictures, and links to the web.
fn body(document: &Document) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_FOOTNOTES;
    let events = Parser::new_ext(&document.markdown, options).map(|event| tamed(event, document));
    let mut out = String::with_capacity(document.markdown.len() * 2);
    markdown::push_html(&mut out, events);
    out
}

fn tamed<'a>(event: Event<'a>, document: &Document) -> Event<'a> {
    match event {
        // As text: what an agent wrote is shown, and does nothing.
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Image { link_type, dest_url: picture(&dest_url, document), title, id })
        }
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let is_safe =
                dest_url.starts_with("https://") || dest_url.starts_with("http://") || dest_url.starts_with('#');
            let dest_url = if is_safe { dest_url } else { CowStr::Borrowed("#") };
            Event::Start(Tag::Link { link_type, dest_url, title, id })
        }
        other => other,
    }
}

/// A picture of the report as it is; of any other, nothing.
fn picture(name: &str, document: &Document) -> CowStr<'static> {
    let found = document.files.iter().find(|file| file.name == name);
    let url: Cow<'static, str> = match found {
        Some(file) => format!("data:{};base64,{}", file.mime, BASE64.encode(&file.bytes)).into(),
        None => "data:,".into(),
    };
    url.into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::super::DocumentFile;
    use super::*;

    fn page_of(markdown: &str) -> String {
        let svg = DocumentFile { name: "a.svg".into(), mime: "image/svg+xml", bytes: b"<svg />".to_vec() };
        body(&Document {
            topic: "t".into(),
            title: "<b>".into(),
            summary: String::new(),
            markdown: markdown.into(),
            is_noteworthy: true,
            findings: Vec::new(),
            files: vec![svg],
        })
    }

    #[test]
    fn nothing_of_what_was_written_runs_or_is_loaded() {
        for hostile in [
            "<script>alert(1)</script>",
            "a <img src=x onerror=alert(1)> b",
            "![x](https://evil.example/pixel.png)",
            "![x](file:///etc/passwd)",
            "[x](javascript:alert(1))",
            "[x](data:text/html;base64,AAAA)",
            "<javascript:alert(1)>",
            "![\"><script>](a.svg \"\\\"><script>\")",
            "| <script> |\n|---|\n| <iframe src=x> |",
            "```\n</code></pre><script>\n```",
        ] {
            let page = page_of(hostile);
            for bad in ["<script", "<img src=x", "<iframe", "href=\"javascript", "href=\"data", "evil.example", "file:"]
            {
                let is_text = page.contains(&bad.replace('<', "&lt;"));
                assert!(!page.contains(bad), "{hostile}: {page} ({is_text})");
            }
        }
    }

    #[test]
    fn tables_pictures_and_links_are_there() {
        let page = page_of("| a | b |\n|---|---|\n| 1 | 2 |\n\n![alt](a.svg) [docs](https://example.com/)");
        assert!(page.contains("<td>1</td>") && page.contains("data:image/svg+xml;base64,PHN2ZyAvPg=="), "{page}");
        assert!(page.contains("href=\"https://example.com/\""));
    }
}
