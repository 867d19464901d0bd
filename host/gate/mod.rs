//! The gatekeeper: an act goes in, a decision comes out.
//!
//! Pure: no I/O, no clock, no wasmtime, and no import of any other module of this project, so that
//! a decision can be tested, replayed and explained. Whatever it cannot read ends in ask or deny.
//!
//! `policy` loads `security.json` (`schema` checks its form, `rule` and `program` are its parts),
//! `look` finds what there is to say about an act (`argv`, `carrier`, `target` read command lines,
//! `variable` and `address` know names that matter, `shell` reads scripts, `path` and `glob` compare names),
//! `effect` and
//! `install` say what commands would do beyond files, `risk` sums it up, `rego` has the second layer of
//! policy, `weigh` adds what it and others find, `profile` bounds it all, `explain` puts it in words.

mod action;
mod address;
mod argv;
#[cfg(test)]
mod bypasses;
mod carrier;
mod decision;
pub mod effect;
pub mod explain;
mod flag_name;
mod glob;
mod in_force;
pub mod install;
mod look;
mod path;
mod policy;
mod profile;
mod program;
pub mod rego;
mod risk;
mod rule;
mod schema;
mod shell;
mod talk;
mod target;
#[cfg(test)]
mod tests;
mod trace;
mod variable;
mod weigh;

pub use action::{Act, CloudResource, KeyValueOperation, Origin, SqlDialect, WriteMode};
pub use decision::{Decision, Evidence, Verdict};
pub use effect::{Effect, Severity};
pub(crate) use glob::Glob;
pub use in_force::InForce;
pub use policy::{Policy, PolicyError};
pub use profile::Profile;
pub use rego::test::{TestReport as RegoTestReport, test as test_rego};
pub use rego::{Rego, RegoError, RegoSource};
pub use trace::{Step, Trace};
pub use weigh::Finding;

use argv::Word;
use look::{Line, Look};
use risk::Moment;
use rule::{CloudFact, Fact, PathText};
use shell::output::Flow;
use weigh::Commands;

/// The policy that is in force, with what the operator granted and what is protected.
pub struct Gate {
    policy: Policy,
    rego: Option<Rego>,
    profile: Profile,
    production: Production,
    granted: Vec<String>,
    /// Command lines that the operator wrote down, by the plugin in whose name alone they are started.
    commands: Vec<(String, Vec<String>)>,
    protected: Vec<String>,
    revision: String,
}

/// What is production, and how much more a change there weighs.
#[derive(Default)]
struct Production {
    targets: Vec<glob::Glob>,
    factor: f32,
}

