//! What a server's refusal means, whichever server it is, and its words made fit to be shown.
//!
//! Servers of one protocol word the same thing in many ways, so both the name of the error and its text are looked at.
//! What cannot be told is taken as the status says. To teach it another server's words, add to [`TOO_LARGE`].

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::key::Key;
use super::types::ModelError;
use crate::gate::explain::escaped;

/// What of a server's words is shown. Danger: they fill a screen, a journal and a model's window.
const SAID_CHARS_MAX: usize = 400;
/// A key this short stands in any text by chance.
const MASKED_BYTES_MIN: usize = 6;

/// Takes known secret values out of a text.
pub type Mask = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// How servers say that a conversation does not fit into the model's window, in lower case: by the name of the error
/// or in its text.
const TOO_LARGE: &[&str] = &[
    // Anthropic.
    "prompt is too long",
    "exceed context limit",
    "request_too_large",
    // OpenAI, OpenRouter, vLLM.
    "context_length_exceeded",
    "maximum context length",
    "exceeds the context window",
    "longer than the maximum model length",
    "longer than the maximum number of tokens",
    // llama.cpp and its bindings.
    "exceed_context_size",
    "exceeds the available context size",
    "exceed context window of",
    "larger than the context size",
    // Ollama.
    "prompt too long; exceeded max context length",
    "input length exceeds",
    "exceeds the context length",
    "exceeds maximum context length",
    // Bedrock.
    "input is too long for requested model",
    "exceeds the maximum number of input tokens",
    // Gemini, xAI, Groq, Mistral, LM Studio.
    "exceeds the maximum number of tokens",
    "maximum prompt length is",
    "reduce the length of the messages",
    "too large for model with",
    "greater than the context length",
];

const NO_CREDIT: &[&str] = &[
    "insufficient_quota",
    "billing_error",
    "credit balance is too low",
    "insufficient credits",
    "insufficient_credits",
];

/// Who is refused, and who must not be named.
#[derive(Clone)]
pub(super) struct Words {
    pub(super) model: String,
    /// The variable or file of the key.
    pub(super) key_source: String,
    pub(super) keys: Vec<Key>,
    pub(super) mask: Option<Mask>,
}

impl std::fmt::Debug for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Words")
            .field("model", &self.model)
            .field("key_source", &self.key_source)
            .finish_non_exhaustive()
    }
}

/// What the server tells, as far as it does.
#[derive(Debug)]
pub(super) struct Refusal<'a> {
    pub(super) status: u16,
    pub(super) kind: &'a str,
    pub(super) said: &'a str,
    pub(super) attempts: u32,
    pub(super) after: Option<Duration>,
}

impl Words {
    /// A text that may be shown: no secret, no control characters, not long. Secrets first: a cut one is not found.
    pub(super) fn said(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for key in self.keys.iter().filter(|key| key.exposed().len() >= MASKED_BYTES_MIN) {
            if text.contains(key.exposed()) {
                text = text.replace(key.exposed(), "***");
            }
        }
        if let Some(mask) = &self.mask {
            text = mask(&text);
        }
        let mut shown = escaped(&text.trim().chars().take(SAID_CHARS_MAX).collect::<String>());
        if text.trim().chars().nth(SAID_CHARS_MAX).is_some() {
            shown.push('…');
        }
        if shown.is_empty() { "it says nothing more".to_owned() } else { shown }
    }

    /// The name of the model that answered, which the server chooses as well.
    pub(super) fn named(&self, name: &str) -> String {
        if name.is_empty() { self.model.clone() } else { self.said(name) }
    }

