//! Asking at the terminal. Where standard input or error is no terminal, the answer is no.
//!
//! A person answers what is on the screen, so a line counts only for the question that it was typed
//! under: what was typed before is thrown away, one question stands at a time, and a question whose
//! call has ended is taken back and reads nothing. The terminal is read only while a question
//! stands: a reader that never rests would be stopped by the system in the background, and the host
//! with it.

use std::io::{self, IsTerminal, PipeReader, Write};
use std::os::fd::AsFd;
use std::sync::Arc;

use async_trait::async_trait;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::retry_on_intr;
use rustix::termios::{QueueSelector, tcflush};
use tokio::sync::{Mutex, mpsc, oneshot};

use super::content::Content;
use super::mask::masked;
use super::{Answer, Approver, Question};
use crate::gate::Act;
use crate::gate::explain::escaped;

/// Longest answer that is read; a terminal gives no longer line.
const ANSWER_BYTES_MAX: usize = 4_096;
/// What is shown of an act: a guest could hold the terminal with megabytes.
const SHOWN_CHARS_MAX: usize = 16_000;
/// What stands below a question that nobody has to answer any more.
const WITHDRAWN: &str = "\n  (taken back: it is decided, or the call that asked has ended)\n";
/// What stands below a question whose terminal was closed. It is no answer.
const CLOSED: &str = "\n  (not answered: nothing more can be typed here)\n";

/// Asks the person at the terminal, one question at a time.
#[derive(Default)]
pub struct Terminal {
    /// Whose turn it is. The thread of a question keeps it until it has stopped reading.
    turn: Arc<Mutex<()>>,
    /// What has the terminal and asks there; none: it is free, and read while a question stands.
    screen: Option<mpsc::UnboundedSender<Asked>>,
}

/// A question for a screen that has the terminal.
#[derive(Debug)]
pub struct Asked {
    /// Escaped, in several lines; ends with what can be answered.
    pub text: String,
    /// Takes the answer. Closed: the question was taken back.
    pub answer: oneshot::Sender<bool>,
}

impl Terminal {
    /// Whether there is somebody to ask.
    #[must_use]
    pub fn is_there() -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }
}

impl Terminal {
    /// A terminal that belongs to a screen, such as that of a conversation: it is asked there.
    #[must_use]
    pub fn through(screen: mpsc::UnboundedSender<Asked>) -> Self {
        Self { screen: Some(screen), ..Self::default() }
    }

    /// Put a question: whether the person said yes. None: nobody has answered, and nobody will here.
    pub(super) async fn put(&self, asked: &Question<'_>) -> Option<bool> {
        let turn = self.turn.clone().lock_owned().await;
        let question = question(asked);
        if let Some(screen) = &self.screen {
            let (answer, answered) = oneshot::channel();
            screen.send(Asked { text: question, answer }).ok()?;
            return answered.await.ok();
        }
        // Nobody can abort a thread that reads. It sees this pipe close when the future is dropped.
        let (withdrawn, asking) = io::pipe().ok()?;
        let answered = tokio::task::spawn_blocking(move || {
            let answer = put(&question, &withdrawn);
            // Earlier the next question could lose its answer to this thread.
            drop(turn);
            answer
        })
        .await;
        drop(asking);
        match answered.ok()?.ok()? {
            Heard::Answer(is_yes) => Some(is_yes),
            Heard::Withdrawn | Heard::Closed => None,
        }
    }
}

#[async_trait]
impl Approver for Terminal {
    async fn ask(&self, question: Question<'_>) -> Answer {
        match self.put(&question).await {
            Some(true) => Answer { is_granted: true, by: "terminal".into(), ..Answer::default() },
            Some(false) => Answer::no("terminal", "the person at the terminal said no"),
            None => Answer::no("nobody", "nobody answered at the terminal, and there is no other way to ask"),
        }
    }
}

