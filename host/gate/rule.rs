//! One rule of the policy: which acts it is for, its conditions, and what follows from a match.
//!
//! All conditions of a rule must hold; within one list any entry does. A condition that does not
//! fit the kind of fact (a flag, say, asked of a file) does not hold. To add a condition: a field in
//! [`WhenEntry`], its compiled form in [`When`], its test in [`When::holds`], and the schema.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use regex::Regex;
use serde::Deserialize;

use super::action::Origin;
use super::argv::{Argv, FlagPattern, Subcommand};
use super::decision::Verdict;
use super::effect::{Effect, Kind, Severity};
use super::glob::{Glob, Globs};
use super::policy::nearest_hint;

/// A rule as it stands in the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleEntry {
    pub id: String,
    /// The acts it is for, by name. `process_run` is also every command of a script, and the file
    /// acts are also what a command would do to its operands.
    pub acts: Vec<String>,
    pub reason: String,
    pub advice: String,
    pub when: WhenEntry,
    /// `ask` or `deny`. None: its points alone count.
    #[serde(default)]
    pub verdict: Option<RuleVerdict>,
    pub points: u8,
    pub examples: Examples,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RuleVerdict {
    Ask,
    Deny,
}

/// A text is a shell command, an object an act.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Examples {
    #[serde(rename = "match")]
    pub matching: Vec<serde_json::Value>,
    pub no_match: Vec<serde_json::Value>,
}

/// The conditions as they stand in the file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WhenEntry {
    pub program: Vec<String>,
    pub subcommand: Vec<String>,
    pub flags: Vec<String>,
    pub no_flags: Vec<String>,
    pub values: BTreeMap<String, Vec<String>>,
    pub operands: Vec<String>,
    pub no_operands: Vec<String>,
    pub operands_min: Option<usize>,
    pub operands_max: Option<usize>,
    pub argument: Option<String>,
    pub line: Option<String>,
    pub environment: Vec<String>,
    pub paths: Vec<String>,
    pub except_paths: Vec<String>,
    pub recursive: Option<bool>,
    pub by_command: Option<bool>,
    pub mode_bits: Option<String>,
    pub finding: Vec<String>,
    pub effect: Vec<String>,
    pub no_effect: Vec<String>,
    pub targets: Vec<String>,
    pub severity: Vec<Severity>,
    pub production: Option<bool>,
    pub operation: Vec<String>,
    pub account: Vec<String>,
    pub region: Vec<String>,
    pub resources_min: Option<usize>,
    pub tool: Vec<String>,
    pub service: Vec<String>,
    pub pid_max: Option<u32>,
    pub agent: Vec<String>,
    pub plugin: Vec<String>,
}

/// What a rule is asked about.
pub(crate) enum Fact<'a> {
    /// A command with its final words, and the names of the variables that are set for it.
    Command {
        argv: &'a Argv<'a>,
        environment: &'a [String],
    },
    /// An act on paths, or what a command would do to them.
    File {
        paths: &'a [PathText<'a>],
        is_recursive: bool,
        mode: Option<u32>,
        /// It is read off a command's words.
        by_command: bool,
        /// A pattern of the shell's counts for what it spells out, not for all that it can meet.
        by_name: bool,
    },
    /// Something that the gate itself saw in a script or a command line.
    Finding {
        name: &'a str,
    },
    /// What a command would do beyond files.
    Effect {
        /// Kind and operation.
        name: &'a str,
        effect: &'a Effect,
        is_production: bool,
        /// Of a call of a cloud: what it is.
        call: Option<CloudFact<'a>>,
    },
    Tool {
        tool: &'a str,
    },
    Service {
        service: &'a str,
    },
    Process {
        pid: u32,
    },
}

/// A call of a cloud, as rules for `cloud_call` see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CloudFact<'a> {
    pub operation: &'a str,
    pub account: &'a str,
    pub region: &'a str,
    /// How many resources it names.
    pub resources: usize,
}

/// A folded path, or a pattern of paths that the shell has yet to expand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PathText<'a> {
    pub text: &'a str,
    pub is_glob: bool,
}

