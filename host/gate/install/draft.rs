//! A plan in the making: what all managers share when they note packages, files and reasons to ask.

use super::super::argv::Word;
use super::super::glob::UNKNOWN;
use super::line::{Reader, shown};
use super::list::Format;
use super::name::kept;
use super::specifier::Spec;
use super::{Listed, Operation, Plan, REASONS_MAX, Registry, Requirement, Source, WANTED_MAX, Wanted, plan_within};

/// A plan in the making.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) plan: Plan,
    /// The registry that stands in for the usual one.
    registry: Option<String>,
    depth: usize,
}

impl Draft {
    pub(super) fn new(manager: &'static str, depth: usize) -> Self {
        let plan = Plan {
            manager,
            operation: Operation::Read,
            wanted: vec![],
            files: vec![],
            registries: vec![],
            is_global: false,
            runs_scripts: false,
            unknown: vec![],
        };
        Self { plan, registry: None, depth }
    }

    /// The plan, with what the reader could not read. Whoever asks for help gets help and nothing else.
    pub(super) fn finished(mut self, reader: &mut Reader<'_>) -> Plan {
        self.plan.unknown.append(&mut reader.unknown);
        self.plan.unknown.dedup();
        self.plan.unknown.truncate(REASONS_MAX);
        // pip builds a package to learn what it needs, even where it is told to install nothing.
        if self.plan.operation == Operation::Read && !matches!(self.plan.manager, "pip" | "uv") {
            self.plan.runs_scripts = false;
        }
        if reader.is_on("--frozen-lockfile --immutable --frozen --locked") {
            self.frozen();
        }
        if reader.is_on("--help -help -Help") {
            self.plan = Plan { operation: Operation::Read, runs_scripts: false, ..self.plan };
            self.plan.wanted.clear();
            self.plan.files.clear();
        }
        self.plan
    }

    /// `Some(())` ends a manager's function: the operation stands.
    pub(super) fn operation(&mut self, operation: Operation) -> Option<()> {
        self.plan.operation = operation;
        Some(())
    }

    /// An operation that runs code of the packages.
    pub(super) fn running(&mut self, operation: Operation) -> Option<()> {
        self.plan.runs_scripts = true;
        self.operation(operation)
    }

    /// A subcommand that is not known: nobody can say what it does.
    pub(super) fn unknown_command(&mut self, subcommand: &str) -> Option<()> {
        if subcommand.is_empty() {
            return self.operation(Operation::Read);
        }
        self.unknown(format!("`{}` is no command of {} that is known", shown(subcommand), self.plan.manager));
        self.operation(Operation::Install)
    }

    pub(super) fn unknown(&mut self, reason: String) {
        self.plan.unknown.push(reason);
    }

    /// A command without names reaches all there are; which those are, only the machine knows.
    pub(super) fn all(&mut self, what: &str) {
        self.unknown(format!("it reaches all {what}, and which those are is not known"));
    }

    /// From here on packages come from this registry, unless it is the usual one.
    pub(super) fn registry(&mut self, url: Option<&str>, usual: &[&str]) {
        let Some(url) = url else { return };
        let bare = url.trim_end_matches('/');
        if !usual.iter().any(|own| own.trim_end_matches('/') == bare) {
            self.registry = Some(url.to_owned());
            self.plan.registries.push(Registry { ecosystem: None, url: url.to_owned() });
        }
    }

    /// Note a file that the command names.
    pub(super) fn file(&mut self, path: &str, format: Format) {
        self.listed(path, format, false);
    }

    /// Note files that the manager looks for in `folder` by itself, the one that decides first.
    pub(super) fn implied(&mut self, folder: Option<&str>, names: &[(&str, Format)]) {
        for (name, format) in names {
            let path = joined(folder, name);
            self.listed(&path, *format, true);
        }
    }

    /// The manager installs what the lock file says, or fails where the list asks for anything else.
    pub(super) fn frozen(&mut self) {
        let is_lock = |file: &Listed| file.is_implied && file.format.is_lock();
        if self.plan.files.iter().any(is_lock) {
            self.plan.files.retain(|file| !file.is_implied || is_lock(file));
        }
    }

    fn listed(&mut self, path: &str, format: Format, is_implied: bool) {
        let file = Listed { path: path.to_owned(), format, is_implied };
        if path.starts_with("/dev/") || path.starts_with("/proc/") {
            self.unknown(format!("the list of packages comes from `{path}`, which is no file that keeps its content"));
        } else if path.contains(UNKNOWN) {
            self.unknown(format!("the file `{}` is known only when it runs", shown(path)));
        } else if !self.plan.files.contains(&file) {
            self.plan.files.push(file);
        }
    }

