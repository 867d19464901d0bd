"""The metric series of the model: a level for each phase, ramps between them, a little noise that is always the same for
the same minute. And the alarms on them, which are really evaluated, period by period, from the series."""

import hashlib
import json
import math
import threading
from dataclasses import dataclass, field
from typing import Any

from clock import Clock
from target import Target

STEP_S = 60
HISTORY_S = 3 * 3600  # How far back there are samples.
# For each kind: name, namespace or the kind's own, unit, level while well, noise.
USUAL = {
    "instance": [
        ("CPUUtilization", None, "Percent", 18, 2), ("StatusCheckFailed", None, "Count", 0, 0), ("StatusCheckFailed_Instance", None, "Count", 0, 0),
        ("StatusCheckFailed_System", None, "Count", 0, 0), ("NetworkIn", None, "Bytes", 2.1e6, 2e5), ("NetworkOut", None, "Bytes", 5.6e6, 4e5),
        ("CPUCreditBalance", None, "Count", 144, 1), ("mem_used_percent", "CWAgent", "Percent", 41, 1), ("disk_used_percent", "CWAgent", "Percent", 37, 0.3),
    ],
    "database": [
        ("CPUUtilization", None, "Percent", 22, 2), ("DatabaseConnections", None, "Count", 38, 3), ("FreeStorageSpace", None, "Bytes", 1.2e10, 1e7),
        ("FreeableMemory", None, "Bytes", 1.9e9, 2e7), ("ReadLatency", None, "Seconds", 0.0015, 0.0002), ("WriteLatency", None, "Seconds", 0.0022, 0.0003),
        ("ReadIOPS", None, "Count/Second", 180, 15), ("WriteIOPS", None, "Count/Second", 95, 10), ("DiskQueueDepth", None, "Count", 0.4, 0.1),
    ],
    "group": [("CPUUtilization", None, "Percent", 38, 3), ("GroupInServiceInstances", "AWS/AutoScaling", "Count", 2, 0)],
}
USUAL["cluster"] = USUAL["database"]
COMPARISONS = {
    "GreaterThanThreshold": ("greater than", lambda value, limit: value > limit),
    "GreaterThanOrEqualToThreshold": ("greater than or equal to", lambda value, limit: value >= limit),
    "LessThanThreshold": ("less than", lambda value, limit: value < limit),
    "LessThanOrEqualToThreshold": ("less than or equal to", lambda value, limit: value <= limit),
}


@dataclass
class Metric:
    target: Target
    name: str
    namespace: str
    dimensions: list[dict[str, str]]
    unit: str
    levels: dict[str, float]
    noise: float
    lead_s: float = 0
    ramp_s: float = 60
    recover_s: float = 60
    bursts: dict[str, float] = field(default_factory=dict)
    origin: float = 0  # When the laboratory started: it is in the middle of a burst then.

    def at(self, moment: float) -> float | None:
        """Its value at a moment of the laboratory's time, or nothing where there is none: a stopped instance is silent."""
        phases = self.target.phases
        value = self.levels[phases[0][1]]
        phase = "well"
        for index, (since, phase_then) in enumerate(phases[1:], 1):
            is_bad = phase_then in ("sick", "worse")
            lead = self.lead_s if is_bad and index == 1 else 0
            if moment < since - lead:
                break
            phase = phase_then
            if phase == "off":
                continue
            length = max(lead, self.ramp_s) if is_bad else self.recover_s
            share = min(1.0, (moment - since + lead) / length) if length else 1.0
            value += (self.levels[phase] - value) * share
        if phase == "off":
            return None if self.namespace in ("AWS/EC2", "CWAgent") else value
        if self.bursts and ((moment - self.origin) / 60 + self.bursts["minutes"] / 2) % self.bursts["every_minutes"] < self.bursts["minutes"]:
            value = self.bursts["value"]
        digest = hashlib.blake2s(f"{self.target.name}/{self.name}/{int(moment // STEP_S)}".encode(), digest_size=4).digest()
        value += (int.from_bytes(digest, "big") / 2**31 - 1) * self.noise
        return max(0.0, round(value, 6))


def declared(target: Target, metrics: dict[str, Any], target_group: list[dict[str, str]] | None, origin: float) -> list[Metric]:
    """The usual metrics of a target, and those that the scenario has of it."""
    found: dict[str, dict[str, Any]] = {}
    for name, namespace, unit, normal, noise in USUAL[target.kind]:
        found[name] = {"namespace": namespace or target.namespace, "unit": unit, "normal": normal, "noise": noise}
    for name, given in metrics.items():
        found[name] = {"namespace": target.namespace, "unit": "Count", "noise": 0, "normal": 0, **found.get(name, {}), **given}
    made = []
    for name, given in found.items():
        sick = given.get("sick", given["normal"])
        dimensions = target.dimensions
        if given["namespace"] == "AWS/ApplicationELB":
            dimensions = target_group or []
        elif given["namespace"] not in (target.namespace, "CWAgent", "AWS/AutoScaling"):
            dimensions = [{"Name": "Service", "Value": target.name}]
        levels = {"well": given["normal"], "sick": sick, "worse": given.get("worse", sick), "off": given["normal"]}
        made.append(Metric(
            target, name, given["namespace"], dimensions, given["unit"], levels, given["noise"], given.get("lead_minutes", 0) * 60,
            given.get("ramp_minutes", 1) * 60, given.get("recover_minutes", 1) * 60, given.get("bursts", {}), origin,
        ))
    return made


