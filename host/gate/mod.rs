//! The gatekeeper: an act goes in, a decision comes out.
//!
//! Pure: no I/O, no clock, no wasmtime, and no import of any other module of this project, so that
//! a decision can be tested, replayed and explained. Whatever it cannot read ends in ask or deny.
//!
//! `policy` loads `security.json` (`schema` checks its form, `rule` and `program` are its parts),
//! `look` finds what there is to say about an act (`argv`, `carrier`, `target` read command lines,
//! `shell` reads scripts, `path` and `glob` compare names), `risk` sums it up, `explain` puts it in words.

mod action;
mod argv;
mod carrier;
mod decision;
pub mod explain;
mod glob;
mod look;
mod path;
mod policy;
mod program;
mod risk;
mod rule;
mod schema;
mod shell;
mod target;
#[cfg(test)]
mod tests;

pub use action::{Act, Effect, Origin, WriteMode};
pub use decision::{Decision, Evidence, Verdict};
pub use policy::{Policy, PolicyError};

use argv::Word;
use look::{Line, Look};
use risk::Moment;
use rule::{Fact, PathText};
use shell::output::Flow;

/// The policy that is in force, with what the operator granted and what is protected.
pub struct Gate {
    policy: Policy,
    granted: Vec<String>,
    protected: Vec<String>,
}

impl Gate {
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self { policy, granted: vec![], protected: vec![] }
    }

    /// The gate with the policy that comes with the program.
    #[must_use]
    pub fn builtin() -> Self {
        Self::new(Policy::builtin())
    }

    /// Programs that the operator grants by name or by path are not unknown, whatever the policy lists.
    /// Its rules hold for them all the same.
    #[must_use]
    pub fn with_granted_programs(mut self, programs: impl IntoIterator<Item = String>) -> Self {
        self.granted.extend(programs);
        self
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

    /// Judge one act.
    #[must_use]
    pub fn decide(&self, act: &Act, origin: &Origin) -> Decision {
        let mut look = Look::new(self, origin);
        let name = act.name();
        let mut moment = Moment::Final;
        match act {
            Act::ToolCall { tool, .. } => look.fact(name, &Fact::Tool { tool }, || format!("`{tool}`")),
            Act::Script { text, directory } => {
                moment = Moment::Advance;
                look.script(text, Some(directory));
            }
            Act::ProcessRun { argv, directory, environment } => process_run(&mut look, argv, directory, environment),
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
        }
        risk::decide(look.finish(), self.policy.thresholds, moment)
    }

    /// Judge a shell command by its text alone, as if nothing came after: what `ask` would mean for
    /// one of its commands it means for the whole.
    #[must_use]
    pub fn judge(&self, command: &str, directory: &str) -> Decision {
        let origin = Origin::default();
        let mut look = Look::new(self, &origin);
        look.script(command, Some(directory));
        risk::decide(look.finish(), self.policy.thresholds, Moment::Final)
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

fn process_run(look: &mut Look<'_>, argv: &[String], directory: &str, environment: &[(String, String)]) {
    for text in argv {
        look.note_text(text);
    }
    if argv.first().is_none_or(String::is_empty) {
        look.note("unparsed", "there is no program".to_owned());
        return;
    }
    let words: Vec<Word> = argv.iter().map(Word::plain).collect();
    let names: Vec<String> = environment.iter().map(|(name, _)| name.clone()).collect();
    look.command(&Line {
        words: &words,
        environment: &names,
        directory: Some(directory),
        input: &Flow::default(),
        scope: None,
    });
}
