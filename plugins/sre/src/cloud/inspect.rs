//! A look at the instance itself: one script that only reads, sent through SSM, and what it has printed.
//!
//! One script and not ten: each is a call that the gatekeeper judges, and may be one that a person is asked about.
//! What the instance has no program for is missing in the answer, and never taken for well.

use pi_diagnosis::{Metric, Point};
use pi_sdk::json;

use super::evidence::{Seen, instant};
use super::script::{is_path, is_unit, quoted};
use super::target::Target;
use crate::facts::Change;

/// From here on a disk is full.
const FULL_PERCENT: f64 = 95.0;
/// From here on a process computes more than it should.
const BUSY_PERCENT: f64 = 80.0;
/// Files of the configuration that are looked at, and how much of each.
const FILES_MAX: usize = 4;
/// So full a disk may stay: more is not removed than has to be.
const ROOM_PERCENT: u64 = 75;
/// Rotated logs that are told, and folders of logs that are looked through.
const ROTATED_MAX: usize = 40;
const LOG_FOLDERS_MAX: usize = 4;
const FILE_BYTES_MAX: usize = 3_000;

/// What the instance shows of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inspection {
    pub uptime_s: Option<f64>,
    pub disks: Vec<Disk>,
    pub memory_available_share: Option<f64>,
    pub processes: Vec<Process>,
    /// Units of systemd that have failed.
    pub failed_units: Vec<String>,
    pub unit: Option<Unit>,
    pub journal: Vec<String>,
    pub files: Vec<File>,
    pub rotated: Vec<Rotated>,
    /// What could not be looked at.
    pub gaps: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Disk {
    pub mount: String,
    pub used_percent: f64,
    pub total_kib: u64,
    pub used_kib: u64,
}

/// A log that was rotated away: what is in it is not written to any more, and may be missed least.
#[derive(Clone, Debug, PartialEq)]
pub struct Rotated {
    pub path: String,
    pub bytes: u64,
    /// Seconds since 1970, as `stat -c %Y` prints them.
    pub modified_s: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Process {
    pub pid: u32,
    pub state: String,
    pub cpu_percent: f64,
    pub command: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Unit {
    pub name: String,
    pub active: String,
    pub sub: String,
    pub restarts: u64,
    pub result: String,
    pub since: String,
}

/// A file of the configuration, and the last one like it that is kept beside it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    pub path: String,
    pub digest: String,
    pub modified_ms: Option<u64>,
    pub text: Option<String>,
    pub former: Option<String>,
}

impl Inspection {
    pub fn full_disk(&self) -> Option<&Disk> {
        let full = self.disks.iter().filter(|disk| disk.used_percent >= FULL_PERCENT);
        full.max_by(|a, b| a.used_percent.total_cmp(&b.used_percent))
    }

    /// The rotated logs on a full disk, the oldest first, that make room enough on it, and no more of them. Where there
    /// are any of the service's own, only those: what else is on the machine is not this service's to remove.
    pub fn removable(&self, full: &Disk, own: &[String]) -> Vec<Rotated> {
        let is_on = |path: &str, mount: &str| {
            mount == "/" || path.strip_prefix(mount).is_some_and(|rest| rest.starts_with('/'))
        };
        let mount_of = |path: &str| {
            let mounts = self.disks.iter().map(|disk| disk.mount.as_str()).filter(|mount| is_on(path, mount));
            mounts.max_by_key(|mount| mount.len())
        };
        let mut there: Vec<&Rotated> =
            self.rotated.iter().filter(|log| mount_of(&log.path) == Some(full.mount.as_str())).collect();
        let is_own = |log: &&Rotated| own.iter().any(|folder| is_on(&log.path, folder));
        if there.iter().any(is_own) {
            there.retain(is_own);
        }
        there.sort_by_key(|log| (log.modified_s, &log.path));
        let enough_kib = full.total_kib / 100 * ROOM_PERCENT;
        let mut used_kib = full.used_kib;
        let mut chosen = Vec::new();
        for log in there {
            if used_kib <= enough_kib {
                break;
            }
            used_kib = used_kib.saturating_sub(log.bytes / 1_024);
            chosen.push(log.clone());
        }
        chosen
    }

