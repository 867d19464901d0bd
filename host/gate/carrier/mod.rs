//! Programs that run what stands in their own arguments: wrappers (`env`, `sudo`, `timeout`),
//! shells (`sh -c`), interpreters (`python3 -c`), and programs that run others for what they find
//! (`find -exec`, `xargs`, `parallel`, `ssh`). The gate looks at what they carry.
//!
//! To add a wrapper: a line in [`WRAPPERS`]. To add a language: a line in `language::INTERPRETERS`.
//! Families have files of their own: `awk`, `finder`, `git`, `language`, `remote`, `sed`, `tool`, `wrapper`.

mod awk;
pub(crate) mod code;
mod finder;
mod git;
mod language;
mod remote;
mod sed;
mod tool;
mod wrapper;

use crate::gate::argv::{Argv, FlagPattern, Taint, Word, line_of};
use crate::gate::glob::UNKNOWN;
use crate::gate::path::base_name;

use awk::by_awk;
pub(crate) use finder::find_roots;
use finder::{by_fd, by_find, by_parallel, by_xargs};
use git::by_git;
use language::{INTERPRETERS, by_interpreter};
pub(crate) use language::{is_harmless_code, only_prints};
pub(crate) use remote::passing;
use remote::{by_aws, by_capsh, by_cluster, by_container, by_daemon, by_last_word, by_socat, by_ssh, by_terminal};
use sed::by_sed;
use tool::by_launcher;
pub(crate) use tool::is_of_project;
use wrapper::{WRAPPERS, by_parallel_flags, by_wrapper, by_xargs_flags, readings};

