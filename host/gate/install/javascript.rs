//! What the managers of JavaScript install: npm, pnpm, yarn, bun, deno, and what npx and its kin run.

use super::super::argv::Word;
use super::draft::Draft;
use super::line::{Grammar, Reader};
use super::list::Format;
use super::specifier::{Specified, at_exact, deno as deno_spec, is_path, is_url, npm as npm_spec, split_at_sign};
use super::{Operation, Source};

const NPM: Grammar = Grammar::npm(
    "--registry --prefix -C --location --tag --workspace -w --cache --userconfig --globalconfig --loglevel --omit \
     --include --install-strategy --access --auth-type --otp --scope --script-shell --before --cert --key --ca \
     --cafile --call -c --package -p --cpu --os --libc --depth --diff --editor --engine-strict-version \
     --fetch-retries --fetch-retry-factor --fetch-retry-maxtimeout --fetch-retry-mintimeout --fetch-timeout --git \
     --https-proxy --http-proxy --proxy --noproxy --init-author-email --init-author-name --init-author-url \
     --init-license --init-module --init-version --init-type --init-private --install-links-value --local-address \
     --lockfile-version --logs-dir --logs-max --maxsockets --message --node-options --node-version --pack-destination \
     --preid --provenance-file --save-prefix --sbom-format --sbom-type --searchexclude --searchlimit --searchopts \
     --shell --sign-git-tag-key --tag-version-prefix --umask --user-agent --viewer --which --audit-level --expect-results \
     --min-release-age --replace-registry-host --expires --name --token-description --packages --orgs --cidr",
    "--global --save --save-dev --save-exact --save-optional --save-peer --save-prod --save-bundle --no-save --force \
     --ignore-scripts --dry-run --yes --production --legacy-peer-deps --strict-peer-deps --package-lock --audit --fund \
     --package-lock-only --prefer-offline --prefer-online --offline --workspaces --include-workspace-root --install-links \
     --bin-links --foreground-scripts --json --parseable --long --silent --quiet --verbose --version --help --usage \
     --no-audit --no-fund --no-package-lock --no-optional --no-bin-links --no-workspaces --no-color --color --unicode \
     --progress --provenance --timing --all --description --if-present --engine-strict --ignore-existing --allow-same-version",
);
/// pnpm names some flags otherwise, and `-c` is a switch there; it cuts nothing short.
const PNPM: Grammar = Grammar::plain(
    "--registry --dir -C --prefix --filter -F --filter-prod --loglevel --reporter --package --store-dir --virtual-store-dir \
     --modules-dir --lockfile-dir --network-concurrency --child-concurrency --workspace-concurrency --package-import-method \
     --hoist-pattern --public-hoist-pattern --node-linker --save-catalog-name --save-prefix --tag --use-node-version \
     --allow-build --cpu --os --libc --config-dir --global-dir --global-bin-dir --resolution-mode --trust-policy \
     --minimum-release-age --test-pattern --changed-files-ignore-pattern --aggregate-output-format --otp",
);
const YARN: Grammar = Grammar::plain(
    "--registry --cwd --modules-folder --cache-folder --preferred-cache-folder --mutex --network-timeout --network-concurrency \
     --use-yarnrc --global-folder --prefix --otp --proxy --https-proxy --link-folder --tag --mode --cache -p --package \
     --include --from --exclude --pattern --scope --emoji-variant",
);
const BUN: Grammar = Grammar::plain(
    "--registry --cwd -c --config --ca --cafile --cache-dir --backend --concurrent-scripts --network-concurrency --omit \
     --filter -F --linker --minimum-release-age --cpu --os -p --package --lockfile --depth --auth-type --otp --tag --access",
);
const REGISTRIES: &[&str] =
    &["https://registry.npmjs.org", "https://registry.yarnpkg.com", "http://registry.npmjs.org", "https://npm.jsr.io"];
const NPM_FILES: &[(&str, Format)] = &[
    ("npm-shrinkwrap.json", Format::PackageLock),
    ("package-lock.json", Format::PackageLock),
    ("package.json", Format::PackageJson),
];
const PNPM_FILES: &[(&str, Format)] = &[("pnpm-lock.yaml", Format::PnpmLock), ("package.json", Format::PackageJson)];
const YARN_FILES: &[(&str, Format)] = &[("yarn.lock", Format::YarnLock), ("package.json", Format::PackageJson)];
const BUN_FILES: &[(&str, Format)] = &[("bun.lock", Format::BunLock), ("package.json", Format::PackageJson)];

