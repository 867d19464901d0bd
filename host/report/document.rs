//! A report that an agent hands in with its outcome: Markdown for people, its pictures, and one HTML file that holds
//! all of it.
//!
//! What an agent wrote is shown as text and as pictures, and as nothing else: raw HTML in its Markdown is shown as it
//! stands there, links lead to the web or nowhere, pictures are those of the report itself. Nothing in the page runs,
//! and nothing is loaded from anywhere.

mod html;

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ReportError, folder_name, replace};

/// Longest text. Danger: a page that no browser and no mailbox takes.
const MARKDOWN_BYTES_MAX: usize = 2 << 20;
/// Most pictures, and bytes of all of them. Danger: as above.
const FILES_MAX: usize = 100;
const FILES_BYTES_MAX: usize = 8 << 20;
/// Most findings. Danger: a list that nobody reads.
const FINDINGS_MAX: usize = 1_000;
const TITLE_CHARS_MAX: usize = 200;
const SUMMARY_CHARS_MAX: usize = 4_000;

/// A report, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Which series of reports it belongs to: a name of letters, digits, `-` and `_`.
    pub topic: String,
    pub title: String,
    /// One paragraph, for who reads no more.
    pub summary: String,
    pub markdown: String,
    /// Whether it says anything that people would want to be told unasked.
    pub is_noteworthy: bool,
    /// What it claims, one by one.
    pub findings: Vec<DocumentFinding>,
    pub files: Vec<DocumentFile>,
}

/// One claim of a report, as people acknowledge or mute it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentFinding {
    /// The same for the same fact in every report of the series.
    pub key: String,
    pub severity: String,
    pub claim: String,
}

/// A picture of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentFile {
    pub name: String,
    pub mime: &'static str,
    pub bytes: Vec<u8>,
}

/// Where a report was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentPaths {
    pub folder: PathBuf,
    pub markdown: PathBuf,
    pub html: PathBuf,
}

/// As an agent hands it in.
#[derive(Deserialize)]
struct Handed {
    topic: String,
    title: String,
    summary: String,
    markdown: String,
    #[serde(default)]
    noteworthy: bool,
    #[serde(default)]
    findings: Vec<DocumentFinding>,
    #[serde(default)]
    files: Vec<HandedFile>,
}

#[derive(Deserialize)]
struct HandedFile {
    name: String,
    /// The text of an SVG, or the bytes of a PNG in base64.
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    base64: Option<String>,
}

impl Document {
    /// The report in the details of an agent's outcome. None: there is none.
    ///
    /// # Errors
    /// What is wrong with it.
    #[must_use]
    pub fn of(details: &Value) -> Option<Result<Self, String>> {
        let handed = details.get("report").filter(|report| !report.is_null())?;
        let read =
            serde_json::from_value(handed.clone()).map_err(|error| format!("the report cannot be read: {error}"));
        Some(read.and_then(Self::checked))
    }

    fn checked(handed: Handed) -> Result<Self, String> {
        let is_name = |text: &str| {
            (1..=64).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        if !is_name(&handed.topic) {
            return Err("the report's topic is not 1 to 64 letters, digits, `-` and `_`".into());
        }
        if handed.markdown.len() > MARKDOWN_BYTES_MAX {
            return Err(format!("the report's text is longer than {MARKDOWN_BYTES_MAX} bytes"));
        }
        if handed.findings.len() > FINDINGS_MAX || handed.files.len() > FILES_MAX {
            return Err(format!("a report has at most {FINDINGS_MAX} findings and {FILES_MAX} pictures"));
        }
        let files = handed.files.into_iter().map(file).collect::<Result<Vec<_>, _>>()?;
        if files.iter().map(|file| file.bytes.len()).sum::<usize>() > FILES_BYTES_MAX {
            return Err(format!("the report's pictures have more than {FILES_BYTES_MAX} bytes together"));
        }
        let cut = |text: &str, most: usize| text.chars().filter(|c| !c.is_control()).take(most).collect::<String>();
        Ok(Self {
            title: cut(&handed.title, TITLE_CHARS_MAX),
            summary: cut(&handed.summary.replace('\n', " "), SUMMARY_CHARS_MAX),
            topic: handed.topic,
            markdown: handed.markdown,
            is_noteworthy: handed.noteworthy,
            findings: handed.findings,
            files,
        })
    }

    /// Write it into a folder of its own below `reports`. What stands there of the same session is replaced.
    ///
    /// # Errors
    /// The folder or a file cannot be written.
    pub fn write(&self, reports: &Path, session: &str) -> Result<DocumentPaths, ReportError> {
        let folder = reports.join(&self.topic).join(folder_name(session));
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| ReportError { path, source }
        };
        // What stands in somebody's database stands in it: for this user alone.
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(failed(&folder))?;
        for file in &self.files {
            let path = folder.join(&file.name);
            replace(&path, &file.bytes).map_err(failed(&path))?;
        }
        let paths = DocumentPaths { markdown: folder.join("report.md"), html: folder.join("report.html"), folder };
        replace(&paths.html, html::page(self).as_bytes()).map_err(failed(&paths.html))?;
        // Last: who finds it finds the pictures.
        replace(&paths.markdown, self.markdown.as_bytes()).map_err(failed(&paths.markdown))?;
        Ok(paths)
    }
}

