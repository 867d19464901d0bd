"""A client of MCP over standard streams for the benchmarks: lines of JSON-RPC there and back."""

import json
import os
import subprocess
import sys
import time


class Client:
    def __init__(self, command, folder):
        # Its own home: what is compiled and kept for a user stays out of the figures.
        environment = {"PATH": os.environ["PATH"], "HOME": folder}
        self.server = subprocess.Popen(command, cwd=folder, env=environment, bufsize=0,
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.answers = self.server.stdout.fileno()
        self.count = 0
        self.rest = b""

    def line(self):
        while b"\n" not in self.rest:
            part = os.read(self.answers, 1 << 20)
            if not part:
                sys.exit(f"the server ended: {self.server.args}")
            self.rest += part
        line, self.rest = self.rest.split(b"\n", 1)
        return line

    def request(self, method, params):
        self.count += 1
        return json.dumps({"jsonrpc": "2.0", "id": self.count, "method": method, "params": params}).encode() + b"\n"

    def ask(self, method, params):
        """The time in nanoseconds until the line of the answer is here, and the answer."""
        request = self.request(method, params)
        begun = time.perf_counter_ns()
        self.server.stdin.write(request)
        line = self.line()
        return time.perf_counter_ns() - begun, json.loads(line)

    def begin(self):
        hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
        self.ask("initialize", hello)
        self.server.stdin.write(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')

    def call(self, name, arguments):
        taken, answer = self.ask("tools/call", {"name": name, "arguments": arguments})
        if "error" in answer or answer["result"].get("isError"):
            sys.exit(f"the call failed: {answer}")
        return taken

    def calls_at_once(self, name, arguments, count):
        """Send so many, and do not wait."""
        for _ in range(count):
            self.server.stdin.write(self.request("tools/call", {"name": name, "arguments": arguments}))

    def end(self):
        self.server.stdin.close()
        self.server.wait(60)


def percentiles(times):
    """p50 and p99 in microseconds."""
    times = sorted(times)
    return times[len(times) // 2] / 1_000, times[len(times) * 99 // 100] / 1_000


def run(command, folder):
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "HOME": folder})