/// What npm's commands are for; a beginning that fits only one purpose is enough for npm.
const NPM_COMMANDS: &[(&str, Verb)] = &[
    ("install i in ins inst insta instal isnt isnta isntal isntall add", Verb::Add),
    ("ci clean-install ic install-clean isntall-clean", Verb::Restore),
    ("install-test it", Verb::Add),
    ("install-ci-test cit clean-install-test sit", Verb::Restore),
    ("update up upgrade udpate", Verb::Upgrade),
    ("exec x", Verb::Run),
    ("init create innit", Verb::Create),
    ("uninstall un remove rm r unlink prune", Verb::Remove),
    ("dedupe ddp find-dupes rebuild rb", Verb::Rebuild),
    ("link ln", Verb::Link),
    ("audit", Verb::Audit),
    (
        "list ls ll la view v info show search s se find outdated fund explain why help help-search doctor ping root \
         prefix bin query sbom diff docs home bugs issues repo whoami stars explore pack completion get version-list",
        Verb::Read,
    ),
    ("publish unpublish deprecate undeprecate dist-tag dist-tags access owner author team trust stage", Verb::Publish),
    (
        "config c set login adduser add-user logout token profile star unstar org ogr hook cache shrinkwrap pkg version \
         verison edit",
        Verb::Configure,
    ),
    ("run run-script rum urn test t tst start stop restart", Verb::Script),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Add,
    Restore,
    Upgrade,
    Run,
    Create,
    Remove,
    Rebuild,
    Link,
    Audit,
    Read,
    Publish,
    Configure,
    /// A script of the project.
    Script,
}

pub(super) fn npm(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    let subcommand = reader.subcommand(&NPM);
    if subcommand.is_empty() {
        return draft.operation(Operation::Read);
    }
    let Some(verb) = npm_verb(subcommand) else { return draft.unknown_command(subcommand) };
    match verb {
        Verb::Run => exec(reader, draft, &NPM),
        Verb::Create => create(reader, draft, &NPM),
        Verb::Script => None,
        Verb::Add | Verb::Restore | Verb::Upgrade | Verb::Rebuild | Verb::Link | Verb::Audit => {
            let words = reader.rest(&NPM);
            common(reader, draft);
            let folder = if words.is_empty() { reader.value("--prefix -C") } else { None };
            match verb {
                Verb::Add => add(reader, draft, &words, folder, NPM_FILES),
                Verb::Link => {
                    draft.packages("npm", &words, npm_spec);
                    draft.operation(Operation::Install)
                }
                Verb::Audit => {
                    let is_fix = words.first().is_some_and(|word| word.text == "fix");
                    draft.implied(folder, NPM_FILES);
                    draft.plan.runs_scripts &= is_fix;
                    draft.operation(if is_fix { changing(reader, Operation::Upgrade) } else { Operation::Read })
                }
                Verb::Upgrade => upgrade(reader, draft, &words, folder, NPM_FILES),
                _ => {
                    draft.implied(folder, NPM_FILES);
                    if verb == Verb::Restore {
                        draft.frozen();
                    }
                    draft.operation(changing(reader, Operation::Restore))
                }
            }
        }
        verb => plain(reader, draft, verb, &NPM),
    }
}

/// `npx [flags] pkg [the tool's own words]`.
pub(super) fn npx(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    exec(reader, draft, &NPM)
}

