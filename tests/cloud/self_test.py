"""Shows that each scenario does what it says: the symptoms are seen by the calls that an agent has, what is wrong does not
cure, what is right does, what worsens worsens, and the health endpoint, the alarm and the series follow. Through boto3, by
the proxy, with the laboratory as a process of its own."""

import json
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Callable

from botocore import xform_name
from botocore.exceptions import ClientError

from aws import Clients
from scenario import Scenario, load

WAIT_S = 60
SERVICES = {"autoscaling": "autoscaling", "ec2": "ec2", "rds": "rds", "ssm": "ssm", "cloudwatch": "cloudwatch"}


class Laboratory:
    """The laboratory as a test uses it: a process, an endpoint, a state folder."""

    def __init__(self, scenario: Scenario, factor: float):
        self.scenario, self.factor = scenario, factor
        self.folder = tempfile.TemporaryDirectory()
        command = [sys.executable, str(Path(__file__).parent / "lab.py"), "--scenario", scenario.name, "--state", self.folder.name, "--clock", str(factor)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"the laboratory does not start: {self.process.wait()}")
        self.ready = json.loads(line)
        self.enter("AKIASELFTESTSELFTEST")

    def enter(self, key: str) -> None:
        self.aws = Clients(self.ready["endpoint"], self.ready["region"], key)

    def __enter__(self) -> "Laboratory":
        return self

    def __exit__(self, *_: Any) -> None:
        self.process.stdin.close()
        self.process.wait(30)
        self.folder.cleanup()

    def id(self, name: str) -> str:
        return self.ready["targets"][name]["id"]

    @property
    def is_by_turns(self) -> bool:
        """Whether it may answer now and then although it is sick."""
        return self.scenario.root_cause in ("crash_loop", "throttled")

    def is_healthy(self, name: str | None = None) -> bool:
        url = self.ready["targets"][name or self.scenario.target]["health"]
        try:
            return urllib.request.urlopen(url, timeout=1).status == 200
        except OSError:
            return False

    def stays_healthy(self) -> bool:
        """For so long that one that is well by turns is found out."""
        until = time.monotonic() + (10 if self.is_by_turns else 1.5)
        while time.monotonic() < until:
            if not self.is_healthy():
                return False
            time.sleep(0.1)
        return True

    def calls(self, call: Callable[[], Any]) -> Any:
        """Tried again while it is throttled, as every client does."""
        for _ in range(20):
            try:
                return call()
            except ClientError as error:
                if error.response["Error"]["Code"] not in ("RequestLimitExceeded", "Throttling", "ThrottlingException"):
                    raise
        raise AssertionError("throttled for ever")

    def alarm(self) -> str:
        found = self.calls(lambda: self.aws.client("cloudwatch").describe_alarms(AlarmNames=[self.scenario.alarm]))
        return found["MetricAlarms"][0]["StateValue"]

    def step(self, step: dict[str, Any]) -> dict[str, Any]:
        """A step done, and waited for."""
        service, operation = step["call"].split(":")
        identity = self.id(step["on"])
        arguments = {
            "RebootInstances": {"InstanceIds": [identity]}, "StopInstances": {"InstanceIds": [identity]}, "StartInstances": {"InstanceIds": [identity]},
            "RebootDBInstance": {"DBInstanceIdentifier": identity}, "ModifyDBInstance": {"DBInstanceIdentifier": identity},
            "FailoverDBCluster": {"DBClusterIdentifier": identity}, "SetDesiredCapacity": {"AutoScalingGroupName": identity},
            "SendCommand": {"InstanceIds": [identity], "DocumentName": "AWS-RunShellScript", "TimeoutSeconds": 30, "Parameters": {"commands": [step.get("script", "")]}},
        }[operation]
        client = self.aws.client(SERVICES[service])
        method = xform_name(operation)
        answer = self.calls(lambda: getattr(client, method)(**arguments, **step.get("arguments", {})))
        if operation == "SendCommand":
            return self.finished(answer["Command"]["CommandId"], identity)
        settled = {"StopInstances": "stopped", "StartInstances": "running", "RebootInstances": "running"}.get(operation, "available")
        if service in ("ec2", "rds"):
            until(f"{step['call']} is over", lambda: self.state(step["on"])["state"] == settled)
        time.sleep(step.get("after_seconds", 0) / self.factor + 0.3)
        return answer

    def finished(self, command: str, identity: str) -> dict[str, Any]:
        seen = []
        def over() -> dict[str, Any] | None:
            found = self.calls(lambda: self.aws.client("ssm").get_command_invocation(CommandId=command, InstanceId=identity))
            seen.append(found["Status"])
            return found if found["Status"] not in ("Pending", "InProgress") else None
        found = until("the command is over", over)
        assert seen[0] in ("Pending", "InProgress"), seen
        return found

    def state(self, name: str) -> dict[str, Any]:
        return json.load(urllib.request.urlopen(f"{self.ready['endpoint']}/_lab/state"))["targets"][name]

    def witnessed(self) -> list[dict[str, Any]]:
        path = Path(self.ready["witness"])
        return [json.loads(line) for line in path.read_text().splitlines()]


