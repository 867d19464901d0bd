// How the two back-ends of jco differ: StarlingMonkey takes a `u64` as a BigInt, QuickJS as a number.

const isStarlingMonkey = typeof globalThis.TextDecoder === "function" && typeof globalThis.ReadableStream === "function";

export const u64 = (number) => (isStarlingMonkey ? BigInt(number) : number);

export function firstLine(bytes) {
  let line = "";
  for (const byte of bytes) {
    if (byte === 10) break;
    line += "%" + byte.toString(16).padStart(2, "0");
  }
  try {
    return decodeURIComponent(line).replace(/\r$/, "");
  } catch {
    return line;
  }
}
