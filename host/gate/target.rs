//! What a command would do to files, read off its final words: so one rule on a path holds for the
//! file capability, for a shell's redirection and for `cp`, `tee` or `sed -i` alike.
//!
//! A light table: what it does not know is left to rules on the command itself, and every operand
//! that could be a file counts as read.

use std::borrow::Cow;

use super::argv::{Argv, FlagPattern, Word};
use super::path::base_name;
use super::program::Program;

/// One effect on files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    /// The name of the act.
    pub act: &'static str,
    pub path: Cow<'a, str>,
    pub is_glob: bool,
    pub is_recursive: bool,
    pub mode: Option<u32>,
    /// A folder into which a whole tree goes, under whatever names are in it.
    pub is_tree: bool,
}

/// Programs whose words are text, not files.
const TEXT_ONLY: &[&str] = &[
    "echo",
    "printf",
    "true",
    "false",
    ":",
    "expr",
    "export",
    "set",
    "logger",
    "test",
    "[",
    "[[",
    "let",
    "seq",
    "sleep",
    "basename",
    "dirname",
    "alias",
    "unalias",
    "unset",
    "local",
    "declare",
    "typeset",
    "readonly",
    "return",
    "exit",
    "shift",
    "trap",
    "type",
    "which",
    "command",
    "hash",
    "kill",
    "pkill",
    "pgrep",
    "date",
    "git",
    "docker",
    "podman",
    "kubectl",
    "helm",
    "aws",
    "gcloud",
    "az",
    "systemctl",
    "service",
    "sh",
    "bash",
    "dash",
    "zsh",
    "eval",
    "cd",
    "pushd",
    "popd",
    "sudo",
    "env",
    "xargs",
    "parallel",
    "nohup",
    "timeout",
    "nice",
    "ssh",
    "id",
    "getent",
    "man",
];
/// Programs that list files without reading what is in them.
const LISTS: &[&str] = &[
    "ls",
    "stat",
    "find",
    "du",
    "tree",
    "realpath",
    "readlink",
    "file",
    "df",
    "fd",
    "namei",
    "exa",
    "eza",
    "lsattr",
    "getfacl",
    "lsblk",
    "blkid",
    "findmnt",
    "fuser",
    "lsof",
    "getcap",
    "smartctl",
    "nvme",
    "hdparm",
    "fdisk",
    "sfdisk",
    "gdisk",
    "sgdisk",
    "parted",
    "mdadm",
    "tune2fs",
    "dumpe2fs",
    "cryptsetup",
    "multipath",
];
/// Programs whose first operand is a pattern or a program text.
const PATTERN_FIRST: &[&str] = &[
    "grep", "egrep", "fgrep", "zgrep", "sed", "gsed", "awk", "gawk", "mawk", "jq", "yq", "ag", "ack", "rg", "ugrep",
    "rgrep",
];
const EDITORS: &[&str] = &[
    "vi",
    "vim",
    "nvim",
    "ex",
    "ed",
    "nano",
    "emacs",
    "pico",
    "touch",
    "tee",
    "mkfifo",
    "mknod",
    "sponge",
    "fallocate",
    "rename",
    "dos2unix",
    "unix2dos",
];

/// Programs that write what their last operand names, when they have two of them.
const SECOND_IS_OUTPUT: &[&str] = &["uniq", "xxd", "cpio", "ps2pdf", "uuencode"];
/// Subcommands of git that print `REVISION:PATH`.
const GIT_PRINTS: &[&str] = &["show", "cat-file", "diff", "blame", "annotate", "grep", "archive"];
/// Subcommands of git that make a folder which they are given.
const GIT_MAKES: &[&str] = &["init", "clone", "worktree"];

