"""What a warm call costs over MCP's standard streams, here and in ACT's host, by one client in one run.

    python3 benches/mcp/act.py PI_HOST GUEST ACT ACT_GUEST

PI_HOST is a release build, GUEST the guest of the tests that does nothing
(target/plugins/wasm32-wasip2/plugin/hostile.wasm); ACT is the program in the npm package
@actcore/act-cli-linux-x64, ACT_GUEST the component of tests/guests/act, built. Both tools take nothing and return an
empty text. The hosts take turns of TURN calls, so that whatever else the machine does meets all alike.
"""

import json
import os
import sys
import tempfile

from client import Client, percentiles, run

WARM_UP = 500
CALLS = 2_000
TURN = 100

MANIFEST = {
    "manifest": 1, "name": "bench", "version": "1.0.0", "kind": "tool", "contract": "0.1", "needs": [],
    "tools": [{"name": "noop", "description": "Does nothing", "effect": "read", "idempotent": True,
               "input_schema": {"type": "object", "additionalProperties": False}}],
}


class Echo(Client):
    """The pipes and this client alone: the line comes back as it is."""

    def begin(self):
        pass

    def call(self, name, arguments):
        return self.ask("tools/call", {"name": name, "arguments": arguments})[0]


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    pi_host, guest, act, act_guest = map(os.path.abspath, sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "manifest.json"), "w") as file:
            json.dump(MANIFEST, file)
        run([pi_host, "plugin", "pack", guest, "--manifest", "manifest.json", "--output", "bench.wasm"], folder)
        run([pi_host, "plugin", "install", "bench.wasm", "--yes"], folder)
        clients = {
            "pi-host": Client([pi_host, "mcp"], folder),
            "ACT": Client([act, "run", "--mcp", act_guest], folder),
            "ACT without its audit": Client([act, "run", "--mcp", "--no-audit", act_guest], folder),
            "the same lines to `cat` and back": Echo(["/bin/cat"], folder),
        }
        times = {name: [] for name in clients}
        for client in clients.values():
            client.begin()
            for _ in range(WARM_UP):
                client.call("noop", {})
        for _ in range(CALLS // TURN):
            for name, client in clients.items():
                times[name] += [client.call("noop", {}) for _ in range(TURN)]
        for client in clients.values():
            client.end()
    middle = {}
    for name, taken in times.items():
        middle[name], late = percentiles(taken)
        print(f"{name}: p50 {middle[name]:.0f} us, p99 {late:.0f} us, {len(taken)} calls")
    for other in ["ACT", "ACT without its audit"]:
        print(f"pi-host takes {middle['pi-host'] / middle[other]:.2f} times the p50 of {other}")


main()