def until(what: str, is_so: Callable[[], Any], seconds: float = WAIT_S) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := is_so()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not in time: {what}")
        time.sleep(0.1)
    return found


def symptoms(lab: Laboratory) -> None:
    """What an agent sees: the alarm and its history, the series around the onset, the logs, the state."""
    scenario, clients = lab.scenario, lab.aws
    is_healthy = scenario.root_cause == "healthy"
    if lab.is_by_turns:
        until("it is sick by turns", lambda: not lab.is_healthy())
        if scenario.root_cause == "crash_loop":
            until("and well by turns", lab.is_healthy)
    else:
        assert lab.is_healthy() == is_healthy, "the health endpoint"
    history = lab.calls(lambda: clients.client("cloudwatch").describe_alarm_history(AlarmName=scenario.alarm, HistoryItemType="StateUpdate"))["AlarmHistoryItems"]
    assert any("to ALARM" in item["HistorySummary"] for item in history), history
    expected = "OK" if scenario.recovered_minutes_ago is not None else "ALARM"
    assert lab.alarm() == expected or scenario.name == "noise-alarm", f"the alarm is {lab.alarm()}"
    before, after = around(lab)
    assert before and after, "the series"
    changed = [abs(value - sum(before) / len(before)) for value in after]
    assert max(changed) > 4 * max(0.01, spread(before)), (before, after)
    of_alarm(lab, is_healthy)


def of_alarm(lab: Laboratory, is_healthy: bool) -> None:
    target = lab.ready["targets"][lab.scenario.fault.get("on", lab.scenario.target)]
    if target["kind"] == "instance":
        statuses = lab.calls(lambda: lab.aws.client("ec2").describe_instance_status(InstanceIds=[target["id"]]))["InstanceStatuses"]
        impaired = "impaired" in (statuses[0]["InstanceStatus"]["Status"], statuses[0]["SystemStatus"]["Status"])
        assert impaired == (lab.scenario.fault.get("kind") == "freeze"), statuses
        information = lab.calls(lambda: lab.aws.client("ssm").describe_instance_information())["InstanceInformationList"]
        assert information[0]["PingStatus"] == ("ConnectionLost" if impaired else "Online"), information
    elif target["kind"] == "database":
        shown = lab.calls(lambda: lab.aws.client("rds").describe_db_instances(DBInstanceIdentifier=target["id"]))["DBInstances"][0]
        assert shown["DBInstanceStatus"] == lab.scenario.databases[target["id"]].get("status", "available"), shown["DBInstanceStatus"]
    if lab.scenario.logs and not lab.scenario.wire.get("expire_after_calls"):
        name = lab.scenario.logs[0]["on"]
        group = f"/aws/rds/instance/{lab.id(name)}/postgresql" if lab.ready["targets"][name]["kind"] in ("database", "cluster") else f"/lab/{name}"
        wanted = lab.scenario.logs[0]["message"]
        def there() -> bool:
            events = lab.calls(lambda: lab.aws.client("logs").filter_log_events(logGroupName=group))["events"]
            return any(wanted in event["message"] for event in events)
        until("the log lines", there, 10)


def around(lab: Laboratory) -> tuple[list[float], list[float]]:
    """The alarm's metric well before the onset, and in the three minutes before the laboratory started, or the recovery."""
    scenario = lab.scenario
    alarm = lab.calls(lambda: lab.aws.client("cloudwatch").describe_alarms(AlarmNames=[scenario.alarm]))["MetricAlarms"][0]
    now = datetime.now(timezone.utc)
    metric = {"Namespace": alarm["Namespace"], "MetricName": alarm["MetricName"], "Dimensions": alarm["Dimensions"]}
    query = {"Id": "m1", "MetricStat": {"Metric": metric, "Period": 60, "Stat": alarm["Statistic"]}}
    found = lab.calls(lambda: lab.aws.client("cloudwatch").get_metric_data(MetricDataQueries=[query], StartTime=now - timedelta(hours=3), EndTime=now, ScanBy="TimestampAscending"))
    points = list(zip(found["MetricDataResults"][0]["Timestamps"], found["MetricDataResults"][0]["Values"]))
    onset = now - timedelta(minutes=scenario.onset_minutes)
    until_then = now - timedelta(minutes=scenario.recovered_minutes_ago or 0)
    before = [value for moment, value in points if moment < onset - timedelta(minutes=85 if scenario.name != "noise-alarm" else 9)]
    if scenario.name == "noise-alarm":
        before = [value for value in (value for _, value in points) if value < 50]
        return before, [value for _, value in points if value > 50]
    return before, [value for moment, value in points if onset + timedelta(minutes=3) < moment < until_then]


