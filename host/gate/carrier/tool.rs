//! Launchers of the tools that a project has installed: `npx eslint`, `poetry run pytest`,
//! `python3 -m mypy`, `./vendor/bin/phpunit`.
//!
//! A known linter, formatter or test runner is judged like itself. Any other name, and any flag of the
//! launcher that is not known to be harmless, is left to the table of programs, which asks: the launcher
//! may fetch a package of that name, and run it. What would be fetched is looked up besides.

use crate::gate::argv::Word;

use super::{Carried, command};

/// Tools whose package has their own name, so that a launcher which fetches cannot mean another's.
const JAVASCRIPT: &str = "eslint prettier tsc vue-tsc jest vitest mocha ava tap playwright cypress webpack vite rollup esbuild stylelint oxlint svelte-check markdownlint-cli2 nyc c8 knip depcheck madge tslint cspell textlint next nx turbo astro typedoc size-limit publint standard xo htmlhint jshint pyright";
const PYTHON: &str = "pytest mypy ruff black isort flake8 pylint pyright basedpyright bandit coverage yapf autopep8 autoflake pydocstyle pycodestyle pyflakes vulture codespell yamllint mkdocs pip-audit interrogate radon xenon sqlfluff djlint";
const RUBY: &str = "rspec rubocop rake rails standardrb reek brakeman cucumber erb_lint haml-lint slim-lint flay flog fasterer bundle-audit";
const PHP: &str = "phpunit pest phpstan psalm phpcs phpmd php-cs-fixer";
/// Modules of Python that are tools of its own, under the names by which the policy knows them.
const MODULES: &str = "pip unittest py_compile compileall json.tool tabnanny tokenize calendar site sysconfig platform";

struct Launcher {
    names: &'static str,
    /// The words of which one must follow; an empty one: the tool may follow at once.
    verbs: &'static [&'static str],
    tools: &'static str,
    /// Its flags that change neither the tool nor where it comes from.
    switches: &'static str,
    /// Such flags with a value.
    valued: &'static str,
}

const LAUNCHERS: &[Launcher] = &[
    Launcher {
        names: "npx",
        verbs: &[""],
        tools: JAVASCRIPT,
        switches: "--no-install --no --offline -q --quiet",
        valued: "",
    },
    Launcher {
        names: "npm",
        verbs: &["exec", "x"],
        tools: JAVASCRIPT,
        switches: "--no --offline -q --quiet",
        valued: "",
    },
    Launcher { names: "bunx", verbs: &[""], tools: JAVASCRIPT, switches: "--no-install --bun --silent", valued: "" },
    Launcher {
        names: "pnpm",
        verbs: &["exec", ""],
        tools: JAVASCRIPT,
        switches: "-r --recursive -s --silent",
        valued: "--filter -F",
    },
    Launcher {
        names: "yarn yarnpkg",
        verbs: &["run", "exec", ""],
        tools: JAVASCRIPT,
        switches: "-s --silent -T -B",
        valued: "",
    },
    Launcher {
        names: "bundle bundler",
        verbs: &["exec"],
        tools: RUBY,
        switches: "--keep-file-descriptors",
        valued: "",
    },
    Launcher {
        names: "composer",
        verbs: &["exec"],
        tools: PHP,
        switches: "-q --quiet -n --no-interaction",
        valued: "",
    },
    Launcher {
        names: "poetry pdm",
        verbs: &["run"],
        tools: PYTHON,
        switches: "-q --quiet -n --no-interaction",
        valued: "",
    },
    Launcher { names: "pipenv rye", verbs: &["run"], tools: PYTHON, switches: "-q --quiet", valued: "" },
];

/// Folders into which a package manager puts a project's tools, and the tools.
const FOLDERS: &[(&str, &[&str])] = &[
    ("node_modules/.bin/", &[JAVASCRIPT, "biome markdownlint ng"]),
    ("vendor/bin/", &[PHP, RUBY]),
    (".venv/bin/", &[PYTHON, "python python3 pip"]),
    ("venv/bin/", &[PYTHON, "python python3 pip"]),
    ("bin/", &["rspec rubocop rake rails brakeman"]),
    ("", &["gradlew mvnw"]),
];

fn listed(list: &str, word: &str) -> bool {
    !word.is_empty() && list.split(' ').any(|own| own == word)
}

/// The known tool that `words` start, as a command of its own.
pub(super) fn by_launcher(program: &str, words: &[Word]) -> Option<Carried> {
    LAUNCHERS.iter().filter(|launcher| listed(launcher.names, program)).find_map(|launcher| behind(words, launcher))
}