    /// The text of an operand, where it is known before the run.
    pub(super) fn known<'a>(&mut self, word: &'a Word) -> Option<&'a str> {
        if word.text.contains(UNKNOWN) {
            self.unknown(format!("`{}` is known only when it runs", shown(&word.text)));
            return None;
        }
        if word.is_glob && word.text.contains(['*', '?']) {
            self.unknown(format!("`{}` stands for whichever files match it", shown(&word.text)));
            return None;
        }
        Some(&word.text)
    }

    /// Note the packages that operands name, each read by `specify`.
    pub(super) fn packages(
        &mut self,
        ecosystem: &'static str,
        words: &[&Word],
        specify: fn(&str) -> Result<Spec, String>,
    ) {
        for word in words {
            if let Some(text) = self.known(word) {
                self.package(ecosystem, text, specify);
            }
        }
    }

    /// Note the package that a text names.
    pub(super) fn package(&mut self, ecosystem: &'static str, text: &str, specify: fn(&str) -> Result<Spec, String>) {
        match specify(text) {
            Ok(spec) => self.want(ecosystem, spec),
            Err(reason) => self.unknown(format!("`{}`: {reason}", shown(text))),
        }
    }

    pub(super) fn want(&mut self, ecosystem: &'static str, spec: Spec) {
        if self.plan.wanted.len() >= WANTED_MAX {
            if self.plan.wanted.len() == WANTED_MAX && !self.plan.unknown.iter().any(|own| own.contains("more than")) {
                self.unknown(format!("it names more than {WANTED_MAX} packages"));
            }
            return;
        }
        let Spec { ecosystem: own, name, requirement, mut source } = spec;
        let ecosystem = own.unwrap_or(ecosystem);
        if source == Source::Registry && (name.is_empty() || name.contains(['*', '?', '[', ']', '{', '}', '$'])) {
            self.unknown(format!("`{}` is no name of a package", shown(&name)));
            return;
        }
        if let (Source::Registry, Some(registry)) = (&source, &self.registry) {
            source = Source::OtherRegistry(registry.clone());
        }
        let name = kept(ecosystem, &name, &source);
        let wanted = Wanted { ecosystem, name, requirement, source };
        if !self.plan.wanted.contains(&wanted) {
            self.plan.wanted.push(wanted);
        }
    }

    /// A version that a flag gives holds for the packages that came without one.
    pub(super) fn versioned(&mut self, requirement: Option<Requirement>) {
        let Some(requirement) = requirement else { return };
        for wanted in &mut self.plan.wanted {
            if wanted.requirement == Requirement::Any {
                wanted.requirement = requirement.clone();
            }
        }
    }

    /// Packages of the registry come by git, address or path instead.
    pub(super) fn sourced(&mut self, source: &Source) {
        for wanted in &mut self.plan.wanted {
            if matches!(wanted.source, Source::Registry | Source::OtherRegistry(_)) {
                wanted.source = source.clone();
            }
        }
    }

    /// A tool that was fetched and is run with the words behind it. Where it is a manager itself, what it
    /// installs counts too: `npx npm install x`, `uvx pip install x`.
    pub(super) fn tool(&mut self, word: Option<&Word>, rest: &[Word]) {
        let Some(word) = word else { return };
        let end = word.text.char_indices().skip(1).find(|(_, c)| matches!(c, '@' | '=' | '<' | '>' | '~' | '['));
        let name = end.and_then(|(at, _)| word.text.get(..at)).unwrap_or(&word.text);
        let words: Vec<Word> = std::iter::once(Word::plain(name)).chain(rest.iter().cloned()).collect();
        self.inner(&words);
    }

    /// A command inside this one: what it installs is what this one installs.
    /// `None` where it is no matter of packages and nothing was noted before it.
    pub(super) fn inner(&mut self, words: &[Word]) -> Option<()> {
        let has_own = !self.plan.wanted.is_empty() || !self.plan.unknown.is_empty();
        match plan_within(words, self.depth + 1) {
            Some(inner) => {
                if !has_own || inner.operation != Operation::Read {
                    self.plan.operation = if has_own { Operation::Run } else { inner.operation };
                }
                self.plan.manager = if has_own { self.plan.manager } else { inner.manager };
                self.plan.wanted.extend(inner.wanted);
                self.plan.files.extend(inner.files);
                self.plan.registries.extend(inner.registries);
                self.plan.is_global |= inner.is_global;
                self.plan.runs_scripts |= inner.runs_scripts;
                self.plan.unknown.extend(inner.unknown);
                Some(())
            }
            None => has_own.then_some(()),
        }
    }
}

/// `name` in `folder`.
pub(super) fn joined(folder: Option<&str>, name: &str) -> String {
    match folder.map(|folder| folder.trim_end_matches('/')) {
        None | Some("" | ".") => name.to_owned(),
        Some(folder) => format!("{folder}/{name}"),
    }
}
