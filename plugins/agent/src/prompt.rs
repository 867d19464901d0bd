//! What the model is told before anybody speaks.

use pi_sdk::Task;
use pi_sdk::serde_json::Value;

use crate::settings::Settings;

const OWN: &str = "You are pi, an agent that works for the people of this project through the tools that you are given. \
Do what you are asked, completely, with the smallest change that does it, and look before you act. \
Verify your work by the means that the project has: a change is done when a check shows it. \
Every call is judged by a policy. A refusal names its rule and an advice: take another way to the goal, and never try to get around the rule. \
When you are done, say in a few sentences what you did and how you know that it works; when you cannot go on, say why and what a person has to do.";

/// The system prompt.
pub(crate) fn system(settings: &Settings, now_ms: u64) -> String {
    let mut text = settings.system.clone().unwrap_or_else(|| OWN.to_owned());
    text.push_str(&format!("\n\nToday is {}.", date(now_ms)));
    for instructions in &settings.instructions {
        text.push_str(&format!("\n\nThe project says in {}:\n{}", instructions.path, instructions.text.trim()));
    }
    if !settings.skills.is_empty() {
        text.push_str("\n\nThere are skills. Read the file of one with a tool when its description fits the task:");
        for skill in &settings.skills {
            text.push_str(&format!("\n- {}: {} ({})", skill.name, skill.description, skill.path));
        }
    }
    text
}

/// What the agent is asked first: a person's words, or what woke it.
pub(crate) fn of(task: &Task) -> String {
    let woken_by = match pi_sdk::serde_json::from_str::<Value>(&task.input) {
        Ok(Value::Object(input)) if !input.is_empty() => format!("You were woken by this:\n{}", Value::Object(input)),
        _ => String::new(),
    };
    [task.prompt.as_str(), &woken_by].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// The day of a time, `2026-01-31`: Howard Hinnant's `civil_from_days`.
fn date(unix_ms: u64) -> String {
    let days = unix_ms / 86_400_000 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (ms, day) in [(0, "1970-01-01"), (951_782_400_000, "2000-02-29"), (1_795_392_000_000, "2026-11-23")] {
            assert_eq!(date(ms), day);
        }
    }

    #[test]
    fn instructions_and_skills_stand_in_the_system_prompt() {
        let settings = Settings::read(r#"{"instructions":[{"path":"AGENTS.md","text":"Use tabs."}],"skills":[{"name":"release","description":"How to release","path":"skills/release/SKILL.md"}]}"#).unwrap();
        let text = system(&settings, 0);
        assert!(
            text.contains("AGENTS.md:\nUse tabs.")
                && text.contains("- release: How to release (skills/release/SKILL.md)"),
            "{text}"
        );
    }
}