/// Everything that `argv` would do to files, as far as its words and its program's entry tell.
pub(crate) fn targets<'a>(argv: &Argv<'a>, entry: Option<&Program>) -> Vec<Target<'a>> {
    let mut all = by_words(argv);
    if let Some(entry) = entry.filter(|_| !argv.flags.is_empty()) {
        let is_file = |path: &&str| !path.is_empty();
        all.extend(argv.values(&entry.file_in).filter(is_file).map(|path| plain("file_read", file_part(path))));
        all.extend(argv.values(&entry.file_out).filter(is_file).map(|path| plain("file_write", path)));
    }
    all
}

fn by_words<'a>(argv: &Argv<'a>) -> Vec<Target<'a>> {
    let mut all = vec![];
    let program = argv.program;
    let operands = |act, is_recursive, skip: usize, mode| {
        let to_target =
            move |word: &&'a Word| Target { is_glob: word.is_glob, is_recursive, mode, ..plain(act, &word.text) };
        argv.operands.iter().skip(skip).map(to_target).collect::<Vec<_>>()
    };
    let is_recursive =
        argv.has_flag(&[FlagPattern::Short('r'), FlagPattern::Short('R'), FlagPattern::Long("--recursive".into())]);
    match program {
        "rm" | "shred" | "srm" | "unlink" | "rmdir" | "trash" => {
            all.extend(operands("file_remove", is_recursive, 0, None))
        }
        "mkdir" => all.extend(operands("directory_make", false, 0, None)),
        "chmod" | "chown" | "chgrp" | "setfacl" | "chattr" | "setcap" => {
            // With `--reference` there is no mode or owner among the words; the first is a file.
            // `-w` is a mode that looks like a flag.
            let is_minus_mode = |text: &str| {
                text.strip_prefix('-')
                    .is_some_and(|mode| !mode.is_empty() && mode.chars().all(|c| "rwxXst".contains(c)))
            };
            let has_no_mode =
                |word: &Word| word.text.starts_with("--ref") || (program == "chmod" && is_minus_mode(&word.text));
            let skip = usize::from(!argv.words.iter().skip(1).any(has_no_mode));
            let mode = argv.operands.first().filter(|_| skip == 1 && program == "chmod");
            all.extend(operands("file_mode", is_recursive, skip, mode.and_then(|word| mode_of(&word.text))));
        }
        "cp" | "install" | "mv" | "ln" | "rsync" | "scp" => moves(argv, &mut all),
        "dd" => {
            for word in &argv.operands {
                if let Some(path) = word.text.strip_prefix("of=") {
                    all.push(plain("file_write", path));
                } else if let Some(path) = word.text.strip_prefix("if=") {
                    all.push(plain("file_read", path));
                }
            }
        }
        "find" | "gfind" => {
            let is_delete = deletes_what_it_finds(argv);
            let roots = super::carrier::find_roots(argv.words);
            let act = if is_delete { "file_remove" } else { "file_list" };
            let target =
                |word: &'a Word| Target { is_glob: word.is_glob, is_recursive: is_delete, ..plain(act, &word.text) };
            all.extend(roots.iter().map(target));
            for pair in argv.words.windows(2) {
                if matches!(pair[0].text.as_str(), "-fprint" | "-fprint0" | "-fprintf" | "-fls") {
                    all.push(plain("file_write", &pair[1].text));
                }
            }
        }
        "git" => by_git(argv, &mut all),
        "split" | "csplit" | "gsplit" => {
            all.extend(operands("file_read", false, 0, None).into_iter().take(1));
            // The second is the beginning of the names that are written, of `csplit` a pattern.
            let prefix = argv.operands.get(1).filter(|_| program != "csplit").map(|word| word.text.as_str());
            let prefix_flags = [FlagPattern::Short('f'), FlagPattern::Long("--prefix".into())];
            let prefixes = prefix.into_iter().chain(argv.values(&prefix_flags));
            let mut written: Vec<Target<'_>> =
                prefixes.map(|path| Target { is_glob: true, ..plain("file_write", format!("{path}*")) }).collect();
            if written.is_empty() {
                let own = if program == "csplit" { "xx*" } else { "x*" };
                written.push(Target { is_glob: true, ..plain("file_write", own) });
            }
            all.extend(written);
        }
        "truncate" => {
            all.extend(operands("file_write", false, 0, None));
            let empties = [FlagPattern::Short('s'), FlagPattern::Long("--size".into())];
            if argv.values(&empties).any(|size| size.trim_start_matches(['<', '/', '%']) == "0") {
                all.extend(operands("file_remove", false, 0, None));
            }
        }
        "busybox" if argv.has_flag(&[FlagPattern::Long("--install".into())]) => {
            all.extend(operands("file_write", false, 0, None));
        }
        "patch" => all.extend(operands("file_write", false, 0, None).into_iter().take(1)),
        _ if SECOND_IS_OUTPUT.contains(&program) => {
            all.extend(operands("file_read", false, 0, None).into_iter().take(1));
            all.extend(operands("file_write", false, 1, None));
        }
        _ if EDITORS.contains(&program) => all.extend(operands("file_write", false, 0, None)),
        _ if LISTS.contains(&program) => all.extend(operands("file_list", false, 0, None)),
        _ if TEXT_ONLY.contains(&program) => {}
        _ => reads(argv, &mut all),
    }
    all
}