def series(metric: Metric, clock: Clock, start: float, end: float, period: int) -> dict[float, list[float]]:
    """The samples from start up to end, of those that have happened, by periods: the time at which each begins, as everybody
    has it, and its samples. Where the laboratory goes faster its periods are as much shorter, like everything of AWS's."""
    first = math.ceil(max(clock.of_real(start), clock.started - HISTORY_S) / STEP_S)
    last = math.floor(min(clock.of_real(end), clock.now()) / STEP_S)
    buckets: dict[float, list[float]] = {}
    for tick in range(first, last + 1):
        moment = tick * STEP_S
        value = metric.at(moment)
        if value is not None and start <= clock.real(moment) < end:
            buckets.setdefault(clock.real(moment // period * period), []).append(value)
    return buckets


def statistic(values: list[float], name: str) -> float:
    if name == "Sum":
        return sum(values)
    if name == "Minimum":
        return min(values)
    if name == "Maximum":
        return max(values)
    if name == "SampleCount":
        return float(len(values))
    if name.startswith("p") and name[1:].replace(".", "").isdigit():
        ordered = sorted(values)
        return ordered[min(len(ordered) - 1, max(0, math.ceil(float(name[1:]) / 100 * len(ordered)) - 1))]
    return sum(values) / len(values)


@dataclass
class Alarm:
    """An alarm, evaluated up to some moment."""

    declared: dict[str, Any]
    metric: Metric
    state: str = "OK"
    since: float = 0
    reason: str = "Unchecked: Initial alarm creation"
    data: dict[str, Any] = field(default_factory=dict)
    evaluated: float = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    lock: Any = field(default_factory=threading.Lock)

    @property
    def name(self) -> str:
        return self.declared["name"]

    @property
    def period(self) -> int:
        return int(self.declared.get("period_seconds", 60))

    def evaluate(self, clock: Clock) -> None:
        """Go on from where it was evaluated last, period by period."""
        with self.lock:
            if not self.evaluated:
                self.evaluated = (clock.started - HISTORY_S + 3600) // self.period * self.period
                self.since = self.evaluated
            while self.evaluated + self.period <= clock.now():
                self.evaluated += self.period
                self._evaluate_at(self.evaluated, clock)

    def _evaluate_at(self, moment: float, clock: Clock) -> None:
        words, holds = COMPARISONS[self.declared["comparison"]]
        count, limit = int(self.declared.get("periods", 3)), float(self.declared["threshold"])
        points = []
        for index in range(count):
            end = moment - index * self.period
            values = [self.metric.at(tick) for tick in range(int(end) - self.period + STEP_S, int(end) + 1, STEP_S)] if self.period >= STEP_S else [self.metric.at(end)]
            there = [value for value in values if value is not None]
            if there:
                points.append((end, statistic(there, self.declared.get("statistic", "Average"))))
        if not points:
            state, reason = "INSUFFICIENT_DATA", f"Insufficient Data: {count} datapoints were unknown."
        else:
            is_breaching = len(points) == count and all(holds(value, limit) for _, value in points)
            is_kept = len(points) < count and self.state == "ALARM" and all(holds(value, limit) for _, value in points)
            state = "ALARM" if is_breaching or is_kept else "OK"
            shown = ", ".join(f"{value} ({clock.date(end):%d/%m/%y %H:%M:%S})" for end, value in points)
            negation = "" if state == "ALARM" else "not "
            reason = (f"Threshold Crossed: {len(points)} out of the last {count} datapoints [{shown}] were {negation}{words} the threshold ({limit}) "
                      f"(minimum {count if state == 'ALARM' else 1} datapoints for {self.state} -> {state} transition).")
        if state != self.state:
            self._change(state, reason, points, moment, clock)

    def _change(self, state: str, reason: str, points: list[tuple[float, float]], moment: float, clock: Clock) -> None:
        data = {
            "version": "1.0", "queryDate": stamp(clock, moment), "statistic": self.declared.get("statistic", "Average"), "period": self.period,
            "recentDatapoints": [value for _, value in points], "threshold": float(self.declared["threshold"]),
        }
        self.history.append({
            "AlarmName": self.name, "AlarmType": "MetricAlarm", "Timestamp": clock.date(moment), "HistoryItemType": "StateUpdate",
            "HistorySummary": f"Alarm updated from {self.state} to {state}",
            "HistoryData": json.dumps({
                "version": "1.0", "oldState": {"stateValue": self.state, "stateReason": self.reason, **({"stateReasonData": self.data} if self.data else {})},
                "newState": {"stateValue": state, "stateReason": reason, "stateReasonData": data},
            }),
        })
        self.state, self.reason, self.data, self.since = state, reason, data, moment


def stamp(clock: Clock, moment: float) -> str:
    return f"{clock.date(moment):%Y-%m-%dT%H:%M:%S}.000+0000"
