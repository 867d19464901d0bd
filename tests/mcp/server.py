"""A server with MCP's official Python SDK (`mcp` 2), as a configured server of the host.

usage: server.py              over stdio
       server.py --port PORT  over streamable HTTP, at http://127.0.0.1:PORT/mcp
"""

import asyncio
import os
import socket
import sys

from mcp.server.mcpserver import Image, MCPServer
from mcp.types import ToolAnnotations

LIFE = os.urandom(8).hex()
READS = ToolAnnotations(read_only_hint=True)
server = MCPServer("sample", log_level="ERROR")


@server.tool(annotations=READS)
def add(one: int, other: int) -> dict[str, int]:
    """Add two numbers."""
    return {"sum": one + other}


@server.tool(name="Say-Hello", annotations=ToolAnnotations(destructive_hint=False))
def say_hello(name: str) -> str:
    """Greet somebody."""
    return f"hello {name}"


@server.tool()
def fail() -> str:
    """Fail."""
    raise ValueError("it does not work")


@server.tool(annotations=READS)
def picture() -> Image:
    """Give a picture."""
    return Image(data=b"\x89PNG\r\n\x1a\n", format="png")


@server.tool()
async def wait() -> str:
    """Wait for ever."""
    await asyncio.sleep(3600)
    return "waited"


@server.tool(annotations=READS)
def life() -> str:
    """What each process of this server has of its own."""
    return LIFE


@server.tool(annotations=READS)
def look(path: str) -> str:
    """Try to read a file."""
    try:
        with open(path) as file:
            return f"read: {file.read()}"
    except OSError as error:
        return f"error: {error}"


@server.tool()
def leave(path: str) -> str:
    """Try to write a file."""
    try:
        with open(path, "w") as file:
            file.write("left")
        return "written"
    except OSError as error:
        return f"error: {error}"


@server.tool(annotations=READS)
def reach(port: int) -> str:
    """Try to connect to a port of this machine."""
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
        return "connected"
    except OSError as error:
        return f"error: {error}"


@server.tool(annotations=READS)
def variable(name: str) -> str:
    """Say what a variable holds."""
    return os.environ.get(name, "not set")


@server.tool()
def die() -> str:
    """End in the middle of a call."""
    print("the last words", file=sys.stderr, flush=True)
    os._exit(3)


@server.tool(annotations=READS)
def die_harmlessly() -> str:
    """End in the middle of a call that can be made again."""
    os._exit(4)


if len(sys.argv) == 3 and sys.argv[1] == "--port":
    server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[2]))
else:
    server.run()
