// The reference tool, in JavaScript: one tool for each thing that can be granted, and for each way to
// misbehave. It has the same tools and the same answers as its siblings in Rust, Python and C.

import { read, stat } from "pi:files/files@0.1.0";
import { log } from "wasi:logging/logging@0.1.0-draft";
import { open } from "wasi:keyvalue/store@0.2.0-draft";
import { increment } from "wasi:keyvalue/atomics@0.2.0-draft";
import { get } from "wasi:config/store@0.2.0-rc.1";
import { escape } from "./escape.js";
import { http } from "./http.js";
import { firstLine, u64 } from "./text.js";

const FLOOD_BYTES = 1 << 20;
const GROW_STEP_BYTES = 1 << 20;
const READ_BYTES_MAX = 1 << 20;

function files({ path }) {
  const size = Number(stat(path, true).size);
  return { bytes: size, first_line: firstLine(read(path, u64(0), READ_BYTES_MAX)) };
}

function store({ key }) {
  return { count: Number(increment(open("default"), key, u64(1))) };
}

function setting({ key }) {
  return { value: get(key) ?? null };
}

function say({ text }) {
  log("info", "reference", text);
  return "said";
}

function spin() {
  for (;;);
}

function grow() {
  const held = [];
  try {
    for (;;) {
      held.push(new Uint8Array(GROW_STEP_BYTES).fill(1));
    }
  } catch {
    const count = held.length;
    held.length = 0;
    return { refused_at_bytes: count * GROW_STEP_BYTES };
  }
}

function flood() {
  return "x".repeat(FLOOD_BYTES);
}

function schema(properties) {
  return JSON.stringify({
    type: "object",
    properties,
    required: Object.keys(properties),
    additionalProperties: false,
  });
}

const text = (description) => ({ type: "string", description });
const key = text("The name of the entry");
const port = {
  type: "integer",
  minimum: 0,
  maximum: 65535,
  description: "A TCP port of this machine on which something listens",
};

// The function, what it does, the schema of its arguments, the worst that a call can do.
const TOOLS = {
  files: [files, "The size and the first line of a file", schema({ path: text("Absolute, or relative to the project's folder") }), "read"],
  ...(http && { http: [http, "The status and the first line of what a URL answers", schema({ url: text("Begins with `https://` or `http://`") }), "read"] }),
  store: [store, "Count: add one to the number under a key, and return it", schema({ key }), "write"],
  setting: [setting, "The value of a setting", schema({ key }), "read"],
  say: [say, "Say something in the journal", schema({ text: text("What the journal shall say") }), "read"],
  spin: [spin, "Never return", schema({}), "read"],
  grow: [grow, "Allocate until it is refused", schema({}), "read"],
  flood: [flood, "Return far too much", schema({}), "read"],
  escape: [escape, "Try to get out by the language's own library, and tell how each attempt ended", schema({ port }), "read"],
};

// What the caller reads when the host could not do it.
function errorOf(error) {
  const reason = error?.payload ?? error;
  if (reason?.tag === "refused") return { tag: "refused", val: reason.val };
  if (reason?.tag === "too-large" || reason?.tag === "limit") return { tag: "limit", val: reason.val };
  return { tag: "failed", val: String(reason?.val ?? reason?.tag ?? reason) };
}

export const tool = {
  definitions() {
    return Object.entries(TOOLS).map(([name, [, description, inputSchema, effect]]) => ({
      name,
      description,
      inputSchema,
      effect,
      idempotent: effect === "read",
    }));
  },

  call(name, json) {
    if (!Object.hasOwn(TOOLS, name)) throw { tag: "not-found", val: `the plugin has no tool \`${name}\`` };
    let result;
    try {
      result = TOOLS[name][0](JSON.parse(json));
    } catch (error) {
      throw errorOf(error);
    }
    // What takes its time is waited for by StarlingMonkey; QuickJS has nothing that does.
    return typeof result?.then === "function" ? result.then(told, (error) => Promise.reject(errorOf(error))) : told(result);
  },
};

function told(result) {
  return [typeof result === "string" ? { tag: "text", val: result } : { tag: "json", val: JSON.stringify(result) }];
}
