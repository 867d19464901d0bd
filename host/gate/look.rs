//! One look at a command line or a script: finds what the rules and the gate itself have to say,
//! grouped by pipeline, within a budget.
//!
//! Carriers are opened, again and again, to a bounded depth; what lies beyond the bounds is a
//! finding that denies, so nothing is allowed for being too long to read.

use std::borrow::Cow;

use brush_parser::ast::Program;

use super::Gate;
use super::action::Origin;
use super::argv::{Argv, Taint, Word, line_of};
use super::carrier::{Carried, InputWords, carried, is_harmless_code, reads_code};
use super::decision::Verdict;
use super::explain::is_hidden;
use super::glob::UNKNOWN;
use super::path::{base_name, folded, is_within};
use super::program::Known;
use super::risk::{FINDINGS, Found, Unit};
use super::rule::{Fact, PathText};
use super::shell::lower::Lower;
use super::shell::output::Flow;
use super::shell::parse::{self, Unparsed};
use super::shell::scope::Scope;
use super::target::targets;

/// Commands that one look follows. Danger: loops and functions that multiply.
pub(crate) const COMMANDS_MAX: usize = 20_000;
/// Carriers in carriers, functions in functions, substitutions in substitutions.
pub(crate) const DEPTH_MAX: usize = 40;
/// Longest piece of a command that a finding quotes.
const DETAIL_CHARS_MAX: usize = 200;
/// Folders whose programs are the system's own.
const SYSTEM_FOLDERS: &[&str] =
    &["/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/", "/opt/homebrew/bin/"];

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
    depth: usize,
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
            depth: 0,
        }
    }

    /// What was found.
    pub(crate) fn finish(mut self) -> Vec<Unit<'g>> {
        self.done.push(self.current);
        self.done
    }

    /// Begin a pipeline, unless one is under way.
    pub(crate) fn begin_unit(&mut self) -> bool {
        !std::mem::replace(&mut self.is_in_unit, true)
    }

    pub(crate) fn end_unit(&mut self) {
        self.is_in_unit = false;
        let unit = std::mem::take(&mut self.current);
        if !unit.found.is_empty() {
            self.done.push(unit);
        }
    }

    /// One command further, one level deeper; `false` when there is no more budget.
    pub(crate) fn enter(&mut self) -> bool {
        if self.commands_left == 0 {
            self.note("too_complex", format!("it is more than {COMMANDS_MAX} commands"));
            return false;
        }
        self.commands_left -= 1;
        self.deepen()
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
        self.note_text(text);
        if let Some(program) = self.parsed(text) {
            Lower::new(self, Scope::new(directory)).program(&program, &Flow::default());
        }
    }

    /// The tree of a script, or a finding.
    pub(crate) fn parsed(&mut self, text: &str) -> Option<Program> {
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
            Taint::Decoded => "decoded_to_shell",
            Taint::None | Taint::Computed if code.contains(UNKNOWN) => "dynamic_code",
            Taint::None | Taint::Computed => return,
        };
        self.note(name, quoted(code));
    }

    /// Add a finding: by the policy's rules for it, and never below its floor.
    pub(crate) fn note(&mut self, name: &'static str, detail: String) {
        let Some(finding) = FINDINGS.iter().find(|finding| finding.name == name) else { return };
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
            self.current.add(found);
        }
        if !is_ruled && finding.floor > Verdict::Allow {
            self.current.add(Found {
                name: finding.name,
                points: if finding.floor == Verdict::Deny { 100 } else { 50 },
                verdict: finding.floor,
                reason: finding.reason,
                advice: finding.advice,
                detail,
                is_structural: finding.is_structural,
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
        let folded: Vec<(String, bool)> =
            paths.iter().map(|(path, is_glob)| (folded(path, directory), *is_glob)).collect();
        let texts: Vec<PathText<'_>> =
            folded.iter().map(|(text, is_glob)| PathText { text, is_glob: *is_glob }).collect();
        self.folded_file(act, &texts, is_recursive, mode);
    }

    /// Look at an act on files whose paths are folded. Allocates nothing when there is nothing to say.
    pub(crate) fn folded_file(
        &mut self,
        act: &'static str,
        paths: &[PathText<'_>],
        is_recursive: bool,
        mode: Option<u32>,
    ) {
        let gate = self.gate;
        let fact = Fact::File { paths, is_recursive, mode };
        for rule in gate.policy().rules_for_act(act) {
            if rule.when.holds(&fact, self.origin) {
                self.current.add(Found::by_rule(rule, file_detail(act, paths, is_recursive)));
            }
        }
        let is_change = !matches!(act, "file_read" | "file_list");
        if is_change && paths.iter().any(|path| gate.protects(path.text, is_recursive || act == "file_rename")) {
            self.note("self_protection", file_detail(act, paths, is_recursive));
        }
    }

    /// Look at an act that is neither a command nor about files.
    pub(crate) fn fact(&mut self, act: &'static str, fact: &Fact<'_>, detail: impl Fn() -> String) {
        let gate = self.gate;
        for rule in gate.policy().rules_for_act(act) {
            if rule.when.holds(fact, self.origin) {
                self.current.add(Found::by_rule(rule, detail()));
            }
        }
    }

    /// Look at a command line, and at what it carries.
    pub(crate) fn command(&mut self, line: &Line<'_>) {
        let Some(first) = line.words.first() else { return };
        if first.text.is_empty() {
            return;
        }
        if !first.is_known() {
            self.note_program(line.words);
        }
        let gate = self.gate;
        let policy = gate.policy();
        let argv = Argv::read(line.words, policy.programs.valued(base_name(&first.text)));
        let fact = Fact::Command { argv: &argv, environment: line.environment };
        let mut is_judged = false;
        for rule in policy.rules_for_program(argv.program) {
            if rule.when.holds(&fact, self.origin) {
                is_judged |= rule.verdict > Verdict::Allow;
                self.current.add(Found::by_rule(rule, quoted(argv.line())));
            }
        }
        for target in targets(&argv) {
            if is_file_like(target.path) {
                let path = target.path.strip_prefix("file://").unwrap_or(target.path);
                self.file(target.act, &[(path, target.is_glob)], target.is_recursive, target.mode, line.directory);
            }
        }
        let input = InputWords { text: line.input.text.as_deref(), taint: line.input.taint };
        let all = carried(line.words, &input);
        let is_carrier = !all.is_empty();
        for inner in all {
            if !self.enter() {
                break;
            }
            self.carried(inner, line);
            self.leave();
        }
        // A rule that decides over this command knows it better than the table of programs.
        if first.is_known() && !is_judged {
            self.note_known(&argv, is_carrier);
        }
    }

    fn note_program(&mut self, words: &[Word]) {
        let taint = words.first().map(|word| word.taint).unwrap_or_default();
        match taint {
            Taint::None | Taint::Computed => self.note("dynamic_command", quoted(&line_of(words))),
            Taint::Decoded | Taint::Network => self.note_code(&line_of(words), taint),
        }
    }

    fn note_known(&mut self, argv: &Argv<'_>, is_carrier: bool) {
        let path = argv.words.first().map_or("", |word| word.text.as_str());
        if self.gate.is_granted(path) {
            return;
        }
        let is_system =
            !path.contains('/') || SYSTEM_FOLDERS.iter().any(|folder| path.strip_prefix(folder) == Some(argv.program));
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
        match inner {
            Carried::Command { words, environment, directory } => {
                let environment: Vec<String> = line.environment.iter().cloned().chain(environment).collect();
                let directory = directory.map(|directory| folded(&directory, line.directory));
                let directory = directory.as_deref().or(line.directory);
                self.command(&Line { words: &words, environment: &environment, directory, ..*line });
            }
            Carried::Script { code, positional } => self.inner_script(&code, positional, line),
            Carried::Code { code, language } => {
                if !code.is_known() || code.taint > Taint::Computed {
                    self.note_code(&code.text, code.taint);
                }
                if !is_harmless_code(&code.text) {
                    self.note("opaque_code", format!("{language}: {}", quoted(&code.text)));
                }
            }
            Carried::File { path } => self.code_file(&path),
            Carried::Input => self.code_input(line),
        }
    }

    fn inner_script(&mut self, code: &Word, positional: Vec<Word>, line: &Line<'_>) {
        self.note_code(&code.text, code.taint);
        if code.text.trim() == UNKNOWN.to_string() {
            return;
        }
        let Some(program) = self.parsed(&code.text) else { return };
        let mut scope = line.scope.cloned().unwrap_or_else(|| Scope::new(line.directory));
        // `$0` is the first word.
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
        match &line.input.text {
            Some(text) if line.input.is_connected => {
                if line.input.taint > Taint::Computed {
                    self.note_code(text, line.input.taint);
                }
                let is_shell = program.ends_with("sh");
                if is_shell {
                    let text = Word { text: text.clone(), is_glob: false, taint: Taint::None };
                    self.inner_script(&text, vec![], &Line { input: &Flow::default(), ..*line });
                } else if !is_harmless_code(text) {
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
                debug_assert!(reads_code(program));
                self.note("opaque_code", format!("`{program}` reads code from its standard input"));
            }
        }
    }
}

/// Whether every character of the text is one that a reader sees as it is.
pub(crate) fn is_plain_text(text: &str) -> bool {
    !text.chars().any(is_odd)
}

fn is_odd(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t' | '\r'))
        || is_hidden(c)
        || matches!(c, char::REPLACEMENT_CHARACTER | UNKNOWN)
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