/// What git reads out of a revision, off the file system, and the folders that it makes.
fn by_git<'a>(argv: &Argv<'a>, all: &mut Vec<Target<'a>>) {
    let Some((subcommand, rest)) = argv.operands.split_first() else { return };
    let subcommand = subcommand.text.as_str();
    let is_outside = argv.words.iter().any(|word| word.text.starts_with("--no-index"));
    if GIT_PRINTS.contains(&subcommand) {
        for word in rest {
            match word.text.split_once(':') {
                Some((_, path)) if !path.is_empty() => all.push(plain("file_read", path)),
                _ if is_outside || subcommand == "blame" => all.push(plain("file_read", &word.text)),
                _ => {}
            }
        }
    }
    if GIT_PRINTS.contains(&subcommand) || subcommand == "log" {
        let behind = argv.words.iter().skip_while(|word| word.text != "--").skip(1);
        all.extend(behind.map(|word| Target { is_glob: word.is_glob, ..plain("file_read", &*word.text) }));
    }
    if subcommand == "grep" {
        all.extend(rest.iter().skip(1).map(|word| Target { is_glob: word.is_glob, ..plain("file_read", &*word.text) }));
    }
    if matches!(subcommand, "grep" | "config") {
        // `-f` takes a file here; in most other subcommands it means force.
        let files = argv.words.windows(2).filter(|pair| pair[0].text == "-f");
        all.extend(files.map(|pair| plain("file_read", &pair[1].text)));
        all.extend(
            argv.words.iter().filter_map(|word| word.text.strip_prefix("--file=")).map(|path| plain("file_read", path)),
        );
    }
    if GIT_MAKES.contains(&subcommand) {
        let skip = usize::from(subcommand != "init");
        let folder = rest.iter().skip(skip).filter(|word| !word.text.contains("://"));
        all.extend(folder.take(1).map(|word| plain("file_write", &word.text)));
    }
}

/// Whether `-delete` is an action of `find`: no value of a test, no word of a command that it runs.
fn deletes_what_it_finds(argv: &Argv<'_>) -> bool {
    const VALUED: &[&str] = &[
        "-name",
        "-iname",
        "-path",
        "-ipath",
        "-wholename",
        "-regex",
        "-iregex",
        "-lname",
        "-ilname",
        "-type",
        "-xtype",
        "-size",
        "-mtime",
        "-mmin",
        "-atime",
        "-amin",
        "-ctime",
        "-cmin",
        "-newer",
        "-perm",
        "-user",
        "-group",
        "-uid",
        "-gid",
        "-maxdepth",
        "-mindepth",
        "-printf",
        "-fprint",
        "-fprint0",
        "-fprintf",
        "-fls",
        "-fstype",
        "-inum",
        "-links",
        "-samefile",
        "-used",
        "-context",
    ];
    let mut words = argv.words.iter().skip(1).map(|word| word.text.as_str());
    while let Some(word) = words.next() {
        match word {
            "-delete" => return true,
            "-exec" | "-execdir" | "-ok" | "-okdir" => {
                let _ = words.find(|word| matches!(*word, ";" | "+"));
            }
            word if VALUED.contains(&word) => drop(words.next()),
            _ => {}
        }
    }
    false
}

