//! What a tool of ACT answered, in the words of this host: its events as contents, or as an error.
//!
//! A part is what its media type says; a part without one is bytes. An error is the last event. What came before it is
//! told with it: an operation that failed half way has done something.

use serde::de::IgnoredAny;

use super::bindings::act::core::types::{Error as Told, LocalizedString};
use super::bindings::act::tools::types::{ContentPart, ToolEvent};
use super::cbor;
use crate::capability::bindings::pi::tool::types::{Blob, Content, Error};
use crate::gate::explain::escaped;

/// Of a media type, and of an error's kind. Danger: a component writes them as it likes.
const WORD_BYTES_MAX: usize = 128;
/// What bytes are of which nobody says what they are.
const OPAQUE: &str = "application/octet-stream";
/// What a failure without a word is told as.
const NO_WORDS: &str = "the tool failed, and says no more";

/// The events of a call as the result of a tool.
pub(super) fn told(events: Vec<ToolEvent>) -> Result<Vec<Content>, Error> {
    let mut contents = Vec::new();
    for event in events {
        match event {
            ToolEvent::Content(part) => contents.push(content(part)?),
            ToolEvent::Error(error) => return Err(failure(error, &contents)),
        }
    }
    Ok(contents)
}

fn content(part: ContentPart) -> Result<Content, Error> {
    let ContentPart { data, mime_type, .. } = part;
    let mime = mime_type.filter(|mime| is_word(mime)).unwrap_or_else(|| OPAQUE.into());
    let essence = mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let blob = |bytes| Content::Blob(Blob { mime: mime.clone(), bytes });
    Ok(match essence.as_str() {
        "application/cbor" => Content::Json(
            cbor::to_json(&data)
                .map_err(|error| Error::Failed(format!("the tool gave an answer that cannot be shown: {error}")))?,
        ),
        "application/json" => match String::from_utf8(data) {
            Ok(text) if serde_json::from_str::<IgnoredAny>(&text).is_ok() => Content::Json(text),
            Ok(text) => Content::Text(text),
            Err(error) => blob(error.into_bytes()),
        },
        "application/xml" => text_or(data, blob),
        text if text.starts_with("text/") => text_or(data, blob),
        _ => blob(data),
    })
}

fn text_or(data: Vec<u8>, blob: impl Fn(Vec<u8>) -> Content) -> Content {
    String::from_utf8(data).map_or_else(|error| blob(error.into_bytes()), Content::Text)
}

/// An error in the tool's words, and what it had said before.
fn failure(error: Told, before: &[Content]) -> Error {
    let words = said(error.message);
    let mut text = if words.trim().is_empty() { NO_WORDS.to_owned() } else { words };
    if error.kind == "std:invalid-args" {
        return Error::InvalidArguments(text);
    }
    if error.kind != "std:internal" && is_word(&error.kind) {
        text = format!("{text} (`{}`)", escaped(&error.kind));
    }
    let before: Vec<&str> = before
        .iter()
        .filter_map(|content| match content {
            Content::Text(text) | Content::Json(text) => Some(text.as_str()),
            Content::Blob(_) => None,
        })
        .collect();
    if !before.is_empty() {
        text = format!("{text}\nbefore that it said: {}", before.join("\n"));
    }
    Error::Failed(text)
}

/// A text in English where there is one, as the host's own; else in the first language.
pub(super) fn said(text: LocalizedString) -> String {
    match text {
        LocalizedString::Plain(text) => text,
        LocalizedString::Localized(texts) => {
            let is_english = |(language, _): &(String, String)| {
                language.split('-').next().is_some_and(|language| language.eq_ignore_ascii_case("en"))
            };
            let at = texts.iter().position(is_english).unwrap_or_default();
            texts.into_iter().nth(at).map(|(_, text)| text).unwrap_or_default()
        }
    }
}

