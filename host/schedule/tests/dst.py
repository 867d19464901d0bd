"""Counts minute by minute, by Python's zoneinfo, what the rows of dst.rs expect. Run: python3 tests/dst.py"""
import re, pathlib, sys
from calendar import monthrange
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

source = pathlib.Path(__file__).with_name("dst.rs").read_text()
rows = re.findall(r'\("([^"]+)", "([^"]+)", "([^"]+)", "([^"]+)", "([^"]+)", "([^"]+)", "([^"]+)",\s*&\[(.*?)\]\)', source, re.S)


def values(field, least, most):
    found = set()
    for item in field.split(","):
        body, _, step = item.partition("/")
        first, last = (least, most) if body == "*" else (int(body), int(body))
        found |= set(range(first, last + 1, int(step or 1)))
    return found


def matches(cron, local):
    minute, hour, day, month, _ = cron.split()
    days = {monthrange(local.year, local.month)[1]} if day == "L" else values(day, 1, 31)
    return local.minute in values(minute, 0, 59) and local.hour in values(hour, 0, 23) and local.day in days and local.month in values(month, 1, 12)


def expected(zone, cron, gap, fold, start, end):
    zone, found, hourly = ZoneInfo(zone), [], values(cron.split()[1], 0, 23) == set(range(24))
    gap = ("skip" if hourly else "shift") if gap == "-" else gap
    fold = ("both" if hourly else "first") if fold == "-" else fold
    at, minute = start, timedelta(minutes=1)
    while at < end:
        here, before = at.astimezone(zone), (at - minute).astimezone(zone)
        local, left = here.replace(tzinfo=None), before.replace(tzinfo=None) + minute
        is_twice = len({(local.replace(tzinfo=zone, fold=n)).utcoffset() for n in (0, 1)}) == 2
        takes = matches(cron, local) and (not is_twice or fold == "both" or here.fold == {"first": 0, "second": 1}[fold])
        while not takes and gap == "shift" and left < local:
            takes, left = matches(cron, left), left + minute
        found += [at] if takes else []
        at += minute
    return [at.strftime("%Y-%m-%dT%H:%MZ") for at in found]


failed = 0
for name, zone, cron, gap, fold, start, end, listed in rows:
    instants = [datetime.fromisoformat(text.replace("Z", ":00+00:00")) for text in (start, end)]
    if (instants[1] - instants[0]).days > 500:  # counted by days: only these can match
        step, by_day, at = timedelta(days=1), [], instants[0]
        while at < instants[1]:
            by_day += expected(zone, cron, gap, fold, at, at + step) if at.month == 2 and at.day > 27 or at.month == 3 and at.day == 1 else []
            at += step
        result = by_day
    else:
        result = expected(zone, cron, gap, fold, *instants)
    if result != re.findall(r'"([^"]+)"', listed):
        failed += 1
        print(name, result, listed)
print(len(rows), "rows,", failed, "differ")
sys.exit(failed > 0)
