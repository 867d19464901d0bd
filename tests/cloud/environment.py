"""Where the laboratory's Python packages are: moto and boto3 in an environment of their own, under the user's cache
folder, made where it is missing. One process makes it, under a lock; the others wait for it. Whoever runs the laboratory
with any Python is moved into that environment."""

import fcntl
import os
import subprocess
import sys
import venv
from pathlib import Path

MOTO = "5.2.1"


def folder() -> Path:
    return cache() / f"moto-{MOTO}"


def cache() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.environ.get("HOME", "/tmp"), ".cache")
    return Path(cache) / "pi-host-cloud-lab"


def enter() -> None:
    """Go on in the environment: made if it is not there, and entered if this is another Python."""
    wanted = folder()
    if Path(sys.prefix).resolve() == wanted.resolve():
        return
    make(wanted)
    python = str(wanted / "bin" / "python")
    os.execv(python, [python, *sys.argv])


def make(wanted: Path) -> None:
    complete = wanted / "complete"
    if complete.exists():
        return
    wanted.parent.mkdir(parents=True, exist_ok=True)
    with open(wanted.parent / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if complete.exists():
            return
        print(f"installing moto[server] {MOTO} into {wanted}", file=sys.stderr)
        venv.create(wanted, with_pip=True, clear=True)
        install = [str(wanted / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run([*install, f"moto[server]=={MOTO}"], stdout=sys.stderr)
        if done.returncode != 0:
            sys.exit(f"moto[server] {MOTO} could not be installed into {wanted}\nhint: look whether pip reaches PyPI")
        complete.touch()
