//! Programs that run what stands in their own arguments: wrappers (`env`, `sudo`, `timeout`),
//! shells (`sh -c`), interpreters (`python3 -c`), and programs that run others for what they find
//! (`find -exec`, `xargs`, `parallel`, `ssh`). The gate looks at what they carry.
//!
//! To add a wrapper: a line in [`WRAPPERS`]. To add a language: a line in `language::INTERPRETERS`.
//! Families have files of their own: `finder`, `git`, `language`, `remote`.

mod finder;
mod git;
mod language;
mod remote;

use crate::gate::argv::{Argv, FlagPattern, Taint, Word, line_of};
use crate::gate::path::base_name;

pub(crate) use finder::find_roots;
use finder::{by_fd, by_find, by_parallel, by_xargs};
use git::by_git;
pub(crate) use language::is_harmless_code;
use language::{INTERPRETERS, by_interpreter};
use remote::{by_capsh, by_cluster, by_container, by_daemon, by_last_word, by_socat, by_ssh, by_terminal};

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
        }
    }
}

/// What standard input holds for a program that turns it into arguments.
pub(crate) struct InputWords<'a> {
    /// The text, where it is known.
    pub text: Option<&'a str>,
    pub taint: Taint,
}

struct Wrapper {
    names: &'static [&'static str],
    /// Its own flags that take a value.
    valued: &'static str,
    /// So many operands stand before the carried command.
    operands: usize,
}

const fn wrapper(names: &'static [&'static str], valued: &'static str, operands: usize) -> Wrapper {
    Wrapper { names, valued, operands }
}

const SUDO: &str = "-u|--user|-g|--group|-h|--host|-p|--prompt|-C|--close-from|-D|--chdir|-R|--chroot|-T|--command-timeout|-U|--other-user|-r|--role|-t|--type|-a";
const TRACE: &str = "-o|--output|-e|-p|--attach|-s|-u|-E|-a|-b|-I|-O|-S|-P|-X";

const WRAPPERS: &[Wrapper] = &[
    wrapper(&["sudo", "doas", "run0", "sudoedit"], SUDO, 0),
    wrapper(&["pkexec"], "--user", 0),
    wrapper(&["nice"], "-n|--adjustment", 0),
    wrapper(&["ionice"], "-c|--class|-n|--classdata|-p|--pid", 0),
    wrapper(&["chrt", "taskset", "setarch"], "", 1),
    wrapper(&["nohup", "setsid", "unbuffer", "fakeroot", "catchsegv", "eatmydata", "torsocks", "chronic"], "", 0),
    wrapper(
        &["proxychains", "proxychains4", "xvfb-run", "dbus-run-session", "firejail", "setpriv", "linux64", "linux32"],
        "-f|-n|-s",
        0,
    ),
    wrapper(&["timeout"], "-k|--kill-after|-s|--signal", 1),
    wrapper(&["stdbuf"], "-i|--input|-o|--output|-e|--error", 0),
    wrapper(&["time", "gtime"], "-f|--format|-o|--output", 0),
    wrapper(&["strace", "ltrace"], TRACE, 0),
    wrapper(&["valgrind", "caffeinate"], "-t|-w", 0),
    wrapper(&["arch", "numactl", "prlimit", "rlwrap"], "", 0),
    wrapper(&["cgexec"], "-g", 0),
    wrapper(&["systemd-run"], "-p|--property|-u|--unit|--slice|-E|--setenv|--uid|--gid|-M|-H|--description", 0),
    wrapper(&["chroot"], "--userspec|--groups", 1),
    wrapper(&["unshare", "proot", "bwrap"], "-S|-G|-R|-w|-r|-b", 0),
    wrapper(&["nsenter"], "-t|--target|-S|-G", 0),
    wrapper(&["runuser"], "-u|--user|-g|--group", 0),
    wrapper(&["command", "builtin", "noglob", "nocorrect"], "", 0),
    wrapper(&["exec"], "-a", 0),
    wrapper(&["busybox", "toybox"], "", 0),
    wrapper(&["flock"], "-w|--timeout|-E|--conflict-exit-code", 1),
    wrapper(&["entr"], "", 0),
    wrapper(&["dumb-init", "tini", "catatonit"], "-e|-p|-r", 0),
    wrapper(&["chpst", "softlimit"], "-u|-U|-b|-e|-d|-n|-m|-o|-p|-f|-c|-t|-l|-L", 0),
    wrapper(&["setuidgid", "envdir", "gosu", "su-exec"], "", 1),
    wrapper(&["cpulimit"], "-l|--limit|-p|-e", 0),
    wrapper(&["pw-jack", "aoss", "padsp", "optirun", "primusrun", "gamemoderun", "mangohud", "dbus-launch"], "", 0),
    wrapper(&["qemu-x86_64", "qemu-aarch64", "qemu-arm", "qemu-i386", "qemu-riscv64"], "-L|-E|-U|-0|-cpu", 0),
];

const SHELLS: &[&str] = &["sh", "bash", "dash", "zsh", "ksh", "ksh93", "mksh", "ash", "rbash", "yash", "hush", "fish"];

