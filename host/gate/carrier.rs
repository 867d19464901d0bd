//! Programs that run what stands in their own arguments: wrappers (`env`, `sudo`, `timeout`),
//! shells (`sh -c`), interpreters (`python3 -c`), and programs that run others for what they find
//! (`find -exec`, `xargs`, `parallel`, `ssh`). The gate looks at what they carry.
//!
//! To add a wrapper: a line in [`WRAPPERS`]. To add a language: a line in [`INTERPRETERS`].

use super::argv::{Argv, FlagPattern, Taint, Word, line_of};
use super::glob::UNKNOWN;
use super::path::base_name;

/// What a command line carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Carried {
    /// Another command line, with the names of the variables that are set for it.
    Command { words: Vec<Word>, environment: Vec<String>, directory: Option<String> },
    /// Shell code, with the words that it gets as `$0`, `$1` and so on.
    Script { code: Word, positional: Vec<Word> },
    /// Code of a language that is not read here.
    Code { code: Word, language: &'static str },
    /// A file that is run as code.
    File { path: Word },
    /// Code from standard input.
    Input,
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
];

/// Programs that run what stands behind one of their flags, by a shell.
const CODE_FLAGS: &[(&[&str], &str)] = &[
    (&["complete", "compgen"], "-C"),
    (&["split", "gsplit"], "--filter"),
    (&["rg"], "--pre|--hostname-bin"),
    (&["bat", "batcat", "ag"], "--pager"),
    (&["man"], "-P|--pager|-H|--html"),
];

/// The same for subcommands of git.
const GIT_CODE_FLAGS: &[(&str, &str)] = &[
    ("grep", "-O|--open-files-in-pager"),
    ("difftool", "-x|--extcmd"),
    ("clone", "-u|--upload-pack"),
    ("fetch", "--upload-pack"),
    ("pull", "--upload-pack"),
    ("ls-remote", "--upload-pack|--exec"),
    ("push", "--receive-pack|--exec"),
];

const SHELLS: &[&str] = &["sh", "bash", "dash", "zsh", "ksh", "ksh93", "mksh", "ash", "rbash", "yash", "hush", "fish"];

struct Interpreter {
    /// The names' beginnings: `python` is also `python3.12`.
    names: &'static [&'static str],
    language: &'static str,
    /// The flags whose value is code.
    code: &'static str,
    /// Other flags with a value.
    valued: &'static str,
}

const INTERPRETERS: &[Interpreter] = &[
    Interpreter { names: &["python", "pypy", "py"], language: "python", code: "-c", valued: "-W|-X|-m" },
    Interpreter { names: &["perl"], language: "perl", code: "-e|-E", valued: "-I" },
    Interpreter { names: &["ruby"], language: "ruby", code: "-e", valued: "-r|-I|-C" },
    Interpreter {
        names: &["node", "nodejs"],
        language: "javascript",
        code: "-e|--eval|-p|--print",
        valued: "-r|--require|--import|--loader",
    },
    Interpreter { names: &["deno", "bun"], language: "javascript", code: "-e|--eval", valued: "" },
    Interpreter { names: &["php"], language: "php", code: "-r", valued: "-d|-c" },
    Interpreter { names: &["lua", "luajit"], language: "lua", code: "-e", valued: "-l" },
    Interpreter { names: &["Rscript", "R"], language: "r", code: "-e", valued: "" },
    Interpreter { names: &["julia"], language: "julia", code: "-e|--eval|-E|--print", valued: "" },
    Interpreter { names: &["osascript"], language: "applescript", code: "-e", valued: "-l" },
    Interpreter {
        names: &["pwsh", "powershell"],
        language: "powershell",
        code: "-c|-Command|-EncodedCommand|-e",
        valued: "-File",
    },
    Interpreter { names: &["tclsh", "wish", "expect"], language: "tcl", code: "-c", valued: "" },
];

