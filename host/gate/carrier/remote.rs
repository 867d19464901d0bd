//! Programs that run a command elsewhere: on another machine, in a container, in another terminal,
//! as a daemon.

use crate::gate::argv::{Argv, Word, line_of};
use crate::gate::path::base_name;
use crate::gate::shell::scope::Passing;

use super::{Carried, behind, command, flags};

pub(super) const CONTAINER_RUN: &str = "-a|--attach|--add-host|--annotation|--blkio-weight|--cap-add|--cap-drop|--cgroup-parent|--cgroupns|--cidfile|--cpus|-c|--cpu-shares|--device|--dns|--entrypoint|-e|--env|--env-file|--expose|--gpus|--group-add|-h|--hostname|--ip|--ipc|-l|--label|--link|--log-driver|--log-opt|-m|--memory|--mount|--name|--net|--network|--pid|--platform|-p|--publish|--pull|--restart|--runtime|--security-opt|--shm-size|--stop-signal|--sysctl|--tmpfs|--ulimit|-u|--user|--userns|--uts|-v|--volume|--volumes-from|-w|--workdir|--pod|--secret|--index|--detach-keys";

const SSH: &str = "-b|-c|-D|-E|-e|-F|-I|-i|-J|-L|-l|-m|-O|-o|-p|-Q|-R|-S|-W|-w|-B";

pub(super) fn by_ssh(words: &[Word]) -> Option<Carried> {
    let valued = flags(SSH);
    let rest = behind(words, &valued, 1);
    (!rest.is_empty()).then(|| {
        let taint = rest.iter().map(|word| word.taint).max().unwrap_or_default();
        Carried::Script { code: Word { text: line_of(rest), is_glob: false, taint }, positional: vec![] }
    })
}

/// What code that a program carries sees of the shell that starts the program.
pub(crate) fn passing(words: &[Word]) -> Passing {
    /// These run what they carry elsewhere: on another machine, in a container.
    const ELSEWHERE: &[&str] = &[
        "ssh",
        "docker",
        "podman",
        "nerdctl",
        "docker-compose",
        "podman-compose",
        "kubectl",
        "oc",
        "k",
        "crictl",
        "lxc",
        "incus",
        "ctr",
        "machinectl",
        "ansible",
        "salt",
        "salt-ssh",
        "salt-call",
        "aws",
    ];
    /// These keep some of the environment, by settings that are not seen here.
    const FILTERING: &[&str] = &[
        "sudo",
        "doas",
        "run0",
        "pkexec",
        "su",
        "runuser",
        "sg",
        "systemd-run",
        "start-stop-daemon",
        "tmux",
        "screen",
        "byobu",
        "firejail",
        "bwrap",
        "setpriv",
        "chpst",
        "envdir",
        "su-exec",
        "gosu",
        "setuidgid",
        "flatpak",
    ];
    let Some((program, rest)) = words.split_first() else { return Passing::Exported };
    match base_name(&program.text) {
        name if ELSEWHERE.contains(&name) => Passing::Nothing,
        name if FILTERING.contains(&name) => Passing::Perhaps,
        // `env -i`, `env -u NAME`, `exec -c`.
        "env" | "exec" if rest.first().is_some_and(|word| word.text.starts_with('-')) => Passing::Perhaps,
        _ => Passing::Exported,
    }
}

