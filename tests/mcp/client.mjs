// MCP's official TypeScript client against `pi-host mcp` of a project of the tests.
//
// usage: node client.mjs PROGRAM PROJECT              over stdio
//        node client.mjs PROGRAM PROJECT URL TOKEN    over streamable HTTP
//
// The package is looked for in the folder that NODE_MODULES names, or beside this file.
// Prints a line for each step, and ends with 1 at the first that fails.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(process.env.NODE_MODULES ? `${process.env.NODE_MODULES}/x.js` : import.meta.url);
const load = (path) => import(pathToFileURL(require.resolve(`@modelcontextprotocol/sdk/${path}`)));
const { Client } = await load("client/index.js");
const { StdioClientTransport } = await load("client/stdio.js");
const { StreamableHTTPClientTransport } = await load("client/streamableHttp.js");
const { ToolListChangedNotificationSchema } = await load("types.js");

const [program, project, url, token] = process.argv.slice(2);
const transport = url
  ? new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: { Authorization: `Bearer ${token}` } } })
  : new StdioClientTransport({ command: program, args: ["--project", project, "mcp"] });

const ok = (step, detail = "") => console.log(`ok ${step} ${detail}`.trimEnd());
const errors = [];
const client = new Client({ name: "test", version: "1" });
client.onerror = (error) => errors.push(error);
client.setNotificationHandler(ToolListChangedNotificationSchema, () => {});
const call = (name, args = {}, options = {}) => client.callTool({ name, arguments: args }, undefined, options);

await client.connect(transport);
assert.equal(client.getServerVersion().name, "pi-host");
ok("initialize");

const { tools } = await client.listTools();
const named = Object.fromEntries(tools.map((tool) => [tool.name, tool]));
for (const name of ["read", "write", "bash", "guest_echo", "guest_picture", "sample_add"]) assert.ok(named[name], name);
assert.equal(named.read.annotations.readOnlyHint, true);
assert.equal(named.bash.annotations.destructiveHint, true);
ok("list", `${tools.length} tools`);

let result = await call("write", { path: "note.txt", content: "héllo\n" });
assert.equal(Boolean(result.isError), false);
result = await call("read", { path: "note.txt" });
assert.match(result.content[0].text, /héllo/);
result = await call("bash", { command: "cat note.txt | wc -l" });
assert.equal(result.structuredContent.stdout.trim(), "1");
ok("call");

result = await call("sample_add", { one: 1, other: 2 });
assert.deepEqual(result.structuredContent, { sum: 3 });
ok("a server behind the host");

result = await call("bash", { command: "rm -rf /" });
assert.equal(result.isError, true);
assert.equal(result.structuredContent.rule, "remove_system");
ok("refused", result.content[0].text.split("\n")[0]);

result = await call("guest_picture");
const image = result.content[1];
assert.equal(image.mimeType, "image/png");
assert.equal(Buffer.from(image.data, "base64").subarray(1, 4).toString(), "PNG");
ok("image", `${image.data.length} characters`);

const notes = [];
const onprogress = ({ message }) => {
  notes.push(message);
  const approval = /^waits for approval (\S+):/.exec(message);
  if (approval) execFileSync(program, ["--project", project, "approvals", "approve", approval[1]]);
};
result = await call("guest_asked", {}, { onprogress });
assert.equal(result.content[0].text, "done");
assert.ok(notes.some((note) => note.startsWith("waits for approval")), notes.join());
ok("progress");

const calls = Array.from({ length: 100 }, (_, i) => call("guest_echo", { text: String(i) }));
(await Promise.all(calls)).forEach((result, i) => assert.equal(result.structuredContent.text, String(i)));
ok("side by side", "100 calls");

// The host runs 32 calls at once: if cancelled ones went on, the last would never get its turn.
const stop = new AbortController();
const waiting = Array.from({ length: 40 }, () => call("guest_wait", {}, { signal: stop.signal }).catch(() => "over"));
setTimeout(() => stop.abort("the test says so"), 500);
assert.ok((await Promise.all(waiting)).every((outcome) => outcome === "over"));
result = await call("guest_echo", { text: "after" });
assert.equal(result.structuredContent.text, "after");
ok("cancel", "40 calls");

const unknown = await call("no_such_tool").catch((error) => error);
assert.match(String(unknown.message ?? unknown.content[0].text), /no_such_tool/);
ok("unknown tool");

await client.close();
// This client looks at a note in a later turn than at the result that came behind it, and then does not know it.
assert.deepEqual(errors.filter((error) => !/progress notification for an unknown token/.test(error.message)), []);
ok("end");
