//! What the managers of Python install: pip, uv, poetry, pipenv, pipx, pdm, hatch, conda.

use super::super::argv::Word;
use super::super::glob::UNKNOWN;
use super::super::path::base_name;
use super::Operation;
use super::draft::{Draft, joined};
use super::line::{Grammar, Reader};
use super::list::Format;
use super::specifier::{
    Spec, Specified, at_exact, bare, conda as conda_spec, is_path, is_url, poetry as poetry_spec, python,
};

const PIP: Grammar = Grammar::abbreviating(
    "--python --log --log-file --local-log --keyring-provider --proxy --retries --timeout --default-timeout \
     --exists-action --trusted-host --cert --client-cert --cache-dir --use-feature --use-deprecated --resume-retries \
     -r --requirement -c --constraint --build-constraint -e --editable -t --target --platform --python-version \
     --implementation --abi --root --prefix --src --source --source-dir --source-directory --upgrade-strategy -C \
     --config-settings --config-setting --global-option --build-option --no-binary --only-binary --progress-bar \
     --root-user-action --report --group -i --index-url --pypi-url --extra-index-url -f --find-links -d --dest \
     --destination-dir --destination-directory -w --wheel-dir -b --build --uploaded-prior-to \
     --requirements-from-script",
    "--pre --user --require-virtualenv --require-hashes --no-index --no-input --no-deps --dry-run --isolated \
     --no-build-isolation --no-cache-dir --break-system-packages --ignore-installed --force-reinstall --prefer-binary",
);
const UV: Grammar = Grammar::plain(
    "--cache-dir --color --directory --project --config-file --allow-insecure-host --python-preference -p --python \
     -r --requirement --requirements -c --constraint --constraints --override --overrides --build-constraint \
     --build-constraints -b --exclude --excludes -e --editable --extra --no-extra --group --no-group --only-group \
     --optional --package --script --with --with-editable --with-requirements --with-executables-from --from \
     --env-file -i --index-url --index --default-index --extra-index-url -f --find-links --index-strategy \
     --keyring-provider -P --upgrade-package --resolution --prerelease --fork-strategy -C --config-setting \
     --config-settings --config-settings-package --no-build-isolation-package --exclude-newer \
     --exclude-newer-package --link-mode --refresh-package --no-build-package --no-binary-package --no-binary \
     --only-binary --reinstall-package --no-sources-package --python-version --python-platform --torch-backend -t \
     --target --prefix -o --output-file --format -m --marker --branch --tag --rev --lfs --bounds \
     --no-install-package --only-install-package --no-emit-package --mirror --pypy-mirror -w --upgrade-group",
);
const PYPI: &[&str] =
    &["https://pypi.org/simple", "https://pypi.python.org/simple", "pypi", "https://pypi.org/simple/"];
const LOCKS: &[(&str, Format)] = &[("uv.lock", Format::UvLock), ("pyproject.toml", Format::PyProject)];
const POETRY: Grammar = Grammar::abbreviating(
    "-C --directory -P --project -G --group -E --extras --python --platform --markers --source --with --without \
     --only --optional-groups --format -f -o --output -r --repository -u --username -p --password --priority --cert",
    "--sync --dry-run --dev --optional --editable --lock --quiet --no-root --verbose --allow-prereleases",
);
const PIPENV: Grammar = Grammar::plain(
    "-r --requirements -e --editable -i --index --extra-index-url --pypi-mirror -p --python --categories \
     --extra-pip-args --editable-package --lock-only-package --output",
);
const PIPX: Grammar = Grammar::abbreviating(
    "--spec --python --fetch-python --suffix --index-url -i --extra-index-url --pip-args --preinstall -r \
     --requirement --with --backend --skip --editable-path --path-prefix",
    "--include-deps --include-apps --verbose --editable --global --no-cache --force --system-site-packages --quiet",
);
const PDM: Grammar = Grammar::abbreviating(
    "-p --project -G --group --with --without -L --lockfile -e --editable --override -k --skip --venv -r \
     --repository -f --format -o --output -S --strategy --config-setting -C --cert -u --username -P --password \
     --platform --python --implementation --config -c --save-path",
    "--dry-run --dev --no-sync --no-lock --no-self --prod --verbose --global --frozen-lockfile --unconstrained",
);
const CONDA: Grammar = Grammar::abbreviating(
    "-n --name -p --prefix -c --channel --file -f --solver --experimental --repodata-fn --subdir --platform \
     --cwd --root-prefix -r --revision --rc-file --log-level --override-frozen-env -E --environment-specifier \
     --clone --console --download-threads --extract-threads --env-spec --environment-spec --category",
    "--dry-run --yes --json --quiet --verbose --force --override-channels --offline --no-deps --only-deps --update-all \
     --all --freeze-installed --no-pin --copy --download-only --strict-channel-priority --use-local --prune",
);

