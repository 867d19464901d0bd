"""EC2, Auto Scaling and load balancing: moto has the instances and groups; what happens to them takes its time here, and
really happens inside of them."""

import base64
from datetime import datetime, timezone
from typing import Any

from target import Target
from wire import Fault, Request

# In the laboratory's seconds: about what AWS takes.
REBOOT_S, STOP_S, START_S, INITIALIZING_S = 25, 30, 20, 45
CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}


def named(world: Any, request: Request) -> list[Target]:
    found = []
    for identity in request.arguments.get("InstanceIds", []):
        target = world.target_of(identity, "instance")
        if target:
            found.append(target)
    return found


def state_of(target: Target) -> dict[str, Any]:
    state = "running" if target.state == "rebooting" else target.state
    return {"Code": CODES[state], "Name": state}


def describe_instances(world: Any, request: Request) -> dict[str, Any]:
    result = world.forwarded(request)
    for reservation in result.get("Reservations", []):
        for instance in reservation.get("Instances", []):
            if target := world.target_of(instance["InstanceId"], "instance"):
                instance["State"] = state_of(target)
                instance["LaunchTime"] = world.clock.date(target.booted)
    return result


def checks(world: Any, target: Target) -> tuple[str, str]:
    """The status of the system and of the instance."""
    if target.state != "running":
        return ("not-applicable", "not-applicable") if target.state != "rebooting" else ("ok", "initializing")
    if target.machine and target.machine.is_frozen:
        return ("impaired", "impaired") if world.scenario.fault.get("check") == "system" else ("ok", "impaired")
    if world.clock.now() < target.booted + INITIALIZING_S:
        return "initializing", "initializing"
    return "ok", "ok"


def describe_instance_status(world: Any, request: Request) -> dict[str, Any]:
    arguments = request.arguments
    ids = arguments.get("InstanceIds")
    members = {identity: group for group in world.targets.values() if group.kind == "group" for identity in world.members(group)}
    for identity in ids or []:
        if not world.target_of(identity, "instance") and identity not in members:
            raise Fault("InvalidInstanceID.NotFound", f"The instance ID '{identity}' does not exist")
    shown = [well(world, identity) for identity in members if not ids or identity in ids]
    for target in world.targets.values():
        if target.kind != "instance" or (ids and target.id not in ids):
            continue
        state = state_of(target)
        if state["Name"] != "running" and not arguments.get("IncludeAllInstances"):
            continue
        system, instance = checks(world, target)
        since = world.clock.date(world.impaired_since(target))
        entry = {"InstanceId": target.id, "AvailabilityZone": f"{world.scenario.region}a", "InstanceState": state, "Events": []}
        for key, status in (("SystemStatus", system), ("InstanceStatus", instance)):
            detail = {"Name": "reachability", "Status": {"ok": "passed", "impaired": "failed"}.get(status, status)}
            if status == "impaired":
                detail["ImpairedSince"] = since
            entry[key] = {"Status": status, "Details": [detail] if status != "not-applicable" else []}
        wanted = {item["Name"]: item["Values"] for item in arguments.get("Filters", [])}
        values = {"instance-state-name": state["Name"], "instance-status.status": instance, "system-status.status": system}
        if all(values.get(name) in allowed for name, allowed in wanted.items()):
            shown.append(entry)
    return {"InstanceStatuses": shown}


def well(world: Any, identity: str) -> dict[str, Any]:
    """A member of a group: the machine itself is well, whatever is asked of it."""
    passed = {"Status": "ok", "Details": [{"Name": "reachability", "Status": "passed"}]}
    return {"InstanceId": identity, "AvailabilityZone": f"{world.scenario.region}a", "InstanceState": {"Code": 16, "Name": "running"}, "Events": [],
            "SystemStatus": passed, "InstanceStatus": passed}


def get_console_output(world: Any, request: Request) -> dict[str, Any]:
    target = world.target_of(request.arguments["InstanceId"], "instance")
    if not target:
        raise Fault("InvalidInstanceID.NotFound", f"The instance ID '{request.arguments['InstanceId']}' does not exist")
    lines = [f"[{max(0.0, entry['time'] - world.clock.started):12.6f}] {entry['unit']}: {entry['message']}"
             for entry in world.console.get(target.name, []) if entry["unit"] in ("kernel", "systemd")]
    text = "\r\n".join(lines[-400:]).encode()[-65536:]
    return {"InstanceId": target.id, "Timestamp": datetime.now(timezone.utc), "Output": base64.b64encode(text).decode()}