/// What `words` carries; empty when it is a plain command.
pub(crate) fn carried(words: &[Word], input: &InputWords<'_>) -> Vec<Carried> {
    let Some(program) = words.first().map(|word| base_name(&word.text)) else { return vec![] };
    if SHELLS.contains(&program) {
        return vec![by_shell(words)];
    }
    match program {
        "env" => by_env(words).into_iter().collect(),
        "find" | "gfind" => by_find(words),
        "fd" | "fdfind" => by_fd(words),
        "xargs" | "gxargs" => by_xargs(words, input).into_iter().collect(),
        "parallel" => by_parallel(words, input),
        "ssh" => by_ssh(words).into_iter().collect(),
        "su" | "runuser" | "script" | "flock" | "sg" if has_code_flag(words) => by_code_flag(words, "-c|--command"),
        "git" => by_git(words),
        "watch" => by_watch(words).into_iter().collect(),
        "source" | "." => words.get(1).map(|path| Carried::File { path: path.clone() }).into_iter().collect(),
        "docker" | "podman" | "nerdctl" => by_container(words).into_iter().collect(),
        "kubectl" | "oc" => by_cluster(words).into_iter().collect(),
        "socat" => by_socat(words),
        _ => {
            if let Some((_, code)) = CODE_FLAGS.iter().find(|(names, _)| names.contains(&program)) {
                return by_code_flag(words, code);
            }
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
    let environment = assignments.iter().filter_map(|word| assigned_name(&word.text)).map(str::to_owned).collect();
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

fn by_shell(words: &[Word]) -> Carried {
    let valued = flags("-o|-O|--rcfile|--init-file");
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
            Argv::read(&words[at - 1..=at], &valued).has_flag(&valued)
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

fn by_interpreter(words: &[Word], interpreter: &Interpreter) -> Option<Carried> {
    let code = flags(interpreter.code);
    let argv = Argv::read(words, &[flags(interpreter.valued), code.clone()].concat());
    let values: Vec<&str> = argv.values(&code).collect();
    if !values.is_empty() || argv.has_flag(&code) {
        let taint = words.iter().map(|word| word.taint).max().unwrap_or_default();
        let code = Word { text: values.join("\n"), is_glob: false, taint };
        return Some(Carried::Code { code, language: interpreter.language });
    }
    if argv.has_flag(&flags("--version|-V|--help|-h")) {
        return None;
    }
    if interpreter.language == "python" && argv.has_flag(&flags("-m")) {
        return Some(Carried::File { path: Word::plain(argv.values(&flags("-m")).next().unwrap_or_default()) });
    }
    match argv.operands.first() {
        Some(path) if path.text != "-" => Some(Carried::File { path: (*path).clone() }),
        _ => Some(Carried::Input),
    }
}

fn by_find(words: &[Word]) -> Vec<Carried> {
    let roots: Vec<&str> =
        words.iter().skip(1).map(|word| word.text.as_str()).take_while(|text| !is_find_word(text)).collect();
    let root = roots.first().copied().unwrap_or(".");
    let mut all = vec![];
    let mut rest = words.get(1..).unwrap_or_default();
    while let Some(at) =
        rest.iter().position(|word| matches!(word.text.as_str(), "-exec" | "-execdir" | "-ok" | "-okdir"))
    {
        rest = &rest[at + 1..];
        let end = rest.iter().position(|word| matches!(word.text.as_str(), ";" | "+")).unwrap_or(rest.len());
        for root in if roots.is_empty() { std::slice::from_ref(&root) } else { roots.as_slice() } {
            let found = format!("{}/{UNKNOWN}", root.trim_end_matches('/'));
            all.push(command(replaced(&rest[..end], "{}", &found, Taint::None)));
        }
        rest = &rest[end..];
    }
    all
}

/// Whether a word of `find` begins its expression.
pub(crate) fn is_find_word(text: &str) -> bool {
    (text.starts_with('-') && text.len() > 1) || matches!(text, "(" | "!" | ",")
}

fn by_fd(words: &[Word]) -> Vec<Carried> {
    let is_exec = |word: &Word| matches!(word.text.as_str(), "-x" | "-X" | "--exec" | "--exec-batch");
    let Some(at) = words.iter().position(is_exec) else { return vec![] };
    let rest = words.get(at + 1..).unwrap_or_default();
    let end = rest.iter().position(|word| word.text == ";").unwrap_or(rest.len());
    let mut words = replaced(&rest[..end], "{}", &UNKNOWN.to_string(), Taint::None);
    words.push(Word::unknown(Taint::None));
    vec![command(words)]
}

fn replaced(words: &[Word], mark: &str, by: &str, taint: Taint) -> Vec<Word> {
    let replace = |word: &Word| {
        if word.text.contains(mark) && !mark.is_empty() {
            Word { text: word.text.replace(mark, by), is_glob: word.is_glob, taint: word.taint.max(taint) }
        } else {
            word.clone()
        }
    };
    words.iter().map(replace).collect()
}

/// Words from standard input that are worth to follow one by one. Danger: a list without end.
const INPUT_WORDS_MAX: usize = 64;

fn by_xargs(words: &[Word], input: &InputWords<'_>) -> Option<Carried> {
    let replace = flags("-I|-J");
    let valued =
        flags("-I|-J|-n|--max-args|-P|--max-procs|-L|--max-lines|-d|--delimiter|-a|--arg-file|-s|--max-chars|-E|-R|-S");
    let argv = Argv::read(words, &valued);
    let mut mark = argv.values(&replace).next().map(str::to_owned);
    // `-i` and `--replace` take their value only when it is attached.
    for word in words.iter().skip(1).take_while(|word| word.text.starts_with('-')) {
        let attached = word.text.strip_prefix("--replace").or_else(|| word.text.strip_prefix("-i"));
        if let Some(attached) = attached {
            let attached = attached.trim_start_matches('=');
            mark = Some(if attached.is_empty() { "{}" } else { attached }.to_owned());
        }
    }
    let rest = behind(words, &valued, 0);
    let program = rest.first()?;
    let is_from_file = argv.has_flag(&flags("-a|--arg-file"));
    let known = input.text.filter(|_| !is_from_file);
    let mut all;
    if let Some(mark) = mark {
        let by = known.map_or_else(|| UNKNOWN.to_string(), |text| text.trim_end().to_owned());
        all = replaced(rest, &mark, &by, input.taint);
    } else {
        all = rest.to_vec();
        match known {
            Some(text) => all.extend(text.split_whitespace().take(INPUT_WORDS_MAX).map(|text| Word {
                text: text.to_owned(),
                is_glob: false,
                taint: input.taint,
            })),
            None => all.push(Word::unknown(input.taint.max(Taint::Computed))),
        }
    }
    let _ = program;
    Some(command(all))
}

fn by_parallel(words: &[Word], input: &InputWords<'_>) -> Vec<Carried> {
    let valued = flags(
        "-j|--jobs|-S|--sshlogin|--results|--joblog|-a|--arg-file|-N|-n|--max-args|-L|--colsep|-C|-I|--timeout|--retries|--delay|--tmpdir|--wd|--tag-string|-d|--delimiter",
    );
    let rest = behind(words, &valued, 0);
    let is_source = |word: &Word| word.text.starts_with(":::");
    let end = rest.iter().position(is_source).unwrap_or(rest.len());
    let (template, sources) = rest.split_at(end);
    let mut values: Vec<Word> = sources.iter().filter(|word| !is_source(word)).take(INPUT_WORDS_MAX).cloned().collect();
    if sources.is_empty() {
        match input.text {
            Some(text) => values.extend(text.lines().take(INPUT_WORDS_MAX).map(Word::plain)),
            None => values.push(Word::unknown(input.taint.max(Taint::Computed))),
        }
    }
    let line = line_of(template);
    let has_mark = line.contains("{}") || line.contains("{1}") || line.contains("{2}");
    let run = |value: &Word| {
        let text = if template.is_empty() {
            value.text.clone()
        } else if has_mark {
            line.replace("{}", &value.text).replace("{1}", &value.text).replace("{2}", &value.text)
        } else {
            format!("{line} {}", value.text)
        };
        Carried::Script { code: Word { text, is_glob: false, taint: value.taint }, positional: vec![] }
    };
    let mut all: Vec<Carried> = values.iter().map(run).collect();
    // The words as they stand, too: quoting in the template is lost in the line.
    if !template.is_empty() {
        all.extend(values.iter().map(|value| {
            let mut words = replaced(template, "{}", &value.text, value.taint);
            if !has_mark {
                words.push(value.clone());
            }
            command(words)
        }));
    }
    all
}

fn by_ssh(words: &[Word]) -> Option<Carried> {
    let valued = flags("-b|-c|-D|-E|-e|-F|-I|-i|-J|-L|-l|-m|-O|-o|-p|-Q|-R|-S|-W|-w|-B");
    let rest = behind(words, &valued, 1);
    (!rest.is_empty()).then(|| {
        let taint = rest.iter().map(|word| word.taint).max().unwrap_or_default();
        Carried::Script { code: Word { text: line_of(rest), is_glob: false, taint }, positional: vec![] }
    })
}

fn has_code_flag(words: &[Word]) -> bool {
    words.iter().skip(1).any(|word| word.text == "-c" || word.text.starts_with("--command"))
}

fn by_git(words: &[Word]) -> Vec<Carried> {
    let is_there = |name: &str| words.iter().skip(1).any(|word| word.text == name);
    let found = GIT_CODE_FLAGS.iter().filter(|(subcommand, _)| is_there(subcommand));
    found.flat_map(|(_, code)| by_code_flag(words, code)).collect()
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

/// `docker exec [flags] CONTAINER COMMAND`.
fn by_container(words: &[Word]) -> Option<Carried> {
    let at = words.iter().position(|word| !word.text.starts_with('-') && word.text == "exec")?;
    let rest = behind(words.get(at..)?, &flags("-e|--env|-u|--user|-w|--workdir|--env-file|--detach-keys"), 1);
    (!rest.is_empty()).then(|| command(rest.to_vec()))
}

/// `kubectl exec POD -- COMMAND`.
fn by_cluster(words: &[Word]) -> Option<Carried> {
    let argv = Argv::read(words, &flags("-n|--namespace|--context|--cluster|--user|--kubeconfig|-c|--container"));
    let end = words.iter().position(|word| word.text == "--")?;
    let is_exec = argv.operands.first().is_some_and(|word| word.text == "exec");
    let rest = words.get(end + 1..).filter(|rest| is_exec && !rest.is_empty())?;
    Some(command(rest.to_vec()))
}

/// `EXEC:` and `SYSTEM:` of socat run a command.
fn by_socat(words: &[Word]) -> Vec<Carried> {
    let code = |word: &Word| {
        let text = word.text.as_str();
        let at = text.find(':')?;
        let is_run = ["exec", "system", "shell"].contains(&text[..at].to_ascii_lowercase().as_str());
        is_run.then(|| Carried::Script { code: Word::plain(&text[at + 1..]), positional: vec![] })
    };
    words.iter().skip(1).filter_map(code).collect()
}

/// Whether `program` is one that runs code from its standard input when it gets no operand.
pub(crate) fn reads_code(program: &str) -> bool {
    SHELLS.contains(&program)
        || INTERPRETERS.iter().any(|interpreter| interpreter.names.iter().any(|name| is_version_of(program, name)))
}

/// Whether code of an opaque language plainly does nothing but print.
pub(crate) fn is_harmless_code(code: &str) -> bool {
    let code = code.trim().trim_end_matches(';');
    let printed = ["print(", "console.log("]
        .iter()
        .find_map(|call| code.strip_prefix(call)?.strip_suffix(')'))
        .or_else(|| ["print ", "puts ", "echo "].iter().find_map(|verb| code.strip_prefix(verb)));
    // A single literal: no call, no interpolation, no backtick inside.
    printed.is_some_and(|literal| {
        let quoted = ['\'', '"'].iter().any(|quote| {
            literal.len() >= 2
                && literal.starts_with(*quote)
                && literal.ends_with(*quote)
                && !literal[1..literal.len() - 1].contains(*quote)
        });
        let is_number =
            !literal.is_empty() && literal.bytes().all(|byte| byte.is_ascii_digit() || b"+-*/. ".contains(&byte));
        (quoted && !literal.contains(['$', '#', '`', '\\', '@', '{'])) || is_number
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carry(line: &[&str]) -> Vec<Carried> {
        let words: Vec<Word> = line.iter().map(|text| Word::plain(*text)).collect();
        carried(&words, &InputWords { text: None, taint: Taint::None })
    }

    fn inner(line: &str) -> String {
        match carry(&line.split(' ').collect::<Vec<_>>()).into_iter().next() {
            Some(Carried::Command { words, .. }) => line_of(&words),
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
