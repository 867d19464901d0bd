//! Variables by which managers are told where packages come from: `PIP_INDEX_URL`, `NPM_CONFIG_REGISTRY`,
//! `GOPROXY` and their like.
//!
//! A variable says the same as the flag, so it counts the same: its packages are from another registry, or
//! there is a reason to ask. It holds for an ecosystem, whichever manager runs: most read the variables of
//! another one as well. Files that managers read by themselves (`.npmrc`) are no matter of this module. To
//! add a variable, add it to a row of [`SETTINGS`].

use super::super::argv::Word;
use super::super::glob::UNKNOWN;
use super::line::shown;
use super::{Operation, Plan, REASONS_MAX, Registry, Source};

/// What a manager does with a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// Fetches from these addresses, parted by spaces, commas or bars.
    Address,
    /// Takes settings or packages from what it names, in the place of the usual file.
    File,
    /// Takes flags from it; these begin those that name a place, or code to run.
    Flags(&'static [&'static str]),
    /// Fetches with less proof that it is what was published: `off`, or names of modules.
    LessProof,
}

/// The ecosystem, the variables parted by spaces (in capitals; `*` stands for anything), what they
/// mean, and the values that are usual.
type Setting = (&'static str, &'static str, Meaning, &'static [&'static str]);

const PYPI: &[&str] = &["https://pypi.org/simple", "https://pypi.python.org/simple", "https://pypi.org"];
const NPM: &[&str] = &["https://registry.npmjs.org", "https://registry.yarnpkg.com"];
const CRATES_IO: &[&str] =
    &["crates-io", "https://github.com/rust-lang/crates.io-index", "sparse+https://index.crates.io"];

const SETTINGS: &[Setting] = &[
    ("PyPI", "PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_PYPI_URL PIP_INDEX PIP_FIND_LINKS", Meaning::Address, PYPI),
    ("PyPI", "UV_INDEX_URL UV_EXTRA_INDEX_URL UV_DEFAULT_INDEX UV_INDEX UV_FIND_LINKS", Meaning::Address, PYPI),
    ("PyPI", "PIPENV_PYPI_MIRROR PIPENV_TEST_INDEX PDM_PYPI_URL PIPX_INDEX_URL", Meaning::Address, PYPI),
    ("PyPI", "PIP_CONFIG_FILE UV_CONFIG_FILE PDM_CONFIG_FILE POETRY_CONFIG_DIR", Meaning::File, &[]),
    ("PyPI", "PIP_REQUIREMENT PIP_EDITABLE PIPENV_PIPFILE UV_OVERRIDE", Meaning::File, &[]),
    ("runtime", "UV_PYTHON_INSTALL_MIRROR UV_PYPY_INSTALL_MIRROR", Meaning::Address, &[]),
    (
        "Conda",
        "CONDA_CHANNELS CONDA_CHANNEL_ALIAS CONDA_DEFAULT_CHANNELS",
        Meaning::Address,
        &["conda-forge", "defaults"],
    ),
    ("Conda", "CONDARC MAMBARC CONDA_ENV_FILE", Meaning::File, &[]),
    ("npm", "NPM_CONFIG_REGISTRY NPM_CONFIG_@*:REGISTRY YARN_REGISTRY YARN_NPM_REGISTRY_SERVER", Meaning::Address, NPM),
    ("npm", "PNPM_CONFIG_REGISTRY BUN_CONFIG_REGISTRY COREPACK_NPM_REGISTRY", Meaning::Address, NPM),
    ("npm", "NPM_CONFIG_USERCONFIG NPM_CONFIG_GLOBALCONFIG YARN_RC_FILENAME NPM_CONFIG_PACKAGE", Meaning::File, &[]),
    ("JSR", "JSR_URL NPM_CONFIG_@JSR:REGISTRY", Meaning::Address, &["https://jsr.io", "https://npm.jsr.io"]),
    ("crates.io", "CARGO_REGISTRIES_*_INDEX CARGO_REGISTRY_DEFAULT CARGO_REGISTRY_INDEX", Meaning::Address, CRATES_IO),
    ("crates.io", "CARGO_SOURCE_*", Meaning::Address, CRATES_IO),
    ("rustup", "RUSTUP_DIST_SERVER RUSTUP_UPDATE_ROOT", Meaning::Address, &["https://static.rust-lang.org"]),
    ("Go", "GOPROXY", Meaning::Address, &["https://proxy.golang.org", "direct", "off"]),
    ("Go", "GOFLAGS", Meaning::Flags(&["-modfile", "-overlay", "-toolexec", "-insecure", "-exec"]), &[]),
    ("Go", "GOENV GOWORK", Meaning::File, &["off", "auto"]),
    ("Go", "GOSUMDB", Meaning::LessProof, &["sum.golang.org"]),
    ("Go", "GONOSUMDB GONOSUMCHECK GOINSECURE GONOSUM", Meaning::LessProof, &[]),
    ("RubyGems", "BUNDLE_MIRROR* RUBYGEMS_HOST GEM_HOST GEM_SOURCE", Meaning::Address, &["https://rubygems.org"]),
    ("RubyGems", "GEMRC BUNDLE_GEMFILE BUNDLE_LOCAL* BUNDLE_APP_CONFIG BUNDLE_USER_CONFIG", Meaning::File, &[]),
    ("Packagist", "COMPOSER", Meaning::File, &["composer.json"]),
    ("Maven", "MAVEN_ARGS", Meaning::Flags(&["-s", "--settings", "-gs", "-f", "-DremoteRepo", "-Dmaven.repo"]), &[]),
    ("Maven", "MAVEN_OPTS", Meaning::Flags(&["-DremoteRepo", "-Dmaven.repo"]), &[]),
    (
        "NuGet",
        "RESTORESOURCES RESTOREADDITIONALPROJECTSOURCES",
        Meaning::Address,
        &["https://api.nuget.org/v3/index.json"],
    ),
    ("NuGet", "RESTORECONFIGFILE", Meaning::File, &[]),
    (
        "Hex",
        "HEX_MIRROR HEX_MIRROR_URL HEX_CDN HEX_API_URL",
        Meaning::Address,
        &["https://repo.hex.pm", "https://hex.pm/api"],
    ),
    ("Pub", "PUB_HOSTED_URL", Meaning::Address, &["https://pub.dev"]),
    ("CPAN", "PERL_CPANM_OPT", Meaning::Flags(&["--mirror", "--from", "-M"]), &[]),
    ("Homebrew", "HOMEBREW_API_DOMAIN HOMEBREW_BOTTLE_DOMAIN HOMEBREW_ARTIFACT_DOMAIN", Meaning::Address, &[]),
    (
        "Homebrew",
        "HOMEBREW_BREW_GIT_REMOTE HOMEBREW_CORE_GIT_REMOTE",
        Meaning::Address,
        &["https://github.com/Homebrew/brew", "https://github.com/Homebrew/homebrew-core"],
    ),
    ("LuaRocks", "LUAROCKS_CONFIG", Meaning::File, &[]),
    (
        "runtime",
        "NVM_NODEJS_ORG_MIRROR FNM_NODE_DIST_MIRROR NODEJS_ORG_MIRROR",
        Meaning::Address,
        &["https://nodejs.org/dist"],
    ),
    ("runtime", "PYTHON_BUILD_MIRROR_URL RUBY_BUILD_MIRROR_URL", Meaning::Address, &[]),
];

