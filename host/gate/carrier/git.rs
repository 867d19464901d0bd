//! What git runs: settings given with `-c`, flags of its subcommands, `bisect run`, `submodule foreach`.

use crate::gate::argv::{Word, line_of};
use crate::gate::glob::UNKNOWN;

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

/// Beginnings of settings, up to a dot, all of which only say how git prints or compares.
const PLAIN_SECTIONS: &[&str] = &[
    "advice.",
    "author.",
    "color.",
    "column.",
    "committer.",
    "feature.",
    "index.",
    "log.",
    "rerere.",
    "status.",
    "user.",
    "versionsort.",
];

/// Settings that run, load, read and write nothing.
const PLAIN_SETTINGS: &[&str] = &[
    "am.keepcr",
    "am.threeway",
    "apply.ignorewhitespace",
    "apply.whitespace",
    "blame.blankboundary",
    "blame.coloring",
    "blame.date",
    "blame.showemail",
    "blame.showroot",
    "branch.autosetupmerge",
    "branch.autosetuprebase",
    "branch.sort",
    "checkout.defaultremote",
    "checkout.guess",
    "checkout.workers",
    "commit.cleanup",
    "commit.gpgsign",
    "commit.status",
    "commit.verbose",
    "core.abbrev",
    "core.autocrlf",
    "core.bigfilethreshold",
    "core.checkstat",
    "core.commentchar",
    "core.commitgraph",
    "core.compression",
    "core.eol",
    "core.filemode",
    "core.fscache",
    "core.ignorecase",
    "core.logallrefupdates",
    "core.longpaths",
    "core.looseobjectcompression",
    "core.multipackindex",
    "core.packedgitlimit",
    "core.packedgitwindowsize",
    "core.precomposeunicode",
    "core.preloadindex",
    "core.protecthfs",
    "core.protectntfs",
    "core.quotepath",
    "core.safecrlf",
    "core.sparsecheckout",
    "core.symlinks",
    "core.trustctime",
    "core.untrackedcache",
    "core.warnambiguousrefs",
    "core.whitespace",
    "diff.algorithm",
    "diff.autorefreshindex",
    "diff.colormoved",
    "diff.colormovedws",
    "diff.context",
    "diff.dirstat",
    "diff.ignoresubmodules",
    "diff.indentheuristic",
    "diff.interhunkcontext",
    "diff.mnemonicprefix",
    "diff.noprefix",
    "diff.relative",
    "diff.renamelimit",
    "diff.renames",
    "diff.statgraphwidth",
    "diff.statnamewidth",
    "diff.submodule",
    "diff.suppressblankempty",
    "diff.wordregex",
    "diff.wserrorhighlight",
    "fetch.fsckobjects",
    "fetch.parallel",
    "fetch.prune",
    "fetch.prunetags",
    "fetch.showforcedupdates",
    "fetch.writecommitgraph",
    "format.numbered",
    "format.pretty",
    "format.signoff",
    "format.thread",
    "gc.auto",
    "gc.autodetach",
    "gc.autopacklimit",
    "grep.column",
    "grep.extendedregexp",
    "grep.fullname",
    "grep.linenumber",
    "grep.patterntype",
    "grep.threads",
    "help.autocorrect",
    "http.lowspeedlimit",
    "http.lowspeedtime",
    "http.maxrequests",
    "http.postbuffer",
    "http.version",
    "init.defaultbranch",
    "lfs.concurrenttransfers",
    "lfs.fetchexclude",
    "lfs.fetchinclude",
    "maintenance.auto",
    "merge.branchdesc",
    "merge.conflictstyle",
    "merge.directoryrenames",
    "merge.ff",
    "merge.log",
    "merge.renamelimit",
    "merge.renames",
    "merge.stat",
    "merge.suppressdest",
    "merge.verbosity",
    "pack.deltacachesize",
    "pack.packsizelimit",
    "pack.threads",
    "pack.window",
    "pack.windowmemory",
    "pull.ff",
    "pull.rebase",
    "push.autosetupremote",
    "push.default",
    "push.followtags",
    "push.gpgsign",
    "rebase.abbreviatecommands",
    "rebase.autosquash",
    "rebase.autostash",
    "rebase.missingcommitscheck",
    "rebase.stat",
    "rebase.updaterefs",
    "receive.fsckobjects",
    "safe.directory",
    "showbranch.default",
    "stash.showpatch",
    "stash.showstat",
    "submodule.fetchjobs",
    "tag.forcesignannotated",
    "tag.gpgsign",
    "tag.sort",
    "transfer.fsckobjects",
    "uploadpack.allowfilter",
    "worktree.guessremote",
];

/// Last parts of settings whose value is run.
const COMMAND_KEYS: &[&str] =
    &["clean", "cmd", "command", "defaultkeycommand", "driver", "helper", "process", "program", "smudge", "textconv"];