pub(super) fn pip(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    let subcommand = reader.subcommand(&PIP);
    let words = reader.rest(&PIP);
    match subcommand {
        "install" | "download" | "wheel" | "lock" => {
            pip_packages(reader, draft, &words);
            draft.plan.is_global = reader.has("--user --break-system-packages --root");
            pip_scripts(reader, draft);
            let operation = if reader.is_on("-U --upgrade") { Operation::Upgrade } else { Operation::Install };
            let is_by_file_alone = words.is_empty() && !reader.has("-e --editable") && !draft.plan.files.is_empty();
            let operation = if is_by_file_alone { Operation::Restore } else { operation };
            draft.operation(if reader.is_on("--dry-run") { Operation::Read } else { operation })
        }
        "uninstall" => draft.operation(Operation::Remove),
        "list" | "show" | "search" | "freeze" | "check" | "inspect" | "index" | "hash" | "help" | "debug"
        | "completion" | "cache" => draft.operation(Operation::Read),
        "config" => {
            let is_read = words.first().is_none_or(|word| matches!(word.text.as_str(), "list" | "get" | "debug"));
            draft.operation(if is_read { Operation::Read } else { Operation::Configure })
        }
        other => draft.unknown_command(other),
    }
}

pub(super) fn uv(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    match reader.subcommand(&UV) {
        "pip" => uv_pip(reader, draft),
        "add" => {
            let words = reader.rest(&UV);
            pip_packages(reader, draft, &words);
            let git = reader.value("--rev").map(|rev| super::Requirement::Exact(rev.to_owned()));
            draft.versioned(git);
            draft.running(Operation::Install)
        }
        "tool" => match reader.subcommand(&UV) {
            "run" => uvx(reader, draft),
            "install" => {
                let words = reader.rest(&UV);
                uv_tools(reader, draft);
                // With `--from` the operand is a command of that package.
                if !reader.has("--from") {
                    draft.packages("PyPI", &words, tool);
                }
                draft.plan.is_global = true;
                draft.running(Operation::Install)
            }
            "upgrade" => {
                let words = reader.rest(&UV);
                indexes(reader, draft);
                draft.packages("PyPI", &words, tool);
                if reader.is_on("--all") {
                    draft.all("tools");
                }
                draft.plan.is_global = true;
                draft.running(Operation::Upgrade)
            }
            "uninstall" => draft.operation(Operation::Remove),
            "update-shell" => draft.operation(Operation::Configure),
            "list" | "dir" | "help" | "audit" | "" => draft.operation(Operation::Read),
            other => draft.unknown_command(other),
        },
        "run" => {
            let inner = reader.next(&UV).is_some();
            let words = if inner { reader.last_and_remaining().to_vec() } else { vec![] };
            uv_tools(reader, draft);
            if draft.plan.wanted.is_empty() && draft.plan.files.is_empty() && draft.plan.unknown.is_empty() {
                // As with a build: the project's own environment, and then the command.
                return draft.inner(&words);
            }
            draft.inner(&words);
            draft.running(Operation::Run)
        }
        "sync" | "lock" | "export" => {
            reader.rest(&UV);
            indexes(reader, draft);
            uv_project(reader, draft);
            let is_read = reader.is_on("--dry-run") || reader.is_on("--check");
            let is_upgrade = reader.has("-U --upgrade -P --upgrade-package");
            draft.plan.runs_scripts = true;
            draft.operation(match (is_read, is_upgrade) {
                (true, _) => Operation::Read,
                (_, true) => Operation::Upgrade,
                _ => Operation::Restore,
            })
        }
        "python" => match reader.subcommand(&UV) {
            "install" | "upgrade" => {
                let words = reader.rest(&UV);
                let versions: Vec<Spec> = words
                    .iter()
                    .filter_map(|word| draft.known(word))
                    .map(|version| Spec::new("python", super::Requirement::Range(version.to_owned())))
                    .collect();
                versions.into_iter().for_each(|spec| draft.want("runtime", spec));
                if reader.has("--mirror --pypy-mirror") {
                    draft.unknown("it fetches the interpreter from a mirror that it names".to_owned());
                }
                draft.plan.is_global = true;
                draft.operation(Operation::Install)
            }
            "uninstall" => draft.operation(Operation::Remove),
            "pin" | "update-shell" => draft.operation(Operation::Configure),
            "list" | "find" | "dir" | "help" | "" => draft.operation(Operation::Read),
            other => draft.unknown_command(other),
        },
        "remove" => draft.operation(Operation::Remove),
        "publish" => draft.operation(Operation::Publish),
        "self" => match reader.subcommand(&UV) {
            "update" => {
                draft.plan.is_global = true;
                draft.running(Operation::Upgrade)
            }
            _ => draft.operation(Operation::Read),
        },
        "auth" | "init" => draft.operation(Operation::Configure),
        "tree" | "version" | "help" | "cache" | "audit" | "" => {
            reader.rest(&UV);
            draft.operation(Operation::Read)
        }
        "venv" | "build" | "format" => None,
        other => draft.unknown_command(other),
    }
}

