//! Programs that run the rest of their command line: `sudo`, `timeout`, `nice`, `strace`.
//!
//! Of each the flags are listed that take a value and those that stand alone. Behind a flag that is in
//! neither list nobody knows whether the next word is its value or the program: both readings are
//! looked at. To add a wrapper: a line in [`WRAPPERS`], with all of its flags.

use crate::gate::argv::{Argv, Taint, Word};

use super::{Carried, flags, with_assignments};

/// What a wrapper does with the values of some of its flags.
#[derive(Clone, Copy, Debug, Default)]
struct Files {
    /// Files that it writes.
    writes: &'static str,
    /// Files that it reads.
    reads: &'static str,
    /// Programs, libraries and settings that it runs.
    runs: &'static str,
}

pub(super) struct Wrapper {
    pub(super) names: &'static [&'static str],
    /// Its own flags that take a value.
    valued: &'static str,
    /// Its own flags that take none.
    bare: &'static str,
    /// So many operands stand before the carried command.
    operands: usize,
    files: Files,
}

const NO_FILES: Files = Files { writes: "", reads: "", runs: "" };

const fn wrapper(names: &'static [&'static str], valued: &'static str, bare: &'static str, operands: usize) -> Wrapper {
    Wrapper { names, valued, bare, operands, files: NO_FILES }
}

impl Wrapper {
    const fn with(mut self, writes: &'static str, reads: &'static str, runs: &'static str) -> Self {
        self.files = Files { writes, reads, runs };
        self
    }
}

pub(super) const SUDO: &str = "-u|--user|-g|--group|-h|--host|-p|--prompt|-C|--close-from|-D|--chdir|-R|--chroot|-T|--command-timeout|-U|--other-user|-r|--role|-t|--type|-a|--auth-type|-c|--login-class|--property|--unit|--slice|--nice|--setenv|--background-color";
const SUDO_BARE: &str = "-A|--askpass|-B|--bell|-b|--background|-E|--preserve-env|-e|--edit|-H|--set-home|-i|--login|-K|--remove-timestamp|-k|--reset-timestamp|-l|--list|-N|--no-update|-n|--non-interactive|-P|--preserve-groups|-S|--stdin|-s|--shell|-V|--version|-v|--validate|-L|--help|--no-ask-password|--pty|--pipe";
const STRACE: &str = "-o|--output|-e|--trace|--expr|-p|--attach|-s|--string-limit|-u|--user|-E|--env|-a|--columns|-b|--detach-on|-I|--interruptible|-O|--summary-syscall-overhead|-S|--summary-sort-by|-P|--trace-path|-X|--const-print-style|-U|--summary-columns";
const STRACE_BARE: &str = "-c|-C|-d|-f|-F|-h|-i|-k|-n|-N|-q|-r|-t|-T|-v|-V|-w|-x|-y|-z|-Z|-A|-D|--follow-forks|--summary|--summary-only|--debug|--quiet|--no-abbrev|--decode-fds|--stack-traces|--output-append-mode|--output-separately|--syscall-times|--relative-timestamps|--absolute-timestamps|--timestamps|--successful-only|--failed-only|--syscall-number|--instruction-pointer";
const ARCHITECTURE: &str = "-R|-F|-X|-Z|-B|-I|-L|-S|-T|-3|-v|--addr-no-randomize|--fdpic-funcptrs|--32bit|--whole-seconds|--sticky-timeouts|--addr-compat-layout|--read-implies-exec|--mmap-page-zero|--short-inode|--3gb|--4gb|--uname-2.6|--verbose";

pub(super) const WRAPPERS: &[Wrapper] = &[
    wrapper(&["sudo", "doas", "run0", "sudoedit"], SUDO, SUDO_BARE, 0),
    wrapper(&["pkexec"], "--user", "--disable-internal-agent|--keep-cwd", 0),
    wrapper(&["nice"], "-n|--adjustment", "", 0),
    wrapper(&["ionice"], "-c|--class|-n|--classdata|-p|--pid|-P|--pgid|-u|--uid", "-t|--ignore", 0),
    wrapper(
        &["chrt"],
        "-T|--sched-runtime|-P|--sched-period|-D|--sched-deadline",
        "-b|--batch|-d|--deadline|-f|--fifo|-i|--idle|-o|--other|-r|--rr|-R|--reset-on-fork|-a|--all-tasks|-m|--max|-p|--pid|-v|--verbose",
        1,
    ),
    wrapper(&["taskset"], "", "-a|--all-tasks|-c|--cpu-list|-p|--pid", 1),
    wrapper(&["setarch"], "", ARCHITECTURE, 1),
    wrapper(&["linux64", "linux32"], "", ARCHITECTURE, 0),
    wrapper(&["nohup", "catchsegv", "eatmydata"], "", "", 0),
    wrapper(&["setsid"], "", "-c|--ctty|-f|--fork|-w|--wait", 0),
    wrapper(&["unbuffer"], "", "-p", 0),
    wrapper(&["chronic"], "", "-e|-v", 0),
    wrapper(&["fakeroot"], "-l|--lib|-f|--faked|-s|-i|-b|--fd-base", "-u|--unknown-is-real|-v|--version", 0)
        .with("-s", "-i", "-l|--lib|-f|--faked"),
    wrapper(
        &["torsocks", "torify"],
        "-u|--user|-p|--pass|-a|--address|-P|--port",
        "-i|--isolate|-d|--debug|-q|--quiet",
        0,
    ),
    wrapper(&["proxychains", "proxychains4"], "-f", "-q", 0).with("", "", "-f"),
    wrapper(
        &["xvfb-run"],
        "-e|--error-file|-f|--auth-file|-n|--server-num|-p|--xauth-protocol|-s|--server-args|-w|--wait",
        "-a|--auto-servernum|-d|--auto-display|-l|--listen-tcp",
        0,
    )
    .with("-e|--error-file|-f|--auth-file", "", ""),
    wrapper(&["dbus-run-session"], "--config-file|--dbus-daemon", "", 0).with("", "", "--config-file|--dbus-daemon"),
    wrapper(
        &["dbus-launch"],
        "--config-file|--autolaunch",
        "--exit-with-session|--exit-with-x11|--sh-syntax|--csh-syntax|--auto-syntax|--binary-syntax|--close-stderr",
        0,
    )
    .with("", "", "--config-file"),
    wrapper(&["firejail"], "", "--quiet|--private|--noprofile|--seccomp|--nonewprivs|--noroot|--caps", 0)
        .with("", "", "--profile"),
    wrapper(
        &["setpriv"],
        "--reuid|--regid|--groups|--inh-caps|--ambient-caps|--bounding-set|--securebits|--pdeathsig|--selinux-label|--apparmor-profile|--ptracer",
        "-d|--dump|--clear-groups|--keep-groups|--init-groups|--list-caps|--no-new-privs|--nnp|--reset-env",
        0,
    ),
    wrapper(
        &["timeout", "gtimeout"],
        "-k|--kill-after|-s|--signal",
        "-v|--verbose|-f|--foreground|-p|--preserve-status",
        1,
    ),
    wrapper(&["stdbuf"], "-i|--input|-o|--output|-e|--error", "", 0),
    wrapper(
        &["time", "gtime"],
        "-f|--format|-o|--output",
        "-p|--portability|-a|--append|-v|--verbose|-q|--quiet|-V|--version|-l|-h",
        0,
    )
    .with("-o|--output", "", ""),
    wrapper(&["strace"], STRACE, STRACE_BARE, 0).with("-o|--output", "", ""),
    wrapper(
        &["ltrace"],
        "-o|--output|-e|-p|-s|-u|-a|--align|-A|-D|--debug|-F|--config|-l|--library|-n|--indent|-w|--where|-x",
        "-b|--no-signals|-c|-C|--demangle|-f|-h|-i|-L|-r|-S|-t|-T|-V",
        0,
    )
    .with("-o|--output", "", "-F|--config"),
    wrapper(&["valgrind"], "", "-v|-q|-d|--verbose|--quiet", 0).with(
        "--log-file|--xml-file|--callgrind-out-file|--cachegrind-out-file|--massif-out-file|--dhat-out-file",
        "--suppressions",
        "--db-command",
    ),
    wrapper(&["caffeinate"], "-t|-w", "-d|-i|-m|-s|-u", 0),
    wrapper(&["arch"], "-arch|-e|-d", "-x86_64|-x86_64h|-arm64|-arm64e|-i386|-32|-64|-c|-h", 0),
    wrapper(
        &["numactl"],
        "-i|--interleave|-w|--weighted-interleave|-p|--preferred|-P|--preferred-many|-C|--physcpubind|-N|--cpunodebind|-m|--membind|-M|--shm|-f|--file|-L|--length|-o|--offset|--shmmode|--shmid",
        "-l|--localalloc|-b|--balancing|-s|--show|-H|--hardware|-a|--all|-t|--strict|--huge|--touch|--dump|--verify",
        0,
    ),
    wrapper(
        &["prlimit"],
        "-p|--pid|-o|--output",
        "--noheadings|--raw|--verbose|-c|-d|-e|-f|-i|-l|-m|-n|-q|-r|-s|-t|-u|-v|-x|-y",
        0,
    ),
    wrapper(
        &["rlwrap"],
        "-b|--break-chars|-C|--command-name|-D|--history-no-dupes|-f|--file|-g|--forget-matching|-H|--history-filename|-l|--logfile|-M|--multi-line-ext|-O|--only-cook|-P|--pre-given|-q|--quote-characters|-s|--histsize|-S|--substitute-prompt|-t|--set-term-name|-w|--wait-before-prompt|-z|--filter",
        "-A|--ansi-colour-aware|-c|--complete-filenames|-e|-E|-h|-i|--case-insensitive|-I|--pass-sigint-as-sigterm|-n|--no-warnings|-N|--no-children|-o|--one-shot|-r|--remember|-R|--renice|-T|--test-terminal|-U|--mirror-arguments|-v|--version|-x|--skip-setctty|-X|-1",
        0,
    )
    .with("-H|--history-filename|-l|--logfile", "-f|--file", "-z|--filter"),
    wrapper(&["cgexec"], "-g", "--sticky", 0),
    wrapper(
        &["systemd-run"],
        "-p|--property|-u|--unit|--slice|-E|--setenv|--uid|--gid|-M|--machine|-H|--host|-C|--capsule|--description|--nice|--service-type|--working-directory|--on-active|--on-boot|--on-startup|--on-unit-active|--on-unit-inactive|--on-calendar|--timer-property|--path-property|--socket-property|--background",
        "--user|--system|--scope|-t|--pty|-P|--pipe|-q|--quiet|-G|--collect|-r|--remain-after-exit|--send-sighup|--wait|-S|--shell|-d|--same-dir|--no-block|--no-ask-password|--slice-inherit|--ignore-failure|--on-clock-change|--on-timezone-change",
        0,
    ),
    wrapper(&["chroot"], "--userspec|--groups", "--skip-chdir", 1),
    wrapper(
        &["unshare"],
        "-S|--setuid|-G|--setgid|-R|--root|-w|--wd|--map-user|--map-group|--map-users|--map-groups|--propagation|--setgroups|-l|--load-interp|--monotonic|--boottime",
        "-i|--ipc|-m|--mount|-n|--net|-p|--pid|-u|--uts|-U|--user|-C|--cgroup|-T|--time|-f|--fork|-r|--map-root-user|-c|--map-current-user|--map-auto|--mount-proc|--mount-binfmt|--kill-child|--keep-caps",
        0,
    ),
    wrapper(
        &["proot"],
        "-r|--rootfs|-R|-S|-b|--bind|-m|--mount|-q|--qemu|-w|--pwd|--cwd|-k|--kernel-release|-i|--change-id|-v|--verbose",
        "-0|--root-id|-l|--link2symlink|-p|--kill-on-exit",
        0,
    ),
    wrapper(
        &["bwrap"],
        "--dev|--proc|--tmpfs|--mqueue|--dir|--uid|--gid|--hostname|--chdir|--unsetenv|--lock-file|--sync-fd|--block-fd|--info-fd|--json-status-fd|--seccomp|--add-seccomp-fd|--userns|--userns2|--pidns|--cap-add|--cap-drop|--exec-label|--file-label|--perms|--size|--args|--argv0|--remount-ro|--userns-block-fd|--overlay-src|--tmp-overlay|--ro-overlay|--bind|--bind-try|--dev-bind|--dev-bind-try|--ro-bind|--ro-bind-try|--symlink|--setenv|--file|--bind-data|--ro-bind-data|--bind-fd|--ro-bind-fd|--chmod",
        "--unshare-all|--share-net|--unshare-user|--unshare-user-try|--unshare-ipc|--unshare-pid|--unshare-net|--unshare-uts|--unshare-cgroup|--unshare-cgroup-try|--clearenv|--new-session|--die-with-parent|--as-pid-1|--disable-userns|--assert-userns-disabled|--level-prefix",
        0,
    ),
    wrapper(
        &["nsenter"],
        "-t|--target|-S|--setuid|-G|--setgid|-W|--wdns",
        "-a|--all|-m|--mount|-u|--uts|-i|--ipc|-n|--net|-p|--pid|-C|--cgroup|-U|--user|-T|--time|-r|--root|-w|--wd|-e|--env|-F|--no-fork|-Z|--follow-context|--preserve-credentials|--keep-caps|--user-parent|-c|--join-cgroup",
        0,
    ),
    wrapper(
        &["runuser"],
        "-u|--user|-g|--group|-G|--supp-group|-s|--shell|-w|--whitelist-environment",
        "-l|--login|-f|--fast|-m|-p|--preserve-environment|-P|--pty|-T|--no-pty",
        0,
    ),
    wrapper(&["command", "builtin", "noglob", "nocorrect"], "", "-p|-v|-V", 0),
    wrapper(&["exec"], "-a", "-c|-l", 0),
    wrapper(&["busybox", "toybox"], "", "", 0),
    wrapper(
        &["flock"],
        "-w|--wait|--timeout|-E|--conflict-exit-code|--start|--length",
        "-e|-x|--exclusive|-s|--shared|-u|--unlock|-n|--nb|--nonblock|-o|--close|-F|--no-fork|--verbose|--fcntl",
        1,
    ),
    wrapper(&["entr"], "", "-a|-c|-d|-n|-p|-r|-s|-z|-x", 0),
    wrapper(&["dumb-init", "tini", "catatonit"], "-e|-p|-r|--rewrite", "-c|--single-child|-v|--verbose|-s|-w|-g", 0),
    wrapper(&["chpst", "softlimit"], "-u|-U|-b|-e|-d|-n|-m|-o|-p|-f|-c|-t|-l|-L|-r|-a|-s|-/", "-v|-P|-0|-1|-2|-V", 0),
    wrapper(&["setuidgid", "envdir", "gosu", "su-exec"], "", "", 1),
    wrapper(
        &["cpulimit"],
        "-l|--limit|-p|--pid|-e|--exe|-P|--path|-c|--cpu|-s|--signal",
        "-z|--lazy|-i|--include-children|-v|--verbose|-q|-k|--kill|-r|--restore|-b|--background|-f|--foreground|-m|--monitor-forks",
        0,
    ),
    wrapper(&["pw-jack", "aoss", "padsp", "optirun", "primusrun", "gamemoderun", "mangohud"], "", "--dlsym", 0),
    wrapper(
        &["qemu-x86_64", "qemu-aarch64", "qemu-arm", "qemu-i386", "qemu-riscv64"],
        "-L|-E|-U|-0|-cpu|-g|-B|-R|-s|-D|-d|-p|-r|-plugin|-seed|-dfilter",
        "-strace|-singlestep|-one-insn-per-tb|-perfmap|-jitdump",
        0,
    )
    .with("-D", "", "-plugin"),
];

