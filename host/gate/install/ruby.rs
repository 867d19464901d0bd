//! What the managers of Ruby and of PHP install: gem, bundle, composer.

use super::super::argv::Word;
use super::super::glob::UNKNOWN;
use super::super::path::base_name;
use super::draft::Draft;
use super::line::{Grammar, Reader};
use super::list::Format;
use super::specifier::{
    composer as composer_spec, composer_requirement, gem as gem_spec, gem_requirement, is_platform,
};
use super::{Operation, Source};

const GEM: Grammar = Grammar::abbreviating(
    "-v --version -i --install-dir -n --bindir --build-root -P --trust-policy --platform --target-rbconfig -g --file \
     -s --source -p --http-proxy -B --bulk-threshold --config-file --norc-file --without -k --key --host --otp -e --exec \
     --document-types --abort-on-dependent-value -C",
    "--verbose --verify --user-install --update-sources --prerelease --force --local --remote --both --no-document \
     --document --conservative --explain --wrappers --env-shebang --vendor --lock --default --development --silent \
     --quiet --debug --backtrace --clear-sources --no-user-install --no-lock --minimal-deps --post-install-message",
);
const BUNDLE: Grammar = Grammar::plain(
    "--gemfile --path --jobs -j --retry -r --binstubs --standalone --shebang --system-path --trust-policy --without \
     --with --group -g --source -s --git --github --branch --ref --glob --require --version -v --cache-path --full-index-url \
     --lockfile --platforms --add-platform --remove-platform --target-rbconfig --patch-level",
);
const COMPOSER: Grammar = Grammar::abbreviating(
    "-d --working-dir --prefer-install --ignore-platform-req --repository --repository-url --stability --format -f \
     --apcu-autoloader-prefix --audit-format --bump-after-update-mode --with --type --name --description --author \
     --require --require-dev --homepage --license --autoload --abandoned --ignore-severity --dir --file",
    "--dev --no-dev --no-scripts --no-plugins --dry-run --no-install --no-update --with-dependencies \
     --with-all-dependencies --no-interaction --no-progress --optimize-autoloader --prefer-dist --prefer-source \
     --prefer-stable --prefer-lowest --ignore-platform-reqs --no-cache --quiet --verbose --help --version --no-audit \
     --fixed --sort-packages --update-with-all-dependencies --update-with-dependencies --minimal-changes",
);
const RUBYGEMS: &[&str] = &["https://rubygems.org", "http://rubygems.org"];
const COMPOSER_FILES: &[(&str, Format)] =
    &[("composer.lock", Format::ComposerLock), ("composer.json", Format::ComposerJson)];
/// Commands that RubyGems takes by their beginning.
const GEM_COMMANDS: &[&str] = &[
    "build",
    "cert",
    "check",
    "cleanup",
    "contents",
    "dependency",
    "environment",
    "exec",
    "fetch",
    "generate_index",
    "help",
    "info",
    "install",
    "list",
    "lock",
    "mirror",
    "open",
    "outdated",
    "owner",
    "pristine",
    "push",
    "query",
    "rdoc",
    "rebuild",
    "search",
    "server",
    "signin",
    "signout",
    "sources",
    "specification",
    "stale",
    "uninstall",
    "unpack",
    "update",
    "which",
    "yank",
];
/// Commands that Composer takes by their beginning.
const COMPOSER_COMMANDS: &[&str] = &[
    "about",
    "archive",
    "audit",
    "browse",
    "bump",
    "check-platform-reqs",
    "clear-cache",
    "completion",
    "config",
    "create-project",
    "depends",
    "diagnose",
    "dump-autoload",
    "exec",
    "fund",
    "global",
    "help",
    "init",
    "install",
    "licenses",
    "list",
    "outdated",
    "prohibits",
    "reinstall",
    "remove",
    "repository",
    "require",
    "run-script",
    "search",
    "self-update",
    "show",
    "status",
    "suggests",
    "update",
    "validate",
    "upgrade",
    "info",
    "why",
    "why-not",
    "selfupdate",
    "uninstall",
    "rm",
];

