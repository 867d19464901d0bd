"""A scenario made: the resources at moto, the insides of instances, the past of metrics and logs, and the fault itself."""

import threading
import time
from typing import Any

from machine import HERE, Machine, reserve_port
from metrics import Alarm, declared
from target import HealthServer, Target
from world import RELEASE, UNIT, World, log_group, probe

FAULT_MAX_S = 20  # How long a fault may take to show.


def make(world: World) -> None:
    scenario = world.scenario
    for name, given in scenario.databases.items():
        database(world, name, given)
    for name, given in scenario.instances.items():
        instance(world, name, given)
    for name, given in scenario.groups.items():
        group(world, name, given)
    for name, given in scenario.target_groups.items():
        target_group(world, name, given)
    for target in world.targets.values():
        logs = world.moto.client("logs")
        logs.create_log_group(logGroupName=log_group(target))
        logs.create_log_stream(logGroupName=log_group(target), logStreamName=target.id)
    threading.Thread(target=world.ship, daemon=True).start()
    threading.Thread(target=world.keep_time, daemon=True).start()
    watched(world)
    boot(world)
    past(world)
    strike(world)


def instance(world: World, name: str, given: dict[str, Any]) -> None:
    tags = [{"Key": key, "Value": value} for key, value in {"Name": name, **given.get("tags", {})}.items()]
    made = world.moto.client("ec2").run_instances(
        ImageId="ami-0abcdef1234567890", InstanceType=given.get("type", "t3.small"), MinCount=1, MaxCount=1,
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
    )["Instances"][0]
    target = Target(name, "instance", made["InstanceId"], given, booted=world.clock.ago(60 * 24 * 9))
    world.targets[name] = target
    kept, target.port = reserve_port()
    world.ports.append(kept)
    target.health = f"http://127.0.0.1:{target.port}/health"
    target.machine = Machine(world.state / "instances" / name, target.port, given.get("disk_mib", 16), lambda message: world.on_event(target, message))
    target.machine.make(files(world, target), name)


def files(world: World, target: Target) -> dict[str, str]:
    given = target.declared
    settings = f"# The shop's web service. Its owners keep the one before in /etc/web/web.conf.bak.\nport = {target.port}\npool_size = 20\ncache_mib = 4\n"
    if database := given.get("depends_on"):
        settings += f"database = {world.targets[database].health}\ndatabase_host = {database}\n"
    unit = {"memory": "64M", "restart": "no", **given.get("unit", {})}
    usual = {
        "/etc/web/web.conf": settings, "/etc/web/web.conf.bak": settings, "/opt/web/web.py": (HERE / "instance" / "web.py").read_text(),
        "/opt/web/releases/1.4.1/release.py": RELEASE, "/opt/web/current/release.py": RELEASE, "/var/log/web/access.log": "",
        "/etc/systemd/system/web.service": UNIT.format(**unit),
    }
    return {**usual, **given.get("files", {})}


def database(world: World, name: str, given: dict[str, Any]) -> None:
    rds, cluster = world.moto.client("rds"), given.get("cluster")
    engine = given.get("engine", "aurora-postgresql" if cluster else "postgres")
    tags = [{"Key": key, "Value": value} for key, value in given.get("tags", {}).items()]
    if cluster and cluster not in world.targets:
        rds.create_db_cluster(DBClusterIdentifier=cluster, Engine=engine, MasterUsername="shop", MasterUserPassword="not-a-secret-1", Tags=tags)
        world.targets[cluster] = Target(cluster, "cluster", cluster, given, state="available")
        world.writers[cluster] = name
        HealthServer(world.targets[cluster])
    more = {"DBClusterIdentifier": cluster} if cluster else {
        "AllocatedStorage": given.get("storage_gib", 20), "MasterUsername": "shop", "MasterUserPassword": "not-a-secret-1", "MultiAZ": given.get("multi_az", False)}
    rds.create_db_instance(DBInstanceIdentifier=name, DBInstanceClass=given.get("class", "db.t3.medium"), Engine=engine, Tags=tags, **more)
    world.targets[name] = Target(name, "database", name, given, state="available")
    HealthServer(world.targets[name])


def group(world: World, name: str, given: dict[str, Any]) -> None:
    scaling = world.moto.client("autoscaling")
    scaling.create_launch_configuration(LaunchConfigurationName=name, ImageId="ami-0abcdef1234567890", InstanceType=given.get("type", "t3.small"))
    tags = [{"Key": key, "Value": value, "ResourceId": name, "ResourceType": "auto-scaling-group", "PropagateAtLaunch": True} for key, value in given.get("tags", {}).items()]
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=name, LaunchConfigurationName=name, MinSize=given.get("min", 1), MaxSize=given.get("max", 4),
        DesiredCapacity=given.get("desired", 2), AvailabilityZones=[f"{world.scenario.region}a"], Tags=tags,
    )
    world.targets[name] = Target(name, "group", name, given)
    HealthServer(world.targets[name])


