"""A scenario as it is written down in `scenarios/*.toml`, read and checked: an unknown key or a name that is not there is
an error that says where. README.md in this folder describes the form."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "scenarios"
ROOT_CAUSES = (
    "healthy oom_killed cpu_saturation storage_full connection_exhaustion replication_lag failover slow_query lock_contention memory_leak "
    "error_spike_after_deploy bad_configuration crash_loop image_pull_backoff pending_pod probe_failure resource_quota_exceeded dns_resolution_failure "
    "node_not_ready deployment_rollout_stuck dependency_down certificate_expired permission_denied port_conflict disk_io_saturation "
    "network_partition throttled process_hung"
).split()
OUTCOMES = ("healed", "left_alone", "escalated")
KEYS = {
    "": "name summary root_cause also_right expected asks alarm target region onset_minutes recovered_minutes_ago instances databases groups target_groups metrics "
    "alarms logs events changes fault cures wrong worsens wire",
    "instances": "tags type disk_mib unit files units agent depends_on",
    "databases": "tags engine class storage_gib cluster multi_az status health group",
    "groups": "tags type desired min max health",
    "target_groups": "of",
    "alarms": "name on metric statistic threshold comparison periods period_seconds",
    "metrics": "namespace unit normal sick worse noise lead_minutes ramp_minutes recover_minutes bursts",
    "logs": "on message unit level minutes_ago until_minutes_ago every_seconds",
    "events": "on message categories minutes_ago",
    "changes": "on event source user minutes_ago",
    "fault": "on kind survives check unit signal script while_unit",
    "cures": "steps",
    "wrong": "steps",
    "worsens": "steps undo",
    "steps": "call on script arguments when after_seconds to",
    "wire": "throttle_every throttle deny expire_after_calls",
}


class Mistake(Exception):
    """What is wrong with a scenario, and where."""


@dataclass
class Scenario:
    name: str
    summary: str
    root_cause: str
    expected: str
    alarm: str
    target: str
    also_right: list[str] = field(default_factory=list)
    asks: bool = False
    region: str = "eu-west-1"
    onset_minutes: float = 14
    recovered_minutes_ago: float | None = None
    instances: dict[str, Any] = field(default_factory=dict)
    databases: dict[str, Any] = field(default_factory=dict)
    groups: dict[str, Any] = field(default_factory=dict)
    target_groups: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    alarms: list[dict[str, Any]] = field(default_factory=list)
    logs: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    changes: list[dict[str, Any]] = field(default_factory=list)
    fault: dict[str, Any] = field(default_factory=dict)
    cures: list[dict[str, Any]] = field(default_factory=list)
    wrong: list[dict[str, Any]] = field(default_factory=list)
    worsens: list[dict[str, Any]] = field(default_factory=list)
    wire: dict[str, Any] = field(default_factory=dict)

    def steps(self) -> list[tuple[str, dict[str, Any]]]:
        """Every step that is named, with what it does: `well`, `worse`, or what it says itself."""
        named = []
        for cure in self.cures:
            named += [("well", step) for step in cure["steps"]]
        for bad in self.worsens:
            named += [("worse", step) for step in bad["steps"]]
            named += [("sick", step) for step in bad.get("undo", [])]
        return named


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str) -> Scenario:
    path = FOLDER / f"{name}.toml"
    if not path.is_file():
        raise Mistake(f"there is no scenario `{name}`\nhint: there are: {', '.join(names())}")
    try:
        data = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise Mistake(f"{path}: {error}") from None
    _keys(path, "", data, KEYS[""])
    for section in ("instances", "databases", "groups", "target_groups"):
        for key, value in data.get(section, {}).items():
            _keys(path, f"{section}.{key}", value, KEYS[section])
    for target, metrics in data.get("metrics", {}).items():
        for metric, value in metrics.items():
            _keys(path, f"metrics.{target}.{metric}", value, KEYS["metrics"])
    for section in ("alarms", "logs", "events", "changes", "cures", "wrong", "worsens"):
        for index, value in enumerate(data.get(section, [])):
            _keys(path, f"{section}[{index}]", value, KEYS[section])
            for step in [*value.get("steps", []), *value.get("undo", [])]:
                _keys(path, f"{section}[{index}].steps", step, KEYS["steps"])
    for section in ("fault", "wire"):
        _keys(path, section, data.get(section, {}), KEYS[section])
    try:
        scenario = Scenario(**data)
    except TypeError as error:
        raise Mistake(f"{path}: {error}") from None
    _check(path, scenario)
    return scenario


def _keys(path: Path, where: str, value: Any, known: str) -> None:
    if not isinstance(value, dict):
        raise Mistake(f"{path}: `{where}` is not a table")
    for key in value:
        if key not in known.split():
            raise Mistake(f"{path}: unknown key `{key}` in `{where or 'the file'}`\nhint: known are: {known}")


def _check(path: Path, scenario: Scenario) -> None:
    if scenario.name != path.stem:
        raise Mistake(f"{path}: its name is `{scenario.name}`")
    for cause in [scenario.root_cause, *scenario.also_right]:
        if cause not in ROOT_CAUSES:
            raise Mistake(f"{path}: `{cause}` is no root cause of the taxonomy")
    if scenario.expected not in OUTCOMES:
        raise Mistake(f"{path}: `expected` is not one of {', '.join(OUTCOMES)}: {scenario.expected}")
    there = {*scenario.instances, *scenario.databases, *scenario.groups, *(value["cluster"] for value in scenario.databases.values() if "cluster" in value)}
    named = [scenario.target, *scenario.metrics, *([scenario.fault["on"]] if scenario.fault else [])]
    named += [entry["on"] for entry in [*scenario.alarms, *scenario.logs, *scenario.events, *scenario.changes]]
    named += [step["on"] for _, step in scenario.steps()] + [step["on"] for wrong in scenario.wrong for step in wrong["steps"]]
    for name in named:
        if name not in there:
            raise Mistake(f"{path}: there is no `{name}`\nhint: there are: {', '.join(sorted(there))}")
    if scenario.alarm not in [alarm["name"] for alarm in scenario.alarms]:
        raise Mistake(f"{path}: there is no alarm `{scenario.alarm}`")
    if (scenario.expected == "healed") and not scenario.cures:
        raise Mistake(f"{path}: it is expected to heal, and nothing cures it")
