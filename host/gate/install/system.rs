//! What the managers of operating systems install: apt, dpkg, apk, dnf, rpm, zypper, pacman, brew.
//!
//! Which distribution runs is not in the command: apt speaks of Debian here and dnf of Red Hat; whoever
//! looks up a package and knows the machine better says so.

use super::draft::Draft;
use super::line::{Grammar, Reader};
use super::list::Format;
use super::specifier::{Spec, Specified, alpine, bare, debian, is_path, is_url, red_hat};
use super::{Operation, Requirement, Source};

const APT: Grammar = Grammar::plain(
    "-o --option -c --config-file -t --target-release --default-release -a --host-architecture -P --build-profiles \
     --color --with-source -w -F -O --sort --add-user-tag --remove-user-tag --user-tag -S --planner --solver",
);
const DPKG: Grammar = Grammar::plain(
    "--root --instdir --admindir --log --status-fd --status-logger --ignore-depends --path-exclude --path-include -D --debug \
     --pre-invoke --post-invoke --verify-format --abort-after --force --no-force --refuse",
);
const APK: Grammar = Grammar::abbreviating(
    "-p --root -X --repository --arch --cache-dir --cache-max-age --keys-dir --progress-fd --repositories-file --wait -t \
     --virtual --timeout -o --output -d --description --from --stdout-file",
    "--cache-max --cache --no-cache --update-cache --upgrade --simulate --latest --no-scripts --force --quiet --verbose",
);
const DNF: Grammar = Grammar::abbreviating(
    "-x --exclude --excludepkgs --repo --repoid --enablerepo --disablerepo --repofrompath --releasever --setopt -c --config \
     -d --debuglevel -e --errorlevel --rpmverbosity --installroot --forcearch --color --comment --advisory --advisories \
     --sec-severity --secseverity --cve --cves --bz --bzs --disableexcludes --disableexcludepkgs --destdir --downloaddir -R \
     --randomwait --disableplugin --enableplugin --noplugin --from-repo --add-repo --from-vendor --exclude-from --arch",
    "--assumeyes --assumeno --downloadonly --best --nobest --cacheonly --refresh --allowerasing --nogpgcheck --skip-broken \
     --security --quiet --verbose --test --enable --disable --debugsolver",
);
const RPM: Grammar = Grammar::abbreviating(
    "-r --root --dbpath --prefix --relocate --excludepath -D --define -E --eval --qf --queryformat --rcfile --macros --load \
     --pipe --rpmcheck --undefine --import-file",
    "--import --install --upgrade --reinstall --freshen --erase --query --verify --test --nodeps --noscripts --force --nodigest",
);
const ZYPPER_GLOBAL: Grammar = Grammar::plain(
    "-c --config --userdata -R --root --installroot -D --reposd-dir -C --cache-dir --raw-cache-dir --solv-cache-dir \
     --pkg-cache-dir -p --plus-repo --plus-content --releasever -s --table-style",
);
const ZYPPER: Grammar = Grammar::plain(
    "-r --repo --from -t --type --download --oldpackage-from --with-interactive-since -b --bugzilla --bz --cve -g --category \
     --date --severity --solver-focus",
);
const PACMAN: Grammar = Grammar::plain(
    "-b --dbpath -r --root --config --cachedir --color --arch --gpgdir --hookdir --logfile --overwrite --ignore --ignoregroup \
     --assume-installed --print-format --ask --sysroot --builddir --editor --makepkg --mflags --aururl",
);
/// Flags of brew that stand for a subcommand and tell where it keeps things.
const BREW_ASKS: &[&str] =
    &["--cache", "--prefix", "--cellar", "--caskroom", "--repository", "--repo", "--env", "--version", "--taps"];
const BREW: Grammar = Grammar::plain(
    "--cc --env --bottle-arch --language --appdir --fontdir --file --describe-as --only-dependencies-of --tap --set-name \
     --set-version --keyboard-layoutdir --colorpickerdir --prefpanedir --qlplugindir --dictionarydir --os --arch",
);