pub(super) fn gem(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    let written = reader.subcommand(&GEM);
    let subcommand = match written {
        "i" => "install",
        _ => full_command(written, GEM_COMMANDS),
    };
    draft.plan.is_global = true;
    match subcommand {
        "install" | "update" | "fetch" | "exec" => {
            let is_exec = subcommand == "exec";
            let words = if is_exec { reader.next(&GEM).into_iter().collect() } else { reader.rest(&GEM) };
            draft.registry(reader.value("-s --source"), RUBYGEMS);
            let named = reader.values("-g --gem");
            if is_exec && !named.is_empty() {
                named.iter().for_each(|name| draft.package("RubyGems", name, gem_spec));
            } else {
                draft.packages("RubyGems", &words, gem_spec);
            }
            let versions = reader.values("-v --version").join(", ");
            draft.versioned((!versions.is_empty()).then(|| gem_requirement(&versions)));
            if words.is_empty() && subcommand == "install" && reader.has("-g --file") {
                let file = reader.value("-g --file").unwrap_or("Gemfile");
                draft.implied(None, &[("Gemfile.lock", Format::GemfileLock)]);
                draft.file(file, Format::Gemfile);
                return draft.running(Operation::Restore);
            }
            match subcommand {
                "exec" => draft.running(Operation::Run),
                "fetch" => draft.operation(Operation::Install),
                "update" if words.is_empty() && !reader.is_on("--system") => {
                    draft.all("gems");
                    draft.running(Operation::Upgrade)
                }
                "update" => draft.running(Operation::Upgrade),
                _ if reader.is_on("--explain") => draft.operation(Operation::Read),
                _ => draft.running(Operation::Install),
            }
        }
        "uninstall" | "cleanup" => draft.operation(Operation::Remove),
        "push" | "yank" | "owner" => draft.operation(Operation::Publish),
        "pristine" => draft.running(Operation::Restore),
        "sources" => {
            reader.rest(&Grammar::abbreviating(
                "-a --add -r --remove -p --append --prepend",
                "--list --update --clear-all",
            ));
            let is_change = reader.has("-a --add -r --remove --append --prepend -c --clear-all");
            draft.operation(if is_change { Operation::Configure } else { Operation::Read })
        }
        "signin" | "signout" | "cert" => draft.operation(Operation::Configure),
        "build" | "rebuild" | "server" | "mirror" | "generate_index" => None,
        "list" | "search" | "query" | "info" | "which" | "environment" | "outdated" | "check" | "contents"
        | "dependency" | "specification" | "stale" | "unpack" | "help" | "open" | "rdoc" | "lock" | "" => {
            draft.operation(Operation::Read)
        }
        _ => draft.unknown_command(written),
    }
}

pub(super) fn bundle(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    const FILES: &[(&str, Format)] = &[("Gemfile.lock", Format::GemfileLock), ("Gemfile", Format::Gemfile)];
    let subcommand = reader.subcommand(&BUNDLE);
    if matches!(subcommand, "exec" | "e" | "ex" | "exe") {
        reader.next(&BUNDLE);
        return draft.inner(reader.last_and_remaining());
    }
    let words = reader.rest(&BUNDLE);
    match subcommand {
        "install" | "i" | "" | "package" | "pack" | "cache" | "binstubs" | "lock" | "check" => {
            if subcommand.is_empty() && reader.is_on("--version -v --help -h") {
                return draft.operation(Operation::Read);
            }
            let gemfile = reader.value("--gemfile");
            match gemfile {
                Some(path) => {
                    draft.implied(None, &[(&format!("{path}.lock"), Format::GemfileLock)]);
                    draft.file(path, Format::Gemfile);
                }
                None => draft.implied(None, FILES),
            }
            draft.plan.runs_scripts = !matches!(subcommand, "lock" | "check" | "binstubs");
            draft.operation(if matches!(subcommand, "check" | "binstubs") {
                Operation::Read
            } else {
                Operation::Restore
            })
        }
        "add" => {
            draft.registry(reader.value("-s --source"), RUBYGEMS);
            draft.packages("RubyGems", &words, gem_spec);
            let version = reader.value("-v --version");
            draft.versioned(version.map(gem_requirement));
            let source = reader.value("--git").map(|url| Source::Git(url.to_owned()));
            let source = source.or_else(|| reader.value("--github").map(|path| Source::Git(format!("github:{path}"))));
            if let Some(source) = source.or_else(|| reader.value("--path").map(|path| Source::Path(path.to_owned()))) {
                draft.sourced(&source);
            }
            draft.running(Operation::Install)
        }
        "update" => {
            draft.packages("RubyGems", &words, gem_spec);
            draft.implied(None, FILES);
            draft.running(Operation::Upgrade)
        }
        "plugin" => {
            let (verb, rest) = words.split_first().map_or(("", &[][..]), |(verb, rest)| (verb.text.as_str(), rest));
            if verb != "install" {
                return draft.operation(if verb == "uninstall" { Operation::Remove } else { Operation::Read });
            }
            draft.packages("RubyGems", rest, gem_spec);
            draft.running(Operation::Install)
        }
        "remove" | "clean" => draft.operation(Operation::Remove),
        "config" | "init" => {
            let is_read = words.first().is_none_or(|word| matches!(word.text.as_str(), "list" | "get"));
            draft.operation(if is_read && subcommand == "config" { Operation::Read } else { Operation::Configure })
        }
        "show" | "list" | "outdated" | "info" | "open" | "viz" | "platform" | "env" | "doctor" | "version" | "help"
        | "licenses" | "fund" | "audit" => draft.operation(Operation::Read),
        "gem" | "console" => None,
        other => draft.unknown_command(other),
    }
}

