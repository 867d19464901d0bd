//! `[models.NAME]`: the models that agents may talk to.
//!
//! No key is ever here: `key_env` and `key_file` say where it is. What an operator may not write is refused when the
//! file is read, by [`check_models`]: a key that would travel in plain sight, a fallback that leads back.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Url;
use serde::{Deserialize, Serialize};

/// Longest chain of fallbacks. Danger: a request that fails is paid for as often.
pub const FALLBACKS_MAX: usize = 8;
const NAME_BYTES_MAX: usize = 64;
/// Attempts with one model. Danger: hammering a provider that says it has too much to do.
const ATTEMPTS_MAX: u32 = 20;
/// Longest time for one completion. Danger: a session that nobody notices is stuck.
const SECONDS_MAX: u64 = 24 * 60 * 60;
const HEADERS_MAX: usize = 16;

/// What is written for each protocol where `base_url` is not.
pub const ANTHROPIC_URL: &str = "https://api.anthropic.com";
pub const OPENAI_URL: &str = "https://api.openai.com/v1";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelProtocol {
    /// Anthropic's Messages.
    Anthropic,
    /// Chat completions, which most servers speak: Ollama, vLLM, llama.cpp, `OpenRouter`.
    Openai,
    /// Amazon Bedrock's Converse.
    Bedrock,
}

/// How long a model may think before it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effort {
    /// Nothing is said about it.
    Off,
    Minimal,
    Low,
    Medium,
    High,
}

/// How Claude is told to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Thinking {
    /// A number of tokens: models up to 4.5.
    Budget,
    /// The effort itself: models since 4.6.
    Adaptive,
}

/// The name under which a server of chat completions is told how much it may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputField {
    MaxTokens,
    MaxCompletionTokens,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    pub protocol: ModelProtocol,
    /// As the provider calls it.
    pub model: String,
    /// None: the provider's own.
    #[serde(default)]
    pub base_url: Option<String>,
    /// Of Bedrock. None: `AWS_REGION`.
    #[serde(default)]
    pub region: Option<String>,
    /// The environment variable that holds the key.
    #[serde(default)]
    pub key_env: Option<String>,
    /// The file that holds the key, relative to `pi.toml`, which nobody else may read.
    #[serde(default)]
    pub key_file: Option<String>,
    /// Sent along with each request. No secrets: they would be in this file.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Allow `http:` to another machine, without a key.
    #[serde(default)]
    pub plain_http: bool,
    /// The model's window, which an agent keeps its conversation below.
    #[serde(default)]
    pub context_tokens: Option<u64>,
    #[serde(default)]
    pub max_output_tokens: Option<u32>,
    #[serde(default)]
    pub effort: Option<Effort>,
    /// None: by the model's name.
    #[serde(default)]
    pub thinking: Option<Thinking>,
    /// None: `max_completion_tokens` for OpenAI itself, else `max_tokens`.
    #[serde(default)]
    pub output_field: Option<OutputField>,
    /// Give reasoning back to a server of chat completions. Some demand it, others refuse it.
    #[serde(default)]
    pub reasoning_back: bool,
    /// Mark what may be cached. None: where the model is known to understand it.
    #[serde(default)]
    pub prompt_cache: Option<bool>,
    /// None: nothing is known of what it costs.
    #[serde(default)]
    pub price: Option<PriceConfig>,
    /// The model that is asked where this one cannot answer.
    #[serde(default)]
    pub fallback: Option<String>,
    /// For one completion, with all attempts.
    #[serde(default = "timeout_seconds")]
    pub timeout_seconds: u64,
    /// Between two pieces of an answer, and before the first.
    #[serde(default = "idle_timeout_seconds")]
    pub idle_timeout_seconds: u64,
    /// Requests for one completion, the first included.
    #[serde(default = "attempts")]
    pub attempts: u32,
}

/// In US dollars for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PriceConfig {
    pub input: f64,
    pub output: f64,
    /// None: as `input`, which is never too little.
    #[serde(default)]
    pub cache_read: Option<f64>,
    /// None: a quarter more than `input`, as Anthropic has it; for chat completions as `input`.
    #[serde(default)]
    pub cache_write: Option<f64>,
}

