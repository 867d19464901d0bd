//! Processes and the host itself: signals, shutdown, mounts, disks, firewalls, accounts, kernel,
//! schedules.

use super::super::argv::Argv;
use super::line::{Line, is_unknown, listed, shown};
use super::verb::Tool;
use super::{Effect, Kind, Severity};
use Severity::{Destructive, Read, Write};

pub(super) const PROGRAMS: &str = "kill pkill killall killall5 skill snice xkill fuser renice \
    shutdown reboot halt poweroff init telinit \
    sysctl modprobe insmod rmmod kexec mount umount swapon swapoff losetup cryptsetup mdadm lvremove vgremove pvremove lvcreate vgcreate pvcreate lvextend lvreduce lvresize vgextend vgreduce lvs vgs pvs lvdisplay vgdisplay pvdisplay zfs zpool btrfs mkfs mkswap mke2fs fdisk sfdisk cfdisk gdisk sgdisk parted wipefs blkdiscard hdparm badblocks fsck e2fsck resize2fs tune2fs xfs_repair xfs_growfs dmsetup nvme diskutil \
    iptables ip6tables iptables-restore ip6tables-restore iptables-save ip6tables-save nft ufw firewall-cmd pfctl ipset ebtables ip ifconfig route nmcli netplan ifup ifdown tc ethtool \
    useradd adduser userdel deluser usermod groupadd addgroup groupdel delgroup groupmod passwd chpasswd gpasswd chage visudo vipw vigr chsh chfn newusers \
    crontab at batch atrm hostnamectl timedatectl localectl loginctl hostname date hwclock journalctl setenforce auditctl semanage setsebool grub-install update-grub grub2-mkconfig efibootmgr dmidecode update-alternatives alternatives ldconfig dmesg coredumpctl machinectl bootctl logrotate ulimit quotaon edquota setquota update-initramfs dracut apparmor_parser aa-disable aa-complain aa-teardown tmutil csrutil spctl scutil dscl pmset nvram softwareupdate";

pub(super) fn look(argv: &Argv<'_>, input: Option<&str>, found: &mut Vec<Effect>) {
    match argv.program {
        "kill" => kill(argv, found),
        "pkill" | "killall" | "skill" => by_name(argv, found),
        "killall5" => found.push(process("kill_all", "every process", Destructive)),
        "xkill" => found.push(process("kill", "a window's client", Write)),
        "fuser" => fuser(argv, found),
        "renice" | "snice" => found.push(process("priority", &rest(argv), Write)),
        "shutdown" | "reboot" | "halt" | "poweroff" => shutdown(argv, found),
        "init" | "telinit" => init(argv, found),
        "iptables" | "ip6tables" | "ebtables" => iptables(argv, found),
        "nft" => nft(argv, input, found),
        "firewall-cmd" | "pfctl" => by_flags(argv, found),
        "mount" => mount(argv, found),
        "crontab" => crontab(argv, found),
        "at" | "batch" | "atrm" => schedule(argv, found),
        "passwd" | "chage" | "visudo" => account(argv, found),
        "sysctl" => sysctl(argv, found),
        "fdisk" | "sfdisk" | "parted" | "sgdisk" | "wipefs" | "fsck" | "e2fsck" | "hdparm" | "badblocks"
        | "xfs_repair" | "tune2fs" | "losetup" | "mdadm" => disk(argv, found),
        "date" | "hostname" | "hwclock" | "route" | "ifconfig" | "dmesg" | "ulimit" => show_or_set(argv, found),
        "journalctl" => journal(argv, found),
        program => {
            if let Some((_, operation, severity)) = SINGLE.iter().find(|(names, ..)| listed(names, program)) {
                let line = Line::read(argv.words, "");
                if !line.asks_for_help() && !line.says("--version") {
                    found.push(host(operation, &rest(argv), *severity));
                }
            } else if let Some((_, tool)) = TOOLS.iter().find(|(names, _)| listed(names, program)) {
                tool.look(&Line::read(argv.words, tool.valued), found);
            }
        }
    }
}

fn process(operation: &'static str, target: &str, severity: Severity) -> Effect {
    Effect::new(Kind::Process, operation, shown(target), severity)
}

fn host(operation: &'static str, target: &str, severity: Severity) -> Effect {
    Effect::new(Kind::Host, operation, shown(target), severity)
}

fn rest(argv: &Argv<'_>) -> String {
    argv.words.iter().skip(1).map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
}

