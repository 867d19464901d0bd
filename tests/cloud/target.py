"""What can be sick: an instance, a database, a cluster, a group of instances. How it was and is, as a time line of phases
(`well`, `sick`, `worse`, `off`), and how it answers at its health endpoint on loopback where nothing real answers there."""

import socketserver
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HELD_S = 30  # How long a request is held that gets no answer.


@dataclass
class Target:
    name: str
    kind: str  # instance, database, cluster, group
    id: str
    declared: dict[str, Any]
    phases: list[tuple[float, str]] = field(default_factory=lambda: [(0.0, "well")])
    state: str = "running"
    # Until when the state holds, and which one follows, in the laboratory's time.
    until: float | None = None
    following: str = ""
    booted: float = 0.0
    machine: Any = None
    health: str = ""
    port: int = 0
    # Real attributes that moto has already changed and that show only when the change is done.
    shown: dict[str, Any] = field(default_factory=dict)

    @property
    def phase(self) -> str:
        return self.phases[-1][1]

    def enter(self, at: float, phase: str) -> None:
        if self.phase != phase:
            self.phases.append((at, phase))

    def go(self, state: str, until: float | None = None, following: str = "") -> None:
        self.state, self.until, self.following = state, until, following

    @property
    def is_up(self) -> bool:
        return self.state in ("running", "available", "storage-full", "modifying", "storage-optimization")

    @property
    def dimensions(self) -> list[dict[str, str]]:
        key = {"instance": "InstanceId", "database": "DBInstanceIdentifier", "cluster": "DBClusterIdentifier", "group": "AutoScalingGroupName"}
        return [{"Name": key[self.kind], "Value": self.id}]

    @property
    def namespace(self) -> str:
        return "AWS/RDS" if self.kind in ("database", "cluster") else "AWS/EC2"


class HealthServer(ThreadingHTTPServer):
    """The endpoint of a target that is a model: `declared.health` says how it answers while it is sick."""

    daemon_threads = True

    def __init__(self, target: Target):
        self.target = target
        super().__init__(("127.0.0.1", 0), HealthHandler)
        target.port = self.server_address[1]
        target.health = f"http://127.0.0.1:{target.port}/health"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)


class HealthHandler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        target = self.server.target
        way = "ok"
        if not target.is_up:
            way = "503"
        elif target.phase != "well":
            way = str(target.declared.get("health", "503"))
        if way == "timeout":
            # No answer: who asks goes away, and this ends with the laboratory at the latest.
            time.sleep(HELD_S)
            return
        code = 200 if way == "ok" else int(way)
        body = b"ok\n" if code == 200 else f"{target.name} is {target.phase}, state {target.state}\n".encode()
        self.send_response(code)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass
