//! The agent that people talk to: the one of `pi.toml`, or, where there is none, `pi` with what a folder without
//! configuration may do, and a model from the command line or from a key in the environment.

use super::{
    AgentConfig, Config, ConfigError, FILE, FilesGrant, Grant, LogGrant, ModelConfig, ModelGrant, ProcessGrant,
    Project, ToolsGrant,
};

/// The agent's name, and that of its model.
const PI: &str = "pi";
const MODEL: &str = "default";
const TOOLS: &[&str] = &["read", "write", "edit", "bash"];

/// What builds and tests projects; those that are not on the machine are not missed. They run confined to the folder,
/// without network, and each start is judged.
const PROGRAMS: &[&str] = &[
    "git", "python3", "pytest", "node", "npm", "cargo", "rustc", "go", "make", "cmake", "cc", "gcc", "clang", "java",
    "mvn", "gradle", "ruby", "php",
];

/// What a key in the environment stands for.
const BY_KEY: &[(&str, &str)] =
    &[("ANTHROPIC_API_KEY", "anthropic/claude-sonnet-4-5"), ("OPENAI_API_KEY", "openai/gpt-5.1")];

impl Project {
    /// Choose the agent that people talk to, and set its model, `PROTOCOL/NAME` or `PROTOCOL/NAME@URL`.
    ///
    /// # Errors
    /// Nothing says which agent or which model.
    pub fn talk_to(
        &mut self,
        agent: Option<&str>,
        model: Option<&str>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<String, ConfigError> {
        let wrong = |place: &str, what: &str, hint: &str| ConfigError::Value {
            file: self.directory.join(FILE).display().to_string(),
            place: place.to_owned(),
            what: what.to_owned(),
            hint: hint.to_owned(),
        };
        let thinking: Vec<&String> = self
            .config
            .agents
            .keys()
            .filter(|name| self.config.grants.get(*name).is_some_and(|grant| grant.model.is_some()))
            .collect();
        let name = match (agent, thinking.as_slice()) {
            (Some(agent), _) => agent.to_owned(),
            (None, many) if many.iter().any(|name| *name == PI) => PI.to_owned(),
            (None, [one]) => (*one).clone(),
            (None, []) => PI.to_owned(),
            (None, _) => {
                return Err(wrong(
                    "[agents]",
                    "several agents have a model",
                    "name one: `pi-host run AGENT \"PROMPT\"`",
                ));
            }
        };
        if !self.config.agents.contains_key(&name) {
            if name != PI || self.has_file {
                let hint = format!(
                    "add [agents.{name}], and [grants.{name}.model] and [grants.{name}.tools] with `names`; `pi-host init` in an empty folder shows how"
                );
                return Err(wrong(&format!("[agents.{name}]"), "there is no such agent", &hint));
            }
            self.config.add_pi();
        }
        if let Some(model) = model {
            let config = parse(model).map_err(|what| {
                wrong(
                    "--model",
                    &what,
                    "write it as anthropic/claude-sonnet-4-5, openai/gpt-5.1 or openai/qwen3@http://127.0.0.1:11434/v1",
                )
            })?;
            self.config.set_model(&name, config);
        } else if self.config.models.is_empty() {
            let found = BY_KEY.iter().find(|(key, _)| variable(key).is_some());
            let (_, model) = found.ok_or_else(|| {
                wrong(
                    "[models]",
                    "there is no model",
                    "set ANTHROPIC_API_KEY or OPENAI_API_KEY, give --model, or write [models.default]: docs/models.md",
                )
            })?;
            let config = parse(model).map_err(|what| wrong("[models]", &what, "write [models.default]"))?;
            self.config.set_model(&name, config);
        }
        self.config.check(&self.directory.join(FILE).display().to_string())?;
        Ok(name)
    }
}

impl Config {
    fn add_pi(&mut self) {
        let agent = AgentConfig {
            instructions: vec!["AGENTS.md".into()],
            skills: vec!["skills".into(), ".agents/skills".into()],
            ..AgentConfig::default()
        };
        self.agents.insert(PI.into(), agent);
        let tools = ToolsGrant { names: TOOLS.iter().map(|name| (*name).into()).collect() };
        let grant = Grant { tools: Some(tools), log: Some(LogGrant {}), ..Grant::default() };
        self.grants.insert(PI.into(), grant);
        // Who talks to an agent in a folder wants it to work there, and nowhere else.
        let here = || vec![".".to_owned()];
        let files = || Some(FilesGrant { read: here(), write: here() });
        let programs = PROGRAMS.iter().map(|name| (*name).to_owned()).collect();
        let process = ProcessGrant { programs, read: here(), write: here(), ..ProcessGrant::default() };
        self.grants.entry("files".into()).or_default().files = files();
        let bash = self.grants.entry("bash".into()).or_default();
        (bash.files, bash.process) = (files(), Some(process));
    }