/// Programs that do one thing to the host.
const SINGLE: &[(&str, &str, Severity)] = &[
    ("mkfs mkswap mke2fs", "format", Destructive),
    ("cfdisk gdisk", "partition", Destructive),
    ("blkdiscard", "format", Destructive),
    ("umount", "unmount", Write),
    ("swapoff swapon", "swap", Write),
    ("modprobe insmod rmmod kexec", "kernel", Write),
    ("lvremove vgremove pvremove lvreduce", "partition", Destructive),
    ("lvcreate vgcreate pvcreate lvextend lvresize vgextend vgreduce resize2fs xfs_growfs", "partition", Write),
    ("lvs vgs pvs lvdisplay vgdisplay pvdisplay dmidecode iptables-save ip6tables-save", "read", Read),
    ("iptables-restore ip6tables-restore", "firewall", Destructive),
    ("userdel deluser groupdel delgroup", "account_delete", Destructive),
    (
        "useradd adduser usermod groupadd addgroup groupmod chpasswd gpasswd vipw vigr chsh chfn newusers",
        "account",
        Write,
    ),
    (
        "setenforce auditctl semanage setsebool apparmor_parser aa-disable aa-complain aa-teardown csrutil spctl",
        "security",
        Destructive,
    ),
    ("grub-install update-grub grub2-mkconfig efibootmgr update-initramfs dracut nvram", "boot", Write),
    (
        "update-alternatives alternatives ldconfig ifup ifdown tc ethtool pmset logrotate quotaon edquota setquota softwareupdate",
        "set",
        Write,
    ),
];

fn kill(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    // `-9` is a signal where it stands first, and behind `--` or a signal `-1` is every process.
    let words: Vec<&str> = argv.words.iter().skip(1).map(|word| word.text.as_str()).collect();
    if matches!(words.first(), Some(&("-l" | "-L" | "--list" | "--table" | "--help" | "--version"))) {
        found.push(process("list", "", Read));
        return;
    }
    let mut signal = "TERM";
    let mut pids: Vec<&str> = vec![];
    let mut has_signal = false;
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        match *word {
            "--" => {
                pids.extend(rest.by_ref());
            }
            "-s" | "--signal" | "-n" => {
                signal = rest.next().copied().unwrap_or(signal);
                has_signal = true;
            }
            word if word.starts_with("--signal=") => {
                signal = word.trim_start_matches("--signal=");
                has_signal = true;
            }
            "-q" | "--queue" | "--timeout" => {
                rest.next();
            }
            word if word.starts_with('-') && !has_signal && pids.is_empty() => {
                signal = word.trim_start_matches('-');
                has_signal = true;
            }
            word => pids.push(word),
        }
    }
    // `kill -0` only asks whether it lives.
    let is_probe = matches!(signal, "0" | "EXIT");
    for pid in pids {
        let (operation, severity) = match pid {
            _ if is_probe => ("list", Read),
            "-1" => ("kill_all", Destructive),
            "1" => ("kill_init", Destructive),
            "0" => ("kill", Write),
            pid if is_unknown(pid) => ("kill", Write),
            _ if is_stop(signal) => ("signal", Write),
            _ => ("kill", Write),
        };
        found.push(process(operation, pid, severity));
    }
}

/// Signals that do not end a process by themselves.
fn is_stop(signal: &str) -> bool {
    let signal = signal.trim_start_matches("SIG");
    matches!(
        signal,
        "HUP"
            | "1"
            | "USR1"
            | "10"
            | "USR2"
            | "12"
            | "CONT"
            | "18"
            | "STOP"
            | "19"
            | "TSTP"
            | "20"
            | "WINCH"
            | "28"
            | "CHLD"
            | "17"
    )
}

fn by_name(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    const VITAL: &str = "init systemd sshd dbus-daemon containerd dockerd kubelet postgres mysqld systemd-journald NetworkManager launchd WindowServer";
    let line = Line::read(
        argv.words,
        "-s --signal -u --euid -U --uid --user -t --terminal -P --parent -g --pgroup -G --group -F --pidfile -y --younger-than -o? -n? --ns --nslist -r? -Z --context -O --older",
    );
    if line.says("-l --list --version -V --help") {
        found.push(process("list", "", Read));
        return;
    }
    let by_user = line.value("-u --euid -U --uid --user");
    let target = match by_user {
        Some(user) => format!("{} of {user}", line.target(0)).trim().to_owned(),
        None => line.target(0),
    };
    let name = line.operand(0).unwrap_or_default();
    // Nothing but a user, or a pattern that fits every name.
    let is_all = (line.operands.is_empty() && by_user.is_some()) || matches!(name, "." | ".*" | "" | "^" | "$" | "*");
    let (operation, severity) = match () {
        () if line.operands.iter().any(|name| is_unknown(name)) => ("unknown", Destructive),
        () if is_all => ("kill_all", Destructive),
        () if line.operands.iter().any(|name| listed(VITAL, name)) => ("kill_init", Destructive),
        () => ("kill", Write),
    };
    found.push(process(operation, &target, severity));
}

fn fuser(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, "-n --namespace -s?");
    if line.has("-k --kill") {
        let severity = if line.has("-m --mount -M -c") { Destructive } else { Write };
        found.push(process("kill", &line.target(0), severity));
    } else {
        found.push(process("list", &line.target(0), Read));
    }
}

fn shutdown(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, "-t --message");
    let (target, severity) = match () {
        () if line.asks_for_help() => return,
        () if argv.program == "shutdown" && line.says("-c") => ("cancel", Write),
        () if argv.program == "shutdown" && line.says("-k --show") => ("show", Read),
        () if line.says("-w --wtmp-only") => ("log", Write),
        () => (argv.program, Destructive),
    };
    found.push(host("shutdown", target, severity));
}

fn init(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, "-t");
    match line.operand(0) {
        Some("q" | "Q" | "u" | "U") => found.push(host("set", "init", Write)),
        None => {}
        Some(level) => found.push(host("shutdown", &format!("run level {level}"), Destructive)),
    }
}

fn sysctl(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, "-r --pattern");
    let writes = line.has("-w --write -p --load --system -f") || line.operands.iter().any(|word| word.contains('='));
    found.push(host(if writes { "kernel" } else { "read" }, &line.target(0), if writes { Write } else { Read }));
}

fn mount(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line =
        Line::read(argv.words, "-t --types -o --options -L --label -U --uuid -O --test-opts -T --fstab -N --namespace");
    if line.operands.is_empty() && !line.has("-a --all -L --label -U --uuid")
        || line.says("-f --fake -l -V --version --help")
    {
        found.push(host("read", &line.target(0), Read));
    } else {
        found.push(host("mount", &line.target(0), Write));
    }
}

fn iptables(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(
        argv.words,
        "-t --table -j --jump -s --source -d --destination -p --protocol -i --in-interface -o --out-interface -m --match --dport --sport --dports --sports --state --ctstate --comment --to-destination --to-source --to-ports -g --goto --reject-with --log-prefix --limit -w? --icmp-type --tcp-flags",
    );
    let target = rest(argv);
    let (operation, severity) = match () {
        () if line.has("-F --flush -X --delete-chain") => ("firewall_flush", Destructive),
        () if line.has("-P --policy") => ("firewall", Destructive),
        () if line
            .has("-A --append -I --insert -D --delete -R --replace -N --new-chain -E --rename-chain -Z --zero") =>
        {
            ("firewall", Write)
        }
        () if line.says("-L --list -S --list-rules -C --check -V --version -h --help") => ("read", Read),
        () => ("unknown", Destructive),
    };
    found.push(host(operation, &target, severity));
}

fn nft(argv: &Argv<'_>, input: Option<&str>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, "-I --includepath -D --define -d --debug");
    let text = match (line.has("-f --file"), input) {
        (true, Some(text)) => text.to_owned(),
        (true, None) => return found.push(host("firewall", &rest(argv), Destructive)),
        (false, _) => line.operands.join(" "),
    };
    if line.says("-c --check") {
        return found.push(host("read", &text, Read));
    }
    for command in text.split([';', '\n']).map(str::trim).filter(|command| !command.is_empty()) {
        let (operation, severity) = match command.split_whitespace().next().unwrap_or_default() {
            "list" | "describe" | "monitor" | "get" => ("read", Read),
            "add" | "insert" | "create" | "replace" | "rename" | "reset" => ("firewall", Write),
            "flush" | "delete" | "destroy" => ("firewall_flush", Destructive),
            _ => ("unknown", Destructive),
        };
        found.push(host(operation, command, severity));
    }
}