/// Programs that start a shell when they get no command, and so run what they read.
pub(super) fn is_login(words: &[Word]) -> bool {
    let valued = |text: &str| behind(words, &flags(text), 0);
    let Some(program) = words.first().map(|word| base_name(&word.text)) else { return false };
    let has = |names: &[&str]| {
        words.iter().skip(1).take_while(|word| word.text.starts_with('-')).any(|word| {
            names.contains(&word.text.as_str())
                || (!word.text.starts_with("--") && names.iter().any(|name| is_letter_of(&word.text, name)))
        })
    };
    match program {
        "ssh" => {
            behind(words, &flags(SSH), 1).is_empty() && words.len() > 1 && !has(&["-N", "-V", "-n", "-f", "-G", "-Q"])
        }
        "sudo" | "doas" => has(&["-s", "-i", "--shell", "--login"]) && valued(super::wrapper::SUDO).is_empty(),
        "su" => !super::has_code_flag(words),
        "run0" | "pkexec" => valued("-u|--user|-g|--group|-D|--chdir").is_empty() && !has(&["--version", "--help"]),
        "newgrp" | "login" => true,
        "chroot" => words.len() > 1 && behind(words, &flags("--userspec|--groups"), 1).is_empty(),
        "nsenter" | "unshare" => words.len() > 1 && valued("-t|--target|-S|-G|-R|-w|-r|-b").is_empty(),
        _ => false,
    }
}

/// Whether a cluster of short flags (`-ni`) holds this one.
fn is_letter_of(cluster: &str, flag: &str) -> bool {
    flag.len() == 2 && flag.chars().nth(1).is_some_and(|letter| cluster.contains(letter))
}

/// `aws ssm send-command --parameters commands=CODE`.
pub(super) fn by_aws(words: &[Word]) -> Vec<Carried> {
    let is_sent = words.windows(2).any(|pair| {
        pair.first().is_some_and(|word| word.text == "ssm")
            && pair.get(1).is_some_and(|word| matches!(word.text.as_str(), "send-command" | "start-session"))
    });
    if !is_sent {
        return vec![];
    }
    let parameters = flags("--parameters|--cli-input-json");
    let argv = Argv::read(words, &parameters);
    let values: Vec<String> = argv.values(&parameters).flat_map(sent_code).collect();
    values.into_iter().map(|code| Carried::Script { code: Word::plain(code), positional: vec![] }).collect()
}

/// The commands in a parameter: `commands=a,b`, `commands=["a","b"]`, `{"commands": ["a", "b"]}`.
fn sent_code(text: &str) -> Vec<String> {
    fn texts(value: &serde_json::Value) -> Vec<String> {
        match value {
            serde_json::Value::String(text) => vec![text.clone()],
            serde_json::Value::Array(all) => all.iter().flat_map(texts).collect(),
            serde_json::Value::Object(map) => map
                .iter()
                .filter(|(name, _)| name.starts_with("command") || *name == "Parameters")
                .flat_map(|(_, value)| texts(value))
                .collect(),
            _ => vec![],
        }
    }
    if let Ok(value) = serde_json::from_str::<serde_json::Value>(text) {
        return texts(&value);
    }
    let Some(at) = text.find("command") else { return vec![] };
    let Some((_, list)) = text.get(at..).and_then(|text| text.split_once('=')) else { return vec![] };
    match serde_json::from_str::<serde_json::Value>(list) {
        Ok(value) => texts(&value),
        Err(_) => vec![list.trim_matches(['[', ']', '\'', '"']).to_owned()],
    }
}

/// `docker exec [flags] CONTAINER COMMAND`, `docker run [flags] IMAGE COMMAND`.
pub(super) fn by_container(words: &[Word]) -> Option<Carried> {
    let at = words.iter().position(|word| matches!(word.text.as_str(), "exec" | "run" | "shell"))?;
    let rest = behind(words.get(at..)?, &flags(CONTAINER_RUN), 1);
    let rest = if rest.first().is_some_and(|word| word.text == "--") { &rest[1..] } else { rest };
    let entrypoint = Argv::read(words.get(at..)?, &flags(CONTAINER_RUN)).values(&flags("--entrypoint")).next();
    let all: Vec<Word> = entrypoint.map(Word::plain).into_iter().chain(rest.iter().cloned()).collect();
    (!all.is_empty()).then(|| command(all))
}