/// What a command line carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Carried {
    /// Another command line, with the variables that are set for it.
    Command { words: Vec<Word>, environment: Vec<(String, Word)>, directory: Option<String> },
    /// Shell code, with the words that it gets as `$0`, `$1` and so on.
    Script { code: Word, positional: Vec<Word> },
    /// A setting whose value a program runs: a pager, an editor, an alias.
    Setting { code: Word },
    /// Code of a language that is not read here.
    Code { code: Word, language: &'static str },
    /// A file that is run as code.
    File { path: Word },
    /// Code from standard input.
    Input,
    /// Shell code that a program within the command runs; what it gets as its standard input only the run
    /// will tell.
    Piped { code: Word },
    /// An act on a file that a program within the command names.
    Touched { act: &'static str, path: Word },
    /// Something to be said of a program within the command.
    Noted { finding: &'static str, detail: String },
}

impl Carried {
    /// In words, for the trace.
    pub(crate) fn summary(&self) -> String {
        match self {
            Self::Command { words, environment, directory } => {
                let names: String = environment.iter().map(|(name, value)| format!("{name}={} ", value.text)).collect();
                let within = directory.as_ref().map_or_else(String::new, |directory| format!(" in {directory}"));
                format!("command: {names}{}{within}", line_of(words))
            }
            Self::Script { code, .. } => format!("script: {}", code.text),
            Self::Setting { code } => format!("setting: {}", code.text),
            Self::Code { code, language } => format!("{language}: {}", code.text),
            Self::File { path } => format!("file: {}", path.text),
            Self::Input => "standard input".to_owned(),
            Self::Piped { code } => format!("script: {}", code.text),
            Self::Touched { act, path } => format!("{act}: {}", path.text),
            Self::Noted { finding, detail } => format!("{finding}: {detail}"),
        }
    }
}

/// What standard input holds for a program that turns it into arguments.
pub(crate) struct InputWords<'a> {
    /// The text, where it is known.
    pub text: Option<&'a str>,
    pub taint: Taint,
    /// Something is connected at all.
    pub is_connected: bool,
}

const SHELLS: &[&str] = &["sh", "bash", "dash", "zsh", "ksh", "ksh93", "mksh", "ash", "rbash", "yash", "hush", "fish"];

/// What `words` carries; empty when it is a plain command.
pub(crate) fn carried(words: &[Word], input: &InputWords<'_>) -> Vec<Carried> {
    let Some(program) = words.first().map(|word| base_name(&word.text)) else { return vec![] };
    if SHELLS.contains(&program) {
        return by_shell(words);
    }
    if input.is_connected && remote::is_login(words) {
        return vec![Carried::Input];
    }
    match program {
        "env" => by_env(words),
        "find" | "gfind" => by_find(words),
        "fd" | "fdfind" => by_fd(words),
        "sed" | "gsed" | "ssed" => by_sed(words),
        "awk" | "gawk" | "mawk" | "nawk" | "original-awk" | "goawk" => by_awk(words),
        "dc" => by_calculator(words, input),
        "jq" | "gojq" | "jaq" => by_filter(words),
        "xargs" | "gxargs" => by_xargs(words, input).into_iter().chain(by_xargs_flags(words)).collect(),
        "parallel" => [by_parallel(words, input), by_parallel_flags(words)].concat(),
        "ssh" => by_ssh(words).into_iter().collect(),
        "su" | "runuser" | "script" | "flock" | "sg" | "gosu" | "capsh" if has_code_flag(words) => {
            by_code_flag(words, "-c|--command|--session-command")
        }
        "capsh" => by_capsh(words),
        "complete" | "compgen" => by_code_flag(words, "-C|-F"),
        "start-stop-daemon" => by_daemon(words),
        "crictl" | "lxc" | "incus" | "ctr" | "machinectl" => by_container(words).into_iter().collect(),
        "ansible" => by_code_flag(words, "-a|--args"),
        "salt" | "salt-ssh" | "salt-call" => by_last_word(words, "cmd."),
        "tmux" | "screen" | "byobu" => by_terminal(words),
        "busybox" | "toybox" if words.get(1).is_some_and(|word| word.text.starts_with("--")) => vec![],
        "git" => by_git(words),
        "watch" => by_watch(words).into_iter().collect(),
        "hyperfine" => by_benchmark(words),
        "perf" if words.get(1).is_some_and(|word| word.text == "stat") => by_count(words).into_iter().collect(),
        "source" | "." => words.get(1).map(|path| Carried::File { path: path.clone() }).into_iter().collect(),
        "docker" | "podman" | "nerdctl" | "docker-compose" | "podman-compose" => {
            by_container(words).into_iter().collect()
        }
        "kubectl" | "oc" | "k" => by_cluster(words).into_iter().collect(),
        "socat" => by_socat(words),
        "aws" => by_aws(words),
        "command" if looks_names_up(words) => vec![],
        "jobs" => by_jobs(words).into_iter().collect(),
        _ => {
            if let Some(wrapper) = WRAPPERS.iter().find(|wrapper| wrapper.names.contains(&program)) {
                return by_wrapper(words, wrapper);
            }
            if let Some(tool) = by_launcher(program, words) {
                return vec![tool];
            }
            let is_named = |names: &[&str]| names.iter().any(|name| is_version_of(program, name));
            let interpreter = INTERPRETERS.iter().find(|interpreter| is_named(interpreter.names));
            interpreter.and_then(|interpreter| by_interpreter(words, interpreter)).into_iter().collect()
        }
    }
}

/// Whether `program` is `name`, or `name` with a version: `python3.12`.
fn is_version_of(program: &str, name: &str) -> bool {
    let suffix = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-');
    program.strip_prefix(name).is_some_and(suffix)
}

/// The rest of `words` behind a wrapper's own flags, operands and assignments.
fn behind<'w>(words: &'w [Word], valued: &[FlagPattern], operands: usize) -> &'w [Word] {
    let mut at = 1;
    while let Some(word) = words.get(at) {
        let text = word.text.as_str();
        at += 1;
        if text == "--" {
            break;
        }
        if !text.starts_with('-') || text == "-" {
            at -= 1;
            break;
        }
        // Read flag and following word together: it says whether that word is the flag's value.
        let pair = words.get(at - 2..(at + 1).min(words.len())).unwrap_or_default();
        if Argv::read(pair, valued).operands.is_empty() && pair.len() == 3 && !pair[2].text.starts_with('-') {
            at += 1;
        }
    }
    words.get(at + operands..).unwrap_or_default()
}

