"""What happened in a run, as text: a bar for each target and each alarm from the start of the laboratory to its end, the
changing calls below them, and everything in the order in which it came."""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

WIDTH = 72
MARKS = {"well": "·", "sick": "x", "worse": "#", "off": " ", "OK": "·", "ALARM": "!", "INSUFFICIENT_DATA": "?"}


def drawn(folder: Path) -> str:
    try:
        state = json.loads((folder / "state.json").read_text())
    except OSError as error:
        sys.exit(f"there is no run to draw: {error}\nhint: the laboratory writes it when it ends")
    changes = [json.loads(line) for line in (folder / "witness.jsonl").read_text().splitlines()]
    started, ended = state["started"], max(state["ended"], state["started"] + 1)
    names = [*state["targets"], *state["history"], "calls"]
    width = max(len(name) for name in names)
    lines = [f"{state['scenario']}: {ended - started:.1f} s", ""]
    for name, target in state["targets"].items():
        lines.append(f"{name:{width}} {bar(moments(target['phases']), 'well', started, ended)}")
    for name, history in state["history"].items():
        lines.append(f"{name:{width}} {bar(moments(history), 'OK', started, ended)}")
    lines.append(f"{'calls':{width}} {calls(changes, started, ended)}")
    lines += ["", "· well or OK   x sick   # worse   ! ALARM   ? no data   ^ a changing call   (blank: stopped)", ""]
    return "\n".join(lines + listed(state, changes, started))


def moments(entries: list[list[str]]) -> list[tuple[float, str]]:
    return [(datetime.fromisoformat(moment).timestamp(), what) for moment, what in entries]


def bar(entries: list[tuple[float, str]], first: str, started: float, ended: float) -> str:
    shown = ""
    for column in range(WIDTH):
        moment = started + (ended - started) * (column + 0.5) / WIDTH
        what = first
        for since, then in entries:
            if since <= moment:
                what = then
        shown += MARKS[what]
    return shown


def calls(changes: list[dict[str, Any]], started: float, ended: float) -> str:
    columns = [" "] * WIDTH
    for change in changes:
        columns[min(WIDTH - 1, max(0, int((change["time"] - started) / (ended - started) * WIDTH)))] = "^"
    return "".join(columns).rstrip()


def listed(state: dict[str, Any], changes: list[dict[str, Any]], started: float) -> list[str]:
    events = [(moment, f"{name} is {phase}") for name, target in state["targets"].items() for moment, phase in moments(target["phases"])]
    events += [(moment, f"alarm {name}: {what}") for name, history in state["history"].items() for moment, what in moments(history)]
    for change in changes:
        outcome = "" if change["outcome"] == "ok" else f"  -> {change['outcome']}"
        events.append((change["time"], f"{change['call']} {', '.join(change['targets'])}{outcome}"))
    return [f"{since(moment - started):>9}  {what}" for moment, what in sorted(events)]


def since(seconds: float) -> str:
    return f"{seconds:+.1f} s" if abs(seconds) < 120 else f"{seconds / 60:+.1f} min"
