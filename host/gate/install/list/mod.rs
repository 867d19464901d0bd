//! Reading the files that list packages: requirements, manifests and lock files.
//!
//! A file is text that somebody wrote, perhaps to deceive: every reader here is bounded in bytes,
//! entries and nesting, and stops with the line at which it could not go on. What a file leaves open
//! (a script's own code, a variable, a workspace) is a reason in `unknown`. Where a lock file names a
//! package and fetches another, the one that is fetched counts.

mod javascript;
mod lines;
mod python;
mod table;
#[cfg(test)]
mod tests;
mod xml;
mod yaml;

use super::name::{kept, normalised};
use super::specifier::{Spec, Specified};
use super::{Listed, REASONS_MAX, Source, Wanted};

/// Danger: a file of gigabytes in memory. The largest lock files of real projects have some megabytes.
const FILE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Danger: a list that takes hours to look up.
const ENTRIES_MAX: usize = 100_000;

/// The form of a file that lists packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    Requirements,
    /// Versions for packages that something else asks for: it installs nothing by itself.
    Constraints,
    PyProject,
    PoetryLock,
    UvLock,
    PdmLock,
    Pipfile,
    PipfileLock,
    CondaEnvironment,
    PackageJson,
    /// `npm-shrinkwrap.json` too.
    PackageLock,
    /// Of yarn 1 and of its successors.
    YarnLock,
    PnpmLock,
    BunLock,
    DenoJson,
    CargoToml,
    CargoLock,
    GoMod,
    GoSum,
    Gemfile,
    GemfileLock,
    ComposerJson,
    ComposerLock,
    Pom,
    GradleLock,
    NugetLock,
    /// `*.csproj`, `Directory.Packages.props`.
    MsBuildProject,
    PackagesConfig,
    MixLock,
    PubspecYaml,
    PubspecLock,
    Brewfile,
}

/// File names whose form is certain.
const NAMES: &[(&str, Format)] = &[
    ("requirements.txt", Format::Requirements),
    ("constraints.txt", Format::Constraints),
    ("pyproject.toml", Format::PyProject),
    ("poetry.lock", Format::PoetryLock),
    ("uv.lock", Format::UvLock),
    ("pdm.lock", Format::PdmLock),
    ("pylock.toml", Format::PdmLock),
    ("Pipfile", Format::Pipfile),
    ("Pipfile.lock", Format::PipfileLock),
    ("environment.yml", Format::CondaEnvironment),
    ("environment.yaml", Format::CondaEnvironment),
    ("package.json", Format::PackageJson),
    ("package-lock.json", Format::PackageLock),
    ("npm-shrinkwrap.json", Format::PackageLock),
    ("yarn.lock", Format::YarnLock),
    ("pnpm-lock.yaml", Format::PnpmLock),
    ("bun.lock", Format::BunLock),
    ("deno.json", Format::DenoJson),
    ("deno.jsonc", Format::DenoJson),
    ("Cargo.toml", Format::CargoToml),
    ("Cargo.lock", Format::CargoLock),
    ("go.mod", Format::GoMod),
    ("go.sum", Format::GoSum),
    ("Gemfile", Format::Gemfile),
    ("Gemfile.lock", Format::GemfileLock),
    ("gems.rb", Format::Gemfile),
    ("gems.locked", Format::GemfileLock),
    ("composer.json", Format::ComposerJson),
    ("composer.lock", Format::ComposerLock),
    ("pom.xml", Format::Pom),
    ("gradle.lockfile", Format::GradleLock),
    ("packages.lock.json", Format::NugetLock),
    ("packages.config", Format::PackagesConfig),
    ("Directory.Packages.props", Format::MsBuildProject),
    ("mix.lock", Format::MixLock),
    ("pubspec.yaml", Format::PubspecYaml),
    ("pubspec.lock", Format::PubspecLock),
    ("Brewfile", Format::Brewfile),
];

impl Format {
    /// The form of a file by its name.
    #[must_use]
    pub fn of(path: &str) -> Option<Self> {
        let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
        if let Some((_, format)) = NAMES.iter().find(|(own, _)| *own == name) {
            return Some(*format);
        }
        if [".csproj", ".fsproj", ".vbproj"].iter().any(|end| name.ends_with(end)) {
            return Some(Self::MsBuildProject);
        }
        let is_text = name.ends_with(".txt") || name.ends_with(".in");
        match name {
            _ if is_text && name.contains("requirements") => Some(Self::Requirements),
            _ if is_text && name.contains("constraints") => Some(Self::Constraints),
            _ => None,
        }
    }