/// Flags that take two values.
const PAIRED: &[&str] = &[
    "--bind",
    "--bind-try",
    "--dev-bind",
    "--dev-bind-try",
    "--ro-bind",
    "--ro-bind-try",
    "--symlink",
    "--setenv",
    "--file",
    "--bind-data",
    "--ro-bind-data",
    "--bind-fd",
    "--ro-bind-fd",
    "--chmod",
];

/// Everything that the command line of a wrapper carries.
pub(super) fn by_wrapper(words: &[Word], wrapper: &Wrapper) -> Vec<Carried> {
    let rests = readings(words, wrapper.valued, wrapper.bare, wrapper.operands);
    let shortest = rests.iter().map(|rest| rest.len()).min().unwrap_or_default();
    let mut all: Vec<Carried> = rests.into_iter().filter_map(|rest| with_assignments(rest, None)).collect();
    let Files { writes, reads, runs } = wrapper.files;
    let own = words.get(..words.len() - shortest).unwrap_or_default();
    let valued: Vec<&str> = [wrapper.valued, writes, reads, runs].into_iter().filter(|list| !list.is_empty()).collect();
    if own.len() < 2 || (writes.is_empty() && reads.is_empty() && runs.is_empty()) {
        return all;
    }
    let argv = Argv::read(own, &flags(&valued.join("|")));
    let of = |list: &str| argv.values(&flags(list)).map(Word::plain).collect::<Vec<_>>();
    for path in of(writes) {
        // `strace -o '|command'` writes into a command.
        match path.text.strip_prefix(['|', '!']) {
            Some(code) => all.push(Carried::Piped { code: Word::plain(code) }),
            None => all.push(Carried::Touched { act: "file_write", path }),
        }
    }
    all.extend(of(reads).into_iter().map(|path| Carried::Touched { act: "file_read", path }));
    all.extend(of(runs).into_iter().map(|path| Carried::File { path }));
    all
}

