"""The reference tool, in Python: one tool for each thing that can be granted, and for each way to
misbehave. It has the same tools and the same answers as its siblings in Rust, JavaScript and C."""

import encodings.idna  # Loaded at run time else, from a file that is not there.
import json
import os
import socket
import subprocess
from urllib.parse import urlsplit

from componentize_py_types import Err
from wit_world.imports import atomics, config, files, keyvalue, logging, outgoing_handler, streams
from wit_world.imports import http_types as http
from wit_world.imports import tool_types as tool

FLOOD_BYTES = 1 << 20
GROW_STEP_BYTES = 1 << 20
READ_BYTES_MAX = 1 << 20


def files_tool(arguments):
    size = files.stat(arguments["path"], True).size
    data = files.read(arguments["path"], 0, READ_BYTES_MAX)
    return {"bytes": size, "first_line": first_line(data)}


def http_tool(arguments):
    url = urlsplit(arguments["url"])
    request = http.OutgoingRequest(http.Fields())
    request.set_scheme(http.Scheme_Https() if url.scheme == "https" else http.Scheme_Http())
    request.set_authority(url.netloc)
    request.set_path_with_query((url.path or "/") + ("?" + url.query if url.query else ""))
    answer = outgoing_handler.handle(request, None)
    pollable = answer.subscribe()
    pollable.block()
    # The handles are those of the host: each is closed before the one that it came from.
    pollable.__exit__(None, None, None)
    # A result within a result is not raised.
    outcome = answer.get().value
    if isinstance(outcome, Err):
        raise outcome
    response = outcome.value
    body = response.consume()
    stream = body.stream()
    data = bytearray()
    try:
        while len(data) < READ_BYTES_MAX:
            data += stream.blocking_read(64 << 10)
    except Err as error:
        if not isinstance(error.value, streams.StreamError_Closed):
            raise
    stream.__exit__(None, None, None)
    return {"status": response.status(), "first_line": first_line(bytes(data))}


def store(arguments):
    return {"count": atomics.increment(keyvalue.open("default"), arguments["key"], 1)}


def setting(arguments):
    return {"value": config.get(arguments["key"])}


def say(arguments):
    logging.log(logging.Level.INFO, "reference", arguments["text"])
    return "said"


def spin(arguments):
    while True:
        pass


def grow(arguments):
    held = []
    try:
        while True:
            held.append(bytes(b"\1") * GROW_STEP_BYTES)
    except MemoryError:
        count = len(held)
        held.clear()
        return {"refused_at_bytes": count * GROW_STEP_BYTES}


def flood(arguments):
    return "x" * FLOOD_BYTES


def escape(arguments):
    def write():
        with open("/tmp/pi-host-escape", "w") as file:
            file.write("out")

    def environment():
        count = len(os.environ)
        return {"escaped": count > 0, "said": f"{count} variables"}

    return {
        "read_file": attempt(lambda: len(open("/etc/passwd").read())),
        "write_file": attempt(write),
        "list_folder": attempt(lambda: os.listdir("/")),
        "environment": environment(),
        "connect": attempt(lambda: socket.socket().connect(("127.0.0.1", arguments["port"]))),
        "resolve": attempt(lambda: socket.getaddrinfo("localhost", arguments["port"])),
        "process": attempt(lambda: subprocess.run(["/bin/sh", "-c", "true"], check=True)),
    }


def attempt(act):
    try:
        return {"escaped": True, "said": repr(act())}
    except BaseException as error:
        return {"escaped": False, "said": f"{type(error).__name__}: {error}"}


def first_line(data):
    return data.decode("utf-8", "replace").split("\n", 1)[0].rstrip("\r")


def schema(**properties):
    return json.dumps({
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    })


def text(description):
    return {"type": "string", "description": description}


KEY = text("The name of the entry")
PORT = {"type": "integer", "minimum": 0, "maximum": 65535,
        "description": "A TCP port of this machine on which something listens"}

# The function, what it does, the schema of its arguments, the worst that a call can do.
TOOLS = {
    "files": (files_tool, "The size and the first line of a file",
              schema(path=text("Absolute, or relative to the project's folder")), tool.Effect.READ),
    "http": (http_tool, "The status and the first line of what a URL answers",
             schema(url=text("Begins with `https://` or `http://`")), tool.Effect.READ),
    "store": (store, "Count: add one to the number under a key, and return it", schema(key=KEY), tool.Effect.WRITE),
    "setting": (setting, "The value of a setting", schema(key=KEY), tool.Effect.READ),
    "say": (say, "Say something in the journal", schema(text=text("What the journal shall say")), tool.Effect.READ),
    "spin": (spin, "Never return", schema(), tool.Effect.READ),
    "grow": (grow, "Allocate until it is refused", schema(), tool.Effect.READ),
    "flood": (flood, "Return far too much", schema(), tool.Effect.READ),
    "escape": (escape, "Try to get out by the language's own library, and tell how each attempt ended",
               schema(port=PORT), tool.Effect.READ),
}


def error_of(error):
    """What the caller reads when the host could not do it."""
    value = error.value
    if isinstance(value, files.Error_Refused):
        return tool.Error_Refused(value.value)
    if isinstance(value, (files.Error_TooLarge, files.Error_Limit)):
        return tool.Error_Limit(value.value)
    return tool.Error_Failed(str(getattr(value, "value", None) or value))


class Tool:
    def definitions(self):
        return [
            tool.Definition(name, description, schema, effect, effect == tool.Effect.READ)
            for name, (_, description, schema, effect) in TOOLS.items()
        ]

    def call(self, name, arguments):
        if name not in TOOLS:
            raise Err(tool.Error_NotFound(f"the plugin has no tool `{name}`"))
        try:
            result = TOOLS[name][0](json.loads(arguments))
        except Err as error:
            raise Err(error_of(error)) from None
        except (KeyError, TypeError, ValueError) as error:
            raise Err(tool.Error_InvalidArguments(f"`{name}` does not take these arguments: {error!r}")) from None
        if isinstance(result, str):
            return [tool.Content_Text(result)]
        return [tool.Content_Json(json.dumps(result))]
