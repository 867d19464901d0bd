//! Managers whose command lines are simple: applications, extensions, runtimes, and the languages
//! whose manager has one way to name a package.

use super::draft::Draft;
use super::line::{Grammar, Reader};
use super::list::Format;
use super::specifier::{Spec, Specified, at_exact, bare, exact_or_any, is_path, is_url, split_at_sign};
use super::{Operation, Requirement, Source};

pub(super) fn snap(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    const SNAP: Grammar =
        Grammar::plain("--channel --revision --cohort --name --quota-group --transaction --hold --color --unicode");
    let subcommand = reader.subcommand(&SNAP);
    let words = reader.rest(&SNAP);
    let version = reader.value("--revision").map(exact_or_any);
    let version = version.or_else(|| reader.value("--channel").map(|name| Requirement::Range(name.to_owned())));
    global(
        draft,
        subcommand,
        &words,
        ("snap", bare),
        Verbs {
            install: "install try download",
            upgrade: "refresh",
            remove: "remove",
            configure: "set unset connect disconnect alias unalias enable disable start stop restart revert switch login logout prefer",
            read: "find list info search changes tasks version get services logs interfaces connections model known warnings whoami saved",
        },
    )?;
    draft.versioned(version);
    Some(())
}

pub(super) fn flatpak(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    const FLATPAK: Grammar = Grammar::plain(
        "--installation --arch --subpath --gpg-file --sideload-repo --branch --command --commit --title --default-branch --env --filesystem",
    );
    let subcommand = reader.subcommand(&FLATPAK);
    let words = reader.rest(&FLATPAK);
    if matches!(subcommand, "install") && !words.is_empty() {
        // `install remote name...`; without a dot the first word is the remote.
        let has_remote = words.len() > 1 && words.first().is_some_and(|word| !word.text.contains(['.', '/']));
        let (remote, names) = words.split_at(usize::from(has_remote));
        draft.registry(remote.first().map(|word| word.text.as_str()), &["flathub"]);
        let specify = if reader.has("--from --bundle") { file } else { bare };
        draft.packages("Flatpak", names, specify);
        draft.plan.is_global = true;
        return draft.running(Operation::Install);
    }
    if matches!(subcommand, "run" | "enter" | "build") {
        return None;
    }
    global(
        draft,
        subcommand,
        &words,
        ("Flatpak", bare),
        Verbs {
            install: "install build-import-bundle",
            upgrade: "update upgrade",
            remove: "uninstall remove remote-delete",
            configure: "remote-add remote-modify override config mask pin repair kill make-current permission-set",
            read: "list info search remotes remote-ls remote-info history ps permissions",
        },
    )
}

pub(super) fn winget(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    const WINGET: Grammar = Grammar::plain(
        "--id -q --query -v --version -s --source -m --manifest --scope -a --architecture --installer-type -l --location -o \
         --log --override --custom --locale --moniker --name --header --tag -n --count -i --import-file -f --file \
         --authentication-mode --authentication-account --dependency-source -r --rename --proxy",
    );
    let subcommand = reader.subcommand(&WINGET);
    let words = reader.rest(&WINGET);
    draft.registry(reader.value("-s --source"), &["winget"]);
    let is_install = matches!(subcommand, "install" | "add" | "upgrade" | "update" | "download");
    if is_install {
        for id in reader.values("--id -q --query --name --moniker") {
            draft.package("winget", id, bare);
        }
        for path in reader.values("-m --manifest") {
            draft.package("winget", path, file);
        }
    }
    if matches!(subcommand, "import" | "configure") {
        draft.unknown("the packages stand in a file that is not read".to_owned());
        return draft.running(Operation::Restore);
    }
    let version = reader.value("-v --version").map(exact_or_any);
    let has_names = !draft.plan.wanted.is_empty();
    let is_all = reader.has("--all -r --recurse");
    if is_install && has_names && words.is_empty() {
        draft.versioned(version);
        draft.plan.is_global = true;
        return draft.running(if subcommand.starts_with('u') { Operation::Upgrade } else { Operation::Install });
    }
    if matches!(subcommand, "upgrade" | "update") && words.is_empty() && !is_all {
        // Alone it lists what could be upgraded.
        return draft.operation(Operation::Read);
    }
    global(
        draft,
        subcommand,
        &words,
        ("winget", bare),
        Verbs {
            install: "install add download repair",
            upgrade: "upgrade update",
            remove: "uninstall remove rm",
            configure: "source settings pin features hash validate config",
            read: "list ls search find show view export error mcp",
        },
    )?;
    draft.versioned(version);
    Some(())
}