/// What came from the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Answer(bool),
    /// The call that asked has ended.
    Withdrawn,
    /// The terminal was closed, or its person typed the end of input.
    Closed,
}

fn question(asked: &Question<'_>) -> String {
    let (origin, decision) = (asked.origin, asked.decision);
    let mut text = format!("\n`{}` wants to {}\n", escaped(&origin.agent), cut(shown(asked.act, asked.content)));
    text.push_str(&format!("  risk {} of 100: {}\n", decision.risk, masked(&escaped(&decision.reason))));
    for evidence in &decision.evidence {
        let detail = masked(&escaped(&evidence.detail));
        text.push_str(&format!("  +{:<3} {}: {detail}\n", evidence.points, evidence.name));
    }
    text.push_str("  allow it once? [y/N] ");
    text
}

/// The act with everything that decides what it does, escaped. The summary alone would hide where
/// one argument ends and the next begins, the folder, and variables that change what a program is.
pub(super) fn shown(act: &Act, content: Option<&Content>) -> String {
    masked(&exact(act, content))
}

fn exact(act: &Act, content: Option<&Content>) -> String {
    match act {
        Act::ProcessRun { argv, directory, environment } => {
            let words: Vec<String> = argv.iter().map(|word| quoted(word)).collect();
            let mut text = format!("run: {}\n  in {}", words.join(" "), quoted(directory));
            for (name, value) in environment {
                text.push_str(&format!("\n  with {}={}", quoted(name), quoted(value)));
            }
            text
        }
        Act::Script { text, directory } => {
            // Indented, so that no line of it can pass for one of the question's own.
            let lines: Vec<String> = text.split('\n').map(|line| format!("    {}", escaped(line))).collect();
            format!("run a script in {}:\n{}", quoted(directory), lines.join("\n"))
        }
        Act::CloudCall { account, region, operation, resources, arguments, script, .. } => {
            let mut text = format!("call {} in {} ({})", quoted(operation), quoted(account), quoted(region));
            // All of them: what a summary leaves out would be agreed to unseen.
            for resource in resources {
                let tags = resource.tags.iter().flatten();
                let tags: Vec<String> = tags.map(|(key, value)| quoted(&format!("{key}={value}"))).collect();
                let tags = if tags.is_empty() { String::new() } else { format!(" ({})", tags.join(" ")) };
                text.push_str(&format!("\n  on {} {}{tags}", escaped(&resource.kind), quoted(&resource.id)));
            }
            text.push_str(&format!("\n  with {}", escaped(&arguments.to_string())));
            if let Some(script) = script {
                let lines: Vec<String> = script.split('\n').map(|line| format!("    {}", escaped(line))).collect();
                text.push_str(&format!("\n  its script:\n{}", lines.join("\n")));
            }
            text
        }
        Act::FileWrite { .. } => {
            let mut text = escaped(&act.summary());
            match content {
                Some(content) => content.lines.iter().for_each(|line| text.push_str(&format!("\n    {line}"))),
                None => text.push_str("\n  what it writes is not shown: only the length is known here"),
            }
            text
        }
        _ => escaped(&act.summary()),
    }
}

/// A word as a shell would need it written, so that its ends are seen. `$'...'` stands around what
/// had to be escaped: there, and only there, a backslash says more than itself.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:=@%+,".contains(c);
    let safe = escaped(word);
    if safe != word {
        return format!("$'{}'", escaped(&word.replace('\\', "\\\\").replace('\'', "\\'")));
    }
    if !word.is_empty() && word.chars().all(is_plain) {
        return safe;
    }
    format!("'{}'", safe.replace('\'', "'\\''"))
}

fn cut(text: String) -> String {
    let count = text.chars().count();
    if count <= SHOWN_CHARS_MAX {
        return text;
    }
    let kept: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    format!("{kept}…\n  and {} characters more, which are not shown", count - SHOWN_CHARS_MAX)
}