    fn set_model(&mut self, agent: &str, model: ModelConfig) {
        self.models.insert(MODEL.into(), model);
        let grant = self.grants.entry(agent.to_owned()).or_default();
        grant.model = Some(ModelGrant { names: vec![MODEL.into()] });
        if let Some(agent) = self.agents.get_mut(agent) {
            agent.config.remove("model");
        }
    }
}

/// `PROTOCOL/NAME` or `PROTOCOL/NAME@URL`.
fn parse(text: &str) -> Result<ModelConfig, String> {
    let (protocol, rest) = text.split_once('/').ok_or("there is no `/` between protocol and name")?;
    let (model, url) = match rest.split_once('@') {
        Some((model, url)) => (model, Some(url)),
        None => (rest, None),
    };
    let mut table = toml::Table::new();
    table.insert("protocol".into(), protocol.into());
    table.insert("model".into(), model.into());
    if let Some(url) = url {
        table.insert("base_url".into(), url.into());
    }
    table.try_into().map_err(|error: toml::de::Error| error.message().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(text: &str) -> Project {
        Project { directory: "/x".into(), config: Config::parse(text, "pi.toml").unwrap(), has_file: !text.is_empty() }
    }

    fn none(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn without_a_file_it_is_pi_with_the_model_of_the_key_that_is_there() {
        let mut bare = project("");
        let key = |name: &str| (name == "OPENAI_API_KEY").then(|| "k".to_owned());
        assert_eq!(bare.talk_to(None, None, &key).unwrap(), "pi");
        assert_eq!(bare.config.models["default"].model, "gpt-5.1");
        assert_eq!(bare.config.grants["pi"].tools.as_ref().unwrap().names, TOOLS);
        assert!(bare.config.grants["pi"].files.is_none());
        let error = project("").talk_to(None, None, &none).unwrap_err().to_string();
        assert!(error.contains("there is no model") && error.contains("--model"), "{error}");
    }

    #[test]
    fn the_model_of_the_command_line_wins_and_its_mistakes_are_named() {
        let mut bare = project("");
        bare.talk_to(None, Some("openai/qwen3@http://127.0.0.1:11434/v1"), &none).unwrap();
        assert_eq!(bare.config.models["default"].base_url.as_deref(), Some("http://127.0.0.1:11434/v1"));
        for (model, word) in [("gpt", "no `/`"), ("cohere/x", "cohere"), ("openai/x@http://example.com/v1", "http:")] {
            let error = project("").talk_to(None, Some(model), &none).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn a_file_says_which_agent_it_is() {
        let models = "[models.m]\nprotocol = \"openai\"\nmodel = \"x\"\nbase_url = \"http://127.0.0.1:1/v1\"\n";
        let one = format!("{models}[agents.ops]\n[grants.ops.model]\nnames = [\"m\"]\n");
        assert_eq!(project(&one).talk_to(None, None, &none).unwrap(), "ops");
        let two = format!("{one}[agents.dev]\n[grants.dev.model]\nnames = [\"m\"]\n");
        assert!(project(&two).talk_to(None, None, &none).unwrap_err().to_string().contains("several agents"));
        assert_eq!(project(&two).talk_to(Some("dev"), None, &none).unwrap(), "dev");
        let error = project(models).talk_to(None, None, &none).unwrap_err().to_string();
        assert!(error.contains("[agents.pi]"), "{error}");
    }
}
