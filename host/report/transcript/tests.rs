//! The page of a session: what people see of it, and that nobody who wrote a part of it can write the page.

use serde_json::{Value, json};

use super::*;
use crate::gate::{Act, Decision, Origin, Severity, Verdict};
use crate::journal::{Body, Status};
use crate::store::SessionRecord;

/// Ends every context that a text may stand in, and begins one of its own.
const HOSTILE: &str = "</pre></style></title><script>alert(1)</script><img src=x onerror=alert(1)>\" onload=\"x' --> <!-- \u{202e}\u{7}\u{1b}[2J";

fn overview() -> Overview {
    Overview {
        session: SessionRecord {
            id: "pi-1".into(),
            number: 0,
            agent: "pi".into(),
            status: "done".into(),
            created_ms: 1_700_000_000_000,
            ended_ms: Some(1_700_000_065_000),
            summary: "done".into(),
            hash: String::new(),
        },
        is_cut_off: false,
        title: "make the test pass".into(),
        component: "c0ffee".into(),
        entries: 3,
        turns: 1,
        calls: 1,
        tokens: 120,
        cost_nano_usd: Some(1_230_000),
        parent: None,
    }
}

fn entries(bodies: Vec<Body>) -> Vec<Entry> {
    let entry = |(body, sequence): (Body, u64)| Entry {
        session: "pi-1".into(),
        sequence,
        time_ms: 1_700_000_000_000 + sequence * 1_000,
        body,
        hash: String::new(),
    };
    bodies.into_iter().zip(0..).map(entry).collect()
}

fn decision(verdict: Verdict, text: &str) -> Decision {
    Decision { verdict, rules: vec![text.into()], reason: text.into(), ..Decision::allow() }
}

/// A session with everything in it, each text of which is the one that is given.
fn session(text: &str) -> Vec<Entry> {
    let png = "iVBORw0KGgo=";
    entries(vec![
        Body::SessionStarted {
            agent: text.into(),
            component: text.into(),
            task: json!({ "prompt": text, "input": { text: text } }),
            policy: String::new(),
        },
        Body::ModelAsked { key: "0".into(), model: text.into(), hash: String::new(), question: Default::default() },
        Body::ModelAnswered {
            key: "0".into(),
            status: Status::Done,
            answer: json!({ "ok": {
                "message": { "role": "assistant", "parts": [{ "type": "reasoning", "text": text }, { "type": "text", "text": text }] },
                "stop": "end", "model": text, "usage": { "input": 100, "output": 20 }, "cost_nano_usd": 1_230_000,
            } }),
        },
        Body::CallStarted {
            key: "1.0".into(),
            tool: text.into(),
            arguments: json!({ text: text, "n": { text: [text] } }),
            effect: Severity::Write,
            idempotent: false,
            decision: decision(Verdict::Ask, text),
        },
        Body::EffectStarted {
            key: "1.0.0".into(),
            act: Act::Script { text: text.into(), directory: text.into() },
            origin: Origin::default(),
            decision: decision(Verdict::Allow, text),
        },
        Body::EffectEnded { key: "1.0.0".into(), status: Status::Done, detail: Value::Null },
        Body::Refused {
            key: "1.0.1".into(),
            act: Act::FileRemove { path: text.into(), recursive: true },
            origin: Origin::default(),
            decision: decision(Verdict::Deny, text),
        },
        Body::CallEnded {
            key: "1.0".into(),
            status: Status::Done,
            result: json!({ "ok": [
                { "text": text }, { "json": { text: text } }, { "blob": { "mime": text, "base64": png } },
                { "blob": { "mime": "image/png", "base64": text } }, { "blob": { "mime": "image/png", "base64": png } },
            ] }),
        },
        Body::CallEnded {
            key: "1.1".into(),
            status: Status::Failed,
            result: json!({ "error": { "kind": "failed", "message": text } }),
        },
        Body::ModelAnswered {
            key: "2".into(),
            status: Status::Failed,
            answer: json!({ "error": { "kind": "unavailable", "message": text } }),
        },
        Body::Said { by: text.into(), text: text.into() },
        Body::Logged { plugin: text.into(), level: "error".into(), context: text.into(), message: text.into() },
        Body::ApprovalAnswered {
            id: text.into(),
            by: text.into(),
            is_granted: false,
            comment: text.into(),
            scope: text.into(),
            edited: None,
            uncounted: None,
        },
        Body::SessionResumed { host: text.into() },
        Body::SessionForked { parent: text.into(), root: text.into(), at: 1, hash: text.into(), by: text.into() },
        Body::SessionEnded { status: text.into(), summary: text.into(), details: json!({ text: text }) },
    ])
}

