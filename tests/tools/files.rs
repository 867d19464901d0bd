//! `read`, `write` and `edit` over real files.

use std::sync::Arc;

use pi_host::capability::bindings::pi::tool::types::{Content, Error};
use pi_host::plugin::builtin;
use pi_host::runtime::{CallLimits, Grants, LinkedTool};
use serde_json::{Value, json};

use crate::capability::bench::{Bench, files};
use crate::runtime::guest::{call, runtime};

struct Tools {
    bench: Bench,
    plugin: LinkedTool,
}

impl Tools {
    async fn new() -> Self {
        let bench = Bench::new().await;
        bench.file("read-only/f", "kept");
        let files = Arc::new(files(&["read-only"], &["."], &bench.project()));
        let compiled = runtime().load(builtin("files").unwrap()).await.unwrap();
        let plugin = runtime().link_tool(&compiled, Grants { files: Some(files), ..Grants::default() }).unwrap();
        Self { bench, plugin }
    }

    async fn call(&self, name: &str, arguments: Value) -> Result<Vec<Content>, Error> {
        let limits = CallLimits {
            memory_bytes_max: 256 << 20,
            call_ms_max: 60_000,
            output_bytes_max: 32 << 20,
            host_calls_max: 100_000,
        };
        call(&self.bench, &self.plugin, limits, name, arguments).await
    }

    /// The texts of a result.
    async fn texts(&self, name: &str, arguments: Value) -> Vec<String> {
        let parts = self.call(name, arguments).await.unwrap();
        parts
            .into_iter()
            .map(|part| match part {
                Content::Text(text) | Content::Json(text) => text,
                Content::Blob(blob) => format!("{} bytes of {}", blob.bytes.len(), blob.mime),
            })
            .collect()
    }

    async fn json(&self, name: &str, arguments: Value) -> Value {
        serde_json::from_str(&self.texts(name, arguments).await[0]).unwrap()
    }

    async fn failure(&self, name: &str, arguments: Value) -> String {
        match self.call(name, arguments).await {
            Err(Error::Failed(text) | Error::InvalidArguments(text)) => text,
            other => panic!("no failure: {other:?}"),
        }
    }
}

#[tokio::test]
async fn reads_a_text_as_it_stands() {
    let tools = Tools::new().await;
    tools.bench.file("f", "größe\r\nlast");
    assert_eq!(tools.texts("read", json!({ "path": "f" })).await, ["größe\r\nlast"]);
}

#[tokio::test]
async fn reads_a_long_file_in_parts_that_make_the_whole() {
    let tools = Tools::new().await;
    let whole: String = (0..30_000).map(|n| format!("line {n} ä\n")).collect();
    tools.bench.file("f", &whole);
    let mut parts = String::new();
    let mut arguments = json!({ "path": "f" });
    loop {
        let texts = tools.texts("read", arguments).await;
        parts.push_str(&texts[0]);
        let Some(remark) = texts.get(1) else { break };
        let next: u64 = remark.rsplit(": ").next().unwrap().trim_end_matches("`]").parse().unwrap();
        arguments = json!({ "path": "f", "from_byte": next });
    }
    assert_eq!(parts, whole);
}

#[tokio::test]
async fn reads_the_lines_that_are_asked_for() {
    let tools = Tools::new().await;
    tools.bench.file("f", "1\n2\n3\n4\n");
    let texts = tools.texts("read", json!({ "path": "f", "offset": 2, "limit": 2 })).await;
    assert_eq!(texts, ["2\n3\n", "[lines 2 to 3 of more; go on with `\"from_byte\": 6`]"]);
    assert_eq!(tools.texts("read", json!({ "path": "f", "offset": 4, "limit": 1 })).await, ["4\n"]);
    let text = tools.failure("read", json!({ "path": "f", "offset": 9 })).await;
    assert!(text.contains("the file has 4 lines"), "{text}");
}

#[tokio::test]
async fn reads_bytes_with_their_media_type() {
    let tools = Tools::new().await;
    tools.bench.file("f.png", b"\x89PNG\r\n\x1a\n\0\0");
    assert_eq!(tools.texts("read", json!({ "path": "f.png" })).await, ["10 bytes of image/png"]);
    tools.bench.file("large", vec![0; (8 << 20) + 1]);
    assert!(tools.failure("read", json!({ "path": "large" })).await.contains("a binary file of 8388609 bytes"));
}

#[tokio::test]
async fn reads_files_of_proc_that_have_no_size() {
    let bench = Bench::new().await;
    let files = Arc::new(files(&["/proc"], &[], &bench.project()));
    let compiled = runtime().load(builtin("files").unwrap()).await.unwrap();
    let plugin = runtime().link_tool(&compiled, Grants { files: Some(files), ..Grants::default() }).unwrap();
    let tools = Tools { bench, plugin };
    assert!(tools.texts("read", json!({ "path": "/proc/meminfo" })).await[0].starts_with("MemTotal:"));
}

