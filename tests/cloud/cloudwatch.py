"""CloudWatch's calls on the model's series and alarms. A metric that the model does not have is moto's."""

import json
from typing import Any

from metrics import HISTORY_S, Alarm, Metric, series, statistic
from wire import Fault, Request, instant


def find(world: Any, namespace: str, name: str, dimensions: list[dict[str, str]]) -> Metric | None:
    wanted = {entry["Name"]: entry["Value"] for entry in dimensions}
    for metric in world.metrics:
        if metric.namespace == namespace and metric.name == name and {entry["Name"]: entry["Value"] for entry in metric.dimensions} == wanted:
            return metric
    if set(wanted) == {"InstanceId"} and (group := world.group_of(wanted["InstanceId"])):
        # A member has the load of its group.
        return next((metric for metric in world.metrics if metric.target is group and metric.namespace == namespace and metric.name == name), None)
    return None


def get_metric_data(world: Any, request: Request) -> dict[str, Any] | None:
    arguments = request.arguments
    start, end = instant(arguments["StartTime"]).timestamp(), instant(arguments["EndTime"]).timestamp()
    if start >= end:
        raise Fault("ValidationError", "The parameter StartTime must be less than the parameter EndTime.")
    results, known = [], False
    for query in arguments.get("MetricDataQueries", []):
        if "MetricStat" not in query:
            raise Fault("ValidationError", f"The laboratory computes no metric math: {query.get('Expression')}")
        stat = query["MetricStat"]
        asked = stat["Metric"]
        metric = find(world, asked.get("Namespace", ""), asked.get("MetricName", ""), asked.get("Dimensions", []))
        known = known or metric is not None
        if query.get("ReturnData") is False:
            continue
        buckets = series(metric, world.clock, start, end, int(stat["Period"])) if metric and stat.get("Unit", metric.unit) == metric.unit else {}
        times = sorted(buckets, reverse=arguments.get("ScanBy", "TimestampDescending") == "TimestampDescending")
        results.append({
            "Id": query["Id"], "Label": query.get("Label", asked.get("MetricName")), "StatusCode": "Complete",
            "Timestamps": [instant(moment) for moment in times], "Values": [statistic(buckets[moment], stat["Stat"]) for moment in times],
        })
    return {"MetricDataResults": results, "Messages": []} if known else None


def get_metric_statistics(world: Any, request: Request) -> dict[str, Any] | None:
    arguments = request.arguments
    metric = find(world, arguments["Namespace"], arguments["MetricName"], arguments.get("Dimensions", []))
    if not metric:
        return None
    start, end = instant(arguments["StartTime"]).timestamp(), instant(arguments["EndTime"]).timestamp()
    buckets = series(metric, world.clock, start, end, int(arguments["Period"])) if arguments.get("Unit", metric.unit) == metric.unit else {}
    points = []
    for moment, values in buckets.items():
        point: dict[str, Any] = {"Timestamp": instant(moment), "Unit": metric.unit}
        point.update({name: statistic(values, name) for name in arguments.get("Statistics", [])})
        if extended := arguments.get("ExtendedStatistics"):
            point["ExtendedStatistics"] = {name: statistic(values, name) for name in extended}
        points.append(point)
    return {"Label": metric.name, "Datapoints": points}


def list_metrics(world: Any, request: Request) -> dict[str, Any] | None:
    arguments = request.arguments
    wanted = [(entry["Name"], entry.get("Value")) for entry in arguments.get("Dimensions", [])]
    def fits(metric: Metric) -> bool:
        there = {entry["Name"]: entry["Value"] for entry in metric.dimensions}
        of_name = arguments.get("Namespace", metric.namespace) == metric.namespace and arguments.get("MetricName", metric.name) == metric.name
        return of_name and all(name in there and value in (None, there[name]) for name, value in wanted)
    found = [metric for metric in world.metrics if fits(metric)]
    return {"Metrics": [{"Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": metric.dimensions} for metric in found]} if found else None


def describe_alarms(world: Any, request: Request) -> dict[str, Any]:
    """Moto has the alarms and filters them; their states are the model's."""
    for alarm in world.alarms.values():
        alarm.evaluate(world.clock)
        if world.told_alarms.get(alarm.name) != alarm.state:
            world.moto.client("cloudwatch").set_alarm_state(AlarmName=alarm.name, StateValue=alarm.state, StateReason=alarm.reason)
            world.told_alarms[alarm.name] = alarm.state
    result = world.forwarded(request)
    for shown in result.get("MetricAlarms", []):
        if alarm := world.alarms.get(shown["AlarmName"]):
            shown.update(as_described(world, alarm))
    return result


def as_described(world: Any, alarm: Alarm) -> dict[str, Any]:
    changed = world.clock.date(alarm.since)
    return {
        "StateValue": alarm.state, "StateReason": alarm.reason, "StateReasonData": json.dumps(alarm.data) if alarm.data else "",
        "StateUpdatedTimestamp": changed, "StateTransitionedTimestamp": changed, "AlarmConfigurationUpdatedTimestamp": world.clock.date(world.clock.started - HISTORY_S),
    }


def describe_alarm_history(world: Any, request: Request) -> dict[str, Any]:
    arguments = request.arguments
    items = []
    for alarm in world.alarms.values():
        alarm.evaluate(world.clock)
        if arguments.get("AlarmName", alarm.name) == alarm.name:
            items += alarm.history
    if kind := arguments.get("HistoryItemType"):
        items = [item for item in items if item["HistoryItemType"] == kind]
    if "StartDate" in arguments:
        items = [item for item in items if item["Timestamp"] >= instant(arguments["StartDate"])]
    if "EndDate" in arguments:
        items = [item for item in items if item["Timestamp"] <= instant(arguments["EndDate"])]
    items.sort(key=lambda item: item["Timestamp"], reverse=arguments.get("ScanBy") != "TimestampAscending")
    return {"AlarmHistoryItems": items[: arguments.get("MaxRecords", 100)]}


CALLS = {
    "GetMetricData": get_metric_data, "GetMetricStatistics": get_metric_statistics, "ListMetrics": list_metrics,
    "DescribeAlarms": describe_alarms, "DescribeAlarmHistory": describe_alarm_history,
}