    /// The changes of the configuration, as far as what was there before is kept.
    pub fn changes(&self) -> Vec<Change> {
        let changed = self.files.iter().filter(|file| file.former.is_some() && file.former != file.text);
        changed
            .map(|file| Change {
                path: file.path.clone(),
                modified_ms: file.modified_ms.unwrap_or(0),
                before: file.former.clone(),
                after: file.text.clone(),
            })
            .collect()
    }
}

/// The script: for the unit of the service, if it is known, the files of its configuration, and the folders of its logs.
///
/// What programs print stands behind a bar, so that no line of a log, which anybody may have written, can be taken for
/// the beginning of a part.
pub fn script(unit: Option<&str>, files: &[String], logs: &[String]) -> String {
    let mut script = String::from(
        "export LC_ALL=C\n\
         bar() { sed 's/^/|/'; }\n\
         echo '=== uptime'; cat /proc/uptime | bar\n\
         echo '=== disks'; df -P -k | bar\n\
         echo '=== memory'; head -n 3 /proc/meminfo | bar\n\
         echo '=== processes'; ps -eo pid,stat,pcpu,comm --sort=-pcpu | head -n 12 | bar\n\
         echo '=== failed'; systemctl list-units --state=failed --plain --no-legend --no-pager | head -n 20 | bar\n",
    );
    if let Some(unit) = unit.filter(|unit| is_unit(unit)) {
        let unit = quoted(unit);
        script.push_str(&format!(
            "echo '=== unit'; systemctl show --no-pager -p Id -p ActiveState -p SubState -p NRestarts -p Result -p ActiveEnterTimestamp -- {unit} | bar\n"
        ));
    }
    for path in files.iter().filter(|path| is_path(path)).take(FILES_MAX) {
        let path = quoted(path);
        // The former one: what an editor, a package or a person has left beside it.
        script.push_str(&format!(
            "echo '=== file'; {{ echo {path}; sha256sum < {path}; stat -c %Y -- {path}; }} | bar\n\
             echo '=== text'; {{ wc -c < {path}; head -c {FILE_BYTES_MAX} -- {path}; }} | bar; echo\n\
             for old in {path}.bak {path}.orig {path}.old {path}~ {path}.dpkg-old {path}.rpmsave; do if [ -f \"$old\" ]; then \
             echo '=== former'; {{ wc -c < \"$old\"; head -c {FILE_BYTES_MAX} -- \"$old\"; }} | bar; echo; break; fi; done\n"
        ));
    }
    let folders = std::iter::once("/var/log").chain(logs.iter().map(String::as_str).filter(|path| is_path(path)));
    for folder in folders.take(LOG_FOLDERS_MAX) {
        // What a file must have in its name to be one that was rotated away, and who keeps what must not be lost: the
        // trails of logins and of the audit, and the journal, which removes its own.
        script.push_str(&format!(
            "echo '=== rotated'; find {} -xdev -type f -links 1 -size +0 \\( -name '*.gz' -o -name '*.xz' -o -name '*.bz2' -o -name '*.zst' \
             -o -name '*.[0-9]' -o -name '*.[0-9][0-9]' -o -name '*.old' -o -name '*-20[0-9][0-9][01][0-9][0-3][0-9]' \\) \
             -not -path '*/audit/*' -not -path '*/journal/*' -not -name '[bw]tmp*' -not -name 'auth.log*' -not -name 'secure*' \
             -printf '%s %Ts %p\\n' | sort -rn | head -n {ROTATED_MAX} | bar\n",
            quoted(folder)
        ));
    }
    script.push_str("echo '=== journal'; journalctl -p warning --since '-30 min' --no-pager -o short-iso -n 60 | tail -c 6000 | bar\n");
    script.push_str("echo '=== end'");
    script
}

/// Read what [`script`] has printed.
pub fn read(printed: &str) -> Inspection {
    let mut seen = Inspection::default();
    let mut parts: Vec<(&str, String)> = Vec::new();
    for line in printed.lines() {
        if let Some(name) = line.strip_prefix("=== ") {
            parts.push((name.trim(), String::new()));
        } else if let (Some((_, body)), Some(text)) = (parts.last_mut(), line.strip_prefix('|')) {
            body.push_str(text);
            body.push('\n');
        }
    }
    for (name, body) in &parts {
        match *name {
            "uptime" => seen.uptime_s = body.split_whitespace().next().and_then(|it| it.parse().ok()),
            "disks" => seen.disks = body.lines().skip(1).filter_map(disk).collect(),
            "memory" => seen.memory_available_share = memory(body),
            "processes" => seen.processes = body.lines().skip(1).filter_map(process).collect(),
            "failed" => seen.failed_units = body.lines().filter_map(first_word).filter(|unit| is_unit(unit)).collect(),
            "unit" => seen.unit = Some(unit(body)),
            "journal" => {
                seen.journal = body.lines().filter(|line| !line.starts_with("-- ")).map(str::to_owned).collect();
            }
            "file" => seen.files.extend(file(body)),
            "rotated" => {
                for log in body.lines().filter_map(rotated) {
                    if !seen.rotated.contains(&log) {
                        seen.rotated.push(log);
                    }
                }
            }
            "text" => {
                if let Some(file) = seen.files.last_mut() {
                    file.text = whole(body);
                }
            }
            "former" => {
                if let Some(file) = seen.files.last_mut() {
                    file.former = whole(body);
                }
            }
            _ => {}
        }
    }
    if parts.last().is_none_or(|(name, _)| *name != "end") {
        seen.gaps.push("what the instance printed is cut off".into());
    }
    if seen.disks.is_empty() {
        seen.gaps.push("the disks of the instance (`df`) could not be read".into());
    }
    if seen.processes.is_empty() {
        seen.gaps.push("the processes of the instance (`ps`) could not be read".into());
    }
    seen
}

/// Whether the disk of `mount` is full by what `df` has printed; what it does not say is not full.
pub fn is_full(printed: &str, mount: &str) -> bool {
    printed.lines().filter_map(disk).any(|disk| disk.mount == mount && disk.used_percent >= FULL_PERCENT)
}

fn disk(line: &str) -> Option<Disk> {
    let columns: Vec<&str> = line.split_whitespace().collect();
    let (used, mount) = (columns.get(4)?, columns.get(5)?);
    let device = columns.first()?;
    // Images and what the kernel makes up are full by nature.
    let is_real = device.starts_with("/dev/") && !device.starts_with("/dev/loop");
    is_real.then_some(())?;
    let kib = |index: usize| columns.get(index).and_then(|it| it.parse().ok()).unwrap_or(0);
    Some(Disk {
        mount: (*mount).to_owned(),
        used_percent: used.trim_end_matches('%').parse().ok()?,
        total_kib: kib(1),
        used_kib: kib(2),
    })
}

fn rotated(line: &str) -> Option<Rotated> {
    let mut parts = line.splitn(3, ' ');
    let (bytes, modified_s) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let path = parts.next().filter(|path| is_path(path))?.to_owned();
    Some(Rotated { path, bytes, modified_s })
}

fn memory(body: &str) -> Option<f64> {
    let kib = |name: &str| {
        let line = body.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<f64>().ok()
    };
    let total = kib("MemTotal:").filter(|total| *total > 0.0)?;
    Some(kib("MemAvailable:")? / total)
}

fn process(line: &str) -> Option<Process> {
    let mut columns = line.split_whitespace();
    Some(Process {
        pid: columns.next()?.parse().ok()?,
        state: columns.next()?.to_owned(),
        cpu_percent: columns.next()?.parse().ok()?,
        command: columns.collect::<Vec<_>>().join(" "),
    })
}

fn first_word(line: &str) -> Option<String> {
    line.trim_start_matches(['●', '*', ' ']).split_whitespace().next().map(str::to_owned)
}

fn unit(body: &str) -> Unit {
    let value = |key: &str| {
        let line = body.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_default().trim().to_owned()
    };
    Unit {
        name: value("Id"),
        active: value("ActiveState"),
        sub: value("SubState"),
        restarts: value("NRestarts").parse().unwrap_or(0),
        result: value("Result"),
        since: value("ActiveEnterTimestamp"),
    }
}

fn file(body: &str) -> Option<File> {
    let mut lines = body.lines();
    let path = lines.next()?.trim().to_owned();
    let digest = lines.next()?.split_whitespace().next()?.to_owned();
    let modified_ms = lines.next().and_then(|line| line.trim().parse::<u64>().ok()).map(|s| s * 1_000);
    Some(File { path, digest, modified_ms, text: None, former: None })
}

/// The text of a file, if all of it was printed: part of one is never taken for it.
fn whole(body: &str) -> Option<String> {
    let (size, text) = body.split_once('\n')?;
    let size: usize = size.trim().parse().ok()?;
    // The bar ends each line, the last one as well.
    let is_without_end = text.len() == size + 1;
    (text.len() == size || is_without_end).then(|| text.get(..size).map(str::to_owned)).flatten()
}

/// Put what the instance shows into the evidence.
pub fn tell(seen: &mut Seen, target: &Target, inspection: &Inspection) {
    let id = target.id();
    let now = instant(seen.time_ms);
    for disk in &inspection.disks {
        let name = format!("{id}:{}", disk.mount);
        let status = if disk.used_percent >= FULL_PERCENT { "storage-full" } else { "ok" };
        seen.resource("disk", &name, json!({ "status": status, "used_percent": disk.used_percent }));
        if let Some(time) = now {
            seen.incident.metrics.push(Metric {
                name: "disk_used_percent".into(),
                dimensions: [("InstanceId".to_owned(), json!(id)), ("path".to_owned(), json!(disk.mount))].into(),
                statistic: "Sample".into(),
                unit: "Percent".into(),
                points: vec![Point(time, Some(disk.used_percent))],
            });
        }
    }
    for process in &inspection.processes {
        let is_busy = process.cpu_percent >= BUSY_PERCENT;
        let is_stuck = process.state.starts_with(['T', 't']);
        if is_busy || is_stuck {
            let name = format!("{id}/{}", process.command);
            let state = json!({ "state": process.state.get(..1), "pid": process.pid, "cpu_percent": process.cpu_percent, "command": process.command });
            seen.resource("process", &name, state);
        }
    }
    for unit in &inspection.failed_units {
        seen.resource("unit", &format!("{id}/{unit}"), json!({ "status": "failed" }));
        seen.event(Some(seen.time_ms), id, "unit failed", format!("the unit {unit} of {id} has failed"));
    }
    if let Some(unit) = &inspection.unit {
        // It runs by the account of the machine, and answers nothing.
        if unit.active == "active" && seen.is_silent() {
            seen.resource("process", &format!("{id}/{}", unit.name), json!({ "responding": false }));
        }
        let state = json!({ "status": unit.active, "sub_state": unit.sub, "restarts": unit.restarts, "result": unit.result, "since": unit.since });
        seen.resource("unit", &format!("{id}/{}", unit.name), state);
    }
    for line in &inspection.journal {
        let time = line.split_whitespace().next().and_then(crate::instant::parse);
        seen.line(time, id, line);
    }
    for change in inspection.changes() {
        let words = format!("{} is not as it was before", change.path);
        seen.event(Some(change.modified_ms), id, "configuration change", words);
    }
    for gap in &inspection.gaps {
        seen.miss(gap.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "=== uptime
|351.2 600.1
=== disks
|Filesystem 1024-blocks Used Available Capacity Mounted on
|/dev/nvme0n1p1 8000 7950 50 100% /
|tmpfs 100 100 0 100% /run
|/dev/loop0 10 10 0 100% /snap/x
=== memory
|MemTotal: 1000 kB
|MemFree: 10 kB
|MemAvailable: 250 kB
=== processes
|  PID STAT %CPU COMMAND
|  812 Rl 97.5 app
|  1 Ss 0.0 systemd
=== failed
|app.service loaded failed failed The app
=== unit
|Id=app.service
|ActiveState=failed
|SubState=failed
|NRestarts=5
|Result=exit-code
=== file
|/etc/app.conf
|aaaa  -
|1767225600
=== text
|13
|pool = eight

=== former
|9
|pool = 8

=== journal
|2026-01-01T00:00:00+0000 host app[1]: No space left on device
|=== former
|=== end
=== end";

    #[test]
    fn what_the_instance_prints_is_read() {
        let seen = read(PRINTED);
        assert_eq!(seen.full_disk().unwrap().mount, "/");
        assert_eq!(seen.disks.len(), 1, "{:?}", seen.disks);
        assert_eq!(seen.memory_available_share, Some(0.25));
        assert_eq!(seen.failed_units, ["app.service"]);
        assert_eq!(seen.unit.as_ref().unwrap().restarts, 5);
        assert_eq!(seen.changes()[0].before.as_deref(), Some("pool = 8\n"));
        // A line of a log that looks like the beginning of a part is one of the log.
        assert_eq!(seen.journal.len(), 3);
        assert!(seen.gaps.is_empty(), "{:?}", seen.gaps);
    }

    #[test]
    fn what_is_cut_off_or_missing_is_a_gap() {
        let seen = read("=== uptime\n|1 1\n=== disks\n=== file\n|/a\n|b\n|1\n=== text\n|500\n|part of a fi");
        assert_eq!(seen.gaps.len(), 3, "{:?}", seen.gaps);
        assert!(read("").gaps.len() == 3);
    }

    /// The script runs as it stands, on whatever machine this is.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "a script is shown to work by a real shell")]
    fn the_script_runs_in_a_real_shell() {
        let path = std::env::temp_dir().join(format!("pi-sre-inspect-{}.conf", std::process::id()));
        std::fs::write(&path, "pool = eight\n").unwrap();
        let former = format!("{}.bak", path.display());
        std::fs::write(&former, "pool = 8\n").unwrap();
        let logs = std::env::temp_dir().join(format!("pi-sre-inspect-{}", std::process::id()));
        std::fs::create_dir_all(logs.join("audit")).unwrap();
        for name in ["a b.log.1", "a.log-20260131", "a.log", "empty.log.2", "audit/audit.log.1", "auth.log.1"] {
            std::fs::write(logs.join(name), if name.starts_with("empty") { "" } else { "line\n" }).unwrap();
        }
        let folders = [logs.display().to_string()];
        let script = script(Some("app.service"), &[path.display().to_string()], &folders);
        let done = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
        let seen = read(&String::from_utf8_lossy(&done.stdout));
        assert_eq!(seen.files.len(), 1);
        assert_eq!(seen.files[0].digest.len(), 64);
        assert_eq!(seen.changes().len(), 1);
        assert_eq!(seen.files[0].text.as_deref(), Some("pool = eight\n"));
        let mut names: Vec<&str> =
            seen.rotated.iter().filter_map(|it| it.path.strip_prefix(folders[0].as_str())).collect();
        names.sort_unstable();
        assert_eq!(names, ["/a b.log.1", "/a.log-20260131"]);
        assert!(seen.rotated.iter().filter(|it| it.path.starts_with(&folders[0])).all(|it| it.bytes == 5));
        std::fs::remove_file(&path).unwrap();
        std::fs::remove_file(&former).unwrap();
        std::fs::remove_dir_all(&logs).unwrap();
    }

    #[test]
    fn no_more_is_removed_than_makes_room_and_only_on_the_disk_that_is_full() {
        let disk = |mount: &str, used_kib| Disk { mount: mount.into(), used_percent: 0.0, total_kib: 1_000, used_kib };
        let log = |path: &str, kib: u64, modified_s| Rotated { path: path.into(), bytes: kib * 1_024, modified_s };
        let seen = Inspection {
            disks: vec![disk("/", 500), disk("/var", 1_000)],
            rotated: vec![
                log("/var/log/b.1", 200, 20),
                log("/var/log/a.2", 100, 10),
                log("/var/log/c.1", 300, 30),
                log("/srv/log/d.1", 900, 1),
                log("/variable/e.1", 900, 1),
            ],
            ..Inspection::default()
        };
        let paths = |mount: usize, own: &[String]| -> Vec<String> {
            seen.removable(&seen.disks[mount], own).into_iter().map(|log| log.path).collect()
        };
        assert_eq!(paths(1, &[]), ["/var/log/a.2", "/var/log/b.1"]);
        assert_eq!(paths(1, &["/var/lo".into(), "/srv/log".into()]), ["/var/log/a.2", "/var/log/b.1"]);
        assert_eq!(paths(0, &[]), Vec::<String>::new());
    }
}
