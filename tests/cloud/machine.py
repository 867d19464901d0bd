"""An instance's inside: a root of its own with real files, real processes and a real, small disk.

Two processes make it. The holder has the mount namespace: the instance's folder becomes its root, the system's programs
are there to be read only, /var is a file system of limited size, and nothing else of this machine can be reached. It lives
as long as the laboratory. Process 1 (`instance/init.py`) has the process namespace; it lives from a boot to the next stop.
Where the kernel gives no such namespaces nothing is run at all: a script of an agent is never run outside of one."""

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Callable

HERE = Path(__file__).parent
PROGRAMS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")

SETUP = r"""
set -eu
mount --make-rprivate /
mount --bind "$ROOT" "$ROOT"
cd "$ROOT"
for folder in usr etc/alternatives; do mount --rbind "/$folder" "$folder"; mount -o remount,bind,ro "$folder"; done
for folder in bin sbin lib lib32 lib64 libx32; do
  if [ -d "$folder" ] && [ ! -L "$folder" ]; then mount --rbind "/$folder" "$folder"; mount -o remount,bind,ro "$folder"; fi
done
mount -t tmpfs -o mode=755,size=64k tmpfs dev
for device in null zero full random urandom; do : > "dev/$device"; mount --bind "/dev/$device" "dev/$device"; done
ln -s /proc/self/fd dev/fd; ln -s /proc/self/fd/1 dev/stdout; ln -s /proc/self/fd/2 dev/stderr
mount -t tmpfs -o "mode=755,size=${DISK_MIB}m" /dev/nvme0n1p2 var
cp -a seed/. var/
mkdir -p old
mount --rbind /proc proc
pivot_root . old
cd /
umount -l /old
rmdir old
echo ready
exec cat
"""

# The kernel mounts /proc only where one is seen already, so the machine's own is there until the instance's is.
BOOT = (
    "mount -t tmpfs -o mode=755,size=4m tmpfs /run && mkdir /run/proc && mount -t proc -o ro proc /run/proc && umount -l /proc && "
    "mount --move /run/proc /proc && rmdir /run/proc && exec /usr/bin/python3 -I -u /opt/lab/init.py"
)


class Machine:
    """One instance's inside. `on_event` is told what process 1 says."""

    def __init__(self, root: Path, port: int, disk_mib: int, on_event: Callable[[dict[str, Any]], None]):
        self.root, self.port, self.disk_mib, self.on_event = root, port, disk_mib, on_event
        self.holder: subprocess.Popen | None = None
        self.init: subprocess.Popen | None = None
        self.waiting: dict[str, Callable[[dict[str, Any]], None]] = {}
        self.is_frozen = False
        self.booted = threading.Event()
        self.lock = threading.RLock()

    def make(self, files: dict[str, str], hostname: str) -> None:
        """The folder, with these files. What is below /var is copied onto the small disk when it is mounted."""
        for folder in ("usr", "etc/alternatives", "etc/systemd/system", "dev", "proc", "run", "var", "tmp", "root",
                       "home", "opt/lab/bin", "srv", "seed/log/journal", "seed/lib", "seed/tmp"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        for name in PROGRAMS:
            there = Path("/") / name
            if there.is_symlink():
                (self.root / name).symlink_to(os.readlink(there))
            elif there.is_dir():
                (self.root / name).mkdir()
        basics = {"/etc/hostname": hostname + "\n", "/etc/passwd": "root:x:0:0:root:/root:/bin/bash\n", "/etc/group": "root:x:0:\n",
                  "/etc/hosts": f"127.0.0.1 localhost {hostname}\n"}
        for path, text in {**basics, **files}.items():
            self.place(path, text)
        shutil.copy(HERE / "instance" / "init.py", self.root / "opt/lab/init.py")
        for tool in ("systemctl", "journalctl"):
            shutil.copy(HERE / "instance" / "tool", self.root / "opt/lab/bin" / tool)
            (self.root / "opt/lab/bin" / tool).chmod(0o755)

    def place(self, path: str, text: str) -> None:
        inside = path.lstrip("/")
        inside = "seed/" + inside[4:] if inside.startswith("var/") else inside
        target = self.root / inside
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def hold(self) -> None:
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "ROOT": str(self.root), "DISK_MIB": str(self.disk_mib)}
        self.holder = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--mount", "/bin/sh", "-c", SETUP],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        )
        if self.holder.stdout.readline() != "ready\n":
            said = self.holder.stderr.read().strip()
            raise SystemExit(f"the inside of an instance cannot be made: {said}\nhint: the laboratory needs user namespaces (`unshare --user --mount`)")

    def boot(self) -> None:
        with self.lock:
            self.is_frozen = False
            self.booted.clear()
            enter = ["nsenter", "--target", str(self.holder.pid), "--user", "--mount", "--preserve-credentials",
                     "unshare", "--pid", "--fork", "--kill-child", "--mount", "/bin/sh", "-c", BOOT]
            self.init = subprocess.Popen(enter, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                         env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
            threading.Thread(target=self._listen, args=(self.init,), daemon=True).start()

    def _listen(self, init: subprocess.Popen) -> None:
        for line in init.stdout:
            message = json.loads(line)
            if message["event"] == "booted":
                self.booted.set()
            if message["event"] == "done":
                told = self.waiting.pop(message["id"], None)
                if told:
                    told(message)
            else:
                self.on_event(message)

    def halt(self) -> None:
        """Whatever runs in the instance ends at once, as when the power goes."""
        with self.lock:
            init, self.init = self.init, None
            if init:
                init.kill()  # `unshare --kill-child` takes process 1 with it, and process 1 everything else.
                init.wait()
                init.stdin.close()
            for identity in list(self.waiting):
                told = self.waiting.pop(identity)
                told({"code": -1, "out": "", "err": "", "timed_out": False, "lost": True})
            self.is_frozen = False

    def freeze(self) -> None:
        with self.lock:
            self.send(op="freeze")
            self.is_frozen = True

    def send(self, **message: Any) -> None:
        with self.lock:
            if self.init:
                try:
                    self.init.stdin.write(json.dumps(message) + "\n")
                    self.init.stdin.flush()
                except OSError:
                    pass  # It ended meanwhile: what waits is told by `halt`.

    @property
    def is_responsive(self) -> bool:
        return self.init is not None and not self.is_frozen and self.init.poll() is None

    def run(self, identity: str, script: str, timeout_s: int, folder: str, told: Callable[[dict[str, Any]], None]) -> None:
        self.waiting[identity] = told
        self.send(op="run", id=identity, script=script, timeout_s=timeout_s, folder=folder)

    def run_now(self, script: str, timeout_s: int = 20) -> dict[str, Any]:
        """The laboratory's own scripts: what happens to an instance from inside."""
        if not self.booted.wait(20):
            raise SystemExit("an instance does not boot")
        done, answer = threading.Event(), {}
        def told(message: dict[str, Any]) -> None:
            answer.update(message)
            done.set()
        self.run(f"lab-{time.monotonic_ns()}", script, timeout_s, "/", told)
        if not done.wait(timeout_s + 5):
            raise SystemExit(f"an instance does not answer: {script}")
        return answer

    def end(self) -> None:
        self.halt()
        if self.holder:
            self.holder.send_signal(signal.SIGKILL)
            self.holder.wait()
            self.holder = None


def reserve_port() -> tuple[socket.socket, int]:
    """A port that is ours as long as this socket lives: it never listens, so that who connects while the service is down
    is refused; the service binds the same port beside it."""
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    kept.bind(("127.0.0.1", 0))
    return kept, kept.getsockname()[1]
