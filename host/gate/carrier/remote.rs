//! Programs that run a command elsewhere: on another machine, in a container, in another terminal,
//! as a daemon.

use crate::gate::argv::{Argv, Word, line_of};
use crate::gate::path::base_name;

use super::{Carried, behind, command, flags};

pub(super) const CONTAINER_RUN: &str = "-a|--attach|--add-host|--annotation|--blkio-weight|--cap-add|--cap-drop|--cgroup-parent|--cgroupns|--cidfile|--cpus|-c|--cpu-shares|--device|--dns|--entrypoint|-e|--env|--env-file|--expose|--gpus|--group-add|-h|--hostname|--ip|--ipc|-l|--label|--link|--log-driver|--log-opt|-m|--memory|--mount|--name|--net|--network|--pid|--platform|-p|--publish|--pull|--restart|--runtime|--security-opt|--shm-size|--stop-signal|--sysctl|--tmpfs|--ulimit|-u|--user|--userns|--uts|-v|--volume|--volumes-from|-w|--workdir|--pod|--secret|--index|--detach-keys";

pub(super) fn by_ssh(words: &[Word]) -> Option<Carried> {
    let valued = flags("-b|-c|-D|-E|-e|-F|-I|-i|-J|-L|-l|-m|-O|-o|-p|-Q|-R|-S|-W|-w|-B");
    let rest = behind(words, &valued, 1);
    (!rest.is_empty()).then(|| {
        let taint = rest.iter().map(|word| word.taint).max().unwrap_or_default();
        Carried::Script { code: Word { text: line_of(rest), is_glob: false, taint }, positional: vec![] }
    })
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