    /// The ecosystems whose packages such a file lists.
    #[must_use]
    pub fn ecosystems(self) -> &'static [&'static str] {
        match self {
            Self::Requirements
            | Self::Constraints
            | Self::PyProject
            | Self::PoetryLock
            | Self::UvLock
            | Self::PdmLock
            | Self::Pipfile
            | Self::PipfileLock => &["PyPI"],
            Self::CondaEnvironment => &["Conda", "PyPI"],
            Self::PackageJson | Self::PackageLock | Self::YarnLock | Self::PnpmLock | Self::BunLock => &["npm"],
            Self::DenoJson => &["npm", "JSR"],
            Self::CargoToml | Self::CargoLock => &["crates.io"],
            Self::GoMod | Self::GoSum => &["Go"],
            Self::Gemfile | Self::GemfileLock => &["RubyGems"],
            Self::ComposerJson | Self::ComposerLock => &["Packagist"],
            Self::Pom | Self::GradleLock => &["Maven"],
            Self::NugetLock | Self::MsBuildProject | Self::PackagesConfig => &["NuGet"],
            Self::MixLock => &["Hex"],
            Self::PubspecYaml | Self::PubspecLock => &["Pub"],
            Self::Brewfile => &["Homebrew"],
        }
    }

    /// Whether the file pins what is installed, so that its ranges need no resolving.
    #[must_use]
    pub fn is_lock(self) -> bool {
        matches!(
            self,
            Self::PoetryLock
                | Self::UvLock
                | Self::PdmLock
                | Self::PipfileLock
                | Self::PackageLock
                | Self::YarnLock
                | Self::PnpmLock
                | Self::BunLock
                | Self::CargoLock
                | Self::GoSum
                | Self::GemfileLock
                | Self::ComposerLock
                | Self::GradleLock
                | Self::NugetLock
                | Self::MixLock
                | Self::PubspecLock
        )
    }
}

/// What a file lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    pub wanted: Vec<Wanted>,
    /// Files that it names in turn, relative to its own folder. Whoever follows them bounds how deep:
    /// two files can name each other.
    pub files: Vec<Listed>,
    /// What it leaves open; each is a reason to ask.
    pub unknown: Vec<String>,
}

/// Why a file could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    #[error("the file has {bytes} bytes, more than the {FILE_BYTES_MAX} that are read")]
    TooLarge { bytes: usize },
    #[error("line {line}: more than {ENTRIES_MAX} packages")]
    TooMany { line: usize },
    #[error("line {line}: {what}")]
    Unreadable { line: usize, what: String },
}

/// Reads a requirement or lock file that a plan names.
///
/// # Errors
/// The line that could not be read, and why.
pub fn listed(format: Format, text: &str) -> Result<List, ListError> {
    if text.len() > FILE_BYTES_MAX {
        return Err(ListError::TooLarge { bytes: text.len() });
    }
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    if let Some(at) = text.find('\0') {
        return Err(ListError::Unreadable { line: line_at(text, at), what: "a NUL character".to_owned() });
    }
    let mut entries = Entries { text, list: List::default() };
    match format {
        Format::Requirements | Format::Constraints => python::requirements(&mut entries)?,
        Format::PyProject => python::project(&mut entries)?,
        Format::PoetryLock | Format::UvLock | Format::PdmLock => python::lock(&mut entries)?,
        Format::Pipfile => python::pipfile(&mut entries)?,
        Format::PipfileLock => python::pipfile_lock(&mut entries)?,
        Format::CondaEnvironment => python::environment(&mut entries)?,
        Format::PackageJson => javascript::manifest(&mut entries)?,
        Format::PackageLock => javascript::package_lock(&mut entries)?,
        Format::YarnLock => javascript::yarn_lock(&mut entries)?,
        Format::PnpmLock => javascript::pnpm_lock(&mut entries)?,
        Format::BunLock => javascript::bun_lock(&mut entries)?,
        Format::DenoJson => javascript::deno(&mut entries)?,
        Format::CargoToml => table::cargo_manifest(&mut entries)?,
        Format::CargoLock => table::cargo_lock(&mut entries)?,
        Format::ComposerJson => table::composer_manifest(&mut entries)?,
        Format::ComposerLock => table::composer_lock(&mut entries)?,
        Format::NugetLock => table::nuget_lock(&mut entries)?,
        Format::PubspecYaml => table::pubspec(&mut entries)?,
        Format::PubspecLock => table::pubspec_lock(&mut entries)?,
        Format::GoMod => lines::go_mod(&mut entries)?,
        Format::GoSum => lines::go_sum(&mut entries)?,
        Format::Gemfile => lines::gemfile(&mut entries)?,
        Format::GemfileLock => lines::gemfile_lock(&mut entries)?,
        Format::GradleLock => lines::gradle_lock(&mut entries)?,
        Format::MixLock => lines::mix_lock(&mut entries)?,
        Format::Brewfile => lines::brewfile(&mut entries)?,
        Format::Pom => xml::pom(&mut entries)?,
        Format::MsBuildProject => xml::project(&mut entries)?,
        Format::PackagesConfig => xml::packages(&mut entries)?,
    }
    Ok(entries.list)
}