pub(super) fn apt(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    let subcommand = reader.subcommand(&APT);
    let words = reader.rest(&APT);
    let is_dry = reader.is_on("-s --simulate --just-print --dry-run --no-act --recon --print-uris");
    draft.plan.is_global = true;
    if reader.values("-o --option").iter().any(|value| value.contains("Dir::Etc") || value.contains("sourcelist")) {
        draft.unknown("it names sources of its own".to_owned());
    }
    let operation = match subcommand {
        "install" | "reinstall" | "satisfy" | "download" | "source" | "build-dep" | "forbid-version" => {
            // `install foo-` takes foo away, unless a package is called so.
            let kept: Vec<_> = words.iter().copied().filter(|word| !word.text.ends_with('-')).collect();
            if subcommand == "satisfy" {
                draft.unknown("it names a relation between packages and not a package".to_owned());
            } else {
                draft.packages("Debian", &kept, debian);
            }
            if subcommand == "build-dep" {
                draft.unknown("it installs what these packages need to be built, which is not known".to_owned());
            }
            if reader.is_on("--only-upgrade") { Operation::Upgrade } else { Operation::Install }
        }
        "upgrade" | "full-upgrade" | "dist-upgrade" | "safe-upgrade" | "dselect-upgrade" => {
            draft.packages("Debian", &words, debian);
            if words.is_empty() {
                draft.all("packages");
            }
            Operation::Upgrade
        }
        "remove" | "purge" | "autoremove" | "autopurge" => Operation::Remove,
        "update" | "edit-sources" | "clean" | "autoclean" | "mark" | "unmark" | "hold" | "unhold" | "markauto"
        | "unmarkauto" | "keep" | "modernize-sources" | "forget-new" | "add-user-tag" => {
            return draft.operation(Operation::Configure);
        }
        "search" | "show" | "list" | "policy" | "depends" | "rdepends" | "showsrc" | "showpkg" | "changelog"
        | "check" | "indextargets" | "madison" | "versions" | "why" | "why-not" | "help" | "moo" | "history"
        | "stats" | "" => {
            return draft.operation(Operation::Read);
        }
        other => return draft.unknown_command(other),
    };
    draft.plan.runs_scripts = !is_dry
        && operation != Operation::Remove
        && !matches!(subcommand, "download" | "source")
        && !reader.is_on("-d --download-only");
    draft.operation(if is_dry { Operation::Read } else { operation })
}

pub(super) fn dpkg(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    let words = reader.rest(&DPKG);
    draft.plan.is_global = true;
    if reader.has("-i --install --unpack -A --record-avail --configure --triggers-only") {
        draft.packages("Debian", &words, file);
        if reader.is_on("-R --recursive") {
            draft.unknown("it installs whatever lies in a folder".to_owned());
        }
        let is_dry = reader.is_on("--dry-run --no-act --simulate");
        draft.plan.runs_scripts = !is_dry;
        return draft.operation(if is_dry { Operation::Read } else { Operation::Install });
    }
    if reader.has("-r --remove -P --purge") {
        return draft.operation(Operation::Remove);
    }
    let is_change =
        reader.has("--set-selections --clear-selections --add-architecture --remove-architecture --update-avail");
    draft.operation(if is_change { Operation::Configure } else { Operation::Read })
}

pub(super) fn apk(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    let subcommand = reader.subcommand(&APK);
    let words = reader.rest(&APK);
    draft.plan.is_global = true;
    for url in reader.values("-X --repository") {
        let is_usual = url.contains("://dl-cdn.alpinelinux.org/");
        draft.registry(Some(url).filter(|_| !is_usual), &[]);
    }
    if reader.has("--repositories-file") {
        draft.unknown("it names a file of sources of its own".to_owned());
    }
    if reader.has("--allow-untrusted") && !words.is_empty() && subcommand == "add" {
        draft.unknown("it takes packages that nobody signed".to_owned());
    }
    let operation = match subcommand {
        "add" | "fetch" | "fix" => {
            let kept: Vec<_> = words.iter().copied().filter(|word| !word.text.starts_with('!')).collect();
            draft.packages("Alpine", &kept, alpine);
            if subcommand == "fix" { Operation::Restore } else { Operation::Install }
        }
        "upgrade" => {
            draft.packages("Alpine", &words, alpine);
            if words.is_empty() {
                draft.all("packages");
            }
            Operation::Upgrade
        }
        "del" => return draft.operation(Operation::Remove),
        "update" | "cache" | "index" | "mkndx" | "adbsign" | "mkpkg" => return draft.operation(Operation::Configure),
        "search" | "info" | "list" | "dot" | "policy" | "stats" | "verify" | "audit" | "version" | "manifest"
        | "query" | "extract" | "adbdump" | "" => return draft.operation(Operation::Read),
        other => return draft.unknown_command(other),
    };
    let is_dry = reader.is_on("-s --simulate");
    draft.plan.runs_scripts = !is_dry && subcommand != "fetch" && !reader.is_on("--no-scripts");
    draft.operation(if is_dry { Operation::Read } else { operation })
}