/// What `words` carries; empty when it is a plain command.
pub(crate) fn carried(words: &[Word], input: &InputWords<'_>) -> Vec<Carried> {
    let Some(program) = words.first().map(|word| base_name(&word.text)) else { return vec![] };
    if SHELLS.contains(&program) {
        return by_shell(words);
    }
    match program {
        "env" => by_env(words).into_iter().collect(),
        "find" | "gfind" => by_find(words),
        "fd" | "fdfind" => by_fd(words),
        "xargs" | "gxargs" => by_xargs(words, input).into_iter().collect(),
        "parallel" => by_parallel(words, input),
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
        "source" | "." => words.get(1).map(|path| Carried::File { path: path.clone() }).into_iter().collect(),
        "docker" | "podman" | "nerdctl" | "docker-compose" | "podman-compose" => {
            by_container(words).into_iter().collect()
        }
        "kubectl" | "oc" | "k" => by_cluster(words).into_iter().collect(),
        "socat" => by_socat(words),
        _ => {
            if let Some(wrapper) = WRAPPERS.iter().find(|wrapper| wrapper.names.contains(&program)) {
                return by_wrapper(words, wrapper).into_iter().collect();
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

fn by_wrapper(words: &[Word], wrapper: &Wrapper) -> Option<Carried> {
    let rest = behind(words, &flags(wrapper.valued), wrapper.operands);
    with_assignments(rest, None)
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

fn by_env(words: &[Word]) -> Option<Carried> {
    let valued = flags("-u|--unset|-C|--chdir|-P|-a|--argv0");
    let split = flags("-S|--split-string");
    let argv = Argv::read(words, &[valued.clone(), split.clone()].concat());
    let directory = argv.values(&flags("-C|--chdir")).next().map(str::to_owned);
    let rest = behind(words, &[valued, split.clone()].concat(), 0);
    let mut all: Vec<Word> = argv
        .values(&split)
        .flat_map(str::split_whitespace)
        .map(|text| Word::plain(text.trim_matches(['\'', '"'])))
        .collect();
    if !all.is_empty() {
        // `-S "bash -c 'x y'"`: quotes group, as in a shell.
        let code: Vec<&str> = argv.values(&split).collect();
        return Some(Carried::Script {
            code: Word::plain(format!("env {} {}", code.join(" "), line_of(rest))),
            positional: vec![],
        });
    }
    let rest = if rest.first().is_some_and(|word| word.text == "-") { &rest[1..] } else { rest };
    all.extend(rest.iter().cloned());
    with_assignments(&all, directory)
}

fn by_shell(words: &[Word]) -> Vec<Carried> {
    let valued = flags("-o|-O|--rcfile|--init-file|-C|--init-command|--command");
    let mut all = vec![by_shell_words(words, &valued)];
    let argv = Argv::read(words, &valued);
    // An interactive shell reads it first; whether it is one shows only where it runs.
    all.extend(argv.values(&flags("--rcfile|--init-file")).map(|path| Carried::File { path: Word::plain(path) }));
    if argv.program == "fish" {
        all.extend(by_code_flag(words, "-C|--init-command|--command"));
    }
    all
}

fn by_shell_words(words: &[Word], valued: &[FlagPattern]) -> Carried {
    let mut has_code = false;
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
        let takes_next = if is_cluster {
            text.ends_with(['o', 'O'])
        } else {
            Argv::read(&words[at - 1..=at], valued).has_flag(valued)
        };
        at += 1 + usize::from(takes_next);
    }
    let rest = words.get(at..).unwrap_or_default();
    match rest.split_first() {
        Some((code, positional)) if has_code => Carried::Script { code: code.clone(), positional: positional.to_vec() },
        // `bash -c` without code is a usage error; nothing runs.
        None if has_code => Carried::Script { code: Word::default(), positional: vec![] },
        Some((path, _)) => Carried::File { path: path.clone() },
        None => Carried::Input,
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

fn by_watch(words: &[Word]) -> Option<Carried> {
    let rest = behind(words, &flags("-n|--interval|-q|--equexit"), 0);
    (!rest.is_empty()).then(|| Carried::Script { code: Word::plain(line_of(rest)), positional: vec![] })
}

/// Whether `program` is one that runs code from its standard input when it gets no operand.
pub(crate) fn reads_code(program: &str) -> bool {
    SHELLS.contains(&program)
        || INTERPRETERS.iter().any(|interpreter| interpreter.names.iter().any(|name| is_version_of(program, name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::glob::UNKNOWN;

    fn carry(line: &[&str]) -> Vec<Carried> {
        let words: Vec<Word> = line.iter().map(|text| Word::plain(*text)).collect();
        carried(&words, &InputWords { text: None, taint: Taint::None })
    }

    fn inner(line: &str) -> String {
        match carry(&line.split(' ').collect::<Vec<_>>()).into_iter().next() {
            Some(Carried::Command { words, .. }) => line_of(&words),
            Some(Carried::Setting { code }) => format!("setting {}", code.text),
            Some(Carried::Script { code, .. }) => format!("script {}", code.text),
            Some(Carried::File { path }) => format!("file {}", path.text),
            Some(Carried::Code { code, .. }) => format!("code {}", code.text),
            Some(Carried::Input) => "input".to_owned(),
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