    pub(super) fn error(&self, refusal: &Refusal<'_>) -> ModelError {
        let Refusal { status, kind, attempts, .. } = *refusal;
        let (model, said) = (self.model.clone(), self.said(refusal.said));
        let kind = kind.to_ascii_lowercase();
        let text = refusal.said.to_ascii_lowercase();
        let tells = |words: &[&str]| words.iter().any(|word| kind.contains(word) || text.contains(word));
        let is_rate = status == 429 || kind.contains("rate_limit") || kind.contains("throttling");
        let after_ms = refusal.after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
        match status {
            // Before the rest: a server that limits tokens for a minute uses the same words.
            _ if !is_rate && (status == 413 || tells(TOO_LARGE)) => ModelError::ContextTooLarge { model, said },
            402 => ModelError::NoCredit { model, status, said },
            400 | 403 | 429 if tells(NO_CREDIT) => ModelError::NoCredit { model, status, said },
            401 | 403 => ModelError::KeyRefused { model, status, source_name: self.key_source.clone(), said },
            // OpenAI and Gemini say so with status 400.
            400 if tells(&["invalid_api_key", "api key not valid", "unrecognizedclient", "expiredtoken"]) => {
                ModelError::KeyRefused { model, status, source_name: self.key_source.clone(), said }
            }
            404 | 410 => ModelError::UnknownModel { model, status, said },
            _ if is_rate => ModelError::RateLimited { model, attempts, after_ms, said },
            408 | 409 | 424 | 425 | 500 | 502..=504 | 506..=599 => {
                ModelError::Overloaded { model, status, attempts, said }
            }
            300..=399 => {
                let hint = "redirections are not followed, since the key would go along; correct base_url";
                ModelError::BadRequest { model, status, said, hint }
            }
            _ => {
                let hint = "check model, effort, thinking, output_field and headers of the model in pi.toml";
                ModelError::BadRequest { model, status, said, hint }
            }
        }
    }
}

/// The name of the error and its text in the body of a refusal, in each of the forms that servers use.
pub(super) fn parsed(body: &[u8]) -> (String, String) {
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return (String::new(), String::from_utf8_lossy(body).into_owned());
    };
    let error = value.get("error").or_else(|| value.pointer("/0/error")).unwrap_or(&value);
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let said = ["message", "Message", "detail", "error_description"].iter().find_map(|key| error.get(key));
    let said = match (said, error) {
        (Some(said), _) => text(said),
        (None, Value::String(said)) => said.clone(),
        (None, other) => other.to_string(),
    };
    // OpenRouter puts what the provider itself said here.
    let raw = error.pointer("/metadata/raw").map(|raw| format!(": {}", text(raw))).unwrap_or_default();
    (kind(error), said + &raw)
}