pub(super) fn dnf(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    let subcommand = reader.subcommand(&DNF);
    let words = reader.rest(&DNF);
    draft.plan.is_global = true;
    draft.registry(reader.value("--repofrompath"), &[]);
    let is_dry = reader.is_on("--assumeno --test");
    let operation = match subcommand {
        "install" | "localinstall" | "reinstall" | "downgrade" | "in" | "rei" | "dg" | "download" | "builddep"
        | "install-n" | "install-na" | "install-nevra" | "debuginfo-install" => {
            draft.packages("Red Hat", &words, red_hat);
            if matches!(subcommand, "builddep" | "debuginfo-install") {
                draft.unknown("it installs more than the packages that it names".to_owned());
            }
            Operation::Install
        }
        "upgrade" | "update" | "up" | "upgrade-minimal" | "update-minimal" | "localupdate" | "distro-sync"
        | "dsync" | "system-upgrade" | "offline-upgrade" => {
            draft.packages("Red Hat", &words, red_hat);
            if words.is_empty() || subcommand.contains("system") {
                draft.all("packages");
            }
            Operation::Upgrade
        }
        "swap" => {
            draft.packages("Red Hat", words.get(1..).unwrap_or_default(), red_hat);
            Operation::Install
        }
        "group" | "groups" | "module" | "environment" | "groupinstall" | "groupupdate" => {
            let verb = words.first().map_or("", |word| word.text.as_str());
            if subcommand.starts_with("groupi")
                || subcommand.starts_with("groupu")
                || matches!(verb, "install" | "upgrade" | "update")
            {
                draft.unknown("it installs a group of packages, and which those are is not known".to_owned());
                Operation::Install
            } else {
                let is_read = matches!(verb, "list" | "info" | "summary" | "provides" | "");
                return draft.operation(if is_read { Operation::Read } else { Operation::Configure });
            }
        }
        "remove" | "erase" | "rm" | "autoremove" | "remove-n" | "groupremove" => {
            return draft.operation(Operation::Remove);
        }
        "history" => {
            let verb = words.first().map_or("", |word| word.text.as_str());
            if !matches!(verb, "undo" | "redo" | "rollback" | "replay") {
                return draft.operation(Operation::Read);
            }
            draft.unknown("what it brings back is not known".to_owned());
            Operation::Restore
        }
        "config-manager" | "copr" | "makecache" | "mc" | "clean" | "mark" | "versionlock" | "shell" | "swap-repo"
        | "needs-restarting" => {
            return draft.operation(Operation::Configure);
        }
        "list" | "ls" | "info" | "search" | "se" | "provides" | "whatprovides" | "prov" | "repoquery" | "rq"
        | "check-update" | "check-upgrade" | "check" | "repolist" | "repo" | "repoinfo" | "updateinfo" | "advisory"
        | "deplist" | "grouplist" | "groupinfo" | "alias" | "help" | "leaves" | "changelog" | "" => {
            return draft.operation(Operation::Read);
        }
        other => return draft.unknown_command(other),
    };
    draft.plan.runs_scripts = !is_dry
        && subcommand != "download"
        && !reader.is_on("--downloadonly")
        && !reader.values("--setopt").iter().any(|value| value.contains("noscripts"));
    draft.operation(if is_dry { Operation::Read } else { operation })
}

pub(super) fn rpm(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    let words = reader.rest(&RPM);
    draft.plan.is_global = true;
    if reader.has("-q --query -V --verify -K --checksig --querytags --showrc") {
        return draft.operation(Operation::Read);
    }
    if reader.has("-e --erase") {
        return draft.operation(Operation::Remove);
    }
    if reader.has("--import --rebuilddb --initdb --setperms --setugids") {
        return draft.operation(Operation::Configure);
    }
    if !reader.has("-i --install -U --upgrade -F --freshen --reinstall") {
        return draft.operation(Operation::Read);
    }
    draft.packages("Red Hat", &words, file);
    let is_dry = reader.is_on("--test");
    draft.plan.runs_scripts = !is_dry && !reader.is_on("--noscripts");
    draft.operation(if is_dry { Operation::Read } else { Operation::Install })
}