/// `kubectl exec POD -- COMMAND`.
pub(super) fn by_cluster(words: &[Word]) -> Option<Carried> {
    let argv = Argv::read(words, &flags("-n|--namespace|--context|--cluster|--user|--kubeconfig|-c|--container"));
    let verb = argv.operands.first().map_or("", |word| word.text.as_str());
    if !matches!(verb, "exec" | "run" | "debug" | "rsh") {
        return None;
    }
    let rest = match words.iter().position(|word| word.text == "--") {
        Some(end) => words.get(end + 1..)?.to_vec(),
        // The old form: `kubectl exec POD COMMAND`.
        None => {
            let first = argv.operands.get(2)?;
            let at = words.iter().position(|word| std::ptr::eq(word, *first))?;
            words.get(at..)?.to_vec()
        }
    };
    (!rest.is_empty() && rest.first().is_some_and(|word| !word.text.starts_with('-'))).then(|| command(rest))
}

/// A remote function whose name begins so, with a command as its last word.
pub(super) fn by_last_word(words: &[Word], function: &str) -> Vec<Carried> {
    if !words.iter().any(|word| word.text.starts_with(function)) {
        return vec![];
    }
    words.last().map(|code| Carried::Script { code: code.clone(), positional: vec![] }).into_iter().collect()
}

/// `EXEC:` and `SYSTEM:` of socat run a command.
pub(super) fn by_socat(words: &[Word]) -> Vec<Carried> {
    let code = |word: &Word| {
        let text = word.text.as_str();
        let at = text.find(':')?;
        let is_run = ["exec", "system", "shell"].contains(&text[..at].to_ascii_lowercase().as_str());
        is_run.then(|| Carried::Script { code: Word::plain(&text[at + 1..]), positional: vec![] })
    };
    words.iter().skip(1).filter_map(code).collect()
}

/// Terminals that run what stands behind their flags, or type it into a shell.
pub(super) fn by_terminal(words: &[Word]) -> Vec<Carried> {
    const RUNS: &[&str] = &[
        "new",
        "new-session",
        "new-window",
        "neww",
        "split-window",
        "splitw",
        "respawn-pane",
        "respawn-window",
        "run",
        "run-shell",
        "if-shell",
        "send",
        "send-keys",
        "popup",
        "display-popup",
        "pipe-pane",
        "pipep",
    ];
    let is_screen = words.first().is_some_and(|word| base_name(&word.text) == "screen");
    let valued = flags("-S|-s|-n|-t|-c|-L|-f|-x|-y|-e|-F|-p|-T|-h|-w|-X");
    let start = if is_screen { Some(0) } else { words.iter().position(|word| RUNS.contains(&word.text.as_str())) };
    let Some(rest) = start.and_then(|at| words.get(at..)).map(|words| behind(words, &valued, 0)) else { return vec![] };
    let typed: Vec<Word> =
        rest.iter().filter(|word| !matches!(word.text.as_str(), "Enter" | "C-m" | "KPEnter")).cloned().collect();
    if typed.is_empty() {
        return vec![];
    }
    vec![Carried::Script { code: Word::plain(line_of(&typed)), positional: vec![] }]
}

/// `start-stop-daemon --exec PROGRAM -- ARGUMENTS`.
pub(super) fn by_daemon(words: &[Word]) -> Vec<Carried> {
    let program = flags("-x|--exec|-a|--startas");
    let argv = Argv::read(words, &program);
    let arguments =
        words.iter().position(|word| word.text == "--").and_then(|at| words.get(at + 1..)).unwrap_or_default();
    let run = |path: &str| command(std::iter::once(Word::plain(path)).chain(arguments.iter().cloned()).collect());
    argv.values(&program).map(run).collect()
}

/// `capsh [flags] -- SHELL ARGUMENTS`.
pub(super) fn by_capsh(words: &[Word]) -> Vec<Carried> {
    let Some(at) = words.iter().position(|word| matches!(word.text.as_str(), "--" | "==")) else { return vec![] };
    let mut shell = vec![Word::plain("bash")];
    shell.extend_from_slice(words.get(at + 1..).unwrap_or_default());
    vec![command(shell)]
}