/// A compiled rule.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub id: String,
    pub acts: Vec<String>,
    pub reason: String,
    pub advice: String,
    pub verdict: Verdict,
    pub points: u8,
    pub when: When,
    pub examples: Examples,
}

/// The compiled conditions.
#[derive(Clone, Debug)]
pub(crate) struct When {
    pub program: Vec<Glob>,
    /// The programs, when all are plain names: the rule is found by them.
    pub program_names: Option<Vec<String>>,
    subcommand: Vec<Subcommand>,
    flags: Vec<Vec<FlagPattern>>,
    no_flags: Vec<Vec<FlagPattern>>,
    values: Vec<(Vec<FlagPattern>, Vec<Glob>)>,
    operands: Vec<Glob>,
    no_operands: Vec<Glob>,
    operands_min: Option<usize>,
    operands_max: Option<usize>,
    argument: Option<LazyRegex>,
    line: Option<LazyRegex>,
    environment: Vec<Glob>,
    paths: Globs,
    except_paths: Globs,
    recursive: Option<bool>,
    by_command: Option<bool>,
    mode_bits: Option<u32>,
    pub finding: Vec<String>,
    effect: Vec<Glob>,
    no_effect: Vec<Glob>,
    /// The kinds of effects that a rule for effects can match: it is found by them.
    pub effect_kinds: Vec<Kind>,
    targets: Vec<Glob>,
    severity: Vec<Severity>,
    production: Option<bool>,
    operation: Vec<Glob>,
    account: Vec<Glob>,
    region: Vec<Glob>,
    resources_min: Option<usize>,
    tool: Vec<Glob>,
    service: Vec<Glob>,
    pid_max: Option<u32>,
    agent: Vec<Glob>,
    plugin: Vec<Glob>,
}

impl Rule {
    /// # Errors
    /// The key below the rule, and what is wrong with its value.
    pub(crate) fn compile(entry: RuleEntry) -> Result<Self, (String, String)> {
        let verdict = match entry.verdict {
            None => Verdict::Allow,
            Some(RuleVerdict::Ask) => Verdict::Ask,
            Some(RuleVerdict::Deny) => Verdict::Deny,
        };
        Ok(Self {
            when: When::compile(&entry.when)?,
            id: entry.id,
            acts: entry.acts,
            reason: entry.reason,
            advice: entry.advice,
            verdict,
            points: entry.points,
            examples: entry.examples,
        })
    }
}

impl When {
    fn compile(entry: &WhenEntry) -> Result<Self, (String, String)> {
        let is_plain = |name: &String| !name.contains(['*', '?', '[', '{', '\\']);
        let values = entry
            .values
            .iter()
            .map(|(flag, globs)| {
                let key = format!("values.{flag}");
                let flag = FlagPattern::parse_all(flag).map_err(|error| (key.clone(), error))?;
                Ok((flag, compiled(&key, globs, Glob::word)?))
            })
            .collect::<Result<_, (String, String)>>()?;
        let mode_bits = entry.mode_bits.as_ref().map(|bits| u32::from_str_radix(bits, 8)).transpose();
        Ok(Self {
            program: compiled("program", &entry.program, Glob::word)?,
            program_names: entry.program.iter().all(is_plain).then(|| entry.program.clone()),
            subcommand: compiled("subcommand", &entry.subcommand, Subcommand::parse)?,
            flags: compiled("flags", &entry.flags, FlagPattern::parse_all)?,
            no_flags: compiled("no_flags", &entry.no_flags, FlagPattern::parse_all)?,
            values,
            operands: compiled("operands", &entry.operands, Glob::word)?,
            no_operands: compiled("no_operands", &entry.no_operands, Glob::word)?,
            operands_min: entry.operands_min,
            operands_max: entry.operands_max,
            argument: entry.argument.clone().map(LazyRegex::new),
            line: entry.line.clone().map(LazyRegex::new),
            environment: compiled("environment", &entry.environment, Glob::word)?,
            paths: Globs::paths(&entry.paths).map_err(|error| ("paths".to_owned(), error))?,
            except_paths: Globs::paths(&entry.except_paths).map_err(|error| ("except_paths".to_owned(), error))?,
            recursive: entry.recursive,
            by_command: entry.by_command,
            mode_bits: mode_bits
                .map_err(|_| ("mode_bits".to_owned(), "write octal digits, such as `6000`".to_owned()))?,
            finding: entry.finding.clone(),
            effect: compiled("effect", &entry.effect, Glob::word)?,
            no_effect: compiled("no_effect", &entry.no_effect, Glob::word)?,
            effect_kinds: effect_kinds(&entry.effect)?,
            targets: compiled("targets", &entry.targets, Glob::word)?,
            severity: entry.severity.clone(),
            production: entry.production,
            operation: compiled("operation", &entry.operation, Glob::word)?,
            account: compiled("account", &entry.account, Glob::word)?,
            region: compiled("region", &entry.region, Glob::word)?,
            resources_min: entry.resources_min,
            tool: compiled("tool", &entry.tool, Glob::word)?,
            service: compiled("service", &entry.service, Glob::word)?,
            pid_max: entry.pid_max,
            agent: compiled("agent", &entry.agent, Glob::word)?,
            plugin: compiled("plugin", &entry.plugin, Glob::word)?,
        })
    }