/// Whether it is short, and could be a media type or a kind.
fn is_word(word: &str) -> bool {
    (1..=WORD_BYTES_MAX).contains(&word.len()) && word.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(mime: Option<&str>, data: &[u8]) -> ToolEvent {
        ToolEvent::Content(ContentPart {
            data: data.to_vec(),
            mime_type: mime.map(str::to_owned),
            metadata: Vec::new(),
        })
    }

    fn error(kind: &str, message: &str) -> ToolEvent {
        let (kind, message) = (kind.to_owned(), LocalizedString::Plain(message.to_owned()));
        ToolEvent::Error(Told { kind, message, metadata: Vec::new() })
    }

    fn one(mime: Option<&str>, data: &[u8]) -> Content {
        told(vec![part(mime, data)]).unwrap().remove(0)
    }

    fn blob(mime: &str, bytes: &[u8]) -> Content {
        Content::Blob(Blob { mime: mime.into(), bytes: bytes.to_vec() })
    }

    #[test]
    fn a_part_is_what_its_media_type_says() {
        assert_eq!(one(Some("text/plain; charset=utf-8"), b"hi"), Content::Text("hi".into()));
        assert_eq!(one(Some("TEXT/markdown"), b"# hi"), Content::Text("# hi".into()));
        assert_eq!(one(Some("application/json"), b"{\"a\":1}"), Content::Json("{\"a\":1}".into()));
        assert_eq!(one(Some("application/json"), b"{"), Content::Text("{".into()));
        assert_eq!(one(Some("application/cbor"), &[0xa1, 0x61, b'a', 0x01]), Content::Json("{\"a\":1}".into()));
        assert_eq!(one(Some("image/png"), b"\x89PNG"), blob("image/png", b"\x89PNG"));
        assert_eq!(one(None, &[0xa0]), blob(OPAQUE, &[0xa0]));
        assert_eq!(one(Some("text/plain"), &[0xff]), blob("text/plain", &[0xff]));
    }

    #[test]
    fn a_media_type_that_is_none_is_not_passed_on() {
        let longest = "x".repeat(WORD_BYTES_MAX);
        assert_eq!(one(Some(&longest), b""), blob(&longest, b""));
        for mime in ["", "image/png\r\nx: y", &format!("{longest}x"), "\u{1b}[2J"] {
            assert_eq!(one(Some(mime), b""), blob(OPAQUE, b""), "{mime}");
        }
    }

    #[test]
    fn an_error_is_told_in_its_words_with_what_came_before() {
        let failed = |text: &str| Err(Error::Failed(text.into()));
        assert_eq!(told(vec![error("std:internal", "no disk")]), failed("no disk"));
        assert_eq!(told(vec![error("std:invalid-args", "no city")]), Err(Error::InvalidArguments("no city".into())));
        assert_eq!(told(vec![error("std:not-found", "no Oslo")]), failed("no Oslo (`std:not-found`)"));
        assert_eq!(told(vec![error("a\nb", "")]), failed(NO_WORDS));
        let half = vec![part(Some("text/plain"), b"deleted one"), error("std:internal", "no more"), part(None, b"x")];
        assert_eq!(told(half), failed("no more\nbefore that it said: deleted one"));
    }

    #[test]
    fn cbor_that_cannot_be_shown_is_a_failure() {
        let deep = vec![0x81; 1_000];
        let Err(Error::Failed(text)) = told(vec![part(Some("application/cbor"), &deep)]) else { panic!() };
        assert_eq!(text, "the tool gave an answer that cannot be shown: its CBOR is nested more than 100 deep");
    }

    #[test]
    fn a_text_in_many_languages_is_said_in_english_or_in_the_first() {
        let of = |texts: &[(&str, &str)]| {
            said(LocalizedString::Localized(texts.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect()))
        };
        assert_eq!(of(&[("de", "ja"), ("en-GB", "yes")]), "yes");
        assert_eq!(of(&[("de", "ja"), ("fr", "oui")]), "ja");
        assert_eq!(of(&[]), "");
    }
}
