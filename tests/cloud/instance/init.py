"""Process 1 of an instance: keeps its units, its journal, and runs the scripts that come from outside.

It runs in a process namespace of its own, whose root is the instance's folder, and speaks with the laboratory in lines of
JSON over its standard input and output: `run` comes in, `done`, `journal` and `unit` go out. When its input closes, it
ends, and the kernel ends whatever runs in the namespace with it: a reboot is a new one of these. `systemctl` and
`journalctl` ask it over a socket in /run."""

import configparser
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

UNITS = Path("/etc/systemd/system")
JOURNAL = Path("/var/log/journal/journal.jsonl")
OUTPUT_CHARACTERS_MAX = 24_000  # What AWS keeps of a command's output.
START_MS = 400  # How long a start is watched: what ends within it has failed to start.
PRIORITIES = {"emerg": 0, "alert": 1, "crit": 2, "err": 3, "warning": 4, "notice": 5, "info": 6, "debug": 7}

_out = threading.Lock()


def tell(**message):
    with _out:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


class Journal:
    def __init__(self):
        self.entries, self.lock = [], threading.Lock()
        try:
            self.entries = [json.loads(line) for line in JOURNAL.read_text().splitlines() if line.startswith("{")]
        except (OSError, ValueError):
            pass

    def write(self, unit, message, priority=6, pid=1, at=None):
        entry = {"time": at or time.time(), "unit": unit, "message": message, "priority": priority, "pid": pid}
        with self.lock:
            self.entries = [*self.entries[-5000:], entry]
            try:
                JOURNAL.parent.mkdir(parents=True, exist_ok=True)
                with JOURNAL.open("a") as file:
                    file.write(json.dumps(entry) + "\n")
            except OSError:
                pass  # As journald: what does not fit on the disk is kept in memory.
        tell(event="journal", **entry)


    def vacuum(self):
        """All but the last entries go."""
        with self.lock:
            try:
                before = JOURNAL.stat().st_size
                JOURNAL.write_text("".join(json.dumps(entry) + "\n" for entry in self.entries[-200:]))
                freed = max(0, before - JOURNAL.stat().st_size)
            except OSError:
                freed = 0
        return f"Vacuuming done, freed {freed}B of archived journals from /var/log/journal.\n"