/// `uvx` and `uv tool run`: the first operand is the tool, the rest is the tool's business.
pub(super) fn uvx(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    let tool_word = reader.next(&UV);
    uv_tools(reader, draft);
    if let Some(word) = tool_word
        && !reader.has("--from")
    {
        draft.packages("PyPI", &[word], tool);
    }
    if tool_word.is_none() && draft.plan.wanted.is_empty() {
        return draft.operation(Operation::Read);
    }
    draft.tool(tool_word, reader.remaining());
    draft.running(Operation::Run)
}

pub(super) fn poetry(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    const FILES: &[(&str, Format)] = &[("poetry.lock", Format::PoetryLock), ("pyproject.toml", Format::PyProject)];
    let subcommand = reader.subcommand(&POETRY);
    match subcommand {
        "run" => return draft.inner(reader.remaining()),
        "self" => {
            draft.plan.is_global = true;
            let inner = reader.subcommand(&POETRY);
            let words = reader.rest(&POETRY);
            return match inner {
                "add" | "update" => {
                    draft.packages("PyPI", &words, poetry_spec);
                    draft.running(if inner == "add" { Operation::Install } else { Operation::Upgrade })
                }
                "install" | "sync" | "lock" => draft.running(Operation::Restore),
                "remove" => draft.operation(Operation::Remove),
                _ => draft.operation(Operation::Read),
            };
        }
        "source" | "config" | "init" | "new" | "env" => {
            let words = reader.rest(&POETRY);
            // `poetry init --dependency x` writes it down and fetches nothing.
            let is_read =
                words.first().is_some_and(|word| matches!(word.text.as_str(), "show" | "info" | "list" | "activate"))
                    || reader.is_on("--list");
            return draft.operation(if is_read { Operation::Read } else { Operation::Configure });
        }
        _ => {}
    }
    let words = reader.rest(&POETRY);
    let folder = reader.value("-C --directory -P --project");
    let is_dry = reader.is_on("--dry-run");
    let source = reader.value("--source");
    draft.registry(source, PYPI);
    let operation = match subcommand {
        "add" => {
            draft.packages("PyPI", &words, poetry_spec);
            Operation::Install
        }
        "install" | "sync" => {
            draft.implied(folder, FILES);
            Operation::Restore
        }
        "lock" | "update" => {
            draft.packages("PyPI", &words, poetry_spec);
            draft.implied(folder, FILES);
            Operation::Upgrade
        }
        "remove" => return draft.operation(Operation::Remove),
        "publish" => return draft.operation(Operation::Publish),
        "show" | "search" | "check" | "version" | "about" | "list" | "help" | "cache" | "export" | "debug" | "" => {
            return draft.operation(Operation::Read);
        }
        "build" | "shell" => return None,
        other => return draft.unknown_command(other),
    };
    draft.plan.runs_scripts = !is_dry;
    draft.operation(if is_dry { Operation::Read } else { operation })
}

