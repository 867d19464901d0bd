"""MCP's official Python client (`mcp` 2) against `pi-host mcp` of a project of the tests.

usage: client.py legacy|auto PROGRAM PROJECT              over stdio
       client.py legacy|auto PROGRAM PROJECT URL TOKEN    over streamable HTTP

`legacy` begins with `initialize`, `auto` with `server/discover`. Prints a line for each step, and
ends with 1 at the first that fails.
"""

import asyncio
import base64
import re
import sys

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

mode, program, project, *http_arguments = sys.argv[1:]


def ok(step, detail=""):
    print(f"ok {step} {detail}".rstrip(), flush=True)


async def approve(message):
    """Let the act be done that a call waits for, as a person would."""
    approval = re.match(r"waits for approval (\S+):", message)
    if approval:
        arguments = ["--project", project, "approvals", "approve", approval[1]]
        process = await asyncio.create_subprocess_exec(program, *arguments, stdout=asyncio.subprocess.DEVNULL)
        assert await process.wait() == 0


async def check(client):
    assert client.server_info is None or client.server_info.name == "pi-host", client.server_info
    assert client.server_capabilities.tools is not None, client.server_capabilities
    ok("begin", client.protocol_version)

    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert {"read", "write", "bash", "guest_echo", "guest_picture", "sample_add"} <= set(tools), sorted(tools)
    assert tools["guest_echo"].input_schema["properties"]["text"] == {"type": "string"}
    assert tools["read"].annotations.read_only_hint is True
    assert tools["bash"].annotations.destructive_hint is True
    assert tools["sample_add"].input_schema["required"] == ["one", "other"]
    ok("list", f"{len(tools)} tools")

    result = await client.call_tool("write", {"path": "note.txt", "content": "héllo\n"})
    assert not result.is_error, result
    result = await client.call_tool("read", {"path": "note.txt"})
    assert not result.is_error and "héllo" in result.content[0].text, result
    result = await client.call_tool("bash", {"command": "cat note.txt | wc -l"})
    assert result.structured_content["stdout"].strip() == "1", result
    ok("call")

    result = await client.call_tool("sample_add", {"one": 1, "other": 2})
    assert result.structured_content == {"sum": 3}, result
    ok("a server behind the host")

    result = await client.call_tool("bash", {"command": "rm -rf /"})
    assert result.is_error and result.structured_content["rule"] == "remove_system", result
    assert "name the one folder" in result.content[0].text, result
    ok("refused", result.content[0].text.splitlines()[0])

    result = await client.call_tool("read", {"path": 7})
    assert result.is_error and result.structured_content["kind"] == "invalid_arguments", result
    ok("invalid arguments")

    result = await client.call_tool("guest_picture", {})
    image = result.content[1]
    assert image.type == "image" and image.mime_type == "image/png", image
    assert base64.b64decode(image.data).startswith(b"\x89PNG"), image
    ok("image", f"{len(image.data)} characters")

    notes = []

    async def note(progress, total, message):
        notes.append(message)
        await approve(message)

    result = await asyncio.wait_for(client.call_tool("guest_asked", {}, progress_callback=note), 60)
    assert result.content[0].text == "done", result
    assert any(message.startswith("waits for approval") for message in notes), notes
    ok("progress", re.sub(r"a-\S+", "ID", notes[0]))

    results = await asyncio.gather(*(client.call_tool("guest_echo", {"text": str(i)}) for i in range(100)))
    assert [result.structured_content["text"] for result in results] == [str(i) for i in range(100)]
    ok("side by side", "100 calls")

    # The host runs 32 calls at once: if cancelled ones went on, the last would never get its turn.
    calls = [asyncio.create_task(client.call_tool("guest_wait", {})) for _ in range(40)]
    await asyncio.sleep(0.5)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    result = await asyncio.wait_for(client.call_tool("guest_echo", {"text": "after"}), 20)
    assert result.structured_content == {"text": "after"}, result
    ok("cancel", "40 calls")

    try:
        result = await client.call_tool("no_such_tool", {})
        assert result.is_error, result
    except Exception as error:
        assert "no_such_tool" in str(error), error
    ok("unknown tool")


async def main():
    if not http_arguments:
        server = StdioServerParameters(command=program, args=["--project", project, "mcp"])
        async with Client(server, mode=mode) as client:
            await check(client)
        return
    url, token = http_arguments
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        async with Client(streamable_http_client(url, http_client=http), mode=mode) as client:
            await check(client)


asyncio.run(main())
ok("end")
