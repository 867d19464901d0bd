//! The lab's service: a real HTTP server, run as `pi-host __lab-service`. It works for its answers:
//! it writes its log, holds the memory it is told to, reads its template, asks its upstream. So a
//! fault shows as it would in any service. It knows nothing of the host that looks after it.
//!
//! Each start, the end of warming up and each polite stop is one line in the witness file, which the
//! host does not know of.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::http::{self, Request};
use super::identity::Identity;
use super::settings::Settings;
use super::words::{Style, VOICES, Voice};
use crate::clock::{self, Duration};

/// Time to read one request.
const REQUEST_MS_MAX: u64 = 5_000;
/// Warming up takes this long for each MiB of cache: a real one reads its data from somewhere.
const WARM_UP_MS_PER_MIB: u64 = 2;

/// What the command line says.
#[derive(Debug, Default)]
struct Options {
    config: PathBuf,
    witness: PathBuf,
    voice: usize,
    /// Re-read the configuration when the file changes, else at the start alone.
    is_live: bool,
    /// Only hold this port, and answer nothing useful.
    stray_port: Option<u16>,
    is_silent: bool,
    is_stubborn: bool,
}

/// Run the service with the arguments behind `__lab-service`; returns when it ends.
#[must_use]
pub fn main(arguments: &[String]) -> ExitCode {
    let options = match Options::parse(arguments) {
        Ok(options) => options,
        Err(error) => {
            let _ = writeln!(io::stderr(), "usage: {error}");
            return ExitCode::from(2);
        }
    };
    witness(&options.witness, "start", "");
    match options.stray_port {
        Some(port) => hold_port(port, &options),
        None => serve(options),
    }
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--config" => options.config = value()?.into(),
                "--witness" => options.witness = value()?.into(),
                "--voice" => options.voice = value()?.parse().map_err(|error| format!("{word}: {error}"))?,
                "--live" => options.is_live = true,
                "--hold" => options.stray_port = Some(value()?.parse().map_err(|error| format!("{word}: {error}"))?),
                "--silent" => options.is_silent = true,
                "--stubborn" => options.is_stubborn = true,
                _ => return Err(format!("unknown option: {word}")),
            }
        }
        Ok(options)
    }
}

/// The running service.
struct Service {
    options: Options,
    voice: &'static Voice,
    /// Taken in the order `work`, `counts` by every request; `deadlock` takes them in both orders.
    work: Mutex<Work>,
    counts: Mutex<u64>,
    health_answers: AtomicU64,
    /// So many health answers still go wrong, and how.
    blips: Mutex<(u64, u64)>,
}

/// What one configuration gave.
struct Work {
    settings: Settings,
    read_from: Option<SystemTime>,
    cache: Vec<Vec<u8>>,
}

fn serve(options: Options) -> ExitCode {
    let voice = VOICES.get(options.voice % VOICES.len()).unwrap_or(&VOICES[0]);
    let changed = modified(&options.config);
    let settings = match Settings::read(&options.config) {
        Ok(settings) => settings,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{}", voice.line("fatal", &voice.bad_config.replace("{}", &error)));
            return ExitCode::from(78);
        }
    };
    let service = Arc::new(Service {
        options,
        voice,
        work: Mutex::new(Work { settings: settings.clone(), read_from: changed, cache: Vec::new() }),
        counts: Mutex::new(0),
        health_answers: AtomicU64::new(0),
        blips: Mutex::new((0, 0)),
    });
    if let Err(error) = service.clone().stop_when_asked() {
        service.complain("fatal", &format!("signal: {error}"));
        return ExitCode::from(71);
    }
    if let Err(error) = service.warm_up(&mut lock(&service.work)) {
        service.complain("fatal", &voice.no_memory.replace("{}", &error));
        return ExitCode::from(1);
    }
    let address = format!("127.0.0.1:{}", settings.port);
    let listener = match TcpListener::bind(&address) {
        Ok(listener) => listener,
        Err(error) => {
            service.complain("fatal", &voice.cannot_listen.replace("{}", &format!("{address}: {error}")));
            witness(&service.options.witness, "exit", "");
            return ExitCode::from(1);
        }
    };
    service.say("info", &voice.started.replace("{}", &address));
    witness(&service.options.witness, "ready", "");
    let workers: Vec<_> = (0..settings.workers)
        .filter_map(|_| {
            let (service, listener) = (service.clone(), listener.try_clone().ok()?);
            Some(std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    service.answer(stream);
                }
            }))
        })
        .collect();
    for worker in workers {
        let _ = worker.join();
    }
    ExitCode::from(70)
}