fn flags(text: &str) -> Vec<FlagPattern> {
    if text.is_empty() { vec![] } else { FlagPattern::parse_all(text).unwrap_or_default() }
}

fn command(words: Vec<Word>) -> Carried {
    Carried::Command { words, environment: vec![], directory: None }
}

/// Assignments in front of a command, as `env` and `sudo` take them.
fn with_assignments(words: &[Word], directory: Option<String>) -> Option<Carried> {
    let is_assignment = |word: &&Word| assigned_name(&word.text).is_some();
    let count = words.iter().take_while(is_assignment).count();
    let (assignments, rest) = words.split_at(count);
    let rest = if rest.first().is_some_and(|word| word.text == "--") { &rest[1..] } else { rest };
    if rest.is_empty() {
        return None;
    }
    let variable = |word: &Word| {
        let (name, value) = word.text.split_once('=')?;
        Some((name.to_owned(), Word { text: value.to_owned(), ..word.clone() }))
    };
    let environment = assignments.iter().filter_map(variable).collect();
    Some(Carried::Command { words: rest.to_vec(), environment, directory })
}

fn assigned_name(text: &str) -> Option<&str> {
    let (name, _) = text.split_once('=')?;
    let is_name = !name.is_empty() && !name.starts_with(['-', '/']);
    is_name.then_some(name)
}

fn by_env(words: &[Word]) -> Vec<Carried> {
    const VALUED: &str = "-u|--unset|-C|--chdir|-P|-a|--argv0|-S|--split-string";
    const BARE: &str = "-i|--ignore-environment|-0|--null|-v|--debug|--block-signal|--default-signal|--ignore-signal|--list-signal-handling";
    let split = flags("-S|--split-string");
    let argv = Argv::read(words, &flags(VALUED));
    let directory = argv.values(&flags("-C|--chdir")).next().map(str::to_owned);
    let code: Vec<&str> = argv.values(&split).collect();
    let run = |rest: &[Word]| {
        let rest = if rest.first().is_some_and(|word| word.text == "-") { &rest[1..] } else { rest };
        with_assignments(rest, directory.clone())
    };
    let rests = readings(words, VALUED, BARE, 0);
    if code.is_empty() {
        return rests.into_iter().filter_map(run).collect();
    }
    // `-S "bash -c 'x y'"`: quotes group, as in a shell.
    let script = |rest: &[Word]| {
        let text = format!("env {} {}", code.join(" "), line_of(rest));
        Carried::Script { code: Word::plain(text), positional: vec![] }
    };
    if rests.is_empty() { vec![script(&[])] } else { rests.into_iter().map(script).collect() }
}

fn by_shell(words: &[Word]) -> Vec<Carried> {
    let valued = flags("-o|-O|--rcfile|--init-file|-C|--init-command|--command");
    let mut all: Vec<Carried> = by_shell_words(words, &valued).into_iter().collect();
    let argv = Argv::read(words, &valued);
    // An interactive shell reads it first; whether it is one shows only where it runs.
    all.extend(argv.values(&flags("--rcfile|--init-file")).map(|path| Carried::File { path: Word::plain(path) }));
    if argv.program == "fish" {
        all.extend(by_code_flag(words, "-C|--init-command|--command"));
    }
    all
}

