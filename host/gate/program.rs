//! What the policy knows of programs: which only read, by which subcommands, and which of their
//! flags take a value. A program that is not listed is unknown, and that is evidence.

use std::collections::HashMap;

use serde::Deserialize;

use super::argv::{Argv, FlagPattern, Subcommand};
use super::glob::Glob;

/// An entry as it stands in the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProgramEntry {
    /// Names without folder; `*` stands for anything.
    pub names: Vec<String>,
    /// The flags that take a value.
    #[serde(default)]
    pub valued: Vec<String>,
    /// The subcommands that change nothing. None: whatever its arguments, the program does no harm
    /// that a rule does not name.
    #[serde(default)]
    pub read: Option<Vec<String>>,
    /// The subcommands that change something which can be changed back.
    #[serde(default)]
    pub write: Vec<String>,
    /// With one of these flags it only shows what it would do.
    #[serde(default)]
    pub dry: Vec<String>,
    /// Without arguments it only shows how it is used.
    #[serde(default)]
    pub bare: bool,
    /// The flags whose value is a file that is read.
    #[serde(default)]
    pub file_in: Vec<String>,
    /// The flags whose value is a file or a folder that is written.
    #[serde(default)]
    pub file_out: Vec<String>,
    /// The flags whose value is run, as a shell would run it.
    #[serde(default)]
    pub runs: Vec<String>,
    /// The flags whose value is a file with code: a library, a plugin, a configuration that runs programs.
    #[serde(default)]
    pub loads: Vec<String>,
}

/// What is known of a command line by its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// It changes nothing, as far as the rules do not say otherwise.
    Reads,
    /// It changes something that can be changed back.
    Writes,
    /// The program is listed, this use of it is not.
    Changes,
    Unknown,
}

/// Flags by which a program that else only looks changes what it looks at.
const WRITES: &[&str] = &[
    "--write",
    "--fix",
    "--fix-only",
    "--fix-dry-run=false",
    "--unsafe-fixes",
    "--in-place",
    "--inplace",
    "--apply",
    "--autofix",
    "--overwrite",
    "--force-overwrite",
];
/// Programs that run what their operands name, and give the rest to it.
const RUNS_OPERANDS: &[&str] = &[
    "java",
    "make",
    "gmake",
    "ninja",
    "cargo",
    "gradle",
    "mvn",
    "ant",
    "sbt",
    "npm",
    "npx",
    "pnpm",
    "yarn",
    "bun",
    "bunx",
    "deno",
    "node",
    "nodejs",
    "tsx",
    "python",
    "python2",
    "python3",
    "pypy",
    "pypy3",
    "ruby",
    "rake",
    "perl",
    "php",
    "lua",
    "luajit",
    "Rscript",
    "R",
    "julia",
    "scala",
    "kotlin",
    "osascript",
    "pwsh",
    "powershell",
    "tmux",
    "screen",
    "sh",
    "bash",
    "dash",
    "zsh",
    "ksh",
    "fish",
    "just",
    "uv",
    "poetry",
    "pipx",
    "uvx",
    "bundle",
    "go",
];
/// Programs that have `help` as the last word: `aws s3 rm help`.
const CLOUDS: &[&str] = &["aws", "gcloud"];

/// The compiled table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Programs {
    by_name: HashMap<String, usize>,
    by_glob: Vec<(Glob, usize)>,
    entries: Vec<Program>,
}

/// What is known of one program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Program {
    /// All flags with a value, those below among them.
    pub valued: Vec<FlagPattern>,
    read: Option<Vec<Subcommand>>,
    write: Vec<Subcommand>,
    dry: Vec<FlagPattern>,
    is_bare: bool,
    pub file_in: Vec<FlagPattern>,
    pub file_out: Vec<FlagPattern>,
    pub runs: Vec<FlagPattern>,
    pub loads: Vec<FlagPattern>,
}