fn plain<'a>(act: &'static str, path: impl Into<Cow<'a, str>>) -> Target<'a> {
    Target { act, path: path.into(), is_glob: false, is_recursive: false, mode: None, is_tree: false }
}

/// The last operand (or `-t`) is written, the others are read, and removed by `mv`.
fn moves<'a>(argv: &Argv<'a>, all: &mut Vec<Target<'a>>) {
    let into = [FlagPattern::Short('t'), FlagPattern::Long("--target-directory".into())];
    let target = argv.values(&into).next();
    let (mut sources, last) = (argv.operands.as_slice(), argv.operands.last());
    if target.is_none()
        && let Some((last, rest)) = sources.split_last()
    {
        sources = if rest.is_empty() { std::slice::from_ref(last) } else { rest };
    }
    let is_symbolic =
        argv.program == "ln" && argv.has_flag(&[FlagPattern::Short('s'), FlagPattern::Long("--symbolic".into())]);
    // Onto `/dev/null` a file is gone; out of it comes nothing, so what it is copied to is emptied.
    let destination = target.or(last.filter(|_| argv.operands.len() > 1).map(|word| word.text.as_str()));
    if argv.program == "mv" && destination == Some("/dev/null") {
        all.extend(sources.iter().map(|word| Target { is_glob: word.is_glob, ..plain("file_remove", &word.text) }));
    }
    if argv.program == "cp" && sources.iter().any(|word| word.text == "/dev/null") {
        all.extend(destination.map(|path| plain("file_remove", path)));
    }
    if argv.words.iter().any(|word| word.text.starts_with("--remove-s")) && argv.program == "rsync" {
        all.extend(sources.iter().map(|word| Target { is_glob: word.is_glob, ..plain("file_remove", &word.text) }));
    }
    let (source_act, target_act) = match argv.program {
        "mv" => ("file_rename", "file_rename"),
        "ln" if is_symbolic => ("file_symlink", "file_symlink"),
        _ => ("file_read", "file_write"),
    };
    for word in sources {
        let path = word.text.as_str();
        all.push(Target { is_glob: word.is_glob, ..plain(source_act, path) });
        if argv.program == "mv" {
            // What is moved is also read: into a place where it can be read by others.
            all.push(Target { is_glob: word.is_glob, ..plain("file_read", path) });
        }
    }
    let is_dry = argv.has_flag(&[FlagPattern::Short('n'), FlagPattern::Long("--dry-run".into())]);
    let deletes = argv.program == "rsync" && !is_dry && argv.words.iter().any(|word| word.text.starts_with("--del"));
    let last = last.filter(|_| argv.operands.len() > 1 && target.is_none());
    let is_glob = last.is_some_and(|word| word.is_glob);
    if let Some(path) = target.or(last.map(|word| word.text.as_str())) {
        all.push(Target { is_glob, ..plain(target_act, path) });
        if deletes {
            all.push(Target { is_recursive: true, ..plain("file_remove", path) });
        }
    }
    let is_file = argv.has_flag(&[FlagPattern::Short('T'), FlagPattern::Long("--no-target-directory".into())]);
    let folder = destination.or(Some(".").filter(|_| argv.program == "ln" && argv.operands.len() == 1));
    if let Some(folder) = folder.filter(|folder| !is_file && *folder != "/dev/null") {
        all.extend(sources.iter().map(|word| put_into(folder, word, target_act, argv)));
    }
}