fn by_shell_words(words: &[Word], valued: &[FlagPattern]) -> Option<Carried> {
    let mut has_code = false;
    // `bash -n x` parses and runs nothing, unless it is interactive or `+n` takes it back.
    let mut only_parses = false;
    let mut at = 1;
    while let Some(word) = words.get(at) {
        let text = word.text.as_str();
        if text == "--" || !text.starts_with(['-', '+']) || text.len() < 2 {
            at += usize::from(text == "--" || text == "-");
            break;
        }
        // A single dash before a cluster: `-lc`, `-euo pipefail -c`.
        let is_cluster = !text.starts_with("--");
        has_code |= is_cluster && text.starts_with('-') && text.contains('c');
        if is_cluster && text.contains(['n', 'i', 'o', 's', 'l']) {
            only_parses = text == "-n";
        }
        let takes_next = if is_cluster {
            text.ends_with(['o', 'O'])
        } else {
            Argv::read(&words[at - 1..=at], valued).has_flag(valued)
        };
        at += 1 + usize::from(takes_next);
    }
    let rest = words.get(at..).unwrap_or_default();
    match rest.split_first() {
        Some((code, positional)) if has_code => {
            Some(Carried::Script { code: code.clone(), positional: positional.to_vec() })
        }
        // `bash -c` without code is a usage error; nothing runs.
        None if has_code => None,
        Some(_) if only_parses => None,
        Some((path, _)) => Some(Carried::File { path: path.clone() }),
        None => Some(Carried::Input),
    }
}

fn has_code_flag(words: &[Word]) -> bool {
    let is_code = |text: &str| {
        text.starts_with("--com")
            || text.starts_with("--session-c")
            || (text.starts_with('-') && !text.starts_with("--") && text.contains('c'))
    };
    words.iter().skip(1).take_while(|word| word.text != "--").any(|word| is_code(&word.text))
}

fn by_code_flag(words: &[Word], code: &str) -> Vec<Carried> {
    let code = flags(code);
    let argv = Argv::read(words, &code);
    let script = |text: &str| Carried::Script { code: Word::plain(text), positional: vec![] };
    argv.values(&code).map(script).collect()
}

/// `!` of dc runs the rest of the line, wherever it stands: a string may be run as a macro.
fn by_calculator(words: &[Word], input: &InputWords<'_>) -> Vec<Carried> {
    let code = flags("-e|--expression|-f|--file");
    let argv = Argv::read(words, &code);
    let mut all = vec![];
    let mut programs: Vec<Word> = argv.values(&flags("-e|--expression")).map(Word::plain).collect();
    let from_file = flags("-f|--file");
    let files = argv.values(&from_file).chain(argv.operands.iter().map(|word| word.text.as_str()));
    all.extend(files.map(|path| Carried::File { path: Word::plain(path) }));
    if programs.is_empty() && all.is_empty() && !argv.has_flag(&flags("-h|--help|-V|--version")) {
        programs.extend(input.text.map(Word::plain));
        if input.text.is_none() && input.taint > Taint::None {
            programs.push(Word::unknown(input.taint));
        }
    }
    let is_computed = words.iter().any(|word| word.taint > Taint::None && word.text.contains(UNKNOWN));
    for program in programs {
        let is_unknown = program.text.trim().chars().all(|c| c == UNKNOWN) && !program.text.trim().is_empty();
        if is_unknown || is_computed {
            all.push(Carried::Noted { finding: "dynamic_code", detail: format!("dc: {}", program.text) });
        }
        for line in program.text.lines() {
            for (at, _) in line.match_indices('!') {
                let code = &line[at + 1..];
                // `!<r`, `!>r` and `!=r` compare.
                if !code.starts_with(['<', '>', '=']) {
                    all.push(Carried::Noted { finding: "runs_commands", detail: format!("dc: {code}") });
                    all.push(Carried::Piped { code: Word::plain(code) });
                }
            }
        }
    }
    all
}

/// A filter of jq of which nothing is known, or that a command makes.
fn by_filter(words: &[Word]) -> Vec<Carried> {
    let argv = Argv::read(words, &flags("-f|--from-file|--indent|-L"));
    let is_code = |word: &&&Word| {
        let unknown = word.text.chars().filter(|c| *c == UNKNOWN).count();
        unknown > 0 && (word.taint > Taint::None || unknown == word.text.trim().chars().count())
    };
    let filter = argv.operands.first().filter(is_code);
    let detail = |word: &&Word| Carried::Noted { finding: "dynamic_code", detail: format!("jq: {}", word.text) };
    filter.map(detail).into_iter().collect()
}