def target_group(world: World, name: str, given: dict[str, Any]) -> None:
    ec2, balancing = world.moto.client("ec2"), world.moto.client("elbv2")
    subnets = ec2.describe_subnets()["Subnets"]
    balancer = balancing.create_load_balancer(Name=name, Subnets=[subnet["SubnetId"] for subnet in subnets[:2]])["LoadBalancers"][0]
    made = balancing.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=subnets[0]["VpcId"], HealthCheckPath="/health")["TargetGroups"][0]
    for member in given["of"]:
        target = world.targets[member]
        ids = world.members(target) if target.kind == "group" else [target.id]
        balancing.register_targets(TargetGroupArn=made["TargetGroupArn"], Targets=[{"Id": identity} for identity in ids])
    dimensions = [{"Name": "TargetGroup", "Value": made["TargetGroupArn"].split(":")[-1]}, {"Name": "LoadBalancer", "Value": balancer["LoadBalancerArn"].split("loadbalancer/")[-1]}]
    world.target_groups[name] = {"arn": made["TargetGroupArn"], "dimensions": dimensions}


def watched(world: World) -> None:
    """Metrics and alarms."""
    of = {member: world.target_groups[name]["dimensions"] for name, given in world.scenario.target_groups.items() for member in given["of"]}
    first_writers = {writer: world.targets[cluster] for cluster, writer in world.writers.items()}
    for target in world.targets.values():
        # The writer of a cluster is as sick as the cluster.
        source = first_writers.get(target.name, target)
        metrics = declared(source, world.scenario.metrics.get(source.name, {}), of.get(target.name), world.clock.started)
        for metric in metrics:
            metric.dimensions = target.dimensions if metric.dimensions == source.dimensions else metric.dimensions
        world.metrics += metrics
    world.alarms = {}
    for given in world.scenario.alarms:
        metric = next((metric for metric in world.metrics if metric.target.name == given["on"] and metric.name == given["metric"]), None)
        if metric is None:
            raise SystemExit(f"the alarm `{given['name']}` is on a metric that is not there: {given['metric']}")
        world.alarms[given["name"]] = Alarm(given, metric)
        world.moto.client("cloudwatch").put_metric_alarm(
            AlarmName=given["name"], MetricName=metric.name, Namespace=metric.namespace, Dimensions=metric.dimensions,
            Statistic=given.get("statistic", "Average"), Period=int(given.get("period_seconds", 60)), EvaluationPeriods=int(given.get("periods", 3)),
            Threshold=float(given["threshold"]), ComparisonOperator=given["comparison"], AlarmDescription=f"{metric.name} of {given['on']}",
        )


def boot(world: World) -> None:
    machines = [target for target in world.targets.values() if target.machine]
    for target in machines:
        target.machine.hold()
        target.machine.boot()
    for target in machines:
        if not target.machine.booted.wait(20):
            raise SystemExit(f"the instance `{target.name}` does not boot")


def past(world: World) -> None:
    """What was written and changed before the laboratory was there."""
    scenario, clock = world.scenario, world.clock
    for given in scenario.logs:
        target = world.targets[given["on"]]
        minutes, until = given["minutes_ago"], given.get("until_minutes_ago", given["minutes_ago"])
        every = given.get("every_seconds", 60) / 60
        while minutes >= until:
            if target.machine:
                target.machine.send(op="journal", unit=given.get("unit", "web"), message=given["message"], priority=given.get("level", 6), at=clock.ago(minutes))
            else:
                world.log(target, clock.ago(minutes), given["message"])
            minutes -= every
    for given in scenario.events:
        world.events.append((clock.ago(given["minutes_ago"]), given["on"], given["message"], given.get("categories", ["notification"])))
    for given in scenario.changes:
        world.changes.append({"time": clock.ago(given["minutes_ago"]), "event": given["event"], "source": given.get("source", "ec2.amazonaws.com"),
                              "user": given.get("user", "deploy"), "on": [given["on"]]})


def strike(world: World) -> None:
    """The fault, for real where there is an inside, and then the time line that says since when it has been there."""
    fault, scenario = world.scenario.fault, world.scenario
    machines = [target for target in world.targets.values() if target.machine]
    if fault:
        target = world.targets[fault["on"]]
        if fault["kind"] == "freeze":
            target.machine.freeze()
        elif fault["kind"] == "signal":
            target.machine.send(op="signal", unit=fault["unit"], signal=fault["signal"])
        elif fault["kind"] == "script":
            done = target.machine.run_now(fault["script"])
            if done["code"] != 0:
                raise SystemExit(f"the fault's script failed with {done['code']}: {done['out']}{done['err']}")
        elif fault["kind"] == "model":
            enter_past(world, target)
        else:
            raise SystemExit(f"unknown kind of fault: {fault['kind']}")
        struck = [target for target in machines if target.name == fault["on"] or target.declared.get("depends_on") == fault["on"]]
        settle(world, struck)
    for target in machines:
        threading.Thread(target=world.watch, args=(target,), daemon=True).start()
    if scenario.recovered_minutes_ago is not None:
        enter_past(world, world.targets[scenario.target])


def settle(world: World, struck: list[Target]) -> None:
    deadline = time.monotonic() + FAULT_MAX_S
    waiting = list(struck)
    while waiting:
        for target in list(waiting):
            if not probe(target.health):
                enter_past(world, target)
                waiting.remove(target)
        if time.monotonic() > deadline:
            raise SystemExit(f"the fault does not show at `{waiting[0].name}`")
        time.sleep(0.05)


def enter_past(world: World, target: Target) -> None:
    target.phases = [(0.0, "well"), (world.onset, "sick")]
    if world.scenario.recovered_minutes_ago is not None:
        target.phases.append((world.clock.ago(world.scenario.recovered_minutes_ago), "well"))