/// Flags of GNU parallel with a value.
pub(super) const PARALLEL_VALUED: &str = "-j|--jobs|--max-procs|-P|-S|--sshlogin|--slf|--sshloginfile|--ssh|--results|--res|--joblog|-a|--arg-file|-N|-n|--max-args|--max-replace-args|-L|--colsep|-C|-I|--timeout|--retries|--delay|--sshdelay|--tmpdir|--wd|--workdir|--tagstring|--tag-string|--tempdir|-d|--delimiter|--env|--basefile|--bf|--profile|-J|--return|--block|--blocksize|--recstart|--recend|--memfree|--memsuspend|--load|--nice|--halt|--halt-on-error|--termseq|--rpl|--compress-program|--decompress-program|--shellquote-program|-s|--max-chars|-E|--eof|--arg-sep|--arg-file-sep|--trim|--limit|--filter|--jl|--dr|--cleanup-program|--sql|--sqlmaster|--sqlworker|--sqlandworker|--template|--tmpl|--seqreplace|--basenamereplace|--dirnamereplace|--extensionreplace|--parens|--pipe-part-size|--shard|--bin|--group-by|--header|--color-failed";
const PARALLEL_BARE: &str = "-k|--keep-order|-q|--quote|-v|--verbose|-t|-u|--ungroup|--group|--line-buffer|--lb|--linebuffer|--bar|--progress|--eta|--dry-run|--dryrun|--tag|--pipe|--spreadstdin|--pipepart|--pipe-part|--tee|--cat|--fifo|-X|-x|--exit|-m|--xargs|-0|--null|-r|--no-run-if-empty|--round-robin|--round|--resume|--resume-failed|--retry-failed|--will-cite|--bibtex|--citation|--link|--shuf|--silent|--interactive|-p|--no-notice|--onall|--nonall|--semaphore|--fg|--bg|--wait|--controlmaster|-M|--transfer|--transferfile|--cleanup|--files|--hgrp|--hostgroups|--filter-hosts|--gnu|--latest-line|--ll|--plus|--plain|--skip-first-line|-D|-V|--version|-h|--help|--compress|--csv|--color|--ctag|--pty|--tty|--use-cpus-instead-of-cores|--use-cores-instead-of-threads|--record-env|--env-reset|-l|--max-lines|--no-keep-order|--unsafe|-i|--replace|-e";
const XARGS_VALUED: &str =
    "-I|-J|-n|--max-args|-P|--max-procs|-L|-d|--delimiter|-a|--arg-file|-s|--max-chars|-E|-R|-S|--process-slot-var";
