//! What a command line would do to the world, as typed effects.
//!
//! Pure: the words go in, effects come out. Plain files are the business of `target`; here stands
//! what a program does by its verbs: to databases, clusters, clouds, history, the network, the host.
//! A verb or a statement that only the run will tell is `unknown` and destructive, never nothing.
//!
//! Severity: `read` changes nothing, `write` can be changed back, `destructive` may lose something
//! for good (or hands out what cannot be taken back).
//!
//! | Kind | Operations |
//! |---|---|
//! | `file` | `write` (a client's own output file) |
//! | `process` | `list`, `signal`, `kill`, `kill_all`, `kill_init`, `priority`, `unknown` |
//! | `network` | (of a request: `download` for GET, HEAD and OPTIONS, `delete`, else `upload`) `resolve`, `download`, `connect`, `upload`, `delete`, `listen`, `metadata` |
//! | `secret` | `list`, `read`, `create`, `write`, `grant`, `delete`, `destroy`, `seal`, `send`, `use` (the host puts it into a request, towards the host that it is bound to), `unknown` |
//! | `package` | none here: installs are read elsewhere |
//! | `database` | SQL: `select`, `show`, `explain`, `transaction`, `insert`, `update`, `update_all`, `delete`, `delete_all`, `drop`, `truncate`, `alter`, `create`, `grant`, `revoke`, `execute`, `copy`, `set`, `set_role`, `set_global`, `lock`, `pragma`, `sequence`, `vacuum`, `analyze`, `terminate`, `cancel`, `connect`, `file_read`, `file_write`, `replication`, `purge`, `shutdown`; tools: `run_file`, `dump`, `restore`, `migrate`, `rollback`, `drain`, `flush`, `find`, a store's own verbs (`get`, `put`); `unknown` |
//! | `queue` | `list`, `consume`, `send`, `create`, `alter`, `start`, `stop`, `grant`, `revoke`, `cancel`, `delete`, `purge`, `reset_offsets`, `reset`, `unknown` |
//! | `kubernetes` | the verb (`get`, `logs`, `apply`, `patch`, `rollout`, `exec`, ...), `scale_to_zero`, `grant`, `config`, `delete`, `delete_all`, `drain`, `uninstall`, `console`, `unknown` |
//! | `infrastructure` | `plan`, `show`, `apply`, `apply_auto`, `destroy`, `state_rm`, `state_mv`, `state_push`, `import`, `taint`, `force_unlock`, `workspace_delete`; `ps`, `logs`, `run`, `run_privileged`, `exec`, `build`, `stop`, `delete`, `delete_volume`, `delete_all`, `prune`, `prune_all`, `down`, `down_volumes`, ...; `unknown` |
//! | `cloud` | `read`, `write`, `stop`, `delete`, `delete_all`, `grant`, `run`, `apply`, `assume_role`, `copy`, `move`, `sync`, `sync_delete`, `execute`, `purge`, `disable_audit`, `scale_to_zero`, `restore`, `merge`, `publish`, `send`, `unknown` |
//! | `history` | `read`, the verb (`add`, `commit`, `merge`, ...), `push`, `force_push`, `push_delete`, `reset`, `reset_hard`, `clean`, `discard`, `branch_delete`, `tag_delete`, `stash_drop`, `rebase`, `amend`, `rewrite`, `expire`, `ref_delete`, `worktree_remove`, `unknown` |
//! | `service` | `status`, `start`, `stop`, `restart`, `reload`, `enable`, `disable`, `mask`, `kill`, `edit`, `clean`, `isolate`, `unknown` |
//! | `host` | `read`, `set`, `shutdown`, `mount`, `unmount`, `format`, `partition`, `repair`, `swap`, `kernel`, `boot`, `security`, `firewall`, `firewall_flush`, `network_set`, `network_delete`, `account`, `account_delete`, `schedule`, `schedule_delete`, `log_delete`, `unknown` |
//! | `value` | of a plugin's own values: `put`, `delete`, `increment` |
//! | `code` | `shell` (a client that starts a shell), `run` (code handed to a framework), `unknown` (a program that only the run will tell) |
//!
//! To add a program: its name into a family's `PROGRAMS`, its verbs into that family's tables.

