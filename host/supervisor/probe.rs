//! Asking a service how it is, in the way that its configuration names.
//!
//! A probe is bounded by its time-out as a whole: name resolution, connection, answer. That a
//! service does not answer is a result, never an error.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use serde::Serialize;

use super::SupervisorError;
use super::cloud::{Seen, Sight};
use super::condition::State;
use super::unit::Unit;
use crate::clock::{self, Duration};
use crate::confine::{self, Confine, Exit, Limits, Spec, environment};

/// The start of an answer that is told: bytes.
const ANSWER_BYTES: usize = 200;
/// A probe by command is a small program.
const OUTPUT_BYTES_MAX: u64 = 64 << 10;
const MEMORY_BYTES_MAX: u64 = 256 << 20;
const FILE_BYTES_MAX: u64 = 1 << 20;
const PROCESSES_MAX: u32 = 16;
/// It is the operator's own program: it may read what the host may, and write nothing.
const READABLE: &str = "/";

/// What a probe found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProbeResult {
    pub healthy: bool,
    /// It could not be asked: neither health nor sickness.
    pub unknown: bool,
    pub latency_ms: u32,
    pub detail: String,
    pub status_code: Option<u16>,
    pub exit_code: Option<i32>,
}

/// A redirect is an answer by itself. A kept connection would hide that nobody accepts new ones, and a proxy of the
/// environment is not the service.
fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(0)
        .no_proxy()
        .user_agent(concat!("pi-host/", env!("CARGO_PKG_VERSION")))
}

/// What probes share.
#[derive(Clone)]
pub(crate) struct Prober {
    plain: reqwest::Client,
    /// Made when it is needed first: reading the system's certificates takes long, and most services are asked by plain
    /// HTTP.
    secured: Arc<OnceLock<Result<reqwest::Client, String>>>,
    confine: Arc<Confine>,
    sight: Sight,
}

impl Prober {
    pub(crate) fn new(confine: Confine, sight: Sight) -> Result<Self, SupervisorError> {
        let plain = builder().tls_certs_only([]).build();
        let plain = plain.map_err(|error| SupervisorError::Failed(format!("no HTTP client for probes: {error}")))?;
        Ok(Self { plain, secured: Arc::default(), confine: Arc::new(confine), sight })
    }

    fn client(&self, url: &str) -> Result<&reqwest::Client, String> {
        let is_plain = url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http:"));
        if is_plain {
            return Ok(&self.plain);
        }
        let make =
            || builder().build().map_err(|error| format!("there is no HTTP client for it: {}", in_words(&error)));
        self.secured.get_or_init(make).as_ref().map_err(String::clone)
    }

    /// Probe the service once.
    pub(crate) async fn probe(&self, unit: &Unit) -> ProbeResult {
        let config = unit.probe_config();
        let limit = Duration::from_millis(config.timeout_ms);
        let begin = clock::monotonic();
        let asked = async {
            match (&config.http, &config.tcp, &config.command) {
                (Some(url), _, _) => self.http(url).await,
                (_, Some(address), _) => tcp(address).await,
                (_, _, Some(command)) => self.command(unit, command, config.timeout_ms).await,
                _ if config.cloud => self.cloud(unit, &config.alarms).await,
                _ => process(unit),
            }
        };
        let mut result = match tokio::time::timeout(limit, asked).await {
            Ok(result) => result,
            // The cloud did not answer, which is not the target.
            Err(_) if config.cloud => unknown(format!("no answer within {} ms", config.timeout_ms)),
            Err(_) => unhealthy(format!("timed out after {} ms", config.timeout_ms)),
        };
        result.latency_ms = u32::try_from(begin.elapsed().as_millis()).unwrap_or(u32::MAX);
        result
    }

    async fn http(&self, url: &str) -> ProbeResult {
        let client = match self.client(url) {
            Ok(client) => client,
            Err(error) => return unhealthy(error),
        };
        let mut response = match client.get(url).send().await {
            Ok(response) => response,
            Err(error) => return unhealthy(in_words(&error)),
        };
        let status = response.status();
        let mut answer = Vec::new();
        while answer.len() < ANSWER_BYTES {
            match response.chunk().await {
                Ok(Some(chunk)) => answer.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => return unhealthy(format!("{status}, and then {}", in_words(&error))),
            }
        }
        ProbeResult {
            healthy: status.is_success(),
            detail: with_answer(&status.to_string(), &answer),
            status_code: Some(status.as_u16()),
            ..ProbeResult::default()
        }
    }

