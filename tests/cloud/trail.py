"""CloudTrail: the changes that the scenario has, and every change that was really asked for since."""

import json
import uuid
from typing import Any

from wire import Request, instant


def lookup_events(world: Any, request: Request) -> dict[str, Any]:
    arguments = request.arguments
    events = sorted(world.changes, key=lambda change: change["time"], reverse=True)
    start = instant(arguments["StartTime"]).timestamp() if "StartTime" in arguments else 0
    end = instant(arguments["EndTime"]).timestamp() if "EndTime" in arguments else float("inf")
    shown = [written(world, change) for change in events if start <= world.clock.real(change["time"]) <= end]
    for attribute in arguments.get("LookupAttributes", []):
        key, value = attribute["AttributeKey"], attribute["AttributeValue"]
        if key == "ResourceName":
            shown = [event for event in shown if any(resource["ResourceName"] == value for resource in event["Resources"])]
        elif key in ("EventName", "EventSource", "Username", "EventId", "ReadOnly"):
            shown = [event for event in shown if event[key] == value]
    return {"Events": shown[: arguments.get("MaxResults", 50)]}


def written(world: Any, change: dict[str, Any]) -> dict[str, Any]:
    kinds = {"instance": "AWS::EC2::Instance", "database": "AWS::RDS::DBInstance", "cluster": "AWS::RDS::DBCluster", "group": "AWS::AutoScaling::AutoScalingGroup"}
    targets = [world.targets[name] for name in change["on"]]
    identity = change.setdefault("id", str(uuid.uuid4()))
    moment = world.clock.date(change["time"])
    full = {
        "eventVersion": "1.09", "eventTime": f"{moment:%Y-%m-%dT%H:%M:%SZ}", "eventSource": change["source"], "eventName": change["event"],
        "awsRegion": world.scenario.region, "userIdentity": {"type": "IAMUser", "userName": change["user"]}, "requestParameters": change.get("arguments", {}),
        "errorCode": change.get("error"), "eventID": identity, "readOnly": False, "eventType": "AwsApiCall",
    }
    return {
        "EventId": identity, "EventName": change["event"], "ReadOnly": "false", "EventTime": moment, "EventSource": change["source"], "Username": change["user"],
        "Resources": [{"ResourceType": kinds[target.kind], "ResourceName": target.id} for target in targets],
        "CloudTrailEvent": json.dumps({key: value for key, value in full.items() if value is not None}, default=str),
    }


CALLS = {"LookupEvents": lookup_events}
