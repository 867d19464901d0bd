// The tool `count`: the lines, words and bytes of a text file.

import { read } from "pi:files/files@0.1.0";

// The file is read in parts of this size: the whole may be larger than the plugin's memory.
const PART_BYTES = 1 << 20;

const COUNT = {
  name: "count",
  description: "Count the lines, words and bytes of a text file",
  inputSchema: JSON.stringify({
    type: "object",
    properties: {
      path: { type: "string", minLength: 1, description: "Absolute, or relative to the project's folder" },
    },
    required: ["path"],
    additionalProperties: false,
  }),
  effect: "read",
  idempotent: true,
};

const isBlank = (byte) => byte === 32 || (byte >= 9 && byte <= 13);

function count({ path }) {
  let [lines, words, bytes, isInWord] = [0, 0, 0, false];
  for (;;) {
    const part = read(path, bytes, PART_BYTES);
    if (part.length === 0) return { path, lines, words, bytes };
    for (const byte of part) {
      if (byte === 10) lines++;
      if (!isBlank(byte) && !isInWord) words++;
      isInWord = !isBlank(byte);
    }
    bytes += part.length;
  }
}

// What the caller reads when the host could not do it: a refusal stays one, a limit too.
function errorOf(error) {
  const reason = error?.payload ?? error;
  if (reason?.tag === "refused") return reason;
  const tag = reason?.tag === "too-large" || reason?.tag === "limit" ? "limit" : "failed";
  return { tag, val: String(reason?.val ?? reason) };
}

export const tool = {
  definitions: () => [COUNT],

  call(name, json) {
    if (name !== "count") throw { tag: "not-found", val: `the plugin has no tool \`${name}\`` };
    try {
      return [{ tag: "json", val: JSON.stringify(count(JSON.parse(json))) }];
    } catch (error) {
      throw errorOf(error);
    }
  },
};