/// Whether a manager takes from this variable where packages come from.
#[must_use]
pub fn is_setting(name: &str) -> bool {
    settings_of(name).next().is_some()
}

/// What the variables change of a plan.
pub(super) fn apply(plan: &mut Plan, environment: &[(String, Word)]) {
    let brings =
        matches!(plan.operation, Operation::Install | Operation::Run | Operation::Upgrade | Operation::Restore);
    if !brings {
        return;
    }
    for (name, value) in environment {
        for setting in settings_of(name).collect::<Vec<_>>() {
            let is_concerned = plan.wanted.iter().any(|own| own.ecosystem == setting.0)
                || plan.files.iter().any(|file| file.format.ecosystems().contains(&setting.0));
            if is_concerned && !value.text.trim().is_empty() {
                heed(plan, setting, name, value);
            }
        }
    }
}

fn heed(plan: &mut Plan, (ecosystem, _, meaning, usual): &'static Setting, name: &str, value: &Word) {
    let text = value.text.as_str();
    let mut ask = |reason: String| {
        if plan.unknown.len() < REASONS_MAX && !plan.unknown.contains(&reason) {
            plan.unknown.push(reason);
        }
    };
    if text.contains(UNKNOWN) {
        return ask(format!("where packages come from is in `{name}`, which is known only when it runs"));
    }
    match meaning {
        Meaning::Address => {
            let Some(url) = addresses(text).find(|address| !is_usual(address, usual)) else { return };
            for wanted in plan.wanted.iter_mut().filter(|wanted| wanted.ecosystem == *ecosystem) {
                if wanted.source == Source::Registry {
                    wanted.source = Source::OtherRegistry(url.to_owned());
                }
            }
            plan.registries.push(Registry { ecosystem: Some(ecosystem), url: url.to_owned() });
        }
        Meaning::File if !usual.contains(&text) => ask(format!("`{name}` names what is not read: `{}`", shown(text))),
        Meaning::Flags(all) => {
            if let Some(flag) = text.split_whitespace().find(|word| all.iter().any(|flag| word.starts_with(flag))) {
                ask(format!("`{name}` sets a flag that is not read: `{}`", shown(flag)));
            }
        }
        Meaning::LessProof if !usual.contains(&text) => {
            ask(format!("by `{name}` it is not proved that a package is the published one: `{}`", shown(text)));
        }
        Meaning::File | Meaning::LessProof => {}
    }
}

/// `name=address` is how uv names an index.
fn addresses(text: &str) -> impl Iterator<Item = &str> {
    let parts = text.split([' ', ',', '|', ';', '\n', '\t']).filter(|part| !part.is_empty());
    parts.map(|part| part.find("=http").and_then(|at| part.get(at + 1..)).unwrap_or(part))
}

fn is_usual(address: &str, usual: &[&str]) -> bool {
    let bare = address.trim_end_matches('/');
    usual.iter().any(|own| bare.eq_ignore_ascii_case(own))
}

fn settings_of(name: &str) -> impl Iterator<Item = &'static Setting> {
    // npm and yarn read them in any case; npm takes `-` for `_`.
    let upper = name.to_ascii_uppercase().replace('-', "_");
    SETTINGS.iter().filter(move |(_, names, ..)| names.split(' ').any(|own| is_named(own, &upper)))
}

fn is_named(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        Some((start, end)) => {
            name.strip_prefix(start).is_some_and(|rest| rest.len() >= end.len() && rest.ends_with(end))
        }
        None => pattern == name,
    }
}