/// Firewalls whose verbs are flags.
fn by_flags(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, "--zone --timeout --policy --ipset --service -f -a -t -T -s -i -k -K -x -D");
    let (operation, severity) = match () {
        () if argv.program == "pfctl" && line.has("-F -d") => ("firewall_flush", Destructive),
        () if argv.program == "pfctl" && line.has("-f -e -E -k -K -T -X -N -R -A") => ("firewall", Write),
        () if argv.program == "pfctl" => ("read", Read),
        () if line.texts().any(|text| {
            text.starts_with("--panic-on") || text.starts_with("--reset") || text.starts_with("--delete-")
        }) =>
        {
            ("firewall_flush", Destructive)
        }
        () if line.texts().all(|text| {
            [
                "--list-",
                "--get-",
                "--query-",
                "--info-",
                "--state",
                "--zone",
                "--permanent",
                "--version",
                "--help",
                "--path-",
                "--check-config",
            ]
            .iter()
            .any(|own| text.starts_with(own))
                || !text.starts_with('-')
        }) =>
        {
            ("read", Read)
        }
        () => ("firewall", Write),
    };
    found.push(host(operation, &rest(argv), severity));
}

fn crontab(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, "-u -s?");
    let target = line.value("-u").unwrap_or_default();
    found.push(match () {
        () if line.has("-r") => host("schedule_delete", target, Destructive),
        () if line.has("-l -V") => host("read", target, Read),
        // `-e` asks an editor; a file or the input takes the place of what stands there.
        () if line.has("-e") => host("schedule", target, Write),
        () => host("schedule", &line.target(0), Destructive),
    });
}

fn schedule(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, "-q -f -t");
    found.push(match () {
        () if argv.program == "atrm" || line.has("-r -d") => host("schedule_delete", &line.target(0), Destructive),
        () if line.has("-l -c -V") => host("read", &line.target(0), Read),
        () => host("schedule", &line.target(0), Write),
    });
}

fn account(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(
        argv.words,
        "-n --mindays -x --maxdays -w --warndays -i --inactive -E --expiredate -I -m -M -W -d? -R --root",
    );
    let reads = match argv.program {
        "chage" => line.says("-l --list"),
        // It checks the file, and edits nothing.
        "visudo" => line.says("-c --check"),
        _ => line.says("-S --status"),
    };
    let (operation, severity) = if reads { ("read", Read) } else { ("account", Write) };
    found.push(host(operation, &line.target(0), severity));
}

fn disk(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(argv.words, "-t -o --options --output -b --sector-size -C -H -S -a? --align -u? -O -N");
    let reads = match argv.program {
        "wipefs" => !line.has("-a --all -o --offset"),
        "fdisk" => line.has("-l --list -s -x --list-details"),
        "sfdisk" => line.has("-l --list -d --dump -J --json -F --list-free -V --verify -s -T -g"),
        "parted" => {
            line.has("-l --list")
                || matches!(line.operands.last(), Some(&("print" | "p" | "unit" | "version" | "help" | "free")))
        }
        "sgdisk" => {
            line.has("-p --print -i --info -v --verify") && !line.has("-o --clear -Z --zap-all -z --zap -d --delete")
        }
        "fsck" | "e2fsck" | "xfs_repair" => line.says("-n -N"),
        "hdparm" => !line.texts().any(|text| {
            text.starts_with("--security")
                || text.starts_with("--trim")
                || text.starts_with("--write")
                || text.starts_with("--fw")
                || text == "--yes-i-know-what-i-am-doing"
        }),
        "badblocks" => !line.has("-w -n"),
        "tune2fs" => line.has("-l"),
        "losetup" => line.operands.is_empty() || line.has("-l --list -a --all -j"),
        "mdadm" => line.has("--detail -D --examine -E --query -Q --monitor") || line.says("--version"),
        _ => false,
    };
    let operation = match (reads, argv.program) {
        (true, _) => "read",
        (_, "fsck" | "e2fsck" | "xfs_repair" | "tune2fs" | "losetup") => "repair",
        (_, "wipefs" | "hdparm" | "badblocks") => "format",
        _ => "partition",
    };
    let severity = match operation {
        "read" => Read,
        "repair" => Write,
        _ => Destructive,
    };
    found.push(host(operation, &line.target(0), severity));
}

fn show_or_set(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line =
        Line::read(argv.words, "-d --date -s --set -r --reference -f --file -I? --rfc-3339 --iso-8601? -F -n? -T");
    let sets = match argv.program {
        "date" => line.has("-s --set") || line.operands.iter().any(|word| !word.starts_with('+') && !is_unknown(word)),
        "hostname" => !line.operands.is_empty() || line.has("-F --file -b"),
        "hwclock" => line.has("-w --systohc -s --hctosys --set --adjust"),
        "route" => matches!(line.operand(0), Some("add" | "del" | "delete" | "flush" | "change")),
        "ifconfig" => line.operands.len() > 1,
        "dmesg" => line.has("-C --clear -c --read-clear"),
        _ => false,
    };
    if sets {
        found.push(host("set", &rest(argv), Write));
    }
}