fn file(handed: HandedFile) -> Result<DocumentFile, String> {
    let name = handed.name;
    let stem_of = |end: &str| name.strip_suffix(end).filter(|stem| !stem.is_empty() && stem.len() <= 80);
    let is_plain = |stem: &str| stem.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    let wrong = |why: &str| Err(format!("the report's picture `{}`: {why}", crate::gate::explain::escaped(&name)));
    let (mime, bytes) = match (stem_of(".svg"), stem_of(".png"), handed.text, handed.base64) {
        (Some(stem), _, Some(text), None) if is_plain(stem) => ("image/svg+xml", text.into_bytes()),
        (_, Some(stem), None, Some(base64)) if is_plain(stem) => match BASE64.decode(base64) {
            Ok(bytes) => ("image/png", bytes),
            Err(error) => return wrong(&format!("it is no base64: {error}")),
        },
        _ => return wrong("it is called NAME.svg and has a `text`, or NAME.png and has `base64`"),
    };
    let is_picture = match mime {
        "image/png" => bytes.starts_with(b"\x89PNG\r\n\x1a\n"),
        _ => bytes.starts_with(b"<svg ") || bytes.starts_with(b"<?xml"),
    };
    if !is_picture {
        return wrong("its bytes are not what its name says");
    }
    Ok(DocumentFile { name, mime, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn handed(report: Value) -> Result<Document, String> {
        Document::of(&json!({ "report": report })).unwrap()
    }

    fn plain() -> Value {
        json!({ "topic": "shop", "title": "T", "summary": "S", "markdown": "# T\n" })
    }

    fn with(key: &str, value: Value) -> Value {
        let mut report = plain();
        report[key] = value;
        report
    }

    #[test]
    fn a_report_is_written_with_its_pictures_and_a_page_of_its_own() {
        let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\"/>";
        let mut report = with("files", json!([{ "name": "orders.svg", "text": svg }]));
        report["markdown"] = "# Orders\n\n![30 orders](orders.svg)\n".into();
        let folder = tempfile::tempdir().unwrap();
        let document = handed(report).unwrap();
        let paths = document.write(folder.path(), "ghost-1").unwrap();
        assert_eq!(std::fs::read_to_string(paths.folder.join("orders.svg")).unwrap(), svg);
        assert!(paths.markdown.ends_with("shop/ghost-1/report.md"));
        let page = std::fs::read_to_string(paths.html).unwrap();
        assert!(page.contains("<h1>Orders</h1>") && page.contains("src=\"data:image/svg+xml;base64,PHN2Zy"), "{page}");
        assert!(page.contains("alt=\"30 orders\""));
    }

    #[test]
    fn what_is_no_report_is_said() {
        assert!(Document::of(&json!({})).is_none());
        assert!(Document::of(&json!({ "report": null })).is_none());
        for (report, why) in [
            (json!("x"), "cannot be read"),
            (with("topic", json!("../x")), "topic"),
            (with("topic", json!("")), "topic"),
            (with("files", json!([{ "name": "../a.svg", "text": "<svg />" }])), "it is called"),
            (with("files", json!([{ "name": ".svg", "text": "<svg />" }])), "it is called"),
            (with("files", json!([{ "name": "a.svg", "text": "<script>" }])), "its bytes"),
            (with("files", json!([{ "name": "a.png", "base64": "!" }])), "no base64"),
            (with("files", json!([{ "name": "a.html", "text": "<svg />" }])), "it is called"),
            (with("markdown", json!("x".repeat(MARKDOWN_BYTES_MAX + 1))), "longer"),
        ] {
            let error = handed(report).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
