//! What an install command would install: from the final words of a command line to the packages it
//! would fetch, the files that list more of them, and whether code of theirs runs.
//!
//! Pure: it reads words and texts, never a file, the environment or a network. [`plan`] reads a command
//! line, [`listed`] a requirement or lock file that a plan names; whoever has the file's text calls it.
//! What cannot be read is a reason in `unknown`, never silence: each is a reason to ask.
//!
//! To add a manager: a line in [`MANAGERS`], a function beside those of its language that reads its
//! subcommands, and rows in the table of the tests. To add a file format: a [`Format`], its file names,
//! a function in `list`.

mod draft;
mod go;
mod image;
mod javascript;
mod jvm;
mod line;
mod list;
mod name;
mod package;
mod python;
mod ruby;
mod rust;
mod specifier;
mod system;
#[cfg(test)]
mod tests;
mod variable;

pub use list::{Format, List, ListError, listed};
pub use name::normalised;
pub use variable::is_setting;

use std::collections::HashMap;
use std::sync::LazyLock;

use super::argv::{Argv, Word};
use super::path::base_name;
use draft::Draft;
use line::Reader;

/// Commands in commands: `uv run poetry run pip install x`. Danger: a word repeated until the stack ends.
const DEPTH_MAX: usize = 8;
/// Packages that one command line may name. Danger: a megabyte of names, each of which is looked up.
const WANTED_MAX: usize = 2_000;

/// Reasons to ask that one plan or one file gives. One is enough; the rest is for whoever repairs it.
const REASONS_MAX: usize = 50;

/// One package that a command would fetch and, nearly always, run code of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// As OSV names it where OSV knows it: `PyPI`, `npm`, `crates.io`, `Go`, `Debian`.
    pub ecosystem: &'static str,
    /// As the registry compares it. For an address or a path whose package does not show: the address.
    pub name: String,
    pub requirement: Requirement,
    pub source: Source,
}

/// Which version is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requirement {
    Exact(String),
    /// In the ecosystem's own syntax, as its registry client reads it: `>=1,<2`, `^1.2`, `~> 1.2`, `[1,2)`.
    Range(String),
    /// Unpinned, or pinned by a tag that moves: the newest.
    Any,
}

/// Where a package comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Registry,
    Git(String),
    Url(String),
    /// A file or folder of this machine.
    Path(String),
    /// The reference of a container image.
    Image(String),
    /// A registry that the command names itself. Danger: the same name, somebody else's package.
    OtherRegistry(String),
}

/// What a command of a package manager is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Install,
    /// Fetch a package where it is not there yet, and run it: `npx`, `uvx`, `go run pkg@version`.
    Run,
    Upgrade,
    Remove,
    /// Install what files of the project list.
    Restore,
    /// List, show, search, audit, and everything with `--dry-run` or `--help`.
    Read,
    Publish,
    Configure,
}

/// A requirement or lock file that a command names or implies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// As written; relative to the command's directory.
    pub path: String,
    pub format: Format,
    /// The manager looks for it by itself, so it may be missing. Of several the first that exists holds
    /// the exact versions.
    pub is_implied: bool,
}

/// A registry that the command itself names, by a flag or by a variable that is set for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry {
    /// For packages of this ecosystem. None: of all that the command installs.
    pub ecosystem: Option<&'static str>,
    pub url: String,
}

/// What an install command line means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub manager: &'static str,
    pub operation: Operation,
    pub wanted: Vec<Wanted>,
    pub files: Vec<Listed>,
    /// For the packages that the files list; `wanted` has its sources already.
    pub registries: Vec<Registry>,
    /// For the machine or for the user's own tools, not for the project alone.
    pub is_global: bool,
    /// Code of the packages runs during this command, as far as the command line tells.
    pub runs_scripts: bool,
    /// What could not be read; each is a reason to ask.
    pub unknown: Vec<String>,
}

impl Plan {
    /// The registry that stands in for the usual one of an ecosystem.
    #[must_use]
    pub fn registry_of(&self, ecosystem: &str) -> Option<&str> {
        let mut all = self.registries.iter();
        let found = all.find(|registry| registry.ecosystem.is_none_or(|own| own == ecosystem));
        found.map(|registry| registry.url.as_str())
    }
}

