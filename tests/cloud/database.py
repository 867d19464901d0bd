"""RDS: moto has the databases; their states, events, storage under way and failovers are the model's."""

from typing import Any

from target import Target
from wire import Fault, Request, instant

REBOOT_S, FAILOVER_S, MODIFY_S = 45, 35, 90


def describe_db_instances(world: Any, request: Request) -> dict[str, Any]:
    result = world.forwarded(request)
    for shown in result.get("DBInstances", []):
        if target := world.target_of(shown["DBInstanceIdentifier"], "database"):
            shown["DBInstanceStatus"] = status(target)
            shown.update(target.shown)
    return result


def status(target: Target) -> str:
    """While nothing is done to it, a sick database may have a status of its own, such as `storage-full`."""
    if target.state == "available" and target.phase != "well":
        return target.declared.get("status", "available")
    return target.state


def describe_db_clusters(world: Any, request: Request) -> dict[str, Any]:
    result = world.forwarded(request)
    for shown in result.get("DBClusters", []):
        if target := world.target_of(shown["DBClusterIdentifier"], "cluster"):
            shown["Status"] = target.state
            for member in shown.get("DBClusterMembers", []):
                member["IsClusterWriter"] = member["DBInstanceIdentifier"] == world.writers[target.name]
    return result


def describe_events(world: Any, request: Request) -> dict[str, Any]:
    arguments = request.arguments
    now = world.clock.real(world.clock.now())
    start = instant(arguments["StartTime"]).timestamp() if "StartTime" in arguments else now - float(arguments.get("Duration", 60)) * 60
    end = instant(arguments["EndTime"]).timestamp() if "EndTime" in arguments else now
    kinds = {"db-instance": "database", "db-cluster": "cluster"}
    shown = []
    for moment, name, message, categories in world.events:
        target = world.targets[name]
        kind = "db-cluster" if target.kind == "cluster" else "db-instance"
        if not start <= world.clock.real(moment) <= end or arguments.get("SourceIdentifier", target.id) != target.id:
            continue
        if arguments.get("SourceType", kind) != kind or kinds[kind] != target.kind:
            continue
        wanted = arguments.get("EventCategories")
        if wanted and not set(wanted) & set(categories):
            continue
        arn = f"arn:aws:rds:{world.scenario.region}:123456789012:{'cluster' if kind == 'db-cluster' else 'db'}:{target.id}"
        shown.append({"SourceIdentifier": target.id, "SourceType": kind, "Message": message, "EventCategories": categories,
                      "Date": world.clock.date(moment), "SourceArn": arn})
    return {"Events": sorted(shown, key=lambda event: event["Date"])}


def known(world: Any, request: Request) -> Target | None:
    return world.target_of(request.arguments.get("DBInstanceIdentifier", ""), "database")


def reboot_db_instance(world: Any, request: Request) -> dict[str, Any]:
    target = known(world, request)
    if target and status(target) != "available":
        raise Fault("InvalidDBInstanceState", f"Database instance {target.id} is not in available state.")
    result = world.forwarded(request)
    if target:
        target.go("rebooting")
        world.event(target, "DB instance shutdown", ["availability"])
        def back() -> None:
            target.go("available")
            world.event(target, "DB instance restarted", ["availability"])
        world.later(REBOOT_S, back)
        result["DBInstance"]["DBInstanceStatus"] = "rebooting"
    return result


def modify_db_instance(world: Any, request: Request) -> dict[str, Any]:
    target, arguments = known(world, request), request.arguments
    if not target:
        return world.forwarded(request)
    before = world.moto.client("rds").describe_db_instances(DBInstanceIdentifier=target.id)["DBInstances"][0]
    if target.state != "available":
        raise Fault("InvalidDBInstanceState", f"Database instance {target.id} is not in available state.")
    wanted = arguments.get("AllocatedStorage")
    if wanted and wanted < before["AllocatedStorage"]:
        raise Fault("InvalidParameterCombination", "Requested storage cannot be decreased")
    if wanted and before["AllocatedStorage"] < wanted < before["AllocatedStorage"] * 1.1:
        raise Fault("InvalidParameterCombination", f"You must increase the allocated storage by at least 10%: {before['AllocatedStorage']} to {wanted}")
    result = world.forwarded(request)
    if not arguments.get("ApplyImmediately"):
        return result
    target.shown = {key: before[key] for key in ("AllocatedStorage", "DBInstanceClass") if key in before}
    target.shown["PendingModifiedValues"] = {key: arguments[key] for key in ("AllocatedStorage", "DBInstanceClass") if key in arguments}
    target.go("modifying")
    if wanted:
        world.event(target, f"Applying modification to allocated storage: {before['AllocatedStorage']} to {wanted} GiB", ["configuration change"])
    def done() -> None:
        target.shown = {}
        target.go("available")
        if wanted:
            world.event(target, "Finished applying modification to allocated storage", ["configuration change"])
    world.later(MODIFY_S, done)
    result["DBInstance"].update(target.shown, DBInstanceStatus="modifying")
    return result


def failover_db_cluster(world: Any, request: Request) -> dict[str, Any]:
    target = world.target_of(request.arguments["DBClusterIdentifier"], "cluster")
    if not target:
        raise Fault("DBClusterNotFoundFault", f"DBCluster {request.arguments['DBClusterIdentifier']} not found.", 404)
    if target.state != "available":
        raise Fault("InvalidDBClusterStateFault", f"DB cluster {target.id} is not in available state.")
    writer = world.writers[target.name]
    others = [name for name, declared in world.scenario.databases.items() if declared.get("cluster") == target.name and name != writer]
    wanted = request.arguments.get("TargetDBInstanceIdentifier", others[0] if others else "")
    if wanted not in others:
        raise Fault("InvalidDBClusterStateFault", f"Cannot failover cluster {target.id}: {wanted or 'no replica'} is not a reader of it.")
    world.event(target, f"Started cross AZ failover to DB instance: {wanted}", ["failover"])
    target.go("failing-over")
    def done() -> None:
        world.writers[target.name] = wanted
        target.go("available")
        world.event(target, f"Completed failover to DB instance: {wanted}", ["failover"])
    world.later(FAILOVER_S, done)
    shown = world.moto.client("rds").describe_db_clusters(DBClusterIdentifier=target.id)["DBClusters"][0]
    shown["Status"] = "failing-over"
    return {"DBCluster": shown}


CALLS = {
    "DescribeDBInstances": describe_db_instances, "DescribeDBClusters": describe_db_clusters, "DescribeEvents": describe_events,
    "RebootDBInstance": reboot_db_instance, "ModifyDBInstance": modify_db_instance, "FailoverDBCluster": failover_db_cluster,
}