#[tokio::test]
async fn writes_in_each_mode_and_makes_folders() {
    let tools = Tools::new().await;
    let done = tools.json("write", json!({ "path": "a/b/f", "content": "one\n" })).await;
    assert!(done["path"].as_str().unwrap().ends_with("/project/a/b/f"));
    assert_eq!((done["mode"].as_str(), done["bytes"].as_u64()), (Some("replace"), Some(4)));
    tools.json("write", json!({ "path": "a/b/f", "content": "two\n", "mode": "append" })).await;
    assert_eq!(tools.bench.text("a/b/f"), "one\ntwo\n");
    let text = tools.failure("write", json!({ "path": "a/b/f", "content": "x", "mode": "create" })).await;
    assert!(text.starts_with("it exists already"), "{text}");
}

#[tokio::test]
async fn writes_four_mebibytes() {
    let tools = Tools::new().await;
    let content = "0123456789abcde\n".repeat(1 << 18);
    tools.json("write", json!({ "path": "f", "content": content })).await;
    assert_eq!(tools.bench.text("f").len(), 4 << 20);
}

#[tokio::test]
async fn edits_and_answers_the_diff() {
    let tools = Tools::new().await;
    let path = tools.bench.file("app.toml", "[cache]\r\nbytes = 1\r\n\r\n[web]\r\nport = 8080");
    let done = tools.json("edit", json!({ "path": "app.toml", "old": "bytes = 1", "new": "bytes = 2" })).await;
    let path = path.canonicalize().unwrap();
    let path = path.to_str().unwrap();
    assert_eq!(done["path"], path);
    assert_eq!(done["replacements"], 1);
    let diff = done["diff"].as_str().unwrap();
    assert!(diff.starts_with(&format!("--- a{path}\n+++ b{path}\n@@ -1,")), "{diff}");
    assert!(diff.contains("-bytes = 1\r\n+bytes = 2\r\n"), "{diff}");
    assert_eq!(tools.bench.text("app.toml"), "[cache]\r\nbytes = 2\r\n\r\n[web]\r\nport = 8080");
}

#[tokio::test]
async fn an_edit_that_does_not_match_once_changes_nothing_and_says_why() {
    let tools = Tools::new().await;
    tools.bench.file("f", "x = 1\ny = 2\nx = 1\n");
    let text = tools.failure("edit", json!({ "path": "f", "old": "x = 1", "new": "x = 3" })).await;
    assert!(text.starts_with("`old` stands 2 times in `f` and not 1, on lines 1, 3"), "{text}");
    let text = tools.failure("edit", json!({ "path": "f", "old": "y = 3", "new": "y = 4" })).await;
    assert!(text.starts_with("`old` stands 0 times in `f`; the nearest lines are\n2: y = 2"), "{text}");
    assert_eq!(tools.bench.text("f"), "x = 1\ny = 2\nx = 1\n");
    let done = tools.json("edit", json!({ "path": "f", "old": "x = 1", "new": "x = 3", "replace_all": true })).await;
    assert_eq!(done["replacements"], 2);
}

#[tokio::test]
async fn each_tool_says_what_is_not_granted() {
    let tools = Tools::new().await;
    for (name, arguments) in [
        ("read", json!({ "path": "/etc/passwd" })),
        ("write", json!({ "path": "../outside", "content": "x" })),
        ("edit", json!({ "path": "/etc/passwd", "old": "root", "new": "x" })),
    ] {
        let text = tools.failure(name, arguments).await;
        assert!(text.starts_with("outside of the granted folders") && text.contains("\nhint: "), "{name}: {text}");
    }
    for (name, arguments) in [
        ("write", json!({ "path": "read-only/f", "content": "x" })),
        ("edit", json!({ "path": "read-only/f", "old": "kept", "new": "x" })),
    ] {
        assert!(tools.failure(name, arguments).await.starts_with("the grant is for reading only"), "{name}");
    }
    assert_eq!(tools.bench.text("read-only/f"), "kept");
}

#[tokio::test]
async fn a_refusal_by_a_rule_reaches_the_caller_with_its_advice() {
    let tools = Tools::new().await;
    tools.bench.file("forbidden", "kept");
    let refused = tools.call("edit", json!({ "path": "forbidden", "old": "kept", "new": "x" })).await;
    let Err(Error::Refused(refusal)) = refused else { panic!("{refused:?}") };
    assert_eq!((refusal.rule.as_str(), refusal.advice.as_str()), ("forbidden", "take another"));
}