    /// Compile what waits to be.
    ///
    /// # Errors
    /// The key of a regular expression that does not compile, and why.
    pub(crate) fn force(&self) -> Result<(), (String, String)> {
        for (key, regex) in [("argument", &self.argument), ("line", &self.line)] {
            if let Some(Err(error)) = regex.as_ref().map(LazyRegex::compiled) {
                return Err((key.to_owned(), error.clone()));
            }
        }
        Ok(())
    }

    /// Whether all conditions hold.
    pub(crate) fn holds(&self, fact: &Fact<'_>, origin: &Origin) -> bool {
        any_or_none(&self.agent, |glob| glob.matches(&origin.agent))
            && any_or_none(&self.plugin, |glob| glob.matches(&origin.plugin))
            && self.holds_for_call(fact)
            && match fact {
                Fact::Command { argv, environment } => self.holds_for_command(argv, environment),
                Fact::File { paths, is_recursive, mode, by_command, by_name } => {
                    self.by_command.is_none_or(|own| own == *by_command)
                        && self.holds_for_file(paths, *is_recursive, *mode, *by_name)
                }
                Fact::Finding { name } => self.finding.iter().any(|own| own == name),
                Fact::Effect { name, effect, is_production, .. } => {
                    (self.severity.is_empty() || self.severity.contains(&effect.severity))
                        && self.production.is_none_or(|production| production == *is_production)
                        && any_or_none(&self.effect, |glob| glob.matches(name))
                        && !self.no_effect.iter().any(|glob| glob.matches(name))
                        && any_or_none(&self.targets, |glob| glob.matches(&effect.target))
                }
                Fact::Tool { tool } => any_or_none(&self.tool, |glob| glob.matches(tool)),
                Fact::Service { service } => any_or_none(&self.service, |glob| glob.matches(service)),
                Fact::Process { pid } => self.pid_max.is_none_or(|max| *pid <= max),
            }
    }

    /// The conditions of calls of a cloud do not hold for anything else.
    fn holds_for_call(&self, fact: &Fact<'_>) -> bool {
        let Fact::Effect { call: Some(call), .. } = fact else {
            return self.resources_min.is_none()
                && [&self.operation, &self.account, &self.region].iter().all(|globs| globs.is_empty());
        };
        any_or_none(&self.operation, |glob| glob.matches(call.operation))
            && any_or_none(&self.account, |glob| glob.matches(call.account))
            && any_or_none(&self.region, |glob| glob.matches(call.region))
            && self.resources_min.is_none_or(|min| call.resources >= min)
    }