pub(super) fn pnpm(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    let subcommand = reader.subcommand(&PNPM);
    match subcommand {
        "dlx" => return exec(reader, draft, &PNPM),
        "create" => return create(reader, draft, &PNPM),
        "exec" => {
            reader.next(&PNPM);
            return draft.inner(reader.last_and_remaining());
        }
        "run" | "run-script" | "test" | "t" | "start" | "stop" | "restart" => return None,
        "env" | "runtime" => {
            let words = reader.rest(&PNPM);
            let is_install = words.first().is_some_and(|word| matches!(word.text.as_str(), "use" | "add" | "set"));
            draft.packages("runtime", words.get(1..).unwrap_or_default(), at_exact);
            draft.plan.is_global = true;
            return draft.operation(if is_install { Operation::Install } else { Operation::Read });
        }
        _ => {}
    }
    let words = reader.rest(&PNPM);
    common(reader, draft);
    let folder = if words.is_empty() { reader.value("--dir -C --prefix") } else { None };
    match subcommand {
        "add" | "install" | "i" => add(reader, draft, &words, folder, PNPM_FILES),
        "update" | "up" | "upgrade" => upgrade(reader, draft, &words, folder, PNPM_FILES),
        "link" | "ln" | "patch" => {
            draft.packages("npm", &words, npm_spec);
            draft.operation(Operation::Install)
        }
        "fetch" | "rebuild" | "rb" | "dedupe" | "ci" | "clean-install" | "import" | "deploy" | "install-test"
        | "it" | "approve-builds" => {
            draft.implied(folder, PNPM_FILES);
            draft.operation(Operation::Restore)
        }
        "remove" | "rm" | "uninstall" | "un" | "prune" | "unlink" => quiet(draft, Operation::Remove),
        "publish" | "deprecate" | "dist-tag" => quiet(draft, Operation::Publish),
        "config" | "c" | "set" | "setup" | "init" | "store" | "cache" | "login" | "logout" | "patch-commit"
        | "patch-remove" => quiet(draft, Operation::Configure),
        "self-update" => {
            draft.plan.is_global = true;
            draft.running(Operation::Upgrade)
        }
        "list" | "ls" | "ll" | "la" | "outdated" | "why" | "audit" | "licenses" | "root" | "bin" | "pack" | "help"
        | "view" | "info" | "show" | "doctor" | "get" | "search" | "cat-file" | "find-hash" | "ignored-builds"
        | "sbom" | "" => quiet(draft, Operation::Read),
        // `pnpm build` is a script of the project.
        _ => None,
    }
}

pub(super) fn pnpx(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    exec(reader, draft, &PNPM)
}

pub(super) fn yarn(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    let mut subcommand = reader.subcommand(&YARN);
    let is_global = subcommand == "global";
    if is_global {
        subcommand = reader.subcommand(&YARN);
    }
    match subcommand {
        "dlx" => return exec(reader, draft, &YARN),
        "create" => return create(reader, draft, &YARN),
        "exec" => {
            reader.next(&YARN);
            return draft.inner(reader.last_and_remaining());
        }
        "workspace" | "workspaces" => {
            let verb = reader.subcommand(&YARN);
            if subcommand == "workspaces" && !matches!(verb, "foreach" | "run") {
                draft.implied(None, YARN_FILES);
                return if verb == "focus" {
                    draft.running(Operation::Restore)
                } else {
                    draft.operation(Operation::Read)
                };
            }
            if verb == "foreach" {
                // Its own flags stand before the command.
                reader.next(&YARN);
                let rest = reader.last_and_remaining().iter().cloned();
                let words: Vec<Word> = std::iter::once(Word::plain("yarn")).chain(rest).collect();
                return draft.inner(&words);
            }
            let words: Vec<Word> =
                std::iter::once(Word::plain("yarn")).chain(reader.remaining().iter().cloned()).collect();
            return draft.inner(&words);
        }
        "run" | "test" | "start" | "node" => return None,
        _ => {}
    }
    let words = reader.rest(&YARN);
    common(reader, draft);
    draft.plan.is_global |= is_global;
    if reader.values("--mode").contains(&"skip-build") {
        draft.plan.runs_scripts = false;
    }
    let folder = if words.is_empty() { reader.value("--cwd") } else { None };
    match subcommand {
        "add" if words.is_empty() => quiet(draft, Operation::Read),
        "add" => add(reader, draft, &words, folder, YARN_FILES),
        // Yarn's install takes no names; a first version that did was long ago.
        "install" | "" if !reader.is_on("--version -v --help -h") => {
            draft.packages("npm", &words, npm_spec);
            draft.implied(folder, YARN_FILES);
            draft.operation(Operation::Restore)
        }
        "up" | "upgrade" | "upgrade-interactive" => upgrade(reader, draft, &words, folder, YARN_FILES),
        "dedupe" | "rebuild" | "import" | "autoclean" => {
            draft.implied(folder, YARN_FILES);
            draft.operation(Operation::Restore)
        }
        "link" | "unlink" => quiet(draft, Operation::Configure),
        "plugin" => {
            let (verb, rest) = words.split_first().map_or(("", &[][..]), |(verb, rest)| (verb.text.as_str(), rest));
            if verb != "import" {
                return quiet(draft, if verb == "remove" { Operation::Remove } else { Operation::Read });
            }
            draft.packages("npm", rest, yarn_plugin);
            draft.running(Operation::Install)
        }
        "set" | "policies" => {
            let is_version = words.iter().any(|word| matches!(word.text.as_str(), "version" | "set-version"));
            let version = words.get(1).and_then(|word| draft.known(word)).unwrap_or_default();
            if is_version {
                let source =
                    if is_url(version) || is_path(version) { version.to_owned() } else { format!("yarn@{version}") };
                draft.package("npm", &source, npm_spec);
                return draft.running(Operation::Install);
            }
            quiet(draft, Operation::Configure)
        }
        "remove" => quiet(draft, Operation::Remove),
        "npm" => {
            let verb = words.first().map_or("", |word| word.text.as_str());
            quiet(draft, if matches!(verb, "info" | "whoami" | "audit") { Operation::Read } else { Operation::Publish })
        }
        "publish" | "tag" | "owner" | "team" => quiet(draft, Operation::Publish),
        "config" | "init" | "login" | "logout" | "cache" | "version" | "patch-commit" | "unplug" | "patch" => {
            quiet(draft, Operation::Configure)
        }
        "list"
        | "info"
        | "why"
        | "outdated"
        | "audit"
        | "licenses"
        | "bin"
        | "dir"
        | "check"
        | "help"
        | "versions"
        | "pack"
        | "search"
        | "explain"
        | "constraints"
        | "generate-lock-entry"
        | "install"
        | "" => quiet(draft, Operation::Read),
        // `yarn build` is a script of the project.
        _ => None,
    }
}