pub(super) fn choco(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    const CHOCO: Grammar = Grammar::plain(
        "--version -s --source --params --package-parameters --pkgparameters --ia --installargs --install-arguments -u --user -p \
         --password --cert --cp --certpassword --checksum --checksum64 --checksumtype --timeout --cache --cachelocation --proxy \
         --proxy-user --proxy-password --except -n --name --value --key --log-file --package-exit-codes",
    );
    let subcommand = match reader.program {
        "cinst" => "install",
        "cup" => "upgrade",
        _ => reader.subcommand(&CHOCO),
    };
    let words = reader.rest(&CHOCO);
    draft.registry(reader.value("-s --source"), &["https://community.chocolatey.org/api/v2", "chocolatey"]);
    let version = reader.value("--version").map(exact_or_any);
    let (lists, names): (Vec<_>, Vec<_>) = words.into_iter().partition(|word| word.text.ends_with("packages.config"));
    lists.iter().for_each(|word| draft.file(&word.text, Format::PackagesConfig));
    let is_all = names.iter().any(|word| word.text == "all");
    let names: Vec<_> = names.into_iter().filter(|word| word.text != "all").collect();
    if !lists.is_empty() && names.is_empty() {
        draft.plan.is_global = true;
        return draft.running(Operation::Restore);
    }
    let is_dry = reader.is_on("--noop --what-if --whatif");
    global(
        draft,
        subcommand,
        &names,
        ("Chocolatey", bare),
        Verbs {
            install: "install download",
            upgrade: if is_all { "upgrade update" } else { "upgrade" },
            remove: "uninstall",
            configure: "source sources config feature features pin apikey setapikey cache unpackself",
            read: "list search find info outdated help export support template rule",
        },
    )?;
    draft.versioned(version);
    if is_dry {
        return draft.operation(Operation::Read);
    }
    Some(())
}

pub(super) fn scoop(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    const SCOOP: Grammar = Grammar::plain("-a --arch");
    let subcommand = reader.subcommand(&SCOOP);
    let words = reader.rest(&SCOOP);
    global(
        draft,
        subcommand,
        &words,
        ("Scoop", scoop_app),
        Verbs {
            install: "install download",
            upgrade: "update",
            remove: "uninstall",
            configure: "bucket config reset hold unhold cleanup cache alias shim import",
            read: "list search info status which home cat prefix depends export help checkup virustotal create",
        },
    )
}

pub(super) fn mix(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    const MIX: Grammar =
        Grammar::plain("--only --target --sha512 --timeout --submodules --organization --repo --app --if-missing-url");
    let task = reader.subcommand(&MIX);
    let words = reader.rest(&MIX);
    let text = |at: usize| words.get(at).map_or("", |word| word.text.as_str());
    match task {
        "deps.get" => {
            draft.implied(None, &[("mix.lock", Format::MixLock)]);
            draft.operation(Operation::Restore)
        }
        "deps.update" => {
            draft.packages("Hex", &words, bare);
            draft.implied(None, &[("mix.lock", Format::MixLock)]);
            draft.operation(Operation::Upgrade)
        }
        "archive.install" | "escript.install" => {
            draft.plan.is_global = true;
            match text(0) {
                "hex" => {
                    draft.packages("Hex", words.get(1..2).unwrap_or_default(), bare);
                    draft.versioned(Some(text(2)).filter(|text| !text.is_empty()).map(exact_or_any));
                }
                kind @ ("git" | "github") => {
                    let place = format!("{kind}:{}", text(1));
                    draft.want("Hex", Spec::from(text(1), Requirement::Any, Source::Git(place)));
                }
                _ => draft.packages("Hex", &words, file),
            }
            draft.running(Operation::Install)
        }
        "local.hex" | "local.rebar" | "local.phx" | "igniter.install" => {
            draft.plan.is_global = true;
            draft.packages("Hex", &words, bare);
            draft.running(Operation::Install)
        }
        "hex.publish" => draft.operation(Operation::Publish),
        "deps.clean" | "deps.unlock" | "archive.uninstall" | "escript.uninstall" => draft.operation(Operation::Remove),
        "deps" | "deps.tree" | "hex.info" | "hex.search" | "hex.audit" | "hex.outdated" | "help" | "archive" => {
            draft.operation(Operation::Read)
        }
        "hex.repo" | "hex.config" | "hex.user" | "hex.organization" => draft.operation(Operation::Configure),
        _ => None,
    }
}

