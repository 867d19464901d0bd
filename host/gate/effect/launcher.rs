//! Programs that only start another one which stands in their own arguments: `npx`, `bundle exec`,
//! `python -m`, `aws-vault exec`. Wrappers of the system are the business of `carrier`; these are
//! the launchers of packages and environments.

use super::super::argv::Word;
use super::super::path::base_name;
use super::line::listed;

/// Without versions: `python3` is looked up as `python`.
pub(super) const PROGRAMS: &str = "npx bunx pnpx npm pnpm yarn bun bundle uv uvx poetry pipenv pdm rye hatch pipx python py pypy php ruby mise rtx asdf direnv dotenv dotenvx dotenv-cli doppler infisical op aws-vault chamber foreman heroku symfony spring nx turbo teleport tsh";

struct Launcher {
    names: &'static str,
    /// The words that must follow; none where any command may.
    verbs: &'static [&'static str],
    /// Its flags that take a value.
    valued: &'static str,
    /// So many operands stand before the command.
    operands: usize,
}

const fn launcher(
    names: &'static str,
    verbs: &'static [&'static str],
    valued: &'static str,
    operands: usize,
) -> Launcher {
    Launcher { names, verbs, valued, operands }
}

const LAUNCHERS: &[Launcher] = &[
    launcher("npx bunx pnpx", &[], "-p --package -w --workspace --node-options", 0),
    launcher("npm", &["exec", "x"], "-p --package -w --workspace --prefix", 0),
    launcher("pnpm", &["exec", "dlx"], "-C --dir --filter -F --package", 0),
    launcher("yarn", &["run", "exec", "dlx", ""], "--cwd -p --package", 0),
    launcher("bun", &["x"], "-p --package", 0),
    launcher("bundle", &["exec"], "--gemfile", 0),
    launcher(
        "uv",
        &["run"],
        "--with -p --python --project --directory --extra --group --env-file --with-requirements --package --index",
        0,
    ),
    launcher("uvx", &[], "--with --from -p --python --index", 0),
    launcher("poetry pipenv pdm rye hatch", &["run"], "-C --directory -P --project -p -e --env", 0),
    launcher("pipx", &["run"], "--spec --python --pip-args --index-url", 0),
    launcher("python python3 python2 py pypy pypy3", &["-m"], "-W -X", 0),
    launcher("php", &[""], "-d -c", 0),
    launcher("python python3 python2", &[""], "-W -X", 0),
    launcher("ruby", &[""], "-I -r -C", 0),
    launcher("mise rtx asdf", &["exec", "x"], "-C --cd -j", 0),
    launcher("direnv", &["exec"], "", 1),
    launcher("dotenv dotenvx dotenv-cli", &["run", ""], "-f --env-file -e -v", 0),
    launcher("doppler infisical", &["run"], "-p --project -c --config -t --token --env --path --projectId", 0),
    launcher("op", &["run"], "--env-file --account", 0),
    launcher("aws-vault", &["exec"], "-d --duration --region --mfa-token", 1),
    launcher("chamber", &["exec"], "-b --backend", 1),
    launcher("foreman heroku", &["run:local", "local:run"], "-e --env -f", 0),
    launcher("symfony", &["console"], "--dir", 0),
    launcher("spring", &[""], "", 0),
    launcher("nx turbo", &["exec"], "--filter", 0),
    launcher("teleport tsh", &["kubectl", "db"], "", 0),
];

/// The command that `words` starts, if they only start one.
pub(super) fn launched(words: &[Word]) -> Option<&[Word]> {
    let program = base_name(&words.first()?.text);
    let program = if program.starts_with("python3.") { "python3" } else { program };
    // `tsh kubectl get pods`: the verb is the program.
    if matches!(program, "teleport" | "tsh") {
        return words.get(1..).filter(|rest| rest.first().is_some_and(|word| word.text == "kubectl"));
    }
    LAUNCHERS.iter().filter(|launcher| listed(launcher.names, program)).find_map(|launcher| behind(words, launcher))
}

fn behind<'w>(words: &'w [Word], launcher: &Launcher) -> Option<&'w [Word]> {
    let mut rest = words.get(1..)?;
    if !launcher.verbs.is_empty() {
        rest = skip_flags(rest, launcher, Some("-m"));
        let first = rest.first()?;
        if launcher.verbs.contains(&first.text.as_str()) {
            rest = rest.get(1..)?;
        } else if !launcher.verbs.contains(&"") || !is_script_of_a_tool(&first.text, launcher) {
            return None;
        }
    }
    rest = skip_flags(rest, launcher, None);
    rest = rest.get(launcher.operands..)?;
    if rest.first().is_some_and(|word| word.text == "--") {
        rest = rest.get(1..)?;
    }
    (!rest.is_empty()).then_some(rest)
}

fn skip_flags<'w>(mut rest: &'w [Word], launcher: &Launcher, verb: Option<&str>) -> &'w [Word] {
    while let Some((first, others)) = rest.split_first() {
        let text = first.text.as_str();
        if !text.starts_with('-') || text == "--" || (verb == Some(text) && launcher.verbs.contains(&text)) {
            break;
        }
        let takes_next = !text.contains('=') && listed(launcher.valued, text);
        rest = others.get(usize::from(takes_next)..).unwrap_or_default();
    }
    rest
}

/// An interpreter with a script whose name is a tool's: `php artisan`, `python manage.py`. A package
/// manager's script may have any name.
fn is_script_of_a_tool(text: &str, launcher: &Launcher) -> bool {
    if listed(launcher.names, "yarn") || listed(launcher.names, "dotenv") || listed(launcher.names, "spring") {
        return !matches!(text, "add" | "install" | "remove" | "global" | "init" | "config");
    }
    matches!(base_name(text), "artisan" | "console" | "manage.py" | "rails" | "rake" | "django-admin")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_launcher_is_among_the_programs() {
        let names = LAUNCHERS.iter().flat_map(|launcher| launcher.names.split(' '));
        let plain = names.map(|name| name.trim_end_matches(|c: char| c.is_ascii_digit()));
        assert_eq!(plain.filter(|name| !listed(PROGRAMS, name)).collect::<Vec<_>>(), Vec::<&str>::new());
    }

    fn inner(line: &str) -> Option<String> {
        let words: Vec<Word> = line.split(' ').map(Word::plain).collect();
        launched(&words).map(super::super::super::argv::line_of)
    }

    #[test]
    fn the_launched_command_is_found_behind_flags_and_verbs() {
        for (line, expected) in [
            ("npx -y prisma migrate reset", "prisma migrate reset"),
            ("npm exec -- prisma db push", "prisma db push"),
            ("yarn prisma migrate reset", "prisma migrate reset"),
            ("bundle exec rails db:drop", "rails db:drop"),
            ("uv run --with x alembic downgrade base", "alembic downgrade base"),
            ("python3.12 -m alembic downgrade base", "alembic downgrade base"),
            ("python -W ignore manage.py flush", "manage.py flush"),
            ("php artisan migrate:fresh", "artisan migrate:fresh"),
            ("aws-vault exec prod -- aws s3 ls", "aws s3 ls"),
        ] {
            assert_eq!(inner(line).as_deref(), Some(expected), "{line}");
        }
    }

    #[test]
    fn what_starts_nothing_is_left_alone() {
        for line in ["npm install x", "python script.py", "yarn add x", "bundle install", "tsh ls", "npx"] {
            assert_eq!(inner(line), None, "{line}");
        }
    }
}
