//! One look at a command line or a script: finds what the rules and the gate itself have to say,
//! grouped by pipeline, within a budget.
//!
//! Carriers are opened, again and again, to a bounded depth; what lies beyond the bounds is a
//! finding that denies, so nothing is allowed for being too long to read.

use std::borrow::Cow;

use brush_parser::ast::Program;

use super::Gate;
use super::action::Origin;
use super::address::is_metadata_address;
use super::argv::{Argv, Taint, Word, line_of};
use super::carrier::{
    Carried, InputWords, carried, code, is_harmless_code, is_interpreter, is_of_project, only_prints, passing,
};
use super::decision::Verdict;
use super::effect::{Effect, Kind, Severity, effects, flow};
use super::explain::is_hidden;
use super::flag_name::{Does, told};
use super::glob::UNKNOWN;
use super::install::{Operation, Plan, is_setting, plan_with};
use super::path::{base_name, folded, is_within};
use super::program::Known;
use super::risk::{FINDINGS, Found, Unit};
use super::rule::{CloudFact, Fact, PathText};
use super::shell::lower::Lower;
use super::shell::output::Flow;
use super::shell::parse::{self, Unparsed};
use super::shell::scope::{Passing, Scope, Value};
use super::talk;
use super::target::targets;
use super::trace::{STEPS_MAX, Step};
use super::variable::{
    Heed, gets_a_file, has_dangerous_options, heed, is_foreign_search_path, is_harmless_program, is_heeded_by_name,
    names_a_place,
};

/// Commands that one look follows. Danger: loops and functions that multiply.
pub(crate) const COMMANDS_MAX: usize = 20_000;
/// Work that one look does, in bytes of text that it reads or makes. Danger: `x=$x$x`, lists that double, loops
/// around a long word: few commands, and each of them larger than the last.
pub(crate) const WORK_MAX: usize = 64 << 20;
/// Words of one command. Danger: each of them is compared with each rule about files.
pub(crate) const COMMAND_WORDS_MAX: usize = 20_000;
/// What a word of a command, and a byte of a script that is parsed, cost beside a byte of plain text.
const WORK_PER_WORD: usize = 64;
/// What a byte of a command or of its input costs: it is read as SQL, compared with rules, quoted.
const WORK_PER_BYTE_RUN: usize = 8;
const WORK_PER_BYTE_PARSED: usize = 8;
/// Carriers in carriers, functions in functions, substitutions in substitutions.
pub(crate) const DEPTH_MAX: usize = 40;
/// Kinds of effects whose verbs are known well enough that a reading one needs no table.
const LOOKS: &[Kind] =
    &[Kind::Database, Kind::Kubernetes, Kind::Infrastructure, Kind::Cloud, Kind::Queue, Kind::Service];
/// Commands of one script that policies in Rego hear one by one; of more they cannot judge.
pub(crate) const COMMANDS_HEARD_MAX: usize = 64;
/// Effects that one look keeps. Danger: a loop that makes ten thousand of them.
const EFFECTS_MAX: usize = 1_024;
/// What the points of a change of a machine elsewhere are multiplied by at least.
const ELSEWHERE_FACTOR: f32 = 1.5;
/// By the end of their names, logs that were rotated away and packed.
const PACKED: &[&str] = &["gz", "xz", "bz2", "zst", "old"];
/// What stands between a file's name and the beginning of its digest in the name of the copy that is kept of it.
const KEPT_MARK: &str = ".pi-host-";
/// Longest piece of a command that a finding quotes.
const DETAIL_CHARS_MAX: usize = 200;
/// Folders whose programs are the system's own.
const SYSTEM_FOLDERS: &[&str] =
    &["/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/", "/opt/homebrew/bin/"];

/// Programs whose operands are addresses that the network sees.
const SENDS: &[&str] = &[
    "curl",
    "wget",
    "http",
    "https",
    "xh",
    "nc",
    "ncat",
    "netcat",
    "dig",
    "nslookup",
    "host",
    "ping",
    "ping6",
    "whois",
    "traceroute",
    "tracepath",
    "mtr",
    "telnet",
    "drill",
    "kdig",
    "aria2c",
    "lynx",
    "w3m",
    "links",
    "fetch",
    "axel",
    "getent",
    "resolvectl",
    "grpcurl",
    "websocat",
];

/// A command line with what surrounds it.
pub(crate) struct Line<'a> {
    pub words: &'a [Word],
    /// The names of the variables that are set for it.
    pub environment: &'a [String],
    pub directory: Option<&'a str>,
    pub input: &'a Flow,
    /// The shell's state, where it runs in a script: inner shells see what it exports.
    pub scope: Option<&'a Scope>,
}

/// One look.
pub(crate) struct Look<'g> {
    gate: &'g Gate,
    origin: &'g Origin,
    done: Vec<Unit<'g>>,
    current: Unit<'g>,
    is_in_unit: bool,
    commands_left: usize,
    work_left: usize,
    depth: usize,
    effects: Vec<Effect>,
    decoded: Vec<String>,
    installs: Vec<Plan>,
    /// Variables that say where packages come from, with what they were set to.
    settings: Vec<(String, Word)>,
    /// Of the pipeline that is looked at: the files that it reads, and what it does in the network.
    reads: Vec<String>,
    network: Vec<Effect>,
    /// The commands with their effects, where policies in Rego want to hear of each.
    commands: Vec<(Vec<String>, Vec<Effect>)>,
    has_granted: bool,
    /// The operator wrote this command line down, for the host itself to start.
    pub(crate) is_granted_command: bool,
    /// The operator wrote down that what the next effect is may be done.
    pub(crate) is_granted_effect: bool,
    /// It runs on a machine elsewhere, which is production whatever its name, and where this host's grants say nothing:
    /// what the points of a change there are multiplied by.
    elsewhere: Option<f32>,
    /// Files there that the operator calls the configuration of what runs there.
    declared: Vec<String>,
    /// Folders there that the operator calls its logs.
    declared_logs: Vec<String>,
    /// None: nobody wants to see the way.
    steps: Option<Vec<Step>>,
}