impl Gate {
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        let revision = policy.revision().to_owned();
        Self {
            policy,
            rego: None,
            profile: Profile::Auto,
            production: Production::default(),
            granted: vec![],
            commands: vec![],
            protected: vec![],
            revision,
        }
    }

    /// The gate with the policy that comes with the program.
    #[must_use]
    pub fn builtin() -> Self {
        Self::new(Policy::builtin())
    }

    /// Policies in Rego that come after the rules. They may add evidence, ask or deny.
    ///
    /// # Errors
    /// A package that no act or effect ever asks.
    pub fn with_rego(mut self, rego: Rego) -> Result<Self, RegoError> {
        rego.check_kinds(&weigh::kinds())?;
        self.add_revision(rego.revision());
        self.rego = (!rego.is_empty()).then_some(rego);
        Ok(self)
    }

    /// How far agents may go by themselves.
    #[must_use]
    pub fn with_profile(mut self, profile: Profile) -> Self {
        if profile != self.profile {
            self.add_revision(&format!("{profile:?}"));
        }
        self.profile = profile;
        self
    }

    /// What is production: the points of what would change there are multiplied.
    ///
    /// # Errors
    /// A pattern that is none.
    pub fn with_production(mut self, targets: &[String], factor: f32) -> Result<Self, String> {
        let globs: Result<Vec<_>, String> = targets.iter().map(|target| glob::Glob::word(target)).collect();
        if !targets.is_empty() {
            self.add_revision(&format!("{targets:?} {factor}"));
        }
        self.production = Production { targets: globs?, factor };
        Ok(self)
    }

    fn add_revision(&mut self, of: &str) {
        self.revision = policy::hash(&format!("{} {of}", self.revision));
    }

    /// Programs that the operator grants by name or by path are not unknown, whatever the policy lists.
    /// Its rules hold for them all the same.
    #[must_use]
    pub fn with_granted_programs(mut self, programs: impl IntoIterator<Item = String>) -> Self {
        self.granted.extend(programs);
        self
    }

    /// Command lines (or, as one word, URLs) that the operator wrote down, each with the plugin in whose name the
    /// host itself starts it. Neither their program nor the files that they name are unknown; all else holds for them as well.
    #[must_use]
    pub fn with_granted_commands(mut self, commands: impl IntoIterator<Item = (String, Vec<String>)>) -> Self {
        self.commands.extend(commands);
        self
    }

    fn is_granted_command(&self, argv: &[String], origin: &Origin) -> bool {
        self.commands.iter().any(|(plugin, command)| *plugin == origin.plugin && command == argv)
    }

    /// Absolute paths that no act may change: the host's state, its configuration, its policies.
    #[must_use]
    pub fn with_protected_paths(mut self, paths: impl IntoIterator<Item = String>) -> Self {
        self.protected.extend(paths);
        self
    }

    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What decides here, as one hash: an answer under another revision is an answer to another question.
    #[must_use]
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// Judge one act, as if it were done at the beginning of 1970: for policies that do not look at the time.
    #[must_use]
    pub fn decide(&self, act: &Act, origin: &Origin) -> Decision {
        self.decide_at(act, origin, 0)
    }

    /// Judge one act, at a time in milliseconds since 1970.
    #[must_use]
    pub fn decide_at(&self, act: &Act, origin: &Origin, time_ms: u64) -> Decision {
        let mut look = Look::new(self, origin);
        let name = act.name();
        let mut moment = Moment::Final;
        match act {
            Act::ToolCall { tool, .. } => look.fact(name, &Fact::Tool { tool }, || format!("`{tool}`")),
            Act::Script { text, directory } => {
                moment = Moment::Advance;
                look.script(text, Some(directory));
            }
            Act::ProcessRun { argv, directory, environment } => {
                look.is_granted_command = self.is_granted_command(argv, origin);
                process_run(&mut look, argv, directory, environment);
            }
            Act::FileRead { path }
            | Act::FileList { path }
            | Act::FileWrite { path, .. }
            | Act::FileTime { path }
            | Act::DirectoryMake { path, .. } => {
                file(&mut look, name, &[path], false, None);
            }
            Act::FileRemove { path, recursive } => file(&mut look, name, &[path], *recursive, None),
            Act::FileRename { from, to } => file(&mut look, name, &[from, to], false, None),
            Act::FileMode { path, mode } => file(&mut look, name, &[path], false, Some(*mode)),
            Act::FileSymlink { target, link } => file(&mut look, name, &[link, target], false, None),
            Act::ServiceRead { service, .. } | Act::ServiceProbe { service } | Act::ServiceRestart { service } => {
                look.fact(name, &Fact::Service { service }, || format!("`{service}`"));
            }
            Act::ProcessEnd { pid, command, .. } => {
                look.fact(name, &Fact::Process { pid: *pid }, || format!("process {pid} `{command}`"))
            }
            Act::LogRotate { path, .. } => file(&mut look, name, &[path], false, None),
            Act::HttpRequest { method, url, secrets, is_granted, .. } => {
                // To begin with a server is no upload: what is sent to it later is judged call by call.
                let is_own = self.is_granted_command(std::slice::from_ref(url), origin);
                let method = if is_own { "GET" } else { method.as_str() };
                look.note_text(url);
                let effect = effect::of_request(method, url);
                // That such a request may be sent the operator has decided, method by method and host by host. That of
                // a metadata service is of no such kind.
                look.is_granted_effect = *is_granted && matches!(&*effect.operation, "upload" | "delete");
                look.act_effect(name, effect);
                look.is_granted_effect = false;
                for secret in secrets {
                    look.act_effect(name, effect::of_secret(secret, url));
                }
            }
            Act::CloudCall { .. } => cloud_call(&mut look, act),
            Act::SqlQuery { database, dialect, statement, tables, .. } => {
                look.note_text(statement);
                for effect in effect::of_query(database, *dialect, statement, tables) {
                    look.act_effect(name, effect);
                }
            }
            // With its floor: also under a policy that says nothing of it, nobody spends more unasked.
            Act::Overspend { agent, .. } => look.note("overspend", format!("`{agent}`")),
            Act::KeyValueWrite { plugin, operation, keys, .. } => {
                for key in keys {
                    look.act_effect(name, effect::of_value(plugin, *operation, key));
                }
            }
        }
        let (mut decision, commands) = self.sum_up(look, moment);
        self.weigh(&mut decision, act, &commands, origin, time_ms);
        decision
    }

    /// Judge a shell command by its text alone, as if nothing came after: what `ask` would mean for
    /// one of its commands it means for the whole.
    #[must_use]
    pub fn judge(&self, command: &str, directory: &str) -> Decision {
        self.judge_at(command, directory, &[], 0)
    }

    /// As [`Gate::judge`], with variables that are set for the shell, at a time in milliseconds since 1970.
    #[must_use]
    pub fn judge_at(&self, command: &str, directory: &str, env: &[(String, String)], time_ms: u64) -> Decision {
        let origin = Origin::default();
        let mut look = Look::new(self, &origin);
        look.script_in(command, Some(directory), env);
        let (mut decision, commands) = self.sum_up(look, Moment::Final);
        if self.rego.is_some() || self.profile != Profile::Auto {
            let act = Act::Script { text: command.to_owned(), directory: directory.to_owned() };
            self.weigh(&mut decision, &act, &commands, &origin, time_ms);
        }
        decision
    }

    /// How a shell command is read, step by step, with what is found in each.
    #[must_use]
    pub fn trace(&self, command: &str, directory: &str, env: &[(String, String)], time_ms: u64) -> Trace {
        let origin = Origin::default();
        let mut look = Look::new(self, &origin).with_trace();
        look.script_in(command, Some(directory), env);
        let steps = look.take_steps();
        Trace { steps, decision: self.judge_at(command, directory, env, time_ms) }
    }

    fn sum_up(&self, look: Look<'_>, moment: Moment) -> (Decision, Commands) {
        let seen = look.finish();
        let mut decision = risk::decide(seen.units, self.policy.thresholds, moment);
        decision.effects = seen.effects;
        decision.decoded = seen.decoded;
        decision.installs = seen.installs;
        (decision, Commands { commands: seen.commands, has_granted: seen.has_granted })
    }

    /// Whether a name, or a part of one (`prod-eu` of `prod-eu/web`, of `--context=prod-eu`), is production.
    fn is_production(&self, name: &str) -> bool {
        let is_named = |name: &str| self.production.targets.iter().any(|glob| glob.matches(name));
        !self.production.targets.is_empty()
            && (is_named(name)
                || name.split(['/', ':', '=', '@', ' ', ',']).filter(|part| !part.is_empty()).any(is_named))
    }

    /// Whether each command of a script is to be heard.
    fn hears_commands(&self) -> bool {
        self.rego.is_some()
    }
}