/// A list in the making.
struct Entries<'t> {
    text: &'t str,
    list: List,
}

impl<'t> Entries<'t> {
    fn want(&mut self, ecosystem: &'static str, spec: Spec, line: usize) -> Result<(), ListError> {
        if self.list.wanted.len() >= ENTRIES_MAX {
            return Err(ListError::TooMany { line });
        }
        let Spec { ecosystem: own, name, requirement, source } = spec;
        let ecosystem = own.unwrap_or(ecosystem);
        let name = kept(ecosystem, &name, &source);
        if name.is_empty() {
            return Err(ListError::Unreadable { line, what: "a package without a name".to_owned() });
        }
        self.list.wanted.push(Wanted { ecosystem, name, requirement, source });
        Ok(())
    }

    /// Note what a specification reads as, or fail at the line of `at`.
    fn specified(&mut self, ecosystem: &'static str, spec: Specified, written: &str) -> Result<(), ListError> {
        match spec {
            Ok(spec) => self.want(ecosystem, spec, 0).map_err(|error| self.placed(error, written)),
            Err(what) => Err(self.failure(written, &format!("`{}`: {what}", shortened(written)))),
        }
    }

    /// The same for formats whose line is known.
    fn specified_at(&mut self, ecosystem: &'static str, spec: Specified, line: usize) -> Result<(), ListError> {
        match spec {
            Ok(spec) => self.want(ecosystem, spec, line),
            Err(what) => Err(ListError::Unreadable { line, what }),
        }
    }

    fn unknown(&mut self, reason: impl Into<String>) {
        let reason = reason.into();
        if self.list.unknown.len() < REASONS_MAX && !self.list.unknown.contains(&reason) {
            self.list.unknown.push(reason);
        }
    }

    /// An error at the first line that holds `written`. Formats that are read as a tree have lost their
    /// lines; the text that is wrong is found again.
    fn failure(&self, written: &str, what: &str) -> ListError {
        let at = self.text.find(written).unwrap_or(0);
        ListError::Unreadable { line: line_at(self.text, at), what: what.to_owned() }
    }

    fn placed(&self, error: ListError, written: &str) -> ListError {
        let line = line_at(self.text, self.text.find(written).unwrap_or(0));
        match error {
            ListError::TooMany { .. } => ListError::TooMany { line },
            ListError::Unreadable { what, .. } => ListError::Unreadable { line, what },
            error => error,
        }
    }

    /// Every package of the usual registry may come from this one instead.
    fn elsewhere(&mut self, ecosystem: &str, registry: Option<&str>) {
        let Some(registry) = registry else { return };
        for wanted in self.list.wanted.iter_mut().filter(|wanted| wanted.ecosystem == ecosystem) {
            if wanted.source == Source::Registry {
                wanted.source = Source::OtherRegistry(registry.to_owned());
            }
        }
    }

    fn json(&self) -> Result<serde_json::Value, ListError> {
        Self::json_of(self.text)
    }

    fn json_of(text: &str) -> Result<serde_json::Value, ListError> {
        let value: serde_json::Value = serde_json::from_str(text)
            .map_err(|error| ListError::Unreadable { line: error.line().max(1), what: format!("no JSON: {error}") })?;
        if value.is_object() {
            return Ok(value);
        }
        Err(ListError::Unreadable { line: 1, what: "the whole is no object".to_owned() })
    }

    fn toml(&self) -> Result<toml::Table, ListError> {
        self.text.parse::<toml::Table>().map_err(|error| ListError::Unreadable {
            line: line_at(self.text, error.span().map_or(0, |span| span.start)),
            what: format!("no TOML: {}", error.message()),
        })
    }
}

/// The number of the line that the byte `at` stands in.
fn line_at(text: &str, at: usize) -> usize {
    1 + text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count()
}

fn shortened(text: &str) -> String {
    const CHARS_MAX: usize = 80;
    text.chars().take(CHARS_MAX).collect()
}