pub(super) fn pipenv(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    const FILES: &[(&str, Format)] = &[("Pipfile.lock", Format::PipfileLock), ("Pipfile", Format::Pipfile)];
    let subcommand = reader.subcommand(&PIPENV);
    if subcommand == "run" {
        return draft.inner(reader.remaining());
    }
    let words = reader.rest(&PIPENV);
    draft.registry(reader.value("-i --index --pypi-mirror --extra-index-url"), PYPI);
    match subcommand {
        "install" | "upgrade" | "update" => {
            draft.packages("PyPI", &words, python);
            for path in reader.values("-e --editable") {
                draft.package("PyPI", path, editable);
            }
            for path in reader.values("-r --requirements") {
                requirements(draft, path);
            }
            if reader.has("--extra-pip-args") {
                draft.unknown("it hands words of its own to pip".to_owned());
            }
            if draft.plan.wanted.is_empty() && draft.plan.files.is_empty() && draft.plan.unknown.is_empty() {
                draft.implied(None, FILES);
                return draft.running(if subcommand == "install" { Operation::Restore } else { Operation::Upgrade });
            }
            draft.running(if subcommand == "install" { Operation::Install } else { Operation::Upgrade })
        }
        "sync" | "lock" => {
            draft.implied(None, FILES);
            draft.running(if subcommand == "lock" { Operation::Upgrade } else { Operation::Restore })
        }
        "uninstall" | "clean" => draft.operation(Operation::Remove),
        "graph" | "check" | "requirements" | "scripts" | "verify" | "audit" | "open" | "" => {
            draft.operation(Operation::Read)
        }
        "shell" => None,
        other => draft.unknown_command(other),
    }
}

pub(super) fn pipx(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    let subcommand = reader.subcommand(&PIPX);
    draft.plan.is_global = true;
    match subcommand {
        "run" => {
            let tool_word = reader.next(&PIPX);
            pipx_registry(reader, draft);
            let spec = reader.value("--spec");
            if let Some(spec) = spec {
                draft.package("PyPI", spec, python);
            }
            for with in reader.values("--with") {
                draft.package("PyPI", with, python);
            }
            if let Some(word) = tool_word.filter(|_| spec.is_none()) {
                draft.packages("PyPI", &[word], python);
            }
            draft.plan.is_global = false;
            draft.tool(tool_word, reader.remaining());
            draft.running(Operation::Run)
        }
        "install" | "upgrade" | "inject" | "reinstall" | "install-all" | "upgrade-all" | "reinstall-all"
        | "upgrade-shared" | "uninject" | "uninstall" | "uninstall-all" => {
            let words = reader.rest(&PIPX);
            pipx_registry(reader, draft);
            if subcommand.starts_with("un") {
                return draft.operation(Operation::Remove);
            }
            // The first operand of `inject` is the environment that the others go to.
            let skipped = usize::from(subcommand == "inject");
            draft.packages("PyPI", words.get(skipped..).unwrap_or_default(), python);
            for spec in reader.values("--spec --preinstall --with") {
                draft.package("PyPI", spec, python);
            }
            for path in reader.values("-r --requirement") {
                requirements(draft, path);
            }
            if subcommand.ends_with("-all") {
                draft.all("tools");
            }
            let is_install = matches!(subcommand, "install" | "inject" | "install-all");
            draft.running(if is_install { Operation::Install } else { Operation::Upgrade })
        }
        "runpip" => {
            reader.next(&PIPX);
            let words: Vec<Word> =
                std::iter::once(Word::plain("pip")).chain(reader.remaining().iter().cloned()).collect();
            draft.inner(&words)
        }
        "list" | "environment" | "completions" | "help" | "interpreter" | "" => draft.operation(Operation::Read),
        "ensurepath" | "pin" | "unpin" => draft.operation(Operation::Configure),
        other => draft.unknown_command(other),
    }
}

