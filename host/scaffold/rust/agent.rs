//! An agent: it counts the file that its prompt names, by the tool `count`, and says what it found.

use pi_sdk::{AgentPlugin, Content, Error, Outcome, Status, Task, Value, json, tools};

struct Counter;

impl AgentPlugin for Counter {
    fn run(task: Task) -> Result<Outcome, String> {
        let Some(path) = path_of(&task.prompt) else {
            return Ok(outcome(Status::NothingToDo, "The prompt names no file.".into(), json!({})));
        };
        let request = tools::Request { name: "count".into(), arguments: json!({ "path": path }).to_string() };
        Ok(match tools::call(&[request]).pop() {
            Some(Ok(content)) => counted(path, &content),
            Some(Err(error)) => {
                outcome(Status::Failed, format!("`{path}` could not be counted: {}", reason(&error)), json!({}))
            }
            None => outcome(Status::Failed, "the host gave no answer".into(), json!({})),
        })
    }
}

pi_sdk::agent!(Counter);

fn counted(path: &str, content: &[Content]) -> Outcome {
    let found = content.iter().find_map(|part| match part {
        Content::Json(text) => pi_sdk::serde_json::from_str::<Value>(text).ok(),
        Content::Text(_) | Content::Blob(_) => None,
    });
    let number = |name: &str| found.as_ref().and_then(|found| found[name].as_u64());
    let (Some(lines), Some(words), Some(bytes)) = (number("lines"), number("words"), number("bytes")) else {
        return outcome(Status::Escalated, "the tool `count` answered something else than counts".into(), json!({}));
    };
    let summary = format!("`{path}` has {lines} lines, {words} words and {bytes} bytes.");
    outcome(Status::Done, summary, json!({ "lines": lines, "words": words, "bytes": bytes }))
}

/// The last word of the prompt that looks like a path: with a dot or a slash in it.
fn path_of(prompt: &str) -> Option<&str> {
    prompt
        .split(|c: char| c.is_whitespace() || "`'\",;:!?()".contains(c))
        .map(|word| word.strip_suffix('.').unwrap_or(word))
        .rfind(|word| word.contains(['.', '/']))
}

fn reason(error: &Error) -> &str {
    match error {
        Error::Refused(refusal) => &refusal.reason,
        Error::InvalidArguments(text)
        | Error::NotFound(text)
        | Error::Unknown(text)
        | Error::Limit(text)
        | Error::Failed(text) => text,
    }
}

fn outcome(status: Status, summary: String, details: Value) -> Outcome {
    Outcome { status, summary, details: details.to_string() }
}
