"""Systems Manager's agent: `AWS-RunShellScript` is run by bash inside of the instance, and how it ended comes by
GetCommandInvocation, `Pending` and `InProgress` first. An instance that hangs takes no command, and its agent is lost."""

import uuid
from typing import Any

from target import Target
from wire import Fault, Request

DELIVERY_S = 1  # How long a command is on its way, in the laboratory's time.


def is_online(target: Target) -> bool:
    return target.state == "running" and target.machine is not None and target.machine.is_responsive


def send_command(world: Any, request: Request) -> dict[str, Any]:
    arguments = request.arguments
    if arguments.get("DocumentName") != "AWS-RunShellScript":
        raise Fault("InvalidDocument", f"Document with name {arguments.get('DocumentName')} does not exist.")
    script = "\n".join(arguments.get("Parameters", {}).get("commands", []))
    if not script:
        raise Fault("InvalidParameters", "Parameter 'commands' is required by AWS-RunShellScript")
    ids = list(arguments.get("InstanceIds", []))
    for entry in arguments.get("Targets", []):
        if entry["Key"] == "InstanceIds":
            ids += entry["Values"]
        elif entry["Key"].startswith("tag:"):
            ids += [target.id for target in world.targets.values() if target.kind == "instance" and world.tags(target).get(entry["Key"][4:]) in entry["Values"]]
    targets = [world.target_of(identity, "instance") for identity in ids]
    if not targets or any(target is None or target.machine is None or target.state != "running" for target in targets):
        raise Fault("InvalidInstanceId", f"Instances [[{', '.join(ids)}]] not in a valid state for account 123456789012")
    command = {
        "CommandId": str(uuid.uuid4()), "DocumentName": "AWS-RunShellScript", "DocumentVersion": "$DEFAULT", "Comment": arguments.get("Comment", ""),
        "Parameters": arguments["Parameters"], "InstanceIds": ids, "Targets": arguments.get("Targets", []), "RequestedDateTime": world.clock.date(world.clock.now()),
        "Status": "Pending", "StatusDetails": "Pending", "TargetCount": len(ids), "CompletedCount": 0, "ErrorCount": 0,
        "TimeoutSeconds": arguments.get("TimeoutSeconds", 3600),
    }
    parameters = arguments.get("Parameters", {})
    timeout_s = int(parameters.get("executionTimeout", ["3600"])[0])
    folder = parameters.get("workingDirectory", ["/"])[0]
    for target in targets:
        invocation = {"status": "Pending", "code": -1, "out": "", "err": "", "sent": world.clock.now(), "started": None, "ended": None, "limit": command["TimeoutSeconds"]}
        world.commands[(command["CommandId"], target.id)] = invocation
        world.later(DELIVERY_S, lambda target=target, invocation=invocation: deliver(world, target, invocation, script, timeout_s, folder))
    return {"Command": command}


def deliver(world: Any, target: Target, invocation: dict[str, Any], script: str, timeout_s: int, folder: str) -> None:
    if not is_online(target):
        # It stays pending until the time for delivery is over; AWS's agent would take it up if it came back before.
        world.later(5, lambda: deliver(world, target, invocation, script, timeout_s, folder)
                    if world.clock.now() < invocation["sent"] + invocation["limit"] else invocation.update(status="TimedOut", detail="DeliveryTimedOut"))
        return
    invocation.update(status="InProgress", started=world.clock.now())
    def told(message: dict[str, Any]) -> None:
        status = "Success" if message["code"] == 0 else "TimedOut" if message["timed_out"] else "Failed"
        detail = {"TimedOut": "ExecutionTimedOut"}.get(status, status)
        if message.get("lost"):
            detail = "Undeliverable"
        # At least one who asks at once sees it in progress.
        world.later(1, lambda: invocation.update(status=status, detail=detail, code=message["code"], out=message["out"], err=message["err"], ended=world.clock.now()))
    target.machine.run(str(uuid.uuid4()), script, timeout_s, folder, told)


def get_command_invocation(world: Any, request: Request) -> dict[str, Any]:
    arguments = request.arguments
    invocation = world.commands.get((arguments["CommandId"], arguments["InstanceId"]))
    if not invocation:
        raise Fault("InvocationDoesNotExist", "")
    def written(moment: float | None) -> str:
        return f"{world.clock.date(moment):%Y-%m-%dT%H:%M:%S.%fZ}" if moment else ""
    elapsed = f"PT{world.clock.real(invocation['ended']) - world.clock.real(invocation['started']):.3f}S" if invocation["ended"] else ""
    return {
        "CommandId": arguments["CommandId"], "InstanceId": arguments["InstanceId"], "Comment": "", "DocumentName": "AWS-RunShellScript", "DocumentVersion": "$DEFAULT",
        "PluginName": "aws:runShellScript", "ResponseCode": invocation["code"], "ExecutionStartDateTime": written(invocation["started"]),
        "ExecutionElapsedTime": elapsed, "ExecutionEndDateTime": written(invocation["ended"]), "Status": invocation["status"],
        "StatusDetails": invocation.get("detail", invocation["status"]), "StandardOutputContent": invocation["out"], "StandardOutputUrl": "",
        "StandardErrorContent": invocation["err"][:8000], "StandardErrorUrl": "",
    }


def describe_instance_information(world: Any, request: Request) -> dict[str, Any]:
    arguments = request.arguments
    wanted: list[str] | None = None
    for entry in [*arguments.get("Filters", []), *arguments.get("InstanceInformationFilterList", [])]:
        if entry.get("Key", entry.get("key")) == "InstanceIds":
            wanted = entry.get("Values", entry.get("valueSet"))
    shown = []
    for target in world.targets.values():
        if target.machine is None or (wanted is not None and target.id not in wanted):
            continue
        online = is_online(target)
        last = world.clock.now() if online else world.impaired_since(target)
        shown.append({
            "InstanceId": target.id, "PingStatus": "Online" if online else "ConnectionLost", "LastPingDateTime": world.clock.date(last), "AgentVersion": "3.3.1802.0",
            "IsLatestVersion": True, "PlatformType": "Linux", "PlatformName": "Debian GNU/Linux", "PlatformVersion": "12", "ResourceType": "EC2Instance",
            "IPAddress": "10.0.0.10", "ComputerName": target.name,
        })
    return {"InstanceInformationList": shown}


CALLS = {"SendCommand": send_command, "GetCommandInvocation": get_command_invocation, "DescribeInstanceInformation": describe_instance_information}