pub(super) fn pdm(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    const FILES: &[(&str, Format)] = &[("pdm.lock", Format::PdmLock), ("pyproject.toml", Format::PyProject)];
    let subcommand = reader.subcommand(&PDM);
    if subcommand == "run" {
        return draft.inner(reader.remaining());
    }
    if matches!(subcommand, "self" | "plugin" | "python" | "py") {
        let inner = reader.subcommand(&PDM);
        let words = reader.rest(&PDM);
        draft.plan.is_global = true;
        return match inner {
            "add" | "install" if subcommand.starts_with("py") => {
                draft.packages("runtime", &words, bare);
                draft.running(Operation::Install)
            }
            "add" => {
                draft.packages("PyPI", &words, python);
                draft.running(Operation::Install)
            }
            "update" => draft.running(Operation::Upgrade),
            "remove" => draft.operation(Operation::Remove),
            _ => draft.operation(Operation::Read),
        };
    }
    let words = reader.rest(&PDM);
    let folder = reader.value("-p --project");
    let is_dry = reader.is_on("--dry-run");
    let operation = match subcommand {
        "add" => {
            draft.packages("PyPI", &words, python);
            for path in reader.values("-e --editable") {
                draft.package("PyPI", path, editable);
            }
            Operation::Install
        }
        "install" | "sync" => {
            draft.implied(folder, FILES);
            Operation::Restore
        }
        "update" | "lock" => {
            draft.packages("PyPI", &words, python);
            draft.implied(folder, FILES);
            Operation::Upgrade
        }
        "remove" => return draft.operation(Operation::Remove),
        "publish" => return draft.operation(Operation::Publish),
        "use" | "config" | "init" | "new" | "cache" | "venv" | "fix" | "import" => {
            return draft.operation(Operation::Configure);
        }
        "list" | "search" | "show" | "info" | "export" | "outdated" | "completion" | "" => {
            return draft.operation(Operation::Read);
        }
        "build" => return None,
        other => return draft.unknown_command(other),
    };
    draft.plan.runs_scripts = !is_dry;
    draft.operation(if is_dry { Operation::Read } else { operation })
}

pub(super) fn hatch(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    const HATCH: Grammar = Grammar::plain("-e --env -p --project --data-dir --cache-dir --config -r --repo -u --user");
    match reader.subcommand(&HATCH) {
        "run" => {
            let first = reader.next(&HATCH)?;
            // `hatch run env:command`.
            let command = first.text.split_once(':').map_or(first.text.as_str(), |(_, command)| command);
            let words: Vec<Word> =
                std::iter::once(Word::plain(command)).chain(reader.remaining().iter().cloned()).collect();
            draft.inner(&words)
        }
        "env" => match reader.subcommand(&HATCH) {
            "create" => {
                draft.implied(None, &[("pyproject.toml", Format::PyProject)]);
                draft.running(Operation::Restore)
            }
            "remove" | "prune" => draft.operation(Operation::Remove),
            "run" => draft.inner(reader.remaining()),
            _ => draft.operation(Operation::Read),
        },
        "python" => match reader.subcommand(&HATCH) {
            "install" | "update" => {
                let words = reader.rest(&HATCH);
                draft.packages("runtime", &words, bare);
                draft.plan.is_global = true;
                draft.operation(Operation::Install)
            }
            "remove" => draft.operation(Operation::Remove),
            _ => draft.operation(Operation::Read),
        },
        "publish" => draft.operation(Operation::Publish),
        "config" | "new" => draft.operation(Operation::Configure),
        "dep" | "status" | "project" | "version" | "" => draft.operation(Operation::Read),
        "build" | "clean" | "fmt" | "test" | "shell" => None,
        other => draft.unknown_command(other),
    }
}

