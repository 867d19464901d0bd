// An agent: it counts the file that its prompt names, by the tool `count`, and says what it found.

import { call } from "pi:tools/tools@0.1.0";

// The last word of the prompt that looks like a path: with a dot or a slash in it.
function pathOf(prompt) {
  const words = prompt.split(/[\s`'",;:!?()]+/).map((word) => word.replace(/\.$/, ""));
  return words.reverse().find((word) => /[./]/.test(word));
}

const outcome = (status, summary, details = {}) => ({ status, summary, details: JSON.stringify(details) });

function counted(path, content) {
  const part = content.find((part) => part.tag === "json");
  const { lines, words, bytes } = part ? JSON.parse(part.val) : {};
  if (![lines, words, bytes].every(Number.isInteger)) {
    return outcome("escalated", "the tool `count` answered something else than counts");
  }
  return outcome("done", `\`${path}\` has ${lines} lines, ${words} words and ${bytes} bytes.`, { lines, words, bytes });
}

export const agent = {
  run({ prompt }) {
    const path = pathOf(prompt);
    if (!path) return outcome("nothing-to-do", "The prompt names no file.");
    const [result] = call([{ name: "count", arguments: JSON.stringify({ path }) }]);
    if (result.tag === "ok") return counted(path, result.val);
    const reason = result.val.tag === "refused" ? result.val.val.reason : result.val.val;
    return outcome("failed", `\`${path}\` could not be counted: ${reason}`);
  },
};
