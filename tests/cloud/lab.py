"""A laboratory of AWS in which faults really happen and really are cured.

    python3 tests/cloud/lab.py --scenario NAME --port 0 --state FOLDER [--clock FACTOR]
    python3 tests/cloud/lab.py --list | --self-test [NAME ...] | --timeline FOLDER

It starts moto (a real server) and a proxy before it, prints one line of JSON with the addresses when everything is there
and the fault has struck, and ends when its standard input closes. README.md in this folder has the rest."""

import argparse
import json
import logging
import os
import sys
from pathlib import Path

# Nothing is written beside the sources.
sys.dont_write_bytecode = True

import environment  # noqa: E402

sys.pycache_prefix, sys.dont_write_bytecode = str(environment.cache() / "compiled"), False


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A laboratory of AWS in which faults really happen and really are cured")
    parser.add_argument("--scenario", metavar="NAME", help="which fault")
    parser.add_argument("--port", type=int, default=0, help="of the proxy, on loopback; 0 takes a free one")
    parser.add_argument("--state", metavar="FOLDER", type=Path, help="where the instances' files, witness.jsonl and calls.jsonl are kept; new or empty")
    parser.add_argument("--clock", metavar="FACTOR", type=float, default=1.0, help="how much faster than real time the laboratory goes from its start")
    parser.add_argument("--list", action="store_true", help="print the scenarios as JSON lines")
    parser.add_argument("--self-test", metavar="NAME", nargs="*", help="show that every scenario, or these, does what it says")
    parser.add_argument("--timeline", metavar="FOLDER", type=Path, help="draw what happened in a state folder")
    return parser.parse_args()


def main() -> None:
    chosen = arguments()
    environment.enter()
    from scenario import Mistake, load, names

    try:
        if chosen.list:
            for name in names():
                scenario = load(name)
                print(json.dumps({"name": name, "root_cause": scenario.root_cause, "also_right": scenario.also_right, "expected": scenario.expected,
                                  "asks": scenario.asks, "alarm": scenario.alarm, "target": scenario.target, "summary": scenario.summary}))
        elif chosen.timeline:
            import timeline

            print(timeline.drawn(chosen.timeline))
        elif chosen.self_test is not None:
            import self_test

            sys.exit(self_test.run(chosen.self_test or names(), chosen.clock if chosen.clock != 1.0 else 30.0))
        elif chosen.scenario and chosen.state:
            if chosen.clock < 1:
                raise Mistake(f"the clock goes at least as fast as real time: {chosen.clock}")
            run(load(chosen.scenario), chosen)
        else:
            raise Mistake("nothing to do\nhint: --scenario NAME --state FOLDER, --list, --self-test or --timeline FOLDER")
    except Mistake as mistake:
        sys.exit(str(mistake))


def run(scenario, chosen: argparse.Namespace) -> None:
    for key in [key for key in os.environ if key.startswith("AWS_")]:
        del os.environ[key]  # No real account can be meant.
    from moto.server import ThreadedMotoServer

    from clock import Clock
    from making import make
    from proxy import Proxy
    from world import World

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    chosen.state.mkdir(parents=True, exist_ok=True)
    if any(chosen.state.iterdir()):
        sys.exit(f"the folder is not empty: {chosen.state}\nhint: each run has a state folder of its own")
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    proxy = Proxy(chosen.port, port, chosen.state.resolve())
    world = World(scenario, Clock(chosen.clock), f"http://{host}:{port}", chosen.state.resolve())
    try:
        make(world)
        proxy.serve(world)
        print(json.dumps(ready(world, proxy)), flush=True)
        for _ in sys.stdin:
            pass
    finally:
        world.keep(chosen.state / "state.json")
        world.end()


def ready(world, proxy) -> dict:
    scenario = world.scenario
    targets = {name: {"kind": target.kind, "id": target.id, "health": target.health, "tags": world.tags(target),
                      "depends_on": target.declared.get("depends_on") if target.kind == "instance" else None,
                      "members": world.members(target) if target.kind == "group" else []} for name, target in world.targets.items()}
    return {
        "endpoint": f"http://127.0.0.1:{proxy.server_address[1]}", "scenario": scenario.name, "region": scenario.region, "alarm": scenario.alarm,
        "alarms": [{"name": alarm["name"], "on": alarm["on"]} for alarm in scenario.alarms], "target": scenario.target, "targets": targets,
        "target_groups": {name: group["arn"] for name, group in world.target_groups.items()}, "root_cause": scenario.root_cause,
        "also_right": scenario.also_right, "expected": scenario.expected, "asks": scenario.asks, "witness": str(world.state / "witness.jsonl"),
        "calls": str(world.state / "calls.jsonl"), "environment": {"AWS_ACCESS_KEY_ID": "AKIALABLABLABLABLAB2", "AWS_SECRET_ACCESS_KEY": "lab"},
    }


if __name__ == "__main__":
    main()