pub(super) fn dart(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    const DART: Grammar = Grammar::plain(
        "-C --directory --git-url --git-ref --git-path --hosted-url -u --path --sdk -s --source --features -x --executable",
    );
    match reader.subcommand(&DART) {
        "pub" | "packages" => {}
        _ => return None,
    }
    let mut verb = reader.subcommand(&DART);
    let is_global = verb == "global";
    if is_global {
        verb = reader.subcommand(&DART);
    }
    let words = reader.rest(&DART);
    draft.registry(reader.value("--hosted-url -u"), &["https://pub.dev"]);
    draft.plan.is_global = is_global;
    let place = reader.value("--git-url").map(|url| Source::Git(url.to_owned()));
    let place = place.or_else(|| reader.value("--path").map(|path| Source::Path(path.to_owned())));
    let folder = reader.value("-C --directory");
    let files: &[(&str, Format)] = &[("pubspec.lock", Format::PubspecLock), ("pubspec.yaml", Format::PubspecYaml)];
    match verb {
        "activate" => {
            if reader.value("-s --source").is_some_and(|kind| kind == "git" || kind == "path") {
                draft.packages("Pub", words.get(..words.len().min(1)).unwrap_or_default(), |text| {
                    Ok(Spec::from(text, Requirement::Any, Source::Git(text.to_owned())))
                });
            } else {
                draft.packages("Pub", words.get(..words.len().min(1)).unwrap_or_default(), pub_package);
                let version = words.get(1).and_then(|word| draft.known(word)).map(pub_requirement);
                draft.versioned(version);
            }
            draft.running(Operation::Install)
        }
        "add" => {
            draft.packages("Pub", &words, pub_package);
            if let Some(place) = place {
                draft.sourced(&place);
            }
            draft.operation(if reader.is_on("-n --dry-run") { Operation::Read } else { Operation::Install })
        }
        "get" => {
            draft.implied(folder, files);
            draft.operation(Operation::Restore)
        }
        "upgrade" | "downgrade" => {
            draft.packages("Pub", &words, pub_package);
            draft.implied(folder, files);
            draft.operation(Operation::Upgrade)
        }
        "remove" | "deactivate" => draft.operation(Operation::Remove),
        "publish" | "lish" => draft.operation(Operation::Publish),
        "token" | "login" | "logout" => draft.operation(Operation::Configure),
        "run" | "unpack" => None,
        _ => draft.operation(Operation::Read),
    }
}

pub(super) fn cpan(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    const CPAN: Grammar = Grammar::plain(
        "-l --local-lib -L --local-lib-contained --mirror --from -j -J -I -M --cpanfile --save-dists --uninst-shadows-of",
    );
    let words = reader.rest(&CPAN);
    draft.registry(reader.value("--mirror --from -M"), &["https://www.cpan.org", "https://cpan.metacpan.org"]);
    draft.plan.is_global = true;
    if reader.is_on("--info -v -V --version --uninstall -U") && reader.program == "cpanm" {
        let operation = if reader.is_on("--uninstall -U") { Operation::Remove } else { Operation::Read };
        return draft.operation(operation);
    }
    if reader.is_on("--installdeps --self-upgrade") || words.is_empty() {
        draft.unknown("what it installs stands in files that are not read".to_owned());
    }
    draft.packages(
        "CPAN",
        &words,
        |text| if text.contains("://") { file(text) } else { at_exact(&text.replace('~', "@")) },
    );
    draft.running(Operation::Install)
}

