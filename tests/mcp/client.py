"""MCP's official Python client (`mcp` 2) against a server of the sample tools.

usage: client.py [--mode legacy|auto] COMMAND [ARGUMENT ...]     over stdio
       client.py [--mode legacy|auto] --url URL [--token TOKEN]  over streamable HTTP

`legacy` begins with `initialize`, `auto` with `server/discover`. Prints a line for each step, and
ends with 1 at the first that fails.
"""

import asyncio
import base64
import sys

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

NOTE = "waits for approval a-17: pi-host approvals show a-17"


def ok(step, detail=""):
    print(f"ok {step} {detail}".rstrip(), flush=True)


async def check(client):
    assert client.server_info is None or client.server_info.name == "pi-host", client.server_info
    assert client.server_capabilities.tools is not None, client.server_capabilities
    ok("begin", client.protocol_version)

    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert {"echo", "refuse", "picture", "wait"} <= set(tools), tools
    assert tools["echo"].input_schema["properties"]["text"] == {"type": "string"}
    assert tools["echo"].annotations.read_only_hint is True
    assert tools["refuse"].annotations.destructive_hint is True
    ok("list", f"{len(tools)} tools")

    result = await client.call_tool("echo", {"text": "héllo\n"})
    assert not result.is_error and result.structured_content == {"text": "héllo\n"}, result
    ok("call")

    result = await client.call_tool("refuse", {})
    assert result.is_error, result
    assert result.structured_content["rule"] == "delete.system", result
    assert "remove a file below the project" in result.content[0].text, result
    ok("error", result.content[0].text.splitlines()[0])

    result = await client.call_tool("picture", {})
    image = result.content[1]
    assert image.type == "image" and image.mime_type == "image/png", image
    assert base64.b64decode(image.data).startswith(b"\x89PNG"), image
    ok("image", f"{len(image.data)} characters")

    notes = []

    async def note(progress, total, message):
        notes.append(message)

    result = await client.call_tool("wait", {"ms": 200}, progress_callback=note)
    assert result.content[0].text == "waited", result
    assert NOTE in notes, notes
    ok("progress", notes[0])

    results = await asyncio.gather(*(client.call_tool("echo", {"text": str(i)}) for i in range(100)))
    assert [result.structured_content["text"] for result in results] == [str(i) for i in range(100)]
    ok("side by side", "100 calls")

    # The host runs 32 calls at once: if cancelled ones went on, the last would never get its turn.
    for _ in range(40):
        begun = asyncio.Event()

        async def seen(progress, total, message):
            begun.set()

        call = asyncio.create_task(client.call_tool("wait", {}, progress_callback=seen))
        await asyncio.wait_for(begun.wait(), 10)
        call.cancel()
        try:
            await call
        except asyncio.CancelledError:
            pass
    result = await asyncio.wait_for(client.call_tool("echo", {"text": "after"}), 10)
    assert result.structured_content == {"text": "after"}, result
    ok("cancel", "40 calls")

    try:
        result = await client.call_tool("no_such_tool", {})
        assert result.is_error, result
    except Exception as error:
        assert "no_such_tool" in str(error), error
    ok("unknown tool")


async def main(arguments):
    mode = "auto"
    if arguments[0] == "--mode":
        mode, arguments = arguments[1], arguments[2:]
    if arguments[0] != "--url":
        server = StdioServerParameters(command=arguments[0], args=arguments[1:])
        async with Client(server, mode=mode) as client:
            await check(client)
        return
    headers = {"Authorization": f"Bearer {arguments[3]}"} if len(arguments) > 3 else {}
    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        async with Client(streamable_http_client(arguments[1], http_client=http), mode=mode) as client:
            await check(client)


if len(sys.argv) < 2:
    sys.exit(__doc__)
asyncio.run(main(sys.argv[1:]))
ok("end")