/// `type` and `code`: either may hold the name.
pub(super) fn kind(error: &Value) -> String {
    let name = |key| error.get(key).and_then(Value::as_str).unwrap_or_default();
    [name("type"), name("code"), name("__type")]
        .into_iter()
        .filter(|name| !name.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The status that an error amounts to which is told in the middle of a stream, after status 200.
pub(super) fn status_of(kind: &str) -> u16 {
    let kind = kind.to_ascii_lowercase();
    let found = [
        ("overloaded", 529),
        ("rate_limit", 429),
        ("throttling", 429),
        ("insufficient_quota", 402),
        ("billing", 402),
        ("authentication", 401),
        ("invalid_api_key", 401),
        ("unrecognizedclient", 401),
        ("expiredtoken", 401),
        ("permission", 403),
        ("accessdenied", 403),
        ("not_found", 404),
        ("resourcenotfound", 404),
        ("invalid_request", 400),
        ("validation", 400),
        ("exceed_context_size", 400),
        ("context_length", 400),
        ("timeout", 504),
        ("serviceunavailable", 503),
        ("modelnotready", 503),
    ];
    found.iter().find(|(word, _)| kind.contains(word)).map_or(500, |(_, status)| *status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        Words {
            model: "m".into(),
            key_source: "the variable `K`".into(),
            keys: vec![Key::of("sk-very-secret").unwrap()],
            mask: Some(Arc::new(|text| text.replace("hunter22", "[secret db]"))),
        }
    }

    fn error(status: u16, body: &str) -> ModelError {
        let (kind, said) = parsed(body.as_bytes());
        words().error(&Refusal { status, kind: &kind, said: &said, attempts: 1, after: None })
    }

    #[test]
    fn a_context_that_is_too_large_is_known_from_every_server() {
        for (status, body) in [
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 208310 tokens > 200000 maximum"}}"#,
            ),
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input length or `max_tokens` and try again"}}"#,
            ),
            (
                413,
                r#"{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}"#,
            ),
            (
                400,
                r#"{"error":{"message":"This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
            ),
            (
                400,
                r#"{"error":{"code":400,"message":"the request exceeds the available context size. try increasing the context size or enable context shift","type":"exceed_context_size_error","n_prompt_tokens":14429,"n_ctx":8192}}"#,
            ),
            (
                500,
                r#"{"error":{"code":500,"message":"the request exceeds the available context size","type":"server_error"}}"#,
            ),
            (
                400,
                r#"{"object":"error","message":"The decoder prompt (length 9000) is longer than the maximum model length of 8192. Make sure that `max_model_len` is no smaller","type":"BadRequestError","param":null,"code":400}"#,
            ),
            (
                400,
                r#"{"error":{"message":"prompt too long; exceeded max context length by 12 tokens","type":"invalid_request_error"}}"#,
            ),
            (400, r#"{"error":"input length exceeds the context length"}"#),
            (400, r#"{"message":"Input is too long for requested model."}"#),
            (
                400,
                r#"[{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}]"#,
            ),
        ] {
            let error = error(status, body);
            assert!(matches!(error, ModelError::ContextTooLarge { .. }), "{body}: {error}");
            assert!(!error.is_transient() && error.may_another_model_help());
        }
    }

    #[test]
    fn limits_of_rate_are_not_taken_for_a_context_that_is_too_large() {
        let body = r#"{"error":{"type":"tokens","code":"rate_limit_exceeded","message":"Request too large for model with limit 30000 tokens per minute, reduce the length of the messages"}}"#;
        assert!(matches!(error(429, body), ModelError::RateLimited { .. }));
        let body = r#"{"message":"Too many tokens, please wait before trying again."}"#;
        assert!(matches!(error(429, body), ModelError::RateLimited { .. }));
    }

    #[test]
    fn credit_keys_and_models_are_told_apart() {
        let is = |status, body: &str, name: &str| {
            let error = format!("{:?}", error(status, body));
            assert!(error.starts_with(name), "{status} {body}: {error}");
        };
        is(429, r#"{"error":{"code":"insufficient_quota","message":"You exceeded your current quota"}}"#, "NoCredit");
        is(400, r#"{"error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}"#, "NoCredit");
        is(402, "{}", "NoCredit");
        is(401, "{}", "KeyRefused");
        is(400, r#"{"error":{"message":"API key not valid."}}"#, "KeyRefused");
        is(404, r#"{"error":{"message":"model \"x\" not found, try pulling it first"}}"#, "UnknownModel");
        is(529, r#"{"error":{"type":"overloaded_error","message":"Overloaded"}}"#, "Overloaded");
        is(503, "<html>no backend</html>", "Overloaded");
        is(501, "{}", "BadRequest");
        is(302, "", "BadRequest");
        is(400, "{}", "BadRequest");
    }

    #[test]
    fn what_is_said_is_masked_before_it_is_cut_and_then_escaped() {
        let words = words();
        assert_eq!(words.said("bad key sk-very-secret\u{1b}[2K of hunter22"), "bad key ***\\u{1b}[2K of [secret db]");
        let long = format!("{}sk-very-secret", "x".repeat(SAID_CHARS_MAX - 5));
        assert!(!words.said(&long).contains("sk-"), "a key that is cut is still a part of it");
        assert_eq!(words.said(&"é".repeat(SAID_CHARS_MAX + 1)).chars().count(), SAID_CHARS_MAX + 1);
        assert_eq!(words.named(""), "m");
        assert_eq!(words.said(" \n"), "it says nothing more");
    }
}