pub(super) fn bun(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    let subcommand = reader.subcommand(&BUN);
    match subcommand {
        "x" => return exec(reader, draft, &BUN),
        "create" | "c" => return create(reader, draft, &BUN),
        "pm" | "info" | "outdated" | "audit" | "why" | "list" | "" => return draft.operation(Operation::Read),
        "init" | "link" | "unlink" | "patch" => return draft.operation(Operation::Configure),
        "publish" => return draft.operation(Operation::Publish),
        "upgrade" => {
            draft.plan.is_global = true;
            return draft.running(Operation::Upgrade);
        }
        "add" | "a" | "install" | "i" | "ci" | "update" | "remove" | "rm" => {}
        // It runs a file or a script of the project.
        _ => return None,
    }
    let words = reader.rest(&BUN);
    common(reader, draft);
    let folder = if words.is_empty() { reader.value("--cwd") } else { None };
    match subcommand {
        "add" | "a" | "install" | "i" => add(reader, draft, &words, folder, BUN_FILES),
        "update" => upgrade(reader, draft, &words, folder, BUN_FILES),
        "ci" => {
            draft.implied(folder, BUN_FILES);
            draft.frozen();
            draft.operation(Operation::Restore)
        }
        _ => quiet(draft, Operation::Remove),
    }
}

pub(super) fn bunx(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    exec(reader, draft, &BUN)
}

