//! `[agents.X.config]`, as the loop reads it; the host adds the instructions and the skills that it found.

use pi_sdk::model::Effort;
use pi_sdk::serde_json;
use serde::Deserialize;

/// How the agent works. Each has a default; what else stands there is for others.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// One of the models that are granted. None: the first of them.
    pub model: Option<String>,
    /// What stands first in the system prompt. None: the loop's own words.
    pub system: Option<String>,
    /// `low`, `medium` or `high`. None: what pi.toml says for the model.
    pub effort: Option<String>,
    /// Questions to the model in one turn.
    pub steps_max: u32,
    /// Characters of a tool's result that the model sees at once.
    pub result_chars_max: usize,
    /// The same failing call so often ends the turn.
    pub repeats_max: u32,
    /// Tokens of the latest messages that compaction leaves as they are.
    pub keep_tokens: u64,
    pub instructions: Vec<Instructions>,
    pub skills: Vec<Skill>,
}

/// A file of instructions of the project.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Instructions {
    pub path: String,
    pub text: String,
}

/// A skill that the agent may read.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Skill {
    pub name: String,
    pub description: String,
    pub path: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            model: None,
            system: None,
            effort: None,
            steps_max: 200,
            result_chars_max: 30_000,
            repeats_max: 5,
            keep_tokens: 20_000,
            instructions: Vec::new(),
            skills: Vec::new(),
        }
    }
}

impl Settings {
    /// Read the configuration, a JSON object.
    ///
    /// # Errors
    /// What is not of its form.
    pub fn read(config: &str) -> Result<Self, String> {
        let settings: Self =
            serde_json::from_str(config).map_err(|error| format!("the agent's config in pi.toml: {error}"))?;
        settings.effort()?;
        if settings.steps_max == 0 || settings.repeats_max == 0 || settings.result_chars_max < 1_000 {
            return Err("the agent's config in pi.toml: steps_max and repeats_max are at least 1, result_chars_max at least 1000".into());
        }
        Ok(settings)
    }

    pub(crate) fn effort(&self) -> Result<Option<Effort>, String> {
        match self.effort.as_deref() {
            None => Ok(None),
            Some("low") => Ok(Some(Effort::Low)),
            Some("medium") => Ok(Some(Effort::Medium)),
            Some("high") => Ok(Some(Effort::High)),
            Some(other) => Err(format!("the agent's config in pi.toml: effort is low, medium or high, not `{other}`")),
        }
    }
}