pub(super) fn zypper(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    let subcommand = reader.subcommand(&ZYPPER_GLOBAL);
    draft.plan.is_global = true;
    draft.registry(reader.value("-p --plus-repo"), &[]);
    let words = reader.rest(&ZYPPER);
    let is_dry = reader.is_on("--dry-run") || (reader.is_on("-D") && !matches!(subcommand, "addrepo" | "ar"));
    let operation = match subcommand {
        "install" | "in" | "source-install" | "si" | "download" => {
            if reader.values("-t --type").iter().any(|kind| *kind != "package") {
                draft.unknown("it installs a group of packages, and which those are is not known".to_owned());
            }
            let kept: Vec<_> = words.iter().copied().filter(|word| !word.text.starts_with('!')).collect();
            draft.packages("openSUSE", &kept, red_hat);
            Operation::Install
        }
        "update" | "up" | "dist-upgrade" | "dup" | "patch" | "install-new-recommends" | "inr" | "verify" | "ve" => {
            draft.packages("openSUSE", &words, red_hat);
            if words.is_empty() {
                draft.all("packages");
            }
            Operation::Upgrade
        }
        "remove" | "rm" => return draft.operation(Operation::Remove),
        "addrepo" | "ar" | "removerepo" | "rr" | "modifyrepo" | "mr" | "renamerepo" | "nr" | "refresh" | "ref"
        | "clean" | "cc" | "addlock" | "al" | "removelock" | "rl" | "addservice" | "as" | "modifyservice" | "ms"
        | "removeservice" | "rs" | "refresh-services" | "refs" | "cleanlocks" | "cl" => {
            return draft.operation(Operation::Configure);
        }
        "search" | "se" | "info" | "if" | "repos" | "lr" | "list-updates" | "lu" | "list-patches" | "lp"
        | "packages" | "pa" | "patterns" | "pt" | "products" | "pd" | "what-provides" | "wp" | "services" | "ls"
        | "locks" | "ll" | "ps" | "needs-rebooting" | "patch-check" | "pchk" | "licenses" | "help" | "versioncmp"
        | "vcmp" | "targetos" | "tos" | "" => {
            return draft.operation(Operation::Read);
        }
        other => return draft.unknown_command(other),
    };
    draft.plan.runs_scripts = !is_dry && !reader.is_on("-d --download-only");
    draft.operation(if is_dry { Operation::Read } else { operation })
}

pub(super) fn pacman(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    let words = reader.rest(&PACMAN);
    draft.plan.is_global = true;
    if reader.has("-R --remove") {
        return draft.operation(Operation::Remove);
    }
    let is_upgrade_of_files = reader.has("-U --upgrade") && !reader.has("-S --sync");
    // yay and paru without a command upgrade everything, or search for the words.
    let is_front_end = matches!(reader.program, "yay" | "paru")
        && !reader.has("-S -Q -D -F -T -P -G --sync --query --database --files --version -V -h");
    if !reader.has("-S --sync") && !is_upgrade_of_files && !is_front_end {
        let is_change = reader.has("-D --database");
        return draft.operation(if is_change { Operation::Configure } else { Operation::Read });
    }
    // `-Ss`, `-Si`, `-Sl`, `-Sg`, `-Sp` show; `-Sc` empties the cache.
    if reader.has("-s --search -i --info -l --list -g --groups -p --print") && !is_upgrade_of_files {
        return draft.operation(Operation::Read);
    }
    if reader.has("-c --clean") && !is_front_end {
        return draft.operation(Operation::Configure);
    }
    draft.packages("Arch Linux", &words, if is_upgrade_of_files { file } else { arch });
    let is_all = reader.has("-u --sysupgrade") || (is_front_end && words.is_empty());
    if is_all {
        draft.all("packages");
    }
    if matches!(reader.program, "yay" | "paru") {
        draft.unknown("it may build a package from the users' repository, which runs its build script".to_owned());
    }
    if words.is_empty() && !is_all {
        return draft.operation(Operation::Configure);
    }
    draft.plan.runs_scripts = !reader.has("-w --downloadonly --noscriptlet");
    draft.operation(if is_all && words.is_empty() { Operation::Upgrade } else { Operation::Install })
}

pub(super) fn brew(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    let subcommand = reader.subcommand(&BREW);
    draft.plan.is_global = true;
    // `brew --cache wget`: the flag stands where the subcommand does, and only tells where things are.
    if reader.first().is_some_and(|word| BREW_ASKS.contains(&word)) {
        return draft.operation(Operation::Read);
    }
    if subcommand == "bundle" {
        return brew_bundle(reader, draft);
    }
    let words = reader.rest(&BREW);
    let is_dry = reader.is_on("-n --dry-run");
    let operation = match subcommand {
        "install" | "reinstall" | "fetch" => {
            draft.packages("Homebrew", &words, formula);
            Operation::Install
        }
        "upgrade" => {
            draft.packages("Homebrew", &words, formula);
            if words.is_empty() {
                draft.all("formulae");
            }
            Operation::Upgrade
        }
        "tap" => {
            let Some(name) = words.first().and_then(|word| draft.known(word)) else {
                return draft.operation(Operation::Read);
            };
            let url = words.get(1).and_then(|word| draft.known(word));
            let url = url.map_or_else(|| format!("github:{}", name.replacen('/', "/homebrew-", 1)), str::to_owned);
            draft.want("Homebrew", Spec::from(name, Requirement::Any, Source::Git(url)));
            return draft.operation(Operation::Configure);
        }
        "uninstall" | "remove" | "rm" | "autoremove" | "untap" => return draft.operation(Operation::Remove),
        "update" | "up" | "link" | "ln" | "unlink" | "pin" | "unpin" | "cleanup" | "services" | "analytics"
        | "developer" | "update-reset" | "postinstall" | "edit" | "create" | "migrate" | "completions" | "trust" => {
            return draft.operation(Operation::Configure);
        }
        "search" | "info" | "abv" | "list" | "ls" | "outdated" | "deps" | "uses" | "leaves" | "doctor" | "dr"
        | "config" | "cat" | "desc" | "home" | "homepage" | "log" | "missing" | "options" | "commands" | "help"
        | "shellenv" | "which-formula" | "formulae" | "casks" | "tap-info" | "readall" | "audit" | "style"
        | "source" | "docs" | "unlinked" | "" => {
            return draft.operation(Operation::Read);
        }
        other if other.starts_with("--") => return draft.operation(Operation::Read),
        "sh" | "exec" | "ruby" | "irb" | "test" => return None,
        other => return draft.unknown_command(other),
    };
    draft.plan.runs_scripts = !is_dry && subcommand != "fetch";
    draft.operation(if is_dry { Operation::Read } else { operation })
}

fn brew_bundle(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    let verb = reader.subcommand(&BREW);
    if matches!(verb, "exec" | "sh" | "env") {
        reader.next(&BREW);
        return draft.inner(reader.last_and_remaining());
    }
    reader.rest(&BREW);
    match verb {
        "install" | "" | "upgrade" => {
            match reader.value("--file") {
                Some(path) => draft.file(path, Format::Brewfile),
                None if reader.is_on("-g --global") => draft.file("~/.Brewfile", Format::Brewfile),
                None => draft.implied(None, &[("Brewfile", Format::Brewfile)]),
            }
            draft.running(Operation::Restore)
        }
        "cleanup" => draft.operation(Operation::Remove),
        "dump" | "add" | "remove" | "edit" => draft.operation(Operation::Configure),
        _ => draft.operation(Operation::Read),
    }
}

/// `wget`, `openssl@3`, `user/tap/formula`, an address.
pub(super) fn formula(text: &str) -> Specified {
    if is_path(text) || is_url(text) || text.ends_with(".rb") {
        let source = if is_url(text) { Source::Url(text.to_owned()) } else { Source::Path(text.to_owned()) };
        return Ok(Spec::from(text, Requirement::Any, source));
    }
    let mut spec = bare(text)?;
    // A versioned formula is a formula of its own; the number says which line it follows.
    if let Some((_, version)) = text.rsplit_once('@') {
        spec.requirement = Requirement::Range(version.to_owned());
    }
    if let Some((tap, name)) = text.rsplit_once('/') {
        spec.name = name.to_owned();
        if !matches!(tap, "homebrew/core" | "homebrew/cask") {
            spec.source = Source::OtherRegistry(tap.to_owned());
        }
    }
    Ok(spec)
}

/// A word that is a file or an address, whatever its form.
fn file(text: &str) -> Specified {
    let source = if is_url(text) { Source::Url(text.to_owned()) } else { Source::Path(text.to_owned()) };
    Ok(Spec::from(text, Requirement::Any, source))
}

/// `core/pkg`, `pkg=1.2`.
fn arch(text: &str) -> Specified {
    let (repository, name) = text.split_once('/').map_or((None, text), |(repository, name)| (Some(repository), name));
    let (name, version) = name.split_once('=').unwrap_or((name, ""));
    let mut spec = bare(name)?;
    spec.requirement = super::specifier::exact_or_any(version.trim_start_matches('='));
    let is_usual = |name: &str| matches!(name, "core" | "extra" | "multilib" | "community");
    if let Some(repository) = repository.filter(|name| !is_usual(name)) {
        spec.source = Source::OtherRegistry(repository.to_owned());
    }
    Ok(spec)
}