    fn holds_for_command(&self, argv: &Argv<'_>, environment: &[String]) -> bool {
        // A condition of another kind of act: the rule is not for commands.
        self.finding.is_empty()
            && self.paths.is_empty()
            && any_or_none(&self.program, |glob| glob.matches(argv.program))
            && any_or_none(&self.subcommand, |subcommand| subcommand.matches(argv))
            && self.flags.iter().all(|flag| argv.has_flag(flag))
            && !self.no_flags.iter().any(|flag| argv.has_flag(flag))
            && self
                .values
                .iter()
                .all(|(flag, globs)| argv.values(flag).any(|value| globs.iter().any(|glob| glob.matches(value))))
            && any_or_none(&self.operands, |glob| argv.operands.iter().any(|word| glob.matches(&word.text)))
            && !self.no_operands.iter().any(|glob| argv.operands.iter().any(|word| glob.matches(&word.text)))
            && self.operands_min.is_none_or(|min| argv.operands.len() >= min)
            && self.operands_max.is_none_or(|max| argv.operands.len() <= max)
            && any_or_none(&self.environment, |glob| environment.iter().any(|name| glob.matches(name)))
            && self
                .argument
                .as_ref()
                .is_none_or(|regex| argv.words.iter().skip(1).any(|word| regex.is_match(&word.text)))
            && self.line.as_ref().is_none_or(|regex| regex.is_match(argv.line()))
    }

    fn holds_for_file(&self, paths: &[PathText<'_>], is_recursive: bool, mode: Option<u32>, by_name: bool) -> bool {
        let matches = |path: &PathText<'_>| match (path.is_glob, by_name) {
            (false, _) => self.paths.matches(path.text),
            (true, true) => self.paths.is_named_by(path.text),
            (true, false) => self.paths.overlaps(path.text),
        };
        self.finding.is_empty()
            && self.program.is_empty()
            && self.recursive.is_none_or(|recursive| recursive == is_recursive)
            && self.mode_bits.is_none_or(|bits| mode.is_some_and(|mode| mode & bits != 0))
            && paths.iter().any(|path| {
                (self.paths.is_empty() || matches(path))
                    // A pattern is excepted only where its own text is: `/tmp/x*`, not `/*`.
                    && !self.except_paths.matches(path.text)
            })
    }
}

fn any_or_none<T>(conditions: &[T], holds: impl FnMut(&T) -> bool) -> bool {
    conditions.is_empty() || conditions.iter().any(holds)
}

/// The kinds that these patterns of effects may match; all, where there is no pattern.
fn effect_kinds(patterns: &[String]) -> Result<Vec<Kind>, (String, String)> {
    let mut kinds = vec![];
    for pattern in patterns {
        let kind = pattern.split_once('.').map_or(pattern.as_str(), |(kind, _)| kind);
        if kind.contains(['*', '?', '[', '{', '\\']) {
            return Ok(Kind::ALL.to_vec());
        }
        let Some(kind) = Kind::ALL.into_iter().find(|own| own.name() == kind) else {
            let hint = nearest_hint(kind, Kind::ALL.iter().map(|own| own.name()));
            return Err(("effect".to_owned(), format!("there is no kind of effect `{kind}`; {hint}")));
        };
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    Ok(if patterns.is_empty() { Kind::ALL.to_vec() } else { kinds })
}

fn compiled<T>(
    key: &str,
    texts: &[String],
    compile: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, (String, String)> {
    texts.iter().map(|text| compile(text).map_err(|error| (key.to_owned(), error))).collect()
}

/// A regular expression that is compiled when it is first asked: a start of the host asks few.
#[derive(Clone, Debug)]
struct LazyRegex {
    text: String,
    compiled: OnceLock<Result<Regex, String>>,
}

impl LazyRegex {
    fn new(text: String) -> Self {
        Self { text, compiled: OnceLock::new() }
    }

    fn compiled(&self) -> &Result<Regex, String> {
        // Compiled small: a pattern that explodes is an error at load, not a slow gate.
        self.compiled.get_or_init(|| {
            let regex = regex::RegexBuilder::new(&self.text).size_limit(1 << 20).build();
            regex.map_err(|error| error.to_string())
        })
    }

    /// One that does not compile matches everything: a rule that cannot be asked must not stay silent.
    fn is_match(&self, text: &str) -> bool {
        self.compiled().as_ref().map_or(true, |regex| regex.is_match(text))
    }
}
