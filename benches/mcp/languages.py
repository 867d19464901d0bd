"""What a call costs in each language, and what an instance takes of memory.

    python3 benches/mcp/languages.py PI_HOST LANGUAGE=COMPONENT...

PI_HOST is a release build, COMPONENT the packed reference tool in that language, as the tests of the languages
leave it: target/tmp/languages/python/python-packed.wasm. Each language has a host of its own. Times are of the tool
`files`, which reads a small file, over MCP's standard streams, one call after another, each in a fresh instance;
before that, of the command `tool call` as a whole, which compiles the first time.
Memory is what the host's grows by while INSTANCES calls of the tool `spin`, which never returns, are under way.
"""

import os
import re
import sys
import tempfile
import time

from client import Client, percentiles, run

WARM_UP = 200
CALLS = 2_000
# As many as an MCP server here runs at once.
INSTANCES = 32
# How long the instances run, and when they are looked at: all have begun by then.
SPIN_MS = 12_000
LOOK_MS = 6_000

PI_TOML = f"""
[plugins.reference]
path = "reference.wasm"

[plugins.reference.limits]
call_ms_max = {SPIN_MS}

[grants.reference.files]
read = ["data"]

[grants.reference.http]
hosts = [{{ host = "127.0.0.1", port = 9, scheme = "http" }}]

[grants.reference.keyvalue]
keys_max = 1

[grants.reference.config]

[grants.reference.log]
"""


def memory(pid):
    """Resident memory of a process, and what of it no one else shares, in KiB."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        text = file.read()
    of = lambda name: int(re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE)[1])
    return of("Rss"), of("Pss")


def measured(pi_host, component):
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, "data"))
        for name, data in [("pi.toml", PI_TOML.encode()), ("data/notes.txt", b"first\nsecond\n"),
                           ("reference.wasm", open(component, "rb").read())]:
            with open(os.path.join(folder, name), "wb") as file:
                file.write(data)
        # The first command compiles, the second one finds that compiled.
        commands = []
        for _ in range(2):
            begun = time.perf_counter()
            run([pi_host, "tool", "call", "files", '{"path":"data/notes.txt"}'], folder)
            commands.append(time.perf_counter() - begun)
        client = Client([pi_host, "mcp"], folder)
        client.begin()
        first = client.call("files", {"path": "data/notes.txt"})
        for _ in range(WARM_UP):
            client.call("files", {"path": "data/notes.txt"})
        times = [client.call("files", {"path": "data/notes.txt"}) for _ in range(CALLS)]
        before = memory(client.server.pid)
        client.calls_at_once("spin", {}, INSTANCES)
        time.sleep(LOOK_MS / 1_000)
        during = memory(client.server.pid)
        # All are ended by their limit, none before: a call that failed at once would have held no memory.
        answers = [client.line() for _ in range(INSTANCES)]
        if not all(b"took longer" in answer for answer in answers):
            sys.exit(f"a call of `spin` ended otherwise: {answers}")
        client.end()
    each = [(late - early) / INSTANCES for early, late in zip(before, during)]
    return *commands, first / 1_000, *percentiles(times), *each


def main():
    named = [argument.split("=", 1) for argument in sys.argv[2:]]
    if not named or any(len(pair) != 2 for pair in named):
        sys.exit(__doc__)
    print("language: the command that compiles, the next one, first call, p50, p99, memory of an instance, of its own")
    for language, component in named:
        compiling, cached, first, middle, late, resident, own = measured(os.path.abspath(sys.argv[1]), os.path.abspath(component))
        print(f"{language}: {compiling:.1f} s, {cached * 1_000:.0f} ms, {first / 1_000:.1f} ms, {middle:.0f} us, {late:.0f} us, "
              f"{resident:.0f} KiB, {own:.0f} KiB", flush=True)


main()
