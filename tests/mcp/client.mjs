// MCP's official TypeScript client against a server of the sample tools.
//
// usage: node client.mjs COMMAND [ARGUMENT ...]      over stdio
//        node client.mjs --url URL [--token TOKEN]   over streamable HTTP
//
// The package is looked for in the folder that NODE_MODULES names, or beside this file.
// Prints a line for each step, and ends with 1 at the first that fails.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(process.env.NODE_MODULES ? `${process.env.NODE_MODULES}/x.js` : import.meta.url);
const load = (path) => import(pathToFileURL(require.resolve(`@modelcontextprotocol/sdk/${path}`)));
const { Client } = await load("client/index.js");
const { StdioClientTransport } = await load("client/stdio.js");
const { StreamableHTTPClientTransport } = await load("client/streamableHttp.js");
const { ToolListChangedNotificationSchema } = await load("types.js");

const [first, ...rest] = process.argv.slice(2);
if (!first) throw new Error("usage: client.mjs COMMAND [ARGUMENT ...] | --url URL [--token TOKEN]");
const transport =
  first === "--url"
    ? new StreamableHTTPClientTransport(new URL(rest[0]), {
        requestInit: { headers: rest[2] ? { Authorization: `Bearer ${rest[2]}` } : {} },
      })
    : new StdioClientTransport({ command: first, args: rest });

const ok = (step, detail = "") => console.log(`ok ${step} ${detail}`.trimEnd());
const errors = [];
const client = new Client({ name: "test", version: "1" });
client.onerror = (error) => errors.push(error);
client.setNotificationHandler(ToolListChangedNotificationSchema, () => {});

await client.connect(transport);
assert.equal(client.getServerVersion().name, "pi-host");
ok("initialize", client.getInstructions());

const { tools } = await client.listTools();
const named = Object.fromEntries(tools.map((tool) => [tool.name, tool]));
for (const name of ["echo", "refuse", "picture", "wait"]) assert.ok(named[name], name);
assert.equal(named.echo.annotations.readOnlyHint, true);
assert.equal(named.refuse.annotations.destructiveHint, true);
ok("list", `${tools.length} tools`);

let result = await client.callTool({ name: "echo", arguments: { text: "héllo\n" } });
assert.deepEqual(result.structuredContent, { text: "héllo\n" });
ok("call");

result = await client.callTool({ name: "refuse", arguments: {} });
assert.equal(result.isError, true);
assert.equal(result.structuredContent.rule, "delete.system");
ok("error", result.content[0].text.split("\n")[0]);

result = await client.callTool({ name: "picture", arguments: {} });
const image = result.content[1];
assert.equal(image.mimeType, "image/png");
assert.equal(Buffer.from(image.data, "base64").subarray(1, 4).toString(), "PNG");
ok("image", `${image.data.length} characters`);

const notes = [];
const onprogress = (progress) => notes.push(progress.message);
result = await client.callTool({ name: "wait", arguments: { ms: 200 } }, undefined, { onprogress });
assert.equal(result.content[0].text, "waited");
assert.ok(notes.includes("waits for approval a-17: pi-host approvals show a-17"), notes.join());
ok("progress", notes[0]);

const calls = Array.from({ length: 100 }, (_, i) => client.callTool({ name: "echo", arguments: { text: String(i) } }));
(await Promise.all(calls)).forEach((result, i) => assert.equal(result.structuredContent.text, String(i)));
ok("side by side", "100 calls");

// The host runs 32 calls at once: if cancelled ones went on, the last would never get its turn.
for (let i = 0; i < 40; i++) {
  const stop = new AbortController();
  const call = client.callTool({ name: "wait", arguments: {} }, undefined, {
    signal: stop.signal,
    onprogress: () => stop.abort("the test says so"),
  });
  await assert.rejects(call);
}
result = await client.callTool({ name: "echo", arguments: { text: "after" } });
assert.equal(result.structuredContent.text, "after");
ok("cancel", "40 calls");

const unknown = await client.callTool({ name: "no_such_tool", arguments: {} }).catch((error) => error);
assert.match(String(unknown.message ?? unknown.content[0].text), /no_such_tool/);
ok("unknown tool");

await client.close();
assert.deepEqual(errors, []);
ok("close");