pub(super) fn conda(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    let mut subcommand = reader.subcommand(&CONDA);
    let is_environment = subcommand == "env";
    if is_environment {
        subcommand = reader.subcommand(&CONDA);
    }
    if subcommand == "run" {
        reader.next(&CONDA);
        return draft.inner(reader.last_and_remaining());
    }
    let words = reader.rest(&CONDA);
    let is_dry = reader.is_on("--dry-run -d");
    let files = reader.values(if is_environment { "-f --file" } else { "--file -f" });
    // The last channel stands in for the usual ones only as far as the package is there: a name may
    // come from any of them.
    let channel =
        reader.values("-c --channel").into_iter().find(|name| !matches!(*name, "conda-forge" | "defaults" | "main"));
    draft.registry(channel, &[]);
    let operation = match subcommand {
        "install" | "create" | "update" | "upgrade" => {
            if !is_environment {
                draft.packages("Conda", &words, conda_spec);
            }
            for path in &files {
                let format = if path.ends_with(".yml") || path.ends_with(".yaml") || is_environment {
                    Format::CondaEnvironment
                } else {
                    draft.unknown(format!("`{path}` lists packages in a form that is not read"));
                    continue;
                };
                draft.file(path, format);
            }
            if is_environment && files.is_empty() {
                draft.implied(None, &[("environment.yml", Format::CondaEnvironment)]);
            }
            if reader.is_on("--all --update-all") {
                draft.all("packages");
            }
            match (is_environment, subcommand) {
                (true, _) => Operation::Restore,
                (_, "update" | "upgrade") => Operation::Upgrade,
                _ => Operation::Install,
            }
        }
        "remove" | "uninstall" => return draft.operation(Operation::Remove),
        "config" | "init" | "activate" | "deactivate" | "rename" | "shell" | "clean" | "tos" => {
            return draft.operation(Operation::Configure);
        }
        "list" | "search" | "info" | "export" | "compare" | "doctor" | "repoquery" | "package" | "notices" | "help"
        | "" => {
            return draft.operation(Operation::Read);
        }
        other => return draft.unknown_command(other),
    };
    draft.plan.runs_scripts = !is_dry;
    draft.operation(if is_dry { Operation::Read } else { operation })
}

pub(super) fn easy_install(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    const EASY: Grammar = Grammar::abbreviating(
        "-d --install-dir -s --script-dir -i --index-url -f --find-links -b --build-directory --record -H --allow-hosts",
        "--user",
    );
    let words = reader.rest(&EASY);
    draft.registry(reader.value("-i --index-url -f --find-links"), PYPI);
    draft.packages("PyPI", &words, python);
    draft.plan.is_global = true;
    draft.running(if reader.is_on("-U --upgrade") { Operation::Upgrade } else { Operation::Install })
}

/// `python -m pip ...`, `python /usr/bin/pip ...`, `python setup.py install`.
pub(super) fn interpreter(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    let all = reader.remaining();
    let mut at = 0;
    while let Some(word) = all.get(at) {
        let text = word.text.as_str();
        at += 1;
        if !text.starts_with('-') || text == "-" {
            let is_setup = base_name(text) == "setup.py";
            let verbs = all.get(at..).unwrap_or_default();
            if is_setup && verbs.iter().any(|word| matches!(word.text.as_str(), "install" | "develop")) {
                let folder = text.strip_suffix("setup.py").unwrap_or_default();
                let folder = if folder.is_empty() { "." } else { folder };
                draft.package("PyPI", folder, editable);
                draft.unknown("what `setup.py` requires is not known before it runs".to_owned());
                return draft.running(Operation::Install);
            }
            return if text.contains(UNKNOWN) { None } else { draft.inner(all.get(at - 1..)?) };
        }
        if text.starts_with("--") {
            at += usize::from(text == "--check-hash-based-pycs");
            continue;
        }
        let letters = text.get(1..).unwrap_or_default();
        let Some(found) = letters.find(['c', 'm', 'W', 'X', 'Q']) else { continue };
        let attached = letters.get(found + 1..).unwrap_or_default();
        if letters.get(found..=found) == Some("c") {
            return None;
        }
        let value = if attached.is_empty() {
            at += 1;
            all.get(at - 1)?.text.as_str()
        } else {
            attached
        };
        if letters.get(found..=found) == Some("m") {
            let module = value.split('.').next().unwrap_or_default();
            let rest = all.get(at..).unwrap_or_default();
            let words: Vec<Word> = std::iter::once(Word::plain(module)).chain(rest.iter().cloned()).collect();
            return draft.inner(&words);
        }
    }
    None
}