mod client;
mod cloud;
mod database;
mod document;
mod history;
mod infrastructure;
mod kubernetes;
mod launcher;
mod line;
mod network;
mod process;
mod queue;
mod secret;
pub(crate) mod sql;
#[cfg(test)]
mod tests;
mod verb;

pub(crate) use secret::flow;
#[cfg(test)]
use secret::is_secret_path;

pub(super) use cloud::of_call;
pub(super) use network::of_request;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::argv::Argv;
use super::path::base_name;
use line::is_unknown;

/// One thing that an act would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    pub kind: Kind,
    pub operation: Cow<'static, str>,
    /// What it would be done to; empty where the command line does not say.
    pub target: String,
    pub severity: Severity,
}

/// What an effect is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    File,
    Process,
    Network,
    Secret,
    Package,
    Database,
    Kubernetes,
    Infrastructure,
    Cloud,
    Queue,
    History,
    Service,
    Host,
    Code,
    Value,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::File,
        Self::Process,
        Self::Network,
        Self::Secret,
        Self::Package,
        Self::Database,
        Self::Kubernetes,
        Self::Infrastructure,
        Self::Cloud,
        Self::Queue,
        Self::History,
        Self::Service,
        Self::Host,
        Self::Code,
        Self::Value,
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Process => "process",
            Self::Network => "network",
            Self::Secret => "secret",
            Self::Package => "package",
            Self::Database => "database",
            Self::Kubernetes => "kubernetes",
            Self::Infrastructure => "infrastructure",
            Self::Cloud => "cloud",
            Self::Queue => "queue",
            Self::History => "history",
            Self::Service => "service",
            Self::Host => "host",
            Self::Code => "code",
            Self::Value => "value",
        }
    }
}

/// How bad an effect may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It changes nothing.
    Read,
    /// It can be changed back.
    Write,
    /// It may lose something for good.
    Destructive,
}

impl Effect {
    pub(crate) fn new(
        kind: Kind,
        operation: impl Into<Cow<'static, str>>,
        target: impl Into<String>,
        severity: Severity,
    ) -> Self {
        Self { kind, operation: operation.into(), target: target.into(), severity }
    }

    /// Kind and operation: `database.drop`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}.{}", self.kind.name(), self.operation)
    }
}

impl std::fmt::Display for Effect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.name(), self.target)
    }
}

/// What it is that the host adds a secret to a request.
pub(super) fn of_secret(secret: &str, url: &str) -> Effect {
    Effect::new(Kind::Secret, "use", line::shown(&format!("{secret} -> {}", network::host_of(url))), Severity::Read)
}

/// What a change of a plugin's own values is.
pub(super) fn of_value(plugin: &str, operation: super::action::KeyValueOperation, key: &str) -> Effect {
    let operation = match operation {
        super::action::KeyValueOperation::Set => "put",
        super::action::KeyValueOperation::Delete => "delete",
        super::action::KeyValueOperation::Increment => "increment",
    };
    Effect::new(Kind::Value, operation, line::shown(&format!("{plugin}/{key}")), Severity::Write)
}

/// What a statement on a database of `pi.toml` does: one effect for each table that it reads, and whatever of it is more
/// than reading, by the words of the statement itself.
pub(super) fn of_query(
    database: &str,
    dialect: super::action::SqlDialect,
    statement: &str,
    tables: &[String],
) -> Vec<Effect> {
    let grammar = match dialect {
        super::action::SqlDialect::Postgres => sql::Dialect::Postgres,
        super::action::SqlDialect::Sqlite => sql::Dialect::Sqlite,
    };
    let select = |table: &str| {
        let target = line::shown(&format!("{database}/{table}"));
        Effect::new(Kind::Database, "select", target, Severity::Read)
    };
    let mut effects: Vec<Effect> = tables.iter().map(|table| select(table)).collect();
    if effects.is_empty() {
        effects.push(select(""));
    }
    effects.extend(sql::statements(statement, grammar).into_iter().filter(|effect| effect.operation != "select"));
    effects
}

