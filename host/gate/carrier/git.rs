//! What git runs: settings given with `-c`, flags of its subcommands, `bisect run`, `submodule foreach`.

use crate::gate::argv::{Word, line_of};

use super::{Carried, by_code_flag, command};

/// Flags of git's subcommands whose value is run, by a shell.
pub(super) const GIT_CODE_FLAGS: &[(&str, &str)] = &[
    ("grep", "-O|--open-files-in-pager"),
    ("difftool", "-x|--extcmd"),
    ("clone", "-u|--upload-pack"),
    ("fetch", "--upload-pack"),
    ("pull", "--upload-pack"),
    ("ls-remote", "--upload-pack|--exec"),
    ("push", "--receive-pack|--exec"),
    ("archive", "--exec"),
    ("rebase", "-x|--exec"),
    ("send-email", "--to-cmd|--cc-cmd|--sendmail-cmd|--header-cmd"),
    (
        "filter-branch",
        "--setup|--env-filter|--tree-filter|--index-filter|--parent-filter|--msg-filter|--commit-filter|--tag-name-filter",
    ),
];

/// Settings of git that name a command.
pub(super) const GIT_COMMAND_SETTINGS: &[&str] = &[
    "alias.",
    "pager.",
    "core.pager",
    "core.editor",
    "core.sshcommand",
    "core.fsmonitor",
    "core.askpass",
    "core.gitproxy",
    "sequence.editor",
    "diff.external",
    "diff.tool",
    "merge.tool",
    "interactive.difffilter",
    "gpg.program",
    "gpg.ssh.program",
    "gpg.x509.program",
    "credential.helper",
    "browser.",
    "man.",
    "web.browser",
];

pub(super) fn by_git(words: &[Word]) -> Vec<Carried> {
    let is_there = |name: &str| words.iter().skip(1).any(|word| word.text == name);
    let found = GIT_CODE_FLAGS.iter().filter(|(subcommand, _)| is_there(subcommand));
    let mut all: Vec<Carried> = found.flat_map(|(_, code)| by_code_flag(words, code)).collect();
    // git refuses `git -- reset`; what was meant is looked at all the same.
    if words.get(1).is_some_and(|word| word.text == "--") && words.len() > 2 {
        all.push(command(words.iter().take(1).chain(words.iter().skip(2)).cloned().collect()));
    }
    for pair in words.windows(2).filter(|pair| pair[0].text == "-c") {
        let Some((key, value)) = pair[1].text.split_once('=') else { continue };
        let key = key.to_ascii_lowercase();
        if GIT_COMMAND_SETTINGS.iter().any(|own| if own.ends_with('.') { key.starts_with(own) } else { key == *own }) {
            // An alias without `!` is another subcommand of git.
            let text = if key.starts_with("alias.") && !value.starts_with('!') {
                format!("git {value}")
            } else {
                value.to_owned()
            };
            all.push(Carried::Setting { code: Word { text, ..pair[1].clone() } });
        }
    }
    let behind_words = |first: &str, second: &str| {
        let at = words.windows(2).position(|pair| pair[0].text == first && pair[1].text == second)?;
        let rest = words.get(at + 2..)?;
        let flags = rest.iter().take_while(|word| word.text.starts_with('-')).count();
        rest.get(flags..).filter(|rest| !rest.is_empty())
    };
    if let Some(rest) = behind_words("bisect", "run") {
        all.push(command(rest.to_vec()));
    }
    if let Some(rest) = behind_words("submodule", "foreach") {
        all.push(Carried::Script { code: Word::plain(line_of(rest)), positional: vec![] });
    }
    all
}