fn uv_pip(reader: &mut Reader<'_>, draft: &mut Draft) -> Option<()> {
    let subcommand = reader.subcommand(&UV);
    let words = reader.rest(&UV);
    match subcommand {
        "install" => {
            pip_packages(reader, draft, &words);
            draft.plan.is_global = reader.has("--system --break-system-packages");
            pip_scripts(reader, draft);
            let is_upgrade = reader.has("-U --upgrade");
            let is_by_file_alone = words.is_empty() && !reader.has("-e --editable") && !draft.plan.files.is_empty();
            draft.operation(match (reader.is_on("--dry-run"), is_by_file_alone, is_upgrade) {
                (true, ..) => Operation::Read,
                (_, true, _) => Operation::Restore,
                (.., true) => Operation::Upgrade,
                _ => Operation::Install,
            })
        }
        "sync" | "compile" => {
            indexes(reader, draft);
            for path in words.iter().filter_map(|word| draft.known(word)).collect::<Vec<_>>() {
                requirements(draft, path);
            }
            pip_files(reader, draft);
            pip_scripts(reader, draft);
            draft.operation(if reader.is_on("--dry-run") { Operation::Read } else { Operation::Restore })
        }
        "uninstall" => draft.operation(Operation::Remove),
        "freeze" | "list" | "show" | "tree" | "check" | "help" | "debug" | "" => draft.operation(Operation::Read),
        other => draft.unknown_command(other),
    }
}

/// Operands, editables and files, in pip's form.
fn pip_packages(reader: &mut Reader<'_>, draft: &mut Draft, words: &[&Word]) {
    indexes(reader, draft);
    draft.packages("PyPI", words, python);
    for path in reader.values("-e --editable") {
        draft.package("PyPI", path, editable);
    }
    pip_files(reader, draft);
    // A folder brings what its project file lists.
    let folders: Vec<String> = words
        .iter()
        .map(|word| word.text.as_str())
        .chain(reader.values("-e --editable"))
        .filter(|text| is_path(text) && !super::specifier::is_archive(text) && !text.contains(UNKNOWN))
        .map(|text| text.split('[').next().unwrap_or_default().to_owned())
        .collect();
    for folder in folders {
        draft.implied(Some(&folder), &[("pyproject.toml", Format::PyProject)]);
    }
}

fn pip_files(reader: &mut Reader<'_>, draft: &mut Draft) {
    for path in reader.values("-r --requirement --requirements --with-requirements") {
        requirements(draft, path);
    }
    for path in
        reader.values("-c --constraint --constraints --override --overrides --build-constraint --build-constraints")
    {
        if is_url(path) {
            draft.unknown(format!("the constraints come from `{path}`"));
        } else {
            draft.file(path, Format::Constraints);
        }
    }
    if reader.has("--group --only-group") {
        draft.implied(None, &[("pyproject.toml", Format::PyProject)]);
    }
    if reader.has("--requirements-from-script --script -s")
        && !reader.has("--with")
        && reader.has("--requirements-from-script")
    {
        draft.unknown("the packages stand in a script's own text".to_owned());
    }
}

/// Wheels run nothing when they are installed; everything else does.
fn pip_scripts(reader: &mut Reader<'_>, draft: &mut Draft) {
    let is_wheels_alone = reader.values("--only-binary").contains(&":all:") || reader.is_on("--no-build");
    draft.plan.runs_scripts = !is_wheels_alone
        || reader.has("--no-binary -e --editable")
        || draft
            .plan
            .wanted
            .iter()
            .any(|wanted| !matches!(wanted.source, super::Source::Registry | super::Source::OtherRegistry(_)));
}

fn requirements(draft: &mut Draft, path: &str) {
    if is_url(path) {
        draft.unknown(format!("the list of packages comes from `{path}`"));
    } else if path == "-" {
        draft.unknown("the list of packages comes by standard input".to_owned());
    } else {
        match Format::of(path) {
            Some(format @ (Format::PyProject | Format::PdmLock | Format::UvLock)) => draft.file(path, format),
            _ if path.ends_with(".py") || path.ends_with(".cfg") => {
                draft.unknown(format!("the packages stand in the code of `{path}`"));
            }
            _ => draft.file(path, Format::Requirements),
        }
    }
}

fn indexes(reader: &mut Reader<'_>, draft: &mut Draft) {
    let names = "-i --index-url --pypi-url --default-index -f --find-links --index --extra-index-url";
    // One that is not the usual one is enough: a package may come from any of them.
    for url in reader.values(names) {
        // uv names an index: `name=address`.
        let address = url.split_once("=http").map_or(url.to_owned(), |(_, rest)| format!("http{rest}"));
        draft.registry(Some(&address), PYPI);
    }
}

fn uv_tools(reader: &mut Reader<'_>, draft: &mut Draft) {
    indexes(reader, draft);
    for spec in reader.values("--from --with --with-executables-from").into_iter().flat_map(|value| split_specs(value))
    {
        draft.package("PyPI", spec, tool);
    }
    for path in reader.values("--with-editable") {
        draft.package("PyPI", path, editable);
    }
    pip_files(reader, draft);
}

/// `--with a,b>=1,<2`: a comma before a digit or an operator belongs to the version.
fn split_specs(value: &str) -> Vec<&str> {
    let mut parts = vec![];
    let mut start = 0;
    for (at, _) in value.match_indices(',') {
        let behind = value.get(at + 1..).unwrap_or_default().trim_start();
        let is_in_extras = value.get(start..at).is_some_and(|part| part.contains('[') && !part.contains(']'));
        if !behind.starts_with(['<', '>', '=', '!', '~']) && !is_in_extras {
            parts.extend(value.get(start..at));
            start = at + 1;
        }
    }
    parts.extend(value.get(start..));
    parts
}

fn uv_project(reader: &mut Reader<'_>, draft: &mut Draft) {
    let folder = reader.value("--directory --project");
    draft.implied(folder, LOCKS);
}

fn pipx_registry(reader: &mut Reader<'_>, draft: &mut Draft) {
    draft.registry(reader.value("-i --index-url --extra-index-url"), PYPI);
    if reader.has("--pip-args") {
        draft.unknown("it hands words of its own to pip".to_owned());
    }
}

/// `ruff@0.3`, `ruff==0.3`, an address.
fn tool(text: &str) -> Specified {
    let (name, version) = super::specifier::split_at_sign(text);
    let is_version = version.is_some_and(|version| !is_url(version.trim()) && !version.contains(['/', '+']));
    if is_version && !is_path(text) && !text.contains(['=', '<', '>', '/']) {
        let name = name.split('[').next().unwrap_or_default();
        return at_exact(&format!("{name}@{}", version.unwrap_or_default()));
    }
    python(text)
}

/// What follows `-e`: an address, or a folder even where it looks like a name.
fn editable(text: &str) -> Specified {
    let spec = python(text);
    match spec {
        Ok(Spec { source: super::Source::Registry, .. }) | Err(_) => {
            let path = joined(None, text.split('[').next().unwrap_or_default());
            Ok(Spec::from(&path, super::Requirement::Any, super::Source::Path(path.clone())))
        }
        Ok(spec) => Ok(spec),
    }
}