const XARGS_BARE: &str = "-0|--null|-t|--verbose|-r|--no-run-if-empty|-x|--exit|-p|--interactive|-o|--open-tty|-i|--replace|-l|--max-lines|-e|--eof|--show-limits";

/// What the flags of `xargs` leave open: the other readings of its command line.
pub(super) fn by_xargs_flags(words: &[Word]) -> Vec<Carried> {
    let rests = readings(words, XARGS_VALUED, XARGS_BARE, 0);
    let unknown = [Word::unknown(Taint::Computed)];
    rests.into_iter().skip(1).filter_map(|rest| with_assignments(&[rest, &unknown].concat(), None)).collect()
}

/// What the flags of `parallel` do by themselves: other machines, files, code of Perl.
pub(super) fn by_parallel_flags(words: &[Word]) -> Vec<Carried> {
    let end = words.iter().position(|word| word.text.starts_with(":::")).unwrap_or(words.len());
    let (line, sources) = words.split_at(end);
    let values: Vec<Word> = sources.iter().filter(|word| !word.text.starts_with(":::")).cloned().collect();
    let values = if sources.is_empty() { vec![Word::unknown(Taint::Computed)] } else { values };
    let rests = readings(line, PARALLEL_VALUED, PARALLEL_BARE, 0);
    let template = rests.first().copied().unwrap_or_default();
    let shortest = rests.last().map_or(0, |rest| rest.len());
    let with_values = |rest: &[Word]| [rest, values.as_slice()].concat();
    let mut all: Vec<Carried> =
        rests.into_iter().skip(1).filter_map(|rest| with_assignments(&with_values(rest), None)).collect();
    let own = line.get(..line.len() - shortest).unwrap_or_default();
    let of = |list: &str| values_of(own, list);
    for host in of("-S|--sshlogin").into_iter().filter(|host| host.text != ":") {
        all.push(super::command([&[Word::plain("ssh"), host], with_values(template).as_slice()].concat()));
    }
    all.extend(of("--ssh|--compress-program|--decompress-program").into_iter().map(|code| Carried::Setting { code }));
    all.extend(of("--results|--res|--joblog").into_iter().map(|path| Carried::Touched { act: "file_write", path }));
    all.extend(of("--basefile|--bf").into_iter().map(|path| Carried::Touched { act: "file_read", path }));
    let files = of("--profile|-J|--sshloginfile|--slf");
    all.extend(files.into_iter().filter(|path| path.text.contains('/')).map(|path| Carried::File { path }));
    let embedded = words.iter().filter(|word| word.text.contains("{=") && word.text.contains("=}")).cloned();
    let code = embedded.chain(of("--rpl|--filter"));
    all.extend(code.map(|code| Carried::Code { code, language: "perl" }));
    all
}