#[test]
fn nobody_who_wrote_a_part_of_a_session_writes_the_page() {
    let mut about = overview();
    (about.title, about.session.id, about.session.agent) = (HOSTILE.into(), HOSTILE.into(), HOSTILE.into());
    (about.component, about.session.status) = (HOSTILE.into(), HOSTILE.into());
    about.parent = Some(crate::journal::Parent { session: HOSTILE.into(), at: 1 });
    let page = transcript(&about, &session(HOSTILE), Some(HOSTILE), &[HOSTILE.to_owned()]);
    let harmless = transcript(&overview(), &session("x"), Some("x"), &["x".to_owned()]);
    for word in ["<script", "</style", "<img", "</pre>", "</title>", "<!--", "-->"] {
        // The fork's line is the one that the harmless page has not: it has no parent.
        assert_eq!(page.matches(word).count(), harmless.matches(word).count(), "{word}");
    }
    assert!(!page.contains("onerror=alert(1)>") && !page.contains("\" onload=\""), "{page}");
    assert!(!page.contains(['\u{202e}', '\u{7}', '\u{1b}']), "hidden characters are written out");
    assert!(page.contains("\\u{202e}"));
    // The page's own images are of the one type that was checked.
    assert_eq!(page.matches("<img src=\"data:image/png;base64,iVBORw0KGgo=\"").count(), 1);
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let page = transcript(&overview(), &session("x"), None, &[]);
    assert!(page.contains("default-src 'none'") && page.contains("prefers-color-scheme:dark"));
    for word in ["http://", "https://", "src=\"//", "<script", "<link", "@import", "url("] {
        assert!(!page.contains(word), "{word}");
    }
}

#[test]
fn what_is_too_long_is_cut_and_said() {
    let page = transcript(&overview(), &session(&"y".repeat(100_000)), None, &[]);
    assert!(page.contains("34464 more bytes; the JSON lines have them."), "the prompt");
    let many: Vec<Body> = (0..400).map(|_| Body::Said { by: "a".into(), text: "z".repeat(100_000) }).collect();
    let page = transcript(&overview(), &entries(many), None, &[]);
    assert!(page.contains("more entries are not on this page"));
    assert!(page.len() < 32 << 20, "{}", page.len());
}

#[test]
fn a_session_reads_as_a_conversation() {
    let all = entries(vec![
        Body::SessionStarted {
            agent: "pi".into(),
            component: "c0ffee".into(),
            task: json!({ "prompt": "make the test pass", "input": {} }),
            policy: String::new(),
        },
        Body::CallStarted {
            key: "1.0".into(),
            tool: "bash".into(),
            arguments: json!({ "command": "ls" }),
            effect: Severity::Read,
            idempotent: true,
            decision: Decision::allow(),
        },
        Body::CallEnded {
            key: "1.0".into(),
            status: Status::Done,
            result: json!({ "ok": [{ "json": { "stdout": "a\nb\n", "exit_code": 0 } }] }),
        },
        Body::SessionEnded { status: "done".into(), summary: "It passes.".into(), details: Value::Null },
    ]);
    let page = transcript(&overview(), &all, Some("abcd"), &[]);
    let body = page.split_once("<body>").unwrap().1;
    insta::assert_snapshot!(body.replace("><", ">\n<"), @r#"
    <header>
    <p class="kicker">Session of <b>pi</b>
    </p>
    <h1>make the test pass</h1>
    <span class="status good">done</span>
    <dl class="facts">
    <div>
    <dt>began</dt>
    <dd>2023-11-14 22:13:20 UTC</dd>
    </div>
    <div>
    <dt>took</dt>
    <dd>1 min 5 s</dd>
    </div>
    <div>
    <dt>model</dt>
    <dd>1 turn</dd>
    </div>
    <div>
    <dt>tools</dt>
    <dd>1 call</dd>
    </div>
    <div>
    <dt>tokens</dt>
    <dd>120</dd>
    </div>
    <div>
    <dt>cost</dt>
    <dd>$0.0013</dd>
    </div>
    <div>
    <dt>component</dt>
    <dd>
    <code title="c0ffee">c0ffee</code>
    </dd>
    </div>
    </dl>
    </header>
    <main>
    <article class="person" id="entry-0">
    <div class="label">
    <span class="number">0</span>
    <b>Task</b>
    </div>
    <div class="prose">make the test pass</div>
    </article>
    <article class="call done" id="entry-1">
    <div class="label">
    <span class="number">1</span>
    <b>bash</b>
    <span class="verdict allow">allow, risk 0</span>
    <span class="took">done · 1.0 s</span>
    </div>
    <pre>command: ls</pre>
    <pre>stdout:
    a
    b

    exit_code: 0</pre>
    </article>
    <article class="end" id="entry-3">
    <div class="label">
    <span class="number">3</span>
    <b>The end</b>
    </div>
    <span class="status good">done</span>
    <div class="prose">It passes.</div>
    </article>
    </main>
    <footer>
    <p>
    <code>pi-1</code>, 4 entries, the last with the hash <code>abcd</code>.</p>
    <p>Written by pi-host. <code>session export --format jsonl</code> has every entry, and the hashes to verify them.</p>
    </footer>
    </body>
    </html>
    "#);
}