fn file(look: &mut Look<'_>, act: &'static str, paths: &[&String], is_recursive: bool, mode: Option<u32>) {
    if !paths.iter().all(|path| look::is_plain_text(path)) {
        paths.iter().for_each(|path| look.note_text(path));
    }
    match paths {
        [one] => look.folded_file(act, &[PathText { text: one, is_glob: false }], is_recursive, mode),
        [one, two] => {
            let paths = [PathText { text: one, is_glob: false }, PathText { text: two, is_glob: false }];
            look.folded_file(act, &paths, is_recursive, mode);
        }
        _ => {}
    }
}

/// A call of a cloud: by what the same command of `aws` does, and by the script that it runs on a machine there.
fn cloud_call(look: &mut Look<'_>, act: &Act) {
    let Act::CloudCall {
        account,
        region,
        operation,
        resources,
        arguments,
        severity,
        script,
        declared,
        declared_logs,
        is_granted,
        ..
    } = act
    else {
        return;
    };
    let ids: Vec<&str> = resources.iter().map(|resource| resource.id.as_str()).collect();
    for text in ids.iter().copied().chain([account.as_str(), region, operation]) {
        look.note_text(text);
    }
    let tags = resources.iter().filter_map(|resource| resource.tags.as_ref()).flatten();
    let is_production =
        [account.as_str(), region].into_iter().chain(ids.iter().copied()).any(|name| look.names_production(name))
            || tags.into_iter().any(|(key, value)| look.names_production(&format!("{key}={value}")));
    // Where it starts if nobody says is not known: it is judged as if that were the worst place.
    let directory =
        arguments.pointer("/Parameters/workingDirectory/0").and_then(serde_json::Value::as_str).unwrap_or("/");
    let only_looks = script
        .as_deref()
        .is_some_and(|script| look.script_elsewhere(script, directory, is_production, (declared, declared_logs)));
    let call = CloudFact { operation, account, region, resources: resources.len() };
    for mut effect in effect::of_call(operation, arguments, (account, region), &ids, *severity) {
        if only_looks {
            // What runs a script does what the script does, and this one looks.
            effect.severity = Severity::Read;
        }
        // That such a call may be made the operator has decided, operation by operation. What may lose something has
        // people look at it each time.
        look.is_granted_effect = *is_granted && effect.severity < Severity::Destructive;
        look.call_effect(act.name(), effect, call, is_production);
        look.is_granted_effect = false;
    }
}

fn process_run(look: &mut Look<'_>, argv: &[String], directory: &str, environment: &[(String, String)]) {
    for text in argv {
        look.note_text(text);
    }
    if argv.first().is_none_or(String::is_empty) {
        look.note("unparsed", "there is no program".to_owned());
        return;
    }
    let words: Vec<Word> = argv.iter().map(Word::plain).collect();
    for (name, value) in environment {
        look.variable(name, &Word::plain(value.clone()), Some(directory), None);
    }
    let names: Vec<String> = environment.iter().map(|(name, _)| name.clone()).collect();
    look.command(&Line {
        words: &words,
        environment: &names,
        directory: Some(directory),
        input: &Flow::default(),
        scope: None,
    });
}