/// The values of these flags, whose names are written out: `--ssh` is not `--sshlogin` cut short.
fn values_of(words: &[Word], list: &str) -> Vec<Word> {
    let mut all = vec![];
    for (at, word) in words.iter().enumerate().skip(1) {
        let text = word.text.as_str();
        for name in list.split('|') {
            let Some(rest) = text.strip_prefix(name) else { continue };
            let attached = if name.starts_with("--") { rest.strip_prefix('=') } else { Some(rest) };
            match attached {
                _ if rest.is_empty() => all.extend(words.get(at + 1).cloned()),
                Some(value) => all.push(Word { text: value.to_owned(), ..word.clone() }),
                None => {}
            }
        }
    }
    all
}

/// What a flag says of the word behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    IsValue,
    IsOther,
    Unknown,
}

/// All that may be the carried command: the rest of `words` behind the wrapper's own flags and operands.
/// Behind a flag that is in neither list there are two readings.
pub(super) fn readings<'w>(words: &'w [Word], valued: &str, bare: &str, operands: usize) -> Vec<&'w [Word]> {
    let mut starts = vec![];
    let mut operands_left = operands;
    let mut at = 1;
    while let Some(word) = words.get(at) {
        let text = word.text.as_str();
        if text == "--" {
            at += 1 + operands_left;
            break;
        }
        if !text.starts_with('-') || text == "-" {
            // `setarch x86_64 -R ls`: more flags may follow the operand.
            if operands_left == 0 {
                break;
            }
            operands_left -= 1;
            at += 1;
            continue;
        }
        at += 1;
        match next_of(text, valued, bare) {
            Next::IsOther => {}
            Next::IsValue => at += 1 + usize::from(PAIRED.contains(&text)),
            Next::Unknown => {
                if words.get(at).is_some_and(|word| !word.text.starts_with('-')) {
                    starts.push(at + operands_left);
                    at += 1;
                }
            }
        }
    }
    starts.push(at);
    starts.dedup();
    starts.into_iter().map(|at| words.get(at..).unwrap_or_default()).filter(|rest| !rest.is_empty()).collect()
}