/// What a family of programs has to say about a command line and the known text of its input.
type Family = fn(&Argv<'_>, Option<&str>, &mut Vec<Effect>);

const FAMILIES: &[(&str, Family)] = &[
    (database::PROGRAMS, database::look),
    (document::PROGRAMS, document::look),
    (queue::PROGRAMS, queue::look),
    (kubernetes::PROGRAMS, kubernetes::look),
    (infrastructure::PROGRAMS, infrastructure::look),
    (cloud::PROGRAMS, cloud::look),
    (history::PROGRAMS, history::look),
    (network::PROGRAMS, network::look),
    (secret::PROGRAMS, secret::look),
    (process::PROGRAMS, process::look),
    // What it starts is looked at by itself; here it only keeps the look-up to one.
    (launcher::PROGRAMS, |_, _, _| {}),
];

static BY_PROGRAM: LazyLock<HashMap<&'static str, Vec<Family>>> = LazyLock::new(|| {
    let mut map: HashMap<&'static str, Vec<Family>> = HashMap::new();
    for (programs, family) in FAMILIES {
        for program in programs.split_ascii_whitespace() {
            map.entry(program).or_default().push(*family);
        }
    }
    map
});

/// Launchers within launchers that are followed. Danger: a line of nothing but launchers.
const LAUNCHERS_MAX: usize = 8;

/// Effects of a command line, read off its final words; `input` is the known text of its standard
/// input, if any.
pub(crate) fn effects(argv: &Argv<'_>, input: Option<&str>) -> Vec<Effect> {
    let mut found = vec![];
    if is_unknown(argv.program) {
        found.push(Effect::new(Kind::Code, "unknown", line::shown(argv.line()), Severity::Destructive));
        return found;
    }
    look(argv, input, &mut found);
    let mut words = argv.words;
    for _ in 0..LAUNCHERS_MAX {
        if words.first().is_none_or(|word| families_of(base_name(&word.text)).is_none()) {
            return found;
        }
        let Some(inner) = launcher::launched(words) else { return found };
        words = inner;
        if let Some(program) = words.first().filter(|word| is_unknown(&word.text)) {
            found.push(Effect::new(Kind::Code, "unknown", line::shown(&program.text), Severity::Destructive));
            return found;
        }
        look(&Argv::read(words, &[]), input, &mut found);
    }
    found.push(Effect::new(Kind::Code, "unknown", line::shown(argv.line()), Severity::Destructive));
    found
}

fn look(argv: &Argv<'_>, input: Option<&str>, found: &mut Vec<Effect>) {
    let Some((program, families)) = families_of(argv.program) else { return };
    if program == argv.program {
        for family in families {
            family(argv, input, found);
        }
        return;
    }
    // Under the name without its version, so that no family has to know of versions.
    let mut words = argv.words.to_vec();
    if let Some(first) = words.first_mut() {
        program.clone_into(&mut first.text);
    }
    let plain = Argv::read(&words, &[]);
    for family in families {
        family(&plain, input, found);
    }
}

/// The families of a program, and the name that they know it by: `python3.12` is `python`,
/// `kubectl.exe` is `kubectl`, `mkfs.ext4` is `mkfs`.
fn families_of(program: &str) -> Option<(&'static str, &'static Vec<Family>)> {
    if let Some((name, families)) = BY_PROGRAM.get_key_value(program) {
        return Some((name, families));
    }
    let stem =
        [".exe", ".cmd", ".bat", ".py"].iter().find_map(|ending| program.strip_suffix(ending)).unwrap_or(program);
    let stem =
        if stem.starts_with("mkfs.") || stem.starts_with("fsck.") { stem.get(..4).unwrap_or(stem) } else { stem };
    let stem = if stem.ends_with(|c: char| c.is_ascii_digit()) {
        stem.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-'))
    } else {
        stem
    };
    // The name of an unversioned program is looked up once, of any other twice.
    if stem == program { None } else { BY_PROGRAM.get_key_value(stem).map(|(name, families)| (*name, families)) }
}