fn journal(argv: &Argv<'_>, found: &mut Vec<Effect>) {
    let line = Line::read(
        argv.words,
        "-u --unit -n --lines -S --since -U --until -p --priority -t --identifier -o --output -b? -D --directory --file -g --grep --vacuum-size --vacuum-time --vacuum-files -c --cursor -M --machine -F --field",
    );
    if line.has("--vacuum-size --vacuum-time --vacuum-files") {
        found.push(host("log_delete", &rest(argv), Destructive));
    } else if line.has("--rotate --flush --sync --relinquish-var --update-catalog --setup-keys") {
        found.push(host("set", &rest(argv), Write));
    }
}

const fn tool(valued: &'static str, read: &'static str, write: &'static str, destructive: &'static str) -> Tool {
    Tool { kind: Kind::Host, valued, read, write, destructive, dry: "-n --dry-run" }
}

const TOOLS: &[(&str, Tool)] = &[
    (
        "hostnamectl timedatectl localectl",
        tool(
            "-H --host -M --machine -p --property",
            "status=read show=read list-timezones=read list-locales=read list-keymaps=read timesync-status=read show-timesync=read hostname=read icon-name=read chassis=read location=read deployment=read list-x11-keymap-*=read",
            "set-*=set hostname:*=set ntp-servers=set revert=set",
            "",
        ),
    ),
    (
        "loginctl machinectl coredumpctl bootctl",
        tool(
            "-H --host -M --machine -p --property -s --signal -n --lines -o --output",
            "list=read list-*=read *-status=read show-*=read show=read status=read info=read user-status=read image-status=read is-installed=read systemd-efi-options=read",
            "activate=set lock-*=set unlock-*=set enable-linger=set disable-linger=set attach=set flush-devices=set login=run shell=run start=run bind=set copy-to=set copy-from=set clone=set rename=set read-only=set set-*=set pull-*=set import-*=set export-*=set enable=set disable=set debug=run gdb=run dump=read install=boot update=boot random-seed=boot",
            "terminate-*=kill kill-*=kill kill=kill terminate=shutdown poweroff=shutdown reboot=shutdown remove=account_delete clean=format",
        ),
    ),
    (
        "ufw",
        tool(
            "",
            "status=read show=read app=read version=read help=read",
            "allow=firewall deny=firewall limit=firewall reject=firewall enable=firewall reload=firewall logging=firewall insert=firewall prepend=firewall route=firewall default:deny=firewall",
            "disable=firewall_flush reset=firewall_flush delete=firewall default=firewall",
        ),
    ),
    (
        "ipset",
        tool(
            "",
            "list=read save=read test=read version=read help=read",
            "create=firewall add=firewall del=firewall rename=firewall swap=firewall restore=firewall -A=firewall",
            "destroy=firewall_flush flush=firewall_flush",
        ),
    ),
    (
        "ip",
        tool(
            "-n -netns --netns -b -batch -f -family -l -loops -rc -rcvbuf -c? -o? -s? -a? -j? -p?",
            "*:show=read *:list=read *:ls=read *:get=read addr=read a=read address=read link=read l=read route=read r=read neigh=read n=read neighbor=read rule=read netns=read netns:list=read netns:identify=read maddr=read monitor=read help=read tunnel=read netconf=read nexthop=read *:s=read *:sh=read *:help=read *:monitor=read ntable=read tuntap=read xfrm=read vrf=read",
            "*:add=network_set *:a=network_set *:replace=network_set *:change=network_set *:append=network_set *:set=network_set *:s:up=network_set netns:exec=run netns:add=network_set vrf:exec=run *:save=read *:restore=network_set *:prepend=network_set netns:attach=network_set",
            "*:del=network_delete *:delete=network_delete *:d=network_delete *:flush=network_delete *:f=network_delete",
        ),
    ),
    (
        "nmcli",
        tool(
            "-t? -f --fields -m --mode -c --colors -w --wait -e --escape",
            "general=read g=read connection=read c=read con=read device=read d=read dev=read *:show=read *:s=read *:status=read *:list=read *:hostname=read networking=read radio=read monitor=read m=read *:permissions=read networking:connectivity=read device:wifi=read",
            "*:up=network_set *:add=network_set *:modify=network_set *:mod=network_set *:edit=network_set *:clone=network_set *:reload=network_set *:load=network_set *:import=network_set *:export=read *:connect=network_set *:reapply=network_set *:set=network_set *:on=network_set agent=read *:rescan=read *:migrate=network_set",
            "*:down=network_delete *:delete=network_delete *:del=network_delete *:disconnect=network_delete *:off=network_delete",
        ),
    ),
    (
        "netplan",
        tool(
            "--root-dir --state",
            "get=read status=read info=read ip=read generate=read help=read",
            "apply=network_set try=network_set set=network_set migrate=network_set rebind=network_set",
            "",
        ),
    ),
    (
        "zfs zpool",
        tool(
            "-o -O -V -t -r? -d -s -S -b -x? -R -H? -c -l? -i -I -D?",
            "list=read get=read status=read iostat=read history=read diff=read holds=read userspace=read groupspace=read projectspace=read events=read version=read help=read send=read bookmark=set",
            "create=partition snapshot=set snap=set clone=set set=set inherit=set mount=mount share=set hold=set allow=set receive=set recv=set promote=set rename=set add=partition attach=partition online=set import=mount export=unmount scrub=set trim=set upgrade=set replace=partition clear=set reopen=set sync=set unshare=set release=set load-key=set unload-key=set change-key=set resilver=set split=partition wait=read checkpoint=set upgrade=set unmount=unmount umount=unmount initialize=format unallow=set redact=set",
            "destroy=format rollback=format labelclear=format remove=partition detach=partition offline=set reguid=set",
        ),
    ),
    (
        "btrfs",
        tool(
            "",
            "*:list=read *:show=read *:usage=read *:df=read *:du=read *:stats=read *:status=read inspect-internal=read send=read version=read help=read *:get=read *:get-default=read",
            "*:create=set *:snapshot=set *:add=partition *:resize=partition *:sync=set *:balance=set balance=set scrub=set *:label=set *:defragment=set property=set quota=set qgroup=set receive=set *:set-default=set *:find-new=read *:start=set *:replace=partition replace=partition",
            "*:delete=format *:remove=partition rescue=repair restore=repair check=repair",
        ),
    ),
    (
        "cryptsetup dmsetup nvme diskutil",
        tool(
            "-d --key-file -c --cipher -s --key-size -S --key-slot --type --header -h? -n --namespace-id -l -f -r",
            "status=read isLuks=read luksDump=read benchmark=read ls=read info=read table=read deps=read targets=read version=read list=read smart-log=read id-ctrl=read id-ns=read list-ns=read error-log=read fw-log=read get-feature=read activity=read listFilesystems=read verifyVolume=read verifyDisk=read",
            "open=mount luksOpen=mount close=unmount luksClose=unmount resize=partition luksAddKey=set luksHeaderBackup=set create=partition suspend=set resume=set rename=set reload=partition mount=mount mountDisk=mount unmount=unmount unmountDisk=unmount eject=unmount attach-ns=partition create-ns=partition reset=set repairVolume=repair repairDisk=repair luksResume=set luksSuspend=set message=set enableOwnership=set",
            "luksFormat=format luksErase=format erase=format luksKillSlot=format luksRemoveKey=format luksHeaderRestore=format reencrypt=format remove=partition remove_all=partition wipe_table=format clear=partition format=format sanitize=format delete-ns=format detach-ns=partition fw-commit=set fw-activate=set fw-download=set eraseDisk=format eraseVolume=format reformat=format zeroDisk=format randomDisk=format secureErase=format partitionDisk=format resizeVolume=partition splitPartition=format mergePartitions=format apfs=unknown appleRAID=unknown cs=unknown",
        ),
    ),
    (
        "tmutil scutil dscl",
        tool(
            "",
            "status=read listbackups=read destinationinfo=read latestbackup=read compare=read listlocalsnapshots=read *:-list=read *:-read=read version=read isexcluded=read",
            "enable=set disable=set startbackup=set stopbackup=set snapshot=set localsnapshot=set addexclusion=set removeexclusion=set setdestination=set *:-create=account *:-append=account *:-passwd=account restore=set",
            "delete=format deletelocalsnapshots=format thinlocalsnapshots=format removedestination=format *:-delete=account_delete inheritbackup=set associatedisk=set",
        ),
    ),
];
