//! The vocabulary of the lab: names, paths, keys of configuration files, and how a service words
//! what happens to it. Tables only. A voice is one house style; a seed picks one per service.

/// Names of services.
pub(crate) const SERVICES: &[&str] = &[
    "checkout",
    "ledger",
    "search",
    "catalog",
    "mailer",
    "thumbs",
    "session-store",
    "rates",
    "invoices",
    "basket",
    "geo",
    "feeds",
    "quotes",
    "reviews",
    "stock",
    "tickets",
];

/// Names of what services depend on and others run.
pub(crate) const EXTERNALS: &[&str] = &["payments-api", "tax-rates", "identity", "maps", "fx-feed", "sms-relay"];

/// What a stray process calls itself.
pub(crate) const STRAYS: &[&str] = &["dev-server", "old-worker", "metrics-relay", "debug-proxy", "preview", "tunnel"];

pub(crate) const HEALTH_PATHS: &[&str] = &["/health", "/healthz", "/ready", "/status", "/ping", "/internal/live"];
pub(crate) const WORK_PATHS: &[&str] = &["/v1/items", "/api/list", "/query", "/orders/latest", "/v2/lookup"];

/// The keys of a configuration file in one house style.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) name: &'static str,
    pub(crate) port: &'static str,
    pub(crate) health: &'static str,
    pub(crate) work: &'static str,
    pub(crate) cache_mib: &'static str,
    pub(crate) pool: &'static str,
    pub(crate) workers: &'static str,
    pub(crate) template: &'static str,
    pub(crate) log: &'static str,
    pub(crate) upstream: &'static str,
    pub(crate) upstream_ms: &'static str,
    /// Keys that mean nothing to what is tested; a person changes them along with the others.
    pub(crate) harmless: &'static [(&'static str, &'static str, &'static str)],
}

pub(crate) const KEYS: &[&Keys] = &[
    &Keys {
        name: "service",
        port: "port",
        health: "health_path",
        work: "api_path",
        cache_mib: "cache_mb",
        pool: "pool_size",
        workers: "workers",
        template: "template",
        log: "access_log",
        upstream: "upstream",
        upstream_ms: "upstream_timeout_ms",
        harmless: &[("log_level", "info", "debug"), ("banner", "welcome", "welcome back")],
    },
    &Keys {
        name: "app.name",
        port: "server.port",
        health: "server.readiness",
        work: "server.route",
        cache_mib: "heap.preload.mib",
        pool: "datasource.connections.max",
        workers: "server.threads",
        template: "views.index",
        log: "logging.file",
        upstream: "client.base-url",
        upstream_ms: "client.deadline-ms",
        harmless: &[("logging.level", "INFO", "DEBUG"), ("i18n.locale", "en", "en_GB")],
    },
    &Keys {
        name: "APP",
        port: "LISTEN_PORT",
        health: "LIVENESS_URI",
        work: "WORK_URI",
        cache_mib: "BUFFER_POOL_MIB",
        pool: "MAX_DB_HANDLES",
        workers: "WORKER_PROCESSES",
        template: "LAYOUT_FILE",
        log: "LOG_PATH",
        upstream: "BACKEND_URL",
        upstream_ms: "BACKEND_WAIT_MS",
        harmless: &[("VERBOSITY", "2", "3"), ("REGION", "north", "north-1")],
    },
];

/// How one house words what happens. `{}` stands for the system's own text or the value.
#[derive(Debug)]
pub(crate) struct Voice {
    pub(crate) started: &'static str,
    pub(crate) reloaded: &'static str,
    pub(crate) stopping: &'static str,
    pub(crate) cannot_listen: &'static str,
    pub(crate) cannot_write: &'static str,
    pub(crate) no_pool: &'static str,
    pub(crate) no_template: &'static str,
    pub(crate) upstream_down: &'static str,
    pub(crate) no_memory: &'static str,
    pub(crate) busy: &'static str,
    pub(crate) bad_config: &'static str,
    /// The status for an upstream that does not answer.
    pub(crate) upstream_status: u16,
    pub(crate) pool_status: u16,
    pub(crate) style: Style,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Style {
    /// `2026-01-01T00:00:00.000Z ERROR text`
    Plain,
    /// `ts=2026-01-01T00:00:00.000Z level=error msg="text"`
    Logfmt,
    /// `{"time":"...","level":"error","message":"text"}`
    Json,
    /// `[2026-01-01 00:00:00.000] [error] text`
    Bracketed,
}

pub(crate) const VOICES: &[Voice] = &[
    Voice {
        started: "listening on {}",
        reloaded: "configuration re-read",
        stopping: "received SIGTERM, shutting down",
        cannot_listen: "bind: {}",
        cannot_write: "access log: {}",
        no_pool: "timed out waiting for a free connection: pool size is {}",
        no_template: "render: open {}",
        upstream_down: "upstream request failed: {}",
        no_memory: "cache: {}",
        busy: "server busy, try again",
        bad_config: "invalid configuration: {}",
        upstream_status: 502,
        pool_status: 503,
        style: Style::Plain,
    },
    Voice {
        started: "Tomcat-lite started on {}",
        reloaded: "Refreshed application context",
        stopping: "Commencing graceful shutdown",
        cannot_listen: "Web server failed to start: {}",
        cannot_write: "Failed to append to log: {}",
        no_pool: "HikariPool-1 - Connection is not available (total={}, active=0, idle=0, waiting=1)",
        no_template: "TemplateInputException: Error resolving template {}",
        upstream_down: "I/O error on GET request: {}",
        no_memory: "OutOfMemoryError: {}",
        busy: "GC overhead: request rejected",
        bad_config: "Failed to bind properties: {}",
        upstream_status: 503,
        pool_status: 500,
        style: Style::Bracketed,
    },
    Voice {
        started: "worker ready addr={}",
        reloaded: "settings refreshed",
        stopping: "drain requested",
        cannot_listen: "cannot listen: {}",
        cannot_write: "short write to log: {}",
        no_pool: "remaining connection slots exhausted (max {})",
        no_template: "could not load layout {}",
        upstream_down: "backend unreachable: {}",
        no_memory: "mmap: {}",
        busy: "request queue over high-water mark",
        bad_config: "config error: {}",
        upstream_status: 502,
        pool_status: 503,
        style: Style::Logfmt,
    },
    Voice {
        started: "up at {}",
        reloaded: "picked up new settings",
        stopping: "going down",
        cannot_listen: "listen tcp: {}",
        cannot_write: "log sink: {}",
        no_pool: "sql: no handles left, limit {}",
        no_template: "template: {}",
        upstream_down: "dial tcp: {}",
        no_memory: "runtime: {}",
        busy: "context deadline exceeded",
        bad_config: "parse settings: {}",
        upstream_status: 502,
        pool_status: 500,
        style: Style::Json,
    },
];