pub(super) fn luarocks(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    const ROCKS: Grammar = Grammar::plain(
        "--server --only-server --only-sources --tree --lua-version --lua-dir --namespace --timeout --project-tree --to",
    );
    let subcommand = reader.subcommand(&ROCKS);
    let words = reader.rest(&ROCKS);
    draft.registry(reader.value("--server --only-server"), &["https://luarocks.org"]);
    let version = words.get(1).and_then(|word| draft.known(word)).map(exact_or_any);
    let first = words.get(..words.len().min(1)).unwrap_or_default();
    global(
        draft,
        subcommand,
        first,
        ("LuaRocks", bare),
        Verbs {
            install: "install build download make",
            upgrade: "",
            remove: "remove purge",
            configure: "config init upload",
            read: "list search show doc path which lint pack unpack help test",
        },
    )?;
    draft.versioned(version);
    Some(())
}

/// `code --install-extension publisher.name@1.2`.
pub(super) fn code(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    const CODE: Grammar = Grammar::plain(
        "--install-extension --uninstall-extension --extensions-dir --user-data-dir --profile --log --locale --goto-line --add-mcp \
         --category --disable-extension --sync --inspect-extensions",
    );
    reader.rest(&CODE);
    let wanted = reader.values("--install-extension");
    draft.plan.is_global = true;
    if !wanted.is_empty() || !reader.unknown.is_empty() {
        for text in wanted {
            draft.package("VSCode", text, at_exact);
        }
        return draft.running(Operation::Install);
    }
    if reader.has("--update-extensions") {
        draft.all("extensions");
        return draft.running(Operation::Upgrade);
    }
    if reader.has("--uninstall-extension") {
        return draft.operation(Operation::Remove);
    }
    reader.has("--list-extensions").then(|| draft.plan.operation = Operation::Read)
}

/// `gh extension install owner/repository`.
pub(super) fn gh(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    const GH: Grammar = Grammar::plain("--pin -R --repo -L --limit --owner --license --order --sort");
    if !matches!(reader.subcommand(&GH), "extension" | "extensions" | "ext") {
        return None;
    }
    let verb = reader.subcommand(&GH);
    let words = reader.rest(&GH);
    let pin = reader.value("--pin").map(exact_or_any);
    draft.plan.is_global = true;
    match verb {
        "install" | "upgrade" => {
            let is_upgrade = verb == "upgrade";
            draft.packages("GitHub", &words, |text| {
                let source =
                    if is_path(text) { Source::Path(text.to_owned()) } else { Source::Git(format!("github:{text}")) };
                Ok(Spec::from(text, Requirement::Any, source))
            });
            if is_upgrade && words.is_empty() {
                draft.all("extensions");
            }
            draft.versioned(pin);
            draft.running(if is_upgrade { Operation::Upgrade } else { Operation::Install })
        }
        "exec" => None,
        "remove" => draft.operation(Operation::Remove),
        "list" | "search" | "browse" | "ls" | "" => draft.operation(Operation::Read),
        "create" => draft.operation(Operation::Configure),
        other => draft.unknown_command(other),
    }
}