class Unit:
    """A service: its file, its process, and what became of it."""

    def __init__(self, name, journal):
        self.name, self.journal = name, journal
        self.process, self.state, self.result, self.code = None, "inactive", "success", None
        self.since, self.restarts, self.wanted = time.time(), 0, False
        self.lock = threading.RLock()

    @property
    def path(self):
        return UNITS / f"{self.name}.service"

    def read(self):
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        parser.optionxform = str
        parser.read_string(self.path.read_text())
        return {section: dict(parser[section]) for section in parser.sections()}

    def property(self, key, default=""):
        try:
            return self.read().get("Service", {}).get(key, default)
        except (OSError, configparser.Error):
            return default

    def is_enabled(self):
        try:
            return "Install" in self.read()
        except (OSError, configparser.Error):
            return False

    def memory_max(self):
        text = self.property("MemoryMax")
        scale = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}.get(text[-1:].upper(), 1)
        return int(text.rstrip("KMGkmg") or 0) * scale if text and text != "infinity" else 0

    def set(self, state, result="success"):
        self.state, self.result, self.since = state, result, time.time()
        tell(event="unit", name=self.name, state=state, result=result)

    def start(self):
        """Whether it runs. One that runs already is left alone."""
        with self.lock:
            if self.state == "active":
                return True
            self.wanted = True
            return self._spawn()

    def _spawn(self):
        try:
            service = self.read()["Service"]
            arguments = shlex.split(service["ExecStart"])
        except (OSError, KeyError, ValueError, configparser.Error) as error:
            self.journal.write("systemd", f"{self.name}.service: unit file cannot be read: {error}", 3)
            self.set("failed", "resources")
            return False
        self.journal.write("systemd", f"Starting {self.name}.service - {self.description()}...")
        try:
            self.process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                start_new_session=True, env=ENVIRONMENT, text=True, errors="replace",
            )
        except OSError as error:
            self.journal.write("systemd", f"{self.name}.service: Failed to execute {arguments[0]}: {error.strerror}", 3)
            self.set("failed", "exit-code")
            return False
        self.set("active")
        threading.Thread(target=self._copy, args=(self.process,), daemon=True).start()
        threading.Thread(target=self._keep, args=(self.process,), daemon=True).start()
        deadline = time.monotonic() + START_MS / 1000
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                return False
            time.sleep(0.02)
        self.journal.write("systemd", f"Started {self.name}.service - {self.description()}.")
        return True

    def description(self):
        try:
            return self.read().get("Unit", {}).get("Description", self.name)
        except (OSError, configparser.Error):
            return self.name

    def _copy(self, process):
        for line in process.stdout:
            self.journal.write(self.name, line.rstrip("\n"), 3 if "ERROR" in line else 6, process.pid)

    def _keep(self, process):
        """Watch its memory until it ends, then say how it ended, and start it again where its file says so."""
        most, killed = self.memory_max(), False
        while process.poll() is None:
            if most and resident(process.pid) > most and not killed:
                killed = True
                kilobytes = resident(process.pid) // 1024
                self.journal.write("kernel", f"Memory cgroup out of memory: Killed process {process.pid} ({self.name}) "
                                   f"total-vm:{kilobytes + 9000}kB, anon-rss:{kilobytes}kB, oom_score_adj:0", 3, 0)
                os.killpg(process.pid, signal.SIGKILL)
            time.sleep(0.05)
        with self.lock:
            if self.process is not process or not self.wanted:
                return
            self.code = process.returncode
            how = "killed, status=%d/%s" % (-self.code, signal.Signals(-self.code).name[3:]) if self.code < 0 else f"exited, status={self.code}"
            if killed:
                self.journal.write("systemd", f"{self.name}.service: A process of this unit has been killed by the OOM killer.", 4)
            self.journal.write("systemd", f"{self.name}.service: Main process exited, code={how}", 5)
            result = "oom-kill" if killed else "signal" if self.code < 0 else "exit-code" if self.code else "success"
            self.journal.write("systemd", f"{self.name}.service: Failed with result '{result}'.", 4)
            self.set("failed" if result != "success" else "inactive", result)
            if self.property("Restart") not in ("always", "on-failure"):
                return
        time.sleep(float(self.property("RestartSec", "1")))
        with self.lock:
            if self.process is process and self.wanted:
                self.restarts += 1
                self.journal.write("systemd", f"{self.name}.service: Scheduled restart job, restart counter is at {self.restarts}.")
                self._spawn()

    def stop(self):
        with self.lock:
            self.wanted = False
            if self.process and self.process.poll() is None:
                self.journal.write("systemd", f"Stopping {self.name}.service - {self.description()}...")
                group = self.process.pid
                os.killpg(group, signal.SIGTERM)
                try:
                    self.process.wait(2)
                except subprocess.TimeoutExpired:
                    os.killpg(group, signal.SIGKILL)
                    self.process.wait()
                self.journal.write("systemd", f"Stopped {self.name}.service - {self.description()}.")
            self.set("inactive")


def resident(pid):
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


ENVIRONMENT = {"PATH": "/opt/lab/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8", "USER": "root"}