/// deno names npm's packages by `npm:` and its own by `jsr:`; `run`, `test` and `install` fetch them.
pub(super) fn deno(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    const DENO: Grammar = Grammar::plain(
        "-n --name --root -c --config --import-map -L --log-level --cert --location --seed --ext --entrypoint -p --port \
         --host --filter --preload --env-file-path --conditions --target -o --output --icon --version",
    );
    let subcommand = reader.subcommand(&DENO);
    match subcommand {
        "install" | "i" | "add" | "cache" | "jupyter" => {
            let is_global = subcommand == "install"
                && reader.remaining().iter().any(|word| matches!(word.text.as_str(), "-g" | "--global"));
            // Behind the script of a global install stand the words that it is always run with.
            let words = if is_global { reader.next(&DENO).into_iter().collect() } else { reader.rest(&DENO) };
            draft.plan.is_global = is_global;
            draft.packages("npm", &words, deno_spec);
            draft.plan.runs_scripts = reader.has("--allow-scripts");
            if words.is_empty() {
                draft.implied(None, &[("deno.json", Format::DenoJson), ("package.json", Format::PackageJson)]);
                return draft.operation(Operation::Restore);
            }
            draft.operation(Operation::Install)
        }
        "run" | "x" | "serve" | "test" | "bench" | "create" => {
            let word = reader.next(&DENO)?;
            let text = draft.known(word);
            let Some(text) = text else { return draft.running(Operation::Run) };
            let is_fetched = text.starts_with("npm:") || text.starts_with("jsr:") || is_url(text);
            if !is_fetched && !matches!(subcommand, "x" | "create") {
                return None;
            }
            let text = if is_fetched { text.to_owned() } else { format!("npm:{text}") };
            draft.package("npm", &text, deno_spec);
            draft.running(Operation::Run)
        }
        "outdated" | "update" => {
            reader.rest(&DENO);
            let is_update = subcommand == "update" || reader.is_on("-u --update");
            draft.implied(None, &[("deno.json", Format::DenoJson), ("package.json", Format::PackageJson)]);
            draft.operation(if is_update { Operation::Upgrade } else { Operation::Read })
        }
        "upgrade" => {
            draft.plan.is_global = true;
            draft.running(Operation::Upgrade)
        }
        "uninstall" | "remove" | "rm" => draft.operation(Operation::Remove),
        "publish" => draft.operation(Operation::Publish),
        "info" | "doc" | "types" | "completions" | "audit" => draft.operation(Operation::Read),
        text if is_url(text) || text.starts_with("npm:") || text.starts_with("jsr:") => {
            draft.package("npm", text, deno_spec);
            draft.running(Operation::Run)
        }
        _ => None,
    }
}

/// `corepack pnpm add x` runs pnpm; `corepack use pnpm@9` fetches it.
pub(super) fn corepack(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    const COREPACK: Grammar = Grammar::plain("--install-directory -o --output");
    let subcommand = reader.subcommand(&COREPACK);
    match subcommand {
        "enable" | "disable" | "cache" => draft.operation(Operation::Configure),
        "use" | "prepare" | "install" | "up" | "hydrate" | "pack" => {
            let words = reader.rest(&COREPACK);
            draft.packages("npm", &words, npm_spec);
            draft.plan.is_global = true;
            if words.is_empty() {
                draft.implied(None, &[("package.json", Format::PackageJson)]);
                return draft.running(Operation::Restore);
            }
            draft.running(Operation::Install)
        }
        "" => draft.operation(Operation::Read),
        _ => {
            let (name, version) = split_at_sign(subcommand);
            if version.is_some() {
                draft.package("npm", subcommand, npm_spec);
                draft.running(Operation::Run);
            }
            let rest = reader.remaining().iter().cloned();
            let words: Vec<Word> = std::iter::once(Word::plain(name)).chain(rest).collect();
            draft.inner(&words)
        }
    }
}

fn npm_verb(subcommand: &str) -> Option<Verb> {
    let all = || NPM_COMMANDS.iter().flat_map(|(names, verb)| names.split_whitespace().map(move |name| (name, *verb)));
    if let Some((_, verb)) = all().find(|(name, _)| *name == subcommand) {
        return Some(verb);
    }
    let mut verbs: Vec<Verb> = all().filter(|(name, _)| name.starts_with(subcommand)).map(|(_, verb)| verb).collect();
    verbs.dedup();
    match verbs.as_slice() {
        [verb] => Some(*verb),
        _ => None,
    }
}

fn common(reader: &mut Reader<'_>, draft: &mut Draft) {
    for url in reader.values("--registry") {
        draft.registry(Some(url), REGISTRIES);
    }
    let scoped: Vec<String> = reader.prefixed("--@").iter().map(|(_, url)| (*url).to_owned()).collect();
    for url in scoped {
        draft.registry(Some(&url), REGISTRIES);
    }
    let is_by_location = reader.value("--location") == Some("global");
    draft.plan.is_global = reader.is_on("-g --global") || is_by_location;
    draft.plan.runs_scripts = !reader.is_on("--ignore-scripts") && !reader.is_on("--package-lock-only --lockfile-only");
}

fn add(
    reader: &mut Reader<'_>,
    draft: &mut Draft,
    words: &[&Word],
    folder: Option<&str>,
    files: &[(&str, Format)],
) -> Option<()> {
    if words.is_empty() {
        draft.implied(folder, files);
        return draft.operation(changing(reader, Operation::Restore));
    }
    draft.packages("npm", words, npm_spec);
    for path in
        words.iter().map(|word| word.text.as_str()).filter(|text| is_path(text) && !super::specifier::is_archive(text))
    {
        draft.implied(Some(path.trim_start_matches("file:")), &[("package.json", Format::PackageJson)]);
    }
    draft.operation(changing(reader, Operation::Install))
}