/// Reads the subcommands of a manager. `None`: this command line is no matter of packages.
type Read = fn(&mut Reader<'_>, &mut Draft) -> Option<()>;

/// A manager: the names of its program, its own, and what reads its command lines.
type Manager = (&'static str, &'static str, Read);

const MANAGERS: &[Manager] = &[
    ("pip pip3 pip2", "pip", python::pip),
    ("uv", "uv", python::uv),
    ("uvx", "uv", python::uvx),
    ("poetry", "poetry", python::poetry),
    ("pipenv", "pipenv", python::pipenv),
    ("pipx", "pipx", python::pipx),
    ("pdm", "pdm", python::pdm),
    ("hatch", "hatch", python::hatch),
    ("conda mamba micromamba", "conda", python::conda),
    ("easy_install easy_install3", "easy_install", python::easy_install),
    ("python python3 python2 py pypy pypy3", "python", python::interpreter),
    ("npm npm-cli.js", "npm", javascript::npm),
    ("npx npx-cli.js", "npm", javascript::npx),
    ("pnpm", "pnpm", javascript::pnpm),
    ("pnpx pnx", "pnpm", javascript::pnpx),
    ("yarn yarnpkg", "yarn", javascript::yarn),
    ("bun", "bun", javascript::bun),
    ("bunx", "bun", javascript::bunx),
    ("deno", "deno", javascript::deno),
    ("corepack", "corepack", javascript::corepack),
    ("cargo", "cargo", rust::cargo),
    ("cargo-binstall", "cargo", rust::binstall),
    ("rustup", "rustup", rust::rustup),
    ("go", "go", go::go),
    ("gem", "gem", ruby::gem),
    ("bundle bundler", "bundle", ruby::bundle),
    ("composer composer.phar", "composer", ruby::composer),
    ("php ruby", "interpreter", ruby::interpreter),
    ("mvn mvnw maven", "maven", jvm::maven),
    ("gradle gradlew", "gradle", jvm::gradle),
    ("dotnet", "dotnet", jvm::dotnet),
    ("nuget", "nuget", jvm::nuget),
    ("apt apt-get aptitude nala", "apt", system::apt),
    ("dpkg", "dpkg", system::dpkg),
    ("apk", "apk", system::apk),
    ("dnf dnf5 yum microdnf tdnf", "dnf", system::dnf),
    ("rpm", "rpm", system::rpm),
    ("zypper", "zypper", system::zypper),
    ("pacman yay paru", "pacman", system::pacman),
    ("brew", "brew", system::brew),
    ("snap", "snap", package::snap),
    ("flatpak", "flatpak", package::flatpak),
    ("winget", "winget", package::winget),
    ("choco chocolatey cinst cup", "choco", package::choco),
    ("scoop", "scoop", package::scoop),
    ("mix", "mix", package::mix),
    ("dart flutter", "pub", package::dart),
    ("cpanm cpan", "cpan", package::cpan),
    ("luarocks", "luarocks", package::luarocks),
    ("code code-insiders codium cursor", "code", package::code),
    ("gh", "gh", package::gh),
    ("nvm fnm volta pyenv rbenv nodenv asdf mise rtx sdk", "runtime", package::runtime),
    ("helm", "helm", image::helm),
    ("docker podman nerdctl", "docker", image::docker),
    ("crane skopeo", "docker", image::copier),
];

/// What this command line would install, where these variables are set for it: `PIP_INDEX_URL=https://example.org pip install x`.
/// Those by which no manager is told where to fetch from ([`is_setting`]) are passed over. `None`: it is no matter of
/// packages.
#[must_use]
pub(crate) fn plan_with(argv: &Argv<'_>, environment: impl FnOnce() -> Vec<(String, Word)>) -> Option<Plan> {
    let mut plan = plan_within(argv.words, 0)?;
    variable::apply(&mut plan, &environment());
    Some(plan)
}

/// The plan of a command that stands `depth` levels inside another.
fn plan_within(words: &[Word], depth: usize) -> Option<Plan> {
    let (first, _) = words.split_first()?;
    let program = base_name(&first.text);
    let program = [".exe", ".cmd", ".bat", ".ps1"].iter().find_map(|end| program.strip_suffix(end)).unwrap_or(program);
    let (_, manager, read) = manager_of(program)?;
    let mut draft = Draft::new(manager, depth);
    if depth > DEPTH_MAX {
        draft.unknown(format!("commands nest more than {DEPTH_MAX} deep"));
        draft.plan.operation = Operation::Install;
        return Some(draft.plan);
    }
    let mut reader = Reader::new(words, program);
    read(&mut reader, &mut draft)?;
    Some(draft.finished(&mut reader))
}

static BY_NAME: LazyLock<HashMap<&'static str, &'static Manager>> = LazyLock::new(|| {
    let mut map = HashMap::new();
    for manager in MANAGERS {
        for name in manager.0.split(' ') {
            map.entry(name).or_insert(manager);
        }
    }
    map
});

/// The manager of a program. For nearly every program of nearly every script there is none, so that is
/// known by one look-up.
fn manager_of(program: &str) -> Option<&'static Manager> {
    if let Some(manager) = BY_NAME.get(program) {
        return Some(manager);
    }
    let is_versioned = program.ends_with(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-'));
    if is_versioned { MANAGERS.iter().find(|(names, _, _)| is_one_of(program, names)) } else { None }
}

/// `pip3.12` is a `pip3`, and `python3.11` a `python3`.
fn is_one_of(program: &str, names: &str) -> bool {
    names.split(' ').any(|name| {
        program.strip_prefix(name).is_some_and(|rest| {
            rest.is_empty()
                || (matches!(name, "pip" | "pip3" | "python" | "python3" | "pypy3" | "gem" | "bundle" | "easy_install")
                    && rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-'))
        })
    })
}