/// Managers of language runtimes: `nvm install 20`, `asdf install nodejs 20.1.0`, `mise use node@20`.
pub(super) fn runtime(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    const RUNTIME: Grammar = Grammar::plain(
        "-C --cd -j --jobs --reinstall-packages-from --node-dist-mirror --fnm-dir --arch --corepack-dir -P --profile --path \
         --version-file-strategy --env --log-level --pin-to",
    );
    let subcommand = reader.subcommand(&RUNTIME);
    draft.plan.is_global = true;
    let tool = match reader.program {
        "nvm" | "fnm" | "nodenv" => "node",
        "pyenv" => "python",
        "rbenv" => "ruby",
        _ => "",
    };
    if matches!(subcommand, "exec" | "x") {
        // `mise x node@20 -- command`.
        let is_mise = matches!(reader.program, "mise" | "rtx");
        let words = reader.remaining();
        let end = words.iter().position(|word| word.text == "--").filter(|_| is_mise);
        let (tools, inner) = words.split_at(end.unwrap_or(0));
        let tools: Vec<_> = tools.iter().filter(|word| !word.text.starts_with('-')).collect();
        draft.packages("runtime", &tools, at_tool);
        if !tools.is_empty() {
            draft.plan.runs_scripts = true;
            draft.plan.operation = Operation::Run;
        }
        let inner = inner.get(usize::from(end.is_some())..).unwrap_or_default();
        return draft.inner(inner);
    }
    let words = reader.rest(&RUNTIME);
    if reader.has("--node-dist-mirror") {
        draft.unknown("it fetches the runtime from a mirror that it names".to_owned());
    }
    let operation = match subcommand {
        "install" | "i" | "use" | "reinstall" | "fetch" | "global" | "local" | "upgrade" | "up" | "set" | "pin" => {
            // Many only switch to what is there already.
            let is_switch = match subcommand {
                "use" => !matches!(reader.program, "mise" | "rtx"),
                "global" | "local" | "set" | "pin" => true,
                _ => false,
            };
            if is_switch && !(subcommand == "pin" && reader.program == "volta") {
                return draft.operation(Operation::Configure);
            }
            if matches!(subcommand, "upgrade" | "up") { Operation::Upgrade } else { Operation::Install }
        }
        "plugin" | "plugins" | "plugin-add" => {
            let names = if subcommand == "plugin-add" { words.as_slice() } else { words.get(1..).unwrap_or_default() };
            let verb = words.first().map_or("", |word| word.text.as_str());
            if subcommand != "plugin-add" && !matches!(verb, "add" | "install" | "i" | "update") {
                return draft.operation(if verb == "remove" { Operation::Remove } else { Operation::Read });
            }
            let url = names.get(1).and_then(|word| draft.known(word)).map(str::to_owned);
            draft.packages("runtime", names.get(..names.len().min(1)).unwrap_or_default(), bare);
            if let Some(url) = url {
                draft.sourced(&Source::Git(url));
            }
            return draft.running(Operation::Install);
        }
        "uninstall" | "remove" | "rm" | "unuse" | "unset" | "prune" => return draft.operation(Operation::Remove),
        "list" | "ls" | "ls-remote" | "list-all" | "list-remote" | "current" | "which" | "where" | "version"
        | "versions" | "latest" | "outdated" | "search" | "info" | "help" | "doctor" | "env" | "root" | "commands"
        | "default" | "home" | "" => {
            return draft.operation(Operation::Read);
        }
        "alias" | "unalias" | "shell" | "rehash" | "init" | "reshim" | "config" | "settings" | "trust" | "cache"
        | "completion" | "completions" | "setup" | "activate" | "deactivate" | "implode" | "flush" | "link"
        | "generate" => {
            return draft.operation(Operation::Configure);
        }
        "self-update" | "selfupdate" | "update" => return draft.running(Operation::Upgrade),
        // `mise run`, `nvm run`: the project's own.
        "run" | "r" | "task" | "tasks" | "watch" => return None,
        other => return draft.unknown_command(other),
    };
    let is_pair = matches!(reader.program, "asdf" | "sdk");
    if is_pair {
        let version = words.get(1).and_then(|word| draft.known(word)).map(exact_or_any);
        draft.packages("runtime", words.get(..words.len().min(1)).unwrap_or_default(), bare);
        draft.versioned(version);
    } else if tool.is_empty() {
        draft.packages("runtime", &words, at_tool);
    } else {
        for version in words.iter().filter_map(|word| draft.known(word)).collect::<Vec<_>>() {
            let requirement = if version.starts_with(|c: char| c.is_ascii_digit()) {
                super::specifier::npm_requirement(version)
            } else if matches!(version, "node" | "latest" | "stable" | "lts" | "--lts" | "lts/*") {
                Requirement::Any
            } else {
                Requirement::Range(version.to_owned())
            };
            draft.want("runtime", Spec::new(tool, requirement));
        }
    }
    if draft.plan.wanted.is_empty() && draft.plan.unknown.is_empty() && !reader.has("--lts") {
        draft.unknown("the versions stand in a file that is not read".to_owned());
        return draft.running(Operation::Restore);
    }
    draft.running(operation)
}