/// What a look has found.
pub(crate) struct Seen<'g> {
    pub units: Vec<Unit<'g>>,
    pub effects: Vec<Effect>,
    pub decoded: Vec<String>,
    pub installs: Vec<Plan>,
    pub commands: Vec<(Vec<String>, Vec<Effect>)>,
    /// Whether a program was looked at that the operator granted by name.
    pub has_granted: bool,
}

impl<'g> Look<'g> {
    pub(crate) fn new(gate: &'g Gate, origin: &'g Origin) -> Self {
        Self {
            gate,
            origin,
            done: vec![],
            current: Unit::default(),
            is_in_unit: false,
            commands_left: COMMANDS_MAX,
            work_left: WORK_MAX,
            depth: 0,
            effects: vec![],
            decoded: vec![],
            installs: vec![],
            settings: vec![],
            reads: vec![],
            network: vec![],
            commands: vec![],
            has_granted: false,
            is_granted_command: false,
            is_granted_effect: false,
            elsewhere: None,
            declared: vec![],
            declared_logs: vec![],
            steps: None,
        }
    }

    /// What was found.
    pub(crate) fn finish(mut self) -> Seen<'g> {
        self.end_unit();
        Seen {
            units: self.done,
            effects: self.effects,
            decoded: self.decoded,
            installs: self.installs,
            commands: self.commands,
            has_granted: self.has_granted,
        }
    }

    /// Note each step on the way.
    pub(crate) fn with_trace(mut self) -> Self {
        self.steps = Some(vec![]);
        self
    }

    pub(crate) fn take_steps(mut self) -> Vec<Step> {
        self.steps.take().unwrap_or_default()
    }

    pub(crate) fn is_traced(&self) -> bool {
        self.steps.is_some()
    }

    /// Note a step, if anybody wants to see it.
    pub(crate) fn step(
        &mut self,
        kind: &'static str,
        points: u8,
        span: Option<(usize, usize)>,
        text: impl FnOnce() -> String,
    ) {
        let depth = self.depth;
        if let Some(steps) = self.steps.as_mut().filter(|steps| steps.len() < STEPS_MAX) {
            steps.push(Step { depth, kind, text: text(), span, points });
        }
    }

    /// Add what was found to the pipeline.
    fn add(&mut self, found: Found<'g>) {
        self.step("finding", found.points, None, || format!("{}: {}", found.name, found.detail));
        self.current.add(found);
    }

    /// Keep code that an encoding hid, to be shown. Danger: an endless text, or endlessly many.
    pub(crate) fn note_decoded(&mut self, code: &str) {
        const DECODED_MAX: usize = 8;
        const DECODED_CHARS_MAX: usize = 1_000;
        let code = code.trim();
        if code.is_empty() || code.contains(UNKNOWN) || self.decoded.len() >= DECODED_MAX {
            return;
        }
        let short: String = code.chars().take(DECODED_CHARS_MAX).collect();
        if !self.decoded.contains(&short) {
            self.step("decoded", 0, None, || short.clone());
            self.decoded.push(short);
        }
    }

    /// Begin a pipeline, unless one is under way.
    pub(crate) fn begin_unit(&mut self) -> bool {
        !std::mem::replace(&mut self.is_in_unit, true)
    }

    pub(crate) fn end_unit(&mut self) {
        self.is_in_unit = false;
        if let Some(flow) = flow(&self.reads, &self.network) {
            self.effect(flow, false);
        }
        self.reads.clear();
        self.network.clear();
        let unit = std::mem::take(&mut self.current);
        if !unit.found.is_empty() {
            self.done.push(unit);
        }
    }

    /// One command further, one level deeper; `false` when there is no more budget.
    pub(crate) fn enter(&mut self) -> bool {
        if self.commands_left == 0 {
            if self.work_left > 0 {
                self.note("too_complex", format!("it is more than {COMMANDS_MAX} commands"));
            }
            self.work_left = 0;
            return false;
        }
        self.commands_left -= 1;
        self.spend(1) && self.deepen()
    }

    /// Whether the budget is used up, which was told when it happened.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.work_left == 0
    }

    /// Spend so much of the budget; `false` when it is used up, which is a finding.
    pub(crate) fn spend(&mut self, work: usize) -> bool {
        if work < self.work_left {
            self.work_left -= work;
            return true;
        }
        if self.work_left > 0 {
            self.work_left = 0;
            self.note("too_complex", format!("it makes more than {WORK_MAX} bytes of text"));
        }
        false
    }

    /// One level deeper; `false` when that is too deep.
    pub(crate) fn deepen(&mut self) -> bool {
        if self.depth >= DEPTH_MAX {
            self.note("too_complex", format!("it nests more than {DEPTH_MAX} deep"));
            return false;
        }
        self.depth += 1;
        true
    }

    pub(crate) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Look at a whole script.
    pub(crate) fn script(&mut self, text: &str, directory: Option<&str>) {
        self.script_in(text, directory, &[]);
    }

    /// Look at a whole script that runs with these variables.
    pub(crate) fn script_in(&mut self, text: &str, directory: Option<&str>, environment: &[(String, String)]) {
        let mut scope = Scope::new(directory);
        for (name, value) in environment {
            let value = Word::plain(value);
            self.variable(name, &value, directory, None);
            scope.set(name, Value::Text(value));
            scope.export(name);
        }
        scope.set_lately.clear();
        self.note_text(text);
        if talk::talks_to_reader(text) {
            self.note("talks_to_reader", quoted(text));
        }
        if let Some(program) = self.parsed(text) {
            Lower::new(self, scope).with_source(text).program(&program, &Flow::default());
        }
    }

    /// Look at a script that runs on a machine elsewhere; whether it does nothing but look there, as far as can be told.
    pub(crate) fn script_elsewhere(
        &mut self,
        text: &str,
        directory: &str,
        is_production: bool,
        (config, logs): (&[String], &[String]),
    ) -> bool {
        let named = if is_production { self.gate.production.factor } else { 1.0 };
        self.elsewhere = Some(named.max(ELSEWHERE_FACTOR));
        (self.declared, self.declared_logs) = (config.to_vec(), logs.to_vec());
        self.script(text, Some(directory));
        self.elsewhere = None;
        self.declared.clear();
        self.declared_logs.clear();
        self.done.is_empty()
            && self.current.found.is_empty()
            && self.installs.is_empty()
            && self.effects.iter().all(|effect| effect.severity == Severity::Read)
    }

    /// The tree of a script, or a finding.
    pub(crate) fn parsed(&mut self, text: &str) -> Option<Program> {
        if !self.spend(text.len().saturating_mul(WORK_PER_BYTE_PARSED)) {
            return None;
        }
        match parse::program(text) {
            Ok(program) => return Some(program),
            Err(Unparsed::TooLarge) => self.note("too_large", format!("{} bytes", text.len())),
            Err(Unparsed::TooDeep) => {
                self.note("too_complex", format!("it nests more than {} deep", parse::NESTING_MAX))
            }
            Err(Unparsed::Syntax(error)) => {
                self.note("unparsed", error);
                // What can be seen without a tree is still worth to be told: a hard rule is a hard rule.
                self.command_by_spaces(text);
            }
        }
        None
    }

    /// The words between white space of a text that is no script, read as commands line by line.
    fn command_by_spaces(&mut self, text: &str) {
        const LINES_MAX: usize = 16;
        for line in text.lines().take(LINES_MAX) {
            let words: Vec<Word> =
                line.split_whitespace().map(|word| Word::plain(word.trim_matches(['\'', '"', ';']))).collect();
            if self.enter() {
                self.command(&Line {
                    words: &words,
                    environment: &[],
                    directory: None,
                    input: &Flow::default(),
                    scope: None,
                });
                self.leave();
            }
        }
    }

    /// Characters that no honest text needs.
    pub(crate) fn note_text(&mut self, text: &str) {
        if text.contains('\0') {
            self.note("invalid_text", "a NUL character".to_owned());
        }
        if let Some(c) = text.chars().find(|c| is_odd(*c)) {
            self.note("hidden_text", format!("the character U+{:04X}", u32::from(c)));
        }
    }

    /// Note that code is run which is not wholly known, by where the unknown part comes from.
    pub(crate) fn note_code(&mut self, code: &str, taint: Taint) {
        let name = match taint {
            Taint::Network => "network_to_shell",
            Taint::Decoded => {
                self.note_decoded(code);
                "decoded_to_shell"
            }
            Taint::None | Taint::Computed if code.contains(UNKNOWN) => "dynamic_code",
            Taint::None | Taint::Computed => return,
        };
        self.note(name, quoted(code));
    }

    /// Add a finding: by the policy's rules for it, and never below its floor.
    pub(crate) fn note(&mut self, name: &'static str, detail: String) {
        let Some(finding) = FINDINGS.iter().find(|finding| finding.name == name) else { return };
        if self.is_granted_command && name == "runs_file" {
            // The operator has named the file, and no tool may change it.
            return;
        }
        let gate = self.gate;
        let mut is_ruled = false;
        for rule in gate.policy().rules_for_finding(name) {
            if !rule.when.holds(&Fact::Finding { name }, self.origin) {
                continue;
            }
            is_ruled = true;
            let mut found = Found::by_rule(rule, detail.clone());
            found.verdict = found.verdict.max(finding.floor);
            found.is_structural = finding.is_structural;
            self.add(found);
        }
        if !is_ruled && finding.floor > Verdict::Allow {
            self.add(Found {
                name: finding.name,
                points: if finding.floor == Verdict::Deny { 100 } else { 50 },
                verdict: finding.floor,
                reason: finding.reason,
                advice: finding.advice,
                detail,
                is_structural: finding.is_structural,
                is_granted: false,
            });
        }
    }

    /// Look at an act on files.
    pub(crate) fn file(
        &mut self,
        act: &'static str,
        paths: &[(&str, bool)],
        is_recursive: bool,
        mode: Option<u32>,
        directory: Option<&str>,
    ) {
        // What only the run will tell may be any file of a folder that is known, where it is read.
        let stands_for = |path: &str, is_glob: bool| {
            let text = folded(path, directory);
            match text.contains(UNKNOWN) && is_look(act) && !path.starts_with(UNKNOWN) && !path.starts_with("/dev/") {
                true => (text.replace(UNKNOWN, "*"), true),
                false => (text, is_glob),
            }
        };
        let folded: Vec<(String, bool)> = paths.iter().map(|(path, is_glob)| stands_for(path, *is_glob)).collect();
        let texts: Vec<PathText<'_>> =
            folded.iter().map(|(text, is_glob)| PathText { text, is_glob: *is_glob }).collect();
        // Elsewhere than at home or around the folder at hand, `x/*` is no more `x/pi.toml` than anything else.
        let parent = |text: &str| text.rsplit_once('/').map_or(".", |(parent, _)| parent).to_owned();
        let by_name =
            is_look(act) || texts.iter().all(|path| !path.is_glob || !is_home_or_above(&parent(path.text), directory));
        self.files(act, &Fact::File { paths: &texts, is_recursive, mode, by_command: true, by_name });
    }

    /// Look at a tree that is put somewhere: what is in it may have the name of anything that matters there. In
    /// a folder of its own that is what the rules name by that folder; at home, or around the folder at hand, it is all.
    fn tree(&mut self, act: &'static str, path: &str, directory: Option<&str>) {
        let folder = folded(path, directory);
        let by_name = !is_home_or_above(&folder, directory);
        let names = [format!("{folder}/*"), format!("{folder}/.*")];
        let mut texts: Vec<PathText<'_>> = names.iter().map(|text| PathText { text, is_glob: true }).collect();
        if by_name {
            texts.truncate(1);
        }
        self.files(act, &Fact::File { paths: &texts, is_recursive: true, mode: None, by_command: false, by_name });
    }

    /// Look at an act on files whose paths are folded. Allocates nothing when there is nothing to say.
    pub(crate) fn folded_file(
        &mut self,
        act: &'static str,
        paths: &[PathText<'_>],
        is_recursive: bool,
        mode: Option<u32>,
    ) {
        self.files(act, &Fact::File { paths, is_recursive, mode, by_command: false, by_name: is_look(act) });
    }

    fn files(&mut self, act: &'static str, fact: &Fact<'_>) {
        let Fact::File { paths, is_recursive, .. } = *fact else { return };
        let gate = self.gate;
        // That this very file may have to be changed, or such a one removed, the operator has foreseen: the hardest rule
        // holds for it, so people are asked. That others say the same once more, and that it is elsewhere, does not
        // make their question a refusal.
        let is_foreseen = !is_recursive
            && match act {
                "file_write" => self.are_declared(paths),
                "file_remove" => self.are_rotated(paths),
                _ => false,
            };
        let rules = gate.policy().rules_for_act(act);
        let mut found: Vec<Found<'g>> = rules
            .filter(|rule| rule.when.holds(fact, self.origin))
            .map(|rule| Found::by_rule(rule, file_detail(act, paths, is_recursive)))
            .collect();
        if is_foreseen {
            found.sort_by_key(|found| std::cmp::Reverse((found.verdict, found.points)));
            found.truncate(1);
        }
        found.into_iter().for_each(|found| self.add(found));
        let is_change = !is_look(act);
        if let Fact::File { by_command: true, .. } = fact {
            for path in paths {
                if act == "file_read" && self.has_room(self.reads.len()) {
                    self.reads.push(path.text.to_owned());
                }
                if is_change {
                    let operation = act.strip_prefix("file_").unwrap_or("make_directory");
                    let severity = if act == "file_remove" { Severity::Destructive } else { Severity::Write };
                    let effect = Effect::new(Kind::File, operation, path.text, severity);
                    self.step("effect", 0, None, || format!("{} {}", effect.name(), quoted(path.text)));
                    self.keep(effect);
                }
            }
        }
        let is_named = paths.iter().any(|path| gate.is_production(path.text));
        if is_change && (is_named || self.elsewhere.is_some()) {
            if !is_foreseen {
                self.current.factor = self.current.factor.max(self.production_factor(is_named));
            }
            self.note("production", file_detail(act, paths, is_recursive));
        }
        // `json.py` runs wherever `python3 -c 'import json'` is run beside it.
        if is_change && paths.iter().any(|path| code::is_shadow(path.text)) {
            self.note("runs_file", file_detail(act, paths, is_recursive));
        }
        if is_change && paths.iter().any(|path| gate.protects(path.text, is_recursive || act == "file_rename")) {
            self.note("self_protection", file_detail(act, paths, is_recursive));
        }
    }

    /// Whether each is a file that is declared, or the copy of one that is kept beside it before it is changed. No
    /// pattern is, nor what only the run will tell.
    fn are_declared(&self, paths: &[PathText<'_>]) -> bool {
        let is_declared = |text: &str| self.declared.iter().any(|file| file == text);
        let is_kept = |text: &str| {
            let kept = text.rsplit_once(KEPT_MARK);
            kept.is_some_and(|(file, stamp)| is_declared(file) && stamp.bytes().all(|byte| byte.is_ascii_hexdigit()))
        };
        !paths.is_empty() && paths.iter().all(|path| !path.is_glob && (is_declared(path.text) || is_kept(path.text)))
    }

    /// Whether each is a log that was rotated away, by its name, in a folder that is declared as one of logs.
    fn are_rotated(&self, paths: &[PathText<'_>]) -> bool {
        let is_below = |text: &str| {
            self.declared_logs.iter().any(|folder| text.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
        };
        !paths.is_empty() && paths.iter().all(|path| !path.is_glob && is_below(path.text) && is_rotated(path.text))
    }

    /// Look at an act that is neither a command nor about files.
    pub(crate) fn fact(&mut self, act: &'static str, fact: &Fact<'_>, detail: impl Fn() -> String) {
        let gate = self.gate;
        for rule in gate.policy().rules_for_act(act) {
            if rule.when.holds(fact, self.origin) {
                self.add(Found::by_rule(rule, detail()));
            }
        }
    }

    /// Look at a variable that what runs next sees. Names for which any value matters are the policy's; here
    /// are those whose value decides.
    pub(crate) fn variable(&mut self, name: &str, value: &Word, directory: Option<&str>, scope: Option<&Scope>) {
        if name.contains(UNKNOWN) {
            self.note("dynamic_code", format!("a variable whose name only the run will tell: {}", quoted(name)));
        }
        if is_heeded_by_name(name, value) {
            self.note("foreign_setting", format!("{name}={}", quoted(&value.text)));
        }
        if turns_off_a_guard(name, &value.text) {
            self.note("guard_off", format!("{name}={}", quoted(&value.text)));
        }
        self.heeded_variable(name, value, directory, scope);
    }

    /// Look at a variable that what runs next sees only if it is there already.
    pub(crate) fn heeded_variable(&mut self, name: &str, value: &Word, directory: Option<&str>, scope: Option<&Scope>) {
        // It holds until the end of the look: of two commands, rather one too many from elsewhere.
        if is_setting(name) {
            self.set(name, value);
        }
        let is_foreign = match heed(name) {
            Some(Heed::SearchPath) if is_foreign_search_path(&value.text) || value.taint > Taint::None => {
                self.note("search_path", format!("{name}={}", quoted(&value.text)));
                false
            }
            Some(Heed::Options) if has_dangerous_options(name, value) => {
                self.note("dynamic_code", format!("{name}={}", quoted(&value.text)));
                false
            }
            Some(Heed::Runs) => {
                self.run_by_setting(value, directory, scope);
                if gets_a_file(name) && value.is_known() {
                    self.run_on_file(value, directory, scope);
                }
                false
            }
            Some(Heed::Place) => names_a_place(value),
            Some(Heed::Any) => !matches!(value.text.as_str(), "" | "~"),
            None | Some(Heed::SearchPath | Heed::Options) => false,
        };
        if is_foreign {
            self.note("foreign_setting", format!("{name}={}", quoted(&value.text)));
        }
    }

    /// Look at a pager or an editor with the file that it gets: `EDITOR=rm`.
    fn run_on_file(&mut self, value: &Word, directory: Option<&str>, scope: Option<&Scope>) {
        let text = value.text.trim_matches(['|', '!', '-', '@', ' ']);
        if is_harmless_program(&value.text) || text.is_empty() || !self.enter() {
            return;
        }
        let code = Word { text: format!("{text} \"$@\""), ..value.clone() };
        let line = Line { words: &[], environment: &[], directory, input: &Flow::default(), scope };
        self.inner_script(&code, vec![Word::plain("sh"), Word::unknown(Taint::None)], &line);
        self.leave();
    }

    /// Look at a setting that some program runs as a command.
    pub(crate) fn run_by_setting(&mut self, value: &Word, directory: Option<&str>, scope: Option<&Scope>) {
        if is_harmless_program(&value.text) || !self.enter() {
            return;
        }
        // `LESSOPEN='|x %s'`, `alias.x=!x`: a mark in front says how it is run.
        let text = value.text.trim_start_matches(['|', '!', '-', '@', ' ']);
        let code = Word { text: text.to_owned(), ..value.clone() };
        let line = Line { words: &[], environment: &[], directory, input: &Flow::default(), scope };
        self.note("runs_setting", quoted(&value.text));
        self.inner_script(&code, vec![], &line);
        self.leave();
    }

    /// Look at a command line, and at what it carries.
    pub(crate) fn command(&mut self, line: &Line<'_>) {
        let Some(first) = line.words.first() else { return };
        if first.text.is_empty() {
            return;
        }
        if line.words.len() > COMMAND_WORDS_MAX {
            self.note("too_complex", format!("`{}` has more than {COMMAND_WORDS_MAX} words", quoted(&first.text)));
            return;
        }
        let bytes: usize = line.words.iter().map(|word| word.text.len() + WORK_PER_WORD).sum();
        let bytes = bytes + line.input.text.as_ref().map_or(0, String::len);
        if !self.spend(bytes.saturating_mul(WORK_PER_BYTE_RUN)) {
            return;
        }
        if !first.is_known() {
            self.note_program(line.words);
        }
        let gate = self.gate;
        let policy = gate.policy();
        let program = policy.programs.find(base_name(&first.text));
        let argv = Argv::read(line.words, program.map_or(&[], |program| program.valued.as_slice()));
        self.step("command", 0, None, || argv.line().to_owned());
        let fact = Fact::Command { argv: &argv, environment: line.environment };
        let mut is_judged = false;
        for rule in policy.rules_for_program(argv.program) {
            if rule.when.holds(&fact, self.origin) {
                is_judged |= rule.verdict > Verdict::Allow;
                self.add(Found::by_rule(rule, quoted(argv.line())));
            }
        }
        is_judged |= self.effects(&argv, line);
        if let Some(plan) = plan_with(&argv, || self.settings_of(line)) {
            is_judged |= self.install(plan);
        }
        for target in targets(&argv, program) {
            if is_file_like(&target.path) {
                let path = target.path.strip_prefix("file://").unwrap_or(&target.path);
                self.file(target.act, &[(path, target.is_glob)], target.is_recursive, target.mode, line.directory);
                if target.is_tree {
                    self.tree(target.act, path, line.directory);
                }
            }
        }
        if SENDS.contains(&argv.program) {
            self.addresses(&argv);
        }
        let input = InputWords {
            text: line.input.text.as_deref(),
            taint: line.input.taint,
            is_connected: line.input.is_connected,
        };
        let mut all = carried(line.words, &input);
        if let Some(program) = program.filter(|_| !argv.flags.is_empty()) {
            for value in argv.values(&program.runs) {
                // What fzf shows beside its list is a command of the person's own.
                all.push(match argv.program {
                    "fzf" => Carried::Script { code: Word::plain(value), positional: vec![] },
                    _ => Carried::Setting { code: Word::plain(value) },
                });
            }
            for value in argv.values(&program.loads) {
                self.note("runs_file", quoted(value));
            }
        }
        if let Some(program) = program {
            for (does, value) in told(&argv, &program.valued) {
                match does {
                    Does::Runs => self.note("runs_file", quoted(value)),
                    Does::Writes => self.file("file_write", &[(value, false)], false, None, line.directory),
                }
            }
        }
        let is_carrier = !all.iter().all(|inner| matches!(inner, Carried::Touched { .. } | Carried::Noted { .. }));
        for inner in all {
            if !self.enter() {
                break;
            }
            self.carried(inner, line);
            self.leave();
        }
        // A rule that decides over this command knows it better than the table of programs.
        if first.is_known() && !is_judged {
            self.note_known(&argv, is_carrier, line.directory);
        }
    }

    /// What a command line would do beyond files. Whether that says what the table of programs would:
    /// a rule has decided over it, or it is known that it changes nothing.
    fn effects(&mut self, argv: &Argv<'_>, line: &Line<'_>) -> bool {
        let all = effects(argv, line.input.text.as_deref());
        // Of these it is known of each verb whether it only looks. Of others it is not what is looked at
        // that matters: the network answers, and hears of it; a commit is read into a working tree.
        let is_read = |effect: &Effect| effect.severity == Severity::Read && LOOKS.contains(&effect.kind);
        let mut is_judged = !all.is_empty() && all.iter().all(is_read);
        let gate = self.gate;
        if gate.hears_commands() && self.commands.len() <= COMMANDS_HEARD_MAX {
            let words = argv.words.iter().map(|word| word.text.clone()).collect();
            self.commands.push((words, all.clone()));
        }
        // A host, a context or a profile stands anywhere on the line.
        let is_production = !all.is_empty() && argv.words.iter().skip(1).any(|word| gate.is_production(&word.text));
        for effect in all {
            // A client writes the file itself (`\o x`, `.output x`): to the rules it is a write like any other.
            if effect.kind == Kind::File {
                let act = if effect.severity == Severity::Read { "file_read" } else { "file_write" };
                let path = effect.target.trim_matches(['\'', '"']);
                self.file(act, &[(path, false)], false, None, line.directory);
            }
            is_judged |= self.effect(effect, is_production);
        }
        is_judged
    }

    /// Look at what an act that is no command does: by the rules for the act, and by those for such an effect.
    pub(crate) fn act_effect(&mut self, act: &'static str, effect: Effect) {
        let name = effect.name();
        let is_production = effect.severity > Severity::Read && self.gate.is_production(&effect.target);
        let detail = || format!("{name} {}", quoted(&effect.target));
        self.fact(act, &Fact::Effect { name: &name, effect: &effect, is_production, call: None }, detail);
        self.effect(effect, false);
    }

    /// Look at an effect of a call of a cloud.
    pub(crate) fn call_effect(&mut self, act: &'static str, effect: Effect, call: CloudFact<'_>, is_production: bool) {
        let name = effect.name();
        let is_production = effect.severity > Severity::Read && is_production;
        let detail = || format!("{} {name} {}", call.operation, quoted(&effect.target));
        let call = Some(call);
        self.fact(act, &Fact::Effect { name: &name, effect: &effect, is_production, call }, detail);
        self.effect(effect, is_production);
    }

    pub(crate) fn names_production(&self, name: &str) -> bool {
        self.gate.is_production(name)
    }

    /// What the points of a change of production are multiplied by.
    fn production_factor(&self, is_named: bool) -> f32 {
        let named = if is_named { self.gate.production.factor } else { 1.0 };
        named.max(self.elsewhere.unwrap_or(1.0))
    }

    /// Look at one effect; whether a rule asks or denies because of it.
    fn effect(&mut self, effect: Effect, is_production: bool) -> bool {
        let gate = self.gate;
        let mut is_judged = false;
        let is_named = is_production || gate.is_production(&effect.target);
        let is_production = effect.severity > Severity::Read && (is_named || self.elsewhere.is_some());
        let name = effect.name();
        let detail = || format!("{name} {}", quoted(&effect.target));
        self.step("effect", 0, None, detail);
        for rule in gate.policy().rules_for_effect(effect.kind) {
            if rule.when.holds(&Fact::Effect { name: &name, effect: &effect, is_production, call: None }, self.origin) {
                is_judged |= rule.verdict > Verdict::Allow;
                // What is production weighs more, whatever is granted.
                let is_granted = self.is_granted_effect && !is_production;
                self.add(Found { is_granted, ..Found::by_rule(rule, detail()) });
            }
        }
        if is_production {
            self.current.factor = self.current.factor.max(self.production_factor(is_named));
            self.note("production", detail());
        }
        if effect.kind == Kind::Network && self.has_room(self.network.len()) {
            self.network.push(effect.clone());
        }
        self.keep(effect);
        is_judged
    }

    /// Keep an effect for who comes after the rules.
    fn keep(&mut self, effect: Effect) {
        if !self.effects.contains(&effect) && self.has_room(self.effects.len()) {
            self.effects.push(effect);
        }
    }

    /// Whether one more can be kept of what there are so many of. What is not kept is said: nobody who
    /// comes after the rules would hear of it.
    fn has_room(&mut self, count: usize) -> bool {
        if count >= EFFECTS_MAX {
            self.note("too_complex", format!("it has more than {EFFECTS_MAX} effects"));
        }
        count < EFFECTS_MAX
    }

    fn set(&mut self, name: &str, value: &Word) {
        const SETTINGS_MAX: usize = 64;
        let setting = (name.to_owned(), value.clone());
        if self.settings.len() < SETTINGS_MAX && !self.settings.contains(&setting) {
            self.settings.push(setting);
        }
    }

    /// The variables that say where packages come from, also those that a script has exported before.
    fn settings_of(&self, line: &Line<'_>) -> Vec<(String, Word)> {
        let is_set = |name: &String| is_setting(name) && line.scope.is_some_and(|scope| scope.is_assigned(name));
        let names = line.environment.iter().filter(|name| is_set(name));
        let exported = names.flat_map(|name| {
            let words = line.scope.map(|scope| scope.get(name)).unwrap_or_default();
            words.into_iter().map(|word| (name.clone(), word)).collect::<Vec<_>>()
        });
        self.settings.iter().cloned().chain(exported).collect()
    }

    /// Look at what a package manager would do; whether a rule asks or denies because of it.
    fn install(&mut self, plan: Plan) -> bool {
        let mut is_judged = false;
        let severity = match plan.operation {
            Operation::Read => Severity::Read,
            Operation::Publish => Severity::Destructive,
            _ => Severity::Write,
        };
        let operation = match plan.operation {
            Operation::Install => "install",
            Operation::Run => "run",
            Operation::Upgrade => "upgrade",
            Operation::Remove => "remove",
            Operation::Restore => "restore",
            Operation::Read => "read",
            Operation::Publish => "publish",
            Operation::Configure => "configure",
        };
        let names = plan.wanted.iter().map(|wanted| format!("{}:{}", wanted.ecosystem, wanted.name));
        let targets: Vec<String> = names.chain(plan.files.iter().map(|file| file.path.clone())).collect();
        let targets = if targets.is_empty() { vec![plan.manager.to_owned()] } else { targets };
        for target in targets {
            is_judged |= self.effect(Effect::new(Kind::Package, operation, target, severity), false);
        }
        if let Some(why) = plan.unknown.first().filter(|_| plan.operation != Operation::Read) {
            self.note("unknown_package", why.clone());
        }
        if plan.operation != Operation::Read && self.has_room(self.installs.len()) {
            self.installs.push(plan);
        }
        is_judged
    }

    /// Look at where a program that sends things sends them.
    fn addresses(&mut self, argv: &Argv<'_>) {
        let values = argv.all_values();
        if let Some(word) = argv.words.iter().skip(1).find(|word| is_metadata_address(&word.text)) {
            self.note("metadata_address", quoted(&word.text));
        } else if let Some(value) = values.into_iter().find(|value| is_metadata_address(value)) {
            self.note("metadata_address", quoted(value));
        }
        let holds_data = |word: &Word| word.taint > Taint::None && (!word.is_known() || word.taint > Taint::Computed);
        // What names a file here stays here: `curl -o page-$(date +%F).html`.
        let stays =
            |flag: &str| matches!(flag, "-o" | "--output" | "-O" | "--output-document" | "-P" | "-m" | "--max-time");
        let sent = argv.words.windows(2).find(|pair| holds_data(&pair[1]) && !stays(&pair[0].text));
        if let Some([_, word]) = sent {
            self.note("data_in_address", quoted(&word.text));
        }
    }

    fn note_program(&mut self, words: &[Word]) {
        let taint = words.first().map(|word| word.taint).unwrap_or_default();
        match taint {
            Taint::None | Taint::Computed => self.note("dynamic_command", quoted(&line_of(words))),
            Taint::Decoded | Taint::Network => self.note_code(&line_of(words), taint),
        }
    }

    fn note_known(&mut self, argv: &Argv<'_>, is_carrier: bool, directory: Option<&str>) {
        let path = argv.words.first().map_or("", |word| word.text.as_str());
        if self.elsewhere.is_none() && (self.is_granted_command || self.gate.is_granted(path)) {
            self.has_granted = true;
            return;
        }
        let is_system = !path.contains('/')
            || SYSTEM_FOLDERS.iter().any(|folder| path.strip_prefix(folder) == Some(argv.program))
            || is_of_project(path, directory);
        let known = if is_system { self.gate.policy().programs.known(argv) } else { Known::Unknown };
        match known {
            Known::Reads => {}
            Known::Writes => self.note("writes_state", quoted(argv.line())),
            Known::Changes if !is_carrier => self.note("changes_state", quoted(argv.line())),
            Known::Unknown if !is_carrier || !is_system => self.note("unknown_program", quoted(path)),
            Known::Changes | Known::Unknown => {}
        }
    }

    fn carried(&mut self, inner: Carried, line: &Line<'_>) {
        self.step("carries", 0, None, || inner.summary());
        match inner {
            Carried::Command { words, environment, directory } => {
                let directory = directory.map(|directory| folded(&directory, line.directory));
                let directory = directory.as_deref().or(line.directory);
                for (name, value) in &environment {
                    self.variable(name, value, directory, line.scope);
                }
                let passing = passing(line.words);
                let is_changed = passing != Passing::Exported || !environment.is_empty();
                let mut scope = line.scope.filter(|_| is_changed).map(|scope| scope.inner(passing));
                let mut names = line.environment.to_vec();
                for (name, value) in environment {
                    if let Some(scope) = &mut scope {
                        scope.set(&name, Value::Text(value));
                        scope.export(&name);
                    }
                    names.push(name);
                }
                let scope = scope.as_ref().or(line.scope);
                let is_list = |program: &str| matches!(program, "xargs" | "gxargs" | "parallel");
                let by = |words: &[Word]| words.first().map_or(String::new(), |word| base_name(&word.text).to_owned());
                if is_list(&by(line.words)) && SENDS.contains(&by(&words).as_str()) {
                    self.note("network_in_bulk", quoted(&line_of(&words)));
                }
                self.command(&Line { words: &words, environment: &names, directory, scope, ..*line });
            }
            Carried::Script { code, positional } => self.inner_script(&code, positional, line),
            Carried::Setting { code } => self.run_by_setting(&code, line.directory, line.scope),
            Carried::Code { code, language } => {
                if !code.is_known() || code.taint > Taint::Computed {
                    self.note_code(&code.text, code.taint);
                }
                if !only_prints(line.words, language) && !self.is_read(line) {
                    self.note("opaque_code", format!("{language}: {}", quoted(&code.text)));
                }
            }
            Carried::File { path } => self.code_file(&path),
            Carried::Input => self.code_input(line),
            Carried::Piped { code } => {
                let input = Flow::unknown(Taint::Computed);
                self.inner_script(&code, vec![], &Line { input: &input, ..*line });
            }
            Carried::Touched { act, path } if is_file_like(&path.text) => {
                self.file(act, &[(path.text.as_str(), path.is_glob)], false, None, line.directory);
            }
            Carried::Touched { .. } => {}
            Carried::Noted { finding, detail } => self.note(finding, quoted(&detail)),
        }
    }

    /// Whether all that an interpreter's command line runs is understood and harmless; the files that
    /// it reads are looked at.
    fn is_read(&mut self, line: &Line<'_>) -> bool {
        let input = line.input.text.as_deref().filter(|_| line.input.is_connected);
        let Some(reads) = code::read_line(line.words, input) else { return false };
        let paths: Vec<(&str, bool)> = reads.files.iter().map(|path| (path.as_str(), false)).collect();
        if !paths.is_empty() {
            self.file("file_read", &paths, false, None, line.directory);
        }
        true
    }

    fn inner_script(&mut self, code: &Word, positional: Vec<Word>, line: &Line<'_>) {
        self.note_code(&code.text, code.taint);
        if code.text.trim() == UNKNOWN.to_string() {
            return;
        }
        if code.text.trim().is_empty() {
            self.note("unparsed", "a shell is started with nothing to do".to_owned());
        }
        let Some(program) = self.parsed(&code.text) else { return };
        let passing = passing(line.words);
        let mut scope = line.scope.map_or_else(Scope::default, |scope| scope.inner(passing));
        // Elsewhere it is another folder.
        scope.directory = line.directory.filter(|_| passing != Passing::Nothing).map(str::to_owned);
        // `$0` is the first word.
        scope.zero = positional.first().cloned();
        scope.positional = Some(positional.into_iter().skip(1).collect());
        if scope.positional.as_ref().is_some_and(Vec::is_empty) {
            scope.positional = None;
        }
        Lower::new(self, scope).program(&program, line.input);
    }

    fn code_file(&mut self, path: &Word) {
        match path.taint {
            // `bash <(curl ...)`: the file is a pipe.
            Taint::Network => self.note("network_to_shell", quoted(&path.text)),
            Taint::Decoded => self.note("decoded_to_shell", quoted(&path.text)),
            Taint::Computed if path.text.starts_with("/dev/fd/") => self.note("piped_to_shell", quoted(&path.text)),
            _ if path.text.starts_with("/dev/tcp/") => self.note("network_device", quoted(&path.text)),
            _ => self.note("runs_file", quoted(&path.text)),
        }
    }

    /// A shell or an interpreter that reads its code from standard input.
    fn code_input(&mut self, line: &Line<'_>) {
        let program = line.words.first().map_or("", |word| base_name(&word.text));
        let is_tcl = matches!(program, "tclsh" | "wish" | "expect");
        let is_plain = !is_tcl && line.words.iter().skip(1).all(|word| word.text == "-");
        match &line.input.text {
            Some(text) if line.input.is_connected => {
                if line.input.taint > Taint::Computed {
                    self.note_code(text, line.input.taint);
                }
                if !is_interpreter(program) {
                    let text = Word { text: text.clone(), is_glob: false, taint: Taint::None };
                    self.inner_script(&text, vec![], &Line { input: &Flow::default(), ..*line });
                } else if !(self.is_read(line) || is_plain && is_harmless_code(text)) {
                    self.note("opaque_code", quoted(text));
                }
            }
            _ if line.input.is_connected => {
                let name = match line.input.taint {
                    Taint::Network => "network_to_shell",
                    Taint::Decoded => "decoded_to_shell",
                    Taint::None | Taint::Computed => "piped_to_shell",
                };
                self.note(name, quoted(&line_of(line.words)));
            }
            _ => {
                self.note("opaque_code", format!("`{program}` reads code from its standard input"));
            }
        }
    }
}

/// Whether a variable's name is that of a guard or of its mode, and its value turns it off.
fn turns_off_a_guard(name: &str, value: &str) -> bool {
    const GUARDS: &[&str] =
        &["_GUARD", "_POLICY", "_ENFORCEMENT", "_ENFORCE", "_PROTECTION", "_SANDBOX", "_SAFETY", "_SECURITY", "_MODE"];
    const HARMLESS: &[&str] = &["DEBUG", "TEST", "CACHE", "DARK", "COLOR", "COLOUR", "WATCH"];
    let value = value.to_ascii_lowercase();
    let is_off = matches!(value.as_str(), "disabled" | "disable" | "bypass" | "permissive" | "none")
        || (value == "off" && !name.ends_with("_MODE"));
    is_off && GUARDS.iter().any(|end| name.ends_with(end)) && !HARMLESS.iter().any(|part| name.contains(part))
}

/// Whether every character of the text is one that a reader sees as it is.
pub(crate) fn is_plain_text(text: &str) -> bool {
    !text.chars().any(is_odd)
}

/// Whether an act on files changes nothing.
fn is_look(act: &str) -> bool {
    matches!(act, "file_read" | "file_list")
}

fn is_odd(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t' | '\r'))
        || is_hidden(c)
        || matches!(c, char::REPLACEMENT_CHARACTER | UNKNOWN)
}

/// Whether a folder is a home, the folder at hand or one above it.
fn is_home_or_above(folder: &str, directory: Option<&str>) -> bool {
    matches!(folder, "" | "/" | "~" | "." | "/root") || directory.is_some_and(|directory| is_within(directory, folder))
}

/// Whether an operand may be a path at all: no URL, no option.
fn is_file_like(text: &str) -> bool {
    !text.is_empty() && text != "-" && (text.starts_with("file://") || !text.contains("://"))
}

fn file_detail(act: &str, paths: &[PathText<'_>], is_recursive: bool) -> String {
    let names: Vec<Cow<'_, str>> = paths.iter().map(|path| Cow::Owned(quoted(path.text))).collect();
    let below = if is_recursive { " and all below it" } else { "" };
    let verb = match act {
        "directory_make" => "make the folder",
        act => act.strip_prefix("file_").unwrap_or(act),
    };
    format!("{verb} {}{below}", names.join(", "))
}

fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(DETAIL_CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("`{short}`")
}

impl Gate {
    /// Whether a change of `path` would change what the host protects; `takes_all` when everything
    /// below the path goes with it.
    pub(crate) fn protects(&self, path: &str, takes_all: bool) -> bool {
        self.protected.iter().any(|own| is_within(path, own) || (takes_all && is_within(own, path)))
    }

    /// Whether the operator granted this program by name or by path.
    pub(crate) fn is_granted(&self, path: &str) -> bool {
        self.granted.iter().any(|own| own == path)
    }
}

/// Whether a log has the name of one that was rotated away: `app.log.1`, `app.log.2.gz`, `app.log-20260131`.
fn is_rotated(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let is_number = |text: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let by_end = name
        .rsplit_once('.')
        .is_some_and(|(stem, end)| !stem.is_empty() && (PACKED.contains(&end) || is_number(end, 1..=2)));
    by_end || name.rsplit_once('-').is_some_and(|(stem, date)| !stem.is_empty() && is_number(date, 8..=8))
}