impl Service {
    fn answer(self: &Arc<Self>, mut stream: TcpStream) {
        let Ok(request) = http::read_request(&mut stream, Duration::from_millis(REQUEST_MS_MAX)) else {
            return;
        };
        if request.path.starts_with("/debug/") {
            let (status, body) = self.control(&request);
            let _ = http::respond(&mut stream, status, &body);
            return;
        }
        let is_health = {
            let work = lock(&self.work);
            request.path == work.settings.health_path
        };
        if is_health && !self.pass_blip(&mut stream) {
            return;
        }
        let (status, body) = self.do_work(&request);
        if http::respond(&mut stream, status, &body).is_ok() && is_health && status == 200 {
            self.health_answers.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The real work for one request, and its line in the log.
    fn do_work(&self, request: &Request) -> (u16, String) {
        let mut work = lock(&self.work);
        if self.options.is_live
            && let Err(error) = self.reload(&mut work)
        {
            return self.fail(&work, request, 500, &error);
        }
        let settings = &work.settings;
        let is_known = request.path == settings.health_path || request.path == settings.work_path;
        *lock(&self.counts) += 1;
        if !is_known {
            let status = if request.path.starts_with("/item") { 200 } else { 404 };
            return self.log_access(&work, request, status, String::new());
        }
        if settings.pool.parse::<i64>().map_or(true, |size| !(1..=512).contains(&size)) {
            let text = self.voice.no_pool.replace("{}", &settings.pool);
            return self.fail(&work, request, self.voice.pool_status, &text);
        }
        let page = match std::fs::read_to_string(&settings.template) {
            Ok(page) => page,
            Err(error) => {
                let text = self.voice.no_template.replace("{}", &format!("{}: {error}", settings.template.display()));
                return self.fail(&work, request, 500, &text);
            }
        };
        let (name, upstream) = (settings.name.clone(), settings.upstream.clone());
        let within = Duration::from_millis(settings.upstream_ms.max(1));
        let touched: u64 = work.cache.iter().filter_map(|block| block.first()).map(|byte| u64::from(*byte)).sum();
        if let Some(url) = upstream {
            // Not under the lock: others go on while this one waits.
            drop(work);
            let answer = http::get(&url, within);
            work = lock(&self.work);
            let wrong = match answer {
                Ok(answer) if answer.status == 200 => None,
                Ok(answer) => Some((self.voice.upstream_status, format!("{url}: status {}", answer.status))),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => Some((504, format!("{url}: {error}"))),
                Err(error) => Some((self.voice.upstream_status, format!("{url}: {error}"))),
            };
            if let Some((status, text)) = wrong {
                return self.fail(&work, request, status, &self.voice.upstream_down.replace("{}", &text));
            }
        }
        let pid = std::process::id();
        let body = format!("{{\"service\":\"{name}\",\"pid\":{pid},\"cached\":{touched},\"page\":{}}}", page.len());
        self.log_access(&work, request, 200, body)
    }

    fn fail(&self, work: &Work, request: &Request, status: u16, text: &str) -> (u16, String) {
        if self.write_log(&work.settings.log, "error", text).is_err() {
            let _ = writeln!(io::stderr(), "{}", self.voice.line("error", text));
        }
        self.log_access(work, request, status, format!("{text}\n"))
    }

    fn log_access(&self, work: &Work, request: &Request, status: u16, body: String) -> (u16, String) {
        let target =
            if request.query.is_empty() { request.path.clone() } else { format!("{}?{}", request.path, request.query) };
        let line = format!("{} {target} {status}", request.method);
        match self.write_log(&work.settings.log, "info", &line) {
            Ok(()) => (status, body),
            Err(error) => {
                let text =
                    self.voice.cannot_write.replace("{}", &format!("write {}: {error}", work.settings.log.display()));
                let _ = writeln!(io::stderr(), "{}", self.voice.line("error", &text));
                (500, format!("{text}\n"))
            }
        }
    }

    fn write_log(&self, path: &Path, level: &str, text: &str) -> io::Result<()> {
        let mut line = self.voice.line(level, text);
        line.push('\n');
        OpenOptions::new().append(true).create(true).open(path)?.write_all(line.as_bytes())
    }

    fn say(&self, level: &str, text: &str) {
        let path = lock(&self.work).settings.log.clone();
        let _ = self.write_log(&path, level, text);
    }

    /// To the log and to the standard error: the last words before the end.
    fn complain(&self, level: &str, text: &str) {
        self.say(level, text);
        let _ = writeln!(io::stderr(), "{}", self.voice.line(level, text));
    }

    fn reload(&self, work: &mut Work) -> Result<(), String> {
        let changed = modified(&self.options.config);
        if changed == work.read_from {
            return Ok(());
        }
        let settings =
            Settings::read(&self.options.config).map_err(|error| self.voice.bad_config.replace("{}", &error))?;
        let is_resized = settings.cache_mib != work.settings.cache_mib;
        work.settings = settings;
        work.read_from = changed;
        let _ = self.write_log(&work.settings.log, "info", self.voice.reloaded);
        if is_resized {
            self.warm_up(work).map_err(|error| self.voice.no_memory.replace("{}", &error))?;
        }
        Ok(())
    }

    /// Allocate the cache and touch every page of it.
    fn warm_up(&self, work: &mut Work) -> Result<(), String> {
        let blocks = work.settings.cache_mib;
        witness(&self.options.witness, "load", &format!(" {blocks}"));
        work.cache.clear();
        for _ in 0..blocks {
            let mut block = Vec::new();
            if block.try_reserve_exact(1 << 20).is_err() {
                return Err(io::Error::from_raw_os_error(rustix::io::Errno::NOMEM.raw_os_error()).to_string());
            }
            block.resize(1 << 20, 1u8);
            work.cache.push(block);
            std::thread::sleep(Duration::from_millis(WARM_UP_MS_PER_MIB));
        }
        Ok(())
    }

    /// A health answer that goes wrong though nothing is: late, refused, or cut off.
    fn pass_blip(&self, stream: &mut TcpStream) -> bool {
        let delay_ms = {
            let mut blips = lock(&self.blips);
            if blips.0 == 0 {
                return true;
            }
            blips.0 -= 1;
            blips.1
        };
        if delay_ms == 0 {
            let _ = http::respond(stream, 503, self.voice.busy);
        } else {
            std::thread::sleep(Duration::from_millis(delay_ms));
        }
        false
    }

    fn control(self: &Arc<Self>, request: &Request) -> (u16, String) {
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/debug/health-answers") => (200, self.health_answers.load(Ordering::Relaxed).to_string()),
            ("POST", "/debug/blip") => {
                let count = request.number("count").unwrap_or(1);
                *lock(&self.blips) = (count, request.number("delay_ms").unwrap_or(0));
                (202, String::new())
            }
            ("GET", "/debug/blip") => (200, lock(&self.blips).0.to_string()),
            ("POST", "/debug/deadlock") => {
                self.deadlock();
                (202, String::new())
            }
            _ => (404, String::new()),
        }
    }

    /// Two threads take the two locks in opposite orders: neither gets on, nor does any request.
    fn deadlock(self: &Arc<Self>) {
        let (both, held) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(3)));
        for is_reversed in [false, true] {
            let (service, both, held) = (self.clone(), both.clone(), held.clone());
            std::thread::spawn(move || {
                if is_reversed {
                    let _counts = lock(&service.counts);
                    both.wait();
                    held.wait();
                    let _work = lock(&service.work);
                } else {
                    let _work = lock(&service.work);
                    both.wait();
                    held.wait();
                    let _counts = lock(&service.counts);
                }
            });
        }
        held.wait();
    }

    /// SIGTERM ends the service once the request under way is done; a file that may not grow is an
    /// error and no signal.
    fn stop_when_asked(self: Arc<Self>) -> io::Result<()> {
        let (terminated, runtime) = signals(false)?;
        std::thread::spawn(move || {
            runtime.block_on(terminated);
            witness(&self.options.witness, "term", "");
            let work = lock(&self.work);
            let _counts = lock(&self.counts);
            let _ = self.write_log(&work.settings.log, "info", self.voice.stopping);
            std::process::exit(0);
        });
        Ok(())
    }
}