/// `command -v NAME...`, `command -V NAME...`: none of the names is run. With a flag behind a name it is most
/// likely a command that was meant.
fn looks_names_up(words: &[Word]) -> bool {
    let mut rest = words.iter().skip(1).skip_while(|word| word.text.starts_with('-'));
    let flags = words.iter().skip(1).take_while(|word| word.text.starts_with('-') && word.text != "--");
    flags.into_iter().any(|word| word.text.contains(['v', 'V'])) && !rest.any(|word| word.text.starts_with('-'))
}

/// `jobs -x COMMAND` runs the command, with the numbers of processes in place of those of jobs.
fn by_jobs(words: &[Word]) -> Option<Carried> {
    let at = words.iter().position(|word| word.text.starts_with('-') && word.text.contains('x'))?;
    let rest = words.get(at + 1..).unwrap_or_default();
    let rest = if rest.first().is_some_and(|word| word.text == "--") { &rest[1..] } else { rest };
    (!rest.is_empty()).then(|| command(rest.to_vec()))
}

fn by_watch(words: &[Word]) -> Option<Carried> {
    let rest = behind(words, &flags("-n|--interval|-q|--equexit"), 0);
    (!rest.is_empty()).then(|| Carried::Script { code: Word::plain(line_of(rest)), positional: vec![] })
}

/// `hyperfine 'A' 'B'`: each operand is a script.
fn by_benchmark(words: &[Word]) -> Vec<Carried> {
    let valued = flags(
        "-w|--warmup|-m|--min-runs|-M|--max-runs|-r|--runs|-n|--command-name|-p|--prepare|-s|--setup|-c|--cleanup|-C|--conclude|-S|--shell|-P|--parameter-scan|-D|--parameter-step-size|-L|--parameter-list|--style|--sort|-u|--time-unit|--input|--output|--export-json|--export-csv|--export-markdown|--export-asciidoc|--export-orgmode|--reference",
    );
    let script = |code: &&Word| Carried::Script { code: (*code).clone(), positional: vec![] };
    Argv::read(words, &valued).operands.iter().map(script).collect()
}

/// `perf stat [flags] COMMAND`.
fn by_count(words: &[Word]) -> Option<Carried> {
    let valued =
        flags("-e|--event|-r|--repeat|-o|--output|-C|--cpu|-x|--field-separator|-I|--interval-print|-D|--delay");
    let rest = behind(words.get(1..)?, &valued, 0);
    (!rest.is_empty()).then(|| command(rest.to_vec()))
}

