//! What an agent is told when a session begins: the words of people, the project's instructions, and which skills
//! there are. It is read once, by the host, and stands in the journal: the session never sees another.

use std::path::Path;

use serde_json::{Value, json};

use crate::config::Project;

/// Most bytes of one file of instructions. Danger: it is part of every question to a model.
const INSTRUCTIONS_BYTES_MAX: u64 = 64 << 10;
/// Most skills that an agent is told of.
const SKILLS_MAX: usize = 100;
/// Of a `SKILL.md`, what is read to find its name and description.
const SKILL_HEAD_BYTES_MAX: usize = 4_096;
const DESCRIPTION_CHARS_MAX: usize = 1_024;

/// Whether people may go on talking to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Talk {
    Open,
    Closed,
}

/// The task of a session, as it stands in its first entry.
pub(super) fn task(project: &Project, agent: &str, config: &Value, prompt: &str, input: &Value, talk: Talk) -> Value {
    let mut config = config.clone();
    let settings = project.config.agents.get(agent).cloned().unwrap_or_default();
    if let Value::Object(config) = &mut config {
        let instructions = instructions(&project.directory, &settings.instructions);
        let skills = skills(&project.directory, &settings.skills);
        for (key, value) in [("instructions", instructions), ("skills", skills)] {
            if value.as_array().is_some_and(|list| !list.is_empty()) {
                config.insert(key.to_owned(), value);
            }
        }
    }
    let mut task = json!({ "prompt": prompt, "input": input, "config": config });
    if talk == Talk::Open {
        task["talk"] = true.into();
    }
    if let Some(model) = &project.config.command_model {
        task["model"] = model.clone().into();
    }
    task
}

/// The model of the command line that a session was begun with.
pub(super) fn model_of(task: &Value) -> Option<&str> {
    task.get("model").and_then(Value::as_str)
}

/// Whether a session was begun as a conversation.
pub(super) fn talk_of(task: &Value) -> Talk {
    if task.get("talk").and_then(Value::as_bool) == Some(true) { Talk::Open } else { Talk::Closed }
}

/// The files of instructions that are there, `[{"path", "text"}]`.
fn instructions(directory: &Path, files: &[String]) -> Value {
    let one = |file: &String| {
        let text = head(&directory.join(file), INSTRUCTIONS_BYTES_MAX)?;
        Some(json!({ "path": file, "text": text }))
    };
    files.iter().filter_map(one).collect()
}

/// The skills in these folders, `[{"name", "description", "path"}]`: the agent reads what it needs.
fn skills(directory: &Path, folders: &[String]) -> Value {
    let mut skills = Vec::new();
    for folder in folders {
        let Ok(entries) = std::fs::read_dir(directory.join(folder)) else { continue };
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).take(SKILLS_MAX * 10).collect();
        names.sort();
        for name in names {
            let path = format!("{folder}/{name}/SKILL.md");
            let head = head(&directory.join(&path), SKILL_HEAD_BYTES_MAX as u64);
            let Some((name, description)) = head.as_deref().and_then(front) else { continue };
            if skills.len() < SKILLS_MAX {
                skills.push(json!({ "name": name, "description": description, "path": path }));
            }
        }
    }
    Value::Array(skills)
}

/// Name and description in the front matter of a skill: `key: value` lines between two lines of `---`.
fn front(text: &str) -> Option<(String, String)> {
    let front = text.strip_prefix("---")?;
    let (front, _) = front.split_once("\n---")?;
    let value = |key: &str| {
        let line = front.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        let line = line.trim().trim_matches(['"', '\'']);
        (!line.is_empty()).then(|| line.chars().take(DESCRIPTION_CHARS_MAX).collect::<String>())
    };
    Some((value("name")?, value("description")?))
}

/// A regular file's text up to so many bytes; none where there is none.
fn head(path: &Path, bytes_max: u64) -> Option<String> {
    use std::io::Read as _;
    // A pipe or a device in its place would never end.
    let is_file = std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    let file = is_file.then(|| std::fs::File::open(path).ok()).flatten()?;
    let mut bytes = Vec::new();
    file.take(bytes_max).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skill_is_told_by_its_front_matter() {
        let text = "---\nname: release\ndescription: \"How to release\"\n---\n# Body";
        assert_eq!(front(text), Some(("release".into(), "How to release".into())));
        for broken in ["", "# Body", "---\nname: x\n---\n", "---\nname: x\ndescription: y\n"] {
            assert_eq!(front(broken), None, "{broken}");
        }
    }

    #[test]
    fn instructions_that_are_not_there_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("AGENTS.md"), "Be kind").unwrap();
        let files = ["AGENTS.md".to_owned(), "MISSING.md".to_owned(), ".".to_owned()];
        assert_eq!(instructions(folder.path(), &files), json!([{ "path": "AGENTS.md", "text": "Be kind" }]));
    }
}