    async fn cloud(&self, unit: &Unit, alarms: &[String]) -> ProbeResult {
        let Some(target) = &unit.config().cloud else { return unknown("it is in no cloud".into()) };
        match self.sight.look(target, alarms).await {
            Seen::Healthy(detail) => ProbeResult { healthy: true, detail, ..ProbeResult::default() },
            Seen::Sick(detail) => unhealthy(detail),
            Seen::Unknown(detail) => unknown(detail),
        }
    }

    async fn command(&self, unit: &Unit, command: &[String], timeout_ms: u64) -> ProbeResult {
        let Some(program) = command.first().and_then(|name| find(name, unit)) else {
            return unhealthy(format!("the probe's program is not there: {}", command.join(" ")));
        };
        let spec = Spec {
            program,
            argv: command.to_vec(),
            environment: Vec::new(),
            // The real one: a program is not started in a folder that is a link.
            directory: unit.directory().canonicalize().unwrap_or_else(|_| unit.directory().to_owned()),
            read: vec![PathBuf::from(READABLE)],
            write: Vec::new(),
            kept: Vec::new(),
            hidden: Vec::new(),
            network: true,
            limits: Limits {
                timeout_ms,
                output_bytes: OUTPUT_BYTES_MAX,
                memory_bytes: MEMORY_BYTES_MAX,
                processes: PROCESSES_MAX,
                file_bytes: FILE_BYTES_MAX,
                ..Limits::default()
            },
        };
        let running = match confine::start(&self.confine, spec).await {
            Ok(running) => running,
            Err(error) => return unhealthy(error.to_string()),
        };
        let (output, exit) = running.finish().await;
        let said = if output.stdout.is_empty() { &output.stderr } else { &output.stdout };
        let (exit_code, text) = match exit {
            Exit::Code(code) => (Some(code), format!("exit code {code}")),
            Exit::Signal(signal) => (None, format!("ended by signal {signal}")),
            Exit::Timeout => (None, format!("timed out after {timeout_ms} ms")),
            Exit::OutputLimit => (None, format!("wrote more than {OUTPUT_BYTES_MAX} bytes")),
        };
        ProbeResult {
            healthy: exit_code == Some(0),
            detail: with_answer(&text, said),
            exit_code,
            ..ProbeResult::default()
        }
    }
}

async fn tcp(address: &str) -> ProbeResult {
    match tokio::net::TcpStream::connect(address).await {
        Ok(_) => ProbeResult { healthy: true, detail: "accepted".into(), ..ProbeResult::default() },
        Err(error) => unhealthy(of_connection(&error)),
    }
}

/// A service without a probe is as healthy as its process is there.
fn process(unit: &Unit) -> ProbeResult {
    let live = unit.live();
    match &live.members {
        Some(members) if live.state == State::Running && confine::is_alive(&members.main) => ProbeResult {
            healthy: true,
            detail: format!("process {} runs", members.main.pid),
            ..ProbeResult::default()
        },
        _ => unhealthy("it does not run".into()),
    }
}

fn unhealthy(detail: String) -> ProbeResult {
    ProbeResult { detail, ..ProbeResult::default() }
}

fn unknown(detail: String) -> ProbeResult {
    ProbeResult { unknown: true, detail, ..ProbeResult::default() }
}

fn find(name: &str, unit: &Unit) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(unit.directory().join(name)).filter(|path| path.is_file());
    }
    environment::PATH.split(':').map(|folder| PathBuf::from(folder).join(name)).find(|path| path.is_file())
}

fn with_answer(text: &str, answer: &[u8]) -> String {
    let answer = super::logs::readable(answer.get(..ANSWER_BYTES).unwrap_or(answer));
    let answer = answer.trim();
    if answer.is_empty() { text.to_owned() } else { format!("{text}: {answer}") }
}

/// The cause at the bottom: the layers above it say nothing to an operator.
fn in_words(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
        if let Some(error) = cause.downcast_ref::<std::io::Error>() {
            return of_connection(error);
        }
    }
    cause.to_string().to_lowercase()
}

fn of_connection(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "connection refused".into(),
        std::io::ErrorKind::ConnectionReset => "connection reset".into(),
        std::io::ErrorKind::TimedOut => "connection timed out".into(),
        std::io::ErrorKind::HostUnreachable => "host unreachable".into(),
        std::io::ErrorKind::NetworkUnreachable => "network unreachable".into(),
        _ => error.to_string().to_lowercase(),
    }
}