impl ModelConfig {
    /// The base URL as it is written, or the provider's own. None for Bedrock, whose URL holds the region.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.base_url.as_deref().or(match self.protocol {
            ModelProtocol::Anthropic => Some(ANTHROPIC_URL),
            ModelProtocol::Openai => Some(OPENAI_URL),
            ModelProtocol::Bedrock => None,
        })
    }

    fn check(&self, models: &BTreeMap<String, Self>) -> Result<(), Wrong> {
        let wrong = |key: &'static str, what: String, hint: &str| Err((key, what, hint.to_owned()));
        if self.model.is_empty() || self.model.chars().any(char::is_control) {
            return wrong("model", "it is no name of a model".into(), "write it as the provider does");
        }
        if self.key_env.is_some() && self.key_file.is_some() {
            return wrong("key_env", "there is a `key_file` as well".into(), "keep one of the two");
        }
        if self.key_env.as_ref().is_some_and(|name| !is_variable(name)) {
            // Not repeated: who misunderstands the key's meaning has written the key itself.
            let hint = "write the variable's name, such as \"ANTHROPIC_API_KEY\", never the key itself";
            return wrong("key_env", "it is no name of an environment variable".into(), hint);
        }
        self.check_url()?;
        self.check_headers()?;
        let is_number = |price: f64| price.is_finite() && (0.0..=1e6).contains(&price);
        if let Some(price) = self.price {
            let all = [Some(price.input), Some(price.output), price.cache_read, price.cache_write];
            if all.into_iter().flatten().any(|price| !is_number(price)) {
                return wrong("price", "it is no price".into(), "write US dollars for a million tokens, such as 3.0");
            }
        }
        for (key, seconds) in
            [("timeout_seconds", self.timeout_seconds), ("idle_timeout_seconds", self.idle_timeout_seconds)]
        {
            if !(1..=SECONDS_MAX).contains(&seconds) {
                return wrong(key, format!("it is not between 1 and {SECONDS_MAX}"), "write 600, say");
            }
        }
        if !(1..=ATTEMPTS_MAX).contains(&self.attempts) {
            return wrong("attempts", format!("it is not between 1 and {ATTEMPTS_MAX}"), "write 4, say");
        }
        for (key, is_zero) in [
            ("max_output_tokens", self.max_output_tokens == Some(0)),
            ("context_tokens", self.context_tokens == Some(0)),
        ] {
            if is_zero {
                return wrong(key, "it is 0".into(), "write what the provider tells for this model, or nothing");
            }
        }
        if let Some(other) = self.fallback.as_ref().filter(|other| !models.contains_key(*other)) {
            return Err((
                "fallback",
                format!("there is no model `{other}`"),
                format!("add [models.{other}], or correct the name"),
            ));
        }
        Ok(())
    }

    fn check_url(&self) -> Result<(), Wrong> {
        let wrong = |what: &str, hint: &str| Err(("base_url", what.to_owned(), hint.to_owned()));
        if self.region.as_ref().is_some_and(|region| !is_region(region)) {
            return Err(("region", "it is no region of AWS".into(), "write one such as \"eu-central-1\"".into()));
        }
        let Some(text) = self.url() else { return Ok(()) };
        let hint = "write one such as \"https://api.anthropic.com\" or \"http://127.0.0.1:11434/v1\"";
        let Ok(url) = Url::parse(text) else { return wrong("it is no URL", hint) };
        let Some(host) = url.host_str() else { return wrong("it has no host", hint) };
        if !url.username().is_empty() || url.password().is_some() {
            return wrong("a password in a URL would be shown", "use `key_env` or `key_file`");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return wrong("a base URL has no `?` and no `#`", hint);
        }
        match url.scheme() {
            "https" => Ok(()),
            "http" if is_loopback(host) => Ok(()),
            "http" if !self.plain_http => {
                let hint = "use `https:`; for a network that you trust, set `plain_http = true`";
                wrong("what is said over `http:` can be read and changed on its way", hint)
            }
            "http" if self.key_env.is_some() || self.key_file.is_some() => {
                wrong("a key over `http:` can be read on its way", "use `https:`, or remove the key")
            }
            // Its session token goes along, and anybody on the way could send the request again.
            "http" if self.protocol == ModelProtocol::Bedrock => {
                wrong("Bedrock always has a key, and a key over `http:` can be read on its way", "use `https:`")
            }
            "http" => Ok(()),
            _ => wrong("only `https:` and `http:` are spoken", hint),
        }
    }

    fn check_headers(&self) -> Result<(), Wrong> {
        const HOLDS_SECRET: &[&str] = &["auth", "key", "token", "secret", "password", "cookie", "credential"];
        const OWN: &[&str] =
            &["host", "content-length", "content-type", "transfer-encoding", "connection", "accept", "user-agent"];
        if self.headers.len() > HEADERS_MAX {
            let hint = "remove those that the provider does not read";
            return Err(("headers", format!("there are more than {HEADERS_MAX}"), hint.into()));
        }
        for (name, value) in &self.headers {
            let lower = name.to_ascii_lowercase();
            if HOLDS_SECRET.iter().any(|word| lower.contains(word)) {
                let hint = "set `key_env` or `key_file`: what is in this file is no secret";
                return Err(("headers", format!("`{name}` looks like one for a secret"), hint.into()));
            }
            if OWN.contains(&lower.as_str()) || lower.starts_with("x-amz-") {
                return Err(("headers", format!("`{name}` is one that the host itself writes"), "remove it".into()));
            }
            if http::HeaderName::try_from(name).is_err() || http::HeaderValue::try_from(value).is_err() {
                return Err(("headers", "a name or a value cannot be sent".into(), "correct it".into()));
            }
        }
        Ok(())
    }
}