fn next_of(text: &str, valued: &str, bare: &str) -> Next {
    let is_in = |list: &str, name: &str| list.split('|').any(|own| own == name);
    if is_in(valued, text) {
        return Next::IsValue;
    }
    if is_in(bare, text) || text.contains('=') {
        return Next::IsOther;
    }
    if text.starts_with("--") {
        let begins = |list: &str| list.split('|').any(|own| own.starts_with(text));
        return match (begins(valued), begins(bare)) {
            (true, false) => Next::IsValue,
            (false, true) => Next::IsOther,
            _ => Next::Unknown,
        };
    }
    let letters = text.strip_prefix('-').unwrap_or_default();
    for (at, letter) in letters.char_indices() {
        let flag = format!("-{letter}");
        if is_in(valued, &flag) {
            // The value is what is attached, where anything is.
            return if at + letter.len_utf8() == letters.len() { Next::IsValue } else { Next::IsOther };
        }
        // `nice -10`.
        if !is_in(bare, &flag) && !letters.bytes().all(|byte| byte.is_ascii_digit()) {
            return Next::Unknown;
        }
    }
    Next::IsOther
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::argv::line_of;
    use crate::gate::glob::UNKNOWN;

    fn carried(line: &str) -> Vec<String> {
        let words: Vec<Word> = line.split(' ').map(Word::plain).collect();
        let name = words.first().map_or("", |word| word.text.as_str());
        let wrapper = WRAPPERS.iter().find(|wrapper| wrapper.names.contains(&name)).unwrap();
        let summary = |carried: &Carried| match carried {
            Carried::Command { words, .. } => line_of(words),
            other => other.summary(),
        };
        by_wrapper(&words, wrapper).iter().map(summary).collect()
    }

    #[test]
    fn the_value_of_a_flag_is_not_taken_for_the_program() {
        for line in [
            "fakeroot -s ls rm x",
            "fakeroot -i ls rm x",
            "rlwrap -f ls rm x",
            "xvfb-run -e ls rm x",
            "dbus-run-session --config-file ls rm x",
            "numactl -m ls rm x",
            "torsocks -u ls rm x",
            "unshare -r rm x",
            "timeout --sig ls 5 rm x",
            "nice -n ls rm x",
            "bwrap --ro-bind ls ls rm x",
            "taskset -c 0 rm x",
            "setarch x86_64 -R rm x",
            "strace -fo ls rm x",
            "chrt -f 10 rm x",
            "flock -n lock rm x",
        ] {
            assert_eq!(carried(line).first().map(String::as_str), Some("rm x"), "{line}");
            assert!(!carried(line).iter().any(|inner| inner.starts_with("ls")), "{line}");
        }
    }

    #[test]
    fn behind_a_flag_that_nobody_knows_both_readings_count() {
        assert_eq!(carried("nohup --frob ls rm x"), ["ls rm x", "rm x"]);
        assert_eq!(carried("setsid -Q ls rm x"), ["ls rm x", "rm x"]);
        assert_eq!(carried("timeout -Z ls 5 rm x"), ["5 rm x", "rm x"]);
        assert_eq!(carried("stdbuf --frob=ls rm x"), ["rm x"]);
    }

    #[test]
    fn xargs_has_a_second_reading_behind_a_flag_that_nobody_knows() {
        let seen = |line: &str| -> Vec<String> {
            let words: Vec<Word> = line.split(' ').map(Word::plain).collect();
            by_xargs_flags(&words).iter().map(Carried::summary).collect()
        };
        assert_eq!(seen("xargs --frob ls rm"), [format!("command: rm {UNKNOWN}")]);
        assert!(seen("xargs -0 -n 1 --max-lines=2 ls").is_empty());
    }

    #[test]
    fn parallel_takes_values_and_does_things_by_itself() {
        let seen = |line: &str| -> Vec<String> {
            let words: Vec<Word> = line.split(' ').map(Word::plain).collect();
            by_parallel_flags(&words).iter().map(Carried::summary).collect()
        };
        for flag in ["--env", "--basefile", "--tagstring", "--workdir", "--profile", "--wd"] {
            assert!(!seen(&format!("parallel {flag} ls rm x ::: /")).iter().any(|inner| inner.contains("command")));
        }
        assert_eq!(seen("parallel --frob ls rm ::: /"), ["command: rm /"]);
        assert_eq!(seen("parallel -S evil ls ::: x"), ["command: ssh evil ls x"]);
        assert_eq!(seen("parallel --joblog /etc/x ls ::: x"), ["file_write: /etc/x"]);
        assert_eq!(seen("parallel --ssh=./x ls ::: x"), ["setting: ./x"]);
        assert_eq!(seen("parallel echo {=1=} ::: x"), ["perl: {=1=}"]);
        assert!(seen("parallel -j4 --bar gzip ::: a b").is_empty());
    }

    #[test]
    fn listed_flags_have_one_reading() {
        for line in [
            "sudo -En rm x",
            "setsid -w rm x",
            "nice -10 rm x",
            "time -p rm x",
            "timeout --fore 5 rm x",
            "strace -ff -tt rm x",
        ] {
            assert_eq!(carried(line), ["rm x"], "{line}");
        }
    }

    #[test]
    fn files_of_the_wrapper_itself_are_seen() {
        assert_eq!(carried("time -o /etc/x ls"), ["ls", "file_write: /etc/x"]);
        assert_eq!(carried("time ls -o /etc/x"), ["ls -o /etc/x"]);
        assert_eq!(carried("valgrind --log-file=/etc/x ls"), ["ls", "file_write: /etc/x"]);
        assert_eq!(carried("proxychains4 -f ./x ls"), ["ls", "file: ./x"]);
        assert_eq!(carried("dbus-run-session --dbus-daemon=./x ls"), ["ls", "file: ./x"]);
        assert_eq!(carried("strace -o |id ls"), ["ls", "script: id"]);
    }
}