/// Show the question and read the answer.
fn put(question: &str, withdrawn: &PipeReader) -> io::Result<Heard> {
    let stdin = io::stdin();
    let mut stderr = io::stderr();
    // A `y` that was typed ahead, or for a question that is gone, must not answer this one.
    tcflush(&stdin, QueueSelector::IFlush)?;
    stderr.write_all(question.as_bytes())?;
    stderr.flush()?;
    let heard = read(&stdin, withdrawn)?;
    match heard {
        Heard::Answer(_) => {}
        Heard::Withdrawn => stderr.write_all(WITHDRAWN.as_bytes())?,
        Heard::Closed => stderr.write_all(CLOSED.as_bytes())?,
    }
    Ok(heard)
}

/// What `input` answers before the other end of `withdrawn` closes.
fn read(input: &impl AsFd, withdrawn: &impl AsFd) -> io::Result<Heard> {
    let mut typed = Vec::new();
    let mut bytes = [0_u8; ANSWER_BYTES_MAX];
    loop {
        let mut ends = [PollFd::new(withdrawn, PollFlags::IN), PollFd::new(input, PollFlags::IN)];
        retry_on_intr(|| poll(&mut ends, None))?;
        let [gone, ready] = &ends;
        if !gone.revents().is_empty() {
            return Ok(Heard::Withdrawn);
        }
        if ready.revents().is_empty() {
            continue;
        }
        let count = retry_on_intr(|| rustix::io::read(input, &mut bytes))?;
        typed.extend_from_slice(bytes.get(..count).unwrap_or_default());
        if count == 0 {
            return Ok(Heard::Closed);
        }
        if typed.contains(&b'\n') || typed.len() > ANSWER_BYTES_MAX {
            return Ok(Heard::Answer(is_yes(&typed)));
        }
    }
}