fn upgrade(
    reader: &mut Reader<'_>,
    draft: &mut Draft,
    words: &[&Word],
    folder: Option<&str>,
    files: &[(&str, Format)],
) -> Option<()> {
    draft.packages("npm", words, npm_spec);
    if words.is_empty() {
        // What it takes lies between the manifest's ranges and today, so the lock file does not say it.
        draft.implied(folder, files);
        if draft.plan.is_global {
            draft.all("global packages");
        }
    }
    draft.operation(changing(reader, Operation::Upgrade))
}

/// Fetches and runs: the first operand is the package unless `--package` names it.
fn exec(reader: &mut Reader<'_>, draft: &mut Draft, grammar: &Grammar) -> Option<()> {
    let word = reader.next(grammar);
    common(reader, draft);
    let named = reader.values("-p --package");
    for spec in &named {
        draft.package("npm", spec, npm_spec);
    }
    if named.is_empty() {
        let Some(word) = word else {
            if reader.has("-c --call") {
                draft.unknown("`--call` runs a line of the shell".to_owned());
                return draft.running(Operation::Run);
            }
            return draft.operation(Operation::Read);
        };
        draft.packages("npm", &[word], npm_spec);
        let is_path = draft.plan.wanted.iter().all(|wanted| matches!(wanted.source, Source::Path(_)));
        // `npm exec ./tool` runs a file of the project.
        if is_path && draft.plan.unknown.is_empty() {
            return draft.running(Operation::Run);
        }
    }
    if grammar.takes_value("--call") && reader.has("-c --call") {
        draft.unknown("`--call` runs a line of the shell".to_owned());
    }
    draft.tool(word, reader.remaining());
    draft.running(Operation::Run)
}

/// `npm init react-app x` fetches and runs `create-react-app`.
fn create(reader: &mut Reader<'_>, draft: &mut Draft, grammar: &Grammar) -> Option<()> {
    let word = reader.next(grammar);
    common(reader, draft);
    let Some(word) = word else { return quiet(draft, Operation::Configure) };
    draft.packages("npm", &[word], initializer);
    draft.running(Operation::Run)
}

/// The package that an initializer's short name stands for.
fn initializer(text: &str) -> Specified {
    if is_url(text) || is_path(text) {
        return npm_spec(text);
    }
    let (name, version) = split_at_sign(text);
    let full = match name.strip_prefix('@').map(|scoped| scoped.split_once('/')) {
        Some(Some((scope, name))) => format!("@{scope}/create-{}", name.trim_start_matches("create-")),
        Some(None) => format!("{name}/create"),
        None if name.contains('/') => return npm_spec(text),
        None => format!("create-{}", name.trim_start_matches("create-")),
    };
    npm_spec(&version.map_or(full.clone(), |version| format!("{full}@{version}")))
}

fn yarn_plugin(text: &str) -> Specified {
    if is_url(text) || is_path(text) {
        return npm_spec(text);
    }
    let (name, _) = split_at_sign(text);
    npm_spec(&if name.starts_with('@') { text.to_owned() } else { format!("@yarnpkg/plugin-{text}") })
}

fn plain(reader: &mut Reader<'_>, draft: &mut Draft, verb: Verb, grammar: &Grammar) -> Option<()> {
    let words = reader.rest(grammar);
    let is_read_by_verb =
        words.first().is_some_and(|word| matches!(word.text.as_str(), "get" | "list" | "ls" | "verify"));
    let operation = match verb {
        Verb::Remove => Operation::Remove,
        Verb::Publish if !is_read_by_verb => Operation::Publish,
        Verb::Configure if !is_read_by_verb => Operation::Configure,
        _ => Operation::Read,
    };
    draft.operation(changing(reader, operation))
}

/// An operation that installs nothing.
fn quiet(draft: &mut Draft, operation: Operation) -> Option<()> {
    draft.plan.runs_scripts = false;
    draft.operation(operation)
}

fn changing(reader: &Reader<'_>, operation: Operation) -> Operation {
    if reader.is_on("--dry-run") { Operation::Read } else { operation }
}