impl Voice {
    fn line(&self, level: &str, text: &str) -> String {
        let time = clock::rfc3339(clock::now_ms());
        match self.style {
            Style::Plain => format!("{time} {} {text}", level.to_uppercase()),
            Style::Bracketed => format!("[{}] [{level}] {text}", time.replace('T', " ").trim_end_matches('Z')),
            Style::Logfmt => format!("ts={time} level={level} msg={text:?}"),
            Style::Json => serde_json::json!({ "time": time, "level": level, "message": text }).to_string(),
        }
    }
}

/// A process that took a port and does nothing useful with it.
fn hold_port(port: u16, options: &Options) -> ExitCode {
    let Ok((terminated, runtime)) = signals(options.is_stubborn) else {
        return ExitCode::from(71);
    };
    let listener = loop {
        match TcpListener::bind(("127.0.0.1", port)) {
            Ok(listener) => break listener,
            Err(_) => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    witness(&options.witness, "holds", &format!(" {port}"));
    let is_silent = options.is_silent;
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for mut stream in listener.incoming().flatten() {
            if is_silent {
                kept.push(stream);
                continue;
            }
            let within = Duration::from_millis(REQUEST_MS_MAX);
            std::thread::spawn(move || {
                if http::read_request(&mut stream, within).is_ok() {
                    let _ = http::respond(&mut stream, 404, "nothing here\n");
                }
            });
        }
    });
    runtime.block_on(terminated);
    witness(&options.witness, "term", "");
    ExitCode::SUCCESS
}

type Terminated = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// Ready at the first SIGTERM; never, if `is_stubborn`.
fn signals(is_stubborn: bool) -> io::Result<(Terminated, tokio::runtime::Runtime)> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let guard = runtime.enter();
    let mut terminate = signal(SignalKind::terminate())?;
    let file_size = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?;
    drop(guard);
    let terminated = Box::pin(async move {
        let _file_size = file_size;
        loop {
            terminate.recv().await;
            if !is_stubborn {
                return;
            }
        }
    });
    Ok((terminated, runtime))
}

/// Append `WORD PID START_TIME EXTRA` to the witness file, in one write.
fn witness(path: &Path, word: &str, extra: &str) {
    if let Ok(identity) = Identity::of(std::process::id()) {
        let line = format!("{word} {} {}{extra}\n", identity.pid, identity.start_time);
        if let Ok(mut file) = OpenOptions::new().append(true).create(true).open(path) {
            let _ = file.write_all(line.as_bytes());
        }
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