impl Programs {
    /// # Errors
    /// The index of the entry with the key below it, and what is wrong.
    pub(crate) fn compile(entries: &[ProgramEntry]) -> Result<Self, (String, String)> {
        let mut table = Self::default();
        for (at, entry) in entries.iter().enumerate() {
            let parse = |key: &str, texts: &[String]| -> Result<Vec<Subcommand>, (String, String)> {
                texts
                    .iter()
                    .map(|text| Subcommand::parse(text).map_err(|error| (format!("programs[{at}].{key}"), error)))
                    .collect()
            };
            let flags = |key: &str, texts: &[String]| -> Result<Vec<FlagPattern>, (String, String)> {
                let parsed = texts.iter().map(|text| FlagPattern::parse_all(text));
                let parsed =
                    parsed.collect::<Result<Vec<_>, _>>().map_err(|error| (format!("programs[{at}].{key}"), error))?;
                Ok(parsed.into_iter().flatten().collect())
            };
            let mut program = Program {
                valued: flags("valued", &entry.valued)?,
                read: entry.read.as_ref().map(|texts| parse("read", texts)).transpose()?,
                write: parse("write", &entry.write)?,
                dry: flags("dry", &entry.dry)?,
                is_bare: entry.bare,
                file_in: flags("file_in", &entry.file_in)?,
                file_out: flags("file_out", &entry.file_out)?,
                runs: flags("runs", &entry.runs)?,
                loads: flags("loads", &entry.loads)?,
            };
            for more in [&program.file_in, &program.file_out, &program.runs, &program.loads] {
                program.valued.extend(more.iter().cloned());
            }
            table.entries.push(program);
            for name in &entry.names {
                if name.contains(['*', '?']) {
                    let glob = Glob::word(name).map_err(|error| (format!("programs[{at}].names"), error))?;
                    table.by_glob.push((glob, at));
                } else if table.by_name.insert(name.clone(), at).is_some() {
                    return Err((format!("programs[{at}].names"), format!("`{name}` is listed twice")));
                }
            }
        }
        Ok(table)
    }

    /// What is known of this command line.
    pub(crate) fn known(&self, argv: &Argv<'_>) -> Known {
        let Some(program) = self.find(argv.program) else {
            return if self.asks_for_help(argv) { Known::Reads } else { Known::Unknown };
        };
        let Some(read) = &program.read else { return Known::Reads };
        // `--check --write`: what it is told to write it writes.
        let writes = || argv.words.iter().skip(1).any(|word| WRITES.contains(&word.text.as_str()));
        if (program.is_bare && argv.words.len() == 1)
            || ((read.iter().any(|subcommand| subcommand.matches(argv)) || argv.says(&program.dry)) && !writes())
            || self.asks_for_help(argv)
        {
            Known::Reads
        } else if program.write.iter().any(|subcommand| subcommand.matches(argv)) {
            Known::Writes
        } else {
            Known::Changes
        }
    }

    /// `--help` and `--version`, in the forms that nearly every program has: behind the name of the program
    /// nothing but names of subcommands, and nothing that it could run.
    fn asks_for_help(&self, argv: &Argv<'_>) -> bool {
        const SUBCOMMANDS_MAX: usize = 5;
        let is_name = |text: &str| {
            text.starts_with(|c: char| c.is_ascii_lowercase())
                && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | ':'))
        };
        let Some((last, before)) = argv.words.split_last() else { return false };
        let subcommands = before.get(1..).unwrap_or_default();
        let is_alone = before.len() == 1;
        let asks = match last.text.as_str() {
            "--help" => is_alone || !RUNS_OPERANDS.contains(&argv.program),
            "help" => true,
            "--version" | "-V" | "-v" | "-h" | "version" => is_alone,
            _ => false,
        };
        asks && !before.is_empty()
            && subcommands.len() <= SUBCOMMANDS_MAX
            && subcommands.iter().all(|word| is_name(&word.text))
            && (last.text != "help" || is_alone || CLOUDS.contains(&argv.program))
            // An unknown program may run the known one behind its name.
            && (self.find(argv.program).is_some()
                || subcommands.first().is_none_or(|word| self.find(&word.text).is_none()))
    }

    /// The entry of a program.
    pub(crate) fn find(&self, program: &str) -> Option<&Program> {
        let by_glob = || self.by_glob.iter().find(|(glob, _)| glob.matches(program)).map(|(_, at)| at);
        self.by_name.get(program).or_else(by_glob).and_then(|at| self.entries.get(*at))
    }
}
