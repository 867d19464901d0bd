//! A conversation with a program: lines on standard input.
//!
//! As text, each line is a message, said when the one before is done. With `--json`, each line is an object that says
//! what to do, done as it comes: so a program can steer, interrupt and answer while the agent works.

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::sync::mpsc;

use crate::session::MESSAGE_BYTES_MAX;

/// Longest line: a message as JSON, each of whose characters may be escaped.
const LINE_BYTES_MAX: u64 = 8 * MESSAGE_BYTES_MAX as u64;
/// Lines that wait. Danger: a program that writes faster than an agent listens.
const LINES_MAX: usize = 64;

/// What a program wants done.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Command {
    /// Say something: it begins a turn, or is heard in the one that goes on.
    Say { text: String },
    /// End what goes on now.
    Interrupt {},
    /// Answer a question.
    Answer { question: u64, allow: bool },
    /// Nothing more will be said: the session ends with what was said so far.
    End {},
}

/// Read lines until the input ends; what is wrong with one is in its place.
pub(super) fn lines() -> mpsc::Receiver<Result<String, String>> {
    let (sender, receiver) = mpsc::channel(LINES_MAX);
    tokio::spawn(async move {
        let mut input = BufReader::new(tokio::io::stdin());
        let mut number = 0_u64;
        loop {
            number += 1;
            let mut line = Vec::new();
            let line = match (&mut input).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await {
                Ok(0) => return,
                Ok(_) if !line.ends_with(b"\n") && line.len() as u64 >= LINE_BYTES_MAX => {
                    let _ = sender.send(Err(format!("line {number} is longer than {LINE_BYTES_MAX} bytes"))).await;
                    // Nobody knows where the next one begins.
                    return;
                }
                Ok(_) => String::from_utf8(line).map_err(|_| format!("line {number} is not UTF-8")),
                Err(error) => {
                    let _ = sender.send(Err(format!("standard input cannot be read: {error}"))).await;
                    return;
                }
            };
            if sender.send(line.map(|line| line.trim_end_matches(['\n', '\r']).to_owned())).await.is_err() {
                return;
            }
        }
    });
    receiver
}

/// A line of `--json`.
pub(super) fn command(line: &str) -> Result<Command, String> {
    serde_json::from_str(line).map_err(|error| {
        format!("a line that is no command ({error})\nhint: write {{\"command\":\"say\",\"text\":\"...\"}}, or `interrupt`, `answer`, `end`: docs/chat.md")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_may_say_is_read() {
        let say = |text: &str| Command::Say { text: text.into() };
        assert_eq!(command(r#"{"command":"say","text":"a\nb"}"#), Ok(say("a\nb")));
        assert_eq!(command(r#"{"command":"interrupt"}"#), Ok(Command::Interrupt {}));
        let answer = Command::Answer { question: 3, allow: false };
        assert_eq!(command(r#"{"command":"answer","question":3,"allow":false}"#), Ok(answer));
        assert_eq!(command(r#"{"command":"end"}"#), Ok(Command::End {}));
    }

    #[test]
    fn what_is_no_command_is_said_with_the_way_to_write_one() {
        for line in ["", "hello", "[]", r#"{"command":"rm"}"#, r#"{"command":"say"}"#, r#"{"command":"end","x":1}"#] {
            let error = command(line).unwrap_err();
            assert!(error.contains("hint: write {\"command\":\"say\""), "{line}: {error}");
        }
    }
}
