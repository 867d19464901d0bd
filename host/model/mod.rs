//! The models that agents talk to: one trait, three wire protocols, retries, fallbacks, costs.
//!
//! A [`Model`] is made of `[models.NAME]` by [`build`]. It knows nothing of sessions, agents, budgets and the gate; who
//! holds one decides who may use it. Keys are read here, from a variable or a file, and leave in a header alone.
//! A further protocol: see [`protocol`]. What a server says when a conversation is too large: see [`refusal`].

mod anthropic;
mod assembly;
mod bedrock;
mod conversation;
mod estimate;
mod eventstream;
mod fallback;
mod frame;
mod key;
mod openai;
mod price;
mod protocol;
mod refusal;
mod remote;
mod retry;
mod sse;
mod types;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Url};

use crate::config::{self, ModelConfig, ModelProtocol};
use crate::gate::explain::escaped;
use bedrock::AwsKeys;
use key::Key;
use protocol::Protocol;
use remote::{Patience, Remote};

pub use fallback::Fallback;
pub use refusal::Mask;
pub use remote::ANSWER_BYTES_MAX;
pub use retry::{Chance, chance};
pub use types::{Completion, Delta, Effort, Message, Model, ModelError, Part, Request, Role, Stop, ToolSchema, Usage};

const CONNECT: Duration = Duration::from_secs(10);
/// A connection is kept for the time in which tools work between two requests.
const KEPT: Duration = Duration::from_secs(300);
const KEEPALIVE: Duration = Duration::from_secs(30);

/// What a model needs of the host.
pub struct Surroundings<'a> {
    /// What `key_file` is relative to.
    pub directory: &'a Path,
    /// Reads the environment.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    pub clients: &'a Clients,
    /// Takes known secret values out of what servers say; the models' own keys are taken out anyway.
    pub mask: Option<Mask>,
    pub chance: Chance,
    /// How long a second of the configuration lasts: shorter where tests wait.
    pub second: Duration,
}

impl<'a> Surroundings<'a> {
    #[must_use]
    pub fn new(directory: &'a Path, variable: &'a dyn Fn(&str) -> Option<String>, clients: &'a Clients) -> Self {
        Self { directory, variable, clients, mask: None, chance: chance(), second: Duration::from_secs(1) }
    }
}

/// One HTTP client for each server, whose connections all models of it share.
#[derive(Debug, Default)]
pub struct Clients(Mutex<BTreeMap<String, LazyClient>>);

/// A client that is there when it is needed.
#[derive(Clone, Debug)]
struct LazyClient {
    is_plain: bool,
    made: Arc<OnceLock<Result<Client, String>>>,
}

impl LazyClient {
    fn get(&self) -> Result<&Client, String> {
        self.made.get_or_init(|| self.make()).as_ref().map_err(String::clone)
    }

    fn make(&self) -> Result<Client, String> {
        // A redirection would carry the key to another server, and a proxy would read it.
        let builder = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .tcp_nodelay(true)
            .connect_timeout(CONNECT)
            .pool_idle_timeout(KEPT)
            .tcp_keepalive(KEEPALIVE)
            .http2_keep_alive_interval(KEEPALIVE)
            .http2_keep_alive_while_idle(true)
            .user_agent(concat!("pi-host/", env!("CARGO_PKG_VERSION")));
        // Plain HTTP needs no certificates.
        let builder = if self.is_plain { builder.tls_certs_only([]) } else { builder };
        builder.build().map_err(|error| error.to_string())
    }
}

impl Clients {
    fn of(&self, url: &Url) -> LazyClient {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let origin = url.origin().ascii_serialization();
        if let Some(client) = clients.get(&origin) {
            return client.clone();
        }
        let client = LazyClient { is_plain: url.scheme() == "http", made: Arc::default() };
        if !client.is_plain {
            // The system's certificates and the first random numbers for keys take longer than all else at a start:
            // both are got while it goes on.
            let early = client.clone();
            std::thread::spawn(move || {
                let _ = aws_lc_rs::rand::fill(&mut [0]);
                let _ = early.get();
            });
        }
        clients.insert(origin, client.clone());
        client
    }
}

/// The model of this name, with its fallbacks behind it.
///
/// # Errors
/// It is not in the configuration, or has no key.
pub fn build(
    name: &str,
    models: &BTreeMap<String, ModelConfig>,
    around: &Surroundings<'_>,
) -> Result<Arc<dyn Model>, ModelError> {
    let chain = config::chain(name, models).map_err(|(reason, hint)| ModelError::Setup {
        model: escaped(name),
        reason,
        hint: hint.to_owned(),
    })?;
    let mut built: Vec<(String, Arc<dyn Model>)> = Vec::with_capacity(chain.len());
    for (name, config) in chain {
        built.push((name.to_owned(), Arc::new(remote(name, config, around)?)));
    }
    match built.len() {
        1 => built.pop().map(|(_, model)| model).ok_or_else(|| setup(name, "there is no model", "add one")),
        _ => Ok(Arc::new(Fallback::new(built))),
    }
}