/// The verbs of a manager, parted by spaces.
struct Verbs {
    install: &'static str,
    upgrade: &'static str,
    remove: &'static str,
    configure: &'static str,
    read: &'static str,
}

/// A manager of the machine whose operands are all packages.
fn global(
    draft: &mut Draft,
    subcommand: &str,
    words: &[&super::Word],
    (ecosystem, specify): (&'static str, fn(&str) -> Specified),
    verbs: Verbs,
) -> Option<()> {
    let is = |names: &str| !subcommand.is_empty() && names.split(' ').any(|name| name == subcommand);
    draft.plan.is_global = true;
    if is(verbs.install) {
        draft.packages(ecosystem, words, specify);
        return draft.running(Operation::Install);
    }
    if is(verbs.upgrade) {
        draft.packages(ecosystem, words, specify);
        if words.is_empty() {
            draft.all("packages");
        }
        return draft.running(Operation::Upgrade);
    }
    for (names, operation) in
        [(verbs.remove, Operation::Remove), (verbs.configure, Operation::Configure), (verbs.read, Operation::Read)]
    {
        if is(names) {
            return draft.operation(operation);
        }
    }
    draft.unknown_command(subcommand)
}

fn file(text: &str) -> Specified {
    let source = if is_url(text) { Source::Url(text.to_owned()) } else { Source::Path(text.to_owned()) };
    Ok(Spec::from(text, Requirement::Any, source))
}

/// `bucket/app@1.2`, an address or a file of a manifest.
fn scoop_app(text: &str) -> Specified {
    if is_url(text) || is_path(text) || text.ends_with(".json") {
        return file(text);
    }
    let (bucket, name) = text.split_once('/').map_or((None, text), |(bucket, name)| (Some(bucket), name));
    let mut spec = at_exact(name)?;
    if let Some(bucket) = bucket.filter(|bucket| *bucket != "main") {
        spec.source = Source::OtherRegistry(bucket.to_owned());
    }
    Ok(spec)
}

/// `dev:name:^1.2` of pub.
fn pub_package(text: &str) -> Specified {
    let text = text.strip_prefix("dev:").or_else(|| text.strip_prefix("override:")).unwrap_or(text);
    let (name, version) = text.split_once(':').unwrap_or((text, ""));
    if version.trim_start().starts_with('{') {
        return Err("its source is written as a map, which is not read".to_owned());
    }
    let mut spec = bare(name)?;
    spec.requirement = pub_requirement(version);
    Ok(spec)
}

pub(super) fn pub_requirement(text: &str) -> Requirement {
    let text = text.trim();
    if matches!(text, "" | "any") {
        Requirement::Any
    } else if super::specifier::is_full_version(text) {
        Requirement::Exact(text.to_owned())
    } else {
        Requirement::Range(text.to_owned())
    }
}

/// `node@20`, `npm:prettier@3`, `cargo:ripgrep`: the part before the colon says whose it is.
fn at_tool(text: &str) -> Specified {
    let (backend, rest) = text.split_once(':').unwrap_or(("", text));
    let (name, version) = split_at_sign(rest);
    let ecosystem = match backend {
        "npm" => Some("npm"),
        "pipx" => Some("PyPI"),
        "cargo" => Some("crates.io"),
        "go" => Some("Go"),
        "gem" => Some("RubyGems"),
        _ => None,
    };
    let mut spec = bare(name)?;
    spec.requirement = super::specifier::npm_requirement(version.unwrap_or_default());
    if !backend.is_empty() && ecosystem.is_none() {
        spec.source = Source::OtherRegistry(backend.to_owned());
    }
    spec.ecosystem = ecosystem;
    Ok(spec)
}