class Init:
    def __init__(self):
        self.journal = Journal()
        self.units, self.running = {}, {}
        self.is_throttled = False

    def unit(self, name):
        name = name.removesuffix(".service")
        if name not in self.units and (UNITS / f"{name}.service").exists() and "/" not in name:
            self.units[name] = Unit(name, self.journal)
        return self.units.get(name)

    def all(self):
        for path in sorted(UNITS.glob("*.service")):
            self.unit(path.stem)
        return [self.units[name] for name in sorted(self.units)]

    def boot(self):
        self.journal.write("kernel", "Linux version 6.1.0 (lab) booted", 5, 0)
        for unit in self.all():
            if unit.is_enabled():
                unit.start()
        tell(event="booted")

    def run(self, message):
        """A script from outside, as the agent of Systems Manager runs it: by bash, with a deadline."""
        known = message["id"]
        process = subprocess.Popen(
            ["/bin/bash", "-c", message["script"]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True, cwd=message.get("folder") or "/", env=ENVIRONMENT,
        )
        self.running[known] = process
        try:
            out, err = process.communicate(timeout=message["timeout_s"])
            timed_out = False
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            timed_out = True
        text = [data.decode("utf-8", "replace")[:OUTPUT_CHARACTERS_MAX] for data in (out, err)]
        tell(event="done", id=known, code=process.returncode, out=text[0], err=text[1], timed_out=timed_out)

    def listen(self):
        Path("/run/init.sock").unlink(missing_ok=True)
        server = socket.socket(socket.AF_UNIX)
        server.bind("/run/init.sock")
        server.listen(16)
        while True:
            peer, _ = server.accept()
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        with peer, peer.makefile("rw") as stream:
            try:
                arguments = json.loads(stream.readline())
                tool = {"systemctl": self.systemctl, "journalctl": self.journalctl}[arguments[0]]
                code, text = tool(arguments[1:])
            except Exception as error:  # The tool's user reads it; process 1 goes on.
                code, text = 1, f"{error}\n"
            stream.write(json.dumps([code, text]))

    def systemctl(self, arguments):
        words, options = sorted_out(arguments)
        verb, names = (words[0] if words else "list-units"), words[1:]
        if verb == "daemon-reload":
            return 0, ""
        if verb in ("list-units", "list-unit-files") or (verb == "status" and not names):
            state = options.get("--state", ["failed" if "--failed" in options else ""])[0]
            shown = [unit for unit in self.all() if state in ("", unit.state, sub(unit))]
            mark = "" if "--plain" in options else "  "
            lines = [f"{'● ' if unit.state == 'failed' and mark else mark}{unit.name}.service loaded {unit.state} {sub(unit)} {unit.description()}" for unit in shown]
            head, tail = ("", "") if "--no-legend" in options else (f"{mark}UNIT LOAD ACTIVE SUB DESCRIPTION\n", f"\n{len(shown)} loaded units listed.\n")
            return 0, head + "".join(line + "\n" for line in lines) + tail
        if not names:
            return 1, f"systemctl {verb}: no unit is named\n"
        code, text = 0, ""
        for name in names:
            unit = self.unit(name)
            if unit is None:
                return (4, f"Unit {name.removesuffix('.service')}.service could not be found.\n") if verb in ("status", "cat") else \
                    (5, f"Failed to {verb} {name}.service: Unit {name}.service not found.\n")
            one, said = self.verb(verb, unit, options)
            code, text = max(code, one), text + said
        return code, text

    def verb(self, verb, unit, options):
        failed = f"Job for {unit.name}.service failed because the control process exited with error code.\nSee \"systemctl status {unit.name}.service\" and \"journalctl -xeu {unit.name}.service\" for details.\n"
        if verb in ("restart", "try-restart", "reload-or-restart", "reload"):
            unit.stop()
            verb = "start"
        if verb == "start":
            return (0, "") if unit.start() else (1, failed)
        if verb in ("stop", "kill"):
            unit.stop()
            return 0, ""
        if verb == "is-active":
            return 0 if unit.state == "active" else 3, unit.state + "\n"
        if verb == "is-failed":
            return 0 if unit.state == "failed" else 1, unit.state + "\n"
        if verb == "is-enabled":
            return (0, "enabled\n") if unit.is_enabled() else (1, "disabled\n")
        if verb in ("enable", "disable"):
            text = unit.path.read_text().partition("[Install]")[0].rstrip() + "\n"
            unit.path.write_text(text + ("\n[Install]\nWantedBy=multi-user.target\n" if verb == "enable" else ""))
            if "--now" in options:
                unit.start() if verb == "enable" else unit.stop()
            return 0, ""
        if verb == "reset-failed":
            unit.set("inactive") if unit.state == "failed" else None
            return 0, ""
        if verb == "cat":
            return 0, f"# {unit.path}\n{unit.path.read_text()}"
        if verb == "show":
            return 0, show(unit, options)
        if verb == "status":
            return (0 if unit.state == "active" else 3), status(unit) + self.journalctl(["-u", unit.name, "-n", "10"])[1]
        return 1, f"Unknown command verb '{verb}'.\n"

    def journalctl(self, arguments):
        wanted, count, since, least, reverse, form, kernel = [], None, 0.0, 7, False, "short-iso", False
        words = iter(expand(arguments))
        for word in words:
            if word in ("-u", "--unit"):
                wanted.append(next(words).removesuffix(".service"))
            elif word in ("-n", "--lines"):
                count = next(words)
            elif word in ("-S", "--since"):
                since = moment(next(words))
            elif word in ("-p", "--priority"):
                text = next(words)
                least = int(text) if text.isdigit() else PRIORITIES[text]
            elif word in ("-o", "--output"):
                form = next(words)
            elif word in ("-r", "--reverse"):
                reverse = True
            elif word in ("-k", "--dmesg"):
                kernel = True
            elif word in ("-U", "--until", "-t", "-g"):
                next(words)
            elif word in ("--vacuum-size", "--vacuum-time", "--vacuum-files"):
                next(words)
                return 0, self.journal.vacuum()
            elif word in ("-f", "--follow"):
                return 1, "journalctl: nothing is followed here\n"
        def fits(entry):
            of_unit = not wanted or entry["unit"] in wanted or any(name + ".service" in entry["message"] or f"({name})" in entry["message"] for name in wanted)
            return of_unit and entry["time"] >= since and entry["priority"] <= least and (not kernel or entry["unit"] == "kernel")
        entries = [entry for entry in sorted(self.journal.entries, key=lambda entry: entry["time"]) if fits(entry)]
        if count not in (None, "all"):
            entries = entries[-int(count):] if int(count) else []
        if reverse:
            entries.reverse()
        host = Path("/etc/hostname").read_text().strip()
        lines = [line(entry, host, form) for entry in entries]
        return 0, "\n".join(lines) + "\n" if lines else "-- No entries --\n"

    def throttle(self):
        """What becomes of a service on an instance without CPU credits: it stands still most of the time."""
        while True:
            if self.is_throttled and (unit := self.unit("web")) and unit.process and unit.process.poll() is None:
                os.kill(unit.process.pid, signal.SIGSTOP)
                until = time.monotonic() + 8
                while self.is_throttled and time.monotonic() < until:
                    time.sleep(0.05)
                if unit.process.poll() is None:
                    os.kill(unit.process.pid, signal.SIGCONT)
            time.sleep(0.1)

    def reap(self):
        """Whatever was left behind by a parent that has ended."""
        while True:
            time.sleep(1)
            own = {unit.process.pid for unit in self.units.values() if unit.process} | {process.pid for process in self.running.values()}
            for entry in os.listdir("/proc"):
                if not entry.isdigit() or int(entry) in own:
                    continue
                try:
                    stat = Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()
                    if stat[0] == "Z" and stat[1] == "1":
                        os.waitpid(int(entry), os.WNOHANG)
                except (OSError, IndexError):
                    continue


def stop_all(number):
    try:
        os.kill(-1, number)
    except ProcessLookupError:
        pass


def sub(unit):
    return {"active": "running", "failed": "failed"}.get(unit.state, "dead")


def sorted_out(arguments):
    """Words, and options with what each was given."""
    words, options = [], {}
    rest = iter(arguments)
    for word in rest:
        if word == "--":
            words += list(rest)
        elif word.startswith("--"):
            name, _, value = word.partition("=")
            options.setdefault(name, []).append(value)
        elif word[:2] in ("-p", "-t", "-n", "-o", "-s"):
            name = {"-p": "--property", "-t": "--type"}.get(word[:2], word[:2])
            options.setdefault(name, []).append(word[2:].lstrip("=") or next(rest, ""))
        elif word.startswith("-"):
            options.setdefault(word, []).append("")
        else:
            words.append(word)
    return words, options


def expand(arguments):
    """`--lines=5`, `-n5` and `-xeu web` as words of their own."""
    for word in arguments:
        if word.startswith("--") and "=" in word:
            yield from word.split("=", 1)
        elif word.startswith("-") and not word.startswith("--") and len(word) > 2:
            for index, letter in enumerate(word[1:], 1):
                if letter in "unpoSUtg":
                    yield f"-{letter}"
                    if word[index + 1:]:
                        yield word[index + 1:]
                    break
                yield f"-{letter}"
        else:
            yield word


def moment(text):
    """A time as `--since` takes it: an instant, or so many minutes, hours or days ago."""
    words = text.replace("-", " -", 1).split() if text.startswith("-") else text.split()
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    if text in ("today", "yesterday"):
        return time.time() - 86400 * (2 if text == "yesterday" else 1)
    if len(words) >= 2 and words[-1] == "ago" or text.startswith("-"):
        number = "".join(letter for letter in text if letter.isdigit())
        letters = "".join(letter for letter in text.replace("ago", "") if letter.isalpha()) or "s"
        return time.time() - int(number or 0) * units.get(letters[0], 1)
    for pattern in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"):
        try:
            return time.mktime(time.strptime(text, pattern)) - time.timezone * 0
        except ValueError:
            continue
    raise ValueError(f"Failed to parse timestamp: {text}")


def line(entry, host, form):
    if form == "cat":
        return entry["message"]
    if form == "json":
        return json.dumps({"__REALTIME_TIMESTAMP": str(int(entry["time"] * 1e6)), "MESSAGE": entry["message"],
                           "PRIORITY": str(entry["priority"]), "_SYSTEMD_UNIT": entry["unit"] + ".service"})
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S+0000", time.gmtime(entry["time"]))
    pid = f"[{entry['pid']}]" if entry["pid"] else ""
    return f"{stamp} {host} {entry['unit']}{pid}: {entry['message']}"


def status(unit):
    mark = "●" if unit.state == "active" else "×" if unit.state == "failed" else "○"
    since = time.strftime("%a %Y-%m-%d %H:%M:%S UTC", time.gmtime(unit.since))
    why = f" (Result: {unit.result})" if unit.state == "failed" else f" ({sub(unit)})"
    lines = [f"{mark} {unit.name}.service - {unit.description()}",
             f"     Loaded: loaded ({unit.path}; {'enabled' if unit.is_enabled() else 'disabled'})",
             f"     Active: {unit.state}{why} since {since}; {int(time.time() - unit.since)}s ago"]
    if unit.process:
        pid = unit.process.pid
        lines.append(f"   Main PID: {pid}" + ("" if unit.state == "active" else f" (code={unit.code})"))
        if unit.state == "active":
            lines.append(f"     Memory: {resident(pid) / (1 << 20):.1f}M (max: {unit.property('MemoryMax', 'infinity')})")
    return "\n".join(lines) + "\n\n"


def show(unit, options):
    values = {"Id": f"{unit.name}.service", "ActiveState": unit.state, "SubState": sub(unit), "Result": unit.result,
              "NRestarts": unit.restarts, "MainPID": unit.process.pid if unit.process and unit.state == "active" else 0,
              "ExecMainStatus": abs(unit.code or 0), "FragmentPath": unit.path}
    values["ActiveEnterTimestamp"] = time.strftime("%a %Y-%m-%d %H:%M:%S UTC", time.gmtime(unit.since)) if unit.state == "active" else ""
    names = [name for text in options.get("--property", []) for name in text.split(",")] or list(values)
    return "".join(f"{name}={values.get(name, '')}\n" for name in names)


def main():
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    init = Init()
    for task in (init.listen, init.reap, init.throttle):
        threading.Thread(target=task, daemon=True).start()
    threading.Thread(target=init.boot, daemon=True).start()
    for text in sys.stdin:
        message = json.loads(text)
        if message["op"] == "run":
            threading.Thread(target=init.run, args=(message,), daemon=True).start()
        elif message["op"] == "freeze":
            stop_all(signal.SIGSTOP)  # Everything but this process, which from now on answers nothing.
            tell(event="frozen")
            break
        elif message["op"] == "throttle":
            init.is_throttled = message["on"]
        elif message["op"] == "signal":
            unit = init.unit(message["unit"])
            if unit and unit.process and unit.process.poll() is None:
                os.kill(unit.process.pid, getattr(signal, message["signal"]))
        elif message["op"] == "journal":
            init.journal.write(message["unit"], message["message"], message.get("priority", 6), message.get("pid", 1), message.get("at"))
    for _ in sys.stdin:
        pass
    os._exit(0)


main()
