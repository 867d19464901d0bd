"""What there is in a scenario and how it is: the resources at moto, the insides of instances, the phases of everything that
can be sick, and what is yet to happen. A target with an inside is as sick as its service really is, asked again and again;
of the others the scenario's steps say which call cures and which makes worse."""

import heapq
import itertools
import json
import operator
import queue
import threading
import urllib.request
from pathlib import Path
from typing import Any, Callable

from aws import Clients
from clock import Clock
from metrics import Alarm, Metric
from scenario import Scenario
from target import Target
from wire import Request

PROBE_S, PROBE_TIMEOUT_S = 0.25, 1.0
COMPARE = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "==": operator.eq, "!=": operator.ne}
UNIT = """[Unit]
Description=The shop's web service
After=network.target

[Service]
ExecStart=/usr/bin/python3 -I -u /opt/web/web.py
MemoryMax={memory}
Restart={restart}
RestartSec=1

[Install]
WantedBy=multi-user.target
"""
RELEASE = 'VERSION = "1.4.1"\n\n\ndef answer(path):\n    return "ok"\n'


class World:
    def __init__(self, scenario: Scenario, clock: Clock, endpoint: str, state: Path):
        self.scenario, self.clock, self.state = scenario, clock, state
        self.moto = Clients(endpoint, scenario.region)
        self.targets: dict[str, Target] = {}
        self.metrics: list[Metric] = []
        self.alarms: dict[str, Alarm] = {}
        self.target_groups: dict[str, dict[str, Any]] = {}
        self.writers: dict[str, str] = {}
        self.events: list[tuple[float, str, str, list[str]]] = []
        self.changes: list[dict[str, Any]] = []
        self.commands: dict[tuple[str, str], dict[str, Any]] = {}
        self.console: dict[str, list[dict[str, Any]]] = {}
        self.told_alarms: dict[str, str] = {}
        self.forwarded: Callable[[Request], dict[str, Any]] = lambda request: {}
        self.lock = threading.RLock()
        self.agenda: list[tuple[float, int, Callable[[], Any]]] = []
        self.order = itertools.count()
        self.lines: queue.Queue = queue.Queue()
        self.ports: list[Any] = []
        self.ended = threading.Event()
        self.onset = clock.ago(scenario.onset_minutes)

    # What is there.

    def target_of(self, identity: str, kind: str) -> Target | None:
        return next((target for target in self.targets.values() if target.id == identity and target.kind == kind), None)

    def tags(self, target: Target) -> dict[str, str]:
        return {"Name": target.name, **target.declared.get("tags", {})}

    def members(self, group: Target) -> list[str]:
        found = self.moto.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[group.id])["AutoScalingGroups"]
        return [instance["InstanceId"] for instance in found[0]["Instances"]] if found else []

    def group_of(self, identity: str) -> Target | None:
        """The group that an instance is a member of."""
        return next((target for target in self.targets.values() if target.kind == "group" and identity in self.members(target)), None)

    def impaired_since(self, target: Target) -> float:
        """Since when it has been as it is: the onset, for what the fault brought about."""
        return max(self.onset, target.phases[-1][0], target.booted)

    # What is yet to happen.

    def later(self, seconds: float, act: Callable[[], Any]) -> None:
        with self.lock:
            heapq.heappush(self.agenda, (self.clock.now() + seconds, next(self.order), act))

    def keep_time(self) -> None:
        while not self.ended.wait(0.02):
            with self.lock:
                due = []
                while self.agenda and self.agenda[0][0] <= self.clock.now():
                    due.append(heapq.heappop(self.agenda)[2])
            for act in due:
                act()

    # What calls do to targets that are models.

    def happened(self, request: Request) -> None:
        """A changing call was made and answered: what it cures or makes worse comes about when its time is over."""
        named = named_targets(self, request)
        for leads_to, step in self.scenario.steps():
            if step["call"] != request.name or step["on"] not in named or "script" in step:
                continue
            if not all(holds(request.arguments.get(key), condition) for key, condition in step.get("when", {}).items()):
                continue
            fault = self.targets[self.scenario.fault["on"]]
            if fault.machine is None:
                to = step.get("to", leads_to)
                self.later(step.get("after_seconds", 0), lambda fault=fault, to=to: self.enter(fault, to))

    def enter(self, target: Target, phase: str) -> None:
        is_undone = phase == "sick" and target.phase != "worse"
        if not is_undone:
            target.enter(self.clock.now(), phase)

    def event(self, target: Target, message: str, categories: list[str]) -> None:
        self.events.append((self.clock.now(), target.name, message, categories))

    # What is observed of targets that are real.

    def watch(self, target: Target) -> None:
        while not self.ended.wait(PROBE_S):
            self.look(target)

    def look(self, target: Target) -> str:
        phase = "off" if target.state in ("stopped", "stopping") else "well" if probe(target.health) else "sick"
        target.enter(self.clock.now(), phase)
        return phase

    def ship(self) -> None:
        """Journals to CloudWatch Logs, as its agent does."""
        logs = self.moto.client("logs")
        while True:
            group, stream, event = self.lines.get()
            events = [event]
            while not self.lines.empty() and self.lines.queue[0][:2] == (group, stream):
                events.append(self.lines.get()[2])
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=sorted(events, key=lambda event: event["timestamp"]))

    def on_event(self, target: Target, message: dict[str, Any]) -> None:
        if message["event"] == "journal":
            self.console.setdefault(target.name, []).append(message)
            self.log(target, message["time"], f"{message['unit']}: {message['message']}")
        elif message["event"] == "unit":
            if self.scenario.fault.get("while_unit") == message["name"] and self.scenario.fault["on"] == target.name:
                target.machine.send(op="throttle", on=message["state"] == "active")

    def log(self, target: Target, real: float, text: str) -> None:
        self.lines.put((log_group(target), target.id, {"timestamp": int(real * 1000), "message": text}))

    def state_shown(self) -> dict[str, Any]:
        for alarm in self.alarms.values():
            alarm.evaluate(self.clock)
        targets = {
            name: {"kind": target.kind, "id": target.id, "state": target.state, "phase": target.phase, "health": target.health,
                   "phases": [[self.clock.date(moment).isoformat(), phase] for moment, phase in target.phases[1:]]}
            for name, target in self.targets.items()
        }
        history = {name: [[item["Timestamp"].isoformat(), item["HistorySummary"].rsplit(" ", 1)[-1]] for item in alarm.history] for name, alarm in self.alarms.items()}
        return {"targets": targets, "alarms": {name: alarm.state for name, alarm in self.alarms.items()}, "history": history}

    def keep(self, path: Path) -> None:
        """How it was when it ended, for who draws the time line."""
        path.write_text(json.dumps({"scenario": self.scenario.name, "started": self.clock.started, "ended": self.clock.real(self.clock.now()), **self.state_shown()}))

    def end(self) -> None:
        self.ended.set()
        for target in self.targets.values():
            if target.machine:
                target.machine.end()


def log_group(target: Target) -> str:
    return f"/aws/rds/instance/{target.id}/postgresql" if target.kind in ("database", "cluster") else f"/lab/{target.name}"


def named_targets(world: World, request: Request) -> set[str]:
    """The targets whose ids a call's arguments hold."""
    texts: set[str] = set()
    def collect(value: Any) -> None:
        if isinstance(value, str):
            texts.add(value)
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
            collect(inner)
    collect(request.arguments)
    return {target.name for target in world.targets.values() if target.id in texts}


def holds(value: Any, condition: str) -> bool:
    sign, _, text = condition.partition(" ")
    return value is not None and COMPARE[sign](value, json.loads(text))


def probe(url: str) -> bool:
    try:
        return urllib.request.urlopen(url, timeout=PROBE_TIMEOUT_S).status == 200
    except OSError:
        return False