fn behind(words: &[Word], launcher: &Launcher) -> Option<Carried> {
    let rest = skip_flags(words.get(1..)?, launcher)?;
    let rest = match rest.split_first() {
        Some((verb, rest)) if !verb.text.is_empty() && launcher.verbs.contains(&verb.text.as_str()) => {
            skip_flags(rest, launcher)?
        }
        _ if launcher.verbs.contains(&"") => rest,
        _ => return None,
    };
    let rest = if rest.first().is_some_and(|word| word.text == "--") { rest.get(1..)? } else { rest };
    let tool = rest.first()?;
    (tool.is_known() && listed(launcher.tools, &tool.text)).then(|| command(rest.to_vec()))
}

/// What follows the launcher's harmless flags; `None` where another flag stands.
fn skip_flags<'w>(mut rest: &'w [Word], launcher: &Launcher) -> Option<&'w [Word]> {
    while let Some((first, others)) = rest.split_first() {
        let text = first.text.as_str();
        if !text.starts_with('-') || text == "--" {
            break;
        }
        let name = text.split_once('=').map_or(text, |(name, _)| name);
        if listed(launcher.valued, name) {
            rest = if name == text { others.get(1..)? } else { others };
        } else if listed(launcher.switches, text) {
            rest = others;
        } else {
            return None;
        }
    }
    Some(rest)
}

/// `python3 -m pytest`: a module that is a known tool, as a command of its own.
pub(super) fn by_module(words: &[Word]) -> Option<Carried> {
    let (flag, rest) = words.get(1..)?.split_first()?;
    let module = rest.first().filter(|module| flag.text == "-m" && module.is_known())?;
    let name = if module.text == "pip_audit" { "pip-audit" } else { module.text.as_str() };
    let is_tool = listed(PYTHON, name) || listed(MODULES, name);
    is_tool.then(|| command(std::iter::once(Word::plain(name)).chain(rest.iter().skip(1).cloned()).collect()))
}

/// Whether `path` is where a package manager puts this tool of the project, seen from its folder. Danger:
/// anybody may have put a program into a folder for temporary files.
pub(crate) fn is_of_project(path: &str, directory: Option<&str>) -> bool {
    let is_within = |folder: &str| directory.is_some_and(|directory| directory.starts_with(folder));
    if ["/tmp", "/var/tmp", "/private/tmp", "/dev/"].into_iter().any(is_within) {
        return false;
    }
    let path = path.strip_prefix("./").unwrap_or(path);
    let is_there = |(folder, tools): &(&str, &[&str])| {
        path.strip_prefix(folder).is_some_and(|name| tools.iter().any(|tools| listed(tools, name)))
    };
    FOLDERS.iter().any(is_there)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::argv::line_of;

    fn inner(line: &str) -> Option<String> {
        let words: Vec<Word> = line.split(' ').map(Word::plain).collect();
        let carried = by_launcher(&words[0].text, &words).or_else(|| by_module(&words));
        carried.map(|carried| match carried {
            Carried::Command { words, .. } => line_of(&words),
            other => other.summary(),
        })
    }

    #[test]
    fn a_known_tool_is_found_behind_its_launcher() {
        for (line, expected) in [
            ("npx --no-install eslint src", "eslint src"),
            ("npm exec -- tsc --noEmit", "tsc --noEmit"),
            ("pnpm --filter web exec jest", "jest"),
            ("yarn eslint .", "eslint ."),
            ("bundle exec rspec spec", "rspec spec"),
            ("poetry run mypy .", "mypy ."),
            ("python3 -m pip list", "pip list"),
        ] {
            assert_eq!(inner(line).as_deref(), Some(expected), "{line}");
        }
    }

    #[test]
    fn what_could_be_anything_is_not_followed() {
        for line in [
            "npx cowsay",
            "npx eslint@8 .",
            "npx -y eslint .",
            "npx -p evil eslint",
            "npm exec --package=evil -- eslint",
            "npm eslint",
            "npx ls",
            "yarn add eslint",
            "uv run pytest",
            "poetry run python x.py",
            "bundle exec sh",
            "python3 -m evil",
            "python3 -i -m pytest",
        ] {
            assert_eq!(inner(line), None, "{line}");
        }
    }

    #[test]
    fn a_tool_of_the_project_is_known_by_its_place() {
        for path in ["./gradlew", "mvnw", "node_modules/.bin/eslint", "./vendor/bin/phpunit", ".venv/bin/pytest"] {
            assert!(is_of_project(path, Some("/srv/project")), "{path}");
            assert!(!is_of_project(path, Some("/tmp/x")), "{path}");
        }
        for path in ["../gradlew", "/srv/gradlew", "./x", "node_modules/.bin/evil", "a/node_modules/.bin/eslint"] {
            assert!(!is_of_project(path, Some("/srv/project")), "{path}");
        }
    }
}