/// What a source becomes where the destination is a folder: a file of its name, or a whole tree.
fn put_into<'a>(folder: &str, source: &'a Word, act: &'static str, argv: &Argv<'a>) -> Target<'a> {
    let takes_folders = matches!(argv.program, "mv" | "rsync")
        || argv.has_flag(&[
            FlagPattern::Short('r'),
            FlagPattern::Short('R'),
            FlagPattern::Short('a'),
            FlagPattern::Long("--recursive".into()),
            FlagPattern::Long("--archive".into()),
        ]);
    let text = source.text.as_str();
    let name = base_name(text.trim_end_matches('/'));
    // `a/.` and, for rsync, `a/` are what is in them, under names that only the run will tell.
    let is_inside = matches!(name, "" | "." | "..") || (argv.program == "rsync" && text.ends_with('/'));
    if takes_folders && is_inside {
        return Target { is_recursive: true, is_tree: true, ..plain(act, folder.to_owned()) };
    }
    let path = format!("{}/{name}", folder.trim_end_matches('/'));
    Target { is_glob: source.is_glob, is_recursive: takes_folders, is_tree: takes_folders, ..plain(act, path) }
}

fn reads<'a>(argv: &Argv<'a>, all: &mut Vec<Target<'a>>) {
    let has_script_flag =
        argv.has_flag(&[FlagPattern::Short('e'), FlagPattern::Short('f'), FlagPattern::Long("--expression".into())]);
    let skip = usize::from(PATTERN_FIRST.contains(&argv.program) && !has_script_flag);
    let is_in_place = match argv.program {
        "sed" | "gsed" | "perl" | "yq" | "ruby" => argv.has_flag(&[
            FlagPattern::Short('i'),
            FlagPattern::Long("--in-place".into()),
            FlagPattern::Long("--inplace".into()),
        ]),
        "awk" | "gawk" => {
            argv.words.windows(2).any(|pair| {
                (pair[0].text == "-i" && pair[1].text.starts_with("inplace")) || pair[1].text.starts_with("-iinplace")
            }) || argv.words.iter().any(|word| word.text.starts_with("--inc") && word.text.ends_with("inplace"))
        }
        _ => false,
    };
    let is_recursive = matches!(argv.program, "grep" | "egrep" | "fgrep" | "rgrep" | "rg" | "ag" | "ack" | "ugrep")
        && (!argv.program.contains("grep")
            || argv.program == "rgrep"
            || argv.has_flag(&[
                FlagPattern::Short('r'),
                FlagPattern::Short('R'),
                FlagPattern::Long("--recursive".into()),
                FlagPattern::Long("--dereference-recursive".into()),
            ]));
    for word in argv.operands.iter().skip(skip) {
        let (path, is_glob) = (file_part(&word.text), word.is_glob);
        all.push(Target { is_glob, is_recursive, ..plain("file_read", path) });
        if is_in_place {
            all.push(Target { is_glob, ..plain("file_write", path) });
        }
    }
    let outputs = [
        FlagPattern::Short('o'),
        FlagPattern::Short('O'),
        FlagPattern::Long("--output".into()),
        FlagPattern::Single("-out".into()),
    ];
    all.extend(argv.values(&outputs).map(|path| plain("file_write", path)));
    fetched(argv, all);
    // A value may name a file as well: `curl -d @x`, `-T x`, `openssl -in x`.
    all.extend(argv.all_values().map(|value| plain("file_read", file_part(value))));
}

/// Where `curl -O` and the like put what they fetch: under the name that the address ends in.
fn fetched<'a>(argv: &Argv<'a>, all: &mut Vec<Target<'a>>) {
    let named = [FlagPattern::Short('O'), FlagPattern::Long("--remote-name".into())];
    let all_named = [FlagPattern::Long("--remote-name-all".into())];
    if argv.program != "curl" || !(argv.has_flag(&named) || argv.has_flag(&all_named)) {
        return;
    }
    let folder = argv.values(&[FlagPattern::Long("--output-dir".into())]).next().unwrap_or(".");
    // With `-J` the server says the name, and curl overwrites nothing.
    if argv.has_flag(&[FlagPattern::Short('J'), FlagPattern::Long("--remote-header-name".into())]) {
        return;
    }
    for word in &argv.operands {
        let address = word.text.split(['?', '#']).next().unwrap_or_default();
        all.push(plain("file_write", format!("{}/{}", folder.trim_end_matches('/'), base_name(address))));
    }
}