/// Whether `program` runs code of a language that is not read here.
pub(crate) fn is_interpreter(program: &str) -> bool {
    !SHELLS.contains(&program)
        && INTERPRETERS.iter().any(|interpreter| interpreter.names.iter().any(|name| is_version_of(program, name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carry(line: &[&str]) -> Vec<Carried> {
        let words: Vec<Word> = line.iter().map(|text| Word::plain(*text)).collect();
        carried(&words, &InputWords { text: None, taint: Taint::None, is_connected: false })
    }

    fn inner(line: &str) -> String {
        match carry(&line.split(' ').collect::<Vec<_>>()).into_iter().next() {
            Some(Carried::Command { words, .. }) => line_of(&words),
            Some(Carried::Setting { code }) => format!("setting {}", code.text),
            Some(Carried::Script { code, .. }) => format!("script {}", code.text),
            Some(Carried::File { path }) => format!("file {}", path.text),
            Some(Carried::Code { code, .. }) => format!("code {}", code.text),
            Some(Carried::Input) => "input".to_owned(),
            Some(other) => other.summary(),
            None => String::new(),
        }
    }

    #[test]
    fn wrappers_are_seen_through_with_their_flags() {
        assert_eq!(inner("sudo -u root -n rm x"), "rm x");
        assert_eq!(inner("timeout -k 5 10 rm x"), "rm x");
        assert_eq!(inner("timeout --signal=KILL 10 rm x"), "rm x");
        assert_eq!(inner("nice -n 5 rm x"), "rm x");
        assert_eq!(inner("nice -n5 rm x"), "rm x");
        assert_eq!(inner("setsid -f rm x"), "rm x");
        assert_eq!(inner("env -i -u A B=1 rm x"), "rm x");
        assert_eq!(inner("env - rm x"), "rm x");
        assert_eq!(inner("env"), "");
        assert_eq!(inner("/usr/bin/strace -f -o out rm x"), "rm x");
        assert_eq!(inner("command -p -- rm x"), "rm x");
        assert_eq!(inner("busybox rm x"), "rm x");
    }

    #[test]
    fn shells_carry_code_files_or_standard_input() {
        assert_eq!(inner("bash -lc ls"), "script ls");
        assert_eq!(inner("bash -euo pipefail -c ls"), "script ls");
        assert_eq!(inner("sh -x -c ls"), "script ls");
        assert_eq!(inner("bash --rcfile f -c ls"), "script ls");
        assert_eq!(inner("bash a.sh -c ls"), "file a.sh");
        assert_eq!(inner("bash -- -c ls"), "file -c");
        assert_eq!(inner("bash -s"), "input");
        assert_eq!(inner("sh"), "input");
    }

    #[test]
    fn interpreters_carry_opaque_code() {
        assert_eq!(inner("python3.12 -c x"), "code x");
        assert_eq!(inner("python3 -Ic x"), "code x");
        assert_eq!(inner("perl -pi -e x f"), "code x");
        assert_eq!(inner("node --eval=x"), "code x");
        assert_eq!(inner("python3 -m http.server"), "file http.server");
        assert_eq!(inner("python3 a.py"), "file a.py");
        assert_eq!(inner("python3 --version"), "");
        assert_eq!(inner("python3 -"), "input");
    }

    #[test]
    fn a_look_of_an_interpreter_carries_nothing() {
        for line in ["node --check a.js", "node --test", "ruby -wc a.rb", "php -l a.php", "bun test", "deno lint"] {
            assert_eq!(inner(line), "", "{line}");
        }
        assert_eq!(inner("node x.js --test"), "file x.js");
        assert_eq!(inner("php x.php -l"), "file x.php");
        assert_eq!(inner("node --import ./a.mjs --test"), "input");
        assert_eq!(inner("ruby -r ./x -c a.rb"), "file a.rb");
        assert_eq!(inner("bun x.ts"), "file x.ts");
    }

    #[test]
    fn what_is_measured_is_carried() {
        assert_eq!(inner("perf stat -r 5 rm x"), "rm x");
        assert_eq!(inner("perf list"), "");
        assert_eq!(carry(&["hyperfine", "--warmup", "3", "ls -l", "rm x"]).len(), 2);
        assert_eq!(inner("yarn jest --ci"), "jest --ci");
        assert_eq!(inner("python3 -m mypy ."), "mypy .");
    }

    #[test]
    fn find_and_xargs_carry_commands() {
        assert_eq!(inner("find /etc -type f -exec rm -f {} ;"), format!("rm -f /etc/{UNKNOWN}"));
        assert_eq!(inner("xargs -0 -n 1 rm -f"), format!("rm -f {UNKNOWN}"));
        assert_eq!(inner("xargs -I% sh -c %"), format!("sh -c {UNKNOWN}"));
        assert_eq!(inner("ssh -p 22 host rm -rf /"), "script rm -rf /");
    }

    #[test]
    fn only_a_printed_literal_is_harmless_code() {
        assert!(is_harmless_code("print('ok')"));
        assert!(is_harmless_code("print(1+1)"));
        assert!(is_harmless_code("console.log(\"ok\")"));
        assert!(!is_harmless_code("print(open('/etc/shadow').read())"));
        assert!(!is_harmless_code("print('a'); import os"));
        assert!(!is_harmless_code("print `id`"));
        assert!(!is_harmless_code("puts \"#{`id`}\""));
    }
}
