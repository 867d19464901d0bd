"""A server with MCP's official Python SDK (`mcp` 2), to test the host's client against.

usage: server.py              over stdio
       server.py --port PORT  over streamable HTTP, at http://127.0.0.1:PORT/mcp
"""

import asyncio
import sys

from mcp.server.mcpserver import Image, MCPServer
from mcp.types import ToolAnnotations

server = MCPServer("sample", log_level="ERROR")


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
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


@server.tool()
def picture() -> Image:
    """Give a picture."""
    return Image(data=b"\x89PNG\r\n\x1a\n", format="png")


@server.tool()
async def wait() -> str:
    """Wait for ever."""
    await asyncio.sleep(3600)
    return "waited"


if len(sys.argv) == 3 and sys.argv[1] == "--port":
    server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[2]))
else:
    server.run()
