//! What the name of a flag says, where the table of programs does not know it.
//!
//! Programs have more flags than a table. A long flag is named for what it does, in few words, so one whose
//! name says that its value is run, or is written, is taken to do so, if the value is a path or an address.

use super::argv::{Argv, FlagPattern, Word};

/// Words of a flag's name that say: the value is run, or loaded into what runs.
const RUNS: &[&str] = &[
    "browser",
    "cmd",
    "command",
    "editor",
    "engine",
    "exec",
    "executable",
    "filter",
    "hook",
    "hooks",
    "init",
    "interpreter",
    "library",
    "loader",
    "pager",
    "plugin",
    "plugins",
    "preprocessor",
    "program",
    "rcfile",
    "shell",
    "ssh",
    "toolexec",
    "vettool",
    "viewer",
    "wrapper",
];
/// Words of a flag's name that say: the value is a file or a folder that is written.
const WRITES: &[&str] = &[
    "basetemp",
    "coverprofile",
    "cpuprofile",
    "dest",
    "destination",
    "dump",
    "export",
    "joblog",
    "junitxml",
    "log",
    "logfile",
    "out",
    "outdir",
    "outfile",
    "output",
    "outputs",
    "report",
    "save",
    "trace",
    "write",
];

/// What is done with a flag's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Does {
    Runs,
    Writes,
}

/// The values of flags that are not among the `known` ones, with what the names of the flags say of them.
pub(crate) fn told<'a>(argv: &Argv<'a>, known: &[FlagPattern]) -> Vec<(Does, &'a str)> {
    let is_known = |name: &str| {
        known.iter().any(|pattern| matches!(pattern, FlagPattern::Long(own) | FlagPattern::Single(own) if own == name))
    };
    let mut found = vec![];
    for (at, word) in argv.words.iter().enumerate().skip(1) {
        let text = word.text.as_str();
        if text == "--" {
            break;
        }
        // `-coverprofile=x`: some programs have long names behind one dash; a cluster of letters has no `=`.
        let is_long = text.starts_with("--") || (text.starts_with('-') && text.contains('='));
        let Some(does) = Some(text.split('=').next().unwrap_or_default())
            .filter(|name| is_long && !is_known(name))
            .and_then(by_name)
        else {
            continue;
        };
        let value = match text.split_once('=') {
            Some((_, value)) => Some(value),
            None => argv.words.get(at + 1).map(|word: &Word| word.text.as_str()),
        };
        found.extend(value.filter(|value| is_place(value, does)).map(|value| (does, value)));
    }
    found
}

fn by_name(flag: &str) -> Option<Does> {
    let name = flag.trim_start_matches('-');
    let says = |words: &[&str]| name.split(['-', '_', '.']).any(|part| words.contains(&part));
    if says(RUNS) {
        Some(Does::Runs)
    } else if says(WRITES) {
        Some(Does::Writes)
    } else {
        None
    }
}

/// Whether a value is a path or an address, as far as it shows: `json` and `true` are none.
fn is_place(value: &str, does: Does) -> bool {
    let is_path = value.contains('/') || value.starts_with('~');
    match does {
        Does::Runs => is_path,
        Does::Writes => is_path && !value.contains("://"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(line: &str) -> Vec<(Does, String)> {
        let words: Vec<Word> = line.split(' ').map(Word::plain).collect();
        let known = FlagPattern::parse_all("--known-command").unwrap();
        let argv = Argv::read(&words, &[]);
        told(&argv, &known).into_iter().map(|(does, value)| (does, value.to_owned())).collect()
    }

    #[test]
    fn a_flag_whose_name_says_that_it_runs_or_writes_its_value_is_believed() {
        assert_eq!(seen("x --pager=./y"), [(Does::Runs, "./y".to_owned())]);
        assert_eq!(seen("x --python-executable ./y z"), [(Does::Runs, "./y".to_owned())]);
        assert_eq!(seen("x -vettool=/tmp/y"), [(Does::Runs, "/tmp/y".to_owned())]);
        assert_eq!(seen("x --log-file /etc/y"), [(Does::Writes, "/etc/y".to_owned())]);
        assert_eq!(seen("x --output-directory=/etc/y"), [(Does::Writes, "/etc/y".to_owned())]);
    }

    #[test]
    fn formats_levels_and_known_flags_say_nothing() {
        for line in [
            "x --output json",
            "x --output=json",
            "x --log-level debug",
            "x --exec",
            "x --known-command=./y",
            "x --export -- /a",
            "x -o /etc/y",
            "x --output https://h/x",
            "x --include ./y",
        ] {
            assert!(seen(line).is_empty(), "{line}");
        }
    }
}
