//! `pi-host policy diff`

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::past::word;
use crate::app::policy::{Place, diff};
use crate::app::{gate_of_builtin, gate_of_file};
use crate::cli::{Failure, Output};
use crate::config::Project;
use crate::gate::explain::escaped;
use crate::gate::{Gate, Policy};

/// The name of the policy that comes with the program.
const BUILTIN: &str = "builtin";

#[derive(serde::Deserialize)]
struct Line {
    command: String,
}

pub(super) fn run(output: &Output, project: &Project, a: &str, b: &str, commands: &[PathBuf]) -> Result<(), Failure> {
    let (text_a, gate_a) = policy(project, a)?;
    let (text_b, gate_b) = policy(project, b)?;
    let mut all = Vec::new();
    for path in commands {
        let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        // A line that is no JSON object is a command itself.
        all.extend(lines.map(|line| serde_json::from_str::<Line>(line).map_or(line.to_owned(), |line| line.command)));
    }
    let directory = super::folder(project);
    let found = diff((&text_a, &gate_a), (&text_b, &gate_b), &all, &directory);
    output.data(&found, || {
        let mut lines: Vec<String> = found
            .rules
            .iter()
            .map(|change| match change.place {
                Place::Added => format!("+ rule {}", escaped(&change.id)),
                Place::Removed => format!("- rule {}", escaped(&change.id)),
                Place::Changed => format!("~ rule {} ({})", escaped(&change.id), escaped(&change.keys.join(", "))),
            })
            .collect();
        lines.extend(found.parts.iter().map(|part| format!("~ {}", escaped(part))));
        lines.push(format!(
            "{} commands judged under both, {} decided differently",
            found.judged,
            found.decisions.len()
        ));
        lines.extend(found.decisions.iter().map(|difference| {
            let rules = |rules: &[String]| escaped(&rules.join(", "));
            format!(
                "  {} [{}] -> {} [{}]  {}",
                word(output, difference.a),
                rules(&difference.a_rules),
                word(output, difference.b),
                rules(&difference.b_rules),
                escaped(&difference.command),
            )
        }));
        lines.join("\n")
    });
    Ok(())
}

fn policy(project: &Project, name: &str) -> Result<(String, Gate), Failure> {
    if name == BUILTIN {
        return Ok((Policy::builtin_text().to_owned(), gate_of_builtin(project)?));
    }
    let path = Path::new(name);
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{} cannot be read\nhint: name a policy file, or `{BUILTIN}`", path.display()))?;
    Ok((text, gate_of_file(project, path)?))
}