pub(super) fn composer(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    let mut written = reader.subcommand(&COMPOSER);
    if full_command(written, COMPOSER_COMMANDS) == "global" {
        draft.plan.is_global = true;
        written = reader.subcommand(&COMPOSER);
    }
    let subcommand = match written {
        "i" => "install",
        "u" => "update",
        "r" => "require",
        _ => full_command(written, COMPOSER_COMMANDS),
    };
    if subcommand == "exec" {
        reader.next(&COMPOSER);
        return draft.inner(reader.last_and_remaining());
    }
    let words = reader.rest(&COMPOSER);
    let folder = reader.value("-d --working-dir");
    for repository in reader.values("--repository --repository-url") {
        draft.registry(Some(repository), &["https://repo.packagist.org", "https://packagist.org"]);
    }
    let is_dry = reader.is_on("--dry-run");
    let operation = match subcommand {
        "require" | "update" | "upgrade" => {
            versioned_pairs(draft, &words);
            if subcommand != "require" {
                draft.implied(folder, COMPOSER_FILES);
            }
            if subcommand == "require" { Operation::Install } else { Operation::Upgrade }
        }
        "install" | "reinstall" => {
            if subcommand == "install" {
                // Names behind `install` are refused by Composer, and shown here all the same.
                draft.packages("Packagist", &words, composer_spec);
            }
            draft.implied(folder, COMPOSER_FILES);
            Operation::Restore
        }
        "create-project" => {
            let version = words.get(2).and_then(|word| draft.known(word)).map(composer_requirement);
            draft.packages("Packagist", words.get(..words.len().min(1)).unwrap_or_default(), composer_spec);
            draft.versioned(version);
            Operation::Run
        }
        "self-update" | "selfupdate" => {
            draft.plan.is_global = true;
            Operation::Upgrade
        }
        "remove" | "uninstall" | "rm" => return draft.operation(Operation::Remove),
        "config" | "init" | "repository" | "clear-cache" | "bump" => return draft.operation(Operation::Configure),
        "about"
        | "audit"
        | "browse"
        | "check-platform-reqs"
        | "completion"
        | "depends"
        | "diagnose"
        | "fund"
        | "help"
        | "licenses"
        | "list"
        | "outdated"
        | "prohibits"
        | "search"
        | "show"
        | "info"
        | "status"
        | "suggests"
        | "validate"
        | "why"
        | "why-not"
        | "" => return draft.operation(Operation::Read),
        "archive" | "dump-autoload" | "run-script" => return None,
        // A name that Composer does not know is a script of the project.
        _ => return None,
    };
    let is_bare = reader.is_on("--no-scripts") && reader.is_on("--no-plugins");
    draft.plan.runs_scripts = !is_dry && !is_bare && !reader.is_on("--no-install");
    draft.operation(if is_dry { Operation::Read } else { operation })
}

/// `php composer.phar require x`, `ruby -S gem install x`.
pub(super) fn interpreter(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    const INTERPRETER: Grammar = Grammar::plain("-d -c -I -r -C -E -F -W -x -z -e");
    let word = reader.next(&INTERPRETER)?;
    let is_manager = ["composer", "gem", "bundle"].iter().any(|name| base_name(&word.text).starts_with(name));
    if reader.has("-e") || (reader.program == "php" && reader.has("-r")) || word.text.contains(UNKNOWN) || !is_manager {
        return None;
    }
    draft.inner(reader.last_and_remaining())
}

/// `vendor/package ^1.0 other/package`: a word without a slash is the version of the one before it.
fn versioned_pairs(draft: &mut Draft, words: &[&Word]) {
    let mut rest = words.iter().peekable();
    while let Some(word) = rest.next() {
        let Some(text) = draft.known(word) else { continue };
        let has_version = text.contains([':', '=', ' ']);
        let next = rest
            .peek()
            .map(|word| word.text.as_str())
            .filter(|next| !has_version && !next.contains('/') && !is_platform(next) && !next.contains(UNKNOWN));
        let before = draft.plan.wanted.len();
        draft.package("Packagist", text, composer_spec);
        if let Some(version) = next {
            rest.next();
            if let Some(wanted) = draft.plan.wanted.get_mut(before) {
                wanted.requirement = composer_requirement(version);
            }
        }
    }
    draft.plan.wanted.retain(|wanted| !is_platform(&wanted.name));
}

/// The command that a beginning stands for, where only one begins so.
fn full_command<'a>(written: &'a str, commands: &[&'static str]) -> &'a str {
    if written.is_empty() || commands.contains(&written) {
        return written;
    }
    let mut found = commands.iter().filter(|own| own.starts_with(written));
    match (found.next(), found.next()) {
        (Some(own), None) => own,
        _ => written,
    }
}