def spread(values: list[float]) -> float:
    return max(values) - min(values)


def wrong(lab: Laboratory) -> None:
    for entry in lab.scenario.wrong:
        for step in entry["steps"]:
            outcome = attempt(lab, step)
        if lab.scenario.root_cause != "healthy":
            # So long that a cure would show, also the slow ones.
            time.sleep(100 / lab.factor)
            assert not lab.stays_healthy(), f"{entry['steps']} has cured it ({outcome})"


def attempt(lab: Laboratory, step: dict[str, Any]) -> str:
    """A step that may be refused; what came of it."""
    try:
        return str(lab.step(step).get("Status", "done"))
    except ClientError as error:
        return error.response["Error"]["Code"]


def worsens(lab: Laboratory) -> None:
    for entry in lab.scenario.worsens:
        for step in entry["steps"]:
            lab.step(step)
        until("it is worse", lambda: lab.state(lab.scenario.fault["on"])["phase"] == "worse")
        for step in entry["undo"]:
            lab.step(step)
        until("it is as before", lambda: lab.state(lab.scenario.fault["on"])["phase"] == "sick")
        assert not lab.is_healthy()


def cures(lab: Laboratory, cure: dict[str, Any]) -> None:
    for step in cure["steps"]:
        answer = lab.step(step)
        assert answer.get("Status", "Success") == "Success" or step["call"] != "ssm:SendCommand", answer
    until(f"healthy after {cure['steps']}", lambda: lab.is_healthy() and lab.stays_healthy())
    until("the alarm is OK again", lambda: lab.alarm() == "OK")


def expired(lab: Laboratory) -> None:
    """The key in use ends in the middle; another one works."""
    def is_expired() -> bool:
        try:
            lab.aws.client("ec2").describe_instances()
            return False
        except ClientError as error:
            return error.response["Error"]["Code"] == "RequestExpired"
    until("the credentials expire", is_expired)
    for service, call, code in (("ssm", "describe_instance_information", "ExpiredTokenException"), ("cloudwatch", "describe_alarms", "ExpiredToken")):
        try:
            getattr(lab.aws.client(service), call)()
            raise AssertionError(f"{service} takes expired credentials")
        except ClientError as error:
            assert error.response["Error"]["Code"] == code, error
    lab.enter("AKIASELFTESTRENEWED1")


def one(scenario: Scenario, factor: float) -> None:
    for index, cure in enumerate(scenario.cures or [None]):
        with Laboratory(scenario, factor) as lab:
            if scenario.wire.get("expire_after_calls"):
                expired(lab)
                assert not lab.is_healthy()
            elif index == 0:
                symptoms(lab)
            if index == 0:
                wrong(lab)
                worsens(lab)
            if cure:
                cures(lab, cure)
            changes = lab.witnessed()
            made = sum(len(entry["steps"]) + len(entry.get("undo", [])) for entry in ([*scenario.wrong, *scenario.worsens] if index == 0 else []) + ([cure] if cure else []))
            accepted = [change for change in changes if "Limit" not in change["outcome"] and "Throttling" not in change["outcome"]]
            assert len(accepted) == made, [(change["call"], change["outcome"]) for change in changes]
            assert not any(change["outcome"].startswith("laboratory") for change in changes), changes


def run(names: list[str], factor: float) -> int:
    failed = 0
    for name in names:
        began = time.monotonic()
        try:
            one(load(name), factor)
            print(f"ok      {name:24} {time.monotonic() - began:5.1f} s", flush=True)
        except Exception as error:
            failed += 1
            print(f"FAILED  {name:24} {type(error).__name__}: {error}", flush=True)
            traceback.print_exc()
    print(f"{len(names) - failed} of {len(names)} scenarios do what they say")
    return 1 if failed else 0