/// The settings that are given for this run alone: `git -c KEY=VALUE`, and those of a `clone`.
fn settings(words: &[Word]) -> Vec<Word> {
    const VALUED: &[&str] =
        &["-C", "--git-dir", "--work-tree", "--namespace", "--super-prefix", "--attr-source", "--list-cmds"];
    let mut all = vec![];
    let mut rest = words.iter().skip(1);
    let mut is_clone = false;
    while let Some(word) = rest.next() {
        let text = word.text.as_str();
        if text == "-c" || (is_clone && matches!(text, "--config" | "--conf" | "--confi")) {
            all.extend(rest.next().cloned());
        } else if is_clone && text.starts_with("--conf") {
            let value = text.split_once('=').map_or("", |(_, value)| value);
            all.push(Word { text: value.to_owned(), ..word.clone() });
        } else if is_clone && text.starts_with("-c") {
            all.push(Word { text: text["-c".len()..].to_owned(), ..word.clone() });
        } else if let Some(from) = text.strip_prefix("--config-env") {
            // The value is in the environment.
            let key = match from.strip_prefix('=') {
                Some(key) => key.to_owned(),
                None => rest.next().map(|word| word.text.clone()).unwrap_or_default(),
            };
            let key = key.split_once('=').map_or(key.as_str(), |(key, _)| key);
            all.push(Word { text: format!("{key}={UNKNOWN}"), ..word.clone() });
        } else if is_clone {
        } else if VALUED.contains(&text) {
            rest.next();
        } else if !text.starts_with('-') {
            // Behind other subcommands `-c` means something else.
            is_clone = text == "clone";
            if !is_clone {
                break;
            }
        }
    }
    all
}

fn by_setting(setting: &Word, all: &mut Vec<Carried>) {
    let (key, value) = setting.text.split_once('=').unwrap_or((&setting.text, "true"));
    let key = key.to_ascii_lowercase();
    let noted = |finding| Carried::Noted { finding, detail: format!("git: {}", setting.text) };
    let is_among =
        |list: &[&str]| list.iter().any(|own| if own.ends_with('.') { key.starts_with(own) } else { key == *own });
    if key.contains(UNKNOWN) {
        all.push(noted("dynamic_code"));
        return;
    }
    let is_command = is_among(GIT_COMMAND_SETTINGS);
    let is_run = key.rsplit('.').next().is_some_and(|last| COMMAND_KEYS.contains(&last));
    if is_command || is_run {
        // An alias without `!` is another subcommand of git.
        let text = if key.starts_with("alias.") && !value.starts_with('!') {
            format!("git {value}")
        } else {
            value.to_owned()
        };
        all.push(Carried::Setting { code: Word { text, ..setting.clone() } });
    }
    // What is not known to be plain may run, read or write.
    let is_plain = is_among(PLAIN_SECTIONS) || PLAIN_SETTINGS.contains(&key.as_str());
    if !is_command && !is_plain {
        all.push(noted("foreign_setting"));
    }
}

pub(super) fn by_git(words: &[Word]) -> Vec<Carried> {
    let is_there = |name: &str| words.iter().skip(1).any(|word| word.text == name);
    let found = GIT_CODE_FLAGS.iter().filter(|(subcommand, _)| is_there(subcommand));
    let mut all: Vec<Carried> = found.flat_map(|(_, code)| by_code_flag(words, code)).collect();
    // git refuses `git -- reset`; what was meant is looked at all the same.
    if words.get(1).is_some_and(|word| word.text == "--") && words.len() > 2 {
        all.push(command(words.iter().take(1).chain(words.iter().skip(2)).cloned().collect()));
    }
    for setting in settings(words) {
        by_setting(&setting, &mut all);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Vec<String> {
        let words: Vec<Word> =
            line.split(' ').map(|text| Word::plain(text.replace('@', &UNKNOWN.to_string()))).collect();
        let name = |carried: &Carried| match carried {
            Carried::Noted { finding, .. } => (*finding).to_owned(),
            other => other.summary(),
        };
        by_git(&words).iter().map(name).collect()
    }

    #[test]
    fn a_setting_that_is_not_known_to_be_plain_is_said() {
        for setting in [
            "tar.x.command=./x",
            "core.alternateRefsCommand=x",
            "hook.x.command=x",
            "trailer.x.cmd=x",
            "gpg.ssh.defaultKeyCommand=x",
            "remote.origin.uploadpack=./x",
            "remote.x.vcs=x",
            "lfs.extension.x.clean=x",
            "trace2.eventTarget=/etc/x",
            "remote.origin.url=http://evil",
            "fetch.bundleURI=x",
            "http.cookieFile=.env",
            "mailmap.file=.env",
            "blame.ignoreRevsFile=.env",
            "include.path=x",
            "CORE.HOOKSPATH=x",
            "commit.template=x",
        ] {
            assert!(found(&format!("git -c {setting} log")).contains(&"foreign_setting".to_owned()), "{setting}");
            assert!(found(&format!("git -C d -c {setting} log")).contains(&"foreign_setting".to_owned()), "{setting}");
            assert!(
                found(&format!("git clone u --config={setting}")).contains(&"foreign_setting".to_owned()),
                "{setting}"
            );
        }
        assert_eq!(found("git -c @ log"), ["dynamic_code"]);
        assert_eq!(found("git -c core.@=x log"), ["dynamic_code"]);
        assert_eq!(found("git --config-env http.proxy=X log"), ["foreign_setting"]);
        assert_eq!(found("git --config-env=http.proxy=X log"), ["foreign_setting"]);
        assert_eq!(found("git --config-env core.pager=X log"), [format!("setting: {UNKNOWN}")]);
        assert_eq!(found("git -c tar.x.command=./x archive").len(), 2);
    }

    #[test]
    fn plain_settings_say_nothing() {
        for setting in [
            "color.ui=never",
            "user.name=x",
            "user.name=@",
            "core.quotePath=false",
            "core.autocrlf=input",
            "diff.algorithm=histogram",
            "log.date=iso",
            "init.defaultBranch=main",
            "commit.gpgsign=false",
            "advice.detachedHead=false",
            "merge.conflictStyle=zdiff3",
            "pull.rebase=true",
            "http.postBuffer=1",
        ] {
            assert!(found(&format!("git -c {setting} log")).is_empty(), "{setting}");
        }
        assert!(found("git commit -c tar.x.command=x").is_empty());
        assert!(found("git switch -c include.path=x").is_empty());
    }
}
