"""The proxy that the host knows as AWS: what the model answers, it answers; everything else is moto's. It counts and writes
down every call, and where the scenario says so it throttles, denies, or lets credentials expire, in AWS's own words."""

import http.client
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import socketserver
from pathlib import Path
from typing import Any

import agent
import cloudwatch
import compute
import database
import trail
from wire import Answer, Fault, Request, answer, error, parsed, read
from world import World, named_targets

HANDLERS = {
    "ec2": compute.EC2, "elasticloadbalancing": compute.BALANCING, "monitoring": cloudwatch.CALLS, "rds": database.CALLS, "ssm": agent.CALLS,
    "cloudtrail": trail.CALLS,
}
DRY_RUN = "Client.DryRunOperation"
READS = ("Describe", "Get", "List", "Lookup", "Filter", "StartQuery", "StopQuery", "TestMetricFilter")
THROTTLED = {"ec2": ("RequestLimitExceeded", "Request limit exceeded.", 503), "json": ("ThrottlingException", "Rate exceeded", 400), "query": ("Throttling", "Rate exceeded", 400)}
EXPIRED = {
    "ec2": ("RequestExpired", "Request has expired.", 400), "json": ("ExpiredTokenException", "The security token included in the request is expired", 400),
    "query": ("ExpiredToken", "The security token included in the request is expired", 403),
}
DENIED = {"ec2": ("UnauthorizedOperation", 403), "json": ("AccessDeniedException", 400), "query": ("AccessDenied", 403)}
BODY_BYTES_MAX = 8 << 20


class Passed(Exception):
    """Moto's own refusal, passed on as it is."""

    def __init__(self, answer: Answer):
        super().__init__("moto refused")
        self.answer = answer


class Proxy(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, moto_port: int, state: Path):
        self.moto_port, self.world = moto_port, None
        self.witness, self.calls = (state / "witness.jsonl").open("a"), (state / "calls.jsonl").open("a")
        self.counted: dict[str, int] = {}
        self.expired: set[str] = set()
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", port), Handler)

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)

    def serve(self, world: World) -> None:
        self.world = world
        world.forwarded = self.forwarded
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def forward(self, request: Request) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.moto_port, timeout=60)
        headers = {key: value for key, value in request.headers.items() if key not in ("host", "connection", "content-length", "expect")}
        connection.request(request.method, request.path, body=request.body, headers=headers)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        kept = {key.lower(): value for key, value in response.getheaders() if key.lower() not in ("connection", "transfer-encoding", "content-length", "date", "server")}
        return Answer(response.status, kept, body)

    def forwarded(self, request: Request) -> dict[str, Any]:
        given = self.forward(request)
        if given.status >= 300:
            raise Passed(given)
        return parsed(request, given)

    def respond(self, request: Request) -> Answer:
        is_change = bool(request.action) and not request.action.startswith(READS)
        outcome = "ok"
        try:
            if request.protocol == "smithy-rpc-v2-cbor":
                raise Fault("SerializationException", "this laboratory speaks CloudWatch's query protocol; use aws-sdk-cloudwatch 1.99.0", 400)
            self.refuse(request)
            handler = HANDLERS.get(request.service, {}).get(request.action)
            result = handler(self.world, request) if handler else None
            given = self.forward(request) if result is None else answer(request, result)
            if given.status >= 300:
                raise Passed(given)
            if is_change:
                self.world.happened(request)
            return given
        except Passed as passed:
            is_dry_run = is_change and b"DryRunOperation" in passed.answer.body
            outcome = DRY_RUN if is_dry_run else f"refused by moto: {passed.answer.status}"
            return passed.answer
        except Fault as fault:
            outcome = fault.code
            return error(request, fault)
        except Exception as broken:  # A mistake of the laboratory's must show, at the caller and in the files.
            outcome = f"laboratory: {type(broken).__name__}: {broken}"
            return error(request, Fault("InternalFailure", outcome, 500))
        finally:
            self.write(request, outcome, is_change)

    def refuse(self, request: Request) -> None:
        wire, service = self.world.scenario.wire, request.service
        with self.lock:
            total = self.counted["*"] = self.counted.get("*", 0) + 1
            count = self.counted[request.name] = self.counted.get(request.name, 0) + 1
            if "expire_after_calls" in wire and total == wire["expire_after_calls"] + 1:
                self.expired.add(request.access_key)
        protocol = request.protocol or "query"
        if request.access_key in self.expired:
            raise Fault(*EXPIRED[protocol])
        every = wire.get("throttle_every")
        if every and count % every == 1 % every and (request.name in wire.get("throttle", [request.name])):
            raise Fault(*THROTTLED[protocol])
        if request.name in wire.get("deny", []):
            code, status = DENIED[protocol]
            raise Fault(code, f"User: arn:aws:iam::123456789012:user/operator is not authorized to perform: {request.name} on resource: "
                              f"{resource(self.world, request, service)} because no identity-based policy allows the {request.name} action", status)

    def write(self, request: Request, outcome: str, is_change: bool) -> None:
        now = time.time()
        entry = {"time": now, "call": request.name, "region": request.region, "outcome": outcome}
        with self.lock:
            self.calls.write(json.dumps(entry) + "\n")
            self.calls.flush()
            if not is_change:
                return
            targets = sorted(named_targets(self.world, request))
            # Nothing was asked for but whether it may be: the trail keeps it as AWS's does, and nothing has changed.
            if outcome == DRY_RUN:
                self.world.changes.append(recorded(self.world, request, targets, outcome))
                return
            phases = {name: target.phase for name, target in self.world.targets.items()}
            full = {**entry, "targets": targets, "arguments": request.arguments, "phases": phases}
            self.witness.write(json.dumps(full, default=str) + "\n")
            self.witness.flush()
        if targets:
            self.world.changes.append(recorded(self.world, request, targets, outcome))


def recorded(world: World, request: Request, targets: list[str], outcome: str) -> dict[str, Any]:
    """An entry of the trail."""
    change = {"time": world.clock.now(), "event": request.action, "source": f"{request.service}.amazonaws.com", "user": "operator", "on": targets,
              "arguments": request.arguments}
    if outcome != "ok":
        change["error"] = outcome
    return change


def resource(world: World, request: Request, service: str) -> str:
    names = sorted(named_targets(world, request))
    target = world.targets[names[0]] if names else None
    kinds = {"instance": "instance/", "database": "db:", "cluster": "cluster:", "group": "autoScalingGroup:*:autoScalingGroupName/"}
    return f"arn:aws:{service}:{world.scenario.region}:123456789012:{kinds[target.kind]}{target.id}" if target else "*"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 120
    disable_nagle_algorithm = True

    def handle_any(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        if length > BODY_BYTES_MAX:
            self.send_error(413)
            return
        body = self.rfile.read(length)
        headers = {key.lower(): value for key, value in self.headers.items()}
        if self.path == "/_lab/state":
            given = Answer(200, {"content-type": "application/json"}, json.dumps(self.server.world.state_shown()).encode())
        else:
            request = read(self.command, self.path, headers, body)
            given = self.server.respond(request) if request.service else self.server.forward(request)
        self.send_response(given.status)
        for key, value in given.headers.items():
            self.send_header(key, value)
        self.send_header("content-length", str(len(given.body)))
        self.end_headers()
        self.wfile.write(given.body)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = handle_any

    def log_message(self, *_: Any) -> None:
        pass