/// The keys of all models with names for them, to be found again in what comes out. Those that are missing are left out.
#[must_use]
pub fn keys(models: &BTreeMap<String, ModelConfig>, around: &Surroundings<'_>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (name, config) in models {
        let of = |key: &Key| (format!("models.{name}"), key.exposed().to_owned());
        match credentials(name, config, around) {
            Ok(Credentials::Key { key, .. }) => found.push(of(&key)),
            Ok(Credentials::Aws(keys)) => {
                found.push(of(&keys.secret));
                found.extend(keys.session_token.as_ref().map(of));
            }
            Ok(Credentials::None) | Err(_) => {}
        }
    }
    found
}

fn remote(name: &str, config: &ModelConfig, around: &Surroundings<'_>) -> Result<Remote, ModelError> {
    let credentials = credentials(name, config, around)?;
    let url = url(name, config, &credentials, around)?;
    let protocol: Box<dyn Protocol> = match config.protocol {
        ModelProtocol::Anthropic => Box::new(anthropic::Anthropic::new(config)),
        ModelProtocol::Openai => Box::new(openai::Openai::new(config)),
        ModelProtocol::Bedrock => Box::new(bedrock::Bedrock::new(config)),
    };
    let mut headers = headers(name, config)?;
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static(protocol.stream_type()));
    let (mut keys, mut aws, mut key_source) = (Vec::new(), None, "`key_env` or `key_file`".to_owned());
    match credentials {
        Credentials::None => {}
        Credentials::Key { key, source } => {
            let (header, text) = match config.protocol {
                ModelProtocol::Anthropic => (HeaderName::from_static("x-api-key"), key.exposed().to_owned()),
                _ => (AUTHORIZATION, format!("Bearer {}", key.exposed())),
            };
            let value = HeaderValue::try_from(text);
            let mut value = value.map_err(|_| setup(name, "its key cannot be sent", "correct the key"))?;
            value.set_sensitive(true);
            headers.insert(header, value);
            keys.push(key);
            key_source = source;
        }
        Credentials::Aws(found) => {
            keys.push(found.secret.clone());
            keys.extend(found.session_token.clone());
            key_source = "the variables `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`".into();
            aws = Some(found);
        }
    }
    if config.protocol == ModelProtocol::Anthropic {
        headers.insert("anthropic-version", HeaderValue::from_static(anthropic::VERSION));
    }
    let client = around.clients.of(&url);
    Ok(Remote {
        protocol,
        client,
        url,
        headers,
        aws,
        words: refusal::Words { model: name.to_owned(), key_source, keys, mask: around.mask.clone() },
        price: config.price.as_ref().map(|price| price::Price::of(price, config.protocol)),
        patience: Patience {
            total_seconds: config.timeout_seconds,
            idle_seconds: config.idle_timeout_seconds,
            attempts_max: config.attempts.max(1),
            second: around.second,
        },
        chance: around.chance.clone(),
    })
}

fn url(
    name: &str,
    config: &ModelConfig,
    credentials: &Credentials,
    around: &Surroundings<'_>,
) -> Result<Url, ModelError> {
    let base = match (config.url(), credentials) {
        (Some(base), _) => base.to_owned(),
        (None, Credentials::Aws(keys)) => bedrock_url(&keys.region),
        (None, _) => bedrock_url(&region(name, config, around)?),
    };
    let base = base.trim_end_matches('/');
    let path = match config.protocol {
        ModelProtocol::Anthropic if base.ends_with("/v1") => "messages".into(),
        ModelProtocol::Anthropic => "v1/messages".into(),
        ModelProtocol::Openai => "chat/completions".into(),
        ModelProtocol::Bedrock => bedrock::path(&config.model),
    };
    Url::parse(&format!("{base}/{path}")).map_err(|_| setup(name, "its base_url is no URL", "correct base_url"))
}

fn bedrock_url(region: &str) -> String {
    format!("https://bedrock-runtime.{region}.amazonaws.com")
}

fn headers(name: &str, config: &ModelConfig) -> Result<HeaderMap, ModelError> {
    let mut headers = HeaderMap::new();
    for (header, value) in &config.headers {
        let wrong = || setup(name, "one of its headers cannot be sent", "correct headers");
        let header = HeaderName::try_from(header).map_err(|_| wrong())?;
        headers.insert(header, HeaderValue::try_from(value).map_err(|_| wrong())?);
    }
    Ok(headers)
}

enum Credentials {
    /// A server of one's own that wants none.
    None,
    Key {
        key: Key,
        source: String,
    },
    Aws(AwsKeys),
}

/// Where the configuration names no key, the provider's own variable is read, and what it holds goes to the provider's
/// own URL alone: a key for Anthropic must not go to whatever server speaks its protocol.
fn credentials(name: &str, config: &ModelConfig, around: &Surroundings<'_>) -> Result<Credentials, ModelError> {
    let missing = |reason: String, hint: String| ModelError::KeyMissing { model: name.to_owned(), reason, hint };
    let of_variable = |variable: &str, text: &str| {
        let source = format!("the variable `{variable}`");
        match Key::of(text) {
            Ok(key) => Ok(Credentials::Key { key, source }),
            Err(reason) => Err(missing(format!("{source} {reason}"), "set it to the key alone".into())),
        }
    };
    if let Some(file) = &config.key_file {
        let path = around.directory.join(file);
        let key = Key::read(&path).map_err(|(reason, hint)| missing(reason, hint))?;
        return Ok(Credentials::Key { key, source: format!("the file `{}`", escaped(file)) });
    }
    let unset = |variable: &str| {
        let hint = format!("set it where pi-host is started, or write [models.{name}] key_file = \"path\"");
        missing(format!("the environment variable `{variable}` is not set, or empty"), hint)
    };
    if let Some(variable) = &config.key_env {
        let text = (around.variable)(variable).ok_or_else(|| unset(variable))?;
        return of_variable(variable, &text);
    }
    let own = match config.protocol {
        ModelProtocol::Anthropic => "ANTHROPIC_API_KEY",
        ModelProtocol::Openai => "OPENAI_API_KEY",
        ModelProtocol::Bedrock => "AWS_BEARER_TOKEN_BEDROCK",
    };
    let is_own_url = config
        .base_url
        .as_deref()
        .is_none_or(|url| ModelConfig { base_url: None, ..config.clone() }.url() == Some(url.trim_end_matches('/')));
    let text = (around.variable)(own).filter(|_| is_own_url);
    match (text, config.protocol) {
        (Some(text), _) => of_variable(own, &text),
        // Signing discloses no secret, so it may be done for a private endpoint.
        (None, ModelProtocol::Bedrock) => aws_keys(name, config, around).map(Credentials::Aws),
        (None, _) if is_own_url => Err(unset(own)),
        (None, _) => Ok(Credentials::None),
    }
}

fn aws_keys(name: &str, config: &ModelConfig, around: &Surroundings<'_>) -> Result<AwsKeys, ModelError> {
    let missing = |reason: String| {
        ModelError::KeyMissing {
        model: name.to_owned(),
        reason,
        hint: "set `AWS_BEARER_TOKEN_BEDROCK`, or `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` (profiles and roles of machines are not read: `aws configure export-credentials --format env` prints them)".into(),
    }
    };
    let variable = |variable: &str| {
        (around.variable)(variable).ok_or_else(|| missing(format!("the environment variable `{variable}` is not set")))
    };
    let key =
        |name: &str, text: String| Key::of(&text).map_err(|reason| missing(format!("the variable `{name}` {reason}")));
    let access_key_id = variable("AWS_ACCESS_KEY_ID")?;
    let secret = key("AWS_SECRET_ACCESS_KEY", variable("AWS_SECRET_ACCESS_KEY")?)?;
    let token = (around.variable)("AWS_SESSION_TOKEN");
    let session_token = token.map(|token| key("AWS_SESSION_TOKEN", token)).transpose()?;
    Ok(AwsKeys { access_key_id, secret, session_token, region: region(name, config, around)? })
}

fn region(name: &str, config: &ModelConfig, around: &Surroundings<'_>) -> Result<String, ModelError> {
    let hint = format!("write [models.{name}] region = \"eu-central-1\", say");
    let found =
        config.region.clone().or_else(|| ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().find_map(around.variable));
    match found {
        Some(region) if config::is_region(&region) => Ok(region),
        Some(_) => Err(setup(name, "its region is no region of AWS", &hint)),
        None => Err(setup(name, "there is no region", &hint)),
    }
}

fn setup(model: &str, reason: &str, hint: &str) -> ModelError {
    ModelError::Setup { model: model.to_owned(), reason: reason.to_owned(), hint: hint.to_owned() }
}