/// The file in `@file`, `name=@file`, `name=<file` and `--flag=file`.
fn file_part(text: &str) -> &str {
    match text.rfind("=@").or_else(|| text.rfind("=<")).map(|at| at + 2) {
        Some(at) => &text[at..],
        None => text.strip_prefix('@').unwrap_or(text),
    }
}

/// The permission bits of an octal or of a symbolic mode, as far as they only add.
fn mode_of(text: &str) -> Option<u32> {
    if let Ok(mode) = u32::from_str_radix(text, 8) {
        return Some(mode);
    }
    let mut bits = 0;
    for clause in text.split(',') {
        let at = clause.find(['+', '='])?;
        let (who, what) = (&clause[..at], &clause[at + 1..]);
        let is_all = who.is_empty() || who.contains('a');
        let classes = [('u', 6, 0o4000), ('g', 3, 0o2000), ('o', 0, 0)];
        for (class, shift, special) in classes {
            if !is_all && !who.contains(class) {
                continue;
            }
            let letters = [('r', 4 << shift), ('w', 2 << shift), ('x', 1 << shift), ('s', special)];
            bits |= letters.iter().filter(|(letter, _)| what.contains(*letter)).map(|(_, bit)| bit).sum::<u32>();
        }
    }
    Some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::argv::Word;

    fn seen(line: &str) -> Vec<String> {
        let words: Vec<Word> = line.split(' ').map(Word::plain).collect();
        let valued = FlagPattern::parse_all("-o|-d|-t").unwrap();
        let argv = Argv::read(&words, &valued);
        targets(&argv, None).iter().map(|target| format!("{} {}", target.act, target.path)).collect()
    }

    #[test]
    fn what_is_written_is_told_from_what_is_read() {
        assert_eq!(seen("cp a b"), ["file_read a", "file_write b", "file_write b/a"]);
        assert_eq!(seen("cp -T a b"), ["file_read a", "file_write b"]);
        assert_eq!(
            seen("cp -t d a b"),
            ["file_read a", "file_read b", "file_write d", "file_write d/a", "file_write d/b"]
        );
        assert_eq!(seen("ln x/a"), ["file_read x/a", "file_write ./a"]);
        assert_eq!(seen("chmod -w a"), ["file_mode a"]);
        assert_eq!(seen("curl -O http://h/x/a.toml?b"), ["file_read http://h/x/a.toml?b", "file_write ./a.toml"]);
        assert!(seen("git log -p -- a").contains(&"file_read a".to_owned()));
        assert_eq!(seen("dd if=/dev/zero of=/dev/sda"), ["file_read /dev/zero", "file_write /dev/sda"]);
        assert_eq!(seen("sed -i s/a/b/ f"), ["file_read f", "file_write f"]);
        assert_eq!(seen("tee -a f g"), ["file_write f", "file_write g"]);
    }

    #[test]
    fn patterns_and_texts_are_no_files() {
        assert_eq!(seen("grep secret f"), ["file_read f"]);
        assert!(seen("echo /etc/shadow").is_empty());
    }

    #[test]
    fn a_file_behind_an_at_sign_is_read() {
        assert!(seen("curl -d @.env u").contains(&"file_read .env".to_owned()));
    }

    #[test]
    fn modes_are_read_in_both_forms() {
        assert_eq!(mode_of("4755"), Some(0o4755));
        assert_eq!(mode_of("u+s"), Some(0o4000));
        assert_eq!(mode_of("o+w"), Some(0o2));
        assert_eq!(mode_of("a+rwx"), Some(0o777));
    }
}