/// A key, what is wrong with it, and what to do.
type Wrong = (&'static str, String, String);

/// Whether all models can be used as they are written.
///
/// # Errors
/// The place, what is wrong there, and what to do.
pub fn check_models(models: &BTreeMap<String, ModelConfig>) -> Result<(), (String, String, String)> {
    for (name, model) in models {
        let is_letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if !(1..=NAME_BYTES_MAX).contains(&name.len()) || !name.bytes().all(is_letter) {
            let what = format!("a model's name is made of letters, digits, `-`, `_` and `.`, at most {NAME_BYTES_MAX}");
            return Err(("[models]".into(), what, "rename it".into()));
        }
        model.check(models).map_err(|(key, what, hint)| (format!("[models.{name}] {key}"), what, hint))?;
    }
    for name in models.keys() {
        chain(name, models).map_err(|(what, hint)| (format!("[models.{name}] fallback"), what, hint.to_owned()))?;
    }
    Ok(())
}

/// The model and its fallbacks, in the order in which they are asked.
///
/// # Errors
/// The chain leads back to itself, to nowhere, or is too long.
pub fn chain<'a>(
    name: &'a str,
    models: &'a BTreeMap<String, ModelConfig>,
) -> Result<Vec<(&'a str, &'a ModelConfig)>, (String, &'static str)> {
    let (mut next, mut found, mut seen) = (Some(name), Vec::new(), BTreeSet::new());
    while let Some(name) = next {
        if !seen.insert(name) {
            return Err((format!("the fallbacks lead back to `{name}`"), "remove one of them"));
        }
        if found.len() > FALLBACKS_MAX {
            return Err((format!("there are more than {FALLBACKS_MAX} fallbacks in a row"), "remove some of them"));
        }
        let Some(model) = models.get(name) else {
            return Err((format!("there is no model `{name}`"), "add it to pi.toml, or correct the name"));
        };
        found.push((name, model));
        next = model.fallback.as_deref();
    }
    Ok(found)
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 128
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

/// It becomes part of a host's name.
pub fn is_region(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

pub fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn timeout_seconds() -> u64 {
    600
}

fn idle_timeout_seconds() -> u64 {
    120
}

fn attempts() -> u32 {
    4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<(), (String, String, String)> {
        check_models(&toml::from_str::<BTreeMap<String, ModelConfig>>(text).expect("the form is right"))
    }

    fn one(lines: &str) -> Result<(), (String, String, String)> {
        checked(&format!("[m]\nprotocol = \"openai\"\nmodel = \"x\"\n{lines}"))
    }

    #[test]
    fn accepts_a_model_with_everything() {
        checked(
            r#"
            [main]
            protocol = "anthropic"
            model = "claude-sonnet-4-6"
            key_file = "key"
            context_tokens = 200000
            max_output_tokens = 8000
            effort = "high"
            price = { input = 3.0, output = 15.0, cache_read = 0.3, cache_write = 3.75 }
            fallback = "local"
            timeout_seconds = 60
            idle_timeout_seconds = 30
            attempts = 2
            headers = { anthropic-beta = "x" }
            [local]
            protocol = "openai"
            model = "qwen3"
            base_url = "http://127.0.0.1:11434/v1"
            "#,
        )
        .unwrap();
    }

    #[test]
    fn refuses_an_unknown_key() {
        let text = "[m]\nprotocol = \"openai\"\nmodel = \"x\"\napi_key = \"sk-1\"";
        assert!(toml::from_str::<BTreeMap<String, ModelConfig>>(text).is_err());
    }

    #[test]
    fn refuses_a_fallback_that_is_not_there() {
        let (place, what, _) = one("fallback = \"other\"").unwrap_err();
        assert_eq!((place.as_str(), what.as_str()), ("[models.m] fallback", "there is no model `other`"));
    }

    #[test]
    fn refuses_fallbacks_that_lead_back() {
        let (_, what, _) = one("fallback = \"m\"").unwrap_err();
        assert_eq!(what, "the fallbacks lead back to `m`");
        let model = |name: &str, to: &str| format!("[{name}]\nprotocol=\"openai\"\nmodel=\"x\"\nfallback=\"{to}\"\n");
        let text = [model("a", "b"), model("b", "c"), model("c", "b")].concat();
        assert!(checked(&text).unwrap_err().1.contains("lead back"));
    }

    #[test]
    fn refuses_a_chain_beyond_the_limit() {
        let model = |n: usize| match n {
            0 => "[m0]\nprotocol=\"openai\"\nmodel=\"x\"\n".to_owned(),
            n => format!("[m{n}]\nprotocol=\"openai\"\nmodel=\"x\"\nfallback=\"m{}\"\n", n - 1),
        };
        let text = |count: usize| (0..=count).map(model).collect::<String>();
        checked(&text(FALLBACKS_MAX)).unwrap();
        assert!(checked(&text(FALLBACKS_MAX + 1)).unwrap_err().1.contains("more than 8"));
    }

    #[test]
    fn plain_http_is_for_loopback_or_asked_for() {
        one("base_url = \"http://localhost:1/v1\"\nkey_env = \"K\"").unwrap();
        one("base_url = \"http://[::1]:1/v1\"").unwrap();
        assert!(one("base_url = \"http://10.0.0.1/v1\"").unwrap_err().2.contains("plain_http"));
        one("base_url = \"http://10.0.0.1/v1\"\nplain_http = true").unwrap();
    }

    #[test]
    fn refuses_a_key_over_plain_http() {
        for key in ["key_env = \"K\"", "key_file = \"k\""] {
            let (_, what, _) =
                one(&format!("base_url = \"http://10.0.0.1/v1\"\nplain_http = true\n{key}")).unwrap_err();
            assert!(what.contains("a key over `http:`"), "{what}");
        }
    }

    #[test]
    fn a_key_in_place_of_its_variable_is_refused_and_not_repeated() {
        let (place, what, hint) = one("key_env = \"sk-ant-very-secret\"").unwrap_err();
        assert!(!format!("{place}{what}{hint}").contains("very-secret"));
    }

    #[test]
    fn refuses_secrets_in_headers_and_urls() {
        for line in [
            "headers = { Authorization = \"Bearer x\" }",
            "headers = { x-api-key = \"x\" }",
            "headers = { Host = \"x\" }",
            "headers = { ok = \"a\\nb\" }",
            "base_url = \"https://me:pw@example.com\"",
            "base_url = \"https://example.com?key=1\"",
            "base_url = \"ftp://example.com\"",
            "base_url = \"nonsense\"",
            "region = \"eu.evil.example/\"",
        ] {
            assert!(one(line).is_err(), "{line}");
        }
    }

    #[test]
    fn refuses_numbers_that_cannot_be_meant() {
        for line in [
            "attempts = 0",
            "attempts = 21",
            "timeout_seconds = 0",
            "idle_timeout_seconds = 0",
            "max_output_tokens = 0",
            "price = { input = -1.0, output = 1.0 }",
            "price = { input = nan, output = 1.0 }",
        ] {
            assert!(one(line).is_err(), "{line}");
        }
    }
}