def reboot_instances(world: Any, request: Request) -> dict[str, Any]:
    result = world.forwarded(request)
    for target in named(world, request):
        if target.state != "running":
            raise Fault("IncorrectInstanceState", f"The instance '{target.id}' is not in a state from which it can be rebooted.")
        was_frozen = bool(target.machine and target.machine.is_frozen)
        target.go("rebooting")
        if target.machine:
            target.machine.halt()
        world.later(REBOOT_S, lambda target=target, was_frozen=was_frozen: started(world, target, was_frozen and survives(world, "reboot")))
    return result


def survives(world: Any, what: str) -> bool:
    return what in world.scenario.fault.get("survives", [])


def started(world: Any, target: Target, is_frozen: bool) -> None:
    target.booted = world.clock.now()
    if target.machine:
        target.machine.boot()
        if is_frozen:
            target.machine.booted.wait(20)
            target.machine.freeze()
    target.go("running")


def stop_instances(world: Any, request: Request) -> dict[str, Any]:
    result = world.forwarded(request)
    before = {}
    for target in named(world, request):
        before[target.id] = state_of(target)
        if target.state in ("stopped", "stopping"):
            continue
        target.go("stopping")
        if target.machine:
            target.machine.halt()
        world.later(STOP_S, lambda target=target: target.go("stopped"))
    return transitions(world, result, "StoppingInstances", before)


def start_instances(world: Any, request: Request) -> dict[str, Any]:
    before = {}
    for target in named(world, request):
        before[target.id] = state_of(target)
        if target.state not in ("stopped", "running"):
            raise Fault("IncorrectInstanceState", f"The instance '{target.id}' is not in a state from which it can be started.")
    result = world.forwarded(request)
    for target in named(world, request):
        if target.state == "stopped":
            target.go("pending")
            world.later(START_S, lambda target=target: started(world, target, survives(world, "stop")))
    return transitions(world, result, "StartingInstances", before)


def transitions(world: Any, result: dict[str, Any], key: str, before: dict[str, Any]) -> dict[str, Any]:
    for entry in result.get(key, []):
        if target := world.target_of(entry["InstanceId"], "instance"):
            entry["CurrentState"], entry["PreviousState"] = state_of(target), before[target.id]
    return result


def describe_target_health(world: Any, request: Request) -> dict[str, Any]:
    arn = request.arguments["TargetGroupArn"]
    name = next((name for name, group in world.target_groups.items() if group["arn"] == arn), None)
    if name is None:
        raise Fault("TargetGroupNotFound", f"Target groups '{arn}' not found")
    shown = []
    for member in world.scenario.target_groups[name]["of"]:
        target = world.targets[member]
        ids = world.members(target) if target.kind == "group" else [target.id]
        for index, identity in enumerate(ids):
            shown.append({"Target": {"Id": identity, "Port": 80}, "HealthCheckPort": "80", "TargetHealth": health(target, index)})
    return {"TargetHealthDescriptions": shown}


def health(target: Target, index: int) -> dict[str, str]:
    if target.kind == "instance" and target.state in ("stopped", "stopping"):
        return {"State": "unused", "Reason": "Target.InvalidState", "Description": "Target is in the stopped state"}
    # Of an overloaded group one target in two fails its checks, and all of them when it was made worse.
    is_well = target.phase == "well" or (target.kind == "group" and target.phase == "sick" and index % 2 == 0)
    if is_well and target.is_up:
        return {"State": "healthy"}
    if target.machine and target.machine.is_frozen:
        return {"State": "unhealthy", "Reason": "Target.Timeout", "Description": "Request timed out"}
    return {"State": "unhealthy", "Reason": "Target.FailedHealthChecks", "Description": "Health checks failed"}


EC2 = {
    "DescribeInstances": describe_instances, "DescribeInstanceStatus": describe_instance_status, "GetConsoleOutput": get_console_output,
    "RebootInstances": reboot_instances, "StopInstances": stop_instances, "StartInstances": start_instances,
}
BALANCING = {"DescribeTargetHealth": describe_target_health}