/// Whether the first line says yes. One without its end was not sent off: it is a no.
fn is_yes(typed: &[u8]) -> bool {
    let Some(end) = typed.iter().position(|byte| *byte == b'\n') else {
        return false;
    };
    let line = String::from_utf8_lossy(typed.get(..end).unwrap_or_default());
    matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::gate::{Decision, Origin, WriteMode};

    fn answer(typed: &str) -> Heard {
        let (input, mut keyboard) = io::pipe().unwrap();
        let (withdrawn, _asking) = io::pipe().unwrap();
        keyboard.write_all(typed.as_bytes()).unwrap();
        drop(keyboard);
        read(&input, &withdrawn).unwrap()
    }

    #[test]
    fn only_a_line_that_says_yes_is_a_yes() {
        assert_eq!(["y\n", "Yes\n", " y \r\n"].map(answer), [Heard::Answer(true); 3]);
        assert_eq!(["\n", "n\n", "n\ny\n", "yy\n"].map(answer), [Heard::Answer(false); 4]);
    }

    #[test]
    fn the_end_of_input_is_no_answer() {
        assert_eq!(["", "y", "n"].map(answer), [Heard::Closed; 3]);
    }

    #[test]
    fn an_answer_without_an_end_is_a_no_at_the_limit() {
        assert_eq!(answer(&"y".repeat(ANSWER_BYTES_MAX + 1)), Heard::Answer(false));
    }

    #[test]
    fn a_question_that_was_taken_back_takes_no_answer() {
        let (mut input, mut keyboard) = io::pipe().unwrap();
        let (withdrawn, asking) = io::pipe().unwrap();
        keyboard.write_all(b"y\n").unwrap();
        drop(asking);
        assert_eq!(read(&input, &withdrawn).unwrap(), Heard::Withdrawn);
        drop(keyboard);
        let mut left = String::new();
        input.read_to_string(&mut left).unwrap();
        assert_eq!(left, "y\n");
    }

    #[test]
    fn a_program_is_shown_word_by_word_with_its_folder_and_variables() {
        let act = Act::ProcessRun {
            argv: ["/usr/bin/rm", "-rf", "a b", "it's", ""].map(String::from).to_vec(),
            directory: "/srv/my app".into(),
            environment: vec![("MODE".into(), "x;y".into()), ("EMPTY".into(), String::new())],
        };
        assert_eq!(
            shown(&act, None),
            "run: /usr/bin/rm -rf 'a b' 'it'\\''s' ''\n  in '/srv/my app'\n  with MODE='x;y'\n  with EMPTY=''"
        );
    }

    #[test]
    fn what_a_terminal_obeys_is_told_from_what_only_looks_like_it() {
        assert_eq!(quoted("a\nb"), "$'a\\nb'");
        assert_eq!(quoted("a\\nb"), "'a\\nb'");
        assert_eq!(quoted("\u{1b}[2K'\\"), "$'\\u{1b}[2K\\'\\\\'");
        assert_eq!(quoted("a\u{202e}b"), "$'a\\u{202e}b'");
    }

    #[test]
    fn a_script_is_shown_line_by_line() {
        let act = Act::Script { text: "ls\n\u{1b}[2Kx\r".into(), directory: "/srv".into() };
        assert_eq!(shown(&act, None), "run a script in /srv:\n    ls\n    \\u{1b}[2Kx\\r");
    }

    #[test]
    fn a_call_of_a_cloud_is_shown_with_all_that_it_is_on() {
        let resource = |id: &str| crate::gate::CloudResource {
            kind: "instance".into(),
            id: id.into(),
            tags: Some([("env".to_owned(), "staging\n".to_owned())].into()),
        };
        let act = Act::CloudCall {
            account: "shop".into(),
            region: "eu-west-1".into(),
            operation: "ssm:SendCommand".into(),
            resources: (0..10).map(|number| resource(&format!("i-{number}"))).collect(),
            arguments: serde_json::json!({ "Comment": "\u{1b}[2K" }),
            severity: crate::gate::Severity::Destructive,
            reversible: false,
            script: Some("df\nrm x\r".into()),
            declared: Vec::new(),
            declared_logs: Vec::new(),
            is_granted: false,
        };
        let shown = exact(&act, None);
        assert!(shown.contains("on instance i-9 ($'env=staging\\n')"), "{shown}");
        assert!(shown.ends_with("  its script:\n    df\n    rm x\\r") && !shown.contains('\u{1b}'), "{shown}");
    }

    #[test]
    fn a_write_says_that_its_content_is_not_shown() {
        let act = Act::FileWrite { path: "/srv/f".into(), bytes: 3, mode: WriteMode::Replace, sha256: String::new() };
        assert_eq!(
            shown(&act, None),
            "replace `/srv/f` (3 bytes)\n  what it writes is not shown: only the length is known here"
        );
    }

    #[test]
    fn an_act_beyond_the_limit_is_cut_and_says_so() {
        assert_eq!(cut("x".repeat(SHOWN_CHARS_MAX)).len(), SHOWN_CHARS_MAX);
        assert!(cut("x".repeat(SHOWN_CHARS_MAX + 7)).ends_with("and 7 characters more, which are not shown"));
    }

    #[test]
    fn a_question_tells_who_what_and_why() {
        let act = Act::FileRemove { path: "/srv/a\nb".into(), recursive: true };
        let origin = Origin { agent: "sre".into(), ..Origin::default() };
        let decision = Decision { risk: 60, reason: "it removes much".into(), ..Decision::allow() };
        assert_eq!(
            question(&Question {
                act: &act,
                origin: &origin,
                key: "1.0",
                decision: &decision,
                policy: "p",
                content: None,
                edit_of: None,
                is_rerun: false,
                aside: None,
            }),
            "\n`sre` wants to remove `/srv/a\\nb` and all below it\n  risk 60 of 100: it removes much\n  \
             allow it once? [y/N] "
        );
    }
}
